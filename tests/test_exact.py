"""Layers of exact cells: what is packed comes back, and nothing else is taken for them."""

import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.container.varint import pack_varint
from ncodec.errors import FormatError
from ncodec.exact.layers import (
    MAX_LAYERS,
    Layer,
    cells_of,
    code_layers,
    covered,
    pack_layers,
    paint,
    unpack_layers,
)
from ncodec.exact.vp8l import pack_vp8l, unpack_vp8l

Pixels = npt.NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    share=st.floats(0.1, 1),
    seed=st.integers(0, 99),
)
def test_cells_come_back_and_nothing_beside_them_changes(
    height: int, width: int, share: float, seed: int
) -> None:
    pixels = noise(height, width, seed)
    cells = np.random.default_rng(seed).random(cells_of(height, width)) < share
    layers = unpack_layers(pack_layers(code_layers(pixels, cells)), height, width)
    assert (covered(layers, height, width) == cells).all()
    painted = np.full_like(pixels, 7)
    paint(painted, layers)
    held = cells.repeat(64, axis=0).repeat(64, axis=1)[:height, :width]
    np.testing.assert_array_equal(painted[held], pixels[held])
    assert (painted[~held] == 7).all()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 40, 128, 255])
def test_steps_err_by_half_of_themselves_at_most(step: int) -> None:
    pixels = noise(70, 90)
    painted = np.empty_like(pixels)
    paint(painted, code_layers(pixels, np.ones(cells_of(70, 90), dtype=np.bool_), step=step))
    # Beyond the last multiple of the step samples end at 255.
    assert np.abs(painted.astype(int) - pixels).max() <= (step + 1) // 2


def test_one_colour_takes_a_few_bytes() -> None:
    plain = np.full((1080, 1920, 3), (250, 3, 99), dtype=np.uint8)
    layers = code_layers(plain, np.ones(cells_of(1080, 1920), dtype=np.bool_))
    assert len(pack_layers(layers)) == 6
    painted = np.empty_like(plain)
    paint(painted, layers)
    np.testing.assert_array_equal(painted, plain)


def test_layers_are_as_the_format_says() -> None:
    """A second reader, from the words of FORMAT.md."""
    pixels = noise(100, 150)
    cells = np.array([[True, False, True], [False, False, True]])
    (layer,) = code_layers(pixels, cells, step=5)
    packed = pack_layers([layer])
    step, map_length = packed[0], packed[1]
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed[2 : 2 + map_length]), dtype=np.uint8))
    assert bits.tolist() == [1, 0, 1, 0, 0, 1, 0, 0]
    rest = packed[2 + map_length :]
    length = rest[0] & 127 | rest[1] << 7
    box = unpack_vp8l(rest[2 : 2 + length], 100, 150)
    assert len(rest) == 2 + length
    painted = np.minimum(box.astype(int) * step, 255)[:64, :64]
    np.testing.assert_array_equal(painted, np.minimum(np.rint(pixels[:64, :64] / 5) * 5, 255))


def layer_bytes(step: int = 1, cells: bytes = b"", coded: bytes = b"abc") -> bytes:
    return bytes([step]) + pack_varint(len(cells)) + cells + pack_varint(len(coded)) + coded


def lying_size(height: int, width: int) -> bytes:
    return struct.pack("<BI", 0x2F, (height - 1) << 14 | (width - 1)) + bytes(9)


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (layer_bytes()[:-1], "truncated"),
        (layer_bytes(step=0), "in steps of 1 to 255"),
        (layer_bytes() * 2, "share none"),
        (layer_bytes(cells=zlib.compress(b"\x00")), "share none"),
        (layer_bytes(cells=b"nothing"), "no zlib stream"),
        (layer_bytes(cells=zlib.compress(b"\xf0\x00")), "map of 4 cells"),
        (layer_bytes(cells=zlib.compress(b"\xf1")), "zeros after the map"),
        (layer_bytes(cells=zlib.compress(b"\xf0") + b"!"), "map of 4 cells"),
    ],
)
def test_damage_is_named(payload: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=sentence):
        unpack_layers(payload, 100, 100)


@pytest.mark.parametrize("coded", [b"", b"ab", b"abcd", lying_size(100, 101), lying_size(100, 100)])
def test_pixels_that_cannot_be_read_are_refused(coded: bytes) -> None:
    layers = unpack_layers(layer_bytes(coded=coded), 100, 100)
    with pytest.raises(FormatError, match="lossless WebP"):
        paint(np.empty((100, 100, 3), dtype=np.uint8), layers)


def test_boxes_cannot_cover_a_picture_again_and_again() -> None:
    corners = np.zeros((40, 40), dtype=np.bool_)
    layers = []
    for i in range(9):
        cells = corners.copy()
        cells[i, 0] = cells[39, 39 - i] = True
        layers.append(Layer(cells, b"abc"))
    with pytest.raises(FormatError, match="cover a picture 4 times"):
        unpack_layers(pack_layers(layers), 2560, 2560)


def test_a_box_beyond_the_limit_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(FormatError, match="at most 16777216 pixels"):
        unpack_layers(layer_bytes(), 8192, 4096)


def test_large_pictures_are_cut_into_boxes_within_the_limit() -> None:
    wide = np.zeros((70, 16384, 3), dtype=np.uint8)
    wide[:, ::3] = 9
    layers = unpack_layers(
        pack_layers(code_layers(wide, np.ones((2, 256), dtype=np.bool_))), 70, 16384
    )
    assert len(layers) == 4
    painted = np.empty_like(wide)
    paint(painted, layers)
    np.testing.assert_array_equal(painted, wide)


@pytest.mark.parametrize("size", [(1, 1), (1, 97), (64, 3), (300, 1)])
def test_bitstreams_come_back(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    coded = pack_vp8l(pixels)
    assert coded[0] == 0x2F
    np.testing.assert_array_equal(unpack_vp8l(coded, *size), pixels)
    for cut in range(0, len(coded) - 1, 3):
        with pytest.raises(FormatError):
            unpack_vp8l(coded[:cut], *size)


def test_a_picture_has_no_more_layers_than_an_encoder_writes() -> None:
    layers = b""
    for place in range(MAX_LAYERS + 1):
        cells = np.zeros((9, 9), dtype=np.bool_)
        cells[divmod(place, 9)] = True
        layers += layer_bytes(cells=zlib.compress(np.packbits(cells).tobytes()))
        if place == MAX_LAYERS - 1:
            assert len(unpack_layers(layers, 576, 576)) == MAX_LAYERS
    with pytest.raises(FormatError, match="at most 64 layers"):
        unpack_layers(layers, 576, 576)
