"""Rate control: the QP of each frame, constant or for an average bit rate."""

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ncodec.container.records import Tag
from ncodec.errors import InputError
from ncodec.quality import QP_COUNT

OCTAVES_PER_QP = 0.089
"""by how much a step of qp changes the logarithm of a frame's bits, on average over the ladder"""
INTRA_OVER_PREDICTED = 3.0
"""assumed ratio of an intra frame's bits to a predicted frame's"""
MEMORY = 0.5
"""weight of the last frame in the running mean of its type's bits"""
LARGEST_STEP = 4
"""largest step of the QP from frame to frame, so that quality does not flicker"""
LEAST_BELOW, MOST_BELOW = 15, 19
"""steps of qp from an intra frame to the predicted ones after it, which inherit its quality where
little moves"""
RISE = 24, 37
"""qps of intra frames between which the steps grow from the least to the most"""
TWICE_FROM = 48
"""level of a constant quality from which each is two steps of qp"""
SAVED_GROUPS = 2
"""groups whose bits the bucket holds at most"""
FIRST_QP = 32
FIRST_BPP = 0.5
"""bits per pixel that an intra frame at `FIRST_QP` is expected to take"""


def steps_below(intra: float) -> float:
    """Steps of qp from an intra frame to the predicted ones after it."""
    return float(np.interp(intra, RISE, (LEAST_BELOW, MOST_BELOW)))


def steps_above(predicted: float) -> float:
    """QPs from a predicted frame, of QP `predicted`, up to an intra frame: 15 up to QP 9, 19 from
    QP 18, linear between.

    For QP i − `steps_below(i)` it equals `steps_below(i)`.
    """
    first, last = RISE
    return float(
        np.interp(predicted, (first - LEAST_BELOW, last - MOST_BELOW), (LEAST_BELOW, MOST_BELOW))
    )


class RateControl(Protocol):
    """Chooses the qp of each frame, and learns what it took."""

    def qp(self, tag: Tag, *, left: int) -> int:
        """QP, 0 to 63, of the next frame, of type `tag`, before its bits are known.

        `left` is the number of frames up to the next intra frame or the end, the next frame
        included. Call it once a frame, then `spend`.
        """

    def spend(self, tag: Tag, qp: int, bits: int) -> None:
        """Report the bits of a frame, exact cells included, coded at `qp` with type `tag`."""


@dataclass(frozen=True)
class ConstantQuality:
    """One QP for all intra frames, and lower ones for predicted frames.

    At the top of the levels both rise twice as fast, intra frames up to where they end: predicted
    frames alone have qps left there.
    """

    level: int

    def qp(self, tag: Tag, *, left: int) -> int:
        """QP, 0 to 63, of a frame of type `tag` with `left` frames to the GOP's end, itself
        included.

        An intra frame with `left` of 1 has QP `level`. Else, with m the larger of `level` and
        2·`level` − 48, an intra frame has m, at most 63, any other m − `round(steps_below(m))`, at
        least 0.
        """
        if tag == Tag.INTRA and left == 1:
            return self.level
        level = max(self.level, 2 * self.level - TWICE_FROM)
        if tag == Tag.INTRA:
            return min(level, QP_COUNT - 1)
        return max(0, level - round(steps_below(level)))

    def spend(self, tag: Tag, qp: int, bits: int) -> None:
        """Nothing to learn."""


@dataclass
class AverageRate:
    """A leaky bucket: the qp with which the rest of a group is expected to take what the group has
    left.

    Each frame brings its share of the bit rate into the bucket, those of the group in advance, and
    takes its own bits out; an intra frame borrows from the predicted ones after it. Expectations
    follow what frames took: the logarithm of a frame's bits is linear in its qp.
    """

    bits_per_frame: float
    pixels: int
    _level: float = 0.0
    """bits that the group may still take"""
    _promised: int = 0
    """frames whose share is in the level already"""
    _expected: dict[Tag, float] = field(default_factory=dict)
    """log₂ of the bits of a frame of a kind at qp 0"""
    _last: dict[Tag, int] = field(default_factory=dict)
    _longest: int = 0
    """frames of the longest group so far"""

    def __post_init__(self) -> None:
        if not (self.bits_per_frame > 0 and math.isfinite(self.bits_per_frame)):
            msg = f"expected a positive bit rate, got {self.bits_per_frame:g} bits a frame"
            raise InputError(msg)

    def qp(self, tag: Tag, *, left: int) -> int:
        """QP, 0 to 63, at which the GOP's `left` frames, the next included, are expected to take
        the bucket's bits.

        It differs by at most 4 from that of the last frame of type `tag`; for an intra frame after
        predicted ones, from the last predicted frame's plus its `steps_above`. Adds the bits of
        frames that are new in `left` to the bucket, so call it once a frame, then `spend`.
        """
        self._level += (left - self._promised) * self.bits_per_frame
        self._promised = left
        self._longest = max(self._longest, left)
        # What still scenes save is spent soon or never: not all on the first frames that move.
        self._level = min(self._level, SAVED_GROUPS * self._longest * self.bits_per_frame)
        last = self._last.get(Tag.PREDICTED)
        # An intra frame follows the quality of the predicted ones before it.
        above = steps_above(FIRST_QP if last is None else last)
        below = above if tag == Tag.INTRA else 0
        total = 2 ** self._expect(tag) + (left - 1) * 2 ** (
            self._expect(Tag.PREDICTED) - OCTAVES_PER_QP * below
        )
        wanted = math.log2(max(self._level, 1) / total) / OCTAVES_PER_QP
        near = self._last.get(tag) if last is None or tag != Tag.INTRA else last + above
        if near is not None:
            wanted = min(max(wanted, near - LARGEST_STEP), near + LARGEST_STEP)
        return round(min(max(wanted, 0), QP_COUNT - 1))

    def spend(self, tag: Tag, qp: int, bits: int) -> None:
        """Subtract a frame's bits from the bucket, and update the expectation of its type."""
        self._level -= bits
        self._promised -= 1
        if tag == Tag.DUPLICATE:
            return
        seen = math.log2(max(bits, 1)) - OCTAVES_PER_QP * qp
        known = self._expected.get(tag, seen)
        self._expected[tag] = known + MEMORY * (seen - known)
        self._last[tag] = qp

    def _expect(self, tag: Tag) -> float:
        """log₂ of the bits of a frame of this kind at qp 0, from the other kind where none was
        seen."""
        if tag in self._expected:
            return self._expected[tag]
        other = Tag.INTRA if tag == Tag.PREDICTED else Tag.PREDICTED
        ratio = math.log2(INTRA_OVER_PREDICTED) * (1 if tag == Tag.INTRA else -1)
        if other in self._expected:
            return self._expected[other] + ratio
        first = math.log2(FIRST_BPP * self.pixels) - OCTAVES_PER_QP * FIRST_QP
        return first if tag == Tag.INTRA else first + ratio
