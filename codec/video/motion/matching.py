"""Differences of blocks from where vectors point."""

from types import EllipsisType

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Indices, Mask, Pixels, Vectors
from ncodec.grid import PATCH
from ncodec.video.motion.interpolate import PAD, HalfPixelPlanes, average, half_pixels_of

Plane = npt.NDArray[np.int16]
Costs = npt.NDArray[np.int32]
Place = Mask | tuple[Indices, Indices] | EllipsisType
"""blocks of a frame, as an index"""


class Matcher:
    """Summed differences of blocks from where vectors say."""

    def __init__(self, current: Plane, planes: Plane | Pixels, *, side: int = PATCH) -> None:
        high, wide = current.shape[0] // side, current.shape[1] // side
        self._blocks = current.reshape(high, side, wide, side).transpose(
            0, 2, 1, 3
        )  # (h, w, side, side)
        self._windows = np.lib.stride_tricks.sliding_window_view(planes, (side, side), axis=(2, 3))
        self._steps = planes.shape[0]
        self._tops, self._lefts = np.indices((high, wide)) * side + PAD

    def costs(self, vectors: Vectors, here: Place = ...) -> Costs:
        """Sum of absolute differences of each block from where its vector points, (…) int32.

        `vectors`, (2, …), down and right, are in 1/f of a pixel, where the matcher's planes are f ×
        f; `here` indexes their blocks, by default all (h, w).
        """
        differences = np.abs(self._differences(vectors, here)).view(
            np.uint16
        )  # which holds the sum of 256 of them
        costs: Costs = np.einsum("...ij->...", differences).astype(np.int32)
        return costs

    def squares(self, vectors: Vectors, here: Place = ...) -> Costs:
        """Sum of squared differences of each block from where its vector points, (…) int32.

        `vectors`, (2, …), down and right, are in 1/f of a pixel, where the matcher's planes are f ×
        f; `here` indexes their blocks, by default all (h, w).
        """
        differences = self._differences(vectors, here).astype(np.int32)
        squares: Costs = np.einsum("...ij,...ij->...", differences, differences)
        return squares

    def _differences(self, vectors: Vectors, here: Place) -> Plane:
        (rows, columns), (down, right) = np.divmod(vectors.astype(np.intp), self._steps)
        found = self._windows[down, right, self._tops[here] + rows, self._lefts[here] + columns]
        differences: Plane = found - self._blocks[here]  # (…, side, side)
        return differences


def quarter_pixel_planes(values: Pixels) -> Pixels:
    """(H, W) uint8 at each quarter of a pixel, (4, 4, H + 2·pad, W + 2·pad)."""
    halves = HalfPixelPlanes(values)
    planes = np.empty((4, 4, values.shape[0] + 2 * PAD, values.shape[1] + 2 * PAD), dtype=np.uint8)
    for row in range(4):
        for column in range(4):
            # What wraps around at the far edges is further out than vectors reach.
            parts = [
                np.roll(halves[r & 1, c & 1], (-(r >> 1), -(c >> 1)), axis=(0, 1))
                for r, c in half_pixels_of(row, column)
            ]
            planes[row, column] = parts[0] if len(parts) == 1 else average(*parts)
    return planes


def luma(pixels: Pixels) -> Plane:
    """About the luma of RGB, (H, W, 3) uint8 → (H, W) int16."""
    wide = pixels.astype(np.int16)
    plane: Plane = (wide[:, :, 0] + 2 * wide[:, :, 1] + wide[:, :, 2]) >> 2
    return plane


def variation(current: Plane) -> Costs:
    """Summed squared difference of each block from its own mean."""
    variation: Costs = np.square(_from_means(current)).sum(axis=(1, 3))
    return variation


def activity(current: Plane) -> Costs:
    """Sum of absolute differences of each 16×16 block of (H, W) from its mean, plus 512: (H/16,
    W/16) int32.

    The mean is rounded down. A block is predicted where its sum of absolute differences from the
    prediction is less.
    """
    # A flat block's mean is not free either, and a little motion is cheaper than a new texture.
    costs: Costs = np.abs(_from_means(current)).sum(axis=(1, 3)) + 2 * PATCH**2
    return costs


def _from_means(current: Plane) -> npt.NDArray[np.int32]:
    """Values less the mean of their block, (h, 16, w, 16)."""
    high, wide = current.shape[0] // PATCH, current.shape[1] // PATCH
    blocks = current.reshape(high, PATCH, wide, PATCH).astype(np.int32)
    blocks -= blocks.sum(axis=(1, 3), keepdims=True, dtype=np.int32) // PATCH**2
    return blocks
