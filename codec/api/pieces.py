"""Pieces of streams → another stream, by copies of their records with other time stamps."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from typing import BinaryIO

from ncodec.container.clip_metadata import (
    NO_METADATA,
    Chapter,
    ClipMetadata,
    pack_clip_metadata,
    unpack_clip_metadata,
)
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.records import Frame, LastDuration, Media, StreamHeader, Tracks
from ncodec.errors import FormatError
from ncodec.media.rereadable import Rereadable

MICROSECOND = Fraction(1, 10**6)
"""unit of chapters, in seconds"""


def converted(units: int, ratio: Fraction) -> int:
    """Units of one time base in units of another, rounded half up.

    `ratio` is the first time base over the second. Where it is at least 1, what ascends still does.
    """
    return floor(units * ratio + Fraction(1, 2))


@dataclass(frozen=True)
class TimeRange:
    """Times of a piece in the time base of a track or of chapters."""

    start: int | None
    """the first unit that belongs to it, None if nothing is too early"""
    stop: int | None
    """the first unit that is too late, None if nothing is"""
    shift: int
    """units that are added to time stamps"""

    def holds(self, pts: int) -> bool:
        """Whether a packet or chapter that begins at `pts` belongs to the piece."""
        return (self.start is None or self.start <= pts) and (self.stop is None or pts < self.stop)


@dataclass(frozen=True)
class Piece:
    """Frames of a stream that follow each other, and where they go."""

    start: int
    """time stamp of the first frame"""
    stop: int
    """time stamp at which the last frame ends"""
    base: Fraction
    """seconds of one unit of the two"""
    target: int
    """time stamp of the first frame in the stream that is written"""
    written_base: Fraction
    """seconds of one unit of that"""
    keeps_earlier: bool
    """whether packets that begin before the first frame are kept"""
    keeps_later: bool
    """whether packets that begin after the last frame are kept"""

    @property
    def end(self) -> int:
        """Time stamp at which the last frame ends in the stream that is written."""
        return self.target + converted(self.stop - self.start, self.base / self.written_base)

    def stamp(self, pts: int) -> int:
        """Time stamp of a frame in the stream that is written."""
        return self.target + converted(pts - self.start, self.base / self.written_base)

    def time_range(self, base: Fraction) -> TimeRange:
        """Times of the piece in the time base of a track or of chapters.

        Times are rounded up, so that what begins in one piece ends up before what begins in the
        next, and pieces that were cut apart are joined without error.
        """
        start, stop = (ceil(pts * self.base / base) for pts in (self.start, self.stop))
        return TimeRange(
            None if self.keeps_earlier else start,
            None if self.keeps_later else stop,
            ceil(self.target * self.written_base / base) - start,
        )

    def chapters(self, chapters: Iterable[Chapter]) -> tuple[Chapter, ...]:
        """Chapters that overlap the piece, cut to it, with times in microseconds of the stream that
        is written; one without duration is kept if it lies in the piece."""
        times = self.time_range(MICROSECOND)
        found = []
        for chapter in chapters:
            start = chapter.start if times.start is None else max(chapter.start, times.start)
            end = chapter.end if times.stop is None else min(chapter.end, times.stop)
            if start < end or (start == chapter.start == chapter.end and times.holds(start)):
                moved = (max(0, start + times.shift), max(0, end + times.shift))
                found.append(Chapter(*moved, chapter.title))
        return tuple(found)


@dataclass(frozen=True)
class Assembly:
    """All of a stream but its frames and packets."""

    header: StreamHeader
    tracks: Tracks | None
    metadata: ClipMetadata
    last: LastDuration | None

    @property
    def bases(self) -> Sequence[Fraction]:
        """Time base of each track, in seconds a unit."""
        return self.tracks.time_bases if self.tracks else ()


@dataclass(frozen=True)
class Written:
    """Counts of a stream that was written, and of packets of its sources that it lacks."""

    frames: int
    size: int
    """bytes"""
    video_size: int
    """bytes of its frames"""
    left_out: int
    """packets that begin before the first frame of their piece, or after the last"""
    cut_tracks: frozenset[int]
    """tracks with a packet that begins before a piece and lasts into it"""


def write_pieces(
    sink: BinaryIO, assembly: Assembly, pieces: Iterable[tuple[Rereadable, Piece]]
) -> Written:
    """Write the pieces, one after another, as one stream, in bounded memory.

    Raises InputError for time stamps beyond the format, FormatError for damage, OutputError where
    `sink` does.
    """
    writer = StreamWriter(sink, assembly.header)
    if assembly.tracks is not None:
        writer.write(assembly.tracks)
    if assembly.metadata != NO_METADATA:
        writer.write(assembly.metadata)
    counts: Counter[str] = Counter()
    cut_tracks: set[int] = set()
    for source, piece in pieces:
        with source.open() as stream:
            _copy(StreamReader(stream), writer, piece, assembly.bases, counts, cut_tracks)
    if assembly.last is not None:
        writer.write(assembly.last)
    writer.finish()
    return Written(
        writer.frames, writer.position, counts["video"], counts["left out"], frozenset(cut_tracks)
    )


def _copy(
    reader: StreamReader,
    writer: StreamWriter,
    piece: Piece,
    bases: Sequence[Fraction],
    counts: Counter[str],
    cut_tracks: set[int],
) -> None:
    """Write frames and packets of a piece; adds up bytes of frames and packets left out."""
    ranges = [piece.time_range(base) for base in bases]
    for record in reader.records():
        if isinstance(record, Frame) and piece.start <= record.pts < piece.stop:
            counts["video"] += writer.write(replace(record, pts=piece.stamp(record.pts)))
        elif isinstance(record, Media):
            times = ranges[record.track]
            if times.holds(record.pts):
                moved = replace(record, pts=record.pts + times.shift, dts=record.dts + times.shift)
                writer.write(moved)
                continue
            counts["left out"] += 1
            if times.start is not None and record.pts < times.start < record.pts + record.duration:
                cut_tracks.add(record.track)


def fitted(metadata: ClipMetadata) -> tuple[ClipMetadata, tuple[str, ...]]:
    """Metadata as far as a stream can hold them, and a notice where chapters had to go."""
    try:
        return unpack_clip_metadata(pack_clip_metadata(metadata)), ()
    except FormatError:
        return replace(metadata, chapters=()), ("chapters were left out: they are too many",)


def unknown_notices(chunks: int) -> tuple[str, ...]:
    """The notice that chunks were left out, where there were any."""
    sentence = f"{chunks} chunks that only a newer ncodec knows were left out"
    return (sentence,) if chunks else ()
