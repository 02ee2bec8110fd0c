"""Heads of attention over the last tokens of a stream, their gradients, and a normalisation.

A token is GROUP bytes, a head sees the SLOTS tokens that end at, and GROUP bytes apart before, the
byte that comes next (Vaswani et al. 2017, with keys that know their distance).
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import exact_kernel
from ncodec.lossless.neural.exact import ONE, ZERO, exp, f32

GROUP, SLOTS, HEADS, WIDTH = 4, 8, 8, 128
"""bytes of a token, tokens that a head sees, heads, and columns of a token"""
_HEAD = WIDTH // HEADS
_SCALE = f32(0.25)
"""one over the root of a head's columns, 16"""
_LEAST_SQUARE, _BELOW_ALL = f32(1e-3), f32(-1e9)


@exact_kernel
def attend(qkv, places, row, at, back, shares, out):
    """Add the values of the last tokens to a row of `out`, by softmax of how their keys agree with
    the query; the query is row `at` of qkv, and `back` rows lie between tokens."""
    for head in range(HEADS):
        first, top = head * _HEAD, _BELOW_ALL
        for slot in range(SLOTS):
            s = ZERO
            for j in range(first, first + _HEAD):
                s += qkv[at, j] * (qkv[at - slot * back, WIDTH + j] + places[slot, j])
            shares[row, head * SLOTS + slot] = s * _SCALE
            top = max(top, s * _SCALE)
        total = ZERO
        for slot in range(head * SLOTS, head * SLOTS + SLOTS):
            shares[row, slot] = exp(shares[row, slot] - top)
            total += shares[row, slot]
        for slot in range(SLOTS):
            share = shares[row, head * SLOTS + slot] / total
            shares[row, head * SLOTS + slot] = share
            for j in range(first, first + _HEAD):
                out[row, j] += share * qkv[at - slot * back, 2 * WIDTH + j]


@exact_kernel
def attend_back(qkv, places, row, back, past, shares, d_out, d_qkv, d_places):
    """Add the gradients of query, keys, values and places of a row; tokens of the segments before,
    `past` rows, get none."""
    at = past + row
    for head in range(HEADS):
        first, mean = head * _HEAD, ZERO
        for slot in range(SLOTS):
            place, s = at - slot * back, ZERO
            for j in range(first, first + _HEAD):
                s += d_out[row, j] * qkv[place, 2 * WIDTH + j]
            mean += s * shares[row, head * SLOTS + slot]
        for slot in range(SLOTS):
            place, s, share = at - slot * back, ZERO, shares[row, head * SLOTS + slot]
            for j in range(first, first + _HEAD):
                s += d_out[row, j] * qkv[place, 2 * WIDTH + j]
            slope = share * (s - mean) * _SCALE
            for j in range(first, first + _HEAD):
                d_qkv[at, j] += slope * (qkv[place, WIDTH + j] + places[slot, j])
                d_places[slot, j] += slope * qkv[at, j]
            if place >= past:
                for j in range(first, first + _HEAD):
                    d_qkv[place, WIDTH + j] += slope * qkv[at, j]
                    d_qkv[place, 2 * WIDTH + j] += share * d_out[row, j]


@exact_kernel
def normalise(a, row):
    """Divide a row by its root mean square; returns the factor."""
    s = _LEAST_SQUARE
    for j in range(WIDTH):
        s += a[row, j] * a[row, j]
    factor = ONE / np.sqrt(s / f32(WIDTH))
    for j in range(WIDTH):
        a[row, j] *= factor
    return factor


@exact_kernel
def normalise_back(d, a, row, factor):
    """Turn the gradient of a normalised row `a` into that of the row before."""
    s = ZERO
    for j in range(WIDTH):
        s += d[row, j] * a[row, j]
    mean = s / f32(WIDTH)
    for j in range(WIDTH):
        d[row, j] = factor * (d[row, j] - a[row, j] * mean)
