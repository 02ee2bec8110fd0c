"""Stack coder in Python: the arithmetic of FORMAT.md, a symbol at a time."""

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Int32Array

TABLE_BITS = 24
"""log2 of the sum of a table's counts"""
_SLOT = (1 << TABLE_BITS) - 1
_WORD_BITS = 32
_WORD = (1 << _WORD_BITS) - 1
_FULL = 2 * _WORD_BITS - TABLE_BITS
"""a state whose bits above these reach the count of the next symbol is full"""

WordArray = npt.NDArray[np.uint32]


class StackTable:
    """A table as the coder looks symbols up: lists, because Python reads them faster than arrays.

    `counts` are ≥ 1 and sum to 2²⁴, unchecked.
    """

    def __init__(self, counts: npt.NDArray[np.uint32]) -> None:
        ends = np.cumsum(counts, dtype=np.int64)
        self.counts: list[int] = counts.tolist()
        self.lefts: list[int] = (ends - counts).tolist()
        """sum of the counts before each symbol"""
        self.ends: list[int] = ends.tolist()


class StackCoder:
    """Asymmetric numeral system (Duda 2013) with a 64-bit state and 32-bit words, as of FORMAT.md.

    Starts with the words of a payload, the last of them not 0, unchecked, or empty. Its operations
    are those of `constriction`'s AnsCoder, with the same results.
    """

    def __init__(self, words: WordArray | None = None) -> None:
        self._words: list[int] = [] if words is None else words.tolist()
        self._state = 0
        for _ in range(min(2, len(self._words))):
            self._state = self._state << _WORD_BITS | self._words.pop()

    def encode_reverse(self, positions: Int32Array, table: StackTable) -> None:
        """Push symbols of one table, (n,) positions in it, the last one first."""
        counts, lefts, emit = table.counts, table.lefts, self._words.append
        state = self._state
        for position in positions[::-1].tolist():
            count = counts[position]
            if state >> _FULL >= count:
                emit(state & _WORD)
                state >>= _WORD_BITS
            state = (state // count << TABLE_BITS) + lefts[position] + state % count
        self._state = state

    def decode(self, table: StackTable, count: int) -> Int32Array:
        """Pop `count` symbols of one table: their positions in it, (count,) int32.

        Never fails: an empty coder gives position 0 for ever and stays empty.
        """
        counts, lefts, ends = table.counts, table.lefts, table.ends
        state, words = self._state, self._words
        positions = []
        for _ in range(count):
            slot = state & _SLOT
            position = bisect_right(ends, slot)
            state = (state >> TABLE_BITS) * counts[position] + slot - lefts[position]
            if state <= _WORD and words:
                state = state << _WORD_BITS | words.pop()
            positions.append(position)
        self._state = state
        return np.array(positions, dtype=np.int32)

    def get_compressed(self) -> WordArray:
        """All words, those of the state last; the coder is left as it is."""
        words, state = self._words.copy(), self._state
        while state:
            words.append(state & _WORD)
            state >>= _WORD_BITS
        return np.array(words, dtype=np.uint32)

    def is_empty(self) -> bool:
        """Whether nothing is left to pop."""
        return not self._state
