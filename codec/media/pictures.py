"""Files ↔ pictures, through Pillow, with their metadata."""

import io
import struct
from contextlib import suppress
from os import PathLike
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, UnidentifiedImageError

from ncodec.arrays import Pixels
from ncodec.errors import InputError, OutputError
from ncodec.grid import MAX_SIDE
from ncodec.media.streams import STDIO, Bytes, Source, name_of, open_source, read_bytes, readable
from ncodec.picture import STRIP, Picture

EXIF_PREFIX = b"Exif\0\0"
PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""suffixes of pictures in folders"""
PNG_LEVEL = 2
"""zlib level: level 6 takes three times as long for files 1 % smaller"""
TIFF_XMP = 700
"""the TIFF tag of XMP"""

_DESCRIPTIVE_TAGS = {
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.Orientation,
}
_DIRECT_MODES = frozenset({"L", "LA", "RGB", "RGBA"})
_CONVERSIONS = {
    "1": ("L", "1-bit pixels were converted to 8-bit greyscale"),
    "P": ("RGB", "the palette was converted to RGB"),
    "PA": ("RGBA", "the palette was converted to RGB with alpha"),
    "CMYK": (
        "RGB",
        "CMYK was converted to RGB without colour management; a CMYK profile is not kept",
    ),
    "YCbCr": ("RGB", "YCbCr was converted to RGB"),
    "LAB": ("RGB", "L*a*b* was converted to RGB, and its ICC profile left out"),
    "HSV": ("RGB", "HSV was converted to RGB"),
    "RGBX": ("RGB", "the padding channel was left out"),
    "RGBa": ("RGBA", "premultiplied alpha was converted to straight alpha"),
    "La": ("LA", "premultiplied alpha was converted to straight alpha"),
}
_FOREIGN_PROFILE_MODES = frozenset({"CMYK", "LAB"})
_STILL_FORMATS = frozenset({"MPO", "PSD"})
"""formats whose further frames are previews, other eyes or layers, not motion"""
_WIDE_NOTICE = "samples of more than 8 bits were reduced to 8"
_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})


def read_picture(source: Source, *, allow_large: bool = False) -> Picture:
    """Picture of a path, "-" for standard input, the bytes of a file, or an open file, with alpha
    and metadata.

    Raises InputError where it cannot be read, has several frames (of MPO and PSD the first is
    taken), has a side beyond 16384 pixels or, unless `allow_large`, has more than twice the pixels
    of Pillow's `Image.MAX_IMAGE_PIXELS` (about 179 million by default). Pictures inside ICO and
    ICNS files keep that limit. Threads may read at once.
    """
    name = name_of(source, otherwise="picture")
    if source == STDIO or isinstance(source, Bytes):
        source = io.BytesIO(read_bytes(source))
    if not allow_large:
        if not isinstance(source, str | PathLike):
            open_source(source)  # refuses what is no file
        with readable(name), Image.open(source) as image:
            return from_pil(image)
    with readable(name), open_source(source) as file, _open_large(file) as image:
        return from_pil(image)


def _open_large(stream: BinaryIO) -> Image.Image:
    """`Image.open` without its limit of pixels, which is global to the process; raises
    UnidentifiedImageError."""
    seekable = stream if stream.seekable() else io.BytesIO(stream.read())
    seekable.seek(0)
    start = seekable.read(16)
    Image.init()
    for name in Image.ID:
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(start)
        if isinstance(accepted, str) or not accepted:  # a string says which library is missing
            continue
        seekable.seek(0)
        with suppress(SyntaxError, IndexError, TypeError, struct.error):
            return factory(seekable, "")
    msg = "no plugin of Pillow reads it"
    raise UnidentifiedImageError(msg)


def check_pixels(width: int, height: int, *, allow_large: bool) -> None:
    """Raise InputError where width · height exceeds twice Pillow's `Image.MAX_IMAGE_PIXELS` (about
    179 million pixels by default).

    Nothing is raised if `allow_large` is set or that limit is None.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if not allow_large and limit is not None and width * height > 2 * limit:
        msg = (
            f"expected at most {2 * limit} pixels, got {width * height}; --allow-large "
            f"(allow_large=True) takes them"
        )
        raise InputError(msg)


def from_pil(image: Image.Image, *, first_only: bool = False) -> Picture:
    """Pillow image → Picture of 8-bit RGB, with alpha, greyscale and metadata kept; losses are in
    its `notices`.

    Raises InputError for sides that are not of 1 to 16384 pixels, for an unknown mode, and for
    several frames, unless `first_only` asks for the current one or the format is MPO or PSD. What
    Pillow raises while it loads a damaged file passes.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and not first_only and image.format not in _STILL_FORMATS:
        msg = (
            f"expected a still picture, got {frames} frames; name the output .ncv, or extract one "
            f"first"
        )
        raise InputError(msg)
    if max(image.size) > MAX_SIDE or min(image.size) < 1:
        msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {image.width}×{image.height}"
        raise InputError(msg)
    had_wide_samples = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
    plain, notices = _to_direct_mode(image)
    if had_wide_samples and _WIDE_NOTICE not in notices:
        notices = (*notices, _WIDE_NOTICE)
    if frames > 1 and not first_only:
        notices = (
            *notices,
            f"only the first of {frames} pictures in the {image.format} file was taken",
        )
    bands = plain.getbands()
    alpha = np.asarray(plain.getchannel("A")) if "A" in bands else None
    foreign = image.mode in _FOREIGN_PROFILE_MODES
    return Picture(
        _strips(plain, "RGB"),
        grey=bands[0] == "L",
        alpha=alpha,
        icc=None if foreign else image.info.get("icc_profile"),
        exif=_exif_of(image),
        xmp=_xmp_of(image),
        notices=notices,
    )


def _to_direct_mode(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image in one of L, LA, RGB, RGBA, and what the conversion lost."""
    if image.mode == "F":
        return _from_wide(image), ("floating-point samples were clipped to 0…255",)
    if image.mode in _WIDE_MODES:
        return _from_wide(image), (_WIDE_NOTICE,)
    if "transparency" in image.info:
        mode = "LA" if image.mode in ("1", "L") else "RGBA"
        notice = (_CONVERSIONS[image.mode][1],) if image.mode in _CONVERSIONS else ()
        return image.convert("RGBA").convert(mode), notice
    if image.mode in _DIRECT_MODES:
        return image, ()
    if image.mode not in _CONVERSIONS:
        msg = f"expected a mode that ncodec knows, got {image.mode}; convert it to RGB first"
        raise InputError(msg)
    mode, notice_text = _CONVERSIONS[image.mode]
    return image.convert(mode), (notice_text,)


def _from_wide(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float greyscale → L; integers beyond 8 bits keep their upper 8 of 16 or
    32."""
    values = np.asarray(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and values.max(initial=0) > 255):
        values = values >> (24 if values.max(initial=0) > 65535 else 8)
    return Image.fromarray(np.clip(np.nan_to_num(values), 0, 255).astype(np.uint8))


def _strips(image: Image.Image, mode: str) -> Pixels:
    """Pixels of an image, converted strip by strip: a whole second copy of 100 megapixels would not
    fit."""
    pixels = np.empty((image.height, image.width, len(mode)), dtype=np.uint8)
    for top in range(0, image.height, STRIP):
        bottom = min(top + STRIP, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)).convert(mode))
    return pixels


def _exif_of(image: Image.Image) -> bytes | None:
    raw = image.info.get("exif")
    if isinstance(raw, Image.Exif):
        raw = raw.tobytes()
    if isinstance(raw, bytes) and raw:
        return raw.removeprefix(EXIF_PREFIX)
    if image.format == "TIFF":
        return _exif_of_tiff(image)
    found = image.getexif()  # some formats keep it elsewhere, as PNG's raw profiles do
    return found.tobytes().removeprefix(EXIF_PREFIX) if len(found) else None


def _exif_of_tiff(image: Image.Image) -> bytes | None:
    """A TIFF keeps its EXIF among tags that lay out the old file; only those about the picture are
    carried over."""
    source, exif = image.getexif(), Image.Exif()
    for tag in _DESCRIPTIVE_TAGS & set(source):
        exif[tag] = source[tag]
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        if values := source.get_ifd(ifd):
            exif.get_ifd(ifd).update(values)
            exif[ifd] = exif.get_ifd(ifd)
    return exif.tobytes().removeprefix(EXIF_PREFIX) if len(exif) else None


def _xmp_of(image: Image.Image) -> bytes | None:
    raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return raw.encode() if isinstance(raw, str) else raw


def to_pil(picture: Picture) -> Image.Image:
    """Picture → Pillow image of mode L, LA, RGB or RGBA, with its metadata in `info`."""
    colour = np.ascontiguousarray(picture.pixels[:, :, 0]) if picture.grey else picture.pixels
    image = Image.fromarray(colour)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    image.info.update(metadata_of(picture.icc, picture.exif, picture.xmp))
    return image


def metadata_of(icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> dict[str, bytes]:
    """Metadata under the names that Pillow uses in `info`."""
    named = {"icc_profile": icc, "exif": EXIF_PREFIX + exif if exif else None, "xmp": xmp}
    return {name: value for name, value in named.items() if value}


def write_picture(picture: Picture, suffix: str) -> memoryview:
    """Picture → bytes of the format that a file suffix such as ".png" names; raises OutputError."""
    format_name = check_suffix(suffix)
    options: dict[str, object] = dict(metadata_of(picture.icc, picture.exif, picture.xmp))
    if format_name == "PNG" and picture.xmp:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", picture.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    if format_name == "PNG":
        options["compress_level"] = PNG_LEVEL
    if format_name == "TIFF" and picture.xmp:
        options["tiffinfo"] = {TIFF_XMP: picture.xmp}
    stream, image = io.BytesIO(), to_pil(picture)
    del picture  # a large picture's pixels are not needed twice
    try:
        image.save(stream, format_name, **options)
    except Exception as error:  # encoders raise all sorts, over damaged metadata too
        msg = f"{format_name} cannot hold this picture: {error}; PNG can"
        raise OutputError(msg) from error
    return stream.getbuffer()


def check_suffix(suffix: str) -> str:
    """Name of the Pillow format that a file suffix such as ".png" names; raises OutputError when
    none writes it."""
    Image.preinit()  # the common formats; all of them take a tenth of a second to import
    if suffix.lower() not in Image.EXTENSION:
        Image.init()
    format_name = Image.EXTENSION.get(suffix.lower())
    if format_name is None or format_name not in Image.SAVE:
        msg = f"expected an output suffix that Pillow writes (such as .png), got {suffix!r}"
        raise OutputError(msg)
    return format_name
