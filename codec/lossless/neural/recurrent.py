"""Recurrent coding (method nncp): an LSTM that learns while it codes foretells the next symbol.

After NNCP (Bellard 2019, 2021) and the LSTM of cmix (Knoll): a dictionary, layers of gated cells, a
softmax that sees every layer, truncated backpropagation, Adam without momentum. Ours is smaller,
has one stream, no dropout and no second pass, and adds direct connections (Mikolov et al. 2011).
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import math
import struct
from typing import NamedTuple

import numpy as np

from ncodec.errors import FormatError
from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array
from ncodec.lossless.neural.cells import descend_symbols, step_cells, step_cells_back
from ncodec.lossless.neural.coding import (
    NOTHING,
    ROOM,
    Progress,
    check_end,
    check_size,
    code_symbol,
    decoder,
    encoder,
    finished,
    pieces,
    source_of,
    useful,
)
from ncodec.lossless.neural.dictionary import LONGEST, expanded, learned, texts_of
from ncodec.lossless.neural.direct import add_direct, descend_direct, direct_table, hash_contexts
from ncodec.lossless.neural.exact import (
    ZERO,
    add_product,
    advance,
    descend,
    descend_bias,
    distribution,
    fresh_step,
    subtract_truth,
    transpose,
    uniform,
)

LAYERS, CELLS, HORIZON = 3, 96, 16
"""layers, cells of each, and steps between two updates, over which gradients go back"""
PAIRS, ORDERS, MOST_ROWS = 256, 4, 16
"""symbols beside the bytes, direct connections, and logarithm of their most rows"""
_DECAY, _RATES = 0.0005, (0.02, 0.0005, 0.0005)
_HEAD = struct.Struct("<IH")
"""symbols and pairs"""


class Net(NamedTuple):
    """Weights, and what the last steps left: row t of h and c is the state before step t, row t of
    the rest belongs to step t. A layer's gates are 3 · cells columns."""

    own: Array
    """(layers, cells, gates), from the layer's last state"""
    below: Array
    """(layers, cells, gates), from the layer below"""
    from_symbol: Array
    """(layers, symbols, gates), from the last symbol"""
    gain: Array
    shift: Array
    """(layers, 1, gates), of the normalised inputs"""
    top: Array
    """(layers, cells, symbols), from every layer to the logits"""
    bias: Array
    """(1, 1, symbols)"""
    squares: tuple[Array, ...]
    """mean squares of the gradients of these seven"""
    turned: tuple[Array, ...]
    """own, below and top, transposed"""
    direct: Array
    uses: Array
    """of `direct_table`"""
    keys: Array
    """(horizon, orders), rows of `direct`"""
    h: Array
    c: Array
    """(layers, horizon + 1, cells), states and cells"""
    tanh_c: Array
    """(layers, horizon, cells)"""
    gates: Array
    normal: Array
    """(layers, horizon, gates), and their normalised inputs"""
    scale: Array
    """(layers, horizon, 3), factors of the normalisation"""
    last: Array
    """(orders,) or (1,) int32, the last symbols, newest first"""
    given: Array
    truth: Array
    """(horizon,) int32, symbols before and after a step"""
    logits: Array
    heap: Array
    chances: Array
    """(horizon, symbols) or twice as wide, of `distribution`; chances become gradients"""
    dh: Array
    """(layers, horizon, cells), gradient of the states"""
    dc: Array
    """(cells,), of a layer's cells"""
    dn: Array
    """(horizon, gates), of a layer's normalised inputs"""
    da: Array
    """(layers, horizon, gates), of the inputs before they are normalised"""
    gradient: Array
    """of a row of weights"""
    step: Array
    """of `fresh_step`"""


def fresh(symbols: int, size: int, orders: int = ORDERS) -> Net:
    """A network that knows nothing, for `size` symbols, out of a power of 2 of them.

    Its direct connections take up to 2¹⁶ rows of 4 · symbols bytes.
    """
    layers, cells, horizon, gates = LAYERS, CELLS, HORIZON, 3 * CELLS
    bound = 1 / math.sqrt(cells)
    shift = _zeros(layers, 1, gates)
    shift[:, :, :cells] = 1
    weights = (
        uniform((layers, cells, gates), bound, 1),
        uniform((layers, cells, gates), bound, 2),
        uniform((layers, symbols, gates), 0.5, 3),
        np.ones((layers, 1, gates), np.float32),
        shift,
        uniform((layers, cells, symbols), 0.2 * bound, 4),
        _zeros(1, 1, symbols),
    )
    direct, uses = direct_table(size, symbols, MOST_ROWS if orders else 0)
    return Net(
        *weights,
        squares=tuple(np.zeros_like(w) for w in weights),
        turned=tuple(np.ascontiguousarray(np.swapaxes(weights[i], 1, 2)) for i in (0, 1, 5)),
        direct=direct,
        uses=uses,
        keys=np.zeros((horizon, orders), np.int64),
        h=_zeros(layers, horizon + 1, cells),
        c=_zeros(layers, horizon + 1, cells),
        tanh_c=_zeros(layers, horizon, cells),
        gates=_zeros(layers, horizon, gates),
        normal=_zeros(layers, horizon, gates),
        scale=_zeros(layers, horizon, 3),
        last=np.zeros(max(1, orders), np.int32),
        given=np.zeros(horizon, np.int32),
        truth=np.zeros(horizon, np.int32),
        logits=_zeros(horizon, symbols),
        heap=np.zeros((horizon, 2 * symbols), np.int32),
        chances=_zeros(horizon, symbols),
        dh=_zeros(layers, horizon, cells),
        dc=_zeros(cells),
        dn=_zeros(horizon, gates),
        da=_zeros(layers, horizon, gates),
        gradient=_zeros(max(gates, symbols)),
        step=fresh_step(_DECAY, _RATES),
    )


def _zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


@exact_kernel
def forward(net, t):
    """Foretell the symbol after `net.last`, at step t below the horizon: fill row t of net.heap and
    net.chances."""
    net.given[t] = net.last[0]
    for layer in range(net.h.shape[0]):
        normal, from_symbol = net.normal[layer], net.from_symbol[layer]
        for j in range(normal.shape[1]):
            normal[t, j] = from_symbol[net.last[0], j]
        add_product(normal, t, net.h[layer], t, 1, net.own[layer])
        if layer:
            add_product(normal, t, net.h[layer - 1], t + 1, 1, net.below[layer])
        scale, gates, gain, shift = net.scale[layer], net.gates[layer], net.gain[layer], net.shift
        h, c, tanh_c = net.h[layer], net.c[layer], net.tanh_c[layer]
        step_cells(t, normal, scale, gates, gain, shift[layer], h, c, tanh_c)
    for j in range(net.logits.shape[1]):
        net.logits[t, j] = net.bias[0, 0, j]
    hash_contexts(net.keys, t, net.last, net.direct.shape[0] - 1)
    add_direct(net.logits, t, net.direct, net.keys)
    for layer in range(net.h.shape[0]):
        add_product(net.logits, t, net.h[layer], t + 1, 1, net.top[layer])
    distribution(net.logits, t, net.heap, net.chances)


@exact_kernel
def take(net, t, symbol):
    """Note the symbol that followed step t, train at the horizon; returns the next step."""
    net.truth[t] = symbol
    for order in range(net.last.size - 1, 0, -1):
        net.last[order] = net.last[order - 1]
    net.last[0] = symbol
    if t + 1 < net.truth.size:
        return t + 1
    _learn(net)
    return 0


@exact_kernel
def _learn(net):
    """Train by the symbols that followed the steps, and make the last state the first."""
    rows, layers = net.truth.size, net.h.shape[0]
    gradient, step, squares = net.gradient, net.step, net.squares
    subtract_truth(net.chances, net.truth)
    advance(step)
    for layer in range(layers):
        net.dh[layer, :, :] = ZERO
        add_product(net.dh[layer], 0, net.chances, 0, rows, net.turned[2][layer])
    for layer in range(layers - 1, -1, -1):
        _layer_back(net, layer)
        _train_layer(net, layer)
    for layer in range(layers):
        h, top = net.h[layer], net.top[layer]
        descend(top, squares[5][layer], h, 1, net.chances, 0, rows, gradient, step)
        transpose(top, net.turned[2][layer])
        h[0] = h[rows]
        net.c[layer, 0] = net.c[layer, rows]
    descend_direct(net.direct, net.uses, net.keys, net.chances, rows)
    descend_bias(net.bias[0], squares[6][0], net.chances, rows, gradient, step)


@exact_kernel
def _layer_back(net, layer):
    """Take gradients back through the steps of a layer, and into the layer below."""
    rows, da, dh, dc = net.truth.size, net.da[layer], net.dh[layer], net.dc
    gates, normal, scale, gain = net.gates[layer], net.normal[layer], net.scale[layer], net.gain
    c, tanh_c, own = net.c[layer], net.tanh_c[layer], net.turned[0][layer]
    dc[:] = ZERO
    for t in range(rows - 1, -1, -1):
        step_cells_back(t, gates, normal, scale, gain[layer], c, tanh_c, dh, dc, net.dn, da)
        if t:
            add_product(dh, t - 1, da, t, 1, own)
    if layer:
        add_product(net.dh[layer - 1], 0, da, 0, rows, net.turned[1][layer])


@exact_kernel
def _train_layer(net, layer):
    rows, da, dn, gradient, step = net.truth.size, net.da[layer], net.dn, net.gradient, net.step
    own, below, squares = net.own[layer], net.below[layer], net.squares
    descend_bias(net.shift[layer], squares[4][layer], dn, rows, gradient, step)
    descend(own, squares[0][layer], net.h[layer], 0, da, 0, rows, gradient, step)
    transpose(own, net.turned[0][layer])
    if layer:
        descend(below, squares[1][layer], net.h[layer - 1], 1, da, 0, rows, gradient, step)
        transpose(below, net.turned[1][layer])
    descend_symbols(net.from_symbol[layer], squares[2][layer], net.given, da, gradient, step)
    for m in range(rows):
        for j in range(dn.shape[1]):
            dn[m, j] *= net.normal[layer, m, j]
    descend_bias(net.gain[layer], squares[3][layer], dn, rows, gradient, step)


@exact_kernel
def _code(coder, source, symbols, out, decoding, first, last, net):
    """Code symbols from `first` to `last`, or decode them; whether there was room or code."""
    for at in range(first, last):
        t = at % net.truth.size
        forward(net, t)
        symbol = np.int64(symbols[at])
        symbol = code_symbol(coder, source, out, net.heap, t, symbol, decoding)
        if symbol < 0:
            return False
        symbols[at] = symbol
        take(net, t, symbol)
    return True


def _room_for(pairs: int) -> int:
    """Symbols of a network, a power of 2, for a dictionary of so many pairs."""
    return 1 << (255 + pairs).bit_length()


def encode(data: bytes, *, progress: Progress = lambda _done: None) -> bytes:
    """Code of bytes: symbols, pairs, the pairs, and the symbols; none where it is no smaller."""
    symbols, pairs = learned(data, PAIRS)
    net, coder = fresh(_room_for(len(pairs)), symbols.size), encoder()
    out = np.empty(len(data) + ROOM, np.uint8)
    for piece in pieces(symbols.size, len(data), progress):
        if not _code(coder, NOTHING, symbols, out, False, piece.start, piece.stop, net):
            return b""
    head = _HEAD.pack(symbols.size, len(pairs)) + pairs.astype("<u2").tobytes()
    code = head + finished(coder, out)
    return useful(code, len(data))


def decode(code: bytes, size: int, *, progress: Progress = lambda _done: None) -> bytes:
    """The `size` bytes of a code; raises FormatError for damage."""
    check_size(size, code)
    count, merged = _HEAD.unpack_from(code.ljust(_HEAD.size, b"\0"))
    body = code[_HEAD.size + 4 * merged :]
    whole = len(code) >= _HEAD.size + 4 * merged
    if merged > PAIRS or not whole or not size <= count * LONGEST <= size * LONGEST:
        msg = f"expected up to {PAIRS} pairs and {size:,} symbols, got {merged} and {count:,}: the "
        raise FormatError(msg + "file is damaged")
    pairs = np.frombuffer(code, "<u2", 2 * merged, _HEAD.size).reshape(-1, 2)
    texts = texts_of(pairs)
    net, source = fresh(_room_for(merged), count), source_of(body)
    symbols, coder = np.zeros(count, np.uint16), decoder(source)
    for piece in pieces(count, size, progress):
        if not _code(coder, source, symbols, NOTHING, True, piece.start, piece.stop, net):
            break
    check_end(coder, source)
    return expanded(symbols, texts, size)
