"""Scrolling: a screen shows the last frame moved as one by whole pixels, farther than vectors
reach."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels
from ncodec.picture import channel_mean

MAX_SCROLL = 16384
"""pixels either way"""
_PEAKS, _SAMPLES = 32, 4096
"""peaks of the correlation that are tried, and pixels compared for each"""
LEAST_EQUAL = 0.25
"""share of compared pixels that must equal, with their neighbours"""
_BESIDE = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 2))
_DAMPING = 1.0
"""keeps what both frames lack from counting"""


@dataclass(frozen=True)
class Scroll:
    """From a pixel of a frame to its place in the last one."""

    down: int
    right: int

    def move(self, last: Pixels) -> Pixels:
        """The last frame, (H, W, 3), moved; its edges are repeated."""
        rows, columns = (
            np.clip(np.arange(side) + step, 0, side - 1)
            for side, step in zip(last.shape, (self.down, self.right), strict=False)
        )
        moved: Pixels = last[rows][:, columns]
        return moved


def find_scroll(source: Pixels, last: Pixels, changed: BoolArray) -> Scroll | None:
    """Find the scroll for which most changed pixels of `source` equal those of `last`, both (H, W,
    3) uint8.

    `changed` is (H, W). The 32 highest values of the phase correlation (Kuglin and Hines 1975) are
    compared at up to 4096 changed pixels that differ from their right neighbours. None unless more
    than a quarter of these, with pixels beside them, are equal. A scroll is at most half a side.
    """
    # Edges, because plain areas correlate everywhere.
    planes = [
        np.diff(channel_mean(pixels).astype(np.float32), axis=0, append=0)
        for pixels in (source, last)
    ]
    first, second = map(np.fft.rfft2, planes)
    cross = np.conj(first) * second
    peaks = np.fft.irfft2(cross / (np.abs(cross) + _DAMPING), s=changed.shape)
    # Where it is plain, any place looks like any other.
    edges = changed & (source != np.roll(source, -1, axis=1)).any(axis=2)
    places = np.argwhere(edges)
    if not len(places):
        return None
    places = places[:: -(-len(places) // _SAMPLES)]
    seen = _around(source, places)
    best, most = None, len(places) * LEAST_EQUAL
    count = min(_PEAKS, peaks.size)
    for peak in np.argpartition(peaks.reshape(-1), -count)[-count:].tolist():
        scroll = Scroll(
            *(
                _signed(*pair)
                for pair in zip(divmod(peak, peaks.shape[1]), peaks.shape, strict=True)
            )
        )
        equal = int(
            (_around(last, places + np.array([scroll.down, scroll.right])) == seen)
            .all(axis=1)
            .sum()
        )
        if equal > most and (scroll.down or scroll.right):
            best, most = scroll, equal
    return best


def _around(frame: Pixels, places: npt.NDArray[np.intp]) -> Pixels:
    """Pixels at and beside rows and columns, (N, 2), of the frame with its edges repeated → (N,
    15)."""
    limits = np.array(frame.shape[:2]) - 1
    beside = [frame[tuple(np.clip(places + step, 0, limits).T)] for step in _BESIDE]
    return np.concatenate(beside, axis=1)


def _signed(step: int, side: int) -> int:
    """Signed step from one that is counted around the frame."""
    return step - side if 2 * step > side else step
