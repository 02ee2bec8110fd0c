"""Skip blocks: cells of a predicted frame that stay as predicted ↔ groups of symbols.

Where no residual is coded, the network mostly guesses, and each frame inherits the guesses of those
before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ncodec.arrays import Int16Array, Mask, Pixels, Samples
from ncodec.entropy.ans import Group, Unpacker
from ncodec.entropy.flags import Classes, as_flags, flag_table, pop_of_classes
from ncodec.grid import CELL, PATCH
from ncodec.video.motion.field import Motion

_TABLES = tuple(map(flag_table, (815, 640, 945)))
"""tables of the skip flags of skippable cells: cells not skippable in the frame before; skippable
but not skipped; skipped"""


@dataclass(frozen=True, eq=False)
class SkipBlocks:
    """Cells of 64 × 64 pixels of a frame, (⌈H/64⌉, ⌈W/64⌉) each."""

    possible: Mask
    """skippable cells: no residual, and all blocks predicted"""
    chosen: Mask
    """skipped cells, which stay as predicted"""


def skippable_cells(residual: Int16Array, motion: Motion, known: Mask) -> Mask:
    """Skippable cells, (⌈h/4⌉, ⌈w/4⌉): r is 0, all blocks are predicted, and the cell is not
    `known`.

    r is (C_y, h, w). A block is predicted from the last or the golden frame; `known`, (⌈h/4⌉,
    ⌈w/4⌉), are the exact and still cells.
    """
    predicted = motion.used if motion.golden is None else motion.used | motion.golden.chosen
    lacking = residual.any(axis=0) | ~predicted  # (h, w)
    for axis, size in enumerate(lacking.shape):
        lacking = np.logical_or.reduceat(lacking, np.arange(0, size, CELL // PATCH), axis=axis)
    return ~(lacking | known)


def choose_skipped(
    pixels: Pixels, predicted: Pixels, samples: Samples, possible: Mask
) -> SkipBlocks:
    """The cells whose squared error the network's `samples` do not make smaller; all are of (H, W,
    3)."""
    chosen = np.zeros_like(possible)
    for cell, place in _places(possible):
        lack = pixels[place].astype(np.float32) - predicted[place]
        left = lack - samples[place]
        chosen[cell] = np.vdot(lack, lack) <= np.vdot(left, left)
    return SkipBlocks(possible, chosen)


def apply_skip(samples: Samples, skip: SkipBlocks) -> None:
    """Zero the correction of the prediction, (H, W, 3), in skipped cells."""
    for _, place in _places(skip.chosen):
        samples[place] = 0


def _places(cells: Mask) -> Iterator[tuple[tuple[int, int], tuple[slice, slice]]]:
    """Chosen cells, and the pixels of each."""
    for row, column in np.argwhere(cells).tolist():
        yield (
            (row, column),
            (slice(CELL * row, CELL * (row + 1)), slice(CELL * column, CELL * (column + 1))),
        )


def _classes_of(possible: Mask, before: SkipBlocks | None) -> Classes:
    """The tables of possible cells, in raster order."""
    if before is None:
        return np.zeros(int(possible.sum()), dtype=np.intp)
    classes: Classes = np.where(before.possible, 1 + before.chosen, 0)[possible]
    return classes


def group_skipped(skip: SkipBlocks, *, before: SkipBlocks | None) -> list[Group]:
    """Groups of the skip flags of skippable cells, one for each of the tables in use.

    `before` are the skip blocks of the frame before, which select the tables; None if it was intra.
    """
    classes = _classes_of(skip.possible, before)
    flags = skip.chosen[skip.possible].astype(np.int32)
    return [(_TABLES[c], flags[classes == c]) for c in np.unique(classes)]


def pop_skipped(unpacker: Unpacker, possible: Mask, *, before: SkipBlocks | None) -> SkipBlocks:
    """Decode the skip flags of skippable cells; raises FormatError for damage."""
    chosen = np.zeros_like(possible)
    chosen[possible] = as_flags(pop_of_classes(unpacker, _TABLES, _classes_of(possible, before)))
    return SkipBlocks(possible, chosen)
