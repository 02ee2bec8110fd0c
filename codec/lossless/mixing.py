"""Context mixing: many contexts predict each bit, and networks trained while coding mix them.

Every context looks up a bit history and the adaptive probability of that history. A match model,
the last byte and, in sound, linear predictors give further inputs; `cmix` adds an LSTM.
`Shape.networks` single-layer networks (`fast`: 3, `max`: 5) mix all inputs in the logistic domain,
each with weights chosen by its own context. A final network mixes their results, and two adaptive
maps correct the outcome (after Mahoney's lpaq and paq8). Integer arithmetic, and float32 in a fixed
order in the LSTM, give equal code on every machine. Compiled by numba.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
from collections.abc import Callable
from functools import cache

import numpy as np

from ncodec.lossless.buckets import find_buckets, scatter, scatter_again
from ncodec.lossless.contexts import (
    ERROR,
    FORETOLD,
    MEAN_ERROR,
    MONO,
    RECORDS,
    TEXT,
    follow_followers,
    follow_lines,
    follow_records,
    follow_samples,
    follow_words,
    hash_more_records,
    hash_more_text,
    hash_records,
    hash_samples,
    hash_text,
)  # fmt: skip
from ncodec.lossless.kernels import compiled, inlined
from ncodec.lossless.logistic import LEAST, ONE, PEAK
from ncodec.lossless.memory import (
    FEW,
    LONG_BITS,
    MATCH_BITS,
    Shape,
    rows_of,
)  # fmt: skip
from ncodec.lossless.neural.coding import chance_of_one
from ncodec.lossless.neural.recurrent_step import begin, step

LEAST_MATCH = 5


_MOST_CHANGES = 255
_SPEED, _HASTE, _CALM = 8, 600_000, 4_000
"""rate of the networks after many bytes; it begins 20 times as high, and falls by half in 4,000"""
_MOST_OF_A_BYTE = 20
"""bytes that a byte can take when every bit has its least probability, and those at the end"""


@inlined
def _bounded(logit):
    return min(PEAK, max(-PEAK, logit))


@inlined
def _dot(inputs, weights, row):
    """Logit of a network; a loop whose length is not known while compiling becomes vectors."""
    total = np.int32(0)
    for k in range(inputs.size):
        total = np.int32(total + (np.int32(inputs[k] * weights[row, k]) >> np.int32(8)))
    return _bounded(np.int64(total) >> 8)


@inlined
def _train(inputs, weights, row, error):
    slope = np.int32(error)
    for k in range(inputs.size):
        step = np.int32(inputs[k] * slope + np.int32(0x2000)) >> np.int32(14)
        weight = np.int32(weights[row, k] + step)
        weights[row, k] = weight


@inlined
def _look_up(
    contexts, slots, found, chances, order_one, match_chances, stretch, inputs, node, pair, length,
    expected, by,
):  # fmt: skip
    """Fill the inputs of the networks, and return how many contexts know something.

    `node` are the bits of the nibble so far after a leading 1, `pair` the last byte and those of
    the byte; `length` is that of the match in classes of 0 to 48, `expected` its next bit.
    """
    known = 0
    for i in range(contexts):
        state = slots[found[i] + node]
        inputs[i] = stretch[chances[i, by + state] >> 12] if state else 0
        known += 1 if state else 0
    chance = match_chances[2 * length + expected]
    inputs[contexts] = stretch[chance >> 4] if length else 0
    inputs[contexts + 1] = (chance - 32768) >> 5 if length else 0
    inputs[contexts + 2] = stretch[order_one[pair] >> 4]
    inputs[contexts + 3] = 256
    return known


@inlined
def _cumulative(squash, value, foretold, slope):
    """Probability, in units of 2⁻¹⁶, that a sample is below a value, by a logistic distribution."""
    return squash[_bounded(((value - foretold) * slope) >> 8) + PEAK]


@inlined
def _believe(squash, stretch, at, bits, bit_at, last, foretold, slope):
    """Logit of the next bit of a sample's byte, by a logistic distribution around a prediction."""
    width = 128 >> bit_at
    start = (bits << (8 - bit_at)) & 0xFF
    if at & 1:
        start += (last & 0xFF) << 8
    else:
        start, width = start << 8, width << 8
    start -= 32768
    below = _cumulative(squash, start, foretold, slope)
    middle = _cumulative(squash, start + width, foretold, slope)
    above = _cumulative(squash, start + 2 * width, foretold, slope)
    chance = ((above - middle) * 4095 + 2048) // (above - below + 1)
    return stretch[min(4095, chance)]


@inlined
def _corrected(rows, row, column, share):
    """Value of an adaptive map between two of its columns."""
    return (
        np.int64(rows[row, column]) * (2048 - share) + np.int64(rows[row, column + 1]) * share
    ) >> 11


@inlined
def _remember(contexts, slots, found, chances, changes, following, rates, node, bit, truth, by):
    """Move the histories of a bit, and their probabilities, towards it."""
    for i in range(contexts):
        place = found[i] + node
        state = slots[place]
        changed = changes[i, by + state]
        step = np.int64((truth << 8) - chances[i, by + state])
        chances[i, by + state] += (step * rates[changed]) >> 16
        if changed < _MOST_CHANGES:
            changes[i, by + state] = changed + 1
        slots[place] = following[state, bit]


@inlined
def _two_bytes(last, bits):
    return (((last & 0xFFFF) * 0x9E3B + bits * 0x5851F42D) >> 7) & ((1 << LONG_BITS) - 1)


@inlined
def _match(places, data, at, last, before, length, place):
    """Length and place of the match for the byte at `at`, given that of the byte before."""
    if length and data[place] == data[at - 1]:
        place, length = place + 1, min(length + 1, 65535)
    else:
        length = 0
    key = ((last * 0x9E3779B1 + (before & 0xFF) * 0x85EBCA77) >> 11) & ((1 << MATCH_BITS) - 1)
    if length == 0:
        place = np.int64(places[key])
        while place > 0 and length < 40 and place > length:
            if data[place - 1 - length] != data[at - 1 - length]:
                break
            length += 1
        if length < LEAST_MATCH:
            length = 0
    places[key] = at
    return length, place


@inlined
def _length_class(length):
    if length < 16:
        return length
    return 16 + ((length - 16) >> 3) if length < 272 else 48


@inlined
def _follow(contexts, profile, followers, facts, words, taps, signal, last, byte, at):
    """Note a byte, which stands at `at`, for the contexts of the next."""
    if profile == TEXT:
        follow_words(words, byte)
        if contexts > FEW:
            follow_followers(followers, last)
            follow_lines(facts, byte, at)
    elif profile == RECORDS:
        follow_words(words, byte)
        follow_records(facts, byte, at)
    elif at & 1:
        follow_samples(facts, taps, signal, last, at + 1, profile - MONO + 1)


@inlined
def _hash(contexts, profile, hashes, last, before, words, data, at, facts, followers):
    """Fill the contexts of the byte at `at`."""
    if profile == TEXT:
        hash_text(hashes, last, before, words)
        if contexts > FEW:
            hash_more_text(hashes, last, before, words, data, at, facts, followers)
    else:
        hash_records(hashes, last, before, data, at, facts)
        if contexts > FEW:
            hash_more_records(hashes, last, before, words, data, at, facts)
        if profile >= MONO:
            hash_samples(hashes, last, at, facts)


@cache
def kernel_of(shape: Shape) -> Callable[..., int]:
    """A coder of blocks by a model of a shape."""
    contexts, networks, is_recurrent = shape.contexts, shape.networks, shape.is_recurrent
    by_match, by_last, by_earlier, by_word = rows_of(contexts)[:4]

    @compiled
    def code_block(source, data, out, decoding, profile, fixed, memory, net):
        """Code the bytes `data`, uint8, into `out`, or decode `data.size` of them from `source`.

        Returns the bytes that were written to `out`, −1 where they do not fit, or read from
        `source`. The arithmetic coder has 32 bits. `net` is the LSTM, None without one.
        """
        squash, stretch, rates, following, seen = fixed
        slots, chances, changes, order_one, places, match_chances, weights, final = memory[:8]
        short_map, long_map, inputs, starts, masks, hashes, keys, checks = memory[8:16]
        found, chosen, made, facts, words, followers, taps, signal = memory[16:]
        low, high, code, done = 0, 0xFFFFFFFF, 0, 0
        if decoding:
            for _ in range(4):
                code = (code << 8) | (np.int64(source[done]) if done < source.size else 0)
                done += 1
        last, before, length, place = 0, 0, 0, 0
        if is_recurrent:
            t = begin(net)
        scatter(contexts, slots, starts, masks, hashes, keys, checks)
        for at in range(data.size):
            if not decoding and done + _MOST_OF_A_BYTE > out.size:
                return -1
            if at:
                length, place = _match(places, data, at, last, before, length, place)
            guess = np.int64(data[place]) | 256 if length else 0
            speed = _SPEED + _HASTE // (at + _CALM)
            near, steepness = last & 0xFF, 0
            if profile >= MONO:
                near = ((at & 1) << 7) + (facts[ERROR] << 3) + ((last >> 5) & 7)
                steepness = 256 * 5678 // (facts[MEAN_ERROR] + 8)
            bits, node, byte = 1, 1, np.int64(0) if decoding else np.int64(data[at])
            for bit_at in range(8):
                if bit_at & 3 == 0:
                    find_buckets(contexts, slots, keys, checks, found, seen)
                    node = 1
                matched, expected = 0, 0
                if length and (guess >> (8 - bit_at)) == bits:
                    matched, expected = _length_class(length), (guess >> (7 - bit_at)) & 1
                pair = near * 256 + bits
                known = _look_up(
                    contexts,
                    slots,
                    found,
                    chances,
                    order_one,
                    match_chances,
                    stretch,
                    inputs,
                    node,
                    pair,
                    matched,
                    expected,
                    256 * bit_at,
                )
                if profile >= MONO:
                    for n in range(2):
                        inputs[contexts + n] = _believe(
                            squash,
                            stretch,
                            at,
                            bits,
                            bit_at,
                            last,
                            facts[FORETOLD + n],
                            steepness,
                        )
                if is_recurrent:
                    inputs[contexts + 4] = stretch[chance_of_one(net.heap, t, bits) >> 4]
                kind = 0
                if matched:
                    kind = 1 + (1 if matched > 15 else 0) + (1 if matched > 24 else 0)
                chosen[0] = bits
                chosen[1] = by_match + (kind * (contexts + 1) + known) * 8 + bit_at
                chosen[2] = by_last + near
                if networks > 3:
                    chosen[3] = by_earlier + ((last >> 8) & 0xFF)
                    chosen[4] = by_word + (words[3] & 0xFF)
                mixed = np.int64(0)
                for n in range(networks):
                    made[n] = _dot(inputs, weights, chosen[n])
                    mixed += made[n] * final[bits, n]
                mixed = _bounded(mixed >> 16)
                column, share = ((mixed + 2048) * 16) >> 11, ((mixed + 2048) * 16) & 2047
                short, long = bits + 256 * kind, _two_bytes(last, bits)
                chance = 2 * np.int64(squash[mixed + PEAK])
                chance += _corrected(short_map, short, column, share)
                chance += 5 * _corrected(long_map, long, column, share)
                chance = min(ONE - LEAST, max(LEAST, chance >> 3))
                span = high - low
                middle = low + (span >> 16) * chance + (((span & 0xFFFF) * chance) >> 16)
                bit = (1 if code <= middle else 0) if decoding else (byte >> (7 - bit_at)) & 1
                if bit:
                    high = middle
                else:
                    low = middle + 1
                while (low ^ high) & 0xFF000000 == 0:
                    if decoding:
                        code = (code << 8) & 0xFFFFFFFF
                        code |= np.int64(source[done]) if done < source.size else 0
                    else:
                        out[done] = high >> 24
                    done += 1
                    low, high = (low << 8) & 0xFFFFFFFF, ((high << 8) & 0xFFFFFFFF) | 255
                after = (bits << 1) | bit
                # What comes next is fetched while the models learn from this bit.
                if bit_at == 3:
                    scatter_again(contexts, slots, starts, masks, hashes, keys, checks, after)
                elif bit_at == 7:
                    byte = after & 0xFF
                    data[at] = byte
                    if is_recurrent:
                        t = step(net, t, byte)
                    before = ((before << 8) | (last >> 24)) & 0xFFFFFFFF
                    last = ((last << 8) | byte) & 0xFFFFFFFF
                    _follow(
                        contexts, profile, followers, facts, words, taps, signal, last, byte, at
                    )
                    _hash(
                        contexts,
                        profile,
                        hashes,
                        last,
                        before,
                        words,
                        data,
                        at + 1,
                        facts,
                        followers,
                    )
                    scatter(contexts, slots, starts, masks, hashes, keys, checks)
                truth = ONE - 1 if bit else 0
                error = (truth - squash[mixed + PEAK]) >> 4
                for n in range(networks):
                    slope = ((truth - squash[made[n] + PEAK]) * speed) >> 6
                    _train(inputs, weights, chosen[n], slope)
                    final[bits, n] += (made[n] * error) >> 12
                column += share >> 10
                short_map[short, column] += (truth - short_map[short, column]) >> 5
                long_map[long, column] += (truth - np.int64(long_map[long, column])) >> 5
                _remember(
                    contexts,
                    slots,
                    found,
                    chances,
                    changes,
                    following,
                    rates,
                    node,
                    bit,
                    truth,
                    256 * bit_at,
                )
                if matched:
                    here = 2 * matched + expected
                    match_chances[here] += (truth - match_chances[here]) >> 6
                order_one[pair] += (truth - order_one[pair]) >> 4
                bits, node = after, (node << 1) | bit
        if not decoding:
            for shift in (24, 16, 8, 0):
                out[done] = (high >> shift) & 0xFF
                done += 1
        return done

    return code_block
