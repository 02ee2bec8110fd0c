"""Display matrices of video frames → upright pixels."""

import struct

from ncodec.arrays import Pixels

_MATRIX = struct.Struct("=9i")
"""rows (a, b, u), (c, d, v), (x, y, w) of ISO/IEC 14496-12, a to d in 1/65536"""
Matrix = tuple[int, int, int, int]
"""a, b, c, d: stored column p and row q are shown at column a·p + c·q and row b·p + d·q"""
PLAIN: Matrix = (1, 0, 0, 1)


def unpack_matrix(packed: bytes) -> Matrix:
    """Signs of a, b, c and d of a matrix as FFmpeg lays it out, in native byte order; `PLAIN` for
    other lengths."""
    if len(packed) != _MATRIX.size:
        return PLAIN
    a, b, _, c, d, *_ = _MATRIX.unpack(packed)
    largest = max(map(abs, (a, b, c, d)))
    # An angle of a fraction of a degree is that of a right angle.
    signs = [0 if abs(term) * 100 < largest else (term > 0) - (term < 0) for term in (a, b, c, d)]
    return (signs[0], signs[1], signs[2], signs[3])


def is_turned(matrix: Matrix) -> bool:
    """Whether rows become columns."""
    a, b, c, d = matrix
    return a == 0 == d and b != 0 != c


def upright(pixels: Pixels, matrix: Matrix) -> Pixels | None:
    """(H, W, 3) as it is to be shown: turned by quarters and mirrored; None for other angles."""
    a, b, c, d = matrix
    if is_turned(matrix):
        return pixels.swapaxes(0, 1)[::b, ::c]
    return pixels[::d, ::a] if a != 0 != d and b == 0 == c else None
