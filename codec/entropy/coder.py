"""The stack coder: `constriction`'s where that is installed, else Python's, of the same bytes."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Int32Array
from ncodec.entropy.stack_coder import TABLE_BITS, StackCoder, StackTable, WordArray

try:
    import constriction
except ImportError:  # It has no wheels for Linux on ARM.
    constriction = None


class Coder(Protocol):
    """Operations of a stack coder, as of `StackCoder`. Tables are those of `coder_table`."""

    def encode_reverse(self, positions: Int32Array, table: Any) -> None:
        """Push symbols of one table, the last one first."""

    def decode(self, table: Any, count: int) -> Int32Array:
        """Pop symbols of one table."""

    def get_compressed(self) -> WordArray:
        """All words."""

    def is_empty(self) -> bool:
        """Whether nothing is left to pop."""


def open_coder(words: WordArray | None = None) -> Coder:
    """A coder with the words of a payload, the last of them not 0, or without any."""
    if constriction is None:
        return StackCoder(words)
    coder: Coder = constriction.stream.stack.AnsCoder(words)
    return coder


def coder_table(counts: npt.NDArray[np.uint32]) -> Any:
    """A table in the form that coders of `open_coder` take; counts are ≥ 1 and sum to 2²⁴."""
    if constriction is None:
        return StackTable(counts)
    # `perfect=True` takes whole multiples of 2⁻²⁴ exactly as they are; the default would not.
    return constriction.stream.model.Categorical(counts / (1 << TABLE_BITS), perfect=True)
