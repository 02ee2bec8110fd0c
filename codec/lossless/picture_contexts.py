"""Neighbourhood of a sample: simple predictions, errors and contexts.

Errors are those of predictions by least squares, in units of 1/8. Compiled by numba into the kernel
of `ncodec.lossless.picture_mixing`.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
from ncodec.lossless.kernels import inlined
from ncodec.lossless.picture_fit import bounded, level
from ncodec.lossless.picture_tables import FAR_SIZES, LARGEST_ERROR, MAGNITUDES, MODELS, SIZES

BORDER = 3
"""cells around a plane that repeat its edge, as far as samples are looked at"""
_LARGEST_SIZE = 2047
_LEAST_SCALE = 12
_LEAST_MAGNITUDE = 360
"""mean absolute error, in units of 1/256, above which a magnitude is no longer the least"""


@inlined
def open_row(cells, row, stride):
    """Copy the sample above a row's first sample into the border cells to its left.

    `row` is the index of the first sample; `stride` lies between rows.
    """
    for k in range(1, BORDER + 1):
        cells[row - k] = cells[row - stride]


@inlined
def widen(cells, row, stride, width, y, column):
    """Repeat samples beyond the border as soon as they are known."""
    if y == 0:
        for k in range(1, BORDER + 1):
            for j in range(1 if column else -BORDER, BORDER + 1):
                cells[row + column - k * stride + j] = cells[row + column]
    if column == width - 1:
        for k in range(BORDER):
            cells[row + width + k] = cells[row + width - 1]


@inlined
def _median(w, n, nw):
    least, most = min(w, n), max(w, n)
    return least if nw >= most else (most if nw <= least else w + n - nw)


@inlined
def predict_simply(cells, at, stride, near):
    """Two predictions without weights: a median of gradients, and a mean; beyond 0 to 255 too.

    Where `near` is not 0, they are of the difference from the first plane.
    """
    up = at - stride
    w, n, nw, ne = cells[at - 1], cells[up], cells[up - 1], cells[up + 1]
    if near != 0:
        one, over = at + near, at + near - stride
        median = _median(w - cells[one - 1], n - cells[over], nw - cells[over - 1])
        average = level(cells, at, stride) - level(cells, one, stride)
        return cells[one] + median, cells[one] + average
    return _median(w, n, nw), (3 * (w + n) + 2 * (ne - nw)) // 6


@inlined
def see_errors(wrong, at, stride, near, far):
    """Size of the errors beside a sample, that of others, and two single errors."""
    up = at - stride
    ww, nn = abs(wrong[at - 2]), abs(wrong[up - stride])
    size = 3 * abs(wrong[at - 1]) + 3 * abs(wrong[up]) + abs(wrong[up + 1]) + abs(wrong[up - 1])
    size += ww + nn
    if near != 0:
        one = at + near
        first = wrong[one]
        other = (abs(wrong[one + 1]) + abs(wrong[one + stride])) >> 1
        other += 2 * abs(first)
    else:
        first = wrong[up + 1]
        other = abs(first) + nn + ww
    if far != 0:
        second = wrong[at + far]
        other += abs(second)
        size = (size + 2 * abs(second)) // 12
    else:
        second = wrong[up - 1]
        size = size // 10
    return size, other // 3, first, second


@inlined
def size_class(fine, size):
    """Class, 0 to 23, of a size of errors in units of 1/8; `fine` is the table of classes."""
    return fine[min(size, _LARGEST_SIZE)]


@inlined
def magnitude_of(scale):
    """Class of 0 to 5 of a mean absolute error, one to an octave."""
    magnitude = 0
    while magnitude < MAGNITUDES - 1 and scale > (_LEAST_MAGNITUDE << magnitude):
        magnitude += 1
    return magnitude


@inlined
def _width(spread):
    """Inverse of the scale of a logistic distribution of a mean absolute error."""
    return (1 << 20) // max(_LEAST_SCALE, (spread * 185) >> 8)


@inlined
def expect(means, widths, below, above, nearby, misses, spreads, fine, here, stride, scale):
    """Set the spreads of the distributions of a sample, whose `means` are known.

    `here` is the place in the plane, `scale` the mean absolute error of the first distribution.
    """
    widths[0] = _width(scale)
    up = here - stride
    for k in range(1, MODELS):
        miss = 2 * misses[k, here - 1] + 2 * misses[k, up] + misses[k, up + 1] + misses[k, up - 1]
        nearby[k] = k * SIZES + size_class(fine, miss // 6)
        widths[k] = _width(spreads[nearby[k]])
    for k in range(MODELS):
        below[k], above[k] = 0, 1 << 22


@inlined
def learn_spreads(means, nearby, misses, spreads, here, value):
    """Note by how much each distribution missed a sample."""
    for k in range(1, MODELS):
        off = abs(value * 64 - means[k])
        misses[k, here] = off >> 3
        spreads[nearby[k]] += (min(off * 4, 1 << 14) - spreads[nearby[k]]) >> 6


@inlined
def _sign(signs, error):
    return signs[bounded(error, LARGEST_ERROR) + LARGEST_ERROR]


@inlined
def shape_of(cells, at, stride, value):
    """Which of six samples around are above a value, a bit each."""
    up = at - stride
    shape = (cells[at - 1] > value) + 2 * (cells[up] > value) + 4 * (cells[up - 1] > value)
    shape += 8 * (cells[up + 1] > value) + 16 * (cells[at - 2] > value)
    return shape + 32 * (cells[up - stride] > value)


@inlined
def fill_contexts(
    contexts, cells, wrong, at, stride, means, first, second, near_size, far_size, shape, fine,
    signs,
):  # fmt: skip
    """Contexts of a sample, from 0 to 1023, by its predictions and errors around it."""
    mean, up = means[0], at - stride
    w, n, nw, ne = cells[at - 1], cells[up], cells[up - 1], cells[up + 1]
    value, part = mean >> 6, (mean & 63) >> 3
    coarse = near_size // 3
    of_median = _sign(signs, (means[1] - mean) >> 3)
    of_average = _sign(signs, (means[2] - mean) >> 3)
    across = size_class(fine, 8 * abs(w - nw) + 8 * abs(n - cells[up - stride]))
    along = size_class(fine, 8 * abs(n - ne) + 8 * abs(w - cells[at - 2]))
    contexts[0] = near_size * FAR_SIZES + far_size
    contexts[1] = _sign(signs, wrong[at - 1]) * 9 + _sign(signs, wrong[up]) + 81 * coarse
    contexts[2] = _sign(signs, first) * 9 + _sign(signs, second) + 81 * coarse
    contexts[3] = part * SIZES + near_size
    contexts[4] = of_median * 9 + of_average + 81 * (part >> 1)
    contexts[5] = (value >> 3) * SIZES + near_size
    contexts[6] = shape + 64 * coarse
    contexts[7] = across * SIZES + along
    contexts[8] = min(255, value + 1) * 4 + (part >> 1)


@inlined
def hash_values(cells, at, stride, near, far):
    """Hash of the samples on the left and above, and of those in other planes."""
    up = at - stride
    hashed = cells[at - 1] * 0x9E3779B1 + cells[up] * 0x85EBCA77
    hashed += cells[at + near] * 0xC2B2AE35 if near != 0 else cells[up - 1] * 0x27D4EB2F
    hashed += cells[at + far] * 0x165667B1 if far != 0 else 0
    return hashed


@inlined
def place_of(hashed, least, split, bits):
    """Entry of a table of 2^bits for a decision among the values from `least` on."""
    mixed = hashed + (least * 256 + split) * 0x2545F491
    mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0x7FFFFFFFFF
    return (mixed >> 12) & ((1 << bits) - 1)
