"""JPEG files: the rows of their table."""

import struct
from typing import Any

import numpy as np
from kept_cases import (
    EXIF,
    EXIF_BLOCK,
    ICC,
    SMOOTH,
    XMP,
    PictureCase,
    has_artist,
    has_aspect,
    has_icc,
    has_orientation,
    has_resolution,
    has_xmp,
    jpeg_with,
    picture,
    pictures,
    saved,
)
from PIL import ExifTags, Image

from ncodec.arrays import Pixels

BEST = {"quality": 100, "subsampling": 0}
PHOTOSHOP = b"Photoshop 3.0\0"
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


def jpeg(*segments: tuple[int, bytes], **options: object) -> bytes:
    return jpeg_with(saved(SMOOTH, "JPEG", **(BEST | options)), *segments)


def kept(data: bytes, *, shown: Pixels = SMOOTH, **more: Any) -> PictureCase:
    return PictureCase(data, shown, 35, **more)


def resource(number: int, content: bytes) -> bytes:
    """A resource of Photoshop."""
    padded = content + bytes(len(content) % 2)
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + padded


pictures(
    "JPEG: RGB, grey, progressive, 4:2:0",
    (
        kept(jpeg()),
        kept(jpeg(progressive=True, subsampling=2)),
        kept(jpeg(keep_rgb=True)),
        kept(saved(SMOOTH[:, :, 0], "JPEG", quality=100), shown=SMOOTH[:, :, 0]),
    ),
)


@picture("JPEG: CMYK, YCCK")
def _() -> PictureCase:
    return kept(saved(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG", quality=100))


@picture("JPEG: CMYK, YCCK")
def _() -> PictureCase:
    # Pillow writes no YCCK, but planes of YCC as if they were CMY; a byte says what they are.
    ycc = 255 - np.asarray(Image.fromarray(255 - SMOOTH).convert("YCbCr"))
    planes = np.dstack([ycc, np.zeros_like(ycc[:, :, 0])])
    data = bytearray(saved(Image.fromarray(planes, "CMYK"), "JPEG", **BEST))
    data[data.index(b"Adobe") + 11] = 2
    return kept(bytes(data))


def turned(orientation: int) -> PictureCase:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return kept(jpeg(exif=exif), holds=has_orientation(orientation))


pictures("JPEG: orientation", (turned(orientation) for orientation in range(1, 9)))


@picture("JPEG: EXIF")
def _() -> PictureCase:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ada"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = 65535
    exif.get_ifd(ExifTags.IFD.Interop)[1] = "R03"
    return kept(jpeg(exif=exif), holds=has_artist)


@picture("JPEG: EXIF")
def _() -> PictureCase:
    long = Image.Exif()
    long[ExifTags.Base.Artist] = "Ada"
    long[ExifTags.Base.ImageDescription] = "x" * 70_000
    block = long.tobytes().removeprefix(b"Exif\0\0")
    parts = [(0xE1, b"Exif\0\0" + block[i : i + 60_000]) for i in (0, 60_000)]
    return kept(jpeg(*parts), holds=has_artist)


@picture("JPEG: EXIF")
def _() -> PictureCase:
    block = EXIF_BLOCK + bytes(range(200))  # as behind offsets that nobody else knows
    return kept(jpeg((0xE1, b"Exif\0\0" + block)), holds=lambda made: made.exif == block)


pictures("JPEG: ICC profile", (kept(jpeg(icc_profile=ICC), holds=has_icc),))
pictures("JPEG: XMP", (kept(jpeg((0xE1, XMP_PREFIX + XMP)), holds=has_xmp),))
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0" + bytes(32) + struct.pack(">II", 4, 0) + b"more"
pictures(
    "JPEG: extended XMP",
    (kept(jpeg((0xE1, XMP_PREFIX + XMP), (0xE1, EXTENSION)), holds=has_xmp),),
)
pictures(
    "JPEG: IPTC", (kept(jpeg((0xED, PHOTOSHOP + resource(0x0404, b"\x1c\x02\x78\0\5hello")))),)
)
pictures(
    "JPEG: clipping paths and other data of Photoshop",
    (kept(jpeg((0xED, PHOTOSHOP + resource(2000, bytes(26))))),),
)
pictures("JPEG: comment", (kept(jpeg(comment=b"hello")),))
pictures("JPEG: resolution", (kept(jpeg(dpi=(300, 300)), holds=has_resolution),))
pictures(
    "JPEG: resolution beside EXIF without one",
    (kept(jpeg(dpi=(300, 300), exif=EXIF), holds=has_artist),),
)


@picture("JPEG: aspect of pixels")
def _() -> PictureCase:
    data = bytearray(jpeg())
    place = data.index(b"JFIF\0") + 7
    data[place : place + 5] = struct.pack(">BHH", 0, 2, 1)
    return kept(bytes(data), holds=has_aspect)


def several(*segments: tuple[int, bytes]) -> bytes:
    other = Image.fromarray(255 - SMOOTH)
    return jpeg_with(saved(SMOOTH, "MPO", save_all=True, append_images=[other], **BEST), *segments)


GAIN_MAP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf hdrgm:Version="1.0"/></x:xmpmeta>'
pictures("JPEG: several pictures (MPO)", (kept(several()),))
pictures(
    "JPEG: gain map of HDR",
    (
        kept(several((0xE1, XMP_PREFIX + GAIN_MAP))),
        kept(jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))) + jpeg()),
    ),
)
pictures(
    "JPEG: content credentials",
    (kept(jpeg((0xEB, struct.pack(">2sHII4s", b"JP", 1, 1, 30, b"jumb") + bytes(22)))),),
)
pictures(
    "JPEG: film behind the picture", (kept(jpeg() + b"\0\0\0\x10ftypmp42" + bytes(99) + b"x"),)
)
pictures("JPEG: private segment", (kept(jpeg((0xEF, b"Private" + bytes(20)))),))


def of_frame(marker: int, bits: int) -> bytes:
    """A JPEG whose header of the frame says another process and depth."""
    data = jpeg()
    place = data.index(b"\xff\xc0")
    return data[: place + 1] + bytes((marker, 0, 17, bits)) + data[place + 5 :]


pictures("JPEG: 12 bits", (PictureCase(of_frame(0xC1, 12)),))
pictures("JPEG: lossless", (PictureCase(of_frame(0xC3, 8)),))
