"""TIFF files: the rows of their table."""

import struct
from typing import Any

import numpy as np
from kept_cases import (
    EXIF,
    GREY,
    HIGH,
    ICC,
    RGB,
    SMOOTH,
    WIDE,
    XMP,
    PictureCase,
    exif_of,
    has_artist,
    has_icc,
    has_orientation,
    has_resolution,
    has_some_icc,
    has_xmp,
    levels,
    picture,
    pictures,
    ramp,
    saved,
    tiff,
)
from PIL import ExifTags, Image, ImageOps

from ncodec.arrays import Pixels

BYTE, ASCII, SHORT, LONG, RATIONAL, BYTES, DOUBLE = 1, 2, 3, 4, 5, 7, 12
EXTRA = "t338"


def kept(data: bytes, *, shown: Pixels = RGB, **more: Any) -> PictureCase:
    return PictureCase(data, shown, **more)


def rgb_with(**tags: tuple[int, Any]) -> bytes:
    return tiff(RGB.tobytes(), bits=(8, 8, 8), photometric=2, **tags)


def grey(bits: int, photometric: int) -> PictureCase:
    """A TIFF of whole numbers without a sign; photometric 0 says that zero is white."""
    samples = ramp(1, levels=2**bits)[:, :, 0]
    planes = (samples[:, :, None] >> np.arange(bits)[::-1]) & 1
    packed = np.packbits(planes.reshape(HIGH, -1).astype(np.uint8), axis=1).tobytes()
    if bits == 16:
        packed = samples.astype("<u2").tobytes()
    shown = levels(samples, bits)
    data = tiff(packed, bits=(bits,), photometric=photometric)
    deep = None
    if bits == 16:
        deep = samples if photometric else 65535 - samples
    return PictureCase(data, shown if photometric else 255 - shown, deep=deep)


def numbers(code: str, values: Any, shown: Pixels | None) -> PictureCase:
    """Greyscale of numbers of a type of NumPy."""
    kind = {"u": 1, "i": 2, "f": 3}[code[0]]
    packed = values.astype(f"<{code}").tobytes()
    data = tiff(packed, bits=(8 * int(code[1:]),), photometric=1, t339=(SHORT, (kind,)))
    return PictureCase(data, shown)


def channels(count: int, bits: int, extra: tuple[int, ...], *, photometric: int = 2) -> PictureCase:
    """Samples with extra channels; alpha that colours are multiplied by (1) is opaque."""
    samples = ramp(count, levels=2**bits)
    colours = count - len(extra)
    shown = samples.copy()
    if extra[:1] == (1,):
        samples[:, :, colours] = 2**bits - 1
        shown = samples.copy()
    data = tiff(
        samples.astype(f"<u{bits // 8}").tobytes(), bits=(bits,) * count, photometric=photometric,
        **({EXTRA: (SHORT, extra)} if extra else {}),
    )  # fmt: skip
    seen = shown[:, :, : colours + (extra[:1] in ((1,), (2,)))]
    return PictureCase(data, levels(seen, bits), float("inf") if bits == 8 else 50)


pictures("TIFF: grey of 1 bit", (grey(1, photometric) for photometric in (1, 0)))


@picture("TIFF: grey of 1 bit")
def _() -> PictureCase:
    shown = np.where(GREY > 100, 255, 0).astype(np.uint8)
    return kept(saved(Image.fromarray(GREY > 100), "TIFF", compression="group4"), shown=shown)


pictures(
    "TIFF: grey of 2, 4 and 8 bits",
    (grey(bits, photometric) for bits in (2, 4, 8) for photometric in (1, 0)),
)
pictures("TIFF: grey of 16 bits", (grey(16, photometric) for photometric in (1, 0)))


@picture("TIFF: grey of 12 bits")
def _() -> PictureCase:
    samples = ramp(1, levels=4096)[:, :, 0]
    even, odd = samples.reshape(-1, 2).T
    packed = (even << 12 | odd).astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]
    return kept(tiff(packed.tobytes(), bits=(12,), photometric=1), shown=levels(samples, 12))


pictures("TIFF: grey of 32 bits that 16 hold", (numbers(code, GREY, GREY) for code in ("u4", "i4")))
pictures("TIFF: floating-point grey of 0 to 1", (numbers("f4", GREY / 255, GREY),))
pictures("TIFF: grey of 8 bits with a sign", (numbers("i1", GREY % 128, GREY % 128),))
SIGNED = ramp(1)[:, :, 0].astype(int) * 100 - 9000
pictures(
    "TIFF: negative grey of 16 bits", (numbers("i2", SIGNED, levels(np.clip(SIGNED, 0, None), 16)),)
)
pictures(
    "TIFF: 64 bits, floating point of 16 bits, of RGB, eight channels, raw pictures of cameras",
    (
        *(numbers(code, GREY % 2, None) for code in ("u8", "f2", "f8")),
        PictureCase(
            tiff(
                (ramp() / 255).astype("<f4").tobytes(), bits=(32,) * 3, photometric=2,
                t339=(SHORT, (3, 3, 3)),
            )
        ),
        PictureCase(tiff(ramp(8).astype(np.uint8).tobytes(), bits=(8,) * 8, photometric=1)),
        PictureCase(
            tiff(GREY.tobytes(), bits=(8,), photometric=32803, t50706=(BYTE, bytes((1, 4, 0, 0))))
        ),
    ),
)  # fmt: skip
pictures("TIFF: RGB and alpha", (channels(3, 8, ()), channels(4, 8, (2,))))
pictures("TIFF: RGB and alpha", (channels(2, 8, (2,), photometric=1),))
pictures("TIFF: RGB of 16 bits", (channels(3, 16, ()),))
pictures("TIFF: alpha of 16 bits", (channels(4, 16, (2,)),))
pictures("TIFF: premultiplied alpha", (channels(4, 8, (1,)), channels(2, 8, (1,), photometric=1)))
pictures("TIFF: a further channel", (channels(4, 8, (0,)), channels(5, 8, (2, 0))))
pictures("TIFF: a further channel", (channels(2, 8, (0,), photometric=1),))
pictures("TIFF: three further channels", (channels(6, 8, (0, 0, 0)),))


@picture("TIFF: palette")
def _() -> PictureCase:
    colours = np.arange(768).astype("<u2") * 85
    data = tiff(GREY.tobytes(), bits=(8,), photometric=3, t320=(SHORT, tuple(colours)))
    return kept(data, shown=(colours.reshape(3, 256).T >> 8).astype(np.uint8)[GREY])


CMYK = Image.fromarray(RGB).convert("CMYK")
pictures(
    "TIFF: CMYK",
    (
        kept(tiff(CMYK.tobytes(), bits=(8,) * 4, photometric=5)),
        kept(
            tiff(CMYK.tobytes(), bits=(8,) * 4, photometric=5, t34675=(BYTES, ICC)),
            holds=lambda made: made.icc is None,
        ),
    ),
)


@picture("TIFF: CMYK and a spot colour")
def _() -> PictureCase:
    planes = np.dstack([np.asarray(CMYK), GREY])
    return kept(tiff(planes.tobytes(), bits=(8,) * 5, photometric=5, t338=(SHORT, (0,))))


@picture("TIFF: L*a*b*")
def _() -> PictureCase:
    lab = np.array([round(48.5 * 2.55), 57, 8], np.uint8)  # of sRGB (200, 60, 100), under D50
    data = tiff(np.tile(lab, HIGH * WIDE).tobytes(), bits=(8,) * 3, photometric=8)
    return kept(data, shown=np.full((HIGH, WIDE, 3), (200, 60, 100), np.uint8), least=35)


@picture("TIFF: YCbCr")
def _() -> PictureCase:
    image = Image.fromarray(SMOOTH).convert("YCbCr")
    data = tiff(image.tobytes(), bits=(8,) * 3, photometric=6, t530=(SHORT, (1, 1)))
    return kept(data, shown=SMOOTH, least=45)


LAYOUTS = "TIFF: tiles, planes, compressions, BigTIFF"


@picture(LAYOUTS)
def _() -> PictureCase:
    size = WIDE * HIGH
    return kept(
        tiff(
            RGB.transpose(2, 0, 1).tobytes(), bits=(8,) * 3, photometric=2, t284=(SHORT, (2,)),
            t273=(LONG, (8, 8 + size, 8 + 2 * size)), t279=(LONG, (size,) * 3),
        )
    )  # fmt: skip


@picture(LAYOUTS)
def _() -> PictureCase:
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:HIGH, :WIDE] = RGB
    return kept(
        tiff(
            wide[:, :16].tobytes() + wide[:, 16:].tobytes(), bits=(8,) * 3, photometric=2,
            t322=(SHORT, (16,)), t323=(SHORT, (16,)), t324=(LONG, (8, 8 + 768)),
            t325=(LONG, (768, 768)), without=(273, 278, 279),
        )
    )  # fmt: skip


pictures(
    LAYOUTS,
    (
        *(
            kept(saved(RGB, "TIFF", compression=name))
            for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
        ),
        kept(saved(SMOOTH, "TIFF", compression="jpeg", quality=100), shown=SMOOTH, least=40),
        kept(saved(RGB, "TIFF", big_tiff=True)),
    ),
)


def turned(orientation: int) -> PictureCase:
    image = Image.fromarray(RGB)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    shown = np.asarray(ImageOps.exif_transpose(image))
    return kept(rgb_with(t274=(SHORT, (orientation,))), shown=shown, holds=has_orientation(1))


pictures("TIFF: orientation", (turned(orientation) for orientation in range(2, 9)))
pictures(
    "TIFF: pages",
    (kept(saved(RGB, "TIFF", save_all=True, append_images=[Image.fromarray(255 - RGB)])),),
)
pictures("TIFF: ICC profile", (kept(rgb_with(t34675=(BYTES, ICC)), holds=has_icc),))
P3 = tuple(x for value in (680, 320, 265, 690, 150, 60) for x in (value, 1000))
pictures("TIFF: primaries", (kept(rgb_with(t319=(RATIONAL, P3)), holds=has_some_icc),))
pictures("TIFF: transfer function", (kept(rgb_with(t301=(SHORT, tuple(range(0, 65536, 256))))),))
pictures("TIFF: EXIF and places", (kept(saved(RGB, "TIFF", exif=EXIF), holds=has_artist),))


def with_ifd(ifd: int, tag: int, value: Any) -> PictureCase:
    exif = Image.Exif()
    exif.get_ifd(ifd)[tag] = value
    return kept(
        saved(RGB, "TIFF", exif=exif.tobytes()),
        holds=lambda made: exif_of(made).get_ifd(ifd).get(tag) == value,
    )


pictures(
    "TIFF: EXIF and places",
    (
        with_ifd(ExifTags.IFD.Exif, ExifTags.Base.ISOSpeedRatings, 200),
        with_ifd(ExifTags.IFD.GPSInfo, ExifTags.GPS.GPSLatitude, (48.0, 8.0, 30.0)),
    ),
)
pictures("TIFF: XMP", (kept(rgb_with(t700=(BYTE, XMP)), holds=has_xmp),))
pictures("TIFF: IPTC", (kept(rgb_with(t33723=(BYTES, b"\x1c\x02\x78\0\5hello"))),))
RESOURCE = b"8BIM" + struct.pack(">HHI", 2000, 0, 4) + b"path"
pictures("TIFF: data of Photoshop", (kept(rgb_with(t34377=(BYTES, RESOURCE))),))
DPI = {"t282": (RATIONAL, (300, 1)), "t283": (RATIONAL, (300, 1)), "t296": (SHORT, (2,))}
pictures("TIFF: resolution", (kept(rgb_with(**DPI), holds=has_resolution),))
NAMES = {269: "A", 285: "B", 316: "C"}
pictures(
    "TIFF: names of document, page and host",
    (
        kept(
            rgb_with(**{f"t{tag}": (ASCII, text.encode() + b"\0") for tag, text in NAMES.items()}),
            holds=lambda made: {tag: exif_of(made).get(tag) for tag in NAMES} == NAMES,
        ),
    ),
)
pictures(
    "TIFF: places of maps (GeoTIFF)",
    (kept(rgb_with(t33550=(DOUBLE, (1.0, 1.0, 0.0)), t34735=(SHORT, (1, 1, 0, 0)))),),
)
pictures("TIFF: private tag", (kept(rgb_with(t65000=(BYTES, bytes(40)))),))
