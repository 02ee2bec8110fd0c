"""EXIF blocks (CIPA DC-008), as TIFF 6.0 lays them out."""

import struct
from dataclasses import replace

from PIL import Image

from ncodec.errors import InputError
from ncodec.picture import Picture

_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_ENTRY = 12
STRIPS = ("thumbnail", "metadata")
"""parts that can be stripped: the thumbnail in EXIF; EXIF but the orientation, and XMP"""
_ORIENTATION = 0x0112
_UPRIGHT = 1


def check_strip(what: str | None) -> None:
    """Raise InputError for a name that is not among `STRIPS`; None leaves nothing out."""
    if what is not None and what not in STRIPS:
        msg = f"expected {' or '.join(STRIPS)} to leave out, got {what}"
        raise InputError(msg)


def stripped(picture: Picture, what: str | None) -> Picture:
    """Picture without a part of its metadata; raises InputError for an unknown `what`.

    "thumbnail" overwrites the thumbnail in EXIF with zeros, "metadata" leaves out all but the ICC
    profile and the orientation, and None nothing.
    """
    check_strip(what)
    if what is None:
        return picture
    if what == "metadata":
        return replace(picture, exif=_orientation_alone(picture.exif), xmp=None)
    return (
        picture if picture.exif is None else replace(picture, exif=without_thumbnail(picture.exif))
    )


def _orientation_alone(exif: bytes | None) -> bytes | None:
    """A block that says no more than how a picture is to be turned, or None where that is not at
    all."""
    found = Image.Exif()
    try:
        found.load(exif or b"")
        orientation = found.get(_ORIENTATION, _UPRIGHT)
    except Exception:  # whatever a damaged block makes a reader raise
        return None
    if orientation not in range(_UPRIGHT + 1, 9):
        return None
    kept = Image.Exif()
    kept[_ORIENTATION] = orientation
    return kept.tobytes().removeprefix(b"Exif\0\0")


def without_thumbnail(exif: bytes) -> bytes:
    """A block, from its TIFF header on, of the same length with zeros in place of its thumbnail.

    Everything else keeps its place, so that notes of makers, which hold offsets, stay right. A
    block without a thumbnail, or one that is damaged, comes back as it is.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return exif
    data = bytearray(exif)
    try:
        (first,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, first)
        link = first + 2 + _ENTRY * count
        (second,) = struct.unpack_from(f"{order}I", data, link)
        if not second:
            return exif
        (count,) = struct.unpack_from(f"{order}H", data, second)
        places = (second + 2 + _ENTRY * i for i in range(count))
        entries = [struct.unpack_from(f"{order}HHII", data, place) for place in places]
        found = {tag: value for tag, _, _, value in entries}
        start, length = found[_THUMBNAIL_OFFSET], found[_THUMBNAIL_LENGTH]
    except (struct.error, KeyError):
        return exif
    for place, size in ((link, 4), (second, 2 + _ENTRY * count), (start, length)):
        stop = min(place + size, len(data))
        data[place:stop] = bytes(max(stop - place, 0))
    return bytes(data)
