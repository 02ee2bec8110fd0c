"""Activity: magnitudes of symbols against their tables' expectation, which shifts the tables of
later symbols.

Whether a place moves, or moved a frame ago, is seen in some channels before the others are coded.
All of it is integers.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

SignedArray = npt.NDArray[np.signedinteger]
RowArray = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.int64]

PARTS = 4
"""number of parts of the channels: part p holds the channels c with c mod `PARTS` = p"""
UNIT = 4096
"""fixed-point unit of sums of magnitudes"""
LARGEST = 15
"""magnitude to which larger ones are clipped"""
CONTEXTS = 16
_PRIOR = UNIT // 4
"""magnitude that is taken for seen and expected before any is"""
_RATIO_UNIT = 1024
_RATIOS = np.array(
    [128, 169, 223, 294, 388, 512, 676, 891, 1176, 1552, 2048, 2702, 3566, 4705, 6208]
)
"""thresholds of found over expected magnitude, in units of 1/1024, at which contexts 1, 2, … begin;
five to a factor of four"""


@dataclass(frozen=True, eq=False)
class Activity:
    """Sums of magnitudes at each place, (h, w), in `UNIT`s."""

    found: Sums
    expected: Sums

    @classmethod
    def none(cls, height: int, width: int) -> Self:
        """Nothing is known yet."""
        nothing = np.zeros((height, width), dtype=np.int64)
        return cls(nothing, nothing)

    @classmethod
    def stacked(cls, bands: "Sequence[Activity]") -> Self:
        """Activity of a picture from its bands, top to bottom."""
        return cls(
            np.concatenate([b.found for b in bands]), np.concatenate([b.expected for b in bands])
        )

    def __add__(self, other: Self) -> Self:
        return type(self)(self.found + other.found, self.expected + other.expected)

    def halved(self) -> Self:
        """Activity at half weight, as it counts in the next frame."""
        return type(self)(self.found >> 1, self.expected >> 1)

    def rows(self, places: slice) -> Self:
        """Some rows of places."""
        return type(self)(self.found[places], self.expected[places])

    def contexts(self) -> RowArray:
        """(h, w) of 0…`CONTEXTS` - 1, from much less than expected to much more."""
        ratios = (self.found + _PRIOR) * _RATIO_UNIT // (self.expected + _PRIOR)
        return np.searchsorted(_RATIOS, ratios, side="right").astype(np.uint8)


def measure(values: SignedArray, rows: RowArray, expected: Sums) -> Activity:
    """Activity of symbols: at each place, (h, w), the sum of magnitudes over channels, found and
    expected, both in units of 1/`UNIT`.

    Shapes: values and rows (C, h, w); expected (64,), the magnitude that each table expects.
    Magnitudes count at most `LARGEST`; a symbol of row 0 counts nothing.
    """
    sizes = np.minimum(np.abs(values), LARGEST, dtype=np.int64) * (rows > 0)
    return Activity(sizes.sum(axis=0) * UNIT, expected[rows].sum(axis=0))
