"""Truths ↔ symbols, by tables of how likely they are."""

import numpy as np

from ncodec.arrays import Int32Array, Mask
from ncodec.entropy.tables import TABLE_TOTAL, Table
from ncodec.errors import FormatError

OF = 1024
"""what shares are of"""


def flag_table(ones: int) -> Table:
    """Of 0 and 1, so many of `OF` of them the latter."""
    shares = np.array([OF - ones, ones], dtype=np.uint32) * (TABLE_TOTAL // OF) - 1
    return Table(np.array([1, *shares, 1], dtype=np.uint32))


def as_flags(values: Int32Array) -> Mask:
    """Symbols → truths; raises FormatError for what is none."""
    if ((values != 0) & (values != 1)).any():
        msg = "expected flags of 0 or 1, got others: the file is damaged"
        raise FormatError(msg)
    flags: Mask = values == 1
    return flags
