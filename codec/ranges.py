"""Ranges of numbers that callers give."""

import sys
from numbers import Real

LARGEST = sys.float_info.max
"""largest finite number"""


def is_between(value: object, low: float, high: float) -> bool:
    """Whether a value is a number of `low` to `high`; never for NaN or another type."""
    return isinstance(value, Real) and bool(low <= value <= high)  # type: ignore[operator]


def name_value(value: object) -> str:
    """A value for a message: 50 for the number and '50' for the text."""
    return str(value) if isinstance(value, Real) else repr(value)
