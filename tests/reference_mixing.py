"""A second reader of context mixing, in plain Python, written after codec/FORMAT.md alone."""

import math
from importlib.resources import files

import numpy as np
from reference_sound import Sound

SQUASH = [min(65520, max(16, round(65536 / (1 + math.exp(-x / 256))))) for x in range(-2047, 2048)]
STRETCH = [
    min(2047, max(-2047, round(256 * math.log((q + 0.5) / (4095.5 - q))))) for q in range(4096)
]
W, V = 789269575, 2045393
K, M = -7046029254386353131, -4658895280553007687
MOST = (50, 40, 14, 8, 5)


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def bounded(x: int) -> int:
    return min(2047, max(-2047, x))


def squash(x: int) -> int:
    return SQUASH[x + 2047]


def after(state: tuple[int, int, int], bit: int) -> tuple[int, int, int]:
    counts = [state[0], state[1]]
    other = counts[1 - bit]
    counts[1 - bit] = other if other <= 2 else 2 + (other - 2) // 3 if other < 20 else 7
    grown = [*counts]
    grown[bit] += 1
    counts = grown if allowed(grown) else counts
    while not allowed(counts):
        larger = bit if counts[bit] > counts[1 - bit] else 1 - bit
        counts[larger] -= 1
    return counts[0], counts[1], bit if counts[0] and counts[1] else 0


def allowed(counts: list[int]) -> bool:
    least, most = min(counts), max(counts)
    return least < 5 and most <= MOST[least]


def states() -> tuple[list[tuple[int, int]], list[int]]:
    numbers = {(0, 0, 0): 0}
    order = [(0, 0, 0)]
    following = []
    for state in order:
        for bit in (0, 1):
            if after(state, bit) not in numbers:
                numbers[after(state, bit)] = len(order)
                order.append(after(state, bit))
        following.append((numbers[after(state, 0)], numbers[after(state, 1)]))
    return following, [a + b for a, b, _ in order]


BITS = {
    "fast": (20, 18, 19, 20, 20, 20, 20, 20),
    "max": (20, 18, 19, 21, 21, 20, 20, 21, 20, 21, 19, 20, 20, 20, 20, 20),
}


class Reader:
    """Decodes one block."""

    def __init__(self, code: bytes, size: int, profile: int, method: str = "fast") -> None:
        self.code, self.size, self.profile = code, size, profile
        self.count = 16 if method == "max" else 8
        self.following, self.seen = states()
        self.masks = [(1 << min(bits, max(12, size.bit_length()))) - 1 for bits in BITS[method]]
        with (
            (files("ncodec.lossless") / f"priors_{method}.npz").open("rb") as stream,
            np.load(stream) as known,
        ):
            prior = {name: known[name][min(profile, 1)].tolist() for name in known.files}
        self.chance, self.changes = prior["chances"], prior["changes"]
        self.match, self.final, self.short = (
            prior["match_chances"], prior["final"], prior["short_map"],
        )  # fmt: skip
        self.weights = prior["weights"]
        self.order = [32768] * 65536
        curve = [squash(bounded(128 * (j - 16))) for j in range(33)]
        self.long: dict[int, list[int]] = {}
        self.curve = curve
        self.buckets: list[dict[int, list[int]]] = [{} for _ in range(self.count)]
        self.places: dict[int, int] = {}
        self.low, self.high, self.read = 0, 2**32 - 1, 4
        self.value = int.from_bytes((code + bytes(4))[:4], "big")
        self.out = bytearray()
        self.last = self.before = self.word = self.word1 = self.word2 = 0
        self.kinds = self.between = self.line = self.line_before = 0
        self.after_one: dict[int, int] = {}
        self.after_two: dict[int, int] = {}
        self.length = self.place = 0
        self.record, self.candidate, self.repeats = 1, 0, 0
        self.stood = [0] * 256
        self.sound = Sound(max(1, profile - 1))

    def unpack(self) -> bytes:
        for at in range(self.size):
            if at:
                self.follow_match(at)
            self.decode_byte(at)
        return bytes(self.out)

    def follow_match(self, at: int) -> None:
        if self.length and self.out[self.place] == self.out[at - 1]:
            self.place, self.length = self.place + 1, min(self.length + 1, 65535)
        else:
            self.length = 0
        key = ((self.last * 2654435761 + (self.before & 255) * 2246822519) >> 11) % 2**20
        if self.length == 0:
            self.place = self.places.get(key, 0)
            while self.length < min(40, self.place) and (
                self.out[self.place - 1 - self.length] == self.out[at - 1 - self.length]
            ):
                self.length += 1
            if self.length < 5:
                self.length = 0
        self.places[key] = at

    def contexts(self, at: int) -> list[int]:
        if at == 0:
            return [0] * self.count
        if self.profile == 0:
            return self.text(at)
        return self.records(at) if self.profile == 1 else self.samples(at)

    def text(self, at: int) -> list[int]:
        last, c, p = self.last, self.last & 255, 2**50
        word = self.word * W
        found = [
            word + self.word2 * V + 13 * p, *self.shared(),
            last + ((self.before & 65535) << 32) + 5 * p,
            word + (last & (2**24 - 1)) * 31 + 6 * p,
            word + c * 7919 + 7 * p,
            word + self.word1 * V + c + 9 * p,
        ]  # fmt: skip
        if self.count == 8:
            return found
        column = at - self.line
        above = self.line_before + column
        letter = self.out[above] if column > 0 and above < self.line else 0
        one, two = self.after_one.get(c, 0), self.after_two.get(last & 65535, 0)
        return [
            *found,
            last + ((self.before & 255) << 32) + 15 * p,
            word + self.word1 * V + self.word2 * 5913385 + 17 * p,
            letter + (c << 8) + 19 * p,
            c + (one << 8) + 21 * p,
            c + (two << 8) + 23 * p,
            last * W + self.before * V + 25 * p,
            self.kinds + (c << 40) + 27 * p,
            self.between * V + word + 29 * p,
        ]

    def shared(self) -> list[int]:
        last = self.last
        return [(last & 65535) + 2**16, (last & (2**24 - 1)) + 2**25, last + 3 * 2**32]

    def records(self, at: int) -> list[int]:
        last, c, p, record = self.last, self.last & 255, 2**50, self.record
        above = self.out[at - record] if at >= record else 0
        higher = self.out[at - 2 * record] if at >= 2 * record else 0
        beside = self.out[at - record + 1] if at >= record > 1 else 0
        found = [
            ((last >> 8) & 65535) + 11 * p, *self.shared(),
            last + ((self.before & 255) << 32) + 5 * p,
            above + (c << 8) + (beside << 16) + 6 * p,
            above + (higher << 8) + (record << 16) + 7 * p,
            at % record + (above << 20) + (record << 32) + 9 * p,
        ]  # fmt: skip
        if self.count == 8:
            return found
        return [
            *found,
            last + ((self.before & 65535) << 32) + 15 * p,
            (last & 0xFF0000) + 17 * p,
            (last & 0xFFFF00) + 19 * p,
            above + ((last & 65535) << 8) + 21 * p,
            (last & 0xFF0000FF) + 23 * p,
            (self.before & 65535) + ((at & 3) << 32) + 25 * p,
            c + ((at & 3) << 32) + (above << 40) + 27 * p,
            self.word * W + c + 29 * p,
        ]

    def samples(self, at: int) -> list[int]:
        s, p, last = self.sound, 2**50, self.last
        f0, f1, f2 = s.told
        if at & 1:
            high = ((last & 255) ^ 128) * 256 - 32768
            a, b, c = (min(511, max(-256, f - high)) + 256 for f in (f0, f1, f2))
            first = [
                a + 31 * p, (a >> 2) + (s.error << 16) + 32 * p,
                (a >> 4) + (b >> 4 << 16) + (c >> 4 << 32) + 33 * p, b + 34 * p, a + b + 35 * p,
                c + 36 * p, (last & 255) + 37 * p,
                (a >> 4) + ((s.other & 65535) >> 4 << 16) + 38 * p,
            ]  # fmt: skip
        else:
            first = [
                (f0 >> 3) + 41 * p, (f0 >> 5) + (s.error << 24) + 42 * p,
                (f0 >> 6) + (f1 >> 6 << 24) + 43 * p, (f1 >> 4) + 44 * p, (f0 + f1 >> 5) + 45 * p,
                (f2 >> 4) + 46 * p, (last & 65535) + 47 * p,
                (f0 >> 6) + (s.other >> 6 << 24) + 48 * p,
            ]  # fmt: skip
        return first + (self.records(at)[8:])

    def bucket(self, i: int, h: int) -> list[int]:
        place, check = (h >> 24) & self.masks[i], (h >> 16) & 255
        table = self.buckets[i]
        found = [table.setdefault(place ^ x, [0] * 16) for x in (0, 1, 2)]
        for one in found:
            if one[0] == check:
                return one
        taken = min(found, key=lambda one: self.seen[one[1]])
        taken[:] = [check] + [0] * 15
        return taken

    def decode_byte(self, at: int) -> None:
        hashes = []
        for i, context in enumerate(self.contexts(at)):
            h = signed((context + i) * K, 64)
            h ^= (h >> 29) & (2**35 - 1)
            hashes.append(signed(h * M, 64))
        bits, node, found = 1, 1, [self.bucket(i, h) for i, h in enumerate(hashes)]
        guess = self.out[self.place] | 256 if self.length else 0
        for place in range(8):
            if place == 4:
                node = 1
                for i in range(self.count):
                    h = signed(hashes[i] + bits * 4354685564936845355, 64)
                    h = signed((h ^ ((h >> 31) & (2**33 - 1))) * M, 64)
                    found[i] = self.bucket(i, h)
            kind_of, expected = 0, 0
            if self.length and guess >> (8 - place) == bits:
                expected = (guess >> (7 - place)) & 1
                n = self.length
                kind_of = n if n < 16 else 16 + (n - 16) // 8 if n < 272 else 48
            bit = self.decode_bit(at, bits, place, node, found, kind_of, expected)
            bits, node = 2 * bits + bit, 2 * node + bit
        self.end_byte(at, bits & 255)

    def decode_bit(
        self, at: int, bits: int, place: int, node: int, found: list[list[int]], length: int,
        expected: int,
    ) -> int:  # fmt: skip
        c = self.last & 255
        if self.profile > 1:
            c = ((at & 1) << 7) + (self.sound.error << 3) + ((self.last >> 5) & 7)
        states = [one[node] for one in found]
        rows_of = [256 * place + state for state in states]
        inputs = [
            STRETCH[self.chance[i][rows_of[i]] >> 12] if state else 0
            for i, state in enumerate(states)
        ]
        m, o = 2 * length + expected, 256 * c + bits
        if self.profile > 1:
            inputs += [self.believed(at, bits, place, told) for told in self.sound.told[:2]]
        else:
            inputs += (
                [STRETCH[self.match[m] >> 4], (self.match[m] - 32768) >> 5] if length else [0, 0]
            )
        inputs += [STRETCH[self.order[o] >> 4], 256, 0, 0, 0, 0]
        kind = 0 if not length else 1 + (length > 15) + (length > 24)
        known = sum(state != 0 for state in states)
        n, start = self.count + 1, 256 + 32 * (self.count + 1)
        chosen = [bits, 256 + (kind * n + known) * 8 + place, start + c]
        if self.count == 16:
            chosen += [start + 256 + ((self.last >> 8) & 255), start + 512 + (self.kinds & 255)]
        rows = [self.weights[row] for row in chosen]
        mixed = [
            bounded(sum(signed(a * b, 32) >> 8 for a, b in zip(inputs, row, strict=True)) >> 8)
            for row in rows
        ]
        final = self.final[bits]
        x = bounded(sum(a * b for a, b in zip(mixed, final, strict=True)) >> 16)
        u = 16 * (x + 2048)
        column, share = u >> 11, u & 2047
        key = (((self.last & 65535) * 40507 + bits * 1481765933) >> 7) % 2**14
        maps = self.short[bits + 256 * kind], self.long.setdefault(key, [*self.curve])
        short, long = (
            (row[column] * (2048 - share) + row[column + 1] * share) >> 11 for row in maps
        )
        chance = min(65520, max(16, (2 * squash(x) + short + 5 * long) >> 3))
        bit = self.decide(chance)
        truth, speed = 65535 * bit, 8 + 600000 // (at + 4000)
        for row, made in zip(rows, mixed, strict=True):
            slope = ((truth - squash(made)) * speed) >> 6
            for k, value in enumerate(inputs):
                row[k] += signed(value * slope + 8192, 32) >> 14
        error = (truth - squash(x)) >> 4
        for n, made in enumerate(mixed):
            final[n] += (made * error) >> 12
        for row in maps:
            row[column + (share >> 10)] += (truth - row[column + (share >> 10)]) >> 5
        for i, state in enumerate(states):
            row = rows_of[i]
            step = 256 * truth - self.chance[i][row]
            self.chance[i][row] += (step * (131072 // (2 * self.changes[i][row] + 3))) >> 16
            self.changes[i][row] += self.changes[i][row] < 255
            found[i][node] = self.following[state][bit]
        if length:
            self.match[m] += (truth - self.match[m]) >> 6
        self.order[o] += (truth - self.order[o]) >> 4
        return bit

    def decide(self, chance: int) -> int:
        span = self.high - self.low
        middle = self.low + (span >> 16) * chance + (((span & 65535) * chance) >> 16)
        bit = int(self.value <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            self.low = (self.low << 8) % 2**32
            self.high = (self.high << 8) % 2**32 + 255
            following = self.code[self.read] if self.read < len(self.code) else 0
            self.value = (self.value << 8) % 2**32 + following
            self.read += 1
        return bit

    def end_byte(self, at: int, byte: int) -> None:
        self.out.append(byte)
        self.before = ((self.before << 8) | (self.last >> 24)) % 2**32
        self.last = (self.last << 8) % 2**32 + byte
        if self.profile > 1:
            if at & 1:
                self.sound.follow(((self.last & 65535) ^ 32768) - 32768, at + 1)
            return
        self.follow_words(byte)
        if self.profile == 1:
            self.follow_record(at, byte)
        elif self.count == 16:
            one, two = (self.last >> 8) & 255, (self.last >> 8) & 65535
            self.after_one[one] = ((self.after_one.get(one, 0) << 8) + byte) % 2**24
            self.after_two[two] = ((self.after_two.get(two, 0) << 8) + byte) % 2**16
            if byte == 10:
                self.line_before, self.line = self.line, at + 1

    def follow_words(self, byte: int) -> None:
        letter, kind = byte + 32 if 65 <= byte <= 90 else byte, 1
        if 97 <= letter <= 122 or letter >= 128:
            self.word = ((self.word + letter + 1) * 47297013) % 2**39
        else:
            kind = 2 if 48 <= byte <= 57 else byte if byte < 48 else 3
            self.between = (self.between << 8) % 2**16 + byte
            if self.word:
                self.word2, self.word1, self.word = self.word1, self.word, 0
        self.kinds = ((self.kinds << 6) + kind) % 2**36

    def believed(self, at: int, bits: int, place: int, told: int) -> int:
        width, start = 128 >> place, (bits << (8 - place)) & 255
        if at & 1:
            start += (self.last & 255) << 8
        else:
            start, width = start << 8, width << 8
        steep = 256 * 5678 // (self.sound.mean + 8)
        below, middle, above = (
            squash(bounded((start - 32768 + k * width - told) * steep >> 8)) for k in (0, 1, 2)
        )
        return STRETCH[min(4095, ((above - middle) * 4095 + 2048) // (above - below + 1))]

    def follow_record(self, at: int, byte: int) -> None:
        distance = at - self.stood[byte]
        self.stood[byte] = at
        if distance <= 1:
            return
        if distance == self.candidate:
            self.repeats += 1
            if self.repeats > 8:
                self.record = distance
        else:
            self.candidate, self.repeats = distance, 0
