"""Names of codecs for manifests (RFC 6381), read from the start of a track's file."""

from collections.abc import Callable

from ncodec.errors import FormatError
from ncodec.streaming.boxes import find_boxes


def codec_string(start: bytes) -> str:
    """Codec with profile and level, such as avc1.640028, of a track by its ftyp and moov boxes.

    Raises FormatError for codecs other than H.264, HEVC, AV1, AAC and Opus.
    """
    for kind, name in _NAMES.items():
        found = next(find_boxes(start, kind), None)
        if found is not None:
            return name(bytes(found.body))
    msg = "expected a track of H.264, HEVC, AV1, AAC or Opus, got another"
    raise FormatError(msg)


def _h264(record: bytes) -> str:
    return f"avc1.{record[1:4].hex()}"


def _hevc(record: bytes) -> str:
    """Name by ISO/IEC 14496-15, annex E: flags with their bits reversed, without trailing zeros."""
    space = ("", "A", "B", "C")[record[1] >> 6]
    tier = "H" if record[1] & 0x20 else "L"
    compatible = int(f"{int.from_bytes(record[2:6], 'big'):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    parts = [f"{space}{record[1] & 0x1F}", f"{compatible:x}", f"{tier}{record[12]}"]
    return ".".join(["hvc1", *parts, *(f"{byte:x}" for byte in constraints)])


def _av1(record: bytes) -> str:
    profile, level = record[1] >> 5, record[1] & 0x1F
    tier = "H" if record[2] & 0x80 else "M"
    depth = (12 if record[2] & 0x20 else 10) if record[2] & 0x40 else 8
    return f"av01.{profile}.{level:02d}{tier}.{depth:02d}"


def _aac(record: bytes) -> str:
    """Name of AAC-LC, by the object type of the decoder's description."""
    place = record.find(b"\x04", 9)  # behind the description of the stream, its number and flags
    while 0 <= place < len(record) - 1 and record[place + 1] & 0x80:
        place += 1
    if place < 0 or record[place + 2 : place + 3] != b"\x40":
        msg = "expected a track of AAC, got another in its box"
        raise FormatError(msg)
    return "mp4a.40.2"


_NAMES: dict[bytes, Callable[[bytes], str]] = {
    b"avcC": _h264,
    b"hvcC": _hevc,
    b"av1C": _av1,
    b"esds": _aac,
    b"dOps": lambda record: "opus",
}
"""type of the box that configures a decoder → function from its content to the codec's name"""
