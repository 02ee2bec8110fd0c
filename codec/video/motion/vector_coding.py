"""Motion of a frame ↔ groups of symbols, from a coarse lattice of blocks to all of them.

Each block is expected to move as the four around it that are already known, or else as one of them,
or as it did in the frame before; the more those around agree, the surer the table.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Int32Array, Mask, SignedArray, Vectors
from ncodec.entropy.ans import Group, Unpacker
from ncodec.entropy.flags import Classes, pop_of_classes
from ncodec.entropy.tables import TABLE_TOTAL, Table, Tables
from ncodec.errors import FormatError
from ncodec.video.motion.field import MAX_VECTOR, Motion
from ncodec.video.motion.lattice import COARSEST, Stage, stages_of

UNPREDICTED, PREDICTED_MV, MVD, MERGE = -3, -2, -1, 0
"""modes of blocks: not predicted; predicted MV; predicted MV plus MVD; merge with the first of five
candidates (0) to the fifth (4)"""
LEAST_SPREADS = np.array([1, 2, 4, 8, 16, 32])
"""least spread of the surrounding vectors, in quarter pixels, of classes 1 to 6"""
FIRST_CLASS = 5
"""class of the first lattice's blocks, which have none around"""
MODE_COUNTS = (
    (
        (3, 993, 20, 4, 1, 1, 1, 1),
        (2, 769, 30, 215, 5, 1, 1, 1),
        (3, 601, 60, 221, 120, 16, 2, 1),
        (3, 530, 91, 178, 138, 65, 17, 2),
        (9, 414, 170, 170, 131, 85, 37, 8),
        (23, 321, 208, 149, 125, 114, 65, 19),
        (76, 243, 281, 131, 132, 100, 45, 16),
    ),
    (
        (4, 971, 30, 15, 1, 1, 1, 1),
        (2, 759, 51, 200, 9, 1, 1, 1),
        (3, 591, 88, 198, 118, 22, 3, 1),
        (2, 493, 143, 153, 122, 87, 23, 1),
        (7, 384, 202, 121, 154, 101, 46, 9),
        (20, 267, 329, 95, 142, 109, 46, 16),
        (44, 224, 421, 104, 100, 73, 34, 24),
    ),
    (
        (4, 930, 61, 25, 1, 1, 1, 1),
        (2, 742, 76, 183, 18, 1, 1, 1),
        (3, 614, 126, 158, 90, 30, 2, 1),
        (3, 507, 201, 135, 101, 62, 14, 1),
        (5, 406, 224, 143, 113, 99, 30, 4),
        (7, 642, 241, 87, 20, 18, 8, 1),
        (36, 196, 426, 144, 110, 82, 27, 3),
    ),
)
"""blocks of each mode among 1,024, by lattice level and class"""
VECTOR_ROWS = (
    (20, 19, 21, 22, 27, 33, 47),
    (20, 21, 22, 24, 28, 33, 47),
    (27, 24, 26, 25, 27, 33, 47),
)
"""table of both differences from what was expected, by level and class"""

FARTHEST = 8 * MAX_VECTOR
"""beyond any distance of two vectors"""


def _mode_table(counts: tuple[int, ...]) -> Table:
    # Of −4, which is no kind, to 4, and an escape.
    of_total = np.array([0, *counts, 0], dtype=np.uint32) * (TABLE_TOTAL // 1024)
    of_total[1 + PREDICTED_MV - UNPREDICTED] -= 2
    of_total[[0, -1]] = 1
    return Table(of_total)


MODE_BITS = np.log2(1024 / np.array(MODE_COUNTS))
"""bits of a block's mode, (level, class, mode − `UNPREDICTED`)"""
_MODE_TABLES = tuple(tuple(map(_mode_table, of_level)) for of_level in MODE_COUNTS)
STILL, MOVING = 0, 1
"""whether every block is predicted from its own place, or something moves"""
_ANY_TABLE = Table(np.array([1, TABLE_TOTAL // 4, 3 * TABLE_TOTAL // 4 - 2, 1], dtype=np.uint32))
COMMON_ROW = 36
"""table of the vector that the first lattice is expected to have"""


@dataclass(frozen=True, eq=False)
class Expected:
    """Prediction of the vectors of n blocks."""

    vectors: SignedArray
    """(2, n) what they are expected to be"""
    classes: Classes
    """(n,)"""
    choices: SignedArray
    """(2, m, n) what they may take over, of `_nearest_first`"""
    level: int

    def modes(self, wanted: SignedArray, used: Mask) -> Int32Array:
        """Mode of each block, (n,), for the wanted vectors, (2, n): predicted MV, else merge, else
        MVD."""
        modes = np.full(used.shape, MVD, dtype=np.int32)
        for place in reversed(range(self.choices.shape[1])):
            modes[(wanted == self.choices[:, place]).all(axis=0)] = MERGE + place
        modes[(wanted == self.vectors).all(axis=0)] = PREDICTED_MV
        modes[~used] = UNPREDICTED
        return modes


def class_of_spread(spread: npt.NDArray[np.signedinteger]) -> Classes:
    """Class, 0 to 6, of a block by the spread of the four vectors around it, in quarter pixels.

    The spread is the largest less the smallest component, rows plus columns; class 0 is for no
    spread, 1 to 6 from 1, 2, 4, 8, 16 and 32.
    """
    return np.searchsorted(LEAST_SPREADS, spread, side="right")


def expect(
    stage: Stage, vectors: SignedArray, common: SignedArray, before: SignedArray
) -> Expected:
    """Predicted MVs, classes and merge candidates of a stage's n blocks.

    `vectors`, (2, h, w), need be known in earlier stages alone; `before` are those of the frame
    before, (2, h, w). In the first stage all blocks have the predicted MV `common`, (2,), and one
    candidate, the vector in `before`; later ones are like `expect_from`.
    """
    there = before[:, stage.points[0], stage.points[1]]  # (2, n)
    if stage.around is None:
        first = np.repeat(common[:, None], there.shape[1], axis=1)
        return Expected(first, np.full(there.shape[1], FIRST_CLASS), there[:, None], stage.level)
    return expect_from(vectors[:, stage.around[0], stage.around[1]], there, level=stage.level)


def expect_from(around: SignedArray, before: SignedArray, *, level: int) -> Expected:
    """Prediction from the four vectors around each block, (2, 4, n), and that of the frame before,
    (2, n)."""
    ordered = np.sort(around, axis=1)
    vectors = (ordered[:, 1] + ordered[:, 2]) >> 1
    classes = class_of_spread((ordered[:, 3] - ordered[:, 0]).sum(axis=0))
    known = np.concatenate([around, before[:, None]], axis=1)
    return Expected(vectors, classes, _nearest_first(known, vectors), level)


def _nearest_first(known: SignedArray, expected: SignedArray) -> SignedArray:
    """Merge candidates of each block, (2, m, n), the nearest to the predicted MV, (2, n), first.

    Those that say nothing new stand last: equal to what is expected, or to one before.
    """
    distances = np.abs(known - expected[:, None]).sum(axis=0)  # (m, n)
    same = (known[:, :, None] == known[:, None]).all(axis=0)  # (m, m, n)
    repeats = np.array([same[i, :i].any(axis=0) for i in range(len(distances))])
    distances[repeats | (distances == 0)] = FARTHEST
    return np.take_along_axis(known, distances.argsort(axis=0, kind="stable")[None], axis=1)


@dataclass(frozen=True, eq=False)
class GroupedMotion:
    """Motion as it is coded."""

    groups: list[Group]
    vectors: Vectors
    """vectors as a decoder has them, those of unpredicted blocks included"""


def group_motion(motion: Motion, tables: Tables, *, before: Vectors | None = None) -> GroupedMotion:
    """Groups of symbols of a frame's motion, golden blocks aside, and the vectors as a decoder gets
    them.

    `before` are the vectors, (2, h, w), of the frame before; None, for an intra frame, counts as
    zero.
    """
    if motion.used.all() and not motion.vectors.any():
        return GroupedMotion([(_ANY_TABLE, np.array([STILL], dtype=np.int32))], motion.vectors)
    common = most_common(motion.vectors, motion.used)
    high, wide = motion.used.shape
    known, before = np.empty((2, high, wide), dtype=np.int32), known_before(before, high, wide)
    groups: list[Group] = [
        (_ANY_TABLE, np.array([MOVING], dtype=np.int32)),
        (tables.bank[COMMON_ROW], common),
    ]
    for stage in stages_of(high, wide):
        rows, columns = stage.points
        expected = expect(stage, known, common, before)
        classes = expected.classes
        wanted = motion.vectors[:, rows, columns].astype(np.int32)
        modes = expected.modes(wanted, motion.used[rows, columns])
        groups += [(_MODE_TABLES[stage.level][c], modes[classes == c]) for c in np.unique(classes)]
        moves = modes == MVD
        for c in np.unique(classes[moves]):
            mvd = (wanted - expected.vectors)[:, moves & (classes == c)]
            groups.append((tables.bank[VECTOR_ROWS[stage.level][c]], mvd.reshape(-1)))
        known[:, rows, columns] = np.where(modes > PREDICTED_MV, wanted, expected.vectors)
    return GroupedMotion(groups, known.astype(np.int16))


def known_before(before: Vectors | None, high: int, wide: int) -> Vectors:
    """Vectors of the frame before: `before`, (2, high, wide), or zeros of that shape where it is
    None."""
    return np.zeros((2, high, wide), dtype=np.int16) if before is None else before


def pop_motion(
    unpacker: Unpacker, tables: Tables, *, high: int, wide: int, before: Vectors | None = None
) -> Motion:
    """Decode the motion of high × wide blocks; raises FormatError for damage.

    `before` is as for `group_motion`.
    """
    (moving,) = unpacker.values(_ANY_TABLE, 1).tolist()
    if moving == STILL:
        return Motion(
            np.zeros((2, high, wide), dtype=np.int16), np.ones((high, wide), dtype=np.bool_)
        )
    if moving != MOVING:
        msg = (
            f"expected {STILL} or {MOVING} for whether anything moves, got {moving}: the file is "
            f"damaged"
        )
        raise FormatError(msg)
    common = unpacker.values(tables.bank[COMMON_ROW], 2)
    check_vectors(common)
    before = known_before(before, high, wide)
    vectors, used = (
        np.empty((2, high, wide), dtype=np.int32),
        np.empty((high, wide), dtype=np.bool_),
    )
    for stage in stages_of(high, wide):
        rows, columns = stage.points
        expected = expect(stage, vectors, common, before)
        moved, classes, choices = expected.vectors, expected.classes, expected.choices
        modes = pop_of_classes(unpacker, _MODE_TABLES[stage.level], classes)
        if modes.min() < UNPREDICTED or modes.max() >= MERGE + choices.shape[1]:
            msg = "expected a known mode of every block, got others: the file is damaged"
            raise FormatError(msg)
        for place in range(choices.shape[1]):
            moved = np.where(modes == MERGE + place, choices[:, place], moved)
        moves = modes == MVD
        for c in np.unique(classes[moves]):
            here = moves & (classes == c)
            moved[:, here] += unpacker.values(
                tables.bank[VECTOR_ROWS[stage.level][c]], 2 * int(here.sum())
            ).reshape(2, -1)
        check_vectors(moved)
        vectors[:, rows, columns], used[rows, columns] = moved, modes != UNPREDICTED
    return Motion(vectors.astype(np.int16), used)


def check_vectors(vectors: SignedArray) -> None:
    """Raise FormatError for any beyond `MAX_VECTOR`."""
    if np.abs(vectors).max() > MAX_VECTOR:
        msg = (
            f"expected vectors of at most {MAX_VECTOR} quarter pixels, got others: the file is "
            f"damaged"
        )
        raise FormatError(msg)


def most_common(vectors: SignedArray, used: Mask) -> Int32Array:
    """(2,) the vector of most predicted blocks of the first lattice."""
    first = (slice(None, None, COARSEST),) * 2
    if not used[first].any():
        return np.zeros(2, dtype=np.int32)
    found, counts = np.unique(vectors[:, *first][:, used[first]], axis=1, return_counts=True)
    common: Int32Array = found[:, counts.argmax()].astype(np.int32)
    return common
