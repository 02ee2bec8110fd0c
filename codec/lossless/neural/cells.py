"""Layer of an LSTM: coupled gates over inputs that are normalised, a step and its gradients.

The forget gate f and the input gate 1 − f share their weights, and the inputs of each gate are
divided by their root mean square, as in NNCP (Bellard 2019) and in the LSTM of cmix (Knoll).
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.neural.exact import (
    ONE,
    ZERO,
    adam_row,
    f32,
    sigmoid,
    tanh,
)  # fmt: skip

_LEAST_SQUARE = f32(1e-5)
"""added to the mean square of a gate's inputs"""


@exact_kernel
def _normalise(a, row, gate, cells):
    """Divide the inputs of a gate by their root mean square; returns the factor."""
    s, t, u, v = _LEAST_SQUARE * f32(cells), ZERO, ZERO, ZERO
    first = gate * cells
    for j in range(first, first + cells, 4):
        s += a[row, j] * a[row, j]
        t += a[row, j + 1] * a[row, j + 1]
        u += a[row, j + 2] * a[row, j + 2]
        v += a[row, j + 3] * a[row, j + 3]
    factor = ONE / np.sqrt((s + t + u + v) / f32(cells))
    for j in range(first, first + cells):
        a[row, j] *= factor
    return factor


@exact_kernel
def step_cells(row, normal, scale, gates, gain, shift, h, c, tanh_c):
    """Advance a layer by one step: fill row + 1 of the state h and the cells c.

    On entry `normal`, (steps, 3 · cells), holds in `row` the inputs of the forget gate, the output
    gate and the candidate, side by side. The call normalises that row in place, and fills `row` of
    `scale`, `gates` and `tanh_c` for `step_cells_back`.
    """
    cells = h.shape[1]
    for gate in range(3):
        scale[row, gate] = _normalise(normal, row, gate, cells)
    for j in range(2 * cells):
        gates[row, j] = sigmoid(normal[row, j] * gain[0, j] + shift[0, j])
    for j in range(2 * cells, 3 * cells):
        gates[row, j] = tanh(normal[row, j] * gain[0, j] + shift[0, j])
    for j in range(cells):
        forget = gates[row, j]
        c[row + 1, j] = forget * c[row, j] + (ONE - forget) * gates[row, 2 * cells + j]
    for j in range(cells):
        tanh_c[row, j] = tanh(c[row + 1, j])
        h[row + 1, j] = gates[row, cells + j] * tanh_c[row, j]


@exact_kernel
def step_cells_back(row, gates, normal, scale, gain, c, tanh_c, dh, dc, dn, da):
    """Fill a row of the gradients of the gates' inputs, after (dn) and before (da) they are
    normalised, from that of h, and take dc, (cells,), a step back."""
    cells = dh.shape[1]
    for j in range(cells):
        f, o, g = gates[row, j], gates[row, cells + j], gates[row, 2 * cells + j]
        d = dc[j] + dh[row, j] * o * (ONE - tanh_c[row, j] * tanh_c[row, j])
        dn[row, j] = d * (c[row, j] - g) * f * (ONE - f)
        dn[row, cells + j] = dh[row, j] * tanh_c[row, j] * o * (ONE - o)
        dn[row, 2 * cells + j] = d * (ONE - f) * (ONE - g * g)
        dc[j] = d * f
    for gate in range(3):
        s, t, first = ZERO, ZERO, gate * cells
        for j in range(first, first + cells, 2):
            s += dn[row, j] * gain[0, j] * normal[row, j]
            t += dn[row, j + 1] * gain[0, j + 1] * normal[row, j + 1]
        mean, factor = (s + t) / f32(cells), scale[row, gate]
        for j in range(first, first + cells):
            da[row, j] = factor * (dn[row, j] * gain[0, j] - normal[row, j] * mean)


@exact_kernel
def descend_symbols(w, squares, given, d, gradient, step):
    """Train the rows of the symbols in `given`, each once, by the sum of its gradients."""
    for m in range(given.size):
        fresh = True
        for i in range(m):
            fresh = fresh and given[i] != given[m]
        if not fresh:
            continue
        for j in range(w.shape[1]):
            gradient[j] = d[m, j]
        for i in range(m + 1, given.size):
            if given[i] == given[m]:
                for j in range(w.shape[1]):
                    gradient[j] += d[i, j]
        adam_row(w, squares, gradient, given[m], step)
