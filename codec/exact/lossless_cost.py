"""About how many bits a lossless coder takes for each cell of a picture, without running it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.grid import CELL

NOVEL_BITS, CHOSEN_BITS, PLAIN_BITS = 7.0, 1.0, 0.02
"""bits of a pixel equal to none, to some and to all of its left, above and above-left neighbours"""
_NATURAL = 2 * np.e


@dataclass(frozen=True, eq=False)
class LosslessCost:
    """Estimated work of a lossless coder in each cell, (⌈H/64⌉, ⌈W/64⌉)."""

    pixels: FloatArray
    """pixels of the cell"""
    novel: FloatArray
    """pixels that differ from their neighbours on the left, above and above left"""
    drawn_bits: FloatArray
    """about the bits if pixels mostly equal their neighbours, as in drawings"""
    errors: FloatArray
    """(3, ⌈H/64⌉, ⌈W/64⌉) mean magnitude of what a prediction from neighbours misses, of G, R − G
    and B − G"""

    def sampled_bits(self, step: int = 1) -> FloatArray:
        """About the bits of each cell with samples in steps if neighbours differ, as in
        photographs."""
        mean = self.errors / np.float32(step)
        bits: FloatArray = self.pixels * np.log2(1 + np.float32(_NATURAL) * mean).sum(axis=0)
        return bits

    def bits(self, step: int = 1) -> FloatArray:
        """About the bits of each cell with samples in steps, as in drawings or photographs,
        whichever are fewer."""
        return np.minimum(self.sampled_bits(step), self.drawn_bits)


def novel_pixels(pixels: Pixels) -> BoolArray:
    """(H, W, 3) → (H, W) whether a pixel equals none of its left, upper and upper left neighbours.

    The first pixel is novel.
    """
    novel = np.ones(pixels.shape[:2], dtype=np.bool_)
    novel[1:] &= ~_equal(pixels[1:], pixels[:-1])
    novel[:, 1:] &= ~_equal(pixels[:, 1:], pixels[:, :-1])
    novel[1:, 1:] &= ~_equal(pixels[1:, 1:], pixels[:-1, :-1])
    return novel


def _equal(first: Pixels, second: Pixels) -> BoolArray:
    """(H, W, 3) twice → (H, W) whether all channels are equal."""
    # Channel by channel: numpy takes ten times as long over an axis of three.
    same: BoolArray = first[..., 0] == second[..., 0]
    for channel in (1, 2):
        same &= first[..., channel] == second[..., channel]
    return same


def sum_by_cell(
    values: npt.NDArray[np.generic], *, side: int = CELL, across: int = CELL
) -> FloatArray:
    """(…, H, W) → (…, ⌈H/side⌉, ⌈W/across⌉) sums over cells of `side` rows and `across` columns of
    values."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[-2], side), axis=-2, dtype=np.float32)
    sums: FloatArray = np.add.reduceat(rows, np.arange(0, values.shape[-1], across), axis=-1)
    return sums


def lossless_cost(pixels: Pixels, *, every: int = 1) -> LosslessCost:
    """Estimated lossless cost of each cell of (H, W, 3) uint8.

    `every`, a divisor of 64: one row in so many is inspected, compared with the row above it, and
    the result scaled up to the whole cell.
    """
    height, width, _ = pixels.shape
    # Of a single row, or of a last one whose cell has no other, the row above is itself.
    rows = np.arange(0, height, every) + min(every, 2) // 2
    rows = np.minimum(rows, height - 1)
    now, above = pixels[rows], pixels[np.maximum(rows - 1, 0)]
    side = CELL // every
    left = np.concatenate([above[:, :1], now[:, :-1]], axis=1)
    corner = np.concatenate([above[:, :1], above[:, :-1]], axis=1)
    like_left, like_above, like_corner = (_equal(now, other) for other in (left, above, corner))
    novel = ~(like_left | like_above | like_corner)
    chosen = ~(novel | like_left & like_above & like_corner)
    count = sum_by_cell(np.ones(now.shape[:2], dtype=np.float32), side=side)
    scale = sum_by_cell(np.ones((height, width), dtype=np.float32)) / count
    novel_count = sum_by_cell(novel, side=side)
    drawn = (NOVEL_BITS - PLAIN_BITS) * novel_count
    drawn += (CHOSEN_BITS - PLAIN_BITS) * sum_by_cell(chosen, side=side) + PLAIN_BITS * count
    missed = np.stack(
        [_missed(*planes) for planes in zip(*map(_planes, (now, left, above, corner)), strict=True)]
    )
    errors = sum_by_cell(missed, side=side) / count
    return LosslessCost(count * scale, novel_count * scale, drawn * scale, errors)


def _planes(pixels: Pixels) -> list[npt.NDArray[np.int16]]:
    """G, R − G and B − G."""
    red, green, blue = (pixels[:, :, channel].astype(np.int16) for channel in range(3))
    return [green, red - green, blue - green]


def _missed(
    now: npt.NDArray[np.int16],
    left: npt.NDArray[np.int16],
    above: npt.NDArray[np.int16],
    corner: npt.NDArray[np.int16],
) -> npt.NDArray[np.int16]:
    """Magnitude of what the median predictor of LOCO-I (Weinberger et al. 1996) misses."""
    least, most = np.minimum(left, above), np.maximum(left, above)
    missed: npt.NDArray[np.int16] = np.abs(now - np.clip(left + above - corner, least, most))
    return missed
