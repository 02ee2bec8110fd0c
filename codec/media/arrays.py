"""Frames that are arrays, read as a clip is."""

from collections.abc import Iterable, Iterator, Sized
from fractions import Fraction
from itertools import chain
from numbers import Rational, Real
from typing import Any

from ncodec.arrays import Pixels
from ncodec.container.records import UNKNOWN_COLOUR, Colour, Companion
from ncodec.errors import InputError
from ncodec.media.numbered import frame_rate
from ncodec.media.timestamps import MPEG_TIME_BASE
from ncodec.picture import TimedFrame, check_frame

LARGEST_S = 1e9
"""largest time of a frame, in seconds"""

Item = Pixels | tuple[float | Fraction, Pixels]
"""(H, W, 3) uint8, or seconds and that"""


class ArrayReader:
    """Clip from frames in memory: (H, W, 3) uint8 arrays at a constant rate, or pairs of a time in
    seconds and such an array.

    `rate`, in frames a second, 25 if None, is rounded to a denominator of at most 1001. Time stamps
    are frame numbers in units of 1/rate, or the given times rounded to 1/90000 s. Frames are read a
    few ahead, maybe in another thread. Raises
    InputError, when a frame is read, for none at all, for another shape or type, for sides beyond
    16384 pixels, and for times of some frames alone. That times ascend is not checked here, but by
    `StreamWriter`.
    """

    def __init__(self, items: Iterable[Item], *, rate: float | Fraction | None = None) -> None:
        """`rate` is in frames a second, 25 where none is given; times in seconds overrule it."""
        self.name = "frames"
        self.notices: list[str] = []
        self.frames = len(items) if isinstance(items, Sized) else None
        self.rate = frame_rate(rate)
        self.pixel_aspect = Fraction(1)
        self._items = iter(items)
        first = next(self._items, None)
        if first is None:
            msg = "expected frames, got none"
            raise InputError(msg)
        self._has_times = isinstance(first, tuple)
        self.time_base = MPEG_TIME_BASE if self._has_times else 1 / self.rate
        self._frames = self._stamped(chain([first], self._items))
        self._first = next(self._frames)
        self.height, self.width = self._first.pixels.shape[:2]

    @property
    def damage(self) -> str | None:
        """None: arrays are whole."""
        return None

    @property
    def colour(self) -> Colour:
        """Not known: arrays are RGB."""
        return UNKNOWN_COLOUR

    def records(self) -> Iterator[TimedFrame | Companion]:
        """The frames, as they come."""
        yield self._first
        yield from self._frames

    def _stamped(self, items: Iterable[Item]) -> Iterator[TimedFrame]:
        for number, item in enumerate(items):
            if isinstance(item, tuple) != self._has_times:
                msg = "expected times of all frames or of none, got some"
                raise InputError(msg)
            seconds, pixels = _timed(item) if isinstance(item, tuple) else (None, item)
            check_frame(pixels)
            pts = number if seconds is None else round(seconds / self.time_base)
            # A copy, because frames are read ahead and the caller may fill its array anew.
            yield TimedFrame(pts, pixels.copy())


def _timed(item: tuple[Any, ...]) -> tuple[Fraction, Pixels]:
    """A pair of seconds and pixels; raises InputError for another tuple and for no time."""
    if len(item) != 2:
        msg = f"expected pairs of seconds and pixels, got a tuple of {len(item)}"
        raise InputError(msg)
    seconds, pixels = item
    if not isinstance(seconds, Real) or not abs(float(seconds)) <= LARGEST_S:
        msg = f"expected a time in seconds, got {seconds!r}"
        raise InputError(msg)
    exact = seconds if isinstance(seconds, Rational) else float(seconds)
    return Fraction(exact), pixels
