"""Pixels do not depend on the last bits of what a network computes, and shifts survive as bytes."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncodec.api import open_codec
from ncodec.errors import FormatError
from ncodec.model import FRAME
from ncodec.picture import Levels
from ncodec.rounding import (
    INTRA_ROUNDING,
    MAX_SHIFT,
    PREDICTED_ROUNDING,
    Rounding,
    cells_of,
    choose_shifts,
    pack_shifts,
    round_levels,
    unpack_shifts,
)
from ncodec.video import FrameCodecs, FrameDecoder, FrameEncoder

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def levels() -> Levels:
    """Of a frame with many values a hair from a half, more of them beyond black and white."""
    random = np.random.default_rng(1)
    values = np.round(random.uniform(-3, 258, (144, 208, 3)))
    return (values + 0.5 + random.uniform(-0.02, 0.02, values.shape)).astype(np.float32)


def within_errors(levels: Levels, rounding: Rounding, seed: int) -> Levels:
    """The same levels as another machine might have them."""
    random = np.random.default_rng(seed)
    size = rounding.error + rounding.growth * np.abs(levels - rounding.centre)
    return (levels + 0.9 * np.minimum(size, rounding.step / 2) * random.choice([-1, 1], levels.shape)).astype(
        np.float32
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_frame_is_the_same_whatever_the_last_bits(levels: Levels, seed: int) -> None:
    rounding = replace(INTRA_ROUNDING, cell=16)  # else no shift serves a cell as bad as these
    shifts = choose_shifts(levels, rounding)
    assert shifts.shape == cells_of(144, 208, rounding) == (9, 13)
    apart = within_errors(levels, rounding, seed)
    pixels = round_levels(levels, shifts, rounding)
    np.testing.assert_array_equal(round_levels(apart, shifts, rounding), pixels)
    assert np.abs(pixels - np.clip(levels, 0, 255)).max() <= 0.5 + MAX_SHIFT * rounding.step
    unshifted = np.zeros_like(shifts)
    assert (round_levels(apart, unshifted, rounding) != round_levels(levels, unshifted, rounding)).sum() > 10


def test_differences_are_added_to_the_prediction_in_whole_numbers(levels: Levels) -> None:
    predicted = np.random.default_rng(2).integers(0, 256, levels.shape, dtype=np.uint8)
    differences = (levels / 64).astype(np.float32)
    shifts = choose_shifts(differences, PREDICTED_ROUNDING, predicted=predicted)
    assert shifts.shape == (2, 2)
    pixels = round_levels(differences, shifts, PREDICTED_ROUNDING, predicted=predicted)
    assert np.abs(pixels - np.clip(predicted + differences, 0, 255)).max() <= 0.5 + MAX_SHIFT * PREDICTED_ROUNDING.step
    apart = within_errors(differences, PREDICTED_ROUNDING, 3)
    np.testing.assert_array_equal(round_levels(apart, shifts, PREDICTED_ROUNDING, predicted=predicted), pixels)


def test_what_is_clipped_asks_for_no_shift() -> None:
    levels = np.full((64, 64, 3), 255.5, dtype=np.float32)
    assert not choose_shifts(levels, INTRA_ROUNDING).any()
    assert choose_shifts(levels - 1, INTRA_ROUNDING).all()
    white = np.full((128, 128, 3), 255, dtype=np.uint8)
    half = np.full((128, 128, 3), 0.5, dtype=np.float32)
    assert not choose_shifts(half, PREDICTED_ROUNDING, predicted=white).any()
    assert choose_shifts(half, PREDICTED_ROUNDING, predicted=white - 1).all()


def test_a_clip_decodes_to_the_bit_with_other_libraries_and_threads(photo: Photo) -> None:
    pytest.importorskip("torch")

    def codecs(**options: object) -> FrameCodecs:
        return FrameCodecs(open_codec(**options), open_codec(kind=FRAME, **options))  # type: ignore[arg-type]

    scene = [np.ascontiguousarray(photo[: 2 * left + 128, left : left + 176][:128]) for left in range(12)]
    encoder = FrameEncoder(codecs(threads=1))
    coded = [encoder.encode(encoder.look(pixels), pts=pts, qp=40) for pts, pixels in enumerate(scene)]
    expected = encoder.last
    for options in ({"threads": 2}, {"backend": "torch", "threads": 1}, {"backend": "torch", "threads": 2}):
        decoder = FrameDecoder(codecs(**options), height=128, width=176)
        for frame in coded:
            pixels = decoder.decode(decoder.parse(frame))
        np.testing.assert_array_equal(pixels, expected)


@given(st.lists(st.integers(-MAX_SHIFT, MAX_SHIFT), min_size=6, max_size=6))
def test_shifts_survive_as_bytes(values: list[int]) -> None:
    shifts = np.array(values, dtype=np.int16).reshape(2, 3)
    payload = pack_shifts(shifts)
    np.testing.assert_array_equal(unpack_shifts(payload, 2, 3), shifts)
    assert bool(payload) == any(values)


def test_shifts_are_coded_as_specified() -> None:
    # 0 → 0 00, −1 → 0 01, 1 → 0 10, −3 → 10 01, 4 → 110 00
    assert pack_shifts(np.array([[0, -1, 1, -3, 4]], dtype=np.int16)) == bytes([0b00000101, 0b01001110, 0b00000000])


@pytest.mark.parametrize("payload", [b"\x00", b"\xff" * 40, b"\x00\x00\x00", b"\x00\x01", b"\x00" * 400])
def test_what_is_no_shift_is_refused(payload: bytes) -> None:
    with pytest.raises(FormatError, match="expected 4 shifts"):
        unpack_shifts(payload, 2, 2)
