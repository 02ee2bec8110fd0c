"""Frames that are arrays, read as a clip is."""

from collections.abc import Iterable, Iterator, Sized
from fractions import Fraction
from itertools import chain

from ncodec.arrays import Pixels
from ncodec.container.records import UNKNOWN_COLOUR, Colour
from ncodec.errors import InputError
from ncodec.media.numbered import DEFAULT_RATE
from ncodec.media.timestamps import MPEG_TIME_BASE
from ncodec.picture import TimedFrame, check_frame

LARGEST_DENOMINATOR = 1001
"""largest denominator of a frame rate, as in 30000/1001"""

Item = Pixels | tuple[float | Fraction, Pixels]
"""(H, W, 3) uint8, or seconds and that"""


class ArrayReader:
    """Clip from frames in memory: (H, W, 3) uint8 arrays at a constant rate, or pairs of a time in
    seconds and such an array.

    `rate`, in frames a second, 25 if None, is rounded to a denominator of at most 1001. Time stamps
    are frame numbers in units of 1/rate, or the given times rounded to 1/90000 s. Raises
    InputError, when a frame is read, for none at all, for another shape or type, for sides beyond
    16384 pixels, and for times of some frames alone. That times ascend is not checked here, but by
    `StreamWriter`.
    """

    def __init__(self, items: Iterable[Item], *, rate: float | None = None) -> None:
        """`rate` is in frames a second, 25 where none is given; times in seconds overrule it."""
        self.name = "frames"
        self.notices: list[str] = []
        self.frames = len(items) if isinstance(items, Sized) else None
        self.rate = Fraction(DEFAULT_RATE if rate is None else rate).limit_denominator(
            LARGEST_DENOMINATOR
        )
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
    def colour(self) -> Colour:
        """Not known: arrays are RGB."""
        return UNKNOWN_COLOUR

    def records(self) -> Iterator[TimedFrame]:
        """The frames, as they come."""
        yield self._first
        yield from self._frames

    def _stamped(self, items: Iterable[Item]) -> Iterator[TimedFrame]:
        for number, item in enumerate(items):
            if isinstance(item, tuple) != self._has_times:
                msg = "expected times of all frames or of none, got some"
                raise InputError(msg)
            seconds, pixels = item if isinstance(item, tuple) else (number * self.time_base, item)
            check_frame(pixels)
            yield TimedFrame(round(Fraction(seconds) / self.time_base), pixels)
