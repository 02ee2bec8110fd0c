"""One reading of a whole stream: what it holds, and where its frames are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ncodec.container.clip_metadata import NO_METADATA, ClipMetadata
from ncodec.container.ncv import StreamReader
from ncodec.container.records import End, Frame, Index, LastDuration, Media, Record, Tag, Tracks
from ncodec.errors import FormatError


@dataclass(frozen=True)
class Place:
    """A frame, and where in its stream it is."""

    number: int
    """counted from 0"""
    pts: int
    """time stamp, in units of the header's time base"""
    is_intra: bool
    offset: int
    """bytes from the start of the stream to its chunk, or to the sync mark before that"""


class Survey:
    """One reading of a stream from its header to its end, with every checksum verified.

    The properties are those of the whole stream once `frames` was iterated over to its end. Raises
    FormatError and TruncatedError as `StreamReader` does.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._reader = StreamReader(stream)
        self.header = self._reader.header
        self.tracks: Tracks | None = None
        self.metadata: ClipMetadata = NO_METADATA
        self.last_duration: LastDuration | None = None
        """of the last frame, where the stream states it"""
        self.first: Place | None = None
        self.last: Place | None = None
        self.header_size = self._reader.position
        """bytes of the header"""
        self.start_size = self.header_size
        """bytes of the header, tracks and metadata, up to the first packet or frame"""
        self.coded_size = self.header_size
        """bytes up to the index"""
        self.unknown = 0
        """chunks that this version does not know"""
        self._has_begun = False

    def frames(self) -> Iterator[Place]:
        """Read the stream, once, and yield the place of every frame.

        Raises TruncatedError for a stream without an end, and FormatError for damage, missing
        frames, a first frame that is not intra, tracks that stand elsewhere than at the start, and
        packets of tracks that are not described.
        """
        while True:
            offset = self._reader.position
            record = self._reader.read()
            if isinstance(record, End):
                return
            if isinstance(record, Frame):
                yield self._place(record, offset)
            elif record is None:
                self.unknown += 1
            else:
                self._take(record)
            if not isinstance(record, Index):
                self.coded_size = self._reader.position

    @property
    def end(self) -> int:
        """Time stamp at which the last frame ends, in units of the header's time base; 0 for a
        stream without frames."""
        if self.last is None:
            return 0
        stated = self.last_duration
        return self.last.pts + max(1, stated.duration if stated else self.header.frame_duration)

    def _place(self, frame: Frame, offset: int) -> Place:
        number = 0 if self.last is None else self.last.number + 1
        self.last = Place(number, frame.pts, frame.tag == Tag.INTRA, offset)
        if self.first is None:
            self.first = self.last
            if not self.last.is_intra:
                msg = "expected an intra frame first, got one that needs a frame before it: the "
                msg += "start of the stream is missing"
                raise FormatError(msg)
        self._has_begun = True
        return self.last

    def _take(self, record: Record) -> None:
        if isinstance(record, Tracks):
            if self.tracks is not None or self._has_begun:
                msg = "expected one description of tracks at the start, got another: the file is "
                msg += "damaged"
                raise FormatError(msg)
            self.tracks = record
        elif isinstance(record, ClipMetadata):
            self.metadata = record
        elif isinstance(record, LastDuration):
            self.last_duration = record
        elif isinstance(record, Media):
            self._has_begun = True
            count = len(self.tracks.time_bases) if self.tracks else 0
            if record.track >= count:
                msg = f"expected packets of {count} tracks, got one of track {record.track}: the "
                msg += "file is damaged"
                raise FormatError(msg)
        if not self._has_begun:
            self.start_size = self._reader.position
