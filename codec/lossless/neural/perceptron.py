"""Feed-forward network over embeddings of the last bytes, whose logits add to those of another.

Embeddings, normalised to a root mean square of 1, go through one rectified layer to the logits.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array
from ncodec.lossless.neural.direct import add_direct, descend_direct, direct_table, hash_contexts
from ncodec.lossless.neural.exact import (
    ONE,
    ZERO,
    adam_row,
    add_product,
    advance,
    descend,
    descend_bias,
    distribution,
    f32,
    fresh_step,
    rectify,
    rectify_back,
    subtract_truth,
    transpose,
    uniform,
)

MOST_ROWS = 17
"""logarithm of the most rows of direct connections"""
_LEAST_SQUARE = f32(1e-3)


@dataclass(frozen=True)
class Shape:
    """Size of a network, and how it learns."""

    context: int
    """bytes that it sees"""
    embedding: int
    hidden: int
    tables: int
    """of embeddings: one, or one for each place of the context"""
    orders: int
    """direct connections"""
    decay: float
    rates: tuple[float, float, float]
    """of `fresh_step`"""
    seed: int


class Net(NamedTuple):
    """Weights, and what the last steps left, a row each."""

    embeddings: Array
    """(tables · 256, embedding)"""
    wide: Array
    wide_bias: Array
    """(context · embedding, hidden) and (1, hidden)"""
    top: Array
    bias: Array
    """(hidden, 256) and (1, 256)"""
    trust: Array
    """(1, 256), factors of the other network's logits"""
    squares: tuple[Array, ...]
    """mean squares of the gradients of these six"""
    turned: tuple[Array, ...]
    """wide and top, transposed"""
    direct: Array
    uses: Array
    """of `direct_table`"""
    keys: Array
    """(rows, orders), rows of `direct`"""
    given: Array
    """(rows, context) int32, the last bytes, newest first"""
    truth: Array
    """(rows,) int32, the byte that followed, −1 behind the end"""
    inputs: Array
    scale: Array
    """(rows, context · embedding), normalised embeddings, and (rows,) factors of that"""
    hidden: Array
    """(rows, hidden)"""
    other: Array
    """(rows, 256), logits of the other network, or zeros"""
    logits: Array
    heap: Array
    chances: Array
    """(rows, 256 or 512), of `distribution`; chances become gradients"""
    d_inputs: Array
    d_hidden: Array
    """gradients of inputs and hidden"""
    gradient: Array
    """of a row of weights"""
    step: Array
    """of `fresh_step`"""


def fresh(shape: Shape, rows: int, size: int) -> Net:
    """A network that knows nothing, whose direct connections suit `size` bytes, up to 134 MB."""
    width, hidden = shape.context * shape.embedding, shape.hidden
    weights = (
        uniform((256 * shape.tables, shape.embedding), 1, shape.seed),
        uniform((width, hidden), 1.5 / math.sqrt(width), shape.seed + 1),
        _zeros(1, hidden),
        uniform((hidden, 256), 0.2 / math.sqrt(hidden), shape.seed + 2),
        _zeros(1, 256),
        np.ones((1, 256), np.float32),
    )
    direct, uses = direct_table(size, 256, MOST_ROWS if shape.orders else 0)
    return Net(
        *weights,
        squares=tuple(np.zeros_like(w) for w in weights),
        turned=tuple(np.ascontiguousarray(weights[i].T) for i in (1, 3)),
        direct=direct,
        uses=uses,
        keys=np.zeros((rows, shape.orders), np.int64),
        given=np.zeros((rows, shape.context), np.int32),
        truth=np.zeros(rows, np.int32),
        inputs=_zeros(rows, width),
        scale=_zeros(rows),
        hidden=_zeros(rows, hidden),
        other=_zeros(rows, 256),
        logits=_zeros(rows, 256),
        heap=np.zeros((rows, 512), np.int32),
        chances=_zeros(rows, 256),
        d_inputs=_zeros(rows, width),
        d_hidden=_zeros(rows, hidden),
        gradient=_zeros(max(hidden, 256)),
        step=fresh_step(shape.decay, shape.rates),
    )


def _zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


def own_weights(net: Net) -> tuple[Array, ...]:
    """The five arrays of weights by which a network foretells without the help of another."""
    return net.embeddings, net.wide, net.wide_bias, net.top, net.bias


@exact_kernel
def _normalise(a, row):
    """Divide a row by its root mean square; returns the factor."""
    s, t = _LEAST_SQUARE, ZERO
    for j in range(0, a.shape[1], 2):
        s += a[row, j] * a[row, j]
        t += a[row, j + 1] * a[row, j + 1]
    factor = ONE / np.sqrt((s + t) / f32(a.shape[1]))
    for j in range(a.shape[1]):
        a[row, j] *= factor
    return factor


@exact_kernel
def forward(net, row, rows):
    """Foretell what follows the bytes in rows of net.given, with the logits in net.other: fill the
    rows of net.heap and net.chances."""
    context, embedding = net.given.shape[1], net.embeddings.shape[1]
    for m in range(row, row + rows):
        for g in range(context):
            for j in range(embedding):
                byte = (g * 256 + net.given[m, g]) % net.embeddings.shape[0]
                net.inputs[m, g * embedding + j] = net.embeddings[byte, j]
        net.scale[m] = _normalise(net.inputs, m)
        net.hidden[m, :] = net.wide_bias[0]
        for j in range(256):
            net.logits[m, j] = net.bias[0, j] + net.trust[0, j] * net.other[m, j]
        hash_contexts(net.keys, m, net.given[m], net.direct.shape[0] - 1)
        add_direct(net.logits, m, net.direct, net.keys)
    add_product(net.hidden, row, net.inputs, row, rows, net.wide)
    rectify(net.hidden, row, rows)
    add_product(net.logits, row, net.hidden, row, rows, net.top)
    for m in range(row, row + rows):
        distribution(net.logits, m, net.heap, net.chances)


@exact_kernel
def learn(net):
    """Update all weights once by net.truth, after `forward` filled every row.

    Rows of truth −1 count as zero. net.chances is overwritten by gradients.
    """
    rows, d, d_hidden, d_inputs = net.truth.size, net.chances, net.d_hidden, net.d_inputs
    squares, gradient, step = net.squares, net.gradient, net.step
    subtract_truth(d, net.truth)
    advance(step)
    d_hidden[:, :] = ZERO
    d_inputs[:, :] = ZERO
    add_product(d_hidden, 0, d, 0, rows, net.turned[1])
    rectify_back(d_hidden, net.hidden, rows)
    add_product(d_inputs, 0, d_hidden, 0, rows, net.turned[0])
    descend(net.wide, squares[1], net.inputs, 0, d_hidden, 0, rows, gradient, step)
    descend_bias(net.wide_bias, squares[2], d_hidden, rows, gradient, step)
    descend(net.top, squares[3], net.hidden, 0, d, 0, rows, gradient, step)
    descend_bias(net.bias, squares[4], d, rows, gradient, step)
    descend_direct(net.direct, net.uses, net.keys, d, rows)
    for m in range(rows):
        for j in range(256):
            d[m, j] *= net.other[m, j]
    descend_bias(net.trust, squares[5], d, rows, gradient, step)
    transpose(net.wide, net.turned[0])
    transpose(net.top, net.turned[1])
    _learn_embeddings(net, rows)


@exact_kernel
def _learn_embeddings(net, rows):
    """Train the embeddings of the bytes that occurred, by one row after another."""
    width, embedding = net.inputs.shape[1], net.embeddings.shape[1]
    for m in range(rows):
        s = ZERO
        for j in range(width):
            s += net.d_inputs[m, j] * net.inputs[m, j]
        mean = s / f32(width)
        for j in range(width):
            net.d_inputs[m, j] = net.scale[m] * (net.d_inputs[m, j] - net.inputs[m, j] * mean)
        for g in range(net.given.shape[1]):
            for j in range(embedding):
                net.gradient[j] = net.d_inputs[m, g * embedding + j]
            byte = (g * 256 + net.given[m, g]) % net.embeddings.shape[0]
            adam_row(net.embeddings, net.squares[0], net.gradient, byte, net.step)
