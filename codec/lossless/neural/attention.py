"""Attention coding (method trace): a transformer that learns while it codes foretells the byte.

After TRACE (Mao et al. 2022): a token is the embeddings of four bytes, and one layer of attention
looks at the last eight tokens. Ours has a position added to keys only, one normalisation, a
feed-forward layer with a path past it to the logits, and direct connections (Mikolov et al. 2011);
it codes four parts of the data side by side, and learns less often once it knows the data.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import math
from typing import NamedTuple

import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array
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
from ncodec.lossless.neural.direct import add_direct, descend_direct, direct_table, hash_contexts
from ncodec.lossless.neural.exact import (
    ZERO,
    adam_row,
    add_product,
    advance,
    descend,
    descend_bias,
    distribution,
    fresh_step,
    rectify,
    rectify_back,
    subtract_truth,
    transpose,
    uniform,
)
from ncodec.lossless.neural.heads import (
    GROUP,
    HEADS,
    SLOTS,
    WIDTH,
    attend,
    attend_back,
    normalise,
    normalise_back,
)

STREAMS, SEGMENT, EVERY, EAGER = 4, 8, 2, 50_000
"""parts of the data, steps of each between two updates; after EAGER bytes the network, save its
direct connections, learns from one segment in EVERY"""
EMBEDDING, HIDDEN, MOST_ROWS = WIDTH // GROUP, 384, 17
"""columns of an embedding and of the feed-forward layer, logarithm of the most direct rows"""
_ROWS, _PAST = SEGMENT * STREAMS, GROUP * SLOTS * STREAMS
_DECAY, _RATES = 0.002, (0.002, 0.0005, 0.0003)


class Net(NamedTuple):
    """Weights, and what the steps of a segment left in rows: step · streams + stream."""

    embeddings: Array
    """(256, embedding), of the bytes"""
    places: Array
    """(slots, width), added to keys by distance"""
    attend: Array
    """(width, 3 · width), from tokens to queries, keys and values"""
    wide: Array
    wide_bias: Array
    """(width, hidden) and (1, hidden), to the feed-forward layer"""
    top: Array
    skip: Array
    bias: Array
    """(hidden, 256), (width, 256) and (1, 256), to the logits"""
    squares: tuple[Array, ...]
    """mean squares of the gradients of these eight"""
    turned: tuple[Array, ...]
    """attend, wide, top and skip, transposed"""
    direct: Array
    uses: Array
    """of `direct_table`"""
    keys: Array
    """(rows, group), rows of `direct`"""
    last: Array
    """(streams, group) int32, the last bytes, newest first"""
    given: Array
    """(rows, group) int32, the bytes of a token"""
    truth: Array
    """(rows,) int32, the byte that followed, −1 behind the end"""
    tokens: Array
    qkv: Array
    """(past + rows, width or 3 · width), after those of the segments before"""
    shares: Array
    """(rows, heads · slots), of attention"""
    normal: Array
    scale: Array
    """(rows, width), attention and token, normalised, and (rows,) factors of that"""
    hidden: Array
    """(rows, hidden)"""
    logits: Array
    heap: Array
    chances: Array
    """(rows, 256 or 512), of `distribution`; chances become gradients"""
    d_qkv: Array
    d_normal: Array
    d_hidden: Array
    d_embeddings: Array
    d_places: Array
    """gradients; d_normal becomes that of the tokens"""
    gradient: Array
    """of a row of weights"""
    step: Array
    """of `fresh_step`"""


def fresh(size: int) -> Net:
    """A network that knows nothing, for `size` bytes; its direct connections take up to 134 MB."""
    bound = 1 / math.sqrt(WIDTH)
    weights = (
        uniform((256, EMBEDDING), 1, 1),
        uniform((SLOTS, WIDTH), 0.5, 2),
        uniform((WIDTH, 3 * WIDTH), bound, 3),
        uniform((WIDTH, HIDDEN), bound, 4),
        _zeros(1, HIDDEN),
        uniform((HIDDEN, 256), 0.2 / math.sqrt(HIDDEN), 5),
        uniform((WIDTH, 256), 0.2 * bound, 6),
        _zeros(1, 256),
    )
    direct, uses = direct_table(size, 256, MOST_ROWS)
    return Net(
        *weights,
        squares=tuple(np.zeros_like(w) for w in weights),
        turned=tuple(np.ascontiguousarray(weights[i].T) for i in (2, 3, 5, 6)),
        direct=direct,
        uses=uses,
        keys=np.zeros((_ROWS, GROUP), np.int64),
        last=np.zeros((STREAMS, GROUP), np.int32),
        given=np.zeros((_ROWS, GROUP), np.int32),
        truth=np.zeros(_ROWS, np.int32),
        tokens=_zeros(_PAST + _ROWS, WIDTH),
        qkv=_zeros(_PAST + _ROWS, 3 * WIDTH),
        shares=_zeros(_ROWS, HEADS * SLOTS),
        normal=_zeros(_ROWS, WIDTH),
        scale=_zeros(_ROWS),
        hidden=_zeros(_ROWS, HIDDEN),
        logits=_zeros(_ROWS, 256),
        heap=np.zeros((_ROWS, 512), np.int32),
        chances=_zeros(_ROWS, 256),
        d_qkv=_zeros(_PAST + _ROWS, 3 * WIDTH),
        d_normal=_zeros(_ROWS, WIDTH),
        d_hidden=_zeros(_ROWS, HIDDEN),
        d_embeddings=_zeros(256, EMBEDDING),
        d_places=_zeros(SLOTS, WIDTH),
        gradient=_zeros(max(HIDDEN, 3 * WIDTH)),
        step=fresh_step(_DECAY, _RATES),
    )


def _zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


@exact_kernel
def _forward(net, t):
    """Foretell the bytes of all streams at step t of a segment: fill rows of heap and chances."""
    first = t * STREAMS
    tokens, qkv, normal, hidden, logits = net.tokens, net.qkv, net.normal, net.hidden, net.logits
    for b in range(STREAMS):
        row = first + b
        for g in range(GROUP):
            byte = net.last[b, g]
            net.given[row, g] = byte
            for j in range(EMBEDDING):
                tokens[_PAST + row, g * EMBEDDING + j] = net.embeddings[byte, j]
        qkv[_PAST + row, :] = ZERO
        normal[row, :] = tokens[_PAST + row]
    add_product(qkv, _PAST + first, tokens, _PAST + first, STREAMS, net.attend)
    for b in range(STREAMS):
        row = first + b
        attend(qkv, net.places, row, _PAST + row, GROUP * STREAMS, net.shares, normal)
        net.scale[row] = normalise(normal, row)
        hidden[row, :] = net.wide_bias[0]
        logits[row, :] = net.bias[0]
        hash_contexts(net.keys, row, net.last[b], net.direct.shape[0] - 1)
        add_direct(logits, row, net.direct, net.keys)
    add_product(hidden, first, normal, first, STREAMS, net.wide)
    rectify(hidden, first, STREAMS)
    add_product(logits, first, hidden, first, STREAMS, net.top)
    add_product(logits, first, normal, first, STREAMS, net.skip)
    for b in range(STREAMS):
        distribution(logits, first + b, net.heap, net.chances)


@exact_kernel
def _back(net):
    """Take the gradients of the logits back to queries, keys, values and tokens."""
    d, normal, qkv, places, shares = net.chances, net.normal, net.qkv, net.places, net.shares
    d_hidden, d_normal = net.d_hidden, net.d_normal
    d_qkv, d_places = net.d_qkv, net.d_places
    d_hidden[:, :] = ZERO
    d_normal[:, :] = ZERO
    d_qkv[:, :] = ZERO
    d_places[:, :] = ZERO
    add_product(d_hidden, 0, d, 0, _ROWS, net.turned[2])
    rectify_back(d_hidden, net.hidden, _ROWS)
    add_product(d_normal, 0, d, 0, _ROWS, net.turned[3])
    add_product(d_normal, 0, d_hidden, 0, _ROWS, net.turned[1])
    for m in range(_ROWS):
        normalise_back(d_normal, normal, m, net.scale[m])
        attend_back(qkv, places, m, GROUP * STREAMS, _PAST, shares, d_normal, d_qkv, d_places)
    add_product(d_normal, 0, d_qkv, _PAST, _ROWS, net.turned[0])


@exact_kernel
def _learn(net, whole):
    """Train by the bytes that followed, the `whole` network or only its direct connections, and
    begin the next segment."""
    subtract_truth(net.chances, net.truth)
    descend_direct(net.direct, net.uses, net.keys, net.chances, _ROWS)
    if whole:
        _back(net)
        _train(net)
    for m in range(_PAST):
        net.tokens[m, :] = net.tokens[m + _ROWS]
        net.qkv[m, :] = net.qkv[m + _ROWS]


@exact_kernel
def _train(net):
    d, gradient, step, squares = net.chances, net.gradient, net.step, net.squares
    tokens, normal, turned = net.tokens, net.normal, net.turned
    advance(step)
    descend(net.attend, squares[2], tokens, _PAST, net.d_qkv, _PAST, _ROWS, gradient, step)
    descend(net.wide, squares[3], normal, 0, net.d_hidden, 0, _ROWS, gradient, step)
    descend_bias(net.wide_bias, squares[4], net.d_hidden, _ROWS, gradient, step)
    descend(net.top, squares[5], net.hidden, 0, d, 0, _ROWS, gradient, step)
    descend(net.skip, squares[6], normal, 0, d, 0, _ROWS, gradient, step)
    descend_bias(net.bias, squares[7], d, _ROWS, gradient, step)
    net.d_embeddings[:, :] = ZERO
    for m in range(_ROWS):
        for g in range(GROUP):
            for j in range(EMBEDDING):
                net.d_embeddings[net.given[m, g], j] += net.d_normal[m, g * EMBEDDING + j]
    for byte in range(256):
        adam_row(net.embeddings, squares[0], net.d_embeddings[byte], byte, step)
    for slot in range(SLOTS):
        adam_row(net.places, squares[1], net.d_places[slot], slot, step)
    transpose(net.attend, turned[0])
    transpose(net.wide, turned[1])
    transpose(net.top, turned[2])
    transpose(net.skip, turned[3])


@exact_kernel
def _code(coder, source, data, out, decoding, first, last, net):
    """Code steps from `first` to `last` of all streams, or decode them; whether there was room or
    code. Stream b holds the b-th part of the data."""
    part = (data.size + STREAMS - 1) // STREAMS
    for at in range(first, last):
        t = at % SEGMENT
        _forward(net, t)
        for b in range(STREAMS):
            place, row = b * part + at, t * STREAMS + b
            net.truth[row] = -1
            if place < data.size:
                byte = np.int64(data[place])
                byte = code_symbol(coder, source, out, net.heap, row, byte, decoding)
                if byte < 0:
                    return False
                data[place] = net.truth[row] = byte
                for g in range(GROUP - 1, 0, -1):
                    net.last[b, g] = net.last[b, g - 1]
                net.last[b, 0] = byte
        if t == SEGMENT - 1:
            _learn(net, at * STREAMS < EAGER or at // SEGMENT % EVERY == 0)
    return True


def encode(data: bytes, *, progress: Progress = lambda _done: None) -> bytes:
    """Code of bytes; none where it is no smaller."""
    values, net, coder = np.frombuffer(data, np.uint8).copy(), fresh(len(data)), encoder()
    out = np.empty(len(data) + ROOM, np.uint8)
    for piece in pieces(-(-len(data) // STREAMS), len(data), progress):
        if not _code(coder, NOTHING, values, out, False, piece.start, piece.stop, net):
            return b""
    code = finished(coder, out)
    return useful(code, len(data))


def decode(code: bytes, size: int, *, progress: Progress = lambda _done: None) -> bytes:
    """The `size` bytes of a code; raises FormatError for damage."""
    check_size(size, code)
    source, data, net = source_of(code), np.zeros(size, np.uint8), fresh(size)
    coder = decoder(source)
    for piece in pieces(-(-size // STREAMS), size, progress):
        if not _code(coder, source, data, NOTHING, True, piece.start, piece.stop, net):
            break
    check_end(coder, source)
    return data.tobytes()
