import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

import ncodec
from ncodec.errors import InputError
from ncodec.media.exif import stripped, without_thumbnail
from ncodec.picture import from_array


def with_thumbnail() -> bytes:
    """A block as cameras write it: a description, and a JPEG behind the second directory."""
    thumbnail = io.BytesIO()
    Image.effect_noise((160, 120), 60).save(thumbnail, "JPEG")
    jpeg = thumbnail.getvalue()
    first, second = 8, 8 + 2 + 12 + 4
    start = second + 2 + 24 + 4
    entry = (
        (0x010F).to_bytes(2, "little")
        + (2).to_bytes(2, "little")
        + (4).to_bytes(4, "little")
        + b"Cam\0"
    )
    places = [(0x0201, start), (0x0202, len(jpeg))]
    links = b"".join(
        tag.to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, value in places
    )
    header = b"II*\0" + first.to_bytes(4, "little")
    return (
        header + b"\1\0" + entry + second.to_bytes(4, "little") + b"\2\0" + links + bytes(4) + jpeg
    )


def test_a_thumbnail_goes_and_everything_else_stays_in_its_place() -> None:
    exif = with_thumbnail()
    bare = without_thumbnail(exif)
    assert len(bare) == len(exif)
    found = Image.Exif()
    found.load(bare)
    assert found[ExifTags.Base.Make] == "Cam"
    assert not found.get_ifd(ExifTags.IFD.IFD1)
    assert b"\xff\xd8" not in bare
    assert without_thumbnail(bare) == bare


@given(st.binary(max_size=120))
def test_damaged_blocks_come_back_as_they_are_or_with_zeros(data: bytes) -> None:
    for exif in (data, b"II*\0" + data, b"MM\0*" + data):
        assert len(without_thumbnail(exif)) == len(exif)


def test_a_picture_is_coded_without_what_is_to_be_left_out() -> None:
    image = Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8))
    image.info["exif"], image.info["xmp"] = b"Exif\0\0" + with_thumbnail(), b"<x/>"
    whole, bare, none = (
        ncodec.encode(image, strip=what) for what in (None, "thumbnail", "metadata")
    )
    assert len(whole) > len(bare) + 2000 > len(none)
    assert set(ncodec.info(none).chunks) == {"symbols", "exact"}
    assert set(ncodec.info(bare).chunks) == {"symbols", "exact", "exif", "xmp"}


def test_nothing_else_can_be_left_out() -> None:
    with pytest.raises(InputError, match="expected thumbnail or metadata to leave out, got all"):
        stripped(from_array(np.zeros((2, 2), dtype=np.uint8)), "all")


def test_a_picture_without_metadata_is_still_turned() -> None:
    image, exif = Image.fromarray(np.zeros((8, 12, 3), dtype=np.uint8)), Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "Cam"
    image.info["exif"] = exif.tobytes()
    shown = ncodec.decode(ncodec.encode(image, strip="metadata"))
    assert dict(shown.getexif()) == {ExifTags.Base.Orientation: 6}


@given(st.binary(max_size=120))
def test_metadata_of_damaged_blocks_can_be_left_out(data: bytes) -> None:
    picture = replace(from_array(np.zeros((2, 2, 3), dtype=np.uint8)), exif=b"II*\0" + data)
    assert len(stripped(picture, "metadata").exif or b"") < 40
