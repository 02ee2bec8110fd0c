"""Layers in float32 whose results are the same on every machine: products, Adam, softmax.

Only IEEE + − · / and square roots occur, in a fixed order. Sums run over rows, so inner loops go
over elements that do not depend on each other, and vectors of any width change no result. Compiled
without `fastmath`, nothing is fused or reordered. Arguments of e^x are clamped, so no NaN arises.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numba
import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.memory import Array

f32 = np.float32
ZERO, HALF, ONE, TWO = f32(0), f32(0.5), f32(1), f32(2)
_SIXTH, _PART, _FURTHEST, _SHRINK = f32(1 / 6), f32(1 / 24), f32(40), f32(1 / 256)
_FREQUENCIES = f32(1 << 20)
"""integer weight of the likeliest symbol; none has less than 1"""
_SLOWEST = f32(1e-4)
"""added to the root of a mean square gradient, by which Adam divides"""

inlined = numba.njit(inline="always", error_model="numpy", nogil=True)


@inlined
def exp(x):
    """e^x for |x| ≤ 40, beyond that e^±40: a polynomial of x / 256, squared eight times."""
    y = min(max(x, -_FURTHEST), _FURTHEST) * _SHRINK
    y = ONE + y * (ONE + y * (HALF + y * (_SIXTH + y * _PART)))
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    return y * y


@inlined
def sigmoid(x):
    """Logistic function of x."""
    return ONE / (ONE + exp(-x))


@inlined
def tanh(x):
    """Hyperbolic tangent of x."""
    return TWO / (ONE + exp(-TWO * x)) - ONE


@exact_kernel
def add_product(out, out_row, x, x_row, rows, w):
    """Add x · w to `rows` rows of `out`; the rows of w, a multiple of 8, are taken in order."""
    width = w.shape[1]
    for k in range(0, w.shape[0], 8):
        for m in range(rows):
            i, o = x_row + m, out_row + m
            a, b, c, d = x[i, k], x[i, k + 1], x[i, k + 2], x[i, k + 3]
            e, f, g, h = x[i, k + 4], x[i, k + 5], x[i, k + 6], x[i, k + 7]
            for j in range(width):
                y = out[o, j] + a * w[k, j] + b * w[k + 1, j] + c * w[k + 2, j] + d * w[k + 3, j]
                y = y + e * w[k + 4, j] + f * w[k + 5, j]
                out[o, j] = y + g * w[k + 6, j] + h * w[k + 7, j]


@exact_kernel
def transpose(w, turned):
    """Write wᵀ to `turned`, in strips of 16 rows, so that lines of the cache are filled whole."""
    for k in range(0, w.shape[0], 16):
        for j in range(w.shape[1]):
            for i in range(16):
                turned[j, k + i] = w[k + i, j]


def fresh_step(decay: float, rates: tuple[float, float, float]) -> Array:
    """State of Adam, (8,): learning rate, correction of the mean squares, 1 − β₂, β₂ to the power
    t, t, and `rates`: the first learning rate, the last, and how fast it falls."""
    return np.array([0, 1, decay, 1, 0, *rates], dtype=np.float32)


@exact_kernel
def advance(step):
    """Begin a step of Adam: the learning rate falls from first to last as 1 / (1 + fall · t)."""
    step[3] *= ONE - step[2]
    step[4] += ONE
    step[1] = ONE / (ONE - step[3])
    step[0] = step[6] + (step[5] - step[6]) / (ONE + step[7] * step[4])


@exact_kernel
def adam_row(w, squares, gradient, row, step):
    """Train a row of weights by Adam without momentum (β₁ = 0, as in NNCP, Bellard 2019)."""
    rate, correction, decay = step[0], step[1], step[2]
    for j in range(w.shape[1]):
        g = gradient[j]
        s = squares[row, j] + decay * (g * g - squares[row, j])
        squares[row, j] = s
        w[row, j] -= rate * g / (np.sqrt(s * correction) + _SLOWEST)


@exact_kernel
def descend(w, squares, x, x_row, d, d_row, rows, gradient, step):
    """Train w by the gradient xᵀ · d, summed over `rows` rows in order, a multiple of 4."""
    width = w.shape[1]
    for k in range(w.shape[0]):
        for j in range(width):
            gradient[j] = ZERO
        for m in range(0, rows, 4):
            i, o = x_row + m, d_row + m
            a, b, c, e = x[i, k], x[i + 1, k], x[i + 2, k], x[i + 3, k]
            for j in range(width):
                y = gradient[j] + a * d[o, j] + b * d[o + 1, j]
                gradient[j] = y + c * d[o + 2, j] + e * d[o + 3, j]
        adam_row(w, squares, gradient, k, step)


@exact_kernel
def descend_bias(w, squares, d, rows, gradient, step):
    """Train a row of weights, (1, width), that was added to each of `rows` rows."""
    for j in range(w.shape[1]):
        gradient[j] = ZERO
    for m in range(rows):
        for j in range(w.shape[1]):
            gradient[j] += d[m, j]
    adam_row(w, squares, gradient, 0, step)


@exact_kernel
def rectify(a, row, rows):
    """Replace what is negative by zero."""
    for m in range(row, row + rows):
        for j in range(a.shape[1]):
            a[m, j] = max(a[m, j], ZERO)


@exact_kernel
def rectify_back(d, a, rows):
    """Turn the gradient of rectified activations `a` into that of the activations before."""
    for m in range(rows):
        for j in range(d.shape[1]):
            d[m, j] = d[m, j] if a[m, j] > ZERO else ZERO


@exact_kernel
def subtract_truth(chances, truth):
    """Turn probabilities, (rows, symbols), into gradients of the logits, in place.

    `truth`, (rows,), holds the true symbols; rows of −1 get a gradient of zero.
    """
    for m in range(truth.size):
        if truth[m] >= 0:
            chances[m, truth[m]] -= ONE
        else:
            chances[m, :] = ZERO


@exact_kernel
def distribution(logits, row, heap, chances):
    """Softmax of a row: in integers, as a heap, and in float32.

    logits and chances: (rows, symbols), heap: (rows, 2 · symbols) int32, for a power of 2 of
    symbols. Leaves of the heap follow its inner nodes; node n is the sum of 2n and 2n + 1.
    """
    size = logits.shape[1]
    top = logits[row, 0]
    for j in range(size):
        top = max(top, logits[row, j])
    for j in range(size):
        heap[row, size + j] = np.int32(exp(logits[row, j] - top) * _FREQUENCIES) + np.int32(1)
    for j in range(size - 1, 0, -1):
        heap[row, j] = heap[row, 2 * j] + heap[row, 2 * j + 1]
    part = ONE / f32(heap[row, 1])
    for j in range(size):
        chances[row, j] = f32(heap[row, size + j]) * part


def uniform(shape: tuple[int, ...], bound: float, seed: int) -> Array:
    """Weights from −bound to bound, by an integer generator (splitmix64; Steele et al. 2014)."""
    x = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(seed * 0x632BE59BD9B4E019 & (2**64 - 1))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    whole = (x >> np.uint64(41)).astype(np.int64) - (1 << 22)
    return ((whole.astype(f32) / f32(1 << 22)) * f32(bound)).reshape(shape)
