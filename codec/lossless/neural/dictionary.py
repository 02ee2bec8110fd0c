"""Dictionary of byte pairs: the commonest pair of symbols becomes a symbol, again and again.

Byte pair encoding (Gage 1994), which NNCP applies before its network, there with words.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.errors import FormatError
from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array

LONGEST = 32
"""most bytes that a symbol stands for, so that a byte of code cannot stand for any number"""
_LEAST_COUNT = 100
"""times that a pair has to occur"""


@exact_kernel
def _merge(symbols, size, left, right, fresh):
    """Replace a pair by a fresh symbol; returns how many symbols are left."""
    kept, at = 0, 0
    while at < size:
        if at + 1 < size and symbols[at] == left and symbols[at + 1] == right:
            symbols[kept] = fresh
            at += 1
        else:
            symbols[kept] = symbols[at]
        at += 1
        kept += 1
    return kept


@exact_kernel
def _learn(symbols, size, pairs, lengths, least):
    """Replace the commonest pairs until `pairs` is full or none occurs `least` times; returns how
    many symbols and pairs there are."""
    total = 256 + pairs.shape[0]
    counts = np.zeros(total * total, np.int32)
    for found in range(pairs.shape[0]):
        counts[:] = 0
        best = np.int64(0)
        for at in range(size - 1):
            key = np.int64(symbols[at]) * total + symbols[at + 1]
            counts[key] += 1
            length = lengths[symbols[at]] + lengths[symbols[at + 1]]
            if counts[key] > counts[best] and length <= LONGEST:
                best = key
        if counts[best] < least:
            return size, found
        left, right = best // total, best % total
        pairs[found, 0], pairs[found, 1] = left, right
        lengths[256 + found] = lengths[left] + lengths[right]
        size = _merge(symbols, size, left, right, 256 + found)
    return size, pairs.shape[0]


def learned(data: bytes, most: int) -> tuple[Array, Array]:
    """Symbols of bytes, (count,), and up to `most` pairs, (found, 2), that 256, 257… stand for;
    both are uint16."""
    symbols = np.frombuffer(data, np.uint8).astype(np.uint16)
    pairs = np.zeros((most, 2), np.uint16)
    lengths = np.ones(256 + most, np.int64)
    size, found = _learn(symbols, symbols.size, pairs, lengths, _LEAST_COUNT)
    return symbols[:size], pairs[:found]


def texts_of(pairs: Array) -> list[bytes]:
    """Bytes of every symbol; raises FormatError where a pair holds a later symbol or is too
    long."""
    texts = [bytes([byte]) for byte in range(256)]
    for left, right in pairs.tolist():
        if max(left, right) >= len(texts) or len(texts[left]) + len(texts[right]) > LONGEST:
            msg = f"expected pairs of earlier symbols, of {LONGEST} bytes at most, got {left} and "
            raise FormatError(msg + f"{right}: the file is damaged")
        texts.append(texts[left] + texts[right])
    return texts


@exact_kernel
def _expand(symbols, texts, lengths, data):
    """Fill `data` with the bytes of symbols; whether all are known and fill it."""
    done = 0
    for at in range(symbols.size):
        symbol = symbols[at]
        if symbol >= lengths.size or done + lengths[symbol] > data.size:
            return False
        for k in range(lengths[symbol]):
            data[done + k] = texts[symbol, k]
        done += lengths[symbol]
    return done == data.size


def expanded(symbols: Array, texts: list[bytes], size: int) -> bytes:
    """The `size` bytes of symbols; raises FormatError where they stand for more or fewer."""
    padded = b"".join([text.ljust(LONGEST, b"\0") for text in texts])
    table = np.frombuffer(bytearray(padded), np.uint8).reshape(-1, LONGEST)
    data = np.zeros(size, np.uint8)
    if not _expand(symbols, table, np.array([len(text) for text in texts]), data):
        msg = f"expected symbols of {size:,} bytes, got some of another size: the file is damaged"
        raise FormatError(msg)
    return data.tobytes()
