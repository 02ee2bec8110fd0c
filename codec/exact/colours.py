"""Merging rare colours of drawn pixels into frequent ones near them, where that saves more bits
than it errs."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels

MAX_KEPT = 1024
"""colours that others may be merged into"""

Counts = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Palette:
    """The colours of some pixels."""

    values: npt.NDArray[np.int32]
    """(N, 3) RGB"""
    indices: Indices
    """(P,) colour of each pixel"""
    novel: BoolArray
    """(P,) whether a pixel is novel as of `lossless_cost.novel_pixels`: what a lossless coder pays
    for"""


def make_palette(pixels: Pixels, novel: BoolArray) -> Palette:
    """(P, 3) uint8, and whether each pixel is novel, (P,) → their colours."""
    red, green, blue = (pixels[:, channel].astype(np.uint32) for channel in range(3))
    codes, indices = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    values = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.int32)
    return Palette(values, indices, novel)


@dataclass(frozen=True, eq=False)
class Colours:
    """Use of a palette's colours by some of its pixels."""

    palette: Palette
    held: BoolArray
    """(P,) which pixels"""
    counts: Counts
    """(N,) pixels of each colour"""
    novelty: Counts
    """(N,) share of novel ones among them"""

    @property
    def number(self) -> int:
        """Colours that occur."""
        return int(np.count_nonzero(self.counts))


def count_colours(palette: Palette, held: BoolArray) -> Colours:
    """A palette and the pixels that count, (P,) → their colours."""
    number = len(palette.values)
    counts = np.bincount(palette.indices[held], minlength=number).astype(np.float64)
    novel = np.bincount(palette.indices[held & palette.novel], minlength=number)
    return Colours(palette, held, counts, novel / np.maximum(counts, 1))


def merge_colours(colours: Colours, *, distance: float) -> Pixels:
    """RGB of the held pixels, (Q, 3) uint8, with rare colours merged into frequent ones.

    A colour becomes a more frequent one whose squared RGB distance is below `distance` times the
    share of its pixels that are novel. From the most frequent on, at most 1024 colours take over
    others; the rest stay.
    """
    values = colours.palette.values
    mapped = np.arange(len(values))
    reach = distance * colours.novelty
    left = np.argsort(-colours.counts, kind="stable")[: colours.number]
    for _ in range(MAX_KEPT):
        if not len(left):
            break
        kept = left[0]
        near = np.square(values[left] - values[kept]).sum(axis=1) < reach[left]
        near[0] = True
        mapped[left[near]] = kept
        left = left[~near]
    return values[mapped].astype(np.uint8)[colours.palette.indices[colours.held]]
