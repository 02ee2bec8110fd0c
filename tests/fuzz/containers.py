"""Files of the formats ↔ their chunks, so that mutations reach what stands behind checksums."""

import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from ncodec.container import nci, nct, ncz, records
from ncodec.container.chunks import CRC_SIZE, pack_chunk, seal
from ncodec.container.varint import VARINT_BYTES, pack_varint

Change = Callable[[bytes], bytes]
"""a mutation of bytes"""
_PNG, _BIG_ENDIAN = b"\x89PNG\r\n\x1a\n", struct.Struct(">I")
_PLACE = struct.Struct("<Q")
_FIXED = {
    nci.MAGIC: (11, 2),
    records.MAGIC: (records.HEADER_BYTES, records.HEADER_NUMBERS),
    ncz.MAGIC: (5, 0),
    nct.MAGIC: (5, 0),
}
"""bytes of the fixed part of a header, and varints behind it"""
_UNSEALED = (ncz.MAGIC, nct.MAGIC)
"""of files whose headers have no checksum"""
_EXACT_TAGS = frozenset({records.Tag.EXACT_INTRA, records.Tag.EXACT_PREDICTED})
_CODED_TAGS = _EXACT_TAGS | {records.Tag.INTRA, records.Tag.PREDICTED}
_MOST_INFLATED = 2**16
_MOST_ESCAPES = 256
_ZLIB = b"\x78"
_STREAM = re.compile(rb"[\x78\x2f]")
"""first bytes of zlib and VP8L"""
_LEAST_STREAM = 4


@dataclass
class Chunk:
    """A chunk of either format, its length and checksum left out."""

    tag: int
    payload: bytes
    mark: bytes = b""
    """sync mark before it"""


@dataclass
class Parts:
    """A file, taken apart."""

    header: bytes
    """without checksum, which .ncz and .nct files lack"""
    chunks: list[Chunk]
    rest: bytes = b""
    """what could not be taken apart"""


def split(data: bytes) -> Parts | None:
    """Chunks of an ncodec file whose checksums may be wrong; None for other data."""
    place, numbers = _FIXED.get(data[:4], (0, 0))
    chunks: list[Chunk] = []
    try:
        for _ in range(numbers):
            _, place = _varint(data, place)
    except IndexError:
        return None
    seal_size = 0 if data.startswith(_UNSEALED) else CRC_SIZE
    if not place or place + seal_size > len(data):
        return None
    header, place = data[:place], place + seal_size
    while place < len(data):
        mark = records.SYNC if data.startswith(records.SYNC, place) else b""
        try:
            size, start = _varint(data, place + len(mark) + 1)
        except IndexError:
            break
        if start + size + CRC_SIZE > len(data):
            break
        tag = data[place + len(mark)]
        chunks.append(Chunk(tag, data[start : start + size], mark))
        place = start + size + CRC_SIZE
    return Parts(header, chunks, data[place:])


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Number at a place and the place behind it; raises IndexError where there is none.

    Not ncodec's reader, whose branches would count as covered by the input.
    """
    value = 0
    for shift in range(0, 7 * VARINT_BYTES, 7):
        value |= (data[place] & 0x7F) << shift
        place += 1
        if data[place - 1] < 0x80:
            return value, place
    raise IndexError


def join(parts: Parts) -> bytes:
    """Inverse of `split`, with right lengths, checksums and place of a .nct file's index."""
    header = parts.header if parts.header.startswith(_UNSEALED) else seal(parts.header)
    chunks = [packed(chunk) for chunk in parts.chunks]
    rest = parts.rest
    if header.startswith(nct.MAGIC) and chunks and len(rest) == _PLACE.size:
        rest = _PLACE.pack(len(header) + sum(map(len, chunks[:-1])))
    return header + b"".join(chunks) + rest


def packed(chunk: Chunk) -> bytes:
    """Bytes of a chunk, its sync mark included."""
    return chunk.mark + pack_chunk(chunk.tag, chunk.payload)


def sealed(data: bytes) -> bytes:
    """The data with right checksums, as far as they are a .nci, .ncv, .ncz or PNG file."""
    if data.startswith(_PNG):
        return _sealed_png(data)
    parts = split(data)
    return data if parts is None else join(parts)


def _sealed_png(data: bytes) -> bytes:
    right, start = bytearray(data), len(_PNG)
    while start + 8 + CRC_SIZE <= len(data):
        (size,) = _BIG_ENDIAN.unpack_from(data, start)
        end = start + 8 + size
        if end + CRC_SIZE > len(data):
            break
        _BIG_ENDIAN.pack_into(right, end, zlib.crc32(data[start + 4 : end]))
        start = end + CRC_SIZE
    return bytes(right)


def mutated(data: bytes, random: Random, change: Change) -> bytes:
    """A mutation of a file, mostly of one chunk or of a stream within it; checksums are right."""
    parts = split(data)
    if parts is None or not parts.chunks or random.random() < 0.1:
        return sealed(_inside(data, random, change))
    place = random.randrange(len(parts.chunks))
    chunk = parts.chunks[place]
    what = random.random()
    if what < 0.75:
        chunk.payload = _changed_payload(parts.header, chunk, random, change)
    elif what < 0.8:
        parts.header = parts.header[:4] + change(parts.header[4:])
    elif what < 0.85:
        del parts.chunks[place]
    elif what < 0.9:
        parts.chunks.insert(random.randrange(len(parts.chunks)), chunk)
    elif what < 0.95:
        other = random.randrange(len(parts.chunks))
        parts.chunks[place], parts.chunks[other] = parts.chunks[other], chunk
    else:
        chunk.tag = random.choice((*nci.Tag, *records.Tag, random.randrange(256)))
    return join(parts)


def _changed_payload(header: bytes, chunk: Chunk, random: Random, change: Change) -> bytes:
    payload = chunk.payload
    if header.startswith(nci.MAGIC):
        is_coded = chunk.tag == nci.Tag.SYMBOLS
        return (_changed_symbols if is_coded else _inside)(payload, random, change)
    if chunk.tag not in _CODED_TAGS:
        return _inside(payload, random, change)
    try:
        _, place = _varint(payload, 1)
        before, coded = payload[: place + 1], payload[place + 1 :]
        size, start = _varint(coded, 0) if chunk.tag in _EXACT_TAGS else (0, 0)
    except IndexError:
        return change(payload)
    if not start:
        return before + _changed_symbols(coded, random, change)
    exact, symbols = coded[start : start + size], coded[start + size :]
    if random.random() < 0.6:
        exact = _inside(exact, random, change)
    else:
        symbols = _changed_symbols(symbols, random, change)
    return before + pack_varint(len(exact)) + exact + symbols


def _changed_symbols(payload: bytes, random: Random, change: Change) -> bytes:
    """Coded symbols with a mutation, half of them with enough escapes for whatever they become."""
    try:
        code, start = _varint(payload, 0)
    except IndexError:
        return change(payload)
    stop = start + (code >> 1)
    if random.random() < 0.5:
        return _inside(payload, random, change)
    escapes = payload[start:stop] + random.randbytes(random.randrange(_MOST_ESCAPES))
    return pack_varint(2 * len(escapes) + code % 2) + escapes + change(payload[stop:])


def _inside(data: bytes, random: Random, change: Change) -> bytes:
    """Data with a mutation, perhaps of a stream of zlib or VP8L in it, whose length stays right."""
    if data.startswith(_ZLIB) and random.random() < 0.8 and (plain := _inflated(data)) is not None:
        return zlib.compress(change(plain), 9)
    found = _streams(data) if random.random() < 0.5 else []
    if not found:
        return _sealed_png(change(data)) if data.startswith(_PNG) else change(data)
    start, length, stop = random.choice(found)
    stream = data[start + length : stop]
    plain = _inflated(stream)
    stream = change(stream) if plain is None else zlib.compress(change(plain), 9)
    return data[:start] + pack_varint(len(stream)) + stream + data[stop:]


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, _MOST_INFLATED)
    except zlib.error:
        return None
    return plain if inflater.eof and not inflater.unused_data else None


def _streams(data: bytes) -> list[tuple[int, int, int]]:
    """Place, bytes of the length and end of streams that stand behind their length."""
    found = []
    for begin in (match.start() for match in _STREAM.finditer(data)):
        for length in range(1, 4):
            try:
                size, end = _varint(data, max(begin - length, 0))
            except IndexError:
                continue
            if end == begin and _LEAST_STREAM < size <= len(data) - begin:
                found.append((begin - length, length, begin + size))
    return found
