"""Truths ↔ symbols, by tables of how likely they are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Int32Array, Mask
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.tables import TABLE_TOTAL, Table
from ncodec.errors import FormatError

OF = 1024
"""denominator of shares"""
Classes = npt.NDArray[np.intp]


def flag_table(ones: int) -> Table:
    """Table of a flag, 0 or 1, whose 1 has probability `ones`/1024; `ones` is 1 to 1023, unchecked.

    Counts are of −1, 0, 1 and the escape; the first and last have only the least count that a
    table allows.
    """
    shares = np.array([OF - ones, ones], dtype=np.uint32) * (TABLE_TOTAL // OF) - 1
    return Table(np.array([1, *shares, 1], dtype=np.uint32))


def as_flags(values: Int32Array) -> Mask:
    """Symbols, (n,), → booleans; raises FormatError for values other than 0 and 1."""
    if ((values != 0) & (values != 1)).any():
        msg = "expected flags of 0 or 1, got others: the file is damaged"
        raise FormatError(msg)
    flags: Mask = values == 1
    return flags


def pop_of_classes(unpacker: Unpacker, tables: Sequence[Table], classes: Classes) -> Int32Array:
    """One symbol of each block, (n,), by the table of its class; symbols of one class are coded
    together, classes ascending."""
    values = np.empty(len(classes), dtype=np.int32)
    for c in np.unique(classes):
        values[classes == c] = unpacker.values(tables[c], int((classes == c).sum()))
    return values
