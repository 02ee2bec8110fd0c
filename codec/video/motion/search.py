"""The search for motion, of an encoder alone: any vectors make a valid stream, these make a small
one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Mask, Pixels, SignedArray, Vectors
from ncodec.grid import PATCH
from ncodec.quality import QP_COUNT
from ncodec.video.motion.field import MAX_VECTOR, Motion
from ncodec.video.motion.interpolate import PAD
from ncodec.video.motion.lattice import FINEST, stages_of
from ncodec.video.motion.matching import (
    Costs,
    Matcher,
    Place,
    Plane,
    activity,
    luma,
    quarter_pixel_planes,
    variation,
)
from ncodec.video.motion.vector_coding import (
    MODE_BITS,
    MVD,
    UNPREDICTED,
    Expected,
    expect,
    expect_from,
    known_before,
    most_common,
)

Bits = npt.NDArray[np.float64]

_COARSE = 4
"""downscaling of the planes of the full search"""
_COARSE_REACH = 8
SMOOTHNESS = 40
"""cost of one step of a vector away from its neighbours, in summed absolute differences"""
OWN_VECTOR_BITS = np.array(
    [
        [2.6, 2.1, 2.6, 2.7, 3.4, 4.1, 5.0],
        [4.5, 2.8, 2.8, 2.8, 3.5, 4.1, 4.8],
        [5.0, 3.8, 3.5, 3.4, 3.7, 4.8, 5.4],
    ]
)
"""about what a vector of its own costs beside its size, by the level and class of a block"""
SWEEPS = 3
ERROR_LASTS = 3.3
"""frames, about, in which an error of a prediction stays"""
LAMBDA_MIN, LAMBDA_MAX = 0.0004, 0.5
"""λ of λ·255²·MSE + bpp at the lowest and the highest QP"""


class MotionSearch:
    """The motion of a frame against the last one, both (H, W, 3) uint8 with H and W multiples of
    16.

    A full search of ±32 pixels at a quarter of the size is refined at a half, at full size and
    between pixels; what is found is then weighed against the bits that it takes.
    """

    def __init__(self, frame: Pixels, reference: Pixels) -> None:
        current, last = luma(frame), luma(reference)
        with ThreadPoolExecutor(1) as worker:
            quarters = worker.submit(
                quarter_pixel_planes, last.astype(np.uint8)
            )  # sixteen times the frame's luma
            vectors = _search(_smaller(current, _COARSE), _smaller(last, _COARSE))
            for factor in (2, 1):
                plane = np.pad(_smaller(last, factor), PAD, mode="edge")
                vectors = _refine(
                    _smaller(current, factor), plane[None, None], vectors, SMOOTHNESS // factor
                )
            planes = quarters.result()
        vectors = _refine(current, planes[::2, ::2], vectors, SMOOTHNESS)
        self._vectors = _refine(current, planes, vectors, SMOOTHNESS)
        self.current = current
        """luma of the frame"""
        self._matcher = Matcher(current, planes)
        self._activity = activity(current)
        self.predictable = float(self._is_found(self._vectors).mean())
        """share of the blocks that find something in the last frame"""

    def motion(self, *, qp: int, before: Vectors | None = None) -> Motion:
        """Motion of low λ·D + R at a QP of 0 to 63, without golden blocks.

        A block chooses among its own vector, the predicted MV, merge candidates and zero; it is
        predicted if it then differs less than its `activity`. Blocks that are not have the
        predicted MV. `before` are the vectors, (2, h, w), of the frame before, None if it was
        intra.
        """
        price = bit_price(qp)
        before = known_before(before, *self._vectors.shape[1:])
        vectors = self._agree(self._vectors, before, price)
        used = np.zeros(vectors.shape[1:], dtype=np.bool_)
        stages = stages_of(*used.shape)
        first = stages[0].points[0], stages[0].points[1]
        used[first] = self._is_found(vectors[:, first[0], first[1]], first)
        common = most_common(vectors, used)
        for stage in stages:
            rows, columns = here = stage.points[0], stage.points[1]
            expected = expect(stage, vectors, common, before)
            best = self._choose(here, vectors[:, rows, columns], _Prices(expected, price))
            used[here] = self._is_found(best, here)
            # Those after see of a block that is not predicted what a decoder will.
            vectors[:, rows, columns] = np.where(used[here], best, expected.vectors)
        return Motion(vectors, used)

    def errors(self, motion: Motion) -> Costs:
        """Summed squared differences of blocks from where motion says, or from their own means, (h,
        w)."""
        return np.where(motion.used, self._matcher.squares(motion.vectors), variation(self.current))

    def _agree(self, first: Vectors, before: Vectors, price: float) -> Vectors:
        """Vectors that are near those beside them where that is worth it."""
        vectors = first.copy()
        colours = np.add.outer(*map(np.arange, vectors.shape[1:])) & 1
        stale = np.ones(
            colours.shape, dtype=np.bool_
        )  # something around them changed since they were looked at
        for colour in (0, 1) * SWEEPS:
            here = stale & (colours == colour)
            if not here.any():
                continue
            expected = expect_from(_beside(vectors)[:, :, here], before[:, here], level=FINEST)
            best = self._choose(here, vectors[:, here], _Prices(expected, price))
            changed = np.zeros_like(stale)
            changed[here] = (best != vectors[:, here]).any(axis=0)
            vectors[:, here] = best
            stale = (stale & (colours != colour)) | _next_to(changed)
        return vectors

    def _choose(self, here: Place, own: Vectors, prices: "_Prices") -> Vectors:
        """Cheapest vectors of blocks, (2, n): their own, the predicted MV, a merge candidate or
        zero."""
        expected = prices.expected
        best, total = own, self._matcher.squares(own, here) + prices.of(own)
        for candidate in (
            expected.vectors,
            *expected.choices.transpose(1, 0, 2),
            np.zeros_like(own),
        ):
            priced = self._matcher.squares(candidate, here) + prices.of(candidate)
            better = priced < total
            best, total = np.where(better, candidate, best), np.where(better, priced, total)
        return best.astype(np.int16)

    def _is_found(self, vectors: Vectors, here: Place = ...) -> Mask:
        """Whether blocks `here` match the reference at their vectors, (2, …), better than their own
        means."""
        found: Mask = self._matcher.costs(vectors, here) < self._activity[here]
        return found


def bit_price(qp: int) -> float:
    """Summed squared difference of luma that is worth one bit at a QP of 0 to 63: 1/(3.3·λ).

    3.3 is the number of frames, about, in which an error stays; λ goes geometrically from 0.0004 to
    0.5.
    """
    return float(
        1 / (ERROR_LASTS * LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (qp / (QP_COUNT - 1)))
    )


@dataclass(frozen=True, eq=False)
class _Prices:
    """Price of vectors, in summed squared differences, given the predicted MVs."""

    expected: Expected
    bit: float

    def of(self, vectors: SignedArray) -> Bits:
        """(2, n) → (n,)."""
        expected = self.expected
        modes = expected.modes(vectors, np.ones(len(expected.classes), dtype=np.bool_))
        mvd = np.abs(vectors - expected.vectors).sum(axis=0)
        own = np.where(
            modes == MVD,
            OWN_VECTOR_BITS[expected.level, expected.classes] + 2 * np.log2(1 + mvd),
            0.0,
        )
        bits: Bits = MODE_BITS[expected.level, expected.classes, modes - UNPREDICTED] + own
        return self.bit * bits


def _beside(vectors: Vectors) -> Vectors:
    """The vectors above, below, left and right of each, (2, 4, h, w).

    At an edge the one on the other side; where there is none either, the two along the other axis.
    """
    _, high, wide = vectors.shape
    down = np.pad(vectors, ((0, 0), (1, 1), (0, 0)), mode="reflect" if high > 1 else "edge")
    across = np.pad(vectors, ((0, 0), (0, 0), (1, 1)), mode="reflect" if wide > 1 else "edge")
    rows, columns = [down[:, :-2], down[:, 2:]], [across[:, :, :-2], across[:, :, 2:]]
    return np.stack([*(rows if high > 1 else columns), *(columns if wide > 1 else rows)], axis=1)


def _next_to(blocks: Mask) -> Mask:
    """(h, w) whether one of the four beside each is among the blocks."""
    near = np.zeros_like(blocks)
    near[1:] |= blocks[:-1]
    near[:-1] |= blocks[1:]
    near[:, 1:] |= blocks[:, :-1]
    near[:, :-1] |= blocks[:, 1:]
    return near


def _smaller(plane: Plane, factor: int) -> Plane:
    """Mean over factor × factor pixels."""
    if factor == 1:
        return plane
    high, wide = plane.shape[0] // factor, plane.shape[1] // factor
    total: Plane = np.einsum(
        "hrwc->hw", plane.reshape(high, factor, wide, factor)
    )  # of 16 at most, which fit int16
    return total // factor**2


def _search(current: Plane, last: Plane) -> Vectors:
    """Full search on the downscaled planes → vectors in their pixels, short ones preferred."""
    side, span = PATCH // _COARSE, 2 * _COARSE_REACH + 1
    high, wide = current.shape[0] // side, current.shape[1] // side
    padded = np.pad(last, _COARSE_REACH, mode="edge")
    costs = np.empty((span, span, high, wide), dtype=np.int32)
    for down in range(span):
        moved = np.lib.stride_tricks.sliding_window_view(
            padded[down : down + len(current)], current.shape[1], axis=1
        )
        difference = np.abs(
            moved - current[:, None]
        )  # (rows, span, columns); sums of 16 of them fit int16
        columns = np.einsum("hrsc->hsc", difference.reshape(high, side, span, -1))
        costs[down] = np.einsum("hswc->shw", columns.reshape(high, span, wide, side))
    reach = np.arange(-_COARSE_REACH, _COARSE_REACH + 1)
    downs, rights = (grid.reshape(-1) for grid in np.meshgrid(reach, reach, indexing="ij"))
    costs += (np.abs(downs) + np.abs(rights)).astype(np.int32).reshape(span, span, 1, 1)
    nearest = np.argsort(downs**2 + rights**2, kind="stable")
    best = costs.reshape(span * span, high, wide)[nearest].argmin(axis=0)
    return np.stack([downs[nearest][best], rights[nearest][best]]).astype(np.int16)


def _refine(current: Plane, planes: Plane | Pixels, vectors: Vectors, smoothness: int) -> Vectors:
    """Vectors of a coarser step → doubled and moved to the best nearby.

    `planes` are those of the last frame at each fraction of a pixel that a vector can have, (f, f,
    H + 2·pad, …).
    """
    high, wide = vectors.shape[1:]
    side, steps = current.shape[0] // high, planes.shape[0]
    matcher = Matcher(current, planes, side=side)
    limit = min(steps * (PAD - 1), MAX_VECTOR)
    start = (2 * vectors).astype(np.int16)
    around = _median(start)
    best, chosen = np.full((high, wide), np.iinfo(np.int32).max, dtype=np.int32), start
    for candidate in _candidates(start, around):
        moved = np.clip(candidate, -limit, limit)
        costs = matcher.costs(moved) + smoothness * np.abs(moved - around).sum(
            axis=0, dtype=np.int32
        )
        better = costs < best
        best = np.where(better, costs, best)
        chosen = np.where(better, moved, chosen).astype(np.int16)
    return chosen


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
