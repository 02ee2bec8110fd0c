"""A still picture and everything that came with it."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from ncodec.errors import InputError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Picture:
    """Pixels, and what is kept beside them."""

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
    """what a conversion lost, in sentences"""

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])


def from_array(array: npt.NDArray[np.uint8]) -> Picture:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 → Picture; raises InputError for anything else."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim not in (2, 3) or array.size == 0:
        got = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
        msg = f"expected (H, W), (H, W, 3) or (H, W, 4) uint8 pixels, got {got}"
        raise InputError(msg)
    if array.ndim == 2 or array.shape[2] == 1:
        plane = array.reshape(array.shape[:2])
        return Picture(np.repeat(plane[:, :, None], 3, axis=2), grey=True)
    if array.shape[2] not in (3, 4):
        msg = f"expected 1, 3 or 4 channels, got {array.shape[2]}"
        raise InputError(msg)
    alpha = np.ascontiguousarray(array[:, :, 3]) if array.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(array[:, :, :3]), alpha=alpha)


def psnr(first: Pixels, second: Pixels) -> float:
    """Peak signal-to-noise ratio in dB between 8-bit pixels of one shape; infinite when they are equal."""
    total = 0.0
    for start in range(0, first.shape[0], 256):  # in strips, for the memory of large pictures
        difference = first[start : start + 256].astype(np.float32) - second[start : start + 256]
        total += float(np.square(difference, dtype=np.float32).sum(dtype=np.float64))
    return float("inf") if total == 0 else float(10 * np.log10(255**2 * first.size / total))
