import re
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

from ncodec.container.nci import (
    MAGIC,
    MAX_METADATA_BYTES,
    Container,
    Flag,
    Header,
    Tag,
    pack,
    unpack,
)
from ncodec.container.varint import pack_varint
from ncodec.errors import FormatError

HEADER = Header(0x01020304, 3, 2, 32, Flag.GREY)
EXTRAS = {Tag.ALPHA: b"png", Tag.ICC: b"profile" * 9, Tag.EXIF: b"exif", Tag.XMP: b"<xmp/>"}
PLAIN = pack(Container(HEADER, b"symbols"))
FULL = pack(Container(HEADER, b"symbols", EXTRAS))


def with_crc(data: bytes) -> bytes:
    return data + struct.pack("<I", zlib.crc32(data))


def header_bytes(
    *, version: int = 1, qp: int = 0, flags: int = 0, width: int = 1, height: int = 1
) -> bytes:
    fixed = MAGIC + struct.pack(">BIBB", version, 1, qp, flags)
    return with_crc(fixed + pack_varint(width) + pack_varint(height))


def chunk_bytes(tag: int, payload: bytes) -> bytes:
    return with_crc(bytes([tag]) + pack_varint(len(payload)) + payload)


@given(
    model_id=st.integers(0, 2**32 - 1),
    width=st.integers(1, 16384),
    height=st.integers(1, 16384),
    qp=st.integers(0, 63),
    grey=st.booleans(),
    symbols=st.binary(max_size=300),
    extras=st.dictionaries(st.sampled_from(sorted(EXTRAS)), st.binary(min_size=1, max_size=50)),
)
def test_round_trip(
    model_id: int,
    width: int,
    height: int,
    qp: int,
    grey: bool,
    symbols: bytes,
    extras: dict[Tag, bytes],
) -> None:
    container = Container(Header(model_id, width, height, qp, Flag(grey)), symbols, extras)
    assert unpack(pack(container)) == container


def test_overhead_of_a_plain_picture_is_at_most_32_bytes() -> None:
    largest = Container(Header(2**32 - 1, 16384, 16384, 63, Flag.GREY), b"x" * 100_000)
    assert len(pack(largest)) - 100_000 <= 32


def test_optional_chunks_of_the_future_are_skipped() -> None:
    end = chunk_bytes(Tag.SYMBOLS, b"symbols")
    plain = PLAIN[: -len(end)]
    assert unpack(plain + chunk_bytes(0xC8, b"anything") + end) == unpack(PLAIN)
    with pytest.raises(FormatError, match="checksum"):
        unpack(plain + chunk_bytes(0xC8, b"anything")[:-1] + b"?" + end)


@pytest.mark.parametrize("data", [PLAIN, FULL], ids=["plain", "full"])
def test_truncation_at_every_length_is_refused(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(FormatError):
            unpack(data[:length])


@pytest.mark.parametrize("data", [PLAIN, FULL], ids=["plain", "full"])
def test_every_changed_byte_is_detected(data: bytes) -> None:
    for position in range(len(data)):
        for change in (0x01, 0xC8, 0xFF):
            damaged = bytearray(data)
            damaged[position] ^= change
            with pytest.raises(FormatError):
                unpack(bytes(damaged))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    for candidate in (data, MAGIC + data, MAGIC + b"\x01" + data):
        with pytest.raises(FormatError):
            unpack(candidate)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "got no bytes"),
        (b"\x89PNG\r\n\x1a\n", "expected an ncodec picture"),
        (header_bytes(version=3), "got 3: this file needs a newer ncodec"),
        (
            header_bytes(width=10**9, height=10**9),
            "expected sides of 1 to 16384 pixels, got 1000000000×1000000000",
        ),
        (header_bytes(width=0), "expected sides of 1 to 16384"),
        (header_bytes(qp=64), "expected a qp below 64"),
        (header_bytes(flags=2), "expected known flags"),
        (header_bytes(version=2, flags=8), "expected known flags"),
        (header_bytes() + chunk_bytes(Tag.EXACT, b""), "got tag 6: this file needs a newer ncodec"),
        (header_bytes() + chunk_bytes(9, b""), "got tag 9"),
        (header_bytes() + chunk_bytes(Tag.XMP, zlib.compress(b"x")) * 2, "ascending order"),
        (header_bytes() + chunk_bytes(Tag.XMP, b"not zlib"), "expected zlib data"),
        (
            header_bytes() + chunk_bytes(Tag.XMP, zlib.compress(b"x")[:-3]),
            "expected one zlib stream",
        ),
        (header_bytes() + b"\x01\xff\xff\xff\xff\x7f", "the file is truncated"),
        (PLAIN + b"!", "got 1 more bytes"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, sentence: str) -> None:
    with pytest.raises(FormatError, match=re.escape(sentence)):
        unpack(data)


def test_a_decompression_bomb_in_the_metadata_is_refused() -> None:
    bomb = zlib.compress(bytes(MAX_METADATA_BYTES + 1))
    with pytest.raises(FormatError, match="at most"):
        unpack(header_bytes() + chunk_bytes(Tag.EXIF, bomb) + chunk_bytes(Tag.SYMBOLS, b"\0"))


def test_the_worked_example_of_the_specification() -> None:
    text = (ROOT / "codec" / "FORMAT.md").read_text("utf-8")
    section = text.split("## Worked example")[1]
    example = bytes.fromhex(section.split("```")[1])
    assert f"{len(example)} bytes" in section
    container = unpack(example)
    assert container == Container(HEADER, b"\0")
    assert pack(container) == example
