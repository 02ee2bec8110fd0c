"""A second reader of context mixing, in plain Python, written after codec/FORMAT.md alone."""

import math
from importlib.resources import files

import numpy as np

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


class Reader:
    """Decodes one block."""

    def __init__(self, code: bytes, size: int, profile: int) -> None:
        self.code, self.size, self.profile = code, size, profile
        self.following, self.seen = states()
        self.mask = (1 << max(12, min(20, size.bit_length()))) - 1
        with (
            (files("ncodec.lossless") / "priors.npz").open("rb") as stream,
            np.load(stream) as known,
        ):
            prior = {name: known[name][profile].tolist() for name in known.files}
        self.chance, self.changes = prior["chances"], prior["changes"]
        self.match, self.final, self.short = (
            prior["match_chances"], prior["final"], prior["short_map"],
        )  # fmt: skip
        self.weights = prior["by_bits"], prior["by_match"], prior["by_last"]
        self.order = [32768] * 65536
        curve = [squash(bounded(128 * (j - 16))) for j in range(33)]
        self.long: dict[int, list[int]] = {}
        self.curve = curve
        self.buckets: list[dict[int, list[int]]] = [{} for _ in range(8)]
        self.places: dict[int, int] = {}
        self.low, self.high, self.read = 0, 2**32 - 1, 4
        self.value = int.from_bytes((code + bytes(4))[:4], "big")
        self.out = bytearray()
        self.last = self.before = self.word = self.word1 = self.word2 = 0
        self.length = self.place = 0
        self.record, self.candidate, self.count = 1, 0, 0
        self.stood = [0] * 256

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
        last, c, p = self.last, self.last & 255, 2**50
        shared = [(last & 65535) + 2**16, (last & (2**24 - 1)) + 2**25, last + 3 * 2**32]
        if self.profile == 0:
            word = self.word * W
            return [
                word + self.word2 * V + 13 * p, *shared,
                last + ((self.before & 65535) << 32) + 5 * p,
                word + (last & (2**24 - 1)) * 31 + 6 * p,
                word + c * 7919 + 7 * p,
                word + self.word1 * V + c + 9 * p,
            ]  # fmt: skip
        record = self.record
        above = self.out[at - record] if at >= record else 0
        higher = self.out[at - 2 * record] if at >= 2 * record else 0
        beside = self.out[at - record + 1] if at >= record > 1 else 0
        return [
            ((last >> 8) & 65535) + 11 * p, *shared,
            last + ((self.before & 255) << 32) + 5 * p,
            above + (c << 8) + (beside << 16) + 6 * p,
            above + (higher << 8) + (record << 16) + 7 * p,
            at % record + (above << 20) + (record << 32) + 9 * p,
        ]  # fmt: skip

    def bucket(self, i: int, h: int) -> list[int]:
        place, check = (h >> 24) & self.mask, (h >> 16) & 255
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
                for i in range(8):
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
        states = [one[node] for one in found]
        inputs = [
            STRETCH[self.chance[i][state] >> 12] if state else 0 for i, state in enumerate(states)
        ]
        m, o = 2 * length + expected, 256 * c + bits
        inputs += [STRETCH[self.match[m] >> 4], (self.match[m] - 32768) >> 5] if length else [0, 0]
        inputs += [STRETCH[self.order[o] >> 4], 256, 0, 0, 0, 0]
        kind = 0 if not length else 1 + (length > 15) + (length > 24)
        known = sum(state != 0 for state in states)
        rows = [
            w[row]
            for w, row in zip(self.weights, (bits, (kind * 9 + known) * 8 + place, c), strict=True)
        ]
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
            step = 256 * truth - self.chance[i][state]
            self.chance[i][state] += (step * (131072 // (2 * self.changes[i][state] + 3))) >> 16
            self.changes[i][state] += self.changes[i][state] < 500
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
        letter = byte + 32 if 65 <= byte <= 90 else byte
        if 97 <= letter <= 122 or letter >= 128:
            self.word = ((self.word + letter + 1) * 47297013) % 2**39
        elif self.word:
            self.word2, self.word1, self.word = self.word1, self.word, 0
        if self.profile == 1:
            self.follow_record(at, byte)

    def follow_record(self, at: int, byte: int) -> None:
        distance = at - self.stood[byte]
        self.stood[byte] = at
        if distance <= 1:
            return
        if distance == self.candidate:
            self.count += 1
            if self.count > 8:
                self.record = distance
        else:
            self.candidate, self.count = distance, 0
