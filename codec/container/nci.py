"""The container: a checked header, checked chunks, nothing after the last; `FORMAT.md` specifies it
on one page."""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from ncodec.container import nct, ncz
from ncodec.container.chunks import CRC_SIZE, check_seal, pack_chunk, read_chunk, seal
from ncodec.container.icc_profile import pack_profile, unpack_profile
from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError, InputError
from ncodec.grid import HYPER_CELL, MAX_SIDE, PATCH
from ncodec.quality import QP_COUNT

MAGIC = b"\x9dNCI"
FORMAT_VERSION = 2
"""the newest that is read and written; files that need no more are of version 1"""
NO_MODEL = 0
"""model of a picture whose cells are all exact"""
FIRST_OPTIONAL_TAG = 0x80
"""chunks from here on may be skipped by readers that do not know them"""
MAX_METADATA_BYTES = 64 * 2**20
"""largest metadata chunk after decompression"""


class Tag(IntEnum):
    """Content of a chunk."""

    SYMBOLS = 1
    """coded picture; always present, always last"""
    ALPHA = 2
    """alpha plane, losslessly, as an 8-bit greyscale PNG of the picture's size, as a lossless WebP
    bitstream or by context mixing"""
    ICC = 3
    """ICC profile, as of `ncodec.container.icc_profile`; zlib in version 1"""
    EXIF = 4
    """EXIF block without its "Exif\\0\\0" prefix, zlib"""
    XMP = 5
    """XMP packet, zlib"""
    EXACT = 6
    """layers of exact cells"""
    DEPTH = 128
    """bits of a sample, and the low bits of lossless ones"""


COMPRESSED_TAGS = frozenset({Tag.ICC, Tag.EXIF, Tag.XMP})


class Flag(IntFlag):
    """Properties of the picture."""

    GREY = 1
    """decodes to one channel"""
    LOSSLESS = 2
    """the encoder's pixels come back as they were"""
    WHOLE = 4
    """the latent is of whole cells, and pixels beyond the picture are cut off"""


NO_FLAGS = Flag(0)
KNOWN_FLAGS = (Flag.GREY, Flag.GREY | Flag.LOSSLESS | Flag.WHOLE)
"""flags that each version of the format knows"""
PNG_SIGNATURE = b"\x89PNG"


@dataclass(frozen=True)
class Header:
    """The fixed part of a file."""

    model_id: int
    """id of the model that decodes the file"""
    width: int
    height: int
    qp: int
    """0…63"""
    flags: Flag = NO_FLAGS

    @property
    def latent_size(self) -> tuple[int, int]:
        """(h, w) of the latent: ⌈height/16⌉ and ⌈width/16⌉, rounded up to fours with WHOLE."""
        unit = HYPER_CELL if self.flags & Flag.WHOLE else 1
        high, wide = (-(-side // (unit * PATCH)) * unit for side in (self.height, self.width))
        return high, wide


@dataclass(frozen=True)
class Container:
    """A whole file, taken apart."""

    header: Header
    symbols: bytes
    extras: dict[Tag, bytes] = field(default_factory=dict)
    """the optional chunks, as applications see them (metadata uncompressed)"""

    @property
    def version(self) -> int:
        """Lowest format version that can hold this content.

        2 for exact cells, an ICC profile, alpha that is no PNG, or a flag other than GREY; else 1.
        """
        alpha = self.extras.get(Tag.ALPHA, PNG_SIGNATURE)
        plain = not self.header.flags & ~Flag.GREY and alpha.startswith(PNG_SIGNATURE)
        return 1 if plain and not {Tag.EXACT, Tag.ICC} & self.extras.keys() else FORMAT_VERSION


def _pack_header(header: Header, version: int) -> bytes:
    packed = MAGIC + struct.pack(">BIBB", version, header.model_id, header.qp, header.flags)
    packed += pack_varint(header.width) + pack_varint(header.height)
    return seal(packed)


def pack(container: Container) -> bytes:
    """Bytes of a .nci file, in the lowest format version that can hold the container.

    ICC, EXIF and XMP are compressed; InputError is raised for one of more than 64 MiB before that.
    Other fields are written unchecked.
    """
    parts = [_pack_header(container.header, container.version)]
    for tag, payload in sorted(container.extras.items()):
        if tag in COMPRESSED_TAGS and len(payload) > MAX_METADATA_BYTES:
            msg = (
                f"expected {tag.name} metadata of at most {MAX_METADATA_BYTES} bytes, got "
                f"{len(payload)}"
            )
            raise InputError(msg)
        parts.append(pack_chunk(tag, _compress(tag, payload)))
    parts.append(pack_chunk(Tag.SYMBOLS, container.symbols))
    return b"".join(parts)


def _compress(tag: Tag, payload: bytes) -> bytes:
    if tag == Tag.ICC:
        return pack_profile(payload)
    return zlib.compress(payload, 9) if tag in COMPRESSED_TAGS else payload


def _read_version(reader: ByteReader) -> int:
    magic = reader.take(len(MAGIC))
    if magic != MAGIC:
        msg = f"expected an ncodec picture starting with {MAGIC.hex(' ')}, got {magic.hex(' ')}"
        msg += ", of a packed file: `ncodec unpack` reads it" * (magic == ncz.MAGIC)
        msg += ", of tensors: `ncodec tensors unpack` reads it" * (magic == nct.MAGIC)
        raise FormatError(msg)
    version = reader.byte()
    if not 1 <= version <= FORMAT_VERSION:
        needs = "a newer ncodec" if version > FORMAT_VERSION else "no ncodec that was ever released"
        msg = (
            f"expected a format version of 1 to {FORMAT_VERSION}, got {version}: this file needs "
            f"{needs}"
        )
        raise FormatError(msg)
    return version


def _validate(header: Header, version: int) -> None:
    if not (1 <= header.width <= MAX_SIDE and 1 <= header.height <= MAX_SIDE):
        msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {header.width}×{header.height}"
        raise FormatError(msg)
    if header.qp >= QP_COUNT:
        msg = f"expected a qp below {QP_COUNT}, got {header.qp}"
        raise FormatError(msg)
    if int(header.flags) & ~int(KNOWN_FLAGS[version - 1]):
        msg = f"expected known flags, got {int(header.flags):#04x}: this file needs a newer ncodec"
        raise FormatError(msg)


def _read_header(data: bytes, reader: ByteReader) -> tuple[Header, int]:
    """The header, and the format version."""
    if not data:
        msg = "expected an ncodec picture, got no bytes"
        raise FormatError(msg)
    version = _read_version(reader)
    model_id, qp, flags = struct.unpack(">IBB", reader.take(6))
    width, height = reader.varint(), reader.varint()
    check_seal(data[: reader.position], reader.take(CRC_SIZE), "header")
    header = Header(model_id, width, height, qp, Flag(flags))
    _validate(header, version)
    return header, version


def _decompress(tag: Tag, payload: bytes, version: int) -> bytes:
    if tag == Tag.ICC and version > 1:
        return unpack_profile(payload, limit=MAX_METADATA_BYTES)
    return _inflate(tag, payload) if tag in COMPRESSED_TAGS else payload


def _inflate(tag: Tag, payload: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(payload, MAX_METADATA_BYTES)
    except zlib.error as error:
        msg = f"expected zlib data in the {tag.name} chunk: {error}"
        raise FormatError(msg) from error
    if not inflater.eof or inflater.unused_data:
        msg = (
            f"expected one zlib stream of at most {MAX_METADATA_BYTES} bytes in the {tag.name} "
            f"chunk"
        )
        raise FormatError(msg)
    return plain


def _read_known_chunk(data: bytes, reader: ByteReader, version: int) -> tuple[int, bytes]:
    start = reader.position
    code, payload = read_chunk(data, reader)
    known = code in Tag.__members__.values() and (code != Tag.EXACT or version > 1)
    if not known and code < FIRST_OPTIONAL_TAG:
        msg = (
            f"expected a known chunk at byte {start}, got tag {code}: this file needs a newer "
            f"ncodec"
        )
        raise FormatError(msg)
    return code, payload


def unpack(data: bytes) -> Container:
    """Content of the bytes of a .nci file, every checksum verified.

    ICC, EXIF and XMP are decompressed, to at most 64 MiB each; symbols, alpha and exact cells are
    not looked into, and unknown chunks with tags from 128 are skipped. Raises FormatError for
    damage, truncation, bytes after the last chunk and files that need a newer version.
    """
    reader = ByteReader(data)
    header, version = _read_header(data, reader)
    extras: dict[Tag, bytes] = {}
    last = 0
    while True:
        start = reader.position
        code, payload = _read_known_chunk(data, reader, version)
        if code == Tag.SYMBOLS:
            break
        if code <= last:
            msg = f"expected chunks in ascending order, got tag {code} at byte {start} after {last}"
            raise FormatError(msg)
        last = code
        if code in Tag.__members__.values():
            extras[Tag(code)] = _decompress(Tag(code), payload, version)
    if left := len(reader.rest()):
        msg = f"expected the file to end after its picture, got {left} more bytes"
        raise FormatError(msg)
    return Container(header, payload, extras)
