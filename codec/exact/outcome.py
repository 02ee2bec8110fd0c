"""Outcome of a way of coding cells: squared errors, blots and bits."""

from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.entropy.latents import Symbols, bits_by_cell
from ncodec.entropy.tables import Tables
from ncodec.exact.lossless_cost import sum_by_cell
from ncodec.grid import HYPER_CELL, PATCH

ROUGH_BITS = 4.5
"""bits assumed for a nonzero residual; few take more"""
BLOT, UNSEEN = 3.0, 4.0
"""extra weight of squared errors beyond those of a flat block, and least mean square of a flat
block"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """Squared errors and bits of cells by one way of coding, (⌈H/64⌉, ⌈W/64⌉) each."""

    errors: FloatArray
    """squared errors, means of the channels, summed over pixels"""
    bits: FloatArray
    blots: FloatArray | float = 0.0
    """extra weight of errors that are blots"""

    def cost(self, price: float) -> FloatArray:
        """Bits λ·D + R of each cell, (⌈H/64⌉, ⌈W/64⌉), with λ = `price`; D includes blots."""
        total: FloatArray = price * (self.errors + self.blots) + self.bits
        return total

    def without(self, cells: BoolArray) -> "Outcome":
        """The outcome with infinite bits in the given cells."""
        return replace(self, bits=np.where(cells, np.float32(np.inf), self.bits))


class NetworkOutcome:
    """Outcome of the network's coding of a picture, (H, W, 3); bits are counted on demand."""

    def __init__(
        self, source: Pixels, shown: Pixels, symbols: Symbols, tables: Tables, *, qp: int
    ) -> None:
        self.errors, self.blots = errors_of(source, shown)
        self._symbols = symbols
        self._tables = tables
        self._qp = qp

    def roughly(self) -> Outcome:
        """Outcome with bits by a quick estimate, mostly too high: 4.5 for each nonzero residual."""
        coded = np.count_nonzero(self._symbols.residual, axis=0)
        bits = ROUGH_BITS * sum_by_cell(coded, side=HYPER_CELL, across=HYPER_CELL)
        return Outcome(self.errors, bits, self.blots)

    def precisely(self) -> Outcome:
        """Outcome with bits by the probability tables, as in `bits_by_cell`."""
        return Outcome(
            self.errors, bits_by_cell(self._symbols, self._tables, qp=self._qp), self.blots
        )


def errors_of(source: Pixels, shown: Pixels) -> tuple[FloatArray, FloatArray]:
    """Squared errors and blot penalties of each cell, (⌈H/64⌉, ⌈W/64⌉) float32 each.

    `source` and `shown` are (H, W, 3); errors are means of the channels, summed over pixels. The
    penalty is three times the errors of each 16×16 block beyond those of the block's mean colour
    (by green, at least 4 a pixel).
    """
    difference = np.subtract(source, shown, dtype=np.int16)
    squares = np.multiply(difference, difference, dtype=np.int32).reshape(len(source), -1)
    errors = sum_by_cell(squares, side=PATCH, across=3 * PATCH) / np.float32(3)
    beyond = np.maximum(errors - _flat_errors(source), 0)
    cells, blots = (
        sum_by_cell(each, side=HYPER_CELL, across=HYPER_CELL) for each in (errors, beyond)
    )
    return cells, BLOT * blots


def shown_where(hidden: BoolArray | None, source: Pixels, shown: Pixels) -> Pixels:
    """(H, W, 3) with the source in pixels that are hidden, (H, W), if any are."""
    return shown if hidden is None else np.where(hidden[:, :, None], source, shown)


def _flat_errors(source: Pixels) -> FloatArray:
    """(H, W, 3) → (⌈H/16⌉, ⌈W/16⌉) squared errors of flat blocks by green, at least `UNSEEN` a
    pixel."""
    green = source[::2, ::2, 1].astype(np.int32)
    half = PATCH // 2
    count, total, squares = (
        sum_by_cell(values, side=half, across=half)
        for values in (np.ones_like(green), green, np.square(green))
    )
    errors: FloatArray = 4 * np.maximum(squares - np.square(total) / count, UNSEEN * count)
    return errors
