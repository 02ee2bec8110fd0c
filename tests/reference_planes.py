"""A second decoder of planes of pictures, in plain Python, written from the format's text alone."""

from collections import defaultdict
from math import exp, log

OWN = [
    (-1, 0), (0, -1), (-1, -1), (1, -1), (-2, 0), (0, -2), (-2, -1), (2, -1), (-1, -2), (1, -2),
    (-3, 0), (0, -3), (3, -1), (-2, -2), (2, -2), (-3, -1), (-1, -3), (1, -3), (3, -2), (-3, -2),
    (2, -3), (-2, -3), (3, -3), (-3, -3),
]  # fmt: skip
OTHERS = [
    (0, 0), (-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (1, -1), (-1, 1), (1, 1), (-2, 0), (0, -2),
    (2, 0), (-2, -1), (2, -1),
]  # fmt: skip


def clip(x, least, most):
    """X within bounds."""
    return max(least, min(most, x))


def signed(x, bits):
    """X modulo 2^bits, as in two's complement."""
    return ((x + (1 << (bits - 1))) & ((1 << bits) - 1)) - (1 << (bits - 1))


def squash(x):
    """Probability of a logit."""
    return clip(round(65536 / (1 + exp(-x / 256))), 16, 65520)


def stretch(q):
    """Logit of a probability."""
    p = (q + 0.5) / 4096
    return clip(round(256 * log(p / (1 - p))), -2047, 2047)


def cumulative(x):
    """Share of a logistic distribution."""
    return round(2**22 / (1 + exp(-x / 256)))


def limited(x):
    """B(x)."""
    return clip(x, -2047, 2047)


def fine(k):
    """Class of a size of errors."""
    k = min(k, 2047)
    return max([m for m in range(1, 24) if k**6 >= 1 << (2 * m + 5)], default=0)


def sign(e):
    """Sign class of an error."""
    size = sum(abs(e) >= step for step in (3, 9, 24, 64))
    return 4 + size if e > 0 else 4 - size


def med(w, n, q):
    """Median of gradients."""
    if q >= max(w, n):
        return min(w, n)
    return max(w, n) if q <= min(w, n) else w + n - q


def cube_root(x):
    """Largest whole number whose cube is at most x."""
    r = 0
    while (r + 1) ** 3 <= x:
        r += 1
    return r


class Coder:
    """The arithmetic decoder."""

    def __init__(self, code):
        self.code, self.at, self.low, self.high, self.held = code, 0, 0, 0xFFFFFFFF, 0
        for _ in range(4):
            self._take()

    def _take(self):
        byte = self.code[self.at] if self.at < len(self.code) else 0
        self.held = ((self.held << 8) | byte) & 0xFFFFFFFF
        self.at += 1

    def bit(self, p):
        """The next decision."""
        span = self.high - self.low
        middle = self.low + (span >> 16) * p + (((span & 65535) * p) >> 16)
        bit = int(self.held <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            self.low = (self.low << 8) & 0xFFFFFFFF
            self.high = ((self.high << 8) & 0xFFFFFFFF) + 255
            self._take()
        return bit


class Plane:
    """A plane, and the model that decodes it."""

    def __init__(self, height, width, near, far, coder):
        self.height, self.width, self.near, self.far, self.coder = height, width, near, far, coder
        self.c = defaultdict(lambda: 128)
        self.e = defaultdict(int)
        self.misses = [defaultdict(int) for _ in range(4)]
        own, n, f = (8, 8, 8) if far else (10, 14, 0) if near else (24, 0, 0)
        self.spots = [(self, s) for s in OWN[:own]] + [(near, s) for s in OTHERS[:n]]
        self.spots += [(far, s) for s in OTHERS[:f]]
        self.sums = defaultdict(lambda: [[0] * 25 for _ in range(24)])
        start = [cube_root(1 << (18 + i)) for i in range(24)]
        self.scale = [start[i // 12] for i in range(288)]
        self.spread = [list(start) for _ in range(4)]
        self.tables = [defaultdict(lambda: [0, 0]) for _ in range(10)]
        self.rows = [defaultdict(lambda: [20000] + [3500] * 15) for _ in range(3)]
        self.final = defaultdict(lambda: [21845] * 3)
        curve = [squash(limited(128 * (j - 16))) for j in range(33)]
        self.refined = defaultdict(lambda: list(curve))
        self.seen = 0

    def decode(self):
        """Decode all samples."""
        for y in range(self.height):
            for k in (1, 2, 3):
                self.c[y, -k] = self.c[y - 1, 0]
            for x in range(self.width):
                if x % 8 == 0:
                    self.weights = self.solve(x // 8)
                    self.block = []
                self.sample(y, x)
                if x % 8 == 7 or x == self.width - 1:
                    self.gather(x // 8)
                if y == 0:
                    for k in (1, 2, 3):
                        for j in range(-3 if x == 0 else 1, 4):
                            self.c[-k, x + j] = self.c[0, x]
                if x == self.width - 1:
                    for k in range(3):
                        self.c[y, self.width + k] = self.c[y, x]

    def gather(self, b):
        """Fade the sums of a block and add its products."""
        sums = self.sums[b]
        for i in range(24):
            for j in range(25):
                new = sum(t * x[i] * x[j] for x, t in self.block) >> 3
                sums[i][j] = signed(sums[i][j] - (sums[i][j] >> 3) + new, 32)

    def solve(self, b):
        """Weights of a block."""
        last = (self.width - 1) // 8
        left, right, own = self.sums[max(b - 1, 0)], self.sums[min(b + 1, last)], self.sums[b]
        a = [[left[i][j] + right[i][j] + 2 * own[i][j] for j in range(25)] for i in range(24)]
        for i in range(24):
            a[i][i] += (a[i][i] >> 10) + 16
        for k in range(24):
            inverse = (1 << 40) // max(a[k][k], 64)
            p = [signed(v, 32) for v in a[k]]
            for i in range(k + 1, 24):
                f = clip(signed(p[i] * inverse, 64) >> 24, -(2**31) + 1, 2**31 - 1)
                for j in range(i, 25):
                    a[i][j] = signed(a[i][j] - (signed(f * p[j], 64) >> 16), 64)
        w = [0] * 24
        for k in reversed(range(24)):
            rest = a[k][24] << 16
            rest -= sum(a[k][j] * w[j] for j in range(k + 1, 24))
            w[k] = clip(signed(rest, 64) // max(a[k][k], 64), -(2**19), 2**19)
        return w

    def level(self, y, x):
        """Mean of the cells on the left and above."""
        return (self.c[y, x - 1] + self.c[y - 1, x]) >> 1

    def sample(self, y, x):
        """Decode a sample."""
        c, e, near, far = self.c, self.e, self.near, self.far
        level = self.level(y, x)
        taps = [plane.c[y + dy, x + dx] - plane.level(y, x) for plane, (dx, dy) in self.spots]
        total = sum(t * w for t, w in zip(taps, self.weights, strict=True)) >> 10
        mean = clip(total + 64 * level, 0, 16320)
        beside = [(y, x - 1), (y - 1, x), (y - 1, x - 1), (y - 1, x + 1), (y, x - 2), (y - 2, x)]
        w, n, nw, ne, ww, nn = (c[spot] for spot in beside)
        e_w, e_n, e_nw, e_ne, e_ww, e_nn = (e[spot] for spot in beside)
        total = 3 * abs(e_w) + 3 * abs(e_n) + abs(e_ne) + abs(e_nw) + abs(e_ww) + abs(e_nn)
        first, second = e_ne, e_nw
        if near:
            a = near.c
            median = a[y, x] + med(w - a[y, x - 1], n - a[y - 1, x], nw - a[y - 1, x - 1])
            average = a[y, x] + level - near.level(y, x)
            first = near.e[y, x]
            other = 2 * abs(first) + ((abs(near.e[y, x + 1]) + abs(near.e[y + 1, x])) >> 1)
        else:
            median = med(w, n, nw)
            average = (3 * (w + n) + 2 * (ne - nw)) // 6
            other = abs(e_ne) + abs(e_nn) + abs(e_ww)
        size = total // 10
        if far:
            second = far.e[y, x]
            other += abs(second)
            size = (total + 2 * abs(second)) // 12
        beside_class, off_class = fine(size), fine(other // 3) >> 1
        means = [mean, 64 * median, 64 * average, mean]
        places = [0] * 4
        spreads = [self.scale[12 * beside_class + off_class]] + [0] * 3
        for k in (1, 2, 3):
            m = self.misses[k]
            miss = 2 * m[y, x - 1] + 2 * m[y - 1, x] + m[y - 1, x + 1] + m[y - 1, x - 1]
            places[k] = fine(miss // 6)
            spreads[k] = self.spread[k][places[k]]
        self.widths = [(1 << 20) // max(12, (185 * d) >> 8) for d in spreads]
        magnitude = next((g for g in range(6) if spreads[0] <= 360 << g), 5)
        q, part = mean >> 6, (mean & 63) >> 3
        shape = sum((v > q) << k for k, v in enumerate((w, n, nw, ne, ww, nn)))
        centre, coarse = min(255, q + 1), beside_class // 3
        self.contexts = [
            12 * beside_class + off_class,
            9 * sign(e_w) + sign(e_n) + 81 * coarse,
            9 * sign(first) + sign(second) + 81 * coarse,
            24 * part + beside_class,
            9 * sign((means[1] - mean) >> 3) + sign((means[2] - mean) >> 3) + 81 * (part >> 1),
            24 * (q >> 3) + beside_class,
            shape + 64 * coarse,
            24 * fine(8 * abs(w - nw) + 8 * abs(n - nn)) + fine(8 * abs(n - ne) + 8 * abs(w - ww)),
            4 * centre + (part >> 1),
        ]
        colours = w * 2654435761 + n * 2246822519
        colours += near.c[y, x] * 3266489909 if near else nw * 668265263
        colours += far.c[y, x] * 374761393 if far else 0
        self.colours, self.means, self.shape, self.beside = colours, means, shape, beside_class
        self.speed = 4 + 400000 // (self.seen + 10000)
        self.seen += 1
        s = self.values(centre, magnitude)
        c[y, x] = s
        e[y, x] = (64 * s - mean) >> 3
        at = 12 * beside_class + off_class
        self.scale[at] += (min(4 * abs(64 * s - mean), 8192) - self.scale[at]) >> 5
        for k in (1, 2, 3):
            off = abs(64 * s - means[k])
            self.misses[k][y, x] = off >> 3
            spread = self.spread[k]
            spread[places[k]] += (min(4 * off, 16384) - spread[places[k]]) >> 6
        merit = min(63, 512 // (4 + size + (abs(64 * s - mean) >> 3)))
        self.block.append(([*taps, s - level], merit))

    def values(self, centre, magnitude):
        """Decode the decisions of a sample."""
        self.low, self.beyond = 0, 256
        self.shares_below, self.shares_above = [0] * 4, [1 << 22] * 4
        side = self.decide(centre, 0, magnitude)
        bins, tree, depth, reach = 0, 1, 0, 1 << magnitude
        while self.beyond - self.low > 1:
            v = centre + reach if side else centre - reach
            if v >= self.beyond or v <= self.low:
                break
            if self.decide(v, 1 + 8 * side + min(bins, 7), magnitude) != side:
                break
            bins += 1
            reach += 1 << (magnitude + bins - 1)
        while self.beyond - self.low > 1:
            branch = tree if tree < 4 else 4 + min(depth, 3)
            node = 20 + 8 * (5 * side + min(bins, 4)) + branch
            tree = 2 * tree + self.decide((self.low + self.beyond) >> 1, node, magnitude)
            depth += 1
        return self.low

    def decide(self, v, node, magnitude):
        """Decode a decision."""
        kind = node if node < 17 else 17 + (node - 20) // 8
        place = 128 * magnitude + node
        inputs, shares = [], []
        for k in range(4):
            z = clip(((64 * v - 32 - self.means[k]) * self.widths[k]) >> 10, -3071, 3071)
            here, above = cumulative(z), self.shares_above[k]
            span = above - self.shares_below[k]
            p = ((above - here) * 4095 + (span >> 1)) // max(1, span)
            inputs.append(stretch(clip(p, 0, 4095)))
            shares.append(here)
        z = self.colours + (256 * self.low + v) * 625341585
        z = ((z ^ (z >> 15)) * 739982445) % 2**39
        entries = [self.tables[i][self.contexts[i], place] for i in range(9)]
        entries.append(self.tables[9][(z >> 12) % 2**18])
        for i, (p, count) in enumerate(entries):
            inputs.append(stretch(p >> 10) if count else inputs[0] if i < 9 else 0)
        inputs += [0, 256]
        rows = [
            self.rows[0][place],
            self.rows[1][24 * kind + self.beside],
            self.rows[2][64 * kind + self.shape],
        ]
        logits = []
        for row in rows:
            total = sum(signed(i * w, 32) >> 8 for i, w in zip(inputs, row, strict=True))
            logits.append(limited(signed(total, 32) >> 8))
        final = self.final[kind]
        x = limited(sum(logit * f for logit, f in zip(logits, final, strict=True)) >> 16)
        u = 16 * (x + 2048)
        column, share = u >> 11, u & 2047
        r = self.refined[24 * kind + self.beside]
        p = (r[column] * (2048 - share) + r[column + 1] * share) >> 11
        bit = self.coder.bit(clip((3 * squash(x) + p) >> 2, 16, 65520))
        truth = 65535 * bit
        for row, logit in zip(rows, logits, strict=True):
            slope = ((truth - squash(logit)) * self.speed) >> 6
            for i in range(16):
                row[i] = signed(row[i] + (signed(inputs[i] * slope + 8192, 32) >> 14), 32)
        for i in range(3):
            final[i] += (logits[i] * ((truth - squash(x)) >> 4)) >> 13
        column += share >> 10
        r[column] += (truth - r[column]) >> 6
        for i, entry in enumerate(entries):
            p, count = entry
            if count == 0:
                p = 64 * squash(inputs[0]) if i < 9 else 1 << 21
            goal = 2**22 - 1 if bit else 0
            entry[0] = p + (((goal - p) * (327680 // (5 * count + 8))) >> 16)
            entry[1] = min(count + 1, 255)
        if bit:
            self.low, self.shares_below = v, shares
        else:
            self.beyond, self.shares_above = v, shares
        return bit


def decode(code, height, width, channels):
    """Samples [y][x][channel] of a code."""
    coder, planes = Coder(code), []
    for k in range(channels):
        near = planes[0] if channels > 2 and k in (1, 2) else None
        far = planes[1] if channels > 2 and k == 2 else None
        planes.append(Plane(height, width, near, far, coder))
        planes[-1].decode()
    if coder.at != len(code):
        raise ValueError("the code does not end with the last sample")  # noqa: EM101
    order = {1: (0,), 3: (1, 0, 2)}[channels]
    return [
        [[planes[order.index(k)].c[y, x] for k in range(channels)] for x in range(width)]
        for y in range(height)
    ]
