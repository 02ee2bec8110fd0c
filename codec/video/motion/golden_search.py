"""Search for blocks that the golden frame predicts better."""

from dataclasses import replace

import numpy as np

from ncodec.arrays import Mask, Pixels, SignedArray, Vectors
from ncodec.video.motion.field import MAX_VECTOR, Golden, Motion
from ncodec.video.motion.golden_coding import SHARES, classes_of, project
from ncodec.video.motion.interpolate import HalfPixelPlanes
from ncodec.video.motion.lattice import stages_of
from ncodec.video.motion.matching import Matcher, luma, quarter_pixel_planes
from ncodec.video.motion.search import Bits, MotionSearch, bit_price

NEAR = 2.0
"""a block is refined where its cost at the projected MV is below so many times its error otherwise
"""
ROUNDS = 2
"""rounds of refinement over the eight vectors around the best"""
_AROUND = np.array([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c], dtype=np.int16)[
    :, :, None
]
_CLASS_BITS = np.log2((1024 - SHARES) / SHARES)
"""bits of a golden block's flag less those of another block's, by class"""


class GoldenSearch:
    """Looks for blocks of frames in the intra frame before them, (H, W, 3) uint8 as decoded."""

    def __init__(self, intra: Pixels) -> None:
        self.planes = HalfPixelPlanes(intra)
        """interpolated planes of the intra frame"""
        self._luma = quarter_pixel_planes(luma(intra).astype(np.uint8))

    def motion(self, search: MotionSearch, motion: Motion, *, qp: int, before: Golden) -> Motion:
        """The motion with golden blocks of less λ·D + R; `before` is of the frame before."""
        price, projected, errors = (
            bit_price(qp),
            project(motion, before).vectors,
            search.errors(motion),
        )
        matcher = Matcher(search.current, self._luma)
        vectors, costs = (
            projected.copy(),
            matcher.squares(projected) + price * _bits(projected, projected),
        )
        near = costs < NEAR * errors
        vectors[:, near], costs[near] = _nearest(
            matcher, near, projected[:, near], costs[near], price
        )
        gains = np.where(near, errors - costs, -np.inf)
        chosen = np.zeros_like(near)
        for stage in stages_of(*near.shape):
            rows, columns = stage.points
            classes = classes_of(stage, chosen, before.chosen)
            chosen[rows, columns] = gains[rows, columns] > price * _CLASS_BITS[classes]
        return replace(motion, golden=Golden(chosen, np.where(chosen, vectors, projected)))


def _nearest(
    matcher: Matcher, here: Mask, projected: Vectors, costs: Bits, price: float
) -> tuple[Vectors, Bits]:
    """The best vectors of blocks around where theirs lead, (2, n), and what they cost with their
    bits, (n,)."""
    best = projected
    for _ in range(ROUNDS):
        middle = best
        for step in _AROUND:
            moved = np.clip(middle + step, -MAX_VECTOR, MAX_VECTOR)
            priced = matcher.squares(moved, here) + price * _bits(moved, projected)
            better = priced < costs
            best, costs = np.where(better, moved, best), np.where(better, priced, costs)
    return best, costs


def _bits(vectors: SignedArray, projected: SignedArray) -> Bits:
    """About what vectors cost a golden block, (2, …) → (…)."""
    bits: Bits = (0.4 + 3.3 * np.log2(1 + np.abs(vectors - projected))).sum(axis=0)
    return bits
