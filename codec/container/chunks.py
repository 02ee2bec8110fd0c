"""The one record of every ncodec file: tag, length, payload, checksum."""

import struct
import zlib

from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError

_CRC = struct.Struct("<I")
CRC_SIZE = _CRC.size


def seal(data: bytes) -> bytes:
    """Data followed by its CRC-32 (ISO-HDLC, as in zlib and PNG), 4 bytes, little-endian unlike in
    PNG."""
    return data + _CRC.pack(zlib.crc32(data))


def check_seal(data: bytes, crc: bytes, what: str) -> None:
    """Raise FormatError unless `crc` is the four bytes of CRC-32 that `seal` puts behind `data`.

    `what` names the data in the message.
    """
    expected = seal(data)[-CRC_SIZE:]
    if crc != expected:
        msg = (
            f"expected checksum {expected.hex()} of the {what}, got {crc.hex()}: the file is "
            f"damaged"
        )
        raise FormatError(msg)


def pack_chunk(tag: int, payload: bytes) -> bytes:
    """One chunk: tag:u8 length:varint payload crc:u32le."""
    return seal(bytes([tag]) + pack_varint(len(payload)) + payload)


def read_chunk(data: bytes, reader: ByteReader) -> tuple[int, bytes]:
    """Tag and payload of the chunk at the reader's position; the reader goes on to its end.

    `data` is the whole byte string that `reader` reads. Raises FormatError where it ends within
    the chunk, the length is no varint in shortest form, or the CRC-32 does not match.
    """
    start = reader.position
    tag, length = reader.byte(), reader.varint()
    payload = reader.take(length)
    check_seal(data[start : reader.position], reader.take(CRC_SIZE), f"chunk at byte {start}")
    return tag, payload
