"""Tracks as they were written: sizes and times of their segments, for manifests and reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ncodec.streaming.codec_strings import codec_string
from ncodec.streaming.layout import START, segment_name
from ncodec.streaming.segments import Segment, read_segment


@dataclass(frozen=True)
class WrittenTrack:
    """A track of video or sound in its folder."""

    name: str
    place: str
    """its folder, relative to the stream's"""
    codec: str
    """RFC 6381"""
    timescale: int
    segments: tuple[Segment, ...]
    start_size: int
    """bytes of the file that segments need before them"""
    first: int = 1
    """number of the first segment"""
    stated: int = 0
    """bits a second that are promised, whatever was measured"""

    @classmethod
    def of(
        cls,
        start: bytes,
        segments: tuple[Segment, ...],
        *,
        name: str,
        place: str,
        timescale: int,
        first: int = 1,
        stated: int = 0,
    ) -> Self:
        """A track by the start of its file and its segments."""
        codec = codec_string(start)
        return cls(name, place, codec, timescale, segments, len(start), first, stated)

    @property
    def seconds(self) -> float:
        """Duration of all segments."""
        return sum(segment.duration for segment in self.segments) / self.timescale

    @property
    def bandwidth(self) -> int:
        """Bits a second of the segment with the most, rounded up, or more if more are stated."""
        measured = (
            -(-8 * segment.size * self.timescale // max(1, segment.duration))
            for segment in self.segments
        )
        return max(self.stated, *measured)

    @property
    def average_bandwidth(self) -> int:
        """Bits a second over all segments, rounded up."""
        units = sum(segment.duration for segment in self.segments)
        return -(-8 * sum(segment.size for segment in self.segments) * self.timescale // units)

    @property
    def key_bandwidth(self) -> int:
        """Bits a second of the key frames alone, at their largest."""
        return max(
            -(-8 * key.length * self.timescale // max(1, key.duration))
            for segment in self.segments
            for key in segment.keys
        )


def read_written(
    folder: Path, place: str, *, name: str, timescale: int, numbers: Sequence[int]
) -> WrittenTrack:
    """A track whose segments have these numbers; raises FormatError for damaged segments."""
    start = (folder / place / START).read_bytes()
    segments = tuple(
        read_segment((folder / place / segment_name(number)).read_bytes()) for number in numbers
    )
    return WrittenTrack.of(
        start, segments, name=name, place=place, timescale=timescale, first=numbers[0]
    )
