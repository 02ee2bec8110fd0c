"""Copy map: cells whose symbols equal those of the cell on their left or above, and exact cells."""

import zlib

import numpy as np
import numpy.typing as npt

from ncodec.errors import FormatError

CopyMap = npt.NDArray[np.uint8]
"""(cells high, cells wide) of the values below"""
Values = npt.NDArray[np.signedinteger]

CODED, LEFT, ABOVE, EXACT = 0, 1, 2, 3
"""coding of a cell: own symbols; the symbols of the cell on its left; the symbols of the cell
above; no symbols, because its pixels are exact"""
LEAST_COPIES = 8
"""cells below which saying so does not pay"""


def find_copies(z_hat: Values, residual: Values, *, side: int) -> CopyMap | None:
    """Copy map of the cells whose ẑ and r all equal those of the left or upper cell.

    Shapes: ẑ (C_z, rows, columns) of cells, r (C_y, h, w), of which a cell has `side` × `side`
    places. Left goes before above. None where fewer than 8 cells are copies.
    """
    copy_map = np.zeros(z_hat.shape[1:], dtype=np.uint8)
    for kind, axis in ((ABOVE, 0), (LEFT, 1)):
        same = _same_as_before(z_hat, axis, 1)
        # Comparing all of r costs more than the rest of the coder, and only cells alike in ẑ can be
        # alike.
        if same.sum() >= LEAST_COPIES:
            cells = _same_as_before(residual, axis, side)
            for along in (0, 1):
                cells = np.logical_and.reduceat(
                    cells, np.arange(0, cells.shape[along], side), axis=along
                )
            copy_map[same & cells] = kind
    return copy_map if np.count_nonzero(copy_map) >= LEAST_COPIES else None


def with_exact(copy_map: CopyMap | None, exact: npt.NDArray[np.bool_] | None) -> CopyMap | None:
    """Copy map with the cells of `exact`, of its shape, marked EXACT, copies or not.

    None stands for a map without copies; the copy map itself is returned where no cell is exact.
    """
    if exact is None or not exact.any():
        return copy_map
    return np.where(exact, np.uint8(EXACT), np.uint8(CODED) if copy_map is None else copy_map)


def _same_as_before(values: Values, axis: int, step: int) -> npt.NDArray[np.bool_]:
    """(C, h, w) → (h, w) whether all channels equal the place `step` before along an axis."""
    same = np.zeros(values.shape[1:], dtype=np.bool_)
    if axis == 0:
        same[step:] = (values[:, step:] == values[:, :-step]).all(axis=0)
    else:
        same[:, step:] = (values[:, :, step:] == values[:, :, :-step]).all(axis=0)
    return same


def fill_copies(values: Values, copy_map: CopyMap, rows: range, *, side: int) -> None:
    """Fill copied cells of these rows in place; cells are of side × side values of (C, ≤ side·h, ≤
    side·w)."""
    places = np.arange(values.shape[2])
    for row in rows:
        top = row * side
        own = values[:, top : top + side]  # (C, ≤ side, W)
        above = (copy_map[row] == ABOVE)[places // side]
        if above.any():
            own[:, :, above] = values[:, top - side : top - side + own.shape[1]][:, :, above]
        left = copy_map[row] == LEFT
        if left.any():
            source = np.maximum.accumulate(np.where(left, 0, np.arange(len(left))))
            own[...] = own[:, :, side * source[places // side] + places % side]


def pack_copy_map(copy_map: CopyMap) -> bytes:
    """Copy map → a zlib stream of one byte a cell in raster order, 0 for exact cells; empty without
    copies."""
    stored = np.where(copy_map == EXACT, np.uint8(CODED), copy_map)
    return zlib.compress(stored.tobytes(), 9) if stored.any() else b""


def unpack_copy_map(payload: bytes, high: int, wide: int) -> CopyMap:
    """Inverse of `pack_copy_map` for high × wide cells, in bounded memory; raises FormatError."""
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(payload, high * wide + 1)
    except zlib.error as error:
        msg = f"expected which cells repeat others, got what is no zlib stream: {error}"
        raise FormatError(msg) from error
    copy_map = np.frombuffer(content, dtype=np.uint8)
    whole = len(content) == high * wide and unpacker.eof and not unpacker.unused_data
    if not whole or copy_map.max() > ABOVE:
        msg = (
            f"expected for {high * wide} cells which others they repeat, got something else: the "
            f"file is damaged"
        )
        raise FormatError(msg)
    copy_map = copy_map.reshape(high, wide)
    if (copy_map[0] == ABOVE).any() or (copy_map[:, 0] == LEFT).any():
        msg = (
            "expected no cell to repeat one outside the picture, got one that does: the file is "
            "damaged"
        )
        raise FormatError(msg)
    return copy_map
