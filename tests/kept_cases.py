"""Small inputs of every kind, and what has to come back of them: the rows of docs/kept.md."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

from ncodec.arrays import Pixels
from ncodec.picture import Picture

WIDE, HIGH = 24, 16


@dataclass(frozen=True)
class PictureCase:
    """A picture file and what it has to become."""

    data: bytes
    shown: Pixels | None = None
    """(H, W) or (H, W, 2 to 4) levels, as a viewer of the format shows them; None for what is
    refused"""
    least: float = float("inf")
    """dB over `shown`"""
    holds: Callable[[Picture], object] = lambda made: True
    """whether the decoded picture has the metadata"""
    page: int | None = None
    deep: Any = None
    """(H, W) or (H, W, channels) samples of 16 bits; None where pixels of 8 bits are enough"""


PICTURES: dict[str, list[Callable[[], PictureCase]]] = {}
"""heading and first cell of a row → makers of its files"""


def picture(row: str) -> Callable[[Callable[[], PictureCase]], Callable[[], PictureCase]]:
    """Decorator of a maker of a file of a row, "heading: first cell"."""

    def add(maker: Callable[[], PictureCase]) -> Callable[[], PictureCase]:
        PICTURES.setdefault(row, []).append(maker)
        return maker

    return add


def pictures(row: str, cases: Iterable[PictureCase]) -> None:
    """Several files of a row."""
    PICTURES.setdefault(row, []).extend(partial(_itself, case) for case in cases)


def _itself(case: PictureCase) -> PictureCase:
    return case


def ramp(channels: int = 3, *, levels: int = 256) -> Any:
    """(16, 24, channels) whole numbers below `levels`."""
    places = np.arange(WIDE * HIGH * channels) * 37 % levels
    return places.reshape(HIGH, WIDE, channels).astype(np.uint32)


GREY = ramp(1).astype(np.uint8)[:, :, 0]
RGB = ramp().astype(np.uint8)
RGBA = ramp(4).astype(np.uint8)
SMOOTH = np.add.outer(np.arange(HIGH) * 6, np.arange(WIDE) * 5)[:, :, None] + np.array([0, 20, 40])
SMOOTH = SMOOTH.astype(np.uint8)
"""for coders with losses"""


def saved(image: Image.Image | Pixels, format_name: str, **options: object) -> bytes:
    """The bytes of a file that Pillow writes."""
    stream = io.BytesIO()
    opened = image if isinstance(image, Image.Image) else Image.fromarray(image)
    opened.save(stream, format_name, **options)
    return stream.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(samples: Any, *, bits: int, colour: int, chunks: dict[bytes, bytes] | None = None) -> bytes:
    """A PNG of (H, W, channels) samples of 1 to 16 bits, with chunks before the pixels."""
    high, wide, channels = samples.shape
    rows = samples.reshape(high, wide * channels)
    if bits == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        planes = (rows[:, :, None] >> np.arange(bits)[::-1]) & 1
        lines = [np.packbits(row.ravel().astype(np.uint8)).tobytes() for row in planes]
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
    header = struct.pack(">IIBBBBB", wide, high, bits, colour, 0, 0, 0)
    body = b"".join(png_chunk(kind, content) for kind, content in (chunks or {}).items())
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + body
        + png_chunk(b"IDAT", pixels)
        + png_chunk(b"IEND", b"")
    )


def jpeg_with(data: bytes, *segments: tuple[int, bytes]) -> bytes:
    """A JPEG with more segments behind its first one, JFIF's."""
    place = 2 + 2 + int.from_bytes(data[4:6]) if data[2:4] == b"\xff\xe0" else 2
    added = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )
    return data[:place] + added + data[place:]


FIELDS = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 7: "B", 11: "f", 12: "d"}
"""types of a TIFF's fields → formats of struct; two numbers make a rational"""


def tiff(
    samples: bytes,
    *,
    bits: tuple[int, ...],
    photometric: int,
    without: tuple[int, ...] = (),
    **more: tuple[int, Any],
) -> bytes:
    """A little-endian TIFF of one strip of packed samples of 24×16 pixels.

    `more` are further tags by number, "t338" for example: a pair of the field type and a tuple of
    numbers, or bytes; `without` are tags that are left out.
    """
    tags: dict[int, tuple[int, Any]] = {
        256: (4, (WIDE,)), 257: (4, (HIGH,)), 258: (3, bits), 259: (3, (1,)),
        262: (3, (photometric,)), 273: (4, (8,)), 277: (3, (len(bits),)), 278: (4, (HIGH,)),
        279: (4, (len(samples),)),
    }  # fmt: skip
    tags |= {int(name[1:]): value for name, value in more.items()}
    kept = sorted((tag, value) for tag, value in tags.items() if tag not in without)
    start = 8 + len(samples) + len(samples) % 2
    behind = start + 2 + 12 * len(kept) + 4
    entries, extra = b"", b""
    for tag, (kind, values) in kept:
        code = FIELDS[kind]
        raw = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{code}", *values)
        size = struct.calcsize(f"<{code}") * (2 if kind == 5 else 1)
        field = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack("<I", behind + len(extra))
        extra += b"" if len(raw) <= 4 else raw + bytes(len(raw) % 2)
        entries += struct.pack("<HHI", tag, kind, len(raw) // size) + field
    header = struct.pack("<2sHI", b"II", 42, start) + samples + bytes(len(samples) % 2)
    return header + struct.pack("<H", len(kept)) + entries + bytes(4) + extra


def box(kind: bytes, content: bytes) -> bytes:
    """A box of ISO/IEC 14496-12 and of JPEG 2000."""
    return struct.pack(">I4s", len(content) + 8, kind) + content


EXIF = Image.Exif()
EXIF[ExifTags.Base.Artist] = "Ada"
EXIF_BLOCK = EXIF.tobytes().removeprefix(b"Exif\0\0")
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>here</x:xmpmeta>"
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_of(made: Picture) -> Image.Exif:
    exif = Image.Exif()
    exif.load(made.exif or b"")
    return exif


def has_artist(made: Picture) -> bool:
    return exif_of(made).get(ExifTags.Base.Artist) == "Ada"


def has_resolution(made: Picture) -> bool:
    tags = ExifTags.Base.XResolution, ExifTags.Base.YResolution
    return np.allclose([float(exif_of(made).get(tag, 0)) for tag in tags], 300, atol=0.1)


def has_aspect(made: Picture) -> bool:
    """Whether pixels are half as wide as high, in no unit."""
    tags = ExifTags.Base.XResolution, ExifTags.Base.YResolution, ExifTags.Base.ResolutionUnit
    return [exif_of(made).get(tag) for tag in tags] == [2, 1, 1]


def has_orientation(wanted: int) -> Callable[[Picture], bool]:
    return lambda made: exif_of(made).get(ExifTags.Base.Orientation, 1) == wanted


def has_xmp(made: Picture) -> bool:
    return b"here" in (made.xmp or b"")


def has_icc(made: Picture) -> bool:
    return made.icc == ICC


def has_some_icc(made: Picture) -> bool:
    return made.icc not in (None, ICC)


def levels(samples: Any, bits: int) -> Pixels:
    """Samples of some bits in 8."""
    return np.rint(samples * (255 / (2**bits - 1))).astype(np.uint8)
