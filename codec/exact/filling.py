"""Colours for cells of a picture that a network need not code."""

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels
from ncodec.exact.layers import by_pixel
from ncodec.exact.lossless_cost import sum_by_cell
from ncodec.grid import CELL


def fill_cells(pixels: Pixels, cells: BoolArray) -> Pixels:
    """Copy of (H, W, 3) pixels with the given cells, (⌈H/64⌉, ⌈W/64⌉), in plain colours, cheap to
    code.

    Each gets the mean of the mean colours of its neighbours, from the outside in. At least one
    cell must be left; without one it does not return.
    """
    filled = pixels.copy()
    height, width, _ = pixels.shape
    sums = np.stack([sum_by_cell(pixels[:, :, channel]) for channel in range(3)], axis=2)
    means = (
        sums.astype(np.float64)
        / sum_by_cell(np.ones((height, width), dtype=np.float32))[:, :, None]
    )
    known = ~cells
    while not known.all():
        weights, total = np.zeros(cells.shape), np.zeros(means.shape)
        for axis in (0, 1):
            for step in (-1, 1):
                weights += _shifted(known.astype(np.float64), step, axis)
                total += _shifted(means * known[:, :, None], step, axis)
        reached = ~known & (weights > 0)
        means[reached] = total[reached] / weights[reached][:, None]
        known |= reached
    held = by_pixel(cells, height, width)
    filled[held] = np.rint(
        means.repeat(CELL, axis=0).repeat(CELL, axis=1)[:height, :width][held]
    ).astype(np.uint8)
    return filled


def _shifted(values: npt.NDArray[np.float64], step: int, axis: int) -> npt.NDArray[np.float64]:
    """Values of the neighbour along an axis, 0 beyond the edge."""
    shifted = np.zeros_like(values)
    source, target = [slice(None)] * values.ndim, [slice(None)] * values.ndim
    source[axis], target[axis] = (
        (slice(None, -1), slice(1, None)) if step > 0 else (slice(1, None), slice(None, -1))
    )
    shifted[tuple(target)] = values[tuple(source)]
    return shifted
