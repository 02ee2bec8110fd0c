"""Context mixing of the samples of a plane: yes-or-no decisions, whose probabilities networks mix.

A sample is coded by decisions of whether it is at least some value: first one next to its
prediction, then others farther and farther off, then those that halve what is left. Distributions
around four predictions and ten adaptive tables each have an opinion of a decision; three networks,
each with weights chosen by another context, mix these in the logistic domain, a fourth mixes their
results, and an adaptive map corrects the outcome. All numbers are whole, so every machine codes
alike. Compiled by numba.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import compiled, inlined
from ncodec.lossless.logistic import LEAST, ONE, PEAK
from ncodec.lossless.picture_contexts import (
    BORDER,
    expect,
    fill_contexts,
    hash_values,
    learn_spreads,
    magnitude_of,
    open_row,
    place_of,
    predict_simply,
    see_errors,
    shape_of,
    size_class,
    widen,
)
from ncodec.lossless.picture_fit import (
    bounded,
    fit_weights,
    gather,
    predict,
    take_samples,
    weigh_sample,
)
from ncodec.lossless.picture_tables import (
    BLOCK,
    FAR,
    FAR_SIZES,
    INPUTS,
    MAGNITUDES,
    MODELS,
    MOST_SEEN,
    NODES,
    SHAPES,
    SIZES,
    TABLES,
    TAPS,
)

MOST_OF_A_SAMPLE = 64
"""bytes that a sample can take: at most 16 decisions, each of which leaves two values of the coder
or more, and so emits 4 bytes or fewer"""
_CONTEXTS = TABLES - 1
_VALUE_BITS = 18
"""logarithm of the entries of the table for the values around"""
_SPEED, _HASTE, _CALM = 4, 400_000, 10_000
"""rate of the networks after many samples; it begins 11 times as high, and falls by half in 11,000
samples"""


@inlined
def _dot(inputs, weights, row):
    """Logit of a network; a loop whose length is not known while compiling becomes vectors."""
    total = np.int32(0)
    for k in range(inputs.size):
        total = np.int32(total + (np.int32(inputs[k] * weights[row, k]) >> np.int32(8)))
    return bounded(np.int64(total) >> 8, PEAK)


@inlined
def _train(inputs, weights, row, error):
    slope = np.int32(error)
    for k in range(inputs.size):
        step = np.int32(inputs[k] * slope + np.int32(0x2000)) >> np.int32(14)
        weights[row, k] = np.int32(weights[row, k] + step)


@inlined
def _choose(stage, side, bins, reach, tree, depth, center, least, beyond):
    """Stage, value and place of the next decision about a sample from `least` to below `beyond`.

    In stage 0 it is about the centre, in stage 1 about the value `reach` beyond it on a `side`
    after `bins` such decisions, in stage 2 about the middle of what is left, after `depth` such
    decisions, whose bits after a leading 1 are `tree`.
    """
    split, node = center, 0
    if stage == 1:
        split = center + reach if side else center - reach
        node = 1 + side * 8 + min(bins, 7)
        if split >= beyond or split <= least:
            stage = 2
    if stage == 2:
        split = (least + beyond) >> 1
        branch = tree if tree < 4 else 4 + min(depth, 3)
        node = 20 + (side * 5 + min(bins, 4)) * 8 + branch
    return stage, split, node


@inlined
def _kind(node):
    return node if node < 17 else 17 + (node - 20) // 8


@inlined
def _judge(inputs, at_split, split, means, widths, below, above, cumulative, stretch):
    """Logits by which each distribution expects the sample to reach `split`."""
    for k in range(MODELS):
        distance = bounded(((split * 64 - 32 - means[k]) * widths[k]) >> 10, FAR)
        share = np.int64(cumulative[distance + FAR])
        at_split[k] = share
        span = above[k] - below[k]
        chance = ((above[k] - share) * 4095 + (span >> 1)) // max(1, span)
        inputs[k] = stretch[min(4095, max(0, chance))]


@inlined
def _look_up(inputs, chances, places, contexts, decision, by_value, stretch):
    """Logits of the adaptive tables; what has seen nothing agrees with the first distribution."""
    for k in range(_CONTEXTS):
        place = contexts[k] * (NODES * MAGNITUDES) + decision
        places[k] = place
        known = chances[k, place]
        inputs[MODELS + k] = stretch[known >> 20] if known & 1023 else inputs[0]
    places[_CONTEXTS] = by_value
    known = chances[_CONTEXTS, by_value]
    inputs[MODELS + _CONTEXTS] = stretch[known >> 20] if known & 1023 else 0
    inputs[INPUTS - 1] = 256


@inlined
def _learn(inputs, chances, places, bit, squash, rates):
    """Move the entries of the tables towards a bit."""
    goal = (1 << 22) - 1 if bit else 0
    for k in range(TABLES):
        known = np.int64(chances[k, places[k]])
        count, chance = known & 1023, known >> 10
        if count == 0:
            chance = squash[inputs[0] + PEAK] << 6 if k < _CONTEXTS else 1 << 21
        chance += ((goal - chance) * rates[count]) >> 16
        chances[k, places[k]] = (chance << 10) | min(count + 1, MOST_SEEN)


@inlined
def _corrected(refined, row, mixed, squash):
    """Probability of a 1, in units of 2⁻¹⁶, of a logit that all networks gave together."""
    column, share = ((mixed + 2048) * 16) >> 11, ((mixed + 2048) * 16) & 2047
    chance = np.int64(refined[row, column]) * (2048 - share)
    chance = (chance + np.int64(refined[row, column + 1]) * share) >> 11
    chance = (3 * np.int64(squash[mixed + PEAK]) + chance) >> 2
    return min(ONE - LEAST, max(LEAST, chance))


@inlined
def _correct(refined, row, mixed, truth):
    """Move the nearest column of the adaptive map towards a bit, 0 or 65535."""
    spot = (mixed + 2048) * 16
    column = (spot >> 11) + ((spot & 2047) >> 10)
    refined[row, column] += (truth - refined[row, column]) >> 6


@inlined
def _shift(source, out, decoding, low, high, code, done):
    """Bounds of the coder, its code and its place, after the bytes that are certain."""
    while (low ^ high) & 0xFF000000 == 0:
        if decoding:
            code = (code << 8) & 0xFFFFFFFF
            code |= np.int64(source[done]) if done < source.size else 0
        else:
            out[done] = high >> 24
        done += 1
        low, high = (low << 8) & 0xFFFFFFFF, ((high << 8) & 0xFFFFFFFF) | 255
    return low, high, code, done


@compiled
def code_plane(source, out, coder, cells, wrong, layout, offsets, owners, decoding, fixed, memory):
    """Code a plane of `cells` into `out`, or decode it from `source`.

    Returns the bytes so far, −1 where they do not suffice. `coder`, (4,) int64, holds the bounds of
    the arithmetic coder, of 32 bits, its code and its place, and moves on; `cells`, int32, are all
    planes with their borders, `wrong` the errors of predictions in them, in units of 1/8. `layout`
    is the plane's first cell, the cells of a row, the plane's height and width, and the distances
    to the same place in the first and the second plane, 0 without; `offsets` and `owners` are those
    of the samples around.
    """
    squash, stretch, cumulative, fine, signs, rates = fixed
    stats, total, pivot, weights, around, scaled, chances, places, inputs = memory[:9]
    by_node, by_size, by_shape, final, refined, scales, spreads, means, widths = memory[9:18]
    below, above, at_split, misses, nearby, contexts = memory[18:]
    first, stride, height, width, near, far = layout
    low, high, code, done = coder[0], coder[1], coder[2], coder[3]
    limit = source.size if decoding else out.size - MOST_OF_A_SAMPLE
    seen = 0
    for y in range(height):
        row = first + (y + BORDER) * stride + BORDER
        open_row(cells, row, stride)
        for column in range(width):
            if done > limit:
                return -1
            at, turn, block = row + column, column % BLOCK, column // BLOCK
            base = take_samples(cells, at, stride, near, far, offsets, owners, around[turn])
            if turn == 0:
                fit_weights(stats, total, pivot, weights, block)
            mean = predict(around[turn], weights, base)
            median, average = predict_simply(cells, at, stride, near)
            means[0], means[1], means[2], means[3] = mean, median * 64, average * 64, mean
            size, other, error_1, error_2 = see_errors(wrong, at, stride, near, far)
            near_size, far_size = size_class(fine, size), size_class(fine, other) >> 1
            scale_at = near_size * FAR_SIZES + far_size
            scale, here = scales[scale_at], at - first
            expect(means, widths, below, above, nearby, misses, spreads, fine, here, stride, scale)
            magnitude, center = magnitude_of(scale), min(255, (mean >> 6) + 1)
            shape = shape_of(cells, at, stride, mean >> 6)
            fill_contexts(
                contexts, cells, wrong, at, stride, means, error_1, error_2, near_size, far_size,
                shape, fine, signs,
            )  # fmt: skip
            hashed = hash_values(cells, at, stride, near, far)
            speed = _SPEED + _HASTE // (seen + _CALM)
            seen += 1
            value = 0 if decoding else np.int64(cells[at])
            least, beyond, stage, side, bins, reach, tree, depth = 0, 256, 0, 0, 0, 0, 1, 0
            while beyond - least > 1:
                stage, split, node = _choose(
                    stage, side, bins, reach, tree, depth, center, least, beyond
                )
                kind, decision = _kind(node), magnitude * NODES + node
                by_value = place_of(hashed, least, split, _VALUE_BITS)
                _judge(inputs, at_split, split, means, widths, below, above, cumulative, stretch)
                _look_up(inputs, chances, places, contexts, decision, by_value, stretch)
                row_b, row_c = kind * SIZES + near_size, kind * SHAPES + shape
                logit_a = _dot(inputs, by_node, decision)
                logit_b = _dot(inputs, by_size, row_b)
                logit_c = _dot(inputs, by_shape, row_c)
                mixed = logit_a * final[kind, 0] + logit_b * final[kind, 1]
                mixed = bounded((mixed + logit_c * final[kind, 2]) >> 16, PEAK)
                chance = _corrected(refined, row_b, mixed, squash)
                span = high - low
                middle = low + (span >> 16) * chance + (((span & 0xFFFF) * chance) >> 16)
                bit = (1 if code <= middle else 0) if decoding else (1 if value >= split else 0)
                if bit:
                    high = middle
                else:
                    low = middle + 1
                low, high, code, done = _shift(source, out, decoding, low, high, code, done)
                truth = ONE - 1 if bit else 0
                _train(inputs, by_node, decision, ((truth - squash[logit_a + PEAK]) * speed) >> 6)
                _train(inputs, by_size, row_b, ((truth - squash[logit_b + PEAK]) * speed) >> 6)
                _train(inputs, by_shape, row_c, ((truth - squash[logit_c + PEAK]) * speed) >> 6)
                error = (truth - squash[mixed + PEAK]) >> 4
                final[kind, 0] += (logit_a * error) >> 13
                final[kind, 1] += (logit_b * error) >> 13
                final[kind, 2] += (logit_c * error) >> 13
                _correct(refined, row_b, mixed, truth)
                _learn(inputs, chances, places, bit, squash, rates)
                for k in range(MODELS):
                    if bit:
                        below[k] = at_split[k]
                    else:
                        above[k] = at_split[k]
                least, beyond = (split, beyond) if bit else (least, split)
                if stage == 0:
                    side, stage, reach = bit, 1, 1 << magnitude
                elif stage == 2:
                    tree, depth = tree * 2 + bit, depth + 1
                elif bit == side:
                    bins += 1
                    reach += 1 << (magnitude + bins - 1)
                else:
                    stage = 2
            cells[at] = least
            miss = least * 64 - mean
            wrong[at] = miss >> 3
            scales[scale_at] += (min(abs(miss) * 4, 1 << 13) - scales[scale_at]) >> 5
            learn_spreads(means, nearby, misses, spreads, here, least)
            around[turn, TAPS] = least - base
            weigh_sample(around[turn], scaled[turn], size, miss)
            if turn == BLOCK - 1 or column == width - 1:
                gather(stats, around, scaled, block, turn + 1)
            widen(cells, row, stride, width, y, column)
    coder[0], coder[1], coder[2], coder[3] = low, high, code, done
    return done
