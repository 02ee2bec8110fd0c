"""Picture files → pictures, and pictures ↔ Pillow images, with their metadata."""

import io
import struct
from contextlib import suppress
from dataclasses import replace
from os import PathLike
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PsdImagePlugin import PsdImageFile

from ncodec.arrays import Pixels
from ncodec.errors import InputError
from ncodec.grid import MAX_SIDE
from ncodec.media.deep_pictures import deep_samples_of
from ncodec.media.file_parts import left_out_parts
from ncodec.media.leftovers import leftovers, resolution_exif
from ncodec.media.samples import is_wide, sixteen_bits
from ncodec.media.stated_colours import has_wide_tiles, head_of, stated_bits, stated_profile
from ncodec.media.streams import STDIO, Bytes, Source, name_of, open_source, read_bytes, readable
from ncodec.media.true_samples import with_true_transparency
from ncodec.picture import STRIP, Picture, from_array

EXIF_PREFIX = b"Exif\0\0"
PICTURE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
"""suffixes of pictures in folders"""

_DESCRIPTIVE_TAGS = {
    ExifTags.Base.DocumentName,
    ExifTags.Base.PageName,
    ExifTags.Base.HostComputer,
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.Orientation,
    ExifTags.Base.XResolution,
    ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit,
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
ALPHA_NOTICE = "alpha of 16 bits was reduced to 8"
_FOREIGN_PROFILE_MODES = frozenset({"CMYK", "LAB"})
MOTION_FORMATS = frozenset({"AVIF", "FLI", "GIF", "PNG", "WEBP"})
"""formats whose frames are shown one after the other; of others they are pages, previews, other
eyes or layers"""


def read_picture(source: Source, *, allow_large: bool = False, page: int | None = None) -> Picture:
    """Picture of a path, "-" for standard input, the bytes of a file, or an open file, with alpha
    and metadata.

    `page`, from 1, chooses among the pages or frames of a file. Without it the first page is taken,
    and a notice says so. Raises InputError where the file cannot be read, has no such page, or is
    an animation without `page`, where a side is beyond 16384 pixels, and, unless `allow_large`, for
    more than twice the pixels of Pillow's `Image.MAX_IMAGE_PIXELS` (about 179 million by default).
    Pictures inside ICO and ICNS files keep that limit. Threads may read at once.
    """
    name = name_of(source, otherwise="picture")
    if source == STDIO or isinstance(source, Bytes):
        source = io.BytesIO(read_bytes(source))
    if not allow_large:
        if not isinstance(source, str | PathLike):
            open_source(source)  # refuses what is no file
        with readable(name), Image.open(source) as image:
            return from_pil(image, page=page)
    with readable(name), open_source(source) as file, _open_large(file) as image:
        return from_pil(image, page=page)


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


def check_page(page: int | None) -> None:
    """Raise InputError unless a page is None or a whole number from 1."""
    if page is not None and (not isinstance(page, int) or page < 1):
        msg = f"expected a page from 1, got {page!r}"
        raise InputError(msg)


def from_pil(image: Image.Image, *, page: int | None = None, first_only: bool = False) -> Picture:
    """Pillow image → Picture of RGB in 8 bits, or in 16 where the file has more than 8, with alpha,
    greyscale and metadata kept; losses are in its `notices`.

    `page`, from 1, chooses among pages or frames; without it the first page is taken, or the
    current one if `first_only`. Raises InputError for sides that are not of 1 to 16384 pixels, for
    an unknown mode, for a page that there is not, and for an animation without `page`, unless
    `first_only`. What Pillow raises while it loads a damaged file passes.
    """
    notices = _turn_to(image, page, first_only=first_only)
    if max(image.size) > MAX_SIDE or min(image.size) < 1:
        msg = f"expected sides of 1 to {MAX_SIDE} pixels, got {image.width}×{image.height}"
        raise InputError(msg)
    head, parts = head_of(image), left_out_parts(image)
    bits = stated_bits(image, head)
    colour, conversions = _samples_of(image)
    notices += conversions
    if bits > 8:
        notices += (f"samples of {bits} bits were reduced to 8",)
    icc = None if image.mode in _FOREIGN_PROFILE_MODES else image.info.get("icc_profile")
    if icc is None:
        icc, stated = stated_profile(image, head, grey=colour.grey)
        notices += stated
    return replace(
        colour,
        icc=icc,
        exif=_exif_of(image),
        xmp=_xmp_of(image),
        notices=(*notices, *leftovers(image), *parts),
    )


def _samples_of(image: Image.Image) -> tuple[Picture, tuple[str, ...]]:
    """Samples and alpha, without metadata, and notices of conversions."""
    if is_wide(image):
        deep, notices = sixteen_bits(image)
        picture = from_array(deep)
        hidden = image.info.get("transparency")
        if isinstance(hidden, int):
            shown = np.where(np.asarray(image) == hidden, 0, 255).astype(np.uint8)
            picture = replace(picture, alpha=shown)
        return picture, notices
    has_wide_samples = has_wide_tiles(image)
    samples = deep_samples_of(image) if has_wide_samples and not _page_of(image) else None
    if samples is not None and "transparency" not in image.info:
        picture = from_array(samples)
        return picture, () if picture.alpha is None else (ALPHA_NOTICE,)
    plain, notices = _to_direct_mode(image)
    bands = plain.getbands()
    alpha = np.asarray(plain.getchannel("A")) if "A" in bands else None
    if has_wide_samples:
        notices = (*notices, "samples of more than 8 bits were reduced to 8")
    return Picture(_strips(plain, "RGB"), grey=bands[0] == "L", alpha=alpha), notices


def _page_of(image: Image.Image) -> int:
    return image.tell() if getattr(image, "n_frames", 1) > 1 else 0


def _turn_to(image: Image.Image, page: int | None, *, first_only: bool) -> tuple[str, ...]:
    """Go to a page of the file, and say which ones are left out."""
    pages = getattr(image, "n_frames", 1)
    is_layered = image.format == "PSD" and pages > 0
    pages = max(pages, 1)
    if page is not None:
        if not 1 <= page <= pages:
            msg = f"expected a page of 1 to {pages}, got {page}"
            raise InputError(msg)
        if isinstance(image, PsdImageFile) and is_layered:
            image.frame = 0  # Pillow takes all layers together for the first one
            image.seek(page)
        elif pages > 1:
            image.seek(page - 1)
        return ()
    if is_layered and not first_only:
        return (
            f"the layers of the PSD file were taken together; --page (page=) chooses one of "
            f"{pages}",
        )
    if pages == 1 or first_only:
        return ()
    if image.format in MOTION_FORMATS:
        msg = (
            f"expected a still picture, got {pages} frames; name the output .ncv for a clip, or "
            f"choose one by --page (page=)"
        )
        raise InputError(msg)
    return (
        f"only the first of {pages} pictures in the {image.format} file was taken; --page (page=) "
        f"chooses another",
    )


def _to_direct_mode(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The image in one of L, LA, RGB, RGBA, and what the conversion lost."""
    if "transparency" in image.info:
        image = with_true_transparency(image)
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
    block = found.tobytes() if len(found) else resolution_exif(image)
    return block.removeprefix(EXIF_PREFIX) if block else None


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
