"""Block motion between frames, in whole numbers: search for the encoder, compensation for both sides.

Vectors are in half pixels, one for each 16×16 block; a block may also take nothing from the last frame. Everything is
integer arithmetic on 8-bit pixels, so a decoder's prediction depends on the decoded frame alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.bitstream import PATCH
from ncodec.picture import Pixels

Vectors = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.int16]
Costs = npt.NDArray[np.int32]
Indices = npt.NDArray[np.intp]

MAX_VECTOR = 70
"""largest component, in half pixels"""
GREY = 128
"""what a block without prediction is predicted as"""

_COARSE = 4
"""how much smaller the plane of the first, full search is"""
_COARSE_REACH = 8
_PAD = MAX_VECTOR // 2 + 1
_TAPS = (1, -5, 20, 20, -5, 1)
"""half-pixel interpolation of ITU-T H.264, 8.4.2.2.1"""
_TAPS_BEFORE, _TAPS_AFTER = 2, 3
"""values that the taps reach for on either side"""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each block of a frame comes from."""

    vectors: Vectors
    """(2, h, w) rows and columns in half pixels, from a block to its place in the last frame"""
    used: Mask
    """(h, w) whether the block is predicted at all"""


def compensate(reference: Pixels, motion: Motion) -> Pixels:
    """The prediction of a frame from the last one, both (H, W, 3) uint8 with H and W multiples of 16."""
    height, width, channels = reference.shape
    down, right = motion.vectors.astype(np.intp)
    rows, columns = _block_grid(height, width)
    tops, lefts = rows + _PAD + (down >> 1), channels * (columns + _PAD + (right >> 1))
    planes = _HalfPixelPlanes(reference)
    blocks = np.full((*down.shape, PATCH, PATCH * channels), GREY, dtype=np.uint8)  # (h, w, 16, 48)
    for phase in ((0, 0), (0, 1), (1, 0), (1, 1)):
        chosen = motion.used & ((down & 1) == phase[0]) & ((right & 1) == phase[1])
        if not chosen.any():
            continue
        plane = planes[phase]
        window = (PATCH, PATCH * channels)
        flat = plane.reshape(plane.shape[0], -1)
        windows = np.lib.stride_tricks.sliding_window_view(flat, window)
        blocks[chosen] = windows[tops[chosen], lefts[chosen]]
    predicted: Pixels = blocks.transpose(0, 2, 1, 3).reshape(height, width, channels)  # copies, so contiguous
    return predicted


def estimate(frame: Pixels, reference: Pixels, *, smoothness: int = 12) -> Motion:
    """The motion of a frame against the last one, both (H, W, 3) uint8 with H and W multiples of 16.

    A full search of ±32 pixels at a quarter of the size is refined at a half, at full size and between pixels.
    `smoothness` is what half a pixel of difference from the surrounding vectors costs, in summed absolute differences.
    """
    current, last = _luma(frame), _luma(reference)
    vectors = _search(_smaller(current, _COARSE), _smaller(last, _COARSE))
    for factor in (2, 1):
        vectors, _ = _refine(
            _smaller(current, factor), _smaller(last, factor)[None, None], vectors, smoothness // factor
        )
    halves = _HalfPixelPlanes(last.astype(np.uint8))
    planes = np.stack([np.stack([halves[row, column] for column in (0, 1)]) for row in (0, 1)])
    vectors, costs = _refine(current, planes, vectors, smoothness, halves=True)
    return Motion(vectors, costs < _activity(current))


def _luma(pixels: Pixels) -> Plane:
    wide = pixels.astype(np.int16)
    plane: Plane = (wide[:, :, 0] + 2 * wide[:, :, 1] + wide[:, :, 2]) >> 2
    return plane


def _smaller(plane: Plane, factor: int) -> Plane:
    """Mean over factor × factor pixels."""
    if factor == 1:
        return plane
    high, wide = plane.shape[0] // factor, plane.shape[1] // factor
    total = plane.reshape(high, factor, wide, factor).sum(axis=(1, 3), dtype=np.int32)
    mean: Plane = (total // factor**2).astype(np.int16)
    return mean


class _HalfPixelPlanes:
    """Whole and half rows, whole and half columns of (H, W, …) 8-bit values, edges repeated: made when asked for.

    Each is (H + 2·pad, W + 2·pad, …) uint8.
    """

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        border = [(_PAD + _TAPS_BEFORE, _PAD + _TAPS_AFTER)] * 2 + [(0, 0)] * (values.ndim - 2)
        self._padded = np.pad(values, border, mode="edge")
        self._made: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}

    def __getitem__(self, phase: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """The plane of half rows (1, ·) or half columns (·, 1)."""
        if phase not in self._made:
            self._made[phase] = self._make(*phase)
        return self._made[phase]

    def _make(self, half_row: int, half_column: int) -> npt.NDArray[np.uint8]:
        inner = slice(_TAPS_BEFORE, -_TAPS_AFTER)
        between = _between(self._padded, axis=1) if half_column else self._padded[:, inner]
        return _between(between, axis=0) if half_row else np.ascontiguousarray(between[inner])


def _between(padded: npt.NDArray[np.uint8], *, axis: int) -> npt.NDArray[np.uint8]:
    """Values half a step after each one along an axis, which loses the taps' reach at either end."""
    length = padded.shape[axis] - _TAPS_BEFORE - _TAPS_AFTER
    wide = padded.astype(np.int16)  # which holds every sum: 255·42 and −255·10
    first, second, third, fourth, fifth, sixth = (
        wide[(slice(None),) * axis + (slice(i, i + length),)] for i in range(len(_TAPS))
    )
    total = 20 * (third + fourth) - 5 * (second + fifth) + (first + sixth)
    between: npt.NDArray[np.uint8] = np.clip((total + 16) >> 5, 0, 255).astype(np.uint8)
    return between


def _block_grid(height: int, width: int) -> tuple[Indices, Indices]:
    """Top and left of each block, (h, 1) and (1, w)."""
    return np.arange(0, height, PATCH)[:, None], np.arange(0, width, PATCH)[None, :]


def _search(current: Plane, last: Plane) -> Vectors:
    """Full search on the coarse planes; vectors in pixels of those planes, near ones preferred."""
    side, span = PATCH // _COARSE, 2 * _COARSE_REACH + 1
    high, wide = current.shape[0] // side, current.shape[1] // side
    padded = np.pad(last, _COARSE_REACH, mode="edge")
    costs = np.empty((span, span, high, wide), dtype=np.int32)
    for down in range(span):
        moved = np.lib.stride_tricks.sliding_window_view(padded[down : down + len(current)], current.shape[1], axis=1)
        difference = np.abs(moved - current[:, None])  # (rows, span, columns); sums of 16 of them fit int16
        columns = difference.reshape(high, side, span, -1).sum(axis=1, dtype=np.int16)
        costs[down] = columns.reshape(high, span, wide, side).sum(axis=3, dtype=np.int16).transpose(1, 0, 2)
    reach = np.arange(-_COARSE_REACH, _COARSE_REACH + 1)
    downs, rights = (grid.reshape(-1) for grid in np.meshgrid(reach, reach, indexing="ij"))
    costs += (np.abs(downs) + np.abs(rights)).astype(np.int32).reshape(span, span, 1, 1)
    nearest = np.argsort(downs**2 + rights**2, kind="stable")
    best = costs.reshape(span * span, high, wide)[nearest].argmin(axis=0)
    return np.stack([downs[nearest][best], rights[nearest][best]]).astype(np.int16)


def _refine(
    current: Plane, planes: Plane | Pixels, vectors: Vectors, smoothness: int, *, halves: bool = False
) -> tuple[Vectors, Costs]:
    """Vectors of a coarser plane → doubled and moved to the best nearby, and their costs.

    `planes` are (1, 1, H, W) of the last frame, or its padded half-pixel planes, where vectors become half pixels.
    """
    if not halves:
        border = [(0, 0), (0, 0), (_PAD, _PAD), (_PAD, _PAD)]
        planes = np.pad(planes, border, mode="edge").astype(np.int16)
    high, wide = vectors.shape[1:]
    side = current.shape[0] // high
    blocks = current.reshape(high, side, wide, side).transpose(0, 2, 1, 3)  # (h, w, side, side)
    windows = np.lib.stride_tricks.sliding_window_view(planes, (side, side), axis=(2, 3))
    rows, columns = np.arange(high)[:, None] * side + _PAD, np.arange(wide)[None, :] * side + _PAD
    limit = MAX_VECTOR if halves else _PAD - 1
    start = (2 * vectors).astype(np.int16)
    around = _median(start)
    best, chosen = np.full((high, wide), np.iinfo(np.int32).max, dtype=np.int32), start
    for candidate in _candidates(start, around):
        down, right = np.clip(candidate, -limit, limit).astype(np.intp)
        phase = (down & 1, right & 1) if halves else (0, 0)
        whole = (down >> 1, right >> 1) if halves else (down, right)
        found = windows[phase[0], phase[1], rows + whole[0], columns + whole[1]]
        difference = np.abs(found - blocks).sum(axis=(2, 3), dtype=np.int32)
        apart = np.abs(down - around[0]) + np.abs(right - around[1])
        costs = difference + (smoothness * apart).astype(np.int32)
        better = costs < best
        best = np.where(better, costs, best)
        chosen = np.where(better, np.stack([down, right]), chosen).astype(np.int16)
    return chosen, best


def _candidates(start: Vectors, around: Vectors) -> Iterator[Vectors]:
    """No motion, what surrounds a block, and its own vector with the eight next to it."""
    yield np.zeros_like(start)
    yield around
    for down in (0, -1, 1):
        for right in (0, -1, 1):
            yield start + np.array([down, right], dtype=np.int16)[:, None, None]


def _median(vectors: Vectors) -> Vectors:
    """The median of each vector and its eight neighbours, component by component."""
    padded = np.pad(vectors, ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    middle: Vectors = np.median(windows, axis=(3, 4)).astype(np.int16)
    return middle


def _activity(current: Plane) -> Costs:
    """Summed absolute difference of each block from its own mean: what a block costs without prediction."""
    high, wide = current.shape[0] // PATCH, current.shape[1] // PATCH
    blocks = current.reshape(high, PATCH, wide, PATCH).astype(np.int32)
    mean = blocks.sum(axis=(1, 3), keepdims=True) // PATCH**2
    difference = np.abs(blocks - mean).sum(axis=(1, 3))
    # A flat block's mean is not free either, and a little motion is cheaper than a new texture.
    costs: Costs = difference + 2 * PATCH**2
    return costs
