"""The container: a checked header, checked chunks, nothing after the last; `FORMAT.md` specifies it on one page."""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from ncodec.chunks import CRC_SIZE, check_seal, pack_chunk, read_chunk, seal
from ncodec.errors import FormatError, InputError
from ncodec.varint import ByteReader, pack_varint

MAGIC = b"\x9dNCI"
FORMAT_VERSION = 1
MAX_SIDE = 16384
FIRST_OPTIONAL_TAG = 0x80
"""chunks from here on may be skipped by readers that do not know them"""
MAX_METADATA_BYTES = 64 * 2**20
"""of one metadata chunk after decompression"""
QP_COUNT = 64
PATCH = 16


class Tag(IntEnum):
    """What a chunk holds."""

    SYMBOLS = 1
    """coded picture; always present, always last"""
    ALPHA = 2
    """alpha plane, losslessly, as an 8-bit greyscale PNG of the picture's size"""
    ICC = 3
    """ICC profile, zlib"""
    EXIF = 4
    """EXIF block without its "Exif\\0\\0" prefix, zlib"""
    XMP = 5
    """XMP packet, zlib"""


COMPRESSED_TAGS = frozenset({Tag.ICC, Tag.EXIF, Tag.XMP})


class Flag(IntFlag):
    """Properties of the picture."""

    GREY = 1
    """decodes to one channel"""


NO_FLAGS = Flag(0)


@dataclass(frozen=True)
class Header:
    """The fixed part of a file."""

    model_id: int
    """which model decodes it; the manifest of the installed models knows it"""
    width: int
    height: int
    qp: int
    """0…63"""
    flags: Flag = NO_FLAGS

    @property
    def latent_size(self) -> tuple[int, int]:
        """(height, width) of the latent: one value for each 16×16 pixels, rounded up."""
        return -(-self.height // PATCH), -(-self.width // PATCH)


@dataclass(frozen=True)
class Container:
    """A whole file, taken apart."""

    header: Header
    symbols: bytes
    extras: dict[Tag, bytes] = field(default_factory=dict)
    """the optional chunks, as applications see them (metadata uncompressed)"""


def _pack_header(header: Header) -> bytes:
    packed = MAGIC + struct.pack(">BIBB", FORMAT_VERSION, header.model_id, header.qp, header.flags)
    packed += pack_varint(header.width) + pack_varint(header.height)
    return seal(packed)


def pack(container: Container) -> bytes:
    """Container → file bytes; raises InputError for metadata beyond the format's limit."""
    parts = [_pack_header(container.header)]
    for tag, payload in sorted(container.extras.items()):
        if tag in COMPRESSED_TAGS and len(payload) > MAX_METADATA_BYTES:
            msg = f"expected {tag.name} metadata of at most {MAX_METADATA_BYTES} bytes, got {len(payload)}"
            raise InputError(msg)
        parts.append(pack_chunk(tag, zlib.compress(payload, 9) if tag in COMPRESSED_TAGS else payload))
    parts.append(pack_chunk(Tag.SYMBOLS, container.symbols))
    return b"".join(parts)


def _read_magic(reader: ByteReader) -> None:
    magic = reader.take(len(MAGIC))
    if magic != MAGIC:
        msg = f"expected an ncodec picture starting with {MAGIC.hex(' ')}, got {magic.hex(' ')}"
        raise FormatError(msg)
    version = reader.byte()
    if version != FORMAT_VERSION:
        needs = "a newer ncodec" if version > FORMAT_VERSION else "no ncodec that was ever released"
        msg = f"expected format version {FORMAT_VERSION}, got {version}: this file needs {needs}"
        raise FormatError(msg)


def _validate(header: Header) -> None:
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {header.width}×{header.height}"
        raise FormatError(msg)
    if header.qp >= QP_COUNT:
        msg = f"expected a qp below {QP_COUNT}, got {header.qp}"
        raise FormatError(msg)
    if int(header.flags) & ~int(Flag.GREY):
        msg = f"expected known flags, got {int(header.flags):#04x}: this file needs a newer ncodec"
        raise FormatError(msg)


def _read_header(data: bytes, reader: ByteReader) -> Header:
    if not data:
        msg = "expected an ncodec picture, got no bytes"
        raise FormatError(msg)
    _read_magic(reader)
    model_id, qp, flags = struct.unpack(">IBB", reader.take(6))
    width, height = reader.varint(), reader.varint()
    check_seal(data[: reader.position], reader.take(CRC_SIZE), "header")
    header = Header(model_id, width, height, qp, Flag(flags))
    _validate(header)
    return header


def _inflate(tag: Tag, payload: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(payload, MAX_METADATA_BYTES)
    except zlib.error as error:
        msg = f"expected zlib data in the {tag.name} chunk: {error}"
        raise FormatError(msg) from error
    if not inflater.eof or inflater.unused_data:
        msg = f"expected one zlib stream of at most {MAX_METADATA_BYTES} bytes in the {tag.name} chunk"
        raise FormatError(msg)
    return plain


def _read_known_chunk(data: bytes, reader: ByteReader) -> tuple[int, bytes]:
    start = reader.position
    code, payload = read_chunk(data, reader)
    if code not in Tag.__members__.values() and code < FIRST_OPTIONAL_TAG:
        msg = f"expected a known chunk at byte {start}, got tag {code}: this file needs a newer ncodec"
        raise FormatError(msg)
    return code, payload


def unpack(data: bytes) -> Container:
    """File bytes → container, every checksum verified; raises FormatError, and allocates no more than it reads."""
    reader = ByteReader(data)
    header = _read_header(data, reader)
    extras: dict[Tag, bytes] = {}
    last = 0
    while True:
        start = reader.position
        code, payload = _read_known_chunk(data, reader)
        if code == Tag.SYMBOLS:
            break
        if code <= last:
            msg = f"expected chunks in ascending order, got tag {code} at byte {start} after {last}"
            raise FormatError(msg)
        last = code
        if code < FIRST_OPTIONAL_TAG:
            extras[Tag(code)] = _inflate(Tag(code), payload) if code in COMPRESSED_TAGS else payload
    if left := len(reader.rest()):
        msg = f"expected the file to end after its picture, got {left} more bytes"
        raise FormatError(msg)
    return Container(header, payload, extras)
