"""Samples between pixels, at half and quarter positions (ITU-T H.264, 8.4.2.2.1)."""

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Pixels
from ncodec.grid import PATCH
from ncodec.video.motion.field import MAX_VECTOR

PAD = MAX_VECTOR // 4 + 1
"""pixels that planes are continued by at each edge"""
_TAPS = (1, -5, 20, 20, -5, 1)
"""half-pixel interpolation of ITU-T H.264, 8.4.2.2.1, but that the middle of four pixels is made of
rounded values"""
_TAPS_BEFORE, _TAPS_AFTER = 2, 3
"""values that the taps reach for on either side"""


def half_pixels_of(row: int, column: int) -> list[tuple[int, int]]:
    """One or two half-pixel places (row, column), 0 to 2, whose mean, by `average`, is the sample
    at a quarter-pixel place.

    `row` and `column` are 0 to 3, in quarter pixels (ITU-T H.264, 8.4.2.2.1).
    """
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
    """Whole and half rows, whole and half columns of (H, W, …) 8-bit values, edges repeated: made
    when asked for.

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
        """View of all windows of 16×16 pixels in the plane of a half-pixel place, of which only the
        parities count.

        For a picture of (H, W, C) it is (H + 57, (W + 56)·C + 1, 16, 16·C) uint8, indexed by the
        row and by C times the column, both 36 larger than in the picture.
        """
        plane = self[place[0] & 1, place[1] & 1]
        flat = plane.reshape(plane.shape[0], -1)
        return np.lib.stride_tricks.sliding_window_view(flat, (PATCH, PATCH * plane.shape[2]))

    def _make(self, half_row: int, half_column: int) -> npt.NDArray[np.uint8]:
        inner = slice(_TAPS_BEFORE, -_TAPS_AFTER)
        between = self._across if half_column else self._padded[:, inner]
        return _between(between, axis=0) if half_row else np.ascontiguousarray(between[inner])


def _between(padded: npt.NDArray[np.uint8], *, axis: int) -> npt.NDArray[np.uint8]:
    """Values half a step after each one along an axis; it loses the taps' reach at both ends."""
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
