"""Arithmetic coding of symbols by integer distributions, and the pieces in which blocks are coded.

A symbol is coded bit by bit, highest first, by the sums in the heap of its distribution. The coder
has 32 bits and is that of `ncodec.lossless.mixing`.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
from collections.abc import Callable, Iterator

import numpy as np

from ncodec.errors import FormatError
from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array
from ncodec.lossless.neural.exact import inlined

Progress = Callable[[int], None]
"""called with the bytes, before packing, that were done since the last call"""
DENSEST = 64
"""most bytes that a byte of code may stand for: more would let a small file take minutes, and
LZMA2 packs what is so plain as well"""
PIECE = 2**16
"""bytes between two calls of `Progress`, about"""
NOTHING = np.zeros(0, dtype=np.uint8)
ROOM = 40
"""most bytes that a symbol of 9 bits, of 4 bytes each, and the end of the code can take"""


@inlined
def chance_of_one(heap, row, node):
    """Probability, in units of 2⁻¹⁶, that the next bit of a symbol is 1; `node` are the bits so
    far after a leading 1."""
    one = (np.int64(heap[row, 2 * node + 1]) << 16) // np.int64(heap[row, node])
    return min(np.int64(65535), max(np.int64(1), one))


@inlined
def _source_byte(source, at):
    return np.int64(source[at]) if at < source.size else np.int64(0)


@exact_kernel
def code_symbol(coder, source, out, heap, row, symbol, decoding):
    """Code a symbol by a row of `heap`, or decode one, and return it.

    coder: (4,) int64, low and high end of the interval, code, and bytes read or written. −1 where
    `out` has no room, or where `source` ended before.
    """
    low, high, code, done = coder[0], coder[1], coder[2], coder[3]
    if done > source.size if decoding else done + ROOM > out.size:
        return np.int64(-1)
    size = heap.shape[1] >> 1
    node = np.int64(1)
    shift = size >> 1
    while shift:
        chance = chance_of_one(heap, row, node)
        span = high - low
        middle = low + (span >> 16) * chance + (((span & 0xFFFF) * chance) >> 16)
        bit = (1 if code <= middle else 0) if decoding else (1 if symbol & shift else 0)
        if bit:
            high = middle
        else:
            low = middle + 1
        while (low ^ high) & 0xFF000000 == 0:
            if decoding:
                code = ((code << 8) & 0xFFFFFFFF) | _source_byte(source, done)
            else:
                out[done] = high >> 24
            done += 1
            low, high = (low << 8) & 0xFFFFFFFF, ((high << 8) & 0xFFFFFFFF) | 255
        node = 2 * node + bit
        shift >>= 1
    coder[0], coder[1], coder[2], coder[3] = low, high, code, done
    return node - size


def encoder() -> Array:
    """State of a coder before the first symbol."""
    return np.array([0, 0xFFFFFFFF, 0, 0], dtype=np.int64)


def source_of(code: bytes) -> Array:
    """Code as kernels take it: writable, for they would be compiled again for what is not."""
    return np.frombuffer(bytearray(code), np.uint8)


def decoder(source: Array) -> Array:
    """State of a decoder before the first symbol."""
    return np.array([0, 0xFFFFFFFF, int.from_bytes(source[:4].tobytes(), "big"), 4], np.int64)


def finished(coder: Array, out: Array) -> bytes:
    """Code of all symbols, for which `code_symbol` found room."""
    done, high = int(coder[3]), int(coder[1])
    return out[:done].tobytes() + high.to_bytes(4, "big")


def useful(code: bytes, size: int) -> bytes:
    """Code of `size` bytes; none where it is no smaller, or so small that readers refuse it."""
    return code if len(code) < size <= DENSEST * len(code) else b""


def check_size(size: int, code: bytes) -> None:
    """Raise FormatError unless code may stand for so many bytes."""
    if not 0 < size <= DENSEST * len(code):
        least = size // DENSEST + 1
        msg = f"expected at least {least:,} bytes of code, got {len(code):,}: the file is damaged"
        raise FormatError(msg)


def check_end(coder: Array, source: Array) -> None:
    """Raise FormatError unless all of the code was read, and no more."""
    if coder[3] != source.size:
        msg = f"expected all {source.size:,} bytes of a code to be used, got "
        msg += "fewer" if coder[3] < source.size else "an end before the last symbol"
        raise FormatError(msg + ": the file is damaged")


def pieces(steps: int, size: int, progress: Progress) -> Iterator[range]:
    """Ranges of the steps that code `size` bytes in all; each is reported when it is over."""
    length = max(1, PIECE * steps // max(1, size))
    for first in range(0, steps, length):
        last = min(steps, first + length)
        yield range(first, last)
        progress(size * last // steps - size * first // steps)
