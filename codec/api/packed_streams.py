"""Streams of bytes that are packed while they are written, and unpacked while they are read."""

import io
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from ncodec.api.lossless import DEFAULT
from ncodec.container.ncz import (
    Block,
    End,
    FileFacts,
    pack_block,
    pack_end,
    pack_start,
    read_blocks,
    read_start,
)
from ncodec.errors import FormatError
from ncodec.lossless.files import BLOCK
from ncodec.lossless.methods import check_method, decode_block, encode_block
from ncodec.media.streams import Source, open_output, open_source

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class PackWriter(io.RawIOBase):
    """Byte stream that packs what is written to it into a .ncz file.

    It packs blocks of 32 MiB, and buffers fewer bytes than that between calls. A path appears when
    the stream is closed, and not at all where a `with` block ends with an exception. Standard
    output, or an open file, receives each block at once; after an exception it lacks the end.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        *,
        method: str = DEFAULT,
        name: str = "",
        overwrite: bool = False,
    ) -> None:
        """Open a path, "-" for standard output, or a file that is open for writing bytes.

        `name` is kept in the file; `method` is one of `pack`. Raises InputError for another method,
        BackendError where it needs numba and that is missing, OutputError where a path exists
        without `overwrite` or cannot be written.
        """
        check_method(method)
        self._method, self._held, self._crc = method, bytearray(), 0
        self._stack = ExitStack()
        if isinstance(target, str | os.PathLike):
            output = self._stack.enter_context(open_output(target, overwrite=overwrite))
        else:
            output = target
        self._target = output
        output.write(pack_start(FileFacts(name)))

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Buffer all of `data`, and pack every full block; returns the size of `data`."""
        if self.closed:
            msg = "write to a closed stream"
            raise ValueError(msg)
        view = memoryview(data).cast("B")
        self._held += view
        while len(self._held) >= BLOCK:
            self._pack(self._held[:BLOCK])
            del self._held[:BLOCK]
        return len(view)

    def _pack(self, data: bytearray) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._target.write(pack_block(encode_block(data, self._method)))

    def close(self) -> None:
        """Pack the rest, and end the file; an open file that was given stays open."""
        if self.closed:
            return
        super().close()
        with self._stack:
            if self._held:
                self._pack(self._held)
            self._target.write(pack_end(End(self._crc)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream, or leave no file after an exception."""
        if kind is None:
            self.close()
            return
        super().close()
        self._stack.__exit__(kind, error, trace)


class PackReader(io.RawIOBase):
    """A stream to read the bytes of a .ncz file from, a block of which it holds.

    What was read is right once the end was reached: the checksum of all bytes stands there.
    """

    def __init__(self, source: Source) -> None:
        """Open a path, "-", the bytes of a file, or an open file, and read its header.

        Raises InputError where it cannot be read, FormatError for another file.
        """
        self._stack = ExitStack()
        with ExitStack() as stack:
            self._source = stack.enter_context(open_source(source))
            self._facts = read_start(self._source)
            self._stack = stack.pop_all()
        self._blocks = self._unpacked()
        self._held = memoryview(b"")

    @property
    def name(self) -> str:
        """Name that the file keeps, empty where it keeps none."""
        return self._facts.name

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: "WriteableBuffer", /) -> int:
        """Fill a buffer, or a part of it; 0 at the end.

        Raises FormatError for damage, BackendError where numba is needed and not installed.
        """
        if self.closed:
            msg = "read of a closed stream"
            raise ValueError(msg)
        view = memoryview(target).cast("B")
        if not len(self._held):
            self._held = memoryview(next(self._blocks, b""))
        count = min(len(view), len(self._held))
        view[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _unpacked(self) -> Iterator[bytes | memoryview]:
        crc = 0
        for part in read_blocks(self._source):
            if isinstance(part, Block):
                data = decode_block(part)
                crc = zlib.crc32(data, crc)
                yield data
            elif part != End(crc):
                msg = f"expected bytes of the CRC-32 {part.crc:08x}, got {crc:08x}: the file is "
                msg += "damaged"
                raise FormatError(msg)

    def close(self) -> None:
        """Close the stream; an open file that was given stays open."""
        if not self.closed:
            super().close()
            self._stack.close()
