"""Blocks predicted from the golden frame, the last intra frame, and their vectors ↔ groups of
symbols.

Where blocks come from in the intra frame is followed from frame to frame, along their vectors; a
block that is predicted from there says how far it really is from where that leads.
"""

import numpy as np

from ncodec.arrays import Mask
from ncodec.entropy.ans import Group, Unpacker
from ncodec.entropy.flags import Classes, as_flags, flag_table, pop_of_classes
from ncodec.entropy.tables import Tables
from ncodec.grid import PATCH
from ncodec.video.motion.field import MAX_VECTOR, Golden, Motion
from ncodec.video.motion.lattice import Stage, stages_of
from ncodec.video.motion.vector_coding import check_vectors

SHARES = np.array([25, 115, 165, 320, 445, 290, 455, 595, 740, 915])
"""golden blocks among 1,024, by class: number of golden blocks around, plus 5 if the block was
golden in the frame before"""
FIRST_CLASSES = 2, 7
"""classes of the first lattice's blocks, which have none around: not golden before, golden before
"""
DELTA_ROW = 12
"""table of both differences from where vectors lead"""

_ANY_TABLE = flag_table(512)
_TABLES = tuple(map(flag_table, SHARES.tolist()))


def project(motion: Motion, before: Golden | None) -> Golden:
    """Projected MVs, (2, h, w) in quarter pixels, with no golden block.

    A block's is its vector in `motion` plus the golden vector, in `before`, of the block that it
    leads to in the last frame, clipped to ±140. `before` is None if the last frame is the golden
    frame; then it is the vector alone.
    """
    nowhere = np.zeros_like(motion.used)
    if before is None:
        return Golden(nowhere, motion.vectors)
    vectors = motion.vectors.astype(np.int32)
    # Its middle came from this block of the last frame.
    places = (np.indices(motion.used.shape) * PATCH + PATCH // 2 + (vectors >> 2)) // PATCH
    rows, columns = (
        np.clip(p, 0, size - 1) for p, size in zip(places, motion.used.shape, strict=True)
    )
    projected = np.clip(vectors + before.vectors[:, rows, columns], -MAX_VECTOR, MAX_VECTOR)
    return Golden(nowhere, projected.astype(np.int16))


def classes_of(stage: Stage, chosen: Mask, before: Mask) -> Classes:
    """Class of the golden flag of each of a stage's n blocks, (n,): 0 to 9, an index of `SHARES`.

    It is the number of `chosen` blocks among the four around, plus 5 if the block is in `before`,
    the golden blocks of the frame before; in the first stage 2, or 7 if in `before`. Both masks are
    (h, w).
    """
    was = before[stage.points[0], stage.points[1]]
    if stage.around is None:
        return np.where(was, FIRST_CLASSES[1], FIRST_CLASSES[0])
    classes: Classes = chosen[stage.around[0], stage.around[1]].sum(axis=0, dtype=np.intp) + 5 * was
    return classes


def group_golden(
    golden: Golden, tables: Tables, *, motion: Motion, before: Golden | None
) -> list[Group]:
    """Groups of golden flags, and of golden vectors less the projected MVs; to be coded after the
    motion.

    `motion` must have the vectors that a decoder knows. `before` is of the frame before; if it is
    None, as after an intra frame, there are no groups and no golden blocks.
    """
    if before is None:
        return []
    chosen = golden.chosen
    groups: list[Group] = [(_ANY_TABLE, np.array([chosen.any()], dtype=np.int32))]
    if not chosen.any():
        return groups
    for stage in stages_of(*chosen.shape):
        classes = classes_of(stage, chosen, before.chosen)
        flags = chosen[stage.points[0], stage.points[1]].astype(np.int32)
        groups += [(_TABLES[c], flags[classes == c]) for c in np.unique(classes)]
    mvd = golden.vectors.astype(np.int32) - project(motion, before).vectors
    return [*groups, (tables.bank[DELTA_ROW], mvd[:, chosen].reshape(-1))]


def pop_golden(
    unpacker: Unpacker, tables: Tables, *, motion: Motion, before: Golden | None
) -> Golden:
    """Decode golden blocks from a payload; raises FormatError for damage."""
    projected = project(motion, before)
    if before is None or not as_flags(unpacker.values(_ANY_TABLE, 1)).any():
        return projected
    chosen = projected.chosen.copy()
    for stage in stages_of(*chosen.shape):
        classes = classes_of(stage, chosen, before.chosen)
        chosen[stage.points[0], stage.points[1]] = as_flags(
            pop_of_classes(unpacker, _TABLES, classes)
        )
    vectors = projected.vectors.astype(np.int32)
    vectors[:, chosen] += unpacker.values(tables.bank[DELTA_ROW], 2 * int(chosen.sum())).reshape(
        2, -1
    )
    check_vectors(vectors)
    return Golden(chosen, vectors.astype(np.int16))
