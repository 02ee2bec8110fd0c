"""Contexts of a byte: hashes of the bytes, words, records and samples before it.

Each profile is a list of contexts that suits a kind of data; `fast` looks at the first eight, `max`
at all sixteen. Compiled by numba into the kernels of `ncodec.lossless.mixing`.
"""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import inlined
from ncodec.lossless.memory import TAPS

TEXT, RECORDS, MONO, STEREO = 0, 1, 2, 3
"""profiles: text, anything else, and samples of 16 bits, high byte first, in one or two channels"""
DISTANCE, CANDIDATE, REPEATS, LINE_AT, LINE_BEFORE = 256, 257, 258, 259, 260
FORETOLD, FORETOLD_TOO, FORETOLD_SIMPLY, ERROR, MEAN_ERROR, OTHER = 261, 262, 263, 264, 265, 266
FIRST_GUESS, SECOND_GUESS = 267, 268
"""places of `Memory.facts`: length of records, the distance that may become it and how often it
was seen in a row; beginnings of this line and the line before; three predictions of a sample, class
and sixteenths of their mean error, the sample beside it, and what both predictors add"""
CHANGES, SAMPLES = 2, 3
"""rows of `Memory.signal` after those of what the first predictor missed in each channel"""
_W, _V = 0x2F0B4C47, 0x1F35D1


@inlined
def hash_text(hashes, last, before, words):
    """Contexts of text: the last 2, 3, 4 and 6 bytes, and words."""
    one, word = last & 0xFF, words[0] * _W
    hashes[0] = word + words[2] * _V + (13 << 50)
    hashes[1] = (last & 0xFFFF) + 0x10000
    hashes[2] = (last & 0xFFFFFF) + 0x2000000
    hashes[3] = last + 0x300000000
    hashes[4] = (last | ((before & 0xFFFF) << 32)) + (5 << 50)
    hashes[5] = word + (last & 0xFFFFFF) * 31 + (6 << 50)
    hashes[6] = word + one * 7919 + (7 << 50)
    hashes[7] = word + words[1] * _V + one + (9 << 50)


@inlined
def hash_more_text(hashes, last, before, words, data, at, facts, followers):
    """Contexts of text in `max`: longer ones, three words, columns, and what followed the last
    bytes before."""
    one, word = last & 0xFF, words[0] * _W
    column = at - facts[LINE_AT]
    above = facts[LINE_BEFORE] + column
    letter = np.int64(data[above]) if column > 0 and above < facts[LINE_AT] else 0
    hashes[8] = (last | ((before & 0xFF) << 32)) + (15 << 50)
    hashes[9] = word + words[1] * _V + words[2] * 0x5A3B29 + (17 << 50)
    hashes[10] = letter + (one << 8) + (19 << 50)
    hashes[11] = one + (followers[one] << 8) + (21 << 50)
    hashes[12] = one + (followers[256 + (last & 0xFFFF)] << 8) + (23 << 50)
    hashes[13] = last * _W + before * _V + (25 << 50)
    hashes[14] = words[3] + (one << 40) + (27 << 50)
    hashes[15] = words[4] * _V + word + (29 << 50)


@inlined
def hash_records(hashes, last, before, data, at, facts):
    """Contexts of records: the last 2, 3, 4 and 5 bytes, two without the last, and bytes above."""
    one, record = last & 0xFF, facts[DISTANCE]
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
def hash_more_records(hashes, last, before, words, data, at, facts):
    """Contexts of records in `max`: longer ones, single bytes farther away, words, and bytes above
    beside the last ones."""
    one, record = last & 0xFF, facts[DISTANCE]
    above = np.int64(data[at - record]) if at >= record else 0
    hashes[8] = (last | ((before & 0xFFFF) << 32)) + (15 << 50)
    hashes[9] = (last & 0xFF0000) + (17 << 50)
    hashes[10] = (last & 0xFFFF00) + (19 << 50)
    hashes[11] = above + ((last & 0xFFFF) << 8) + (21 << 50)
    hashes[12] = (last & 0xFF0000FF) + (23 << 50)
    hashes[13] = (before & 0xFFFF) + ((at & 3) << 32) + (25 << 50)
    hashes[14] = one + ((at & 3) << 32) + (above << 40) + (27 << 50)
    hashes[15] = words[0] * _W + one + (29 << 50)


@inlined
def hash_samples(hashes, last, at, facts):
    """Contexts of samples: what predictors foretell of this byte, and how well they did before."""
    error = facts[ERROR]
    if at & 1:
        high = ((last & 0xFF) ^ 0x80) * 256 - 32768
        far = min(511, max(-256, facts[FORETOLD] - high)) + 256
        far_too = min(511, max(-256, facts[FORETOLD_TOO] - high)) + 256
        simply = min(511, max(-256, facts[FORETOLD_SIMPLY] - high)) + 256
        hashes[0] = far + (31 << 50)
        hashes[1] = (far >> 2) + (error << 16) + (32 << 50)
        hashes[2] = (far >> 4) + ((far_too >> 4) << 16) + ((simply >> 4) << 32) + (33 << 50)
        hashes[3] = far_too + (34 << 50)
        hashes[4] = (far + far_too) + (35 << 50)
        hashes[5] = simply + (36 << 50)
        hashes[6] = (last & 0xFF) + (37 << 50)
        hashes[7] = (far >> 4) + ((facts[OTHER] & 0xFFFF) >> 4 << 16) + (38 << 50)
        return
    hashes[0] = (facts[FORETOLD] >> 3) + (41 << 50)
    hashes[1] = (facts[FORETOLD] >> 5) + (error << 24) + (42 << 50)
    hashes[2] = (facts[FORETOLD] >> 6) + ((facts[FORETOLD_TOO] >> 6) << 24) + (43 << 50)
    hashes[3] = (facts[FORETOLD_TOO] >> 4) + (44 << 50)
    hashes[4] = ((facts[FORETOLD] + facts[FORETOLD_TOO]) >> 5) + (45 << 50)
    hashes[5] = (facts[FORETOLD_SIMPLY] >> 4) + (46 << 50)
    hashes[6] = (last & 0xFFFF) + (47 << 50)
    hashes[7] = (facts[FORETOLD] >> 6) + (facts[OTHER] >> 6 << 24) + (48 << 50)


@inlined
def follow_words(words, byte):
    """Note a byte of text: the word so far, the two before it, kinds of the last bytes, and the
    last byte outside words with those before the word."""
    letter = byte + 32 if 65 <= byte <= 90 else byte
    kind = 1
    if 97 <= letter <= 122 or letter >= 128:
        words[0] = ((words[0] + letter + 1) * 0x2D1B1F5) & 0x7FFFFFFFFF
    else:
        kind = 2 if 48 <= byte <= 57 else byte if byte < 48 else 3
        words[4] = ((words[4] << 8) | byte) & 0xFFFF
        if words[0]:
            words[2], words[1], words[0] = words[1], words[0], 0
    words[3] = ((words[3] << 6) | (kind & 63)) & 0xFFFFFFFFF


@inlined
def follow_followers(followers, last):
    """Note the newest byte as what follows the byte before it, and the two before it."""
    byte, one, two = last & 0xFF, (last >> 8) & 0xFF, 256 + ((last >> 8) & 0xFFFF)
    followers[one] = ((followers[one] << 8) | byte) & 0xFFFFFF
    followers[two] = ((followers[two] << 8) | byte) & 0xFFFF


@inlined
def follow_lines(facts, byte, at):
    """Note where lines begin."""
    if byte == 10:
        facts[LINE_BEFORE], facts[LINE_AT] = facts[LINE_AT], at + 1


@inlined
def follow_records(facts, byte, at):
    """Note the place of a byte; a distance at which bytes recur nine times in a row is taken for
    the length of records."""
    distance = at - facts[byte]
    facts[byte] = at
    if distance <= 1:
        return
    if distance == facts[CANDIDATE]:
        facts[REPEATS] += 1
        if facts[REPEATS] > 8:
            facts[DISTANCE] = distance
    else:
        facts[CANDIDATE], facts[REPEATS] = distance, 0


@inlined
def _foretell(taps, row, signal, which):
    total = np.int64(0)
    for k in range(TAPS):
        total += taps[row, k] * signal[which, k]
    return total >> 16


@inlined
def _learn(taps, row, signal, which, miss, rate):
    """One step of the normalized least mean squares, in whole numbers."""
    power = np.int64(1 << 14)
    for k in range(TAPS):
        power += signal[which, k] * signal[which, k]
    step = (miss << 30) // power
    for k in range(TAPS):
        taps[row, k] += (step * signal[which, k] + (1 << (rate - 1))) >> rate


@inlined
def _push(signal, which, value):
    for k in range(TAPS - 1, 0, -1):
        signal[which, k] = signal[which, k - 1]
    signal[which, 0] = value


@inlined
def follow_samples(facts, taps, signal, last, at, channels):
    """Learn from a sample of 16 bits that ends before `at`, and foretell the next.

    A predictor of all channels' last changes, then another of what that one missed in the channel.
    """
    done, coming = ((at >> 1) - 1) % channels, (at >> 1) % channels
    value = ((last & 0xFFFF) ^ 0x8000) - 32768
    change = value - ((31 * signal[SAMPLES, channels - 1]) >> 5)
    miss = change - facts[FIRST_GUESS]
    _learn(taps, 2 * done, signal, CHANGES, miss, 22)
    _learn(taps, 2 * done + 1, signal, done, miss - facts[SECOND_GUESS], 20)
    size = min(32767, abs(value - facts[FORETOLD]))
    mean = facts[MEAN_ERROR] + ((size * 16 - facts[MEAN_ERROR]) >> 3)
    facts[MEAN_ERROR] = mean
    error = 0
    while mean > 16:
        error, mean = error + 1, mean >> 1
    facts[ERROR] = error
    _push(signal, SAMPLES, value)
    _push(signal, CHANGES, change)
    _push(signal, done, miss)
    back, farther = signal[SAMPLES, channels - 1], signal[SAMPLES, 2 * channels - 1]
    rest = (31 * back) >> 5
    facts[FIRST_GUESS] = _bounded_sample(_foretell(taps, 2 * coming, signal, CHANGES))
    facts[SECOND_GUESS] = _bounded_sample(_foretell(taps, 2 * coming + 1, signal, coming))
    facts[FORETOLD_TOO] = _bounded_sample(rest + facts[FIRST_GUESS])
    facts[FORETOLD] = _bounded_sample(rest + facts[FIRST_GUESS] + facts[SECOND_GUESS])
    facts[FORETOLD_SIMPLY] = _bounded_sample(2 * back - farther)
    facts[OTHER] = signal[SAMPLES, 0] if channels > 1 else farther


@inlined
def _bounded_sample(value):
    return min(32767, max(-32768, value))
