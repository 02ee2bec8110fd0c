"""Context mixing: bits predicted by many contexts, whose opinions online-trained networks mix.

Every context looks up a bit history and the probability that such histories had so far. Three
single-layer networks, each with weights chosen by another context, mix these in the logistic
domain, a fourth mixes their results, and two adaptive maps correct the outcome (Mahoney's lpaq and
paq8, in own forms). All numbers are whole, so every machine codes alike. Compiled by numba.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
from collections.abc import Callable

import numba
import numpy as np

from ncodec.lossless.logistic import LEAST, ONE, PEAK
from ncodec.lossless.memory import CONTEXTS, INPUTS, LONG_BITS, MATCH_BITS

LEAST_MATCH = 5
TEXT, BINARY = 0, 1
"""profiles: which contexts are looked at"""
_ODD = -7046029254386353131
_ODD_TOO = -4658895280553007687

inlined = numba.njit(nogil=True, inline="always")


def compiled(kernel: Callable[..., int]) -> Callable[..., int]:
    """Compile a kernel when it first runs, and keep the machine code where a folder can be
    written."""
    try:
        kept: Callable[..., int] = numba.njit(cache=True, nogil=True)(kernel)
    except RuntimeError:  # neither the package's folder nor a home can be written
        kept = numba.njit(nogil=True)(kernel)
    return kept


@inlined
def _hash_text(hashes, last, before, word, word_before, word_two_before):
    """Contexts of text: the last 2, 3, 4 and 6 bytes, and words."""
    one = last & 0xFF
    hashes[0] = word * 0x2F0B4C47 + word_two_before * 0x1F35D1 + (13 << 50)
    hashes[1] = (last & 0xFFFF) + 0x10000
    hashes[2] = (last & 0xFFFFFF) + 0x2000000
    hashes[3] = last + 0x300000000
    hashes[4] = (last | ((before & 0xFFFF) << 32)) + (5 << 50)
    hashes[5] = word * 0x2F0B4C47 + (last & 0xFFFFFF) * 31 + (6 << 50)
    hashes[6] = word * 0x2F0B4C47 + one * 7919 + (7 << 50)
    hashes[7] = word * 0x2F0B4C47 + word_before * 0x1F35D1 + one + (9 << 50)


@inlined
def _hash_binary(hashes, last, before, data, at, record):
    """Contexts of records: the last 2, 3, 4 and 5 bytes, two without the last, and bytes above."""
    one = last & 0xFF
    above = np.int64(data[at - record]) if at >= record else 0
    higher = np.int64(data[at - 2 * record]) if at >= 2 * record else 0
    beside = np.int64(data[at - record + 1]) if at >= record > 1 else 0
    hashes[0] = ((last >> 8) & 0xFFFF) + (11 << 50)
    hashes[1] = (last & 0xFFFF) + 0x10000
    hashes[2] = (last & 0xFFFFFF) + 0x2000000
    hashes[3] = last + 0x300000000
    hashes[4] = (last | ((before & 0xFF) << 32)) + (5 << 50)
    hashes[5] = above + (one << 8) + (beside << 16) + (6 << 50)
    hashes[6] = above + (higher << 8) + (record << 16) + (7 << 50)
    hashes[7] = (at % record) + (above << 20) + (record << 32) + (9 << 50)


@inlined
def _scatter(hashes):
    for i in range(CONTEXTS):
        h = (hashes[i] + i) * _ODD
        h ^= (h >> 29) & 0x7FFFFFFFF
        hashes[i] = h * _ODD_TOO


@inlined
def _find(slots, hashes, found, seen, mask, bits, nibble):
    """Find the bucket of every context for a nibble, or take the one of least experience."""
    for i in range(CONTEXTS):
        h = hashes[i]
        if nibble:
            h += bits * 0x3C6EF372FE94F82B
            h ^= (h >> 31) & 0x1FFFFFFFF
            h *= _ODD_TOO
        first = ((h >> 24) & mask) * 16
        check = (h >> 16) & 0xFF
        second, third = first ^ 16, first ^ 32
        if slots[i, first] != check:
            if slots[i, second] == check:
                first = second
            elif slots[i, third] == check:
                first = third
            else:
                if seen[slots[i, second + 1]] < seen[slots[i, first + 1]]:
                    first = second
                if seen[slots[i, third + 1]] < seen[slots[i, first + 1]]:
                    first = third
                slots[i, first] = check
                for k in range(1, 16):
                    slots[i, first + k] = 0
        found[i] = first


_MOST_CHANGES = 500
_SPEED, _HASTE, _CALM = 8, 600_000, 4_000
"""rate of the networks after many bytes; it begins 20 times as high, and falls by half in 4,000"""
_MOST_OF_A_BYTE = 20
"""bytes that a byte can take when every bit has its least probability, and those at the end"""


@inlined
def _bounded(logit):
    return min(PEAK, max(-PEAK, logit))


@inlined
def _dot(inputs, weights, row):
    total = np.int32(0)
    for k in range(INPUTS):
        total = np.int32(total + (np.int32(inputs[k] * weights[row, k]) >> np.int32(8)))
    return _bounded(np.int64(total) >> 8)


@inlined
def _train(inputs, weights, row, error):
    slope = np.int32(error)
    for k in range(INPUTS):
        step = np.int32(inputs[k] * slope + np.int32(0x2000)) >> np.int32(14)
        weight = np.int32(weights[row, k] + step)
        weights[row, k] = weight


@inlined
def _look_up(
    slots, found, chances, order_one, match_chances, stretch, inputs, node, pair, length, expected
):
    """Fill the inputs of the networks, and return how many contexts know something.

    `node` are the bits of the nibble so far after a leading 1, `pair` the last byte and those of
    the byte; `length` is that of the match in classes of 0 to 48, `expected` its next bit.
    """
    known = 0
    for i in range(CONTEXTS):
        state = slots[i, found[i] + node]
        inputs[i] = stretch[chances[i, state] >> 12] if state else 0
        known += 1 if state else 0
    chance = match_chances[2 * length + expected]
    inputs[CONTEXTS] = stretch[chance >> 4] if length else 0
    inputs[CONTEXTS + 1] = (chance - 32768) >> 5 if length else 0
    inputs[CONTEXTS + 2] = stretch[order_one[pair] >> 4]
    inputs[CONTEXTS + 3] = 256
    return known


@inlined
def _corrected(rows, row, column, share):
    """Value of an adaptive map between two of its columns."""
    return (
        np.int64(rows[row, column]) * (2048 - share) + np.int64(rows[row, column + 1]) * share
    ) >> 11


@inlined
def _remember(slots, found, chances, changes, following, rates, node, bit, truth):
    """Move the histories of a bit, and their probabilities, towards it."""
    for i in range(CONTEXTS):
        place = found[i] + node
        state = slots[i, place]
        changed = changes[i, state]
        step = np.int64((truth << 8) - chances[i, state])
        chances[i, state] += (step * rates[changed]) >> 16
        if changed < _MOST_CHANGES:
            changes[i, state] = changed + 1
        slots[i, place] = following[state, bit]


@inlined
def _two_bytes(last, bits):
    return (((last & 0xFFFF) * 0x9E3B + bits * 0x5851F42D) >> 7) & ((1 << LONG_BITS) - 1)


@inlined
def _follow_record(record, byte, at):
    """Note the place of a byte; a distance at which bytes recur nine times in a row is taken for
    the length of records."""
    distance = at - record[byte]
    record[byte] = at
    if distance <= 1:
        return
    if distance == record[257]:
        record[258] += 1
        if record[258] > 8:
            record[256] = distance
    else:
        record[257], record[258] = distance, 0


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


@compiled
def code_block(source, data, out, decoding, profile, fixed, memory):
    """Code the bytes `data`, uint8, into `out`, or decode `data.size` of them from `source`.

    Returns the bytes that were written to `out`, −1 where they do not fit, or read from `source`.
    The arithmetic coder has 32 bits.
    """
    squash, stretch, rates, following, seen = fixed
    slots, chances, changes, order_one, places, match_chances, by_bits = memory[:7]
    by_match, by_last, final, short_map, long_map, inputs, hashes, found, record = memory[7:]
    mask = slots.shape[1] // 16 - 1
    low, high, code, done = 0, 0xFFFFFFFF, 0, 0
    if decoding:
        for _ in range(4):
            code = (code << 8) | (np.int64(source[done]) if done < source.size else 0)
            done += 1
    last, before, word, word_before, word_two_before = 0, 0, 0, 0, 0
    length, place = 0, 0
    for at in range(data.size):
        if not decoding and done + _MOST_OF_A_BYTE > out.size:
            return -1
        if at:
            length, place = _match(places, data, at, last, before, length, place)
        if profile == TEXT:
            _hash_text(hashes, last, before, word, word_before, word_two_before)
        else:
            _hash_binary(hashes, last, before, data, at, record[256])
        _scatter(hashes)
        guess = np.int64(data[place]) | 256 if length else 0
        speed = _SPEED + _HASTE // (at + _CALM)
        one = last & 0xFF
        bits, node, byte = 1, 1, np.int64(0) if decoding else np.int64(data[at])
        for bit_at in range(8):
            if bit_at & 3 == 0:
                _find(slots, hashes, found, seen, mask, bits, bit_at)
                node = 1
            matched, expected = 0, 0
            if length and (guess >> (8 - bit_at)) == bits:
                matched, expected = _length_class(length), (guess >> (7 - bit_at)) & 1
            pair = one * 256 + bits
            known = _look_up(
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
            )
            kind = 0
            if matched:
                kind = 1 + (1 if matched > 15 else 0) + (1 if matched > 24 else 0)
            chosen = (kind * 9 + known) * 8 + bit_at
            first = _dot(inputs, by_bits, bits)
            second = _dot(inputs, by_match, chosen)
            third = _dot(inputs, by_last, one)
            mixed = first * final[bits, 0] + second * final[bits, 1] + third * final[bits, 2]
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
            truth = ONE - 1 if bit else 0
            _train(inputs, by_bits, bits, ((truth - squash[first + PEAK]) * speed) >> 6)
            _train(inputs, by_match, chosen, ((truth - squash[second + PEAK]) * speed) >> 6)
            _train(inputs, by_last, one, ((truth - squash[third + PEAK]) * speed) >> 6)
            error = (truth - squash[mixed + PEAK]) >> 4
            final[bits, 0] += (first * error) >> 12
            final[bits, 1] += (second * error) >> 12
            final[bits, 2] += (third * error) >> 12
            column += share >> 10
            short_map[short, column] += (truth - short_map[short, column]) >> 5
            long_map[long, column] += (truth - np.int64(long_map[long, column])) >> 5
            _remember(slots, found, chances, changes, following, rates, node, bit, truth)
            if matched:
                here = 2 * matched + expected
                match_chances[here] += (truth - match_chances[here]) >> 6
            order_one[pair] += (truth - order_one[pair]) >> 4
            bits, node = (bits << 1) | bit, (node << 1) | bit
        byte = bits & 0xFF
        data[at] = byte
        before = ((before << 8) | (last >> 24)) & 0xFFFFFFFF
        last = ((last << 8) | byte) & 0xFFFFFFFF
        letter = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= letter <= 122 or letter >= 128:
            word = ((word + letter + 1) * 0x2D1B1F5) & 0x7FFFFFFFFF
        elif word:
            word_two_before, word_before, word = word_before, word, 0
        if profile == BINARY:
            _follow_record(record, byte, at)
    if not decoding:
        for shift in (24, 16, 8, 0):
            out[done] = (high >> shift) & 0xFF
            done += 1
    return done
