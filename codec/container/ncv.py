"""The .ncv container: a header and a run of checked chunks that can be written to a pipe and read
while it grows."""

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from ncodec.container.byte_source import ByteSource
from ncodec.container.chunks import CRC_SIZE, check_seal
from ncodec.container.records import (
    END_BYTES,
    HEADER_BYTES,
    HEADER_NUMBERS,
    INTRA_TAGS,
    MAGIC,
    MAX_CHUNK,
    MAX_INDEX,
    STREAM_VERSION,
    SYNC,
    Companion,
    End,
    Frame,
    Index,
    Record,
    StreamHeader,
    Tag,
    pack_header,
    pack_record,
    unpack_header,
    unpack_record,
)
from ncodec.errors import FormatError, InputError, TruncatedError

NUMBERS = 256
"""frames are numbered modulo this"""


class StreamWriter:
    """Writes a stream from front to back, so that it may be a pipe, and its index at the end."""

    def __init__(self, sink: BinaryIO, header: StreamHeader) -> None:
        self._sink = sink
        self._seekable = sink.seekable()
        self._position = 0
        self._last_pts = 0
        self._places: list[tuple[int, int]] = []
        self.frames = 0
        self._put(pack_header(header))

    def write(self, record: Frame | Companion) -> int:
        """Write a record and return its bytes, the sync mark before an intra frame included.

        Frames are numbered here, whatever their `number`. Raises InputError for a frame whose time
        stamp is not after that of the frame before, a payload beyond 2²⁸ bytes, and time stamps
        and other numbers beyond a varint of 35 bits.
        """
        if isinstance(record, Frame):
            if self.frames and record.pts <= self._last_pts:
                msg = f"expected a time stamp after {self._last_pts}, got {record.pts}"
                raise InputError(msg)
            record = replace(record, number=self.frames % NUMBERS)
        chunk = pack_record(record, last_pts=self._last_pts)
        if isinstance(record, Frame):
            if record.tag == Tag.INTRA:
                self._places.append((record.pts, self._position))
                chunk = SYNC + chunk
            self._last_pts = record.pts
            self.frames += 1
        self._put(chunk)
        return len(chunk)

    def finish(self) -> None:
        """Write the index and the end record, once, after all others; the sink stays open.

        An index of more than 1 MiB loses every second intra frame until it fits. Raises InputError
        where two neighbours in the index are 2³⁵ bytes apart or more.
        """
        start = self._position
        index = pack_record(Index(tuple(self._places)))
        while len(index) > MAX_INDEX:
            self._places = self._places[::2]
            index = pack_record(Index(tuple(self._places)))
        self._put(index)
        self._put(pack_record(End(start, self.frames)))

    @property
    def position(self) -> int:
        """Bytes so far."""
        return self._position

    def _put(self, data: bytes) -> None:
        self._sink.write(data)
        self._position += len(data)
        if not self._seekable:  # who reads a pipe wants to see what there is
            self._sink.flush()


class StreamReader:
    """Reader of a .ncv stream, front to back or, where its file can seek, from an intra frame.

    Reads the header at once, into `header`: raises FormatError for another kind of file, another
    version or a damaged header, TruncatedError where the stream ends within it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Reads the header; raises FormatError where it is not one that this version knows."""
        self._source = ByteSource(stream)
        self._last_pts: int | None = None
        self._number: int | None = None
        self._frames: int | None = 0
        self._pending: Frame | None = None
        self._is_over = False
        self.header = _read_header(self._source)

    def records(self) -> Iterator[Record]:
        """Yield the remaining records, each verified, up to `End`; optional unknown ones are left
        out.

        Raises FormatError for damage and missing frames, TruncatedError where the stream ends
        without `End`; after `skip_damage`, call it again.
        """
        while True:
            record = self.read()
            if record is not None:
                yield record
            if isinstance(record, End):
                return

    def read(self) -> Record | None:
        """The next record, verified, or None for a chunk with an unknown tag from 128.

        Raises TruncatedError where the stream ends before or within it, FormatError for damage,
        unknown tags below 128, frames that are missing, time stamps that do not increase, and bytes
        after the end. Then `skip_damage` finds where to go on.
        """
        if self._pending is not None:
            record, self._pending = self._pending, None
            return record
        self._source.mark()
        try:
            found = unpack_record(*_read_chunk(self._source), last_pts=self._last_pts or 0)
        except FormatError:
            self._source.rewind()  # its length may be what is damaged
            raise
        if isinstance(found, Frame):
            self._follow(found)
        elif isinstance(found, End):
            self._check_end(found)
        return found

    def _check_end(self, end: End) -> None:
        self._is_over = True
        if self._frames not in (None, end.frames):
            msg = (
                f"expected {end.frames} frames before the end, got {self._frames}: frames are "
                f"missing"
            )
            raise FormatError(msg)
        if self._source.take(1):
            msg = (
                f"expected the end of the file at byte {self._source.position - 1}, got more: "
                f"another file may have been appended"
            )
            raise FormatError(msg)

    def _follow(self, frame: Frame) -> None:
        """Check that a frame is the next one, and keep one that can be decoded nevertheless for
        `skip_damage`."""
        expected, self._number = self._number, (frame.number + 1) % NUMBERS
        last, self._last_pts = self._last_pts, frame.pts
        self._frames = None if self._frames is None else self._frames + 1
        if last is not None and frame.pts <= last:
            msg = f"expected a time stamp after {last}, got {frame.pts}: the file is damaged"
            raise FormatError(msg)
        if expected is not None and frame.number != expected:
            self._pending = frame if frame.tag == Tag.INTRA else None
            msg = (
                f"expected frame {expected}, counted modulo {NUMBERS}, got frame {frame.number}: "
                f"frames are missing"
            )
            raise FormatError(msg)

    def skip_damage(self) -> bool:
        """After a FormatError of `read`, go to the next sync mark, where `read` can go on.

        False where no sync mark follows. The bytes of a mark may also occur by chance; `read` then
        raises again. The number of frames in the end record is no longer checked.
        """
        self._frames = None
        if self._is_over:
            return False
        if self._pending is not None:
            return True
        self._number = None
        return self._source.find(SYNC)

    @property
    def can_seek(self) -> bool:
        """Whether the stream can seek, as `index`, `frames` and `seek_before` need."""
        return self._source.stream.seekable()

    def index(self) -> Index | None:
        """Time stamps and byte offsets of intra frames, None for a stream that cannot seek.

        Taken from the stored index, which may leave frames out, or else found by reading the whole
        file, up to its first damage. The place of the next record stays.
        """
        stream = self._source.stream
        if not self.can_seek:
            return None
        place = stream.tell()
        try:
            return _stored_index(stream) or self._found_index()
        finally:
            stream.seek(place)

    def frames(self) -> int | None:
        """Number of frames, duplicates included, by the end record of a file.

        None for a stream that cannot seek or does not end with a valid end record. The place of
        the next record stays.
        """
        stream = self._source.stream
        if not self.can_seek:
            return None
        place = stream.tell()
        try:
            return _read_end(stream).frames
        except (FormatError, OSError):
            return None
        finally:
            stream.seek(place)

    def seek_before(self, pts: int) -> None:
        """Go to the last intra frame of the index with a time stamp of at most `pts`, or the first.

        `pts` is in units of the header's time base. Does nothing where the stream cannot seek or
        no intra frame is found. The number of frames in the end record is no longer checked.
        """
        index = self.index()
        if index is not None and not _is_intra_frame(
            self._source.stream, _place_before(index, pts)
        ):
            index = self._found_index()
        if index is None or not index.places:
            return
        offset = _place_before(index, pts)
        self._source.stream.seek(offset)
        self._source = ByteSource(self._source.stream, offset)
        self._number = self._pending = self._frames = self._last_pts = None

    def _found_index(self) -> Index:
        stream = self._source.stream
        stream.seek(0)
        reader = StreamReader(stream)
        places: list[tuple[int, int]] = []
        with suppress(FormatError):
            while True:
                offset = reader.position
                record = reader.read()
                if isinstance(record, Frame) and record.tag == Tag.INTRA:
                    places.append((record.pts, offset))
                if isinstance(record, End):
                    break
        return Index(tuple(places))

    @property
    def position(self) -> int:
        """Bytes from the start of the stream to the next record."""
        return self._source.position


def _read_end(stream: BinaryIO) -> End:
    stream.seek(-END_BYTES, 2)
    end = unpack_record(*_read_chunk(ByteSource(stream)))
    if not isinstance(end, End):
        msg = "expected the end of a stream in its last bytes: the file is truncated"
        raise TruncatedError(msg)
    return end


def _stored_index(stream: BinaryIO) -> Index | None:
    """The index at the end of a whole file."""
    try:
        stream.seek(_read_end(stream).index_offset)
        found = unpack_record(*_read_chunk(ByteSource(stream)))
    except (FormatError, OSError, OverflowError, ValueError):
        return None
    return found if isinstance(found, Index) else None


def _place_before(index: Index, pts: int) -> int:
    """Where the last intra frame that is not after a time stamp is, or the first; -1 where there is
    none."""
    first = index.places[0] if index.places else (0, -1)
    return max((place for place in index.places if place[0] <= pts), default=first)[1]


def _is_intra_frame(stream: BinaryIO, offset: int) -> bool:
    """Whether an intra frame stands there."""
    try:
        stream.seek(offset)
        return stream.read(len(SYNC) + 1) in {SYNC + bytes([tag]) for tag in INTRA_TAGS}
    except (OSError, OverflowError, ValueError):
        return False


def read_packet(data: bytes, *, last_pts: int) -> Frame:
    """The frame of one packet: the bytes of its chunk, behind a sync mark if it is intra.

    `last_pts` is the time stamp of the frame before, which those of predicted and duplicate frames
    are added to. Raises TruncatedError where the bytes end within the chunk, FormatError for
    damage, bytes after it and other records.
    """
    source = ByteSource(io.BytesIO(data))
    record = unpack_record(*_read_chunk(source), last_pts=last_pts)
    if not isinstance(record, Frame) or source.position != len(data):
        msg = "expected the bytes of one packet, got more or another record"
        raise FormatError(msg)
    return record


def _read_chunk(source: ByteSource) -> tuple[int, bytes]:
    """Tag and payload of the next chunk, its checksum verified."""
    start = source.position
    first = source.exactly(1)
    marked = first == SYNC[:1]
    if marked:
        mark = first + source.exactly(len(SYNC) - 1)
        first = source.exactly(1)
    if (marked and mark != SYNC) or marked != (first[0] in INTRA_TAGS):
        msg = (
            f"expected a sync mark before an intra frame alone, got otherwise at byte {start}: the "
            f"file is damaged"
        )
        raise FormatError(msg)
    packed, length = source.varint()
    most = MAX_INDEX if first[0] == Tag.INDEX else MAX_CHUNK
    if length > most:
        msg = (
            f"expected at most {most} bytes in the chunk at byte {start}, got {length}: the file "
            f"is damaged"
        )
        raise FormatError(msg)
    payload = source.exactly(length)
    check_seal(first + packed + payload, source.exactly(CRC_SIZE), f"chunk at byte {start}")
    return first[0], payload


def _read_header(source: ByteSource) -> StreamHeader:
    packed = source.take(len(MAGIC) + 1)
    if packed[: len(MAGIC)] != MAGIC:
        msg = (
            f"expected an ncodec video starting with {MAGIC.hex(' ')}, got "
            f"{packed[:4].hex(' ') or 'no bytes'}"
        )
        raise FormatError(msg)
    if packed[len(MAGIC) :] != bytes([STREAM_VERSION]):
        got = packed[len(MAGIC) :]
        kind = "a newer" if got > bytes([STREAM_VERSION]) else "another"
        found = f"{got[0]}: this file needs {kind} ncodec" if got else "none"
        msg = f"expected stream version {STREAM_VERSION}, got {found}"
        raise FormatError(msg)
    packed += source.exactly(HEADER_BYTES - len(packed))
    parts, numbers = zip(*(source.varint() for _ in range(HEADER_NUMBERS)), strict=True)
    check_seal(packed + b"".join(parts), source.exactly(CRC_SIZE), "header")
    return unpack_header(packed, list(numbers))
