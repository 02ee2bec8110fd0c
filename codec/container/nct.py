"""The .nct file: tensors, each in a chunk of its own, and an index that finds them.

After the magic number and the version stand chunks of `ncodec.container.chunks`: a tensor each, and
last the index. Eight bytes at the end say where the index begins, so a reader of one tensor reads
the index and that tensor alone.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

from ncodec.container.chunks import CRC_SIZE, pack_chunk, read_chunk
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError

MAGIC = b"\x9dNCT"
VERSION = 1
START = MAGIC + bytes([VERSION])
MOST_TENSORS = 2**20
MOST_AXES = 32
LARGEST_NAME = 4096
"""bytes of a name in UTF-8"""
LARGEST_TENSOR = 2**34
"""bytes"""
LARGEST_INDEX = 2**28
_END = struct.Struct("<Q")


class Tag(IntEnum):
    """Chunks."""

    TENSOR = 1
    INDEX = 2


class Origin(IntEnum):
    """File that the tensors came from."""

    SAFETENSORS = 0
    NPY = 1
    NPZ = 2


class Form(IntEnum):
    """Form of a tensor's payload."""

    EXACT = 0
    DIFFERENCE = 1
    """to the tensor of the same name in a base"""
    QUANTIZED = 2


@dataclass(frozen=True)
class Entry:
    """A tensor of the index."""

    name: str
    kind: int
    """number of the kind of its elements"""
    shape: tuple[int, ...]
    form: Form
    start: int
    """byte of the file where its chunk begins"""
    length: int
    """bytes of its chunk"""

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


def fits(shape: Sequence[int], width: int) -> bool:
    """Whether an array can have a shape of elements of so many bytes: at most `LARGEST_TENSOR` in
    all, sides of 0 counted as 1."""
    return len(shape) <= MOST_AXES and math.prod(max(1, side) for side in shape) * width <= (
        LARGEST_TENSOR
    )


@dataclass(frozen=True)
class Index:
    """Tensors of a file, their origin and its header."""

    origin: Origin
    header: bytes
    """of a .safetensors file, compressed; empty for other files, whose headers are made anew"""
    entries: tuple[Entry, ...]


def pack_tensor(payload: bytes) -> bytes:
    """A tensor as a chunk."""
    return pack_chunk(Tag.TENSOR, payload)


def pack_index(index: Index, start: int) -> bytes:
    """The index as a chunk that begins at the byte `start` of the file, and the end."""
    parts = [
        bytes([index.origin]),
        pack_varint(len(index.header)),
        index.header,
        pack_varint(len(index.entries)),
        *map(_pack_entry, index.entries),
    ]
    return pack_chunk(Tag.INDEX, b"".join(parts)) + _END.pack(start)


def _pack_entry(entry: Entry) -> bytes:
    name = entry.name.encode()
    numbers = [len(entry.shape), *entry.shape, entry.length]
    return b"".join(
        [
            pack_varint(len(name)),
            name,
            bytes([entry.kind, entry.form]),
            *map(pack_varint, numbers),
        ]
    )


def read_index(stream: BinaryIO) -> Index:
    """The index of a file that can be sought; raises FormatError for another file and damage."""
    size = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(len(START))
    if start[: len(MAGIC)] != MAGIC:
        msg = f"expected a .nct file, got one that starts with {start[:4].hex() or 'nothing'}"
        raise FormatError(msg)
    if start != START:
        msg = f"expected version {VERSION} of .nct, got {start[4:].hex() or 'none'}: this file "
        msg += "needs a newer ncodec, or is truncated"
        raise FormatError(msg)
    stream.seek(max(len(START), size - _END.size))
    end = stream.read(_END.size)
    at = _END.unpack(end)[0] if len(end) == _END.size else size
    if not len(START) <= at < size - _END.size or size - at > LARGEST_INDEX:
        msg = "expected an index at the end of the file, got none: the file is truncated"
        raise FormatError(msg)
    stream.seek(at)
    payload = _one_chunk(stream.read(size - _END.size - at), Tag.INDEX)
    index = _index_of(payload)
    _check_end(index.entries, at)
    return index


def read_tensor(stream: BinaryIO, entry: Entry) -> bytes:
    """Payload of a tensor; raises FormatError for damage."""
    stream.seek(entry.start)
    return _one_chunk(stream.read(entry.length), Tag.TENSOR)


def _one_chunk(data: bytes, tag: Tag) -> bytes:
    reader = ByteReader(data)
    found, payload = read_chunk(data, reader)
    if found != tag or not reader.at_end:
        msg = f"expected one chunk of kind {int(tag)}, got kind {found}: the file is damaged"
        raise FormatError(msg)
    return payload


def _index_of(payload: bytes) -> Index:
    reader = ByteReader(payload)
    origin, header = reader.byte(), reader.take(reader.varint())
    count = reader.varint()
    if origin not in set(Origin) or count > MOST_TENSORS:
        msg = f"expected an index of at most {MOST_TENSORS:,} tensors from a known kind of file, "
        msg += "got another: this file needs a newer ncodec, or is damaged"
        raise FormatError(msg)
    entries, start = [], len(START)
    for _ in range(count):
        entries.append(_entry_of(reader, start))
        start += entries[-1].length
    if not reader.at_end or len({entry.name for entry in entries}) != count:
        msg = "expected an index of tensors of different names, got another: the file is damaged"
        raise FormatError(msg)
    return Index(Origin(origin), header, tuple(entries))


def _entry_of(reader: ByteReader, start: int) -> Entry:
    try:
        name = reader.take(min(reader.varint(), LARGEST_NAME + 1)).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = "expected a name in UTF-8, got something else: the file is damaged"
        raise FormatError(msg) from error
    kind, form, axes = reader.byte(), reader.byte(), reader.varint()
    if form not in set(Form) or axes > MOST_AXES or len(name.encode()) > LARGEST_NAME:
        msg = f"expected a tensor of at most {MOST_AXES} axes in a known form, got {axes} and "
        msg += f"{form}: this file needs a newer ncodec, or is damaged"
        raise FormatError(msg)
    shape = tuple(reader.varint() for _ in range(axes))
    return Entry(name, kind, shape, Form(form), start, reader.varint())


def _check_end(entries: Sequence[Entry], end: int) -> None:
    """Raise FormatError unless chunks fill all bytes from the start to the index."""
    at = len(START)
    for entry in entries:
        if entry.length <= CRC_SIZE:
            msg = f"{entry.name!r:.60}: expected a chunk, got {entry.length} bytes: the file is "
            msg += "damaged"
            raise FormatError(msg)
        at += entry.length
    if at != end:
        msg = f"expected an index at byte {at}, got {end}: the file is damaged"
        raise FormatError(msg)
