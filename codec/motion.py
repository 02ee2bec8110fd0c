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


@dataclass(frozen=True, eq=False)
class Motion:
    """Where each block of a frame comes from."""

    vectors: Vectors
    """(2, h, w) rows and columns in half pixels, from a block to its place in the last frame"""
    used: Mask
    """(h, w) whether the block is predicted at all"""


def compensate(reference: Pixels, motion: Motion) -> Pixels:
    """The prediction of a frame from the last one, both (H, W, 3) uint8 with H and W multiples of 16."""
    height, width, _ = reference.shape
    planes = _half_pixel_planes(np.moveaxis(reference, 2, 0).astype(np.int16))  # (2, 2, 3, H + 2·pad, W + 2·pad)
    windows = np.lib.stride_tricks.sliding_window_view(planes, (PATCH, PATCH), axis=(3, 4))
    rows, columns = _block_grid(height, width)
    down, right = motion.vectors.astype(np.intp)
    blocks = windows[
        down & 1, right & 1, :, rows + _PAD + (down >> 1), columns + _PAD + (right >> 1)
    ]  # (h, w, 3, 16, 16)
    values = np.where(motion.used[:, :, None, None, None], blocks, GREY).astype(np.uint8)
    predicted: Pixels = values.transpose(0, 3, 1, 4, 2).reshape(height, width, 3)  # copies, so contiguous
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
    vectors, costs = _refine(current, _half_pixel_planes(last), vectors, smoothness, halves=True)
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


def _half_pixel_planes(values: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """(…, H, W) → (2, 2, …, H + 2·pad, W + 2·pad): whole and half rows, whole and half columns, edges repeated."""
    border = [(0, 0)] * (values.ndim - 2) + [(_PAD + 3, _PAD + 3)] * 2
    padded = np.pad(values, border, mode="edge").astype(np.int32)
    inner = slice(3, -3)
    whole, between = padded[..., inner, inner], _between(padded, axis=-1)[..., inner, :]
    under, middle = _between(padded, axis=-2)[..., inner], _between(_between(padded, axis=-1), axis=-2)
    return np.stack([np.stack([whole, between]), np.stack([under, middle])]).astype(np.int16)


def _between(padded: npt.NDArray[np.int32], *, axis: int) -> npt.NDArray[np.int32]:
    """Values half a step after each one along an axis; three are lost at either end."""
    length = padded.shape[axis] - 6
    parts = (np.take(padded, range(1 + i, 1 + i + length), axis) * tap for i, tap in enumerate(_TAPS))
    return np.clip((sum(parts) + 16) >> 5, 0, 255)


def _block_grid(height: int, width: int) -> tuple[Indices, Indices]:
    """Top and left of each block, (h, 1) and (1, w)."""
    return np.arange(0, height, PATCH)[:, None], np.arange(0, width, PATCH)[None, :]


def _search(current: Plane, last: Plane) -> Vectors:
    """Full search on the coarse planes; vectors in pixels of those planes, near ones preferred."""
    side = PATCH // _COARSE
    high, wide = current.shape[0] // side, current.shape[1] // side
    padded = np.pad(last, _COARSE_REACH, mode="edge")
    best = np.full((high, wide), np.iinfo(np.int32).max, dtype=np.int32)
    vectors = np.zeros((2, high, wide), dtype=np.int16)
    reach = range(-_COARSE_REACH, _COARSE_REACH + 1)
    for down, right in sorted(((d, r) for d in reach for r in reach), key=lambda v: v[0] ** 2 + v[1] ** 2):
        top, left = _COARSE_REACH + down, _COARSE_REACH + right
        moved = padded[top : top + current.shape[0], left : left + current.shape[1]]
        costs = np.abs(current - moved).reshape(high, side, wide, side).sum(axis=(1, 3), dtype=np.int32)
        better = costs + (abs(down) + abs(right)) < best
        best[better] = costs[better] + (abs(down) + abs(right))
        vectors[:, better] = np.array([[down], [right]], dtype=np.int16)
    return vectors


def _refine(
    current: Plane, planes: npt.NDArray[np.int16], vectors: Vectors, smoothness: int, *, halves: bool = False
) -> tuple[Vectors, Costs]:
    """Vectors of a coarser plane → doubled and moved to the best nearby, and their costs.

    `planes` are (1, 1, H, W) of the last frame, or its padded half-pixel planes, where vectors become half pixels.
    """
    if not halves:
        planes = np.pad(planes, ((0, 0), (0, 0), (_PAD, _PAD), (_PAD, _PAD)), mode="edge")
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
