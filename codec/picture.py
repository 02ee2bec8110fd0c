"""A still picture and everything that came with it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ncodec.arrays import DeepPixels, Pixels, Samples
from ncodec.errors import InputError
from ncodec.grid import MAX_SIDE

STRIP = 256
"""rows that whole-picture arithmetic takes at a time, for the memory of large pictures"""
PEAK, DEEP_PEAK = 255, 65535
"""largest samples of 8 and of 16 bits"""
DEEP_UNIT = 257
"""samples of 16 bits in a level of 8 bits"""
EXACT_PSNR = 99.0
"""dB that stand for a picture without errors"""


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels, alpha and metadata."""

    pixels: Pixels
    """(H, W, 3) RGB; three equal channels when `grey`"""
    grey: bool = False
    alpha: Pixels | None = None
    """(H, W)"""
    icc: bytes | None = None
    exif: bytes | None = None
    """without the "Exif\\0\\0" prefix"""
    xmp: bytes | None = None
    notices: tuple[str, ...] = field(default=(), compare=False)
    """losses of a conversion, in sentences"""
    deep: DeepPixels | None = None
    """(H, W, 3) samples of 16 bits, whose nearest levels of 8 bits `pixels` are; None for pictures
    of 8 bits"""

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, eq=False)
class TimedFrame:
    """A frame of a sequence, as people see it: upright, in RGB."""

    pts: int
    """time stamp in units of the sequence's time base; later than that of the frame before"""
    pixels: Pixels
    """(H, W, 3)"""


def from_array(array: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Picture:
    """(H, W), or (H, W, 1 to 4) uint8 or uint16 as grey, grey and alpha, RGB, RGBA → Picture, its
    alpha reduced to 8 bits; raises InputError otherwise."""
    if (
        not isinstance(array, np.ndarray)
        or array.dtype not in (np.uint8, np.uint16)
        or array.ndim not in (2, 3)
        or array.size == 0
    ):
        got = (
            f"{array.shape} {array.dtype}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        msg = f"expected (H, W) or (H, W, 1 to 4) uint8 or uint16 pixels, got {got}"
        raise InputError(msg)
    planes = array if array.ndim == 3 else array[:, :, None]
    channels = planes.shape[2]
    if channels > 4:
        msg = f"expected 1 to 4 channels, got {channels}"
        raise InputError(msg)
    grey = channels <= 2
    colour: npt.NDArray[Any] = np.repeat(planes[:, :, :1], 3, axis=2) if grey else planes[:, :, :3]
    colour = np.ascontiguousarray(colour)
    alpha: npt.NDArray[Any] | None = planes[:, :, -1].copy() if channels in (2, 4) else None
    if array.dtype == np.uint8:
        return Picture(colour, grey=grey, alpha=alpha)
    levels = None if alpha is None else nearest_levels(alpha)
    return Picture(nearest_levels(colour), grey=grey, alpha=levels, deep=colour)


def check_frame(pixels: Pixels) -> None:
    """Raise InputError unless pixels are (H, W, 3) uint8 with sides of 1 to 16384."""
    is_array = isinstance(pixels, np.ndarray)
    is_rgb = is_array and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    if is_rgb and min(pixels.shape) > 0 and max(pixels.shape) <= MAX_SIDE:
        return
    got = f"{pixels.shape} {pixels.dtype}" if is_array else type(pixels).__name__
    msg = f"expected (H, W, 3) uint8 pixels with sides of 1 to {MAX_SIDE}, got {got}"
    raise InputError(msg)


def channel_mean(pixels: Pixels) -> Pixels:
    """(H, W, 3) → (H, W) mean of the three channels, rounded half up in integers, equal on every
    machine."""
    plane = np.empty(pixels.shape[:2], dtype=np.uint8)
    for top in range(0, len(plane), STRIP):
        plane[top : top + STRIP] = (
            pixels[top : top + STRIP].sum(axis=2, dtype=np.uint16) * 2 + 3
        ) // 6
    return plane


def nearest_levels(deep: DeepPixels) -> Pixels:
    """16-bit samples of any shape of at least one axis → the nearest 8-bit levels."""
    levels = np.empty(deep.shape, dtype=np.uint8)
    for top in range(0, len(deep), STRIP):
        levels[top : top + STRIP] = (deep[top : top + STRIP].astype(np.uint32) + 128) // DEEP_UNIT
    return levels


def to_pixels(samples: Samples) -> Pixels:
    """Levels of any shape, rounded (halves to even) and clipped."""
    seen = np.rint(samples)
    return np.clip(seen, 0, 255, out=seen).astype(np.uint8)


def psnr(first: Pixels | DeepPixels, second: Pixels | DeepPixels, *, peak: float = PEAK) -> float:
    """Peak signal-to-noise ratio in dB between samples of one shape, of 8 bits unless `peak` says
    otherwise; infinite when they are equal."""
    total = 0.0
    for start in range(0, first.shape[0], STRIP):
        difference = first[start : start + STRIP].astype(np.float32) - second[start : start + STRIP]
        total += float(np.square(difference, dtype=np.float32).sum(dtype=np.float64))
    return float("inf") if total == 0 else float(10 * np.log10(peak**2 * first.size / total))
