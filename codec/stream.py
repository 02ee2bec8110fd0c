"""The .ncv container: a header and a run of checked chunks that can be written to a pipe and read while it grows."""

from collections.abc import Iterator
from typing import BinaryIO

from ncodec.chunks import CRC_SIZE, check_seal
from ncodec.errors import FormatError
from ncodec.records import (
    END_BYTES,
    HEADER_BYTES,
    HEADER_NUMBERS,
    MAGIC,
    MAX_CHUNK,
    STREAM_VERSION,
    SYNC,
    End,
    Frame,
    Index,
    Media,
    Record,
    StreamHeader,
    Tag,
    Tracks,
    pack_header,
    pack_record,
    unpack_header,
    unpack_record,
)
from ncodec.varint import VARINT_BYTES, ByteReader

_PIECE = 2**20


class StreamWriter:
    """Writes a stream from front to back, so that it may be a pipe, and its index at the end."""

    def __init__(self, sink: BinaryIO, header: StreamHeader) -> None:
        self._sink = sink
        self._position = 0
        self._last_pts = 0
        self._places: list[tuple[int, int]] = []
        self.frames = 0
        self._put(pack_header(header))

    def write(self, record: Frame | Tracks | Media) -> int:
        """Write a record and return how many bytes it took; raises InputError for numbers beyond the format."""
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
        """Write the index and the end."""
        start = self._position
        self._put(pack_record(Index(tuple(self._places)), last_pts=0))
        self._put(pack_record(End(start, self.frames), last_pts=0))

    def _put(self, data: bytes) -> None:
        self._sink.write(data)
        self._position += len(data)


class _Source:
    """Reads exactly what is asked for, in pieces, so that a length that lies allocates nothing."""

    def __init__(self, stream: BinaryIO, position: int = 0) -> None:
        self.stream = stream
        self.position = position
        self._ahead = b""

    def take(self, count: int) -> bytes:
        """The next `count` bytes, fewer only where the stream ends."""
        parts, self._ahead = [self._ahead[:count]], self._ahead[count:]
        left = count - len(parts[0])
        while left:
            part = self.stream.read(min(left, _PIECE))
            if not part:
                break
            parts.append(part)
            left -= len(part)
        self.position += count - left
        return b"".join(parts)

    def put_back(self, data: bytes) -> None:
        """Let `data`, which was just taken, be read again."""
        self._ahead = data + self._ahead
        self.position -= len(data)

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes; raises FormatError where the stream ends before."""
        start, data = self.position, self.take(count)
        if len(data) < count:
            msg = f"expected {count} bytes at byte {start}, got {len(data)}: the file is truncated"
            raise FormatError(msg)
        return data

    def varint(self) -> tuple[bytes, int]:
        """The next varint: its bytes and its value."""
        packed = b""
        while len(packed) < VARINT_BYTES:
            packed += self.exactly(1)
            if packed[-1] < 0x80:
                break
        return packed, ByteReader(packed).varint()


class StreamReader:
    """Reads a stream from front to back, or, where its file can seek, from any intra frame."""

    def __init__(self, stream: BinaryIO) -> None:
        """Reads the header; raises FormatError where it is not one that this version knows."""
        self._source = _Source(stream)
        self._last_pts = 0
        self.header = _read_header(self._source)

    def records(self) -> Iterator[Record]:
        """The records that are left, each verified, up to `End`; raises FormatError for damage and truncation."""
        while True:
            record = self.read()
            if record is not None:
                yield record
            if isinstance(record, End):
                return

    def read(self) -> Record | None:
        """The next record, or None for one that a reader may skip; raises FormatError."""
        record = unpack_record(*_read_chunk(self._source), last_pts=self._last_pts)
        if isinstance(record, Frame):
            self._last_pts = record.pts
        return record

    def skip_damage(self) -> bool:
        """Go on to the next intra frame's mark; False where there is none."""
        window = self._source.take(len(SYNC))
        while len(window) == len(SYNC):
            if window == SYNC:
                self._source.put_back(window)
                return True
            window = window[1:] + self._source.take(1)
        return False

    def index(self) -> Index | None:
        """The index of a whole file that can seek, else None; the place in the stream stays."""
        stream = self._source.stream
        if not stream.seekable():
            return None
        place = stream.tell()
        try:
            stream.seek(-END_BYTES, 2)
            end = unpack_record(*_read_chunk(_Source(stream)), last_pts=0)
            if not isinstance(end, End):
                return None
            stream.seek(end.index_offset)
            found = unpack_record(*_read_chunk(_Source(stream)), last_pts=0)
        except (FormatError, OSError, OverflowError):
            return None
        finally:
            stream.seek(place)
        return found if isinstance(found, Index) else None

    def seek(self, offset: int) -> None:
        """Go to the byte offset of an intra frame, as the index has it."""
        self._source.stream.seek(offset)
        self._source = _Source(self._source.stream, offset)


def _read_chunk(source: _Source) -> tuple[int, bytes]:
    """Tag and payload of the next chunk, its checksum verified."""
    start = source.position
    first = source.exactly(1)
    if first == SYNC[:1]:
        if first + source.exactly(len(SYNC) - 1) != SYNC:
            msg = f"expected a sync mark at byte {start}: the file is damaged"
            raise FormatError(msg)
        first = source.exactly(1)
    packed, length = source.varint()
    if length > MAX_CHUNK:
        msg = f"expected at most {MAX_CHUNK} bytes in the chunk at byte {start}, got {length}: the file is damaged"
        raise FormatError(msg)
    payload = source.exactly(length)
    check_seal(first + packed + payload, source.exactly(CRC_SIZE), f"chunk at byte {start}")
    return first[0], payload


def _read_header(source: _Source) -> StreamHeader:
    packed = source.take(len(MAGIC) + 1)
    if packed[: len(MAGIC)] != MAGIC:
        msg = f"expected an ncodec video starting with {MAGIC.hex(' ')}, got {packed[:4].hex(' ') or 'no bytes'}"
        raise FormatError(msg)
    if packed[len(MAGIC) :] != bytes([STREAM_VERSION]):
        msg = f"expected stream version {STREAM_VERSION}, got {packed[4:].hex() or 'none'}"
        raise FormatError(msg)
    packed += source.exactly(HEADER_BYTES - len(packed))
    parts, numbers = zip(*(source.varint() for _ in range(HEADER_NUMBERS)), strict=True)
    check_seal(packed + b"".join(parts), source.exactly(CRC_SIZE), "header")
    return unpack_header(packed, list(numbers))
