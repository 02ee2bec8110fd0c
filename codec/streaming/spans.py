"""Frames of a clip → spans: a segment of every rendition, or a part of a .ncv stream."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

_SHORTEST, _LONGEST = Fraction(1, 2), Fraction(3, 2)
"""length of a span as a multiple of the wanted one"""
_KEY_DISTANCE_S = Fraction(1, 2)
"""least seconds from one key frame to the next inside a segment"""


@dataclass(frozen=True)
class Span:
    """Frames of a clip that are coded without any other."""

    number: int
    """from 1"""
    first: int
    """number of its first frame in the clip"""
    frames: int
    keys: tuple[int, ...] = ()
    """numbers of frames in the span, but for the first one, that decoding can begin at"""

    @property
    def last(self) -> int:
        """Number of the frame behind the span."""
        return self.first + self.frames


def spans_of(
    times: Sequence[Fraction], end: Fraction, *, cuts: Sequence[int], seconds: Fraction
) -> tuple[Span, ...]:
    """Spans of about `seconds`, between half and one and a half of it where there are frames.

    A span begins at the cut that lies nearest to the wanted length, if there is one in reach, else
    at the first frame from there on; other cuts become key frames inside a span. `times` are
    seconds at which frames are shown, `end` is when the last one ends, `cuts` are numbers of frames
    that begin shots.
    """
    starts = list(_starts(times, end, cuts=cuts, seconds=seconds))
    if len(starts) > 1 and end - times[starts[-1]] < _SHORTEST * seconds / 2:
        starts.pop()  # players stumble over a last segment of a few frames
    ends = [*starts[1:], len(times)]
    return tuple(
        Span(number, first, last - first, _keys(times, first, last, end=end, cuts=cuts))
        for number, (first, last) in enumerate(zip(starts, ends, strict=True), 1)
    )


def _starts(
    times: Sequence[Fraction], end: Fraction, *, cuts: Sequence[int], seconds: Fraction
) -> Iterator[int]:
    start = 0
    yield start
    while end - times[start] > _LONGEST * seconds:
        wanted = times[start] + seconds
        reach = range_of(
            times, times[start] + _SHORTEST * seconds, times[start] + _LONGEST * seconds
        )
        near = [
            cut
            for cut in cuts
            if cut in reach and cut > start and end - times[cut] >= _SHORTEST * seconds
        ]
        if near:
            start = min(near, key=lambda cut: abs(times[cut] - wanted))
        else:
            start = max(start + 1, bisect_left(times, wanted))
        if start >= len(times):
            return
        yield start


def range_of(times: Sequence[Fraction], start: Fraction, end: Fraction) -> range:
    """Numbers of the frames that are shown from `start` seconds on and not after `end`."""
    return range(bisect_left(times, start), bisect_right(times, end))


def _keys(
    times: Sequence[Fraction], first: int, last: int, *, end: Fraction, cuts: Sequence[int]
) -> tuple[int, ...]:
    keys: list[int] = []
    until = times[last] if last < len(times) else end
    before = times[first]
    for cut in cuts:
        if not first < cut < last:
            continue
        if times[cut] - before >= _KEY_DISTANCE_S and until - times[cut] >= _KEY_DISTANCE_S:
            keys.append(cut - first)
            before = times[cut]
    return tuple(keys)
