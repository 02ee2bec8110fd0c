"""Pixels do not depend on the last bits of what a network computes, and shifts survive as bytes."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncodec.api.codecs import open_codec
from ncodec.arrays import Samples
from ncodec.container.records import Tag
from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.tables import Tables
from ncodec.errors import FormatError
from ncodec.inference.model import FRAME
from ncodec.inference.zoo import load_model
from ncodec.video.frame_decoder import FrameDecoder
from ncodec.video.frame_encoder import FrameEncoder
from ncodec.video.frame_state import FrameCodecs
from ncodec.video.rounding import (
    INTRA_ROUNDING,
    MAX_OFFSET,
    PREDICTED_ROUNDING,
    Rounding,
    cells_of,
    choose_offsets,
    group_offsets,
    pop_offsets,
    round_samples,
)
from ncodec.video.skip import SkipBlocks, group_skipped

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def samples() -> Samples:
    """Samples of a frame, some of them beyond black and white."""
    return np.random.default_rng(1).uniform(-3, 258, (144, 208, 3)).astype(np.float32)


def within_errors(samples: Samples, rounding: Rounding, seed: int) -> Samples:
    """Samples as another machine might have them."""
    random = np.random.default_rng(100 + seed)
    size = rounding.error + rounding.growth * np.abs(samples - rounding.centre)
    return (samples + size * random.uniform(-0.95, 0.95, samples.shape)).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rounding", "least", "scale"),
    [(INTRA_ROUNDING, 0, 1), (PREDICTED_ROUNDING, 127.5, 1 / 16)],
    ids=["intra", "predicted"],
)
def test_a_frame_is_the_same_whatever_the_last_bits(
    samples: Samples, rounding: Rounding, least: float, scale: float, seed: int
) -> None:
    samples = ((samples - least) * scale).astype(np.float32)
    samples[::9, ::9] = np.floor(samples[::9, ::9]) + np.float32(0.5 + 5e-6)
    offsets = choose_offsets(samples, rounding)
    assert offsets.shape == cells_of(144, 208) == (3, 4)
    apart = within_errors(samples, rounding, seed)
    pixels = round_samples(samples, offsets, rounding)
    np.testing.assert_array_equal(round_samples(apart, offsets, rounding), pixels)
    assert np.abs(pixels - np.clip(samples, 0, 255)).max() <= 0.5 + MAX_OFFSET * rounding.step
    unshifted = np.zeros_like(offsets)
    assert (
        round_samples(apart, unshifted, rounding) != round_samples(samples, unshifted, rounding)
    ).sum() > 20


def test_differences_are_added_to_the_prediction_in_whole_numbers(samples: Samples) -> None:
    predicted = np.random.default_rng(2).integers(0, 256, samples.shape, dtype=np.uint8)
    differences = (samples / 64).astype(np.float32)
    offsets = choose_offsets(differences, PREDICTED_ROUNDING, predicted=predicted)
    pixels = round_samples(differences, offsets, PREDICTED_ROUNDING, predicted=predicted)
    assert (
        np.abs(pixels - np.clip(predicted + differences, 0, 255)).max()
        <= 0.5 + MAX_OFFSET * PREDICTED_ROUNDING.step
    )
    apart = within_errors(differences, PREDICTED_ROUNDING, 3)
    np.testing.assert_array_equal(
        round_samples(apart, offsets, PREDICTED_ROUNDING, predicted=predicted), pixels
    )


def test_where_nothing_is_clear_the_widest_margin_is_taken() -> None:
    crowded = np.linspace(99.5 - 0.02, 99.5 + 0.02, 64 * 64 * 3, dtype=np.float32).reshape(
        64, 64, 3
    )
    crowded[crowded > 99.5] += np.float32(0.0002)
    (shift,) = choose_offsets(crowded, PREDICTED_ROUNDING).reshape(-1)
    clearance = np.abs(crowded + shift * PREDICTED_ROUNDING.step - 99.5).min()
    assert 50e-6 < clearance < 150e-6


def test_what_is_clipped_asks_for_no_shift() -> None:
    samples = np.full((64, 64, 3), 255.5, dtype=np.float32)
    assert not choose_offsets(samples, INTRA_ROUNDING).any()
    assert choose_offsets(samples - 1, INTRA_ROUNDING).all()
    white = np.full((128, 128, 3), 255, dtype=np.uint8)
    half = np.full((128, 128, 3), 0.5, dtype=np.float32)
    assert not choose_offsets(half, PREDICTED_ROUNDING, predicted=white).any()
    assert choose_offsets(half, PREDICTED_ROUNDING, predicted=white - 1).all()


def test_a_clip_decodes_to_the_bit_with_other_libraries_and_threads(photo: Photo) -> None:
    pytest.importorskip("torch")

    def codecs(**options: object) -> FrameCodecs:
        return FrameCodecs(open_codec(**options), open_codec(kind=FRAME, **options))  # type: ignore[arg-type]

    scene = [
        np.ascontiguousarray(photo[2 * step : 2 * step + 128, step : step + 176])
        for step in range(8)
    ]
    for step, pixels in enumerate(
        scene
    ):  # a third of the frame has nothing to do with the last one
        pixels[:, :64] = (
            np.roll(photo[::-1][:128, 100:164], 11 * step, axis=0)
            if step % 2
            else 255 - pixels[:, :64]
        )
    encoder = FrameEncoder(codecs(threads=1))
    coded, expected = [], []
    for pts, pixels in enumerate(scene):
        coded.append(encoder.encode(encoder.decide(pixels), pts=pts, qp=40))
        expected.append(encoder.last.copy())
    assert sum(frame.tag == Tag.PREDICTED for frame in coded) >= 6
    for options in (
        {"threads": 2},
        {"backend": "torch", "threads": 1},
        {"backend": "torch", "threads": 2},
    ):
        decoder = FrameDecoder(codecs(**options), height=128, width=176)
        for frame, pixels in zip(coded, expected, strict=True):
            np.testing.assert_array_equal(decoder.decode(decoder.parse(frame)), pixels)


def packed(values: list[int], tables: Tables, rounding: Rounding) -> Unpacker:
    packer = Packer()
    packer.push([group_offsets(np.array([values], dtype=np.int16), tables, rounding)])
    return Unpacker(packer.payload())


@given(st.lists(st.integers(-MAX_OFFSET, MAX_OFFSET), min_size=6, max_size=6))
def test_shifts_survive_as_symbols(values: list[int]) -> None:
    tables = load_model().tables
    for rounding in (INTRA_ROUNDING, PREDICTED_ROUNDING):
        unpacker = packed(values, tables, rounding)
        assert pop_offsets(unpacker, tables, rounding, 6).tolist() == values
        unpacker.finish()


def test_shifts_are_coded_and_count_as_specified() -> None:
    assert (INTRA_ROUNDING.step, PREDICTED_ROUNDING.step) == (2**-12, 2**-13)
    for rounding, row in ((INTRA_ROUNDING, 47), (PREDICTED_ROUNDING, 37)):
        tables = load_model().tables
        assert packed([0, -1, 3], tables, rounding).values(tables.bank[row], 3).tolist() == [
            0,
            -1,
            3,
        ]


def test_shifts_of_predicted_frames_are_small_and_take_little() -> None:
    tables = load_model().tables
    zero_bins = np.arange(64).reshape(8, 8) % 2 == 0
    skip = SkipBlocks(np.ones_like(zero_bins), zero_bins)
    offsets = np.array([5, -3, -9, 2] * 8, dtype=np.int16)  # those that are kept have none
    packer = Packer()
    packer.push(
        [*group_skipped(skip, before=skip), group_offsets(offsets, tables, PREDICTED_ROUNDING)]
    )
    assert len(packer.payload()) <= 40, "64 cells, half of whose shifts are none"


@pytest.mark.parametrize(
    "rounding", [INTRA_ROUNDING, PREDICTED_ROUNDING], ids=["intra", "predicted"]
)
@pytest.mark.parametrize("beyond", [-MAX_OFFSET - 1, MAX_OFFSET + 1, 30_000])
def test_what_is_no_shift_is_refused(beyond: int, rounding: Rounding) -> None:
    tables = load_model().tables
    with pytest.raises(FormatError, match="expected offsets of at most 127 steps"):
        pop_offsets(packed([0, 0, beyond, 0], tables, rounding), tables, rounding, 4)
