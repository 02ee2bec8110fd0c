"""Direct connections: hashed contexts of the last symbols that add to the logits by themselves.

They are the maximum entropy part of a recurrent network (Mikolov et al. 2011), which learns rare
contexts at once, while the layers learn what is general. Ours differ in that a context has a row
of logits for all symbols, not a hashed weight for each, and that nothing detects collisions.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array
from ncodec.lossless.neural.exact import ONE, f32

_FIRST_RATE, _LEAST_RATE = f32(0.6), f32(0.03)
"""learning rate at a context's first use, and at least"""
_CONTEXTS_OF_A_SYMBOL = 4
"""rows that a symbol of the data gets, while there are fewer than the most"""


def direct_table(size: int, symbols: int, most: int) -> tuple[Array, Array]:
    """Connections for data of `size` symbols, and how often each row was used.

    (rows, symbols) and (rows,) float32; rows is a power of 2, from 2⁸ to 2^most.
    """
    rows = 1 << min(most, max(8, (_CONTEXTS_OF_A_SYMBOL * size).bit_length()))
    return np.zeros((rows, symbols), dtype=f32), np.zeros(rows, dtype=f32)


@exact_kernel
def hash_contexts(keys, row, last, mask):
    """Find the rows of the contexts of the last 1, 2, 3… symbols, of which last[0] is the
    newest."""
    key = np.int64(1)
    for order in range(keys.shape[1]):
        key = (key + last[order] + 1) * 0x2545F4914F6CDD1D
        key ^= (key >> 29) & 0x7FFFFFFFF
        keys[row, order] = ((key * 0x1B873593CC9E2D51 + order) >> 20) & mask


@exact_kernel
def add_direct(logits, row, direct, keys):
    """Add the rows of the contexts to a row of logits."""
    for order in range(keys.shape[1]):
        key = keys[row, order]
        for j in range(logits.shape[1]):
            logits[row, j] += direct[key, j]


@exact_kernel
def descend_direct(direct, uses, keys, d, rows):
    """Train the rows of all contexts by gradients of the logits, one after another.

    The learning rate of a row falls with the root of its uses.
    """
    for m in range(rows):
        for order in range(keys.shape[1]):
            key = keys[m, order]
            uses[key] += ONE
            rate = max(_FIRST_RATE / np.sqrt(uses[key]), _LEAST_RATE)
            for j in range(direct.shape[1]):
                direct[key, j] -= rate * d[m, j]
