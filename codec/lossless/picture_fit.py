"""Prediction of a sample by local least squares.

Weights of 24 samples around are fitted to the rows above and to the blocks of 8 columns to the
left, where samples that were predicted well count most. Compiled by numba into the kernel of
`ncodec.lossless.picture_mixing`.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import compiled, inlined
from ncodec.lossless.picture_tables import BLOCK, TAPS, WIDE

_RIDGE = 16
_FADE = 3
"""logarithm of the part of the sums that is lost with each row"""
_LEAST_PIVOT = 64
_LARGEST_WEIGHT = 1 << 19
"""8, in units of 2⁻¹⁶"""
_MIDDLE = 8160
"""half of the largest prediction, in units of 1/64"""
_MOST_MERIT = 63


@inlined
def bounded(number, bound):
    """A number within ±bound."""
    return min(bound, max(-bound, number))


@inlined
def level(cells, at, stride):
    """Mean of the samples on the left and above."""
    return (cells[at - 1] + cells[at - stride]) >> 1


@inlined
def take_samples(cells, at, stride, near, far, offsets, owners, around):
    """Fill a row of samples around `at`, each less the level of its plane, and return that of its
    own plane.

    `near` and `far` are the distances to the same place in the first and the second plane,
    `offsets` those to the samples, and `owners` says whether each is in the own plane (0), the
    first or the second.
    """
    base = level(cells, at, stride)
    near_level, far_level = level(cells, at + near, stride), level(cells, at + far, stride)
    for k in range(offsets.size):
        owner = owners[k]
        its_level = base if owner == 0 else (near_level if owner == 1 else far_level)
        around[k] = cells[at + offsets[k]] - its_level
    return base


@inlined
def predict(around, weights, base):
    """Weighted sum of the samples around, from 0 to 255, in units of 1/64."""
    total = np.int64(0)
    for k in range(weights.size):
        total += around[k] * weights[k]
    return bounded((total >> 10) + base * 64 - _MIDDLE, _MIDDLE) + _MIDDLE


@compiled
def _solve(total, pivot, weights):
    """Solve normal equations, (taps, wide) int64, for weights in units of 2⁻¹⁶."""
    for k in range(TAPS):
        inverse = (1 << 40) // max(total[k, k], _LEAST_PIVOT)
        for j in range(k, WIDE):
            pivot[j] = np.int32(total[k, j])
        for i in range(k + 1, TAPS):
            factor = np.int32(bounded((pivot[i] * inverse) >> 24, 0x7FFFFFFF))
            # Whole vectors: what lies below the diagonal is not read again.
            for j in range(i & ~7, WIDE):
                total[i, j] -= (np.int64(factor) * np.int64(pivot[j])) >> 16
    for back in range(TAPS):
        k = TAPS - 1 - back
        rest = total[k, TAPS] << 16
        for j in range(k + 1, TAPS):
            rest -= total[k, j] * weights[j]
        weights[k] = bounded(rest // max(total[k, k], _LEAST_PIVOT), _LARGEST_WEIGHT)


@compiled
def fit_weights(stats, total, pivot, weights, block):
    """Find the weights for a block of columns from its sums and those of the blocks beside it."""
    left, right = max(block - 1, 0), min(block + 1, stats.shape[0] - 1)
    for i in range(TAPS):
        for j in range(WIDE):
            total[i, j] = np.int64(stats[left, i, j]) + stats[right, i, j] + 2 * stats[block, i, j]
        total[i, i] += (total[i, i] >> 10) + _RIDGE
    _solve(total, pivot, weights)


@inlined
def weigh_sample(around, scaled, size, miss):
    """Scale the samples around another by how much it counts.

    Calm places count most, as do samples that were predicted well: `size` is that of the errors
    around, in units of 1/8, `miss` the own one, in units of 1/64.
    """
    merit = np.int32(min(_MOST_MERIT, 512 // (4 + size + (abs(miss) >> 3))))
    for k in range(TAPS):
        scaled[k] = np.int32(around[k] * merit)


@compiled
def gather(stats, around, scaled, block, count):
    """Fade the sums of a block, and add the products of its first `count` samples."""
    for turn in range(count, BLOCK):
        for k in range(TAPS):
            scaled[turn, k] = 0
    for i in range(TAPS):
        a, b, c, d = scaled[0, i], scaled[1, i], scaled[2, i], scaled[3, i]
        e, f, g, h = scaled[4, i], scaled[5, i], scaled[6, i], scaled[7, i]
        for j in range(WIDE):
            products = np.int32(
                a * around[0, j] + b * around[1, j] + c * around[2, j] + d * around[3, j]
                + e * around[4, j] + f * around[5, j] + g * around[6, j] + h * around[7, j]
            )  # fmt: skip
            old = stats[block, i, j]
            faded = np.int32(old - (old >> np.int32(_FADE)))
            stats[block, i, j] = np.int32(faded + (products >> np.int32(3)))
