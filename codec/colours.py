"""Merging rare colours of drawn pixels into frequent ones near them, where that saves more bits than it errs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.picture import Pixels
from ncodec.tables import BoolArray

MAX_KEPT = 1024
"""colours that others may be merged into"""

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Colours:
    """The colours of some pixels."""

    values: npt.NDArray[np.int32]
    """(N, 3) RGB"""
    indices: npt.NDArray[np.intp]
    """(P,) colour of each pixel"""
    counts: Counts
    """(N,) pixels of each"""
    novelty: Counts
    """(N,) share of these that are novel: what a lossless coder pays for"""


def count_colours(pixels: Pixels, novel: BoolArray) -> Colours:
    """(P, 3) uint8, and whether each is novel as of `lossless_cost.novel_pixels`, (P,) → their colours."""
    red, green, blue = (pixels[:, channel].astype(np.uint32) for channel in range(3))
    codes, indices = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    values = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.int32)
    counts = np.bincount(indices, minlength=len(codes)).astype(np.float64)
    novelty = np.bincount(indices, weights=novel, minlength=len(codes)) / counts
    return Colours(values, indices, counts, novelty)


def merge_colours(colours: Colours, *, distance: float) -> Pixels:
    """Colours → (P, 3) pixels with fewer of them.

    A colour becomes a more frequent one that is nearer than this squared distance, summed over channels, times the
    share of its pixels that are novel. The most frequent colours are kept.
    """
    mapped = np.arange(len(colours.values))
    reach = distance * colours.novelty
    left = np.argsort(-colours.counts, kind="stable")
    for _ in range(MAX_KEPT):
        if not len(left):
            break
        kept = left[0]
        near = np.square(colours.values[left] - colours.values[kept]).sum(axis=1) < reach[left]
        near[0] = True
        mapped[left[near]] = kept
        left = left[~near]
    return colours.values[mapped][colours.indices].astype(np.uint8)
