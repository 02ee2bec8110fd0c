"""Block motion between frames, in whole numbers.

Vectors are in quarter pixels, one for each 16×16 block; a block may also take nothing from the last
frame. Everything is integer arithmetic on 8-bit pixels, so a decoder's prediction depends on the
decoded frame alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Mask, Pixels, Vectors
from ncodec.grid import PATCH
from ncodec.video.motion.field import Motion
from ncodec.video.motion.interpolate import PAD, HalfPixelPlanes, average, half_pixels_of

GREY = 128
"""value of pixels without prediction"""


_CHANNELS = 3
_ROW = PATCH * _CHANNELS
"""values of a row of a block"""
_OBMC_BITS = 6
_OBMC = np.arange(15, 0, -2, dtype=np.int16)
"""weight of a neighbour, of 64, from the edge to it inwards"""


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the four neighbours of a block."""

    down: int
    right: int
    half: tuple[slice, slice]
    """rows and values of the block's half beside it"""
    weights: npt.NDArray[np.int16]
    """weight of the neighbour's prediction, broadcastable to (8, 48) or (16, 24)"""


_ALL, _FIRST, _SECOND = slice(None), slice(PATCH // 2), slice(PATCH // 2, None)
_LEFT, _RIGHT = slice(_ROW // 2), slice(_ROW // 2, None)
_ACROSS = np.repeat(_OBMC, _CHANNELS)
_SIDES = (
    _Side(-1, 0, (_FIRST, _ALL), _OBMC[:, None]),
    _Side(1, 0, (_SECOND, _ALL), _OBMC[::-1, None]),
    _Side(0, -1, (_ALL, _LEFT), _ACROSS),
    _Side(0, 1, (_ALL, _RIGHT), _ACROSS[::-1]),
)


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where blocks are from."""

    numbers: npt.NDArray[np.int8]
    """(h, w) 0 for the last frame, 1 for the last intra frame, −1 for neither"""
    vectors: Vectors
    """(2, h, w)"""


def compensate(
    reference: Pixels, motion: Motion, *, intra: "HalfPixelPlanes | None" = None
) -> Pixels:
    """Predict a frame from the last one, `reference`, both (H, W, 3) uint8 with H and W multiples
    of 16.

    Each block of `motion` comes from the last or the golden frame; blocks that are not predicted
    are grey, 128. Beside a neighbour with another vector or reference frame, both predictions are
    mixed: OBMC, ITU-T H.263, annex F. `intra` is the golden frame; None if the last frame is the
    golden one. Vectors must be within ±140 quarter pixels, unchecked.
    """
    last = HalfPixelPlanes(reference)
    planes = last, intra or last
    sources = _sources(motion)
    blocks = np.full((*motion.used.shape, PATCH, _ROW), GREY, dtype=np.uint8)  # (h, w, 16, 48)
    predicted = sources.numbers >= 0
    blocks[predicted] = _fetch(planes, predicted, sources)
    beside = [_neighbours(sources, side) for side in _SIDES]
    obmc = np.logical_or.reduce([differs for _, differs in beside])
    own = blocks[obmc].astype(np.int16)  # (n, 16, 48)
    total = own << _OBMC_BITS
    for side, (neighbours, differs) in zip(_SIDES, beside, strict=True):
        part = (differs[obmc], *side.half)
        total[part] += (_fetch(planes, differs, neighbours, side.half) - own[part]) * side.weights
    blocks[obmc] = (total + (1 << _OBMC_BITS >> 1)) >> _OBMC_BITS
    whole: Pixels = blocks.transpose(0, 2, 1, 3).reshape(reference.shape)  # copies, so contiguous
    return whole


def _sources(motion: Motion) -> _Sources:
    numbers = np.where(motion.used, 0, -1).astype(np.int8)
    if motion.golden is None:
        return _Sources(numbers, motion.vectors)
    chosen = motion.golden.chosen
    return _Sources(
        np.where(chosen, 1, numbers), np.where(chosen, motion.golden.vectors, motion.vectors)
    )


def _neighbours(own: _Sources, side: _Side) -> tuple[_Sources, Mask]:
    """Sources of the neighbours on one side, and where both are predicted from different places."""
    here, there = (
        tuple(
            slice(max(0, step), size + min(0, step))
            for step, size in zip(steps, own.numbers.shape, strict=True)
        )
        for steps in ((-side.down, -side.right), (side.down, side.right))
    )
    numbers, vectors = np.full_like(own.numbers, -1), own.vectors.copy()
    numbers[here], vectors[:, *here] = own.numbers[there], own.vectors[:, *there]
    differs = (numbers != own.numbers) | (vectors != own.vectors).any(axis=0)
    return _Sources(numbers, vectors), differs & (numbers >= 0) & (own.numbers >= 0)


def _fetch(
    planes: tuple["HalfPixelPlanes", "HalfPixelPlanes"],
    chosen: Mask,
    sources: _Sources,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> Pixels:
    """A part of the reference block of each chosen block of (h, w): (n, ≤ 16, ≤ 48) uint8."""
    rows, columns = chosen.nonzero()
    down, right = sources.vectors[:, rows, columns].astype(np.intp)
    tops, lefts = PATCH * rows + PAD + (down >> 2), PATCH * columns + PAD + (right >> 2)
    modes = (sources.numbers[rows, columns] << 4) + (down & 3) * 4 + (right & 3)
    blocks = np.empty((len(rows), PATCH, _ROW), dtype=np.uint8)[:, *part]
    for kind in np.unique(modes).tolist():
        alike, source = modes == kind, planes[kind >> 4]
        found = [
            source.windows((row, column))[:, :, *part][
                tops[alike] + (row >> 1), _CHANNELS * (lefts[alike] + (column >> 1))
            ]
            for row, column in half_pixels_of(*divmod(kind & 15, 4))
        ]
        blocks[alike] = found[0] if len(found) == 1 else average(*found)
    return blocks
