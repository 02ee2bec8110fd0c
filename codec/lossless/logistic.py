"""Probabilities in the logistic domain, in whole numbers that are the same everywhere.

ln(p / (1 − p)) is held in units of 1/256, from −2047 to 2047.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

PEAK = 2047
UNITS = 256
ONE = 1 << 16
"""probability of 1, in units of 2⁻¹⁶"""
LEAST = 16
"""least probability of either bit, in units of 2⁻¹⁶"""
RATES = 512


@dataclass(frozen=True, eq=False)
class Logistic:
    """Tables of the logistic function, of its inverse, and of steps of learning."""

    squash: npt.NDArray[np.int32]
    """(4095,), 2047 plus a logit → probability in units of 2⁻¹⁶"""
    stretch: npt.NDArray[np.int32]
    """(4096,), probability in units of 2⁻¹² → logit"""
    rates: npt.NDArray[np.int32]
    """(513,), times a probability was changed → its next step, in units of 2⁻¹⁶"""


@cache
def logistic() -> Logistic:
    """Tables; no value that is rounded lies near a half, so any exponential function gives them."""
    logits = np.arange(-PEAK, PEAK + 1) / UNITS
    odds = np.exp(logits)
    squash = np.clip(np.rint(ONE * odds / (1 + odds)), LEAST, ONE - LEAST)
    chances = (np.arange(4096) + 0.5) / 4096
    stretch = np.clip(np.rint(UNITS * np.log(chances / (1 - chances))), -PEAK, PEAK)
    rates = [2 * ONE // (2 * count + 3) for count in range(RATES + 1)]
    return Logistic(
        squash.astype(np.int32), stretch.astype(np.int32), np.array(rates, dtype=np.int32)
    )
