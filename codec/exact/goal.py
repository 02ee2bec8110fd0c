"""Goals of a picture: λ, least PSNR and coder search."""

from dataclasses import dataclass

import numpy as np

from ncodec.exact.vp8l import USUAL, Search

MERGED_BITS = 2.0
"""bits that merging one pixel's colour is expected to save"""
FINEST, COARSEST = 0, 17
"""range of log₂ of the squared RGB distance below which colours merge; 0 merges none"""
STEP_BITS = 18 / np.log(2)
"""λ times the square of the uniform quantizer's step of least λ·D + R at high rates"""
STEPS = np.array([1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128])


@dataclass(frozen=True)
class Goal:
    """λ, least PSNR and coder search at a quality."""

    price: float
    """λ, bits per unit of squared error, mean of the channels"""
    floor: float = 0.0
    """least PSNR in dB"""
    search: Search = USUAL
    """search of the lossless coder"""

    @property
    def step(self) -> int:
        """Quantizer step of sampled cells, the one among `STEPS` nearest the best for λ."""
        best = np.sqrt(STEP_BITS / self.price)
        return int(STEPS[np.abs(np.log(STEPS / best)).argmin()])

    @property
    def merging(self) -> int:
        """log₂ of the squared RGB distance below which merging a pixel's colour pays at λ, 0 to 17.

        0 merges none.
        """
        return int(np.clip(np.rint(np.log2(3 * MERGED_BITS / self.price)), FINEST, COARSEST))

    def lacks(self, errors: float, pixels: int) -> float:
        """dB by which a picture's PSNR is below the floor, negative where it is above.

        `errors` is the sum of its squared errors, means of the channels; `pixels` is their number.
        """
        return float(self.floor - 10 * np.log10(255**2 * pixels / max(errors, 1)))
