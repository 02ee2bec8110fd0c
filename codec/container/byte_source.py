"""Bytes of a stream that may be a pipe, read in pieces."""

from typing import BinaryIO

from ncodec.container.varint import VARINT_BYTES, ByteReader
from ncodec.errors import TruncatedError

PIECE = 2**20
SCANNED = 2**12
"""bytes that are searched at a time"""
MAX_REWOUND = 2**28
"""bytes that are read twice, over a stream: damage made on purpose must not cost time without end
"""


class ByteSource:
    """Reads exact numbers of bytes, in pieces, so that a false length allocates nothing."""

    def __init__(self, stream: BinaryIO, position: int = 0) -> None:
        self.stream = stream
        self._buffer = bytearray()
        self._origin = position
        self._next = self._mark = 0
        self._rewound = 0

    @property
    def position(self) -> int:
        """Offset of the next byte from the start of the stream."""
        return self._origin + self._next

    def take(self, count: int) -> bytes:
        """The next `count` bytes, fewer only where the stream ends."""
        while len(self._buffer) < self._next + count and self._read(
            self._next + count - len(self._buffer)
        ):
            pass
        taken = bytes(self._buffer[self._next : self._next + count])
        self._next += len(taken)
        return taken

    def mark(self) -> None:
        """Remember the offset, for `rewind`."""
        if self._next > PIECE:
            del self._buffer[: self._next]
            self._origin, self._next = self._origin + self._next, 0
        self._mark = self._next

    def rewind(self) -> None:
        """Go back to one byte after the mark, to search again what was taken by a false length.

        Stays where it is once a stream has been rewound by `MAX_REWOUND` bytes in all, counted over
        all calls.
        """
        taken = self._next - self._mark - 1
        if 0 < taken <= MAX_REWOUND - self._rewound:
            self._rewound += taken
            self._next = self._mark + 1

    def find(self, mark: bytes) -> bool:
        """Go on to the next occurrence of `mark`, at the present offset or after it.

        `mark` is not taken. False where there is none: the stream is then read to its end. Also
        moves the mark of `rewind`.
        """
        while True:
            self.mark()
            place = self._buffer.find(mark, self._next)
            if place >= 0:
                self._next = place
                return True
            self._next = max(self._next, len(self._buffer) - len(mark) + 1)
            if not self._read(SCANNED):
                return False

    def _read(self, count: int) -> bool:
        part = self.stream.read(min(count, PIECE))
        self._buffer += part
        return bool(part)

    def exactly(self, count: int) -> bytes:
        """Take the next `count` bytes; raises TruncatedError where the stream ends before."""
        start, data = self.position, self.take(count)
        if len(data) < count:
            msg = f"expected {count} bytes at byte {start}, got {len(data)}: the file is truncated"
            raise TruncatedError(msg)
        return data

    def varint(self) -> tuple[bytes, int]:
        """Take the next varint: its bytes, 1 to 5, and its value, below 2³⁵.

        Raises TruncatedError where the stream ends within it, and FormatError for more than 5 bytes
        or a longer form than the shortest.
        """
        packed = b""
        while len(packed) < VARINT_BYTES:
            packed += self.exactly(1)
            if packed[-1] < 0x80:
                break
        return packed, ByteReader(packed).varint()
