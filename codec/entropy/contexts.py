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
    """Sums over coded symbols at each place, (h, w) int64, in units of 1/4096.

    `found` sums magnitudes, each clipped to 15; `expected` sums the mean magnitudes of the
    symbols' tables.
    """

    found: Sums
    expected: Sums

    @classmethod
    def none(cls, height: int, width: int) -> Self:
        """Activity of `height` × `width` places where no symbol is known: zeros."""
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
        """Context of each place, (h, w) uint8, 0 (much less found than expected) to 15 (much more).

        The number of thresholds, from 1/8 to about 6, that (found + 1/4) / (expected + 1/4)
        reaches; integer arithmetic.
        """
        ratios = (self.found + _PRIOR) * _RATIO_UNIT // (self.expected + _PRIOR)
        return np.searchsorted(_RATIOS, ratios, side="right").astype(np.uint8)


def measure(values: SignedArray, rows: RowArray, expected: Sums) -> Activity:
    """Activity of symbols, summed over channels at each place.

    Shapes: values and rows (C, h, w); `expected`, (64 or more,), has the mean magnitude of each
    table in units of 1/4096, 0 for row 0. Magnitudes count at most 15; symbols of row 0 do not
    count.
    """
    sizes = np.minimum(np.abs(values), LARGEST, dtype=np.int64) * (rows > 0)
    return Activity(sizes.sum(axis=0) * UNIT, expected[rows].sum(axis=0))
