"""The .ncz file: a magic number, a header, blocks of any bytes, and an end that sums them up.

After the magic number and the version stand chunks of `ncodec.container.chunks`, read one after the
other, so that neither side holds more than a block.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from ncodec.container.chunks import CRC_SIZE, check_seal, pack_chunk
from ncodec.container.varint import VARINT_BYTES, ByteReader, pack_varint
from ncodec.errors import FormatError, InputError

MAGIC = b"\x9dNCZ"
VERSION = 1
LARGEST_BLOCK = 2**26
"""bytes of a block before it is packed"""
LARGEST_NAME = 1024
"""bytes of a name in UTF-8"""
LARGEST_CHUNK = LARGEST_BLOCK + 64
LARGEST_TIME = 2**34
_CRC = struct.Struct("<I")
_NOT_PLAIN = re.compile(
    "[/\\\\:\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class Reader(Protocol):
    """A stream of bytes."""

    def read(self, count: int, /) -> bytes:
        """At most `count` bytes; none at its end."""


class Tag(IntEnum):
    """Chunks."""

    HEADER = 1
    BLOCK = 2
    END = 3


class Method(IntEnum):
    """Method by which a block is packed."""

    STORE = 0
    DEFLATE = 1
    LZMA = 2
    MIXING = 3
    MORE_MIXING = 4
    RECURRENT = 5
    ATTENTION = 6
    BOOTSTRAP = 7
    MIXED_RECURRENT = 8


@dataclass(frozen=True)
class FileFacts:
    """Name and time of a file, kept beside its bytes."""

    name: str = ""
    """without folders; empty where there is none"""
    modified_s: int = 0
    """whole seconds from 1970 on, 0 where it is not known"""


NOTHING_KNOWN = FileFacts()


@dataclass(frozen=True)
class Block:
    """A part of the packed bytes."""

    method: Method
    size: int
    """bytes before it was packed"""
    payload: bytes


@dataclass(frozen=True)
class End:
    """Record after all blocks."""

    crc: int
    """CRC-32 of all bytes before they were packed"""


def pack_start(facts: FileFacts) -> bytes:
    """Magic number, version and header; a name beyond 1024 bytes and a time out of range are left
    out."""
    name = facts.name.encode("utf-8", "surrogateescape")
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        name = b""
    if len(name) > LARGEST_NAME or not _is_plain(name.decode("utf-8")):
        name = b""
    modified = facts.modified_s if 0 < facts.modified_s < LARGEST_TIME else 0
    payload = pack_varint(len(name)) + name + pack_varint(modified)
    return MAGIC + bytes([VERSION]) + pack_chunk(Tag.HEADER, payload)


def pack_block(block: Block) -> bytes:
    """A block as a chunk."""
    start = bytes([block.method]) + pack_varint(block.size)
    return pack_chunk(Tag.BLOCK, start + block.payload)


def pack_end(end: End) -> bytes:
    """The last chunk."""
    return pack_chunk(Tag.END, _CRC.pack(end.crc))


def read_start(stream: Reader) -> FileFacts:
    """Header of a file, from its first byte on; raises FormatError for another file and damage."""
    start = b""
    while len(start) < len(MAGIC) + 1 and (part := read_some(stream, len(MAGIC) + 1 - len(start))):
        start += part
    if start[: len(MAGIC)] != MAGIC:
        msg = f"expected a .ncz file, got one that starts with {start[:4].hex() or 'nothing'}"
        raise FormatError(msg)
    if start[len(MAGIC) :] != bytes([VERSION]):
        msg = f"expected version {VERSION} of .ncz, got {start[4:].hex() or 'none'}: this file "
        msg += "needs a newer ncodec, or is truncated"
        raise FormatError(msg)
    tag, payload = _read_chunk(stream)
    if tag != Tag.HEADER:
        msg = f"expected a header, got a chunk of kind {tag}: the file is damaged"
        raise FormatError(msg)
    reader = ByteReader(payload)
    length = reader.varint()
    try:
        name = reader.take(min(length, LARGEST_NAME + 1)).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = "expected a name in UTF-8, got something else: the file is damaged"
        raise FormatError(msg) from error
    facts = FileFacts(name, reader.varint())
    if length > LARGEST_NAME or not _is_plain(name) or not reader.at_end:
        msg = f"expected a plain name and a time, got {name!r:.80}: the file is damaged"
        raise FormatError(msg)
    if facts.modified_s >= LARGEST_TIME:
        msg = f"expected a time below {LARGEST_TIME}, got {facts.modified_s}: the file is damaged"
        raise FormatError(msg)
    return facts


def _is_plain(name: str) -> bool:
    """Whether a name has no folder in it and no character that controls a terminal or turns the
    direction of writing; the same for every version of Unicode."""
    return name not in (".", "..") and not _NOT_PLAIN.search(name)


def read_blocks(stream: Reader) -> Iterator[Block | End]:
    """Blocks of a file after its header, and its end.

    Raises FormatError for damage, for a file that is truncated and for bytes after its end.
    """
    while True:
        tag, payload = _read_chunk(stream)
        if tag == Tag.END:
            yield _end_of(payload)
            break
        if tag != Tag.BLOCK:
            msg = f"expected a block, got a chunk of kind {tag}: the file is damaged"
            raise FormatError(msg)
        yield _block_of(payload)
    if read_some(stream, 1):
        msg = "expected the file to end, got more bytes"
        raise FormatError(msg)


def _block_of(payload: bytes) -> Block:
    reader = ByteReader(payload)
    method, size = reader.byte(), reader.varint()
    if method not in set(Method):
        msg = (
            f"expected a method of 0 to {max(Method)}, got {method}: this file needs a newer ncodec"
        )
        raise FormatError(msg)
    if not 0 < size <= LARGEST_BLOCK:
        msg = f"expected a block of 1 to {LARGEST_BLOCK:,} bytes, got {size:,}"
        raise FormatError(msg)
    return Block(Method(method), size, reader.rest())


def _end_of(payload: bytes) -> End:
    if len(payload) != _CRC.size:
        msg = f"expected an end of {_CRC.size} bytes, got {len(payload)}: the file is damaged"
        raise FormatError(msg)
    return End(*_CRC.unpack(payload))


def _read_chunk(stream: Reader) -> tuple[int, bytes]:
    start = _read_exactly(stream, 1)
    while True:
        start += (byte := _read_exactly(stream, 1))
        if byte[0] < 0x80 or len(start) > VARINT_BYTES:
            break
    length = ByteReader(start[1:]).varint()
    if length > LARGEST_CHUNK:
        msg = f"expected a chunk of at most {LARGEST_CHUNK:,} bytes, got {length:,}"
        raise FormatError(msg)
    payload = _read_exactly(stream, length)
    check_seal(start + payload, _read_exactly(stream, CRC_SIZE), "chunk")
    return start[0], payload


def read_some(stream: Reader, count: int) -> bytes:
    """At most `count` bytes of a stream, none at its end; raises InputError for a stream that does
    not wait for more."""
    part: bytes | None = stream.read(count)
    if part is None:
        msg = "expected a stream that waits for its bytes, got one that has none yet"
        raise InputError(msg)
    return part


def _read_exactly(stream: Reader, count: int) -> bytes:
    """So many bytes, of a stream that may give fewer at a time."""
    parts, left = [], count
    while left:
        part = read_some(stream, min(left, 1 << 20))
        if not part:
            msg = f"expected {left} more bytes: the file is truncated"
            raise FormatError(msg)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
