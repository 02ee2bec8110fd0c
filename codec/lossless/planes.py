"""Lossless code of the planes of a picture, 8 bits a sample.

Samples are predicted by local least squares, and what is left is coded by context mixing. Every
plane is coded whole, and looks at the colour planes before it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.errors import FormatError
from ncodec.lossless.picture_contexts import BORDER
from ncodec.lossless.picture_mixing import MOST_OF_A_SAMPLE, code_plane
from ncodec.lossless.picture_tables import fresh_plane_memory, picture_tables

Pixels = npt.NDArray[np.uint8]
"""(height, width, channels): one plane, or R, G and B"""
DENSEST = 64
"""most samples that a byte of code may stand for: more would let a small file take seconds, and
pictures that are so plain have better coders"""
ORDER = {1: (0,), 3: (1, 0, 2)}
"""channels of a picture → the order in which they are coded"""
_BELOW = 1
"""rows below a plane that its neighbours look at"""
_MIDDLE = 128
"""value of cells of which nothing is known"""
_OWN = (
    (-1, 0), (0, -1), (-1, -1), (1, -1), (-2, 0), (0, -2), (-2, -1), (2, -1), (-1, -2), (1, -2),
    (-3, 0), (0, -3), (3, -1), (-2, -2), (2, -2), (-3, -1), (-1, -3), (1, -3), (3, -2), (-3, -2),
    (2, -3), (-2, -3), (3, -3), (-3, -3),
)  # fmt: skip
"""columns and rows to the samples around in the same plane, the most useful first"""
_OTHER = (
    (0, 0), (-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1), (-2, 0), (0, -2),
    (2, 0), (-2, -1), (2, -1),
)  # fmt: skip
"""the same in planes before it"""
_PLACES = (_OWN, _OTHER, _OTHER)
_SHARES = ((24, 0, 0), (10, 14, 0), (8, 8, 8))
"""colour plane → samples that it looks at in itself, in the first plane and in the second"""
_NOTHING = np.zeros(0, dtype=np.uint8)


@dataclass(frozen=True)
class _Coded:
    size: int
    """bytes that were written or read; −1 where they did not suffice"""
    end: int
    """upper bound of the arithmetic coder"""


def encode_planes(pixels: Pixels) -> bytes:
    """Code of a picture of one channel or three; none where it is larger than the samples, or so
    small that readers refuse it."""
    return _encode(pixels, pixels.size)


def _encode(pixels: Pixels, most: int) -> bytes:
    """Code of `pixels` in at most `most` bytes.

    Empty where it needs more, or where it is so short that `decode_planes` refuses it.
    """
    height, width, channels = pixels.shape
    cells = _empty_cells(height, width, channels)
    _inner(cells)[:] = np.moveaxis(pixels[:, :, ORDER[channels]], 2, 0)
    out = np.empty(most + MOST_OF_A_SAMPLE, dtype=np.uint8)
    coded = _code(_NOTHING, out, cells, decoding=False)
    if coded.size < 0 or coded.size + 4 > most or pixels.size > DENSEST * (coded.size + 4):
        return b""
    return out[: coded.size].tobytes() + coded.end.to_bytes(4, "big")


def decode_planes(code: bytes, height: int, width: int, channels: int) -> Pixels:
    """Decode a picture of 1 or 3 channels: (height, width, channels) uint8.

    Raises FormatError for a code below 1 byte per `DENSEST` samples, or one that ends before or
    after the last sample.
    """
    samples = height * width * channels
    if samples > DENSEST * len(code):
        msg = f"expected at least {samples // DENSEST + 1:,} bytes of a picture, got {len(code):,}:"
        msg += " the file is damaged"
        raise FormatError(msg)
    cells = _empty_cells(height, width, channels)
    # Writable, as when encoding, or the kernel would be compiled again.
    coded = _code(np.frombuffer(bytearray(code), np.uint8), _NOTHING, cells, decoding=True)
    if coded.size != len(code):
        found = "fewer" if coded.size < 0 or coded.size > len(code) else "more"
        msg = f"expected a picture's bytes to end with its last sample, got {found}: the file is"
        msg += " damaged"
        raise FormatError(msg)
    pixels = np.empty((height, width, channels), dtype=np.uint8)
    pixels[:, :, ORDER[channels]] = np.moveaxis(_inner(cells), 0, 2)
    return pixels


def _empty_cells(height: int, width: int, channels: int) -> npt.NDArray[np.int32]:
    shape = channels, BORDER + height + _BELOW, BORDER + width + BORDER
    return np.full(shape, _MIDDLE, dtype=np.int32)


def _inner(cells: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The samples of cells, (channels, height, width)."""
    return cells[:, BORDER:-_BELOW, BORDER:-BORDER]


def _code(source: Pixels, out: Pixels, cells: npt.NDArray[np.int32], *, decoding: bool) -> _Coded:
    """Code all planes of `cells` one after the other, or decode them."""
    planes, rows, stride = cells.shape
    width = stride - 2 * BORDER
    coder = np.array([0, 0xFFFFFFFF, 0, 0], dtype=np.int64)
    if decoding:
        coder[2:] = int.from_bytes(source[:4].tobytes().ljust(4, b"\0"), "big"), 4
    wrong = np.zeros(cells.size, dtype=np.int32)
    size = 0
    for plane in range(planes):
        shares = _SHARES[plane]
        owners = np.repeat(np.arange(3), shares)
        gaps = -rows * stride * np.array([0, plane if shares[1] else 0, 1 if shares[2] else 0])
        spots = [spot for places, n in zip(_PLACES, shares, strict=True) for spot in places[:n]]
        offsets = np.array([x + y * stride for x, y in spots]) + gaps[owners]
        layout = plane * rows * stride, stride, rows - BORDER - _BELOW, width, gaps[1], gaps[2]
        memory = fresh_plane_memory(width, rows * stride)
        size = code_plane(
            source,
            out,
            coder,
            cells.reshape(-1),
            wrong,
            layout,
            offsets,
            owners,
            decoding,
            picture_tables(),
            memory,
        )
        if size < 0:
            break
    return _Coded(size, int(coder[1]))
