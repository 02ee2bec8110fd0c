"""The motion of a frame ↔ bytes: differences between neighbouring blocks, coded with the model's own tables."""

import numpy as np
import numpy.typing as npt

from ncodec.entropy import ROWS, Int32Array, Tables, best_row, pack_groups, unpack_groups
from ncodec.errors import FormatError
from ncodec.motion import MAX_VECTOR, Mask, Motion, Vectors
from ncodec.varint import ByteReader

PLANES = 3
"""rows of vectors, columns of vectors, and whether a block is predicted"""


def pack_motion(motion: Motion, tables: Tables) -> bytes:
    """Motion → bytes: the table of each plane, then its differences; three bytes and one where nothing moves."""
    planes = [
        _differences(plane) for plane in (*_carry_over(motion).astype(np.int32), 1 - motion.used.astype(np.int32))
    ]
    rows = [best_row(plane, tables) for plane in planes]
    return bytes(rows) + pack_groups(list(zip(rows, planes, strict=True)), tables)


def unpack_motion(payload: bytes, tables: Tables, *, high: int, wide: int) -> Motion:
    """Bytes → motion of high × wide blocks; raises FormatError for what is not motion."""
    reader = ByteReader(payload)
    rows = list(reader.take(PLANES))
    if max(rows) >= ROWS:
        msg = f"expected tables below {ROWS} for motion, got {max(rows)}: the file is damaged"
        raise FormatError(msg)
    values = unpack_groups(reader.rest(), [(row, high * wide) for row in rows], tables)
    down, right, unused = (_sums(plane.reshape(high, wide)) for plane in values)
    vectors = np.stack([down, right])
    if np.abs(vectors).max() > MAX_VECTOR or unused.min() < 0 or unused.max() > 1:
        msg = f"expected vectors of at most {MAX_VECTOR} half pixels, got others: the file is damaged"
        raise FormatError(msg)
    return Motion(vectors.astype(np.int16), unused == 0)


def _carry_over(motion: Motion) -> Vectors:
    """The vectors, with those of unused blocks taken from the left, so that they cost nothing."""
    vectors = np.where(motion.used, motion.vectors, 0).astype(np.int16)
    for column in range(1, vectors.shape[2]):
        vectors[:, :, column] = np.where(motion.used[:, column], vectors[:, :, column], vectors[:, :, column - 1])
    return vectors


def _differences(plane: Vectors | Mask) -> Int32Array:
    """Each value less the one to its left, in the first column less the one above; flat."""
    values = plane.astype(np.int32)
    first = np.diff(values[:, :1], axis=0, prepend=0)
    return np.hstack([first, np.diff(values, axis=1)]).reshape(-1).astype(np.int32)


def _sums(differences: Int32Array) -> npt.NDArray[np.int64]:
    """What `_differences` was made of."""
    summed = differences.astype(np.int64)
    summed[:, 0] = np.cumsum(summed[:, 0])
    return np.cumsum(summed, axis=1)
