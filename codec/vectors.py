"""The motion of a frame ↔ groups of symbols: from a coarse lattice of blocks to all of them.

Each block is expected to move as the four around it that are already known, or else as one of them; the more these
agree, the surer the table.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ncodec.entropy import TABLE_TOTAL, Group, Int32Array, SignedArray, Table, Tables, Unpacker
from ncodec.errors import FormatError
from ncodec.motion import MAX_VECTOR, Mask, Motion
from ncodec.varint import ByteReader, pack_varint, unzigzag, zigzag

COARSEST = 8
"""blocks from one point of the first lattice to the next"""
UNUSED, FOLLOWS, MOVES, TAKES = -3, -2, -1, 0
"""kinds of blocks: not predicted; as those around it say together; with a vector of its own; as the nearest to what is
expected of those around it, the second, third or fourth (0 to 3)"""
LEAST_SPREADS = np.array([1, 2, 4, 8, 16, 32])
"""of the surrounding vectors, in quarter pixels, in classes 1 to 6"""
FIRST_CLASS = 5
"""of the blocks of the first lattice, which have none around"""
KINDS = (
    (1, 984, 35, 1, 1, 1, 1), (1, 687, 83, 250, 1, 1, 1), (1, 522, 131, 218, 135, 16, 1),
    (2, 432, 257, 172, 105, 44, 12), (4, 323, 366, 160, 105, 51, 15), (8, 356, 438, 98, 70, 40, 14),
    (40, 186, 474, 143, 97, 59, 25),
)  # fmt: skip
"""how many of 1,024 blocks are of each kind, by class"""
VECTOR_ROWS = (20, 20, 20, 23, 25, 30, 43)
"""table of both differences from what was expected, by class"""

FARTHEST = 8 * MAX_VECTOR
"""beyond any distance of two vectors"""

Points = npt.NDArray[np.intp]
Classes = npt.NDArray[np.intp]


def _kind_table(counts: tuple[int, ...]) -> Table:
    of_total = np.array([*counts, 0], dtype=np.uint32) * (TABLE_TOTAL // 1024)
    of_total[FOLLOWS - UNUSED] -= 1
    of_total[-1] = 1
    return Table(of_total)


KIND_BITS = np.log2(1024 / np.array(KINDS))
"""of a block, (class, kind − `UNUSED`)"""
_KIND_TABLES = tuple(map(_kind_table, KINDS))


@dataclass(frozen=True, eq=False)
class _Stage:
    """Blocks that are coded together."""

    points: Points
    """(2, n) rows and columns, in raster order"""
    around: Points | None
    """(2, 4, n) the known blocks around each; None in the first lattice"""


@lru_cache(maxsize=2)  # tens of megabytes at the largest size
def _stages(high: int, wide: int) -> tuple[_Stage, ...]:
    """From the coarsest lattice on: the middles of its squares, those of their sides, and again at half the step."""
    stages = [_Stage(_lattice(high, wide, (0, 0), COARSEST), None)]
    half = COARSEST // 2
    while half:
        middles = _lattice(high, wide, (half, half), 2 * half)
        sides = np.hstack([_lattice(high, wide, (0, half), 2 * half), _lattice(high, wide, (half, 0), 2 * half)])
        sides = sides[:, np.lexsort((sides[1], sides[0]))]
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        crosswise = [(-half, 0), (half, 0), (0, -half), (0, half)]
        stages.append(_Stage(middles, _around(middles, corners, high, wide)))
        stages.append(_Stage(sides, _around(sides, crosswise, high, wide)))
        half //= 2
    return tuple(stage for stage in stages if stage.points.shape[1])


def _lattice(high: int, wide: int, first: tuple[int, int], step: int) -> Points:
    rows, columns = np.meshgrid(np.arange(first[0], high, step), np.arange(first[1], wide, step), indexing="ij")
    return np.stack([rows.reshape(-1), columns.reshape(-1)])


def _around(points: Points, offsets: list[tuple[int, int]], high: int, wide: int) -> Points:
    """(2, 4, n) neighbours of points.

    A row or a column outside is mirrored; for a neighbour outside even so, the first that is inside.
    """
    limits = np.array([high, wide])[:, None, None]
    found = points[:, None] + np.array(offsets).T[:, :, None]
    mirrored = 2 * points[:, None] - found
    found = np.where((found < 0) | (found >= limits), mirrored, found)
    inside = ((found >= 0) & (found < limits)).all(axis=0)  # (4, n)
    first = np.take_along_axis(found, inside.argmax(axis=0)[None, None], axis=1)
    return np.where(inside, found, first)


def class_of_spread(spread: npt.NDArray[np.signedinteger]) -> Classes:
    """How little the vectors around a block agree: 0 where they are equal, to 6."""
    return np.searchsorted(LEAST_SPREADS, spread, side="right")


def expect_from(around: SignedArray) -> tuple[SignedArray, Classes]:
    """Four vectors around each block, (2, 4, n) → what it is expected to have, (2, n), and its class."""
    ordered = np.sort(around, axis=1)
    return (ordered[:, 1] + ordered[:, 2]) >> 1, class_of_spread((ordered[:, 3] - ordered[:, 0]).sum(axis=0))


def nearest_first(around: SignedArray, expected: SignedArray) -> SignedArray:
    """The four vectors around each block, (2, 4, n), the nearest to what is expected, (2, n), first.

    Those that say nothing new stand last: equal to what is expected, or to one before.
    """
    distances = np.abs(around - expected[:, None]).sum(axis=0)  # (4, n)
    same = (around[:, :, None] == around[:, None]).all(axis=0)  # (4, 4, n)
    repeats = np.array([same[i, :i].any(axis=0) for i in range(4)])
    distances[repeats | (distances == 0)] = FARTHEST
    return np.take_along_axis(around, distances.argsort(axis=0, kind="stable")[None], axis=1)


class _Field:
    """What is known of the vectors of a frame so far."""

    def __init__(self, high: int, wide: int, common: Int32Array) -> None:
        self.vectors = np.empty((2, high, wide), dtype=np.int32)
        self._common = common

    def expect(self, stage: _Stage) -> tuple[SignedArray, Classes, SignedArray]:
        """What the vectors of a stage are expected to be, (2, n), the class of each block, and what it may take over.

        The last is (2, 4, n), or (2, 0, n) for the first stage.
        """
        count = stage.points.shape[1]
        if stage.around is None:
            expected = np.repeat(self._common[:, None], count, axis=1)
            return expected, np.full(count, FIRST_CLASS), np.empty((2, 0, count), dtype=np.int32)
        around = self.vectors[:, stage.around[0], stage.around[1]]  # (2, 4, n)
        expected, classes = expect_from(around)
        return expected, classes, nearest_first(around, expected)


@dataclass(frozen=True, eq=False)
class PackedMotion:
    """Motion as it is coded."""

    common: bytes
    """the vector that the first lattice is expected to have; none where nothing moves and everything is predicted"""
    groups: tuple[Group, ...]
    """to be coded before the symbols of the frame"""


def pack_motion(motion: Motion, tables: Tables) -> PackedMotion:
    """Motion → what is coded of it."""
    if motion.used.all() and not motion.vectors.any():
        return PackedMotion(b"", ())
    common = _most_common(motion)
    high, wide = motion.used.shape
    field = _Field(high, wide, common)
    groups: list[Group] = []
    for stage in _stages(high, wide):
        rows, columns = stage.points
        expected, classes, around = field.expect(stage)
        wanted = motion.vectors[:, rows, columns].astype(np.int32)
        kinds = kinds_of(wanted, motion.used[rows, columns], expected, around)
        groups += [(_KIND_TABLES[c], kinds[classes == c]) for c in np.unique(classes)]
        moves = kinds == MOVES
        for c in np.unique(classes[moves]):
            apart = (wanted - expected)[:, moves & (classes == c)]
            groups.append((tables.bank[VECTOR_ROWS[c]], apart.reshape(-1)))
        field.vectors[:, rows, columns] = np.where(kinds > FOLLOWS, wanted, expected)
    return PackedMotion(b"".join(pack_varint(zigzag(int(v))) for v in common), tuple(groups))


def kinds_of(wanted: SignedArray, used: Mask, expected: SignedArray, around: SignedArray) -> Int32Array:
    """(n,) what says each block's vector, (2, n): what is expected, else a choice of `nearest_first`, else itself."""
    kinds = np.full(used.shape, MOVES, dtype=np.int32)
    for place in reversed(range(around.shape[1])):
        kinds[(wanted == around[:, place]).all(axis=0)] = TAKES + place
    kinds[(wanted == expected).all(axis=0)] = FOLLOWS
    kinds[~used] = UNUSED
    return kinds


def unpack_motion(common: bytes, unpacker: Unpacker, tables: Tables, *, high: int, wide: int) -> Motion:
    """What is coded of the motion of high × wide blocks → motion; raises FormatError for what is not motion."""
    if not common:
        return Motion(np.zeros((2, high, wide), dtype=np.int16), np.ones((high, wide), dtype=np.bool_))
    reader = ByteReader(common)
    first = np.array([unzigzag(reader.varint()), unzigzag(reader.varint())])
    _check(first)
    if reader.rest():
        msg = f"expected a vector, got {len(common)} bytes: the file is damaged"
        raise FormatError(msg)
    field, used = _Field(high, wide, first.astype(np.int32)), np.empty((high, wide), dtype=np.bool_)
    for stage in _stages(high, wide):
        rows, columns = stage.points
        moved, classes, around = field.expect(stage)
        kinds = np.empty(len(rows), dtype=np.int32)
        for c in np.unique(classes):
            kinds[classes == c] = unpacker.values(_KIND_TABLES[c], int((classes == c).sum()))
        if kinds.min() < UNUSED or kinds.max() >= TAKES + around.shape[1]:
            msg = "expected a known kind of every block, got others: the file is damaged"
            raise FormatError(msg)
        for place in range(around.shape[1]):
            moved = np.where(kinds == TAKES + place, around[:, place], moved)
        moves = kinds == MOVES
        for c in np.unique(classes[moves]):
            here = moves & (classes == c)
            moved[:, here] += unpacker.values(tables.bank[VECTOR_ROWS[c]], 2 * int(here.sum())).reshape(2, -1)
        _check(moved)
        field.vectors[:, rows, columns], used[rows, columns] = moved, kinds != UNUSED
    return Motion(field.vectors.astype(np.int16), used)


def _check(vectors: npt.NDArray[np.signedinteger]) -> None:
    if np.abs(vectors).max() > MAX_VECTOR:
        msg = f"expected vectors of at most {MAX_VECTOR} quarter pixels, got others: the file is damaged"
        raise FormatError(msg)


def _most_common(motion: Motion) -> Int32Array:
    """(2,) the vector of most predicted blocks of the first lattice."""
    first = (slice(None, None, COARSEST),) * 2
    used = motion.used[first]
    if not used.any():
        return np.zeros(2, dtype=np.int32)
    found, counts = np.unique(motion.vectors[:, *first][:, used], axis=1, return_counts=True)
    common: Int32Array = found[:, counts.argmax()].astype(np.int32)
    return common
