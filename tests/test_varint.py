import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncodec.container.varint import ByteReader, pack_varint
from ncodec.errors import FormatError


@given(st.integers(0, 2**35 - 1))
def test_round_trip(value: int) -> None:
    reader = ByteReader(pack_varint(value))
    assert reader.varint() == value
    assert reader.rest() == b""


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x00", b"\xff" * 6], ids=["empty", "cut", "padded", "too long"]
)
def test_damaged_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        ByteReader(data).varint()


def test_reading_past_the_end_says_how_much_is_missing() -> None:
    with pytest.raises(FormatError, match="expected 4 more bytes, got 3: the file is truncated"):
        ByteReader(b"abc").take(4)
