"""Bootstrap coding (method dzip): a stored network and one that learns foretell the byte together.

After Dzip (Goyal et al. 2021): a small bootstrap is trained in passes over the data and stored, and
a larger supporter, trained while coding, adds to its logits. Ours has feed-forward layers over
embeddings of the last bytes where Dzip has GRUs, and direct connections (Mikolov et al. 2011) in
the supporter, beside which a bootstrap has never paid for its weights: it is stored when asked for.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.errors import FormatError
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
from ncodec.lossless.neural.exact import f32
from ncodec.lossless.neural.perceptron import Net, Shape, forward, fresh, learn, own_weights

STREAMS, SEGMENT = 2, 8
"""parts of the data, and steps of each between two updates of the supporter"""
BOOTSTRAP = Shape(8, 8, 48, 1, 0, 0.001, (0.004, 0.0002, 0.0002), 20)
SUPPORTER = Shape(16, 16, 256, 16, 4, 0.001, (0.003, 0.0005, 0.0003), 10)
PASSES, ROWS = 3, 32
"""of training the bootstrap, and parts of the data in which it learns at once"""
_FINENESS = 5.0
"""quantisation steps of a stored weight in the root mean square of its array"""
_STEPS = 5
"""arrays of stored weights, each with a step as float32"""


@exact_kernel
def _look_back(given, row, data, begin, at):
    """Fill a row with the bytes before `at`, newest first, and zeros before `begin`."""
    for g in range(given.shape[1]):
        given[row, g] = data[at - 1 - g] if at - 1 - g >= begin else 0


@exact_kernel
def _train(net, data, first, last):
    """Train a network by steps from `first` to `last`, a row in each of as many parts."""
    rows = net.given.shape[0]
    part = data.size // rows
    for at in range(first, last):
        for m in range(rows):
            _look_back(net.given, m, data, 0, m * part + at)
            net.truth[m] = data[m * part + at]
        forward(net, 0, rows)
        learn(net)


@exact_kernel
def _code_weights(coder, source, out, decoding, whole, counts):
    """Code weights from −128 to 127 by their adaptive frequencies, a heap, or decode them; whether
    there was room or code."""
    for i in range(whole.size):
        symbol = code_symbol(coder, source, out, counts, 0, whole[i] + 128, decoding)
        if symbol < 0:
            return False
        whole[i] = symbol - 128
        node = symbol + 256
        while node:
            counts[0, node] += 32
            node >>= 1
    return True


@exact_kernel
def _code(coder, source, data, out, decoding, first, last, assisted, small, net):
    """Code steps from `first` to `last` of all streams, or decode them; whether there was room or
    code. Stream b holds the b-th part of the data."""
    part = (data.size + STREAMS - 1) // STREAMS
    for at in range(first, last):
        row = at % SEGMENT * STREAMS
        for b in range(STREAMS):
            place = min(data.size, b * part + at)
            _look_back(net.given, row + b, data, b * part, place)
            if assisted:
                _look_back(small.given, b, data, b * part, place)
        if assisted:
            forward(small, 0, STREAMS)
            net.other[row : row + STREAMS] = small.logits[:STREAMS]
        forward(net, row, STREAMS)
        for b in range(STREAMS):
            place = b * part + at
            net.truth[row + b] = -1
            if place < data.size:
                byte = np.int64(data[place])
                byte = code_symbol(coder, source, out, net.heap, row + b, byte, decoding)
                if byte < 0:
                    return False
                data[place] = net.truth[row + b] = byte
        if row == (SEGMENT - 1) * STREAMS:
            learn(net)
    return True


def _code_bootstrap(
    coder: Array, source: Array, out: Array, decoding: bool, net: Net, steps: Array
) -> bool:
    """Quantise and code the weights of a bootstrap, or decode them; whether there was room or code.

    Every weight becomes what it is in a fresh network and a whole multiple of its array's step.
    """
    untrained = own_weights(fresh(BOOTSTRAP, ROWS, 0))
    for weights, start, step in zip(own_weights(net), untrained, steps, strict=True):
        counts = np.zeros((1, 512), np.int32)
        counts[0, 256:] = 1
        for node in range(255, 0, -1):
            counts[0, node] = counts[0, 2 * node] + counts[0, 2 * node + 1]
        whole = np.clip(np.rint((weights - start) / step), -127, 127).astype(np.int64).ravel()
        if not _code_weights(coder, source, out, decoding, whole, counts):
            return False
        weights[:] = start + (whole.astype(f32) * step).reshape(weights.shape)
    return True


def _code_all(
    coder: Array, source: Array, data: Array, out: Array, decoding: bool, steps: Array,
    progress: Progress, small: Net,
) -> bool:  # fmt: skip
    """Code bytes, or decode them; whether there was room or code."""
    assisted = steps.size > 0
    if assisted and not _code_bootstrap(coder, source, out, decoding, small, steps):
        return False
    net = fresh(SUPPORTER, SEGMENT * STREAMS, data.size)
    for piece in pieces(-(-data.size // STREAMS), data.size, progress):
        first, last = piece.start, piece.stop
        if not _code(coder, source, data, out, decoding, first, last, assisted, small, net):
            return False
    return True


def encode(
    data: bytes, *, progress: Progress = lambda _done: None, bootstrap: bool = False
) -> bytes:
    """Code of bytes: whether there is a bootstrap, its steps, its weights, and the bytes; none
    where it is no smaller.

    Training a bootstrap reports 0 bytes for every piece.
    """
    values, small, steps = np.frombuffer(data, np.uint8).copy(), fresh(BOOTSTRAP, ROWS, 0), NOTHING
    if bootstrap:
        for _ in range(PASSES):
            for piece in pieces(len(data) // ROWS, len(data), lambda _done: progress(0)):
                _train(small, values, piece.start, piece.stop)
        steps = np.array([_step_of(weights) for weights in own_weights(small)], dtype="<f4")
    coder, out = encoder(), np.empty(len(data) + ROOM, np.uint8)
    if not _code_all(coder, NOTHING, values, out, False, steps, progress, small):
        return b""
    code = bytes([bootstrap]) + steps.tobytes() + finished(coder, out)
    return useful(code, len(data))


def _step_of(weights: Array) -> float:
    return min(1.0, float(np.sqrt(np.mean(weights * weights))) / _FINENESS + 1e-6)


def decode(code: bytes, size: int, *, progress: Progress = lambda _done: None) -> bytes:
    """The `size` bytes of a code; raises FormatError for damage."""
    check_size(size, code)
    head = 1 + 4 * _STEPS if code[0] else 1
    steps = np.frombuffer(code[1:head].ljust(head - 1, b"\0"), "<f4").astype(f32)
    if code[0] > 1 or not np.all((steps > 0) & (steps <= 1)):
        msg = "expected a flag of 0 or 1 and steps of weights from 0 to 1, got "
        raise FormatError(msg + f"{code[:head].hex()}: the file is damaged")
    source, data = source_of(code[head:]), np.zeros(size, np.uint8)
    coder, small = decoder(source), fresh(BOOTSTRAP, ROWS, 0)
    _code_all(coder, source, data, NOTHING, True, steps, progress, small)
    check_end(coder, source)
    return data.tobytes()
