"""Block motion between frames, in whole numbers.

Vectors are in quarter pixels, one for each 16×16 block; a block may also take nothing from the last frame. Everything
is integer arithmetic on 8-bit pixels, so a decoder's prediction depends on the decoded frame alone.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Mask, Pixels, Vectors
from ncodec.grid import PATCH

MAX_VECTOR = 140
"""largest component, in quarter pixels"""
GREY = 128
"""what a block without prediction is predicted as"""

PAD = MAX_VECTOR // 4 + 1
"""pixels that planes are continued by at each edge"""
_TAPS = (1, -5, 20, 20, -5, 1)
"""half-pixel interpolation of ITU-T H.264, 8.4.2.2.1, but that the middle of four pixels is made of rounded values"""
_TAPS_BEFORE, _TAPS_AFTER = 2, 3
"""values that the taps reach for on either side"""

_CHANNELS = 3
_ROW = PATCH * _CHANNELS
"""values of a row of a block"""
_MIX_BITS = 6
_MIX = np.arange(15, 0, -2, dtype=np.int16)
"""weight of a neighbour, of 64, from the edge to it inwards"""


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the four neighbours of a block."""

    down: int
    right: int
    half: tuple[slice, slice]
    """rows and values of the block's half beside it"""
    weights: npt.NDArray[np.int16]
    """of the neighbour there, broadcastable to (8, 48) or (16, 24)"""


_ALL, _FIRST, _SECOND = slice(None), slice(PATCH // 2), slice(PATCH // 2, None)
_LEFT, _RIGHT = slice(_ROW // 2), slice(_ROW // 2, None)
_ACROSS = np.repeat(_MIX, _CHANNELS)
_SIDES = (
    _Side(-1, 0, (_FIRST, _ALL), _MIX[:, None]),
    _Side(1, 0, (_SECOND, _ALL), _MIX[::-1, None]),
    _Side(0, -1, (_ALL, _LEFT), _ACROSS),
    _Side(0, 1, (_ALL, _RIGHT), _ACROSS[::-1]),
)


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each block of a frame comes from."""

    vectors: Vectors
    """(2, h, w) rows and columns in quarter pixels, from a block to its place in the last frame"""
    used: Mask
    """(h, w) whether the block is predicted at all"""
    golden: "Golden | None" = None


@dataclass(frozen=True, eq=False)
class Golden:
    """Blocks that are predicted from the last intra frame instead: the golden frame of IETF RFC 6386."""

    chosen: Mask
    """(h, w)"""
    vectors: Vectors
    """(2, h, w) in quarter pixels, from each block to its place in the intra frame, as far as that is known"""


def without_motion(motion: Motion, blocks: Mask) -> Motion:
    """The same, but for blocks, (h, w), that are predicted from their own place in the last frame."""
    golden = motion.golden
    if golden is not None:
        golden = replace(golden, chosen=golden.chosen & ~blocks)
    return Motion(np.where(blocks, 0, motion.vectors).astype(np.int16), motion.used | blocks, golden)


@dataclass(frozen=True, eq=False)
class _Sources:
    """Where blocks are from."""

    numbers: npt.NDArray[np.int8]
    """(h, w) 0 for the last frame, 1 for the last intra frame, −1 for neither"""
    vectors: Vectors
    """(2, h, w)"""


def compensate(reference: Pixels, motion: Motion, *, intra: "HalfPixelPlanes | None" = None) -> Pixels:
    """The prediction of a frame from the last one, both (H, W, 3) uint8 with H and W multiples of 16.

    Beside a neighbour that moves otherwise, a block is mixed with what that one's vector would make of it: overlapped
    block motion compensation, as in ITU-T H.263, annex F. `intra` is the last intra frame, where the last one is not.
    """
    last = HalfPixelPlanes(reference)
    planes = last, intra or last
    sources = _sources(motion)
    blocks = np.full((*motion.used.shape, PATCH, _ROW), GREY, dtype=np.uint8)  # (h, w, 16, 48)
    predicted = sources.numbers >= 0
    blocks[predicted] = _fetch(planes, predicted, sources)
    beside = [_neighbours(sources, side) for side in _SIDES]
    mixed = np.logical_or.reduce([differs for _, differs in beside])
    own = blocks[mixed].astype(np.int16)  # (n, 16, 48)
    total = own << _MIX_BITS
    for side, (neighbours, differs) in zip(_SIDES, beside, strict=True):
        part = (differs[mixed], *side.half)
        total[part] += (_fetch(planes, differs, neighbours, side.half) - own[part]) * side.weights
    blocks[mixed] = (total + (1 << _MIX_BITS >> 1)) >> _MIX_BITS
    whole: Pixels = blocks.transpose(0, 2, 1, 3).reshape(reference.shape)  # copies, so contiguous
    return whole


def _sources(motion: Motion) -> _Sources:
    numbers = np.where(motion.used, 0, -1).astype(np.int8)
    if motion.golden is None:
        return _Sources(numbers, motion.vectors)
    chosen = motion.golden.chosen
    return _Sources(np.where(chosen, 1, numbers), np.where(chosen, motion.golden.vectors, motion.vectors))


def _neighbours(own: _Sources, side: _Side) -> tuple[_Sources, Mask]:
    """What the neighbours of blocks on one side are from, and where both are predicted, but otherwise."""
    here, there = (
        tuple(slice(max(0, step), size + min(0, step)) for step, size in zip(steps, own.numbers.shape, strict=True))
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
    """A part of what each chosen block, of (h, w), is from: (n, ≤ 16, ≤ 48) uint8."""
    rows, columns = chosen.nonzero()
    down, right = sources.vectors[:, rows, columns].astype(np.intp)
    tops, lefts = PATCH * rows + PAD + (down >> 2), PATCH * columns + PAD + (right >> 2)
    kinds = (sources.numbers[rows, columns] << 4) + (down & 3) * 4 + (right & 3)
    blocks = np.empty((len(rows), PATCH, _ROW), dtype=np.uint8)[:, *part]
    for kind in np.unique(kinds).tolist():
        alike, source = kinds == kind, planes[kind >> 4]
        found = [
            source.windows((row, column))[:, :, *part][
                tops[alike] + (row >> 1), _CHANNELS * (lefts[alike] + (column >> 1))
            ]
            for row, column in half_pixels_of(*divmod(kind & 15, 4))
        ]
        blocks[alike] = found[0] if len(found) == 1 else average(*found)
    return blocks


def half_pixels_of(row: int, column: int) -> list[tuple[int, int]]:
    """The places, in half pixels, whose mean is the value at a place in quarter pixels (ITU-T H.264, 8.4.2.2.1)."""
    rows, columns = sorted({row >> 1, (row + 1) >> 1}), sorted({column >> 1, (column + 1) >> 1})
    if len(rows) == len(columns) == 2:
        # Of the four around, the two that lie between pixels in one direction alone.
        return [(r, c) for r in rows for c in columns if (r + c) % 2]
    return [(r, c) for r in rows for c in columns]


def average(first: Pixels, second: Pixels) -> Pixels:
    """The mean of 8-bit values, rounded up."""
    # (a | b) - ((a ^ b) >> 1), which needs no ninth bit.
    mean: Pixels = (first | second) - ((first ^ second) >> 1)
    return mean


class HalfPixelPlanes:
    """Whole and half rows, whole and half columns of (H, W, …) 8-bit values, edges repeated: made when asked for.

    Each is (H + 2·pad, W + 2·pad, …) uint8.
    """

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        border = [(PAD + _TAPS_BEFORE, PAD + _TAPS_AFTER)] * 2 + [(0, 0)] * (values.ndim - 2)
        self._padded = np.pad(values, border, mode="edge")
        self._made: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}

    @cached_property
    def _across(self) -> npt.NDArray[np.uint8]:
        """Half columns of every row of the border too, which half rows reach for."""
        return _between(self._padded, axis=1)

    def __getitem__(self, phase: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The plane of half rows (1, ·) or half columns (·, 1)."""
        if phase not in self._made:
            self._made[phase] = self._make(*phase)
        return self._made[phase]

    def windows(self, place: tuple[int, int]) -> Pixels:
        """Every block's worth of values of the plane of a place, (H', W', 16, 16·channels)."""
        plane = self[place[0] & 1, place[1] & 1]
        flat = plane.reshape(plane.shape[0], -1)
        return np.lib.stride_tricks.sliding_window_view(flat, (PATCH, PATCH * plane.shape[2]))

    def _make(self, half_row: int, half_column: int) -> npt.NDArray[np.uint8]:
        inner = slice(_TAPS_BEFORE, -_TAPS_AFTER)
        between = self._across if half_column else self._padded[:, inner]
        return _between(between, axis=0) if half_row else np.ascontiguousarray(between[inner])


def _between(padded: npt.NDArray[np.uint8], *, axis: int) -> npt.NDArray[np.uint8]:
    """Values half a step after each one along an axis, which loses the taps' reach at either end."""
    length = padded.shape[axis] - _TAPS_BEFORE - _TAPS_AFTER
    wide = padded.astype(np.int16)  # which holds every sum: 255·42 and −255·10
    first, second, third, fourth, fifth, sixth = (
        wide[(slice(None),) * axis + (slice(i, i + length),)] for i in range(len(_TAPS))
    )
    # In place, because new arrays of a frame's size cost more than the sums.
    total = third + fourth
    total <<= 2
    total -= second
    total -= fifth
    total *= 5
    total += first
    total += sixth
    total += 16
    total >>= 5
    np.clip(total, 0, 255, out=total)
    between: npt.NDArray[np.uint8] = total.astype(np.uint8)
    return between
