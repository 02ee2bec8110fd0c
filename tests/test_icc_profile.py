import io
import lzma
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from ncodec.container.icc_profile import (
    DEFLATE,
    KNOWN,
    LZMA,
    _dictionary,
    pack_profile,
    unpack_profile,
)
from ncodec.errors import FormatError

LIMIT = 2**20


def known_profiles() -> list[bytes]:
    from importlib.resources import files

    return [(files("ncodec.container") / "icc" / f"{name}.icc").read_bytes() for name in KNOWN]


@pytest.mark.parametrize("profile", known_profiles(), ids=KNOWN)
def test_a_well_known_profile_takes_a_few_bytes(profile: bytes) -> None:
    coded = pack_profile(profile)
    # deflate takes three bytes for each 258 that it finds.
    assert len(coded) <= 12 + len(profile) // 80
    assert unpack_profile(coded, limit=LIMIT) == profile
    assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()


def test_the_time_in_a_profile_costs_little() -> None:
    written_now = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert len(pack_profile(written_now)) < 120
    assert unpack_profile(pack_profile(written_now), limit=LIMIT) == written_now


def test_the_dictionary_is_a_part_of_the_format() -> None:
    assert len(_dictionary()) <= 2**15
    assert zlib.crc32(_dictionary()) == 0xCC8B78C0


@settings(deadline=None)
@given(st.binary(max_size=500))
def test_any_bytes_come_back(profile: bytes) -> None:
    assert unpack_profile(pack_profile(profile), limit=LIMIT) == profile


def test_tables_take_fewer_bytes_than_by_deflate() -> None:
    curve = b"".join(round(65535 * (i / 4095) ** 2.2).to_bytes(2, "big") for i in range(4096))
    coded = pack_profile(curve)
    assert coded[0] == LZMA
    assert len(coded) < len(zlib.compress(curve, 9))


@pytest.mark.parametrize(
    "coded",
    [
        b"",
        b"\x02abc",
        bytes([DEFLATE]) + b"\xff\xff",
        bytes([LZMA]) + b"\xff" * 9,
        pack_profile(b"x" * 99)[:-1],
        pack_profile(b"x" * 99) + b"!",
        pack_profile(bytes(LIMIT + 1)),
    ],
    ids=["nothing", "unknown", "no deflate", "no LZMA", "cut", "more", "too long"],
)
def test_other_bytes_are_refused(coded: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_profile(coded, limit=LIMIT)


def test_lzma_is_of_the_stated_kind() -> None:
    """A second reader, from the words of FORMAT.md."""
    curve = b"".join(round(65535 * (i / 4095) ** 1.8).to_bytes(2, "big") for i in range(4096))
    alone = (
        bytes([0 + 1 * 9 + 1 * 45])
        + (2**22).to_bytes(4, "little")
        + b"\xff" * 8
        + pack_profile(curve)[1:]
    )
    assert lzma.decompress(alone, format=lzma.FORMAT_ALONE) == curve
