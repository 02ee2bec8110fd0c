"""A second form of the predictors of samples, in plain Python, after codec/FORMAT.md."""


class Sound:
    """Predictors of samples."""

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.taps = [[0] * 32 for _ in range(4)]
        self.misses: list[list[int]] = [[0] * 32, [0] * 32]
        self.changes, self.values = [0] * 32, [0] * 32
        self.guesses, self.told = [0, 0], [0, 0, 0]
        self.mean = self.error = self.other = 0

    def follow(self, value: int, at: int) -> None:
        n = self.channels
        done, coming = (at // 2 - 1) % n, at // 2 % n
        change = value - (31 * self.values[n - 1] >> 5)
        miss = change - self.guesses[0]
        self.learn(2 * done, self.changes, miss, 22)
        self.learn(2 * done + 1, self.misses[done], miss - self.guesses[1], 20)
        self.mean += (16 * min(32767, abs(value - self.told[0])) - self.mean) >> 3
        self.error = 0
        while self.mean >> self.error > 16:
            self.error += 1
        self.values = [value, *self.values[:-1]]
        self.changes = [change, *self.changes[:-1]]
        self.misses[done] = [miss, *self.misses[done][:-1]]
        signals = self.changes, self.misses[coming]
        self.guesses = [
            whole(
                sum(a * b for a, b in zip(self.taps[2 * coming + k], signals[k], strict=True)) >> 16
            )
            for k in (0, 1)
        ]
        back, farther = self.values[n - 1], self.values[2 * n - 1]
        rest = 31 * back >> 5
        first, second = self.guesses
        self.told = [whole(rest + first + second), whole(rest + first), whole(2 * back - farther)]
        self.other = self.values[0] if n > 1 else farther

    def learn(self, row: int, signal: list[int], miss: int, rate: int) -> None:
        step = (miss << 30) // (2**14 + sum(value * value for value in signal))
        self.taps[row] = [
            tap + ((step * value + 2 ** (rate - 1)) >> rate)
            for tap, value in zip(self.taps[row], signal, strict=True)
        ]


def whole(value: int) -> int:
    return min(32767, max(-32768, value))
