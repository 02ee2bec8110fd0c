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

COARSEST = 8
"""blocks from one point of the first lattice to the next"""
UNUSED, FOLLOWS, MOVES, TAKES = -3, -2, -1, 0
"""kinds of blocks: not predicted; as those around it say together; with a vector of its own; as the nearest to what is
expected of those around it, the second, third or fourth (0 to 3)"""
LEAST_SPREADS = np.array([1, 2, 4, 8, 16, 32])
"""of the surrounding vectors, in quarter pixels, in classes 1 to 6"""
FIRST_CLASS = 5
"""of the blocks of the first lattice, which have none around"""
FINEST, FINE, COARSE = 0, 1, 2
"""levels: blocks that lie between neighbours on two sides; between the corners of a square of three; the others"""
KINDS = (
    (
        (3, 994, 23, 1, 1, 1, 1), (2, 746, 40, 233, 1, 1, 1), (2, 597, 72, 231, 112, 9, 1),
        (6, 531, 113, 191, 124, 50, 9), (8, 417, 188, 202, 128, 66, 15), (21, 367, 242, 158, 112, 91, 33),
        (85, 243, 316, 158, 111, 85, 26),
    ),
    (
        (4, 966, 50, 1, 1, 1, 1), (2, 742, 63, 214, 1, 1, 1), (3, 590, 105, 207, 109, 8, 2),
        (3, 487, 182, 174, 115, 55, 8), (5, 365, 260, 168, 135, 72, 19), (21, 311, 376, 106, 116, 70, 24),
        (46, 213, 470, 123, 102, 51, 19),
    ),
    (
        (4, 934, 82, 1, 1, 1, 1), (3, 721, 99, 198, 1, 1, 1), (3, 599, 143, 182, 90, 6, 1),
        (4, 495, 244, 150, 96, 31, 4), (6, 388, 286, 171, 108, 55, 10), (7, 646, 313, 31, 18, 7, 2),
        (41, 220, 498, 140, 83, 38, 4),
    ),
)  # fmt: skip
"""how many of 1,024 blocks are of each kind, by level and class"""
VECTOR_ROWS = ((21, 20, 21, 23, 26, 30, 47), (22, 20, 22, 24, 27, 33, 47), (27, 25, 26, 24, 27, 33, 47))
"""table of both differences from what was expected, by level and class"""

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
"""of a block, (level, class, kind − `UNUSED`)"""
_KIND_TABLES = tuple(tuple(map(_kind_table, of_level)) for of_level in KINDS)
STILL, MOVING = 0, 1
"""whether every block is predicted from its own place, or something moves"""
_ANY_TABLE = Table(np.array([1, TABLE_TOTAL // 4, 3 * TABLE_TOTAL // 4 - 2, 1], dtype=np.uint32))
COMMON_ROW = 36
"""table of the vector that the first lattice is expected to have"""


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks that are coded together."""

    points: Points
    """(2, n) rows and columns, in raster order"""
    around: Points | None
    """(2, 4, n) the known blocks around each; None in the first lattice"""
    level: int


@dataclass(frozen=True, eq=False)
class Expected:
    """What is known of the vectors of n blocks before they are."""

    vectors: SignedArray
    """(2, n) what they are expected to be"""
    classes: Classes
    """(n,)"""
    around: SignedArray
    """(2, 4, n) what they may take over, of `_nearest_first`, or (2, 0, n)"""
    level: int

    def kinds(self, wanted: SignedArray, used: Mask) -> Int32Array:
        """(n,) what says each vector, (2, n): what is expected, else a choice of those around, else itself."""
        kinds = np.full(used.shape, MOVES, dtype=np.int32)
        for place in reversed(range(self.around.shape[1])):
            kinds[(wanted == self.around[:, place]).all(axis=0)] = TAKES + place
        kinds[(wanted == self.vectors).all(axis=0)] = FOLLOWS
        kinds[~used] = UNUSED
        return kinds


@lru_cache(maxsize=2)  # tens of megabytes at the largest size
def stages_of(high: int, wide: int) -> tuple[Stage, ...]:
    """From the coarsest lattice on: the middles of its squares, those of their sides, and again at half the step."""
    stages = [Stage(_lattice(high, wide, (0, 0), COARSEST), None, COARSE)]
    half = COARSEST // 2
    while half:
        middles = _lattice(high, wide, (half, half), 2 * half)
        sides = np.hstack([_lattice(high, wide, (0, half), 2 * half), _lattice(high, wide, (half, 0), 2 * half)])
        sides = sides[:, np.lexsort((sides[1], sides[0]))]
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        crosswise = [(-half, 0), (half, 0), (0, -half), (0, half)]
        stages.append(Stage(middles, _around(middles, corners, high, wide), FINE if half == 1 else COARSE))
        stages.append(Stage(sides, _around(sides, crosswise, high, wide), FINEST if half == 1 else COARSE))
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


def expect(stage: Stage, vectors: SignedArray, common: SignedArray) -> Expected:
    """What is known before a stage: of the vectors before it, (2, high, wide), and the most common one, (2,)."""
    count = stage.points.shape[1]
    if stage.around is None:
        first = np.repeat(common[:, None], count, axis=1)
        return Expected(first, np.full(count, FIRST_CLASS), np.empty((2, 0, count), dtype=np.int32), stage.level)
    return expect_from(vectors[:, stage.around[0], stage.around[1]], level=stage.level)


def expect_from(around: SignedArray, *, level: int) -> Expected:
    """What four vectors around each block, (2, 4, n), say of it."""
    ordered = np.sort(around, axis=1)
    vectors = (ordered[:, 1] + ordered[:, 2]) >> 1
    classes = class_of_spread((ordered[:, 3] - ordered[:, 0]).sum(axis=0))
    return Expected(vectors, classes, _nearest_first(around, vectors), level)


def _nearest_first(around: SignedArray, expected: SignedArray) -> SignedArray:
    """The four vectors around each block, (2, 4, n), the nearest to what is expected, (2, n), first.

    Those that say nothing new stand last: equal to what is expected, or to one before.
    """
    distances = np.abs(around - expected[:, None]).sum(axis=0)  # (4, n)
    same = (around[:, :, None] == around[:, None]).all(axis=0)  # (4, 4, n)
    repeats = np.array([same[i, :i].any(axis=0) for i in range(4)])
    distances[repeats | (distances == 0)] = FARTHEST
    return np.take_along_axis(around, distances.argsort(axis=0, kind="stable")[None], axis=1)


def group_motion(motion: Motion, tables: Tables) -> list[Group]:
    """Motion → the groups of symbols that it is coded as."""
    if motion.used.all() and not motion.vectors.any():
        return [(_ANY_TABLE, np.array([STILL], dtype=np.int32))]
    common = most_common(motion.vectors, motion.used)
    high, wide = motion.used.shape
    known = np.empty((2, high, wide), dtype=np.int32)
    groups: list[Group] = [(_ANY_TABLE, np.array([MOVING], dtype=np.int32)), (tables.bank[COMMON_ROW], common)]
    for stage in stages_of(high, wide):
        rows, columns = stage.points
        expected = expect(stage, known, common)
        classes = expected.classes
        wanted = motion.vectors[:, rows, columns].astype(np.int32)
        kinds = expected.kinds(wanted, motion.used[rows, columns])
        groups += [(_KIND_TABLES[stage.level][c], kinds[classes == c]) for c in np.unique(classes)]
        moves = kinds == MOVES
        for c in np.unique(classes[moves]):
            apart = (wanted - expected.vectors)[:, moves & (classes == c)]
            groups.append((tables.bank[VECTOR_ROWS[stage.level][c]], apart.reshape(-1)))
        known[:, rows, columns] = np.where(kinds > FOLLOWS, wanted, expected.vectors)
    return groups


def pop_motion(unpacker: Unpacker, tables: Tables, *, high: int, wide: int) -> Motion:
    """The motion of high × wide blocks, the next symbols of a payload; raises FormatError for what is not motion."""
    (moving,) = unpacker.values(_ANY_TABLE, 1).tolist()
    if moving == STILL:
        return Motion(np.zeros((2, high, wide), dtype=np.int16), np.ones((high, wide), dtype=np.bool_))
    if moving != MOVING:
        msg = f"expected {STILL} or {MOVING} for whether anything moves, got {moving}: the file is damaged"
        raise FormatError(msg)
    common = unpacker.values(tables.bank[COMMON_ROW], 2)
    _check(common)
    vectors, used = np.empty((2, high, wide), dtype=np.int32), np.empty((high, wide), dtype=np.bool_)
    for stage in stages_of(high, wide):
        rows, columns = stage.points
        expected = expect(stage, vectors, common)
        moved, classes, around = expected.vectors, expected.classes, expected.around
        kinds = np.empty(len(rows), dtype=np.int32)
        for c in np.unique(classes):
            kinds[classes == c] = unpacker.values(_KIND_TABLES[stage.level][c], int((classes == c).sum()))
        if kinds.min() < UNUSED or kinds.max() >= TAKES + around.shape[1]:
            msg = "expected a known kind of every block, got others: the file is damaged"
            raise FormatError(msg)
        for place in range(around.shape[1]):
            moved = np.where(kinds == TAKES + place, around[:, place], moved)
        moves = kinds == MOVES
        for c in np.unique(classes[moves]):
            here = moves & (classes == c)
            moved[:, here] += unpacker.values(tables.bank[VECTOR_ROWS[stage.level][c]], 2 * int(here.sum())).reshape(
                2, -1
            )
        _check(moved)
        vectors[:, rows, columns], used[rows, columns] = moved, kinds != UNUSED
    return Motion(vectors.astype(np.int16), used)


def _check(vectors: npt.NDArray[np.signedinteger]) -> None:
    if np.abs(vectors).max() > MAX_VECTOR:
        msg = f"expected vectors of at most {MAX_VECTOR} quarter pixels, got others: the file is damaged"
        raise FormatError(msg)


def most_common(vectors: SignedArray, used: Mask) -> Int32Array:
    """(2,) the vector of most predicted blocks of the first lattice."""
    first = (slice(None, None, COARSEST),) * 2
    if not used[first].any():
        return np.zeros(2, dtype=np.int32)
    found, counts = np.unique(vectors[:, *first][:, used[first]], axis=1, return_counts=True)
    common: Int32Array = found[:, counts.argmax()].astype(np.int32)
    return common
