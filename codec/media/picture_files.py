"""Pictures → picture files, through Pillow, and what each format can hold."""

import io
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin

from ncodec.errors import OutputError
from ncodec.media.deep_pictures import write_deep_png
from ncodec.media.pictures import EXIF_PREFIX, metadata_of, to_pil
from ncodec.picture import Picture, psnr

PNG_LEVEL = 2
"""zlib level: level 6 takes three times as long for files 1 % smaller"""
TIFF_XMP = 700
"""the TIFF tag of XMP"""
ENCODER_OPTIONS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": PNG_LEVEL},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "MPO": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
    "JXL": {"lossless": True},
    "QOI": {"colorspace": "sRGB"},
}
"""options of encoders whose defaults would lose decibels, or say that samples are linear"""
_EXACT_FORMATS = frozenset({"PNG", "TIFF", "WEBP", "BMP", "DIB", "PPM", "TGA", "JPEG2000"})
_NEAR_PSNR = 40.0
"""dB from which errors of another coder are not spoken of"""
_TRIAL_SIDE = 8
_INCH = 2
_INCHES = {_INCH: 1.0, 3: 1 / 2.54}
"""EXIF's units of resolution in inches"""
_TRIAL_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def write_picture(picture: Picture, suffix: str) -> tuple[memoryview, tuple[str, ...]]:
    """Picture → bytes of the format that a file suffix such as ".png" names, and notices of what
    the format cannot hold.

    PNG holds samples of 16 bits. Where a format holds no EXIF, the picture is turned upright; where
    it holds no ICC profile, colours are converted to sRGB. JPEG and AVIF are written at quality 95
    in 4:4:4, WebP losslessly. Raises OutputError for an unknown suffix, and where the format cannot
    hold the size or the transparency.
    """
    format_name = check_suffix(suffix)
    if picture.deep is not None and format_name == "PNG":
        return memoryview(write_deep_png(picture, picture.deep, level=PNG_LEVEL)), ()
    picture, notices = _fitted(picture, format_name)
    if picture.deep is not None:
        notices += ("samples of 16 bits were reduced to 8; PNG keeps them",)
    image = to_pil(picture)
    data = _saved(picture, image, format_name)
    if format_name not in _EXACT_FORMATS:
        notices += _checked(data, image, format_name)
    return data, notices


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


def _saved(picture: Picture, image: Image.Image, format_name: str) -> memoryview:
    options: dict[str, Any] = dict(metadata_of(picture.icc, picture.exif, picture.xmp))
    options |= ENCODER_OPTIONS.get(format_name, {})
    if format_name == "PNG" and picture.xmp:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", picture.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    if format_name == "TIFF" and picture.xmp:
        options["tiffinfo"] = {TIFF_XMP: picture.xmp}
    if resolution := _resolution(picture.exif):
        options["dpi"] = resolution
    stream = io.BytesIO()
    try:
        image.save(stream, format_name, **options)
    except Exception as error:  # encoders raise all sorts, over damaged metadata too
        msg = f"{format_name} cannot hold this picture: {error}; PNG can"
        raise OutputError(msg) from error
    return stream.getbuffer()


def _resolution(exif: bytes | None) -> tuple[float, float] | None:
    """Pixels an inch by EXIF, None where it states none, or no more than the aspect of pixels."""
    found = Image.Exif()
    try:
        found.load(exif or b"")
        inches = _INCHES[found.get(ExifTags.Base.ResolutionUnit, _INCH)]
        across, down = (
            float(found[tag]) / inches
            for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)
        )
    except Exception:  # no block, or whatever a damaged one makes a reader raise
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _fitted(picture: Picture, format_name: str) -> tuple[Picture, tuple[str, ...]]:
    """The picture without what the format cannot hold, and notices of it."""
    if picture.alpha is not None and not can_hold(format_name, "alpha"):
        if picture.alpha.min() < 255:
            msg = f"{format_name} cannot hold the transparency of this picture; PNG can"
            raise OutputError(msg)
        picture = replace(picture, alpha=None)
    notices = []
    if picture.icc is not None and not can_hold(format_name, "icc"):
        picture, converted = _in_srgb(picture)
        notices.append(f"the ICC profile was left out: {format_name} cannot hold it{converted}")
    if picture.exif is not None and not can_hold(format_name, "exif"):
        picture, turned = _upright(picture)
        notices.append(f"EXIF was left out: {format_name} cannot hold it{turned}")
    if picture.xmp is not None and not can_hold(format_name, "xmp"):
        picture = replace(picture, xmp=None)
        notices.append(f"XMP was left out: {format_name} cannot hold it")
    return picture, tuple(notices)


def _upright(picture: Picture) -> tuple[Picture, str]:
    """The picture without EXIF, turned as its orientation says."""
    image, plain = to_pil(replace(picture, icc=None, xmp=None)), replace(picture, exif=None)
    try:
        turned = ImageOps.exif_transpose(image)
    except Exception:  # whatever a damaged block makes a reader raise
        return plain, ""
    if turned.size == image.size and turned.tobytes() == image.tobytes():
        return plain, ""
    alpha = None if picture.alpha is None else np.asarray(turned.getchannel("A"))
    return (
        replace(plain, pixels=np.asarray(turned.convert("RGB")), alpha=alpha),
        "; the picture was turned upright",
    )


def _in_srgb(picture: Picture) -> tuple[Picture, str]:
    """The picture without its ICC profile, its colours converted where the profile can be used."""
    plain = replace(picture, icc=None)
    image = to_pil(replace(plain, alpha=None, exif=None, xmp=None))
    mode = "L" if picture.grey else "RGB"
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc or b""))
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return plain, ""
    if converted is None:
        return plain, ""
    pixels = np.asarray(converted.convert(mode).convert("RGB"))
    return replace(plain, pixels=pixels), "; colours were converted to sRGB"


@lru_cache
def can_hold(format_name: str, what: str) -> bool:
    """Whether files of a Pillow format give back "alpha", "icc", "exif" or "xmp", by trying."""
    ramp = np.arange(_TRIAL_SIDE**2, dtype=np.uint8).reshape(_TRIAL_SIDE, _TRIAL_SIDE)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    trial = Picture(
        np.repeat(ramp[:, :, None], 3, axis=2),
        alpha=ramp if what == "alpha" else None,
        icc=icc if what == "icc" else None,
        exif=exif.tobytes().removeprefix(EXIF_PREFIX) if what == "exif" else None,
        xmp=_TRIAL_XMP if what == "xmp" else None,
    )
    try:
        with Image.open(io.BytesIO(_saved(trial, to_pil(trial), format_name))) as back:
            if what == "alpha":
                return "A" in back.getbands() and back.getchannel("A").getextrema() != (255, 255)
            if what == "exif":
                return back.getexif().get(ExifTags.Base.Orientation) == 6
            wanted = icc if what == "icc" else _TRIAL_XMP
            return any(_is_kept(value, wanted) for value in back.info.values())
    except Exception:  # formats that cannot hold it raise all sorts
        return False


def _is_kept(value: object, wanted: bytes) -> bool:
    found = value.encode() if isinstance(value, str) else value
    return isinstance(found, bytes) and wanted in found


def _checked(data: memoryview, image: Image.Image, format_name: str) -> tuple[str, ...]:
    """Notices of errors that another coder made; raises OutputError where it changed the size."""
    try:
        with Image.open(io.BytesIO(data)) as back:
            back.load()
    except Exception:  # formats that Pillow only writes
        return (f"{format_name} files cannot be read back, so their errors are not known",)
    if back.size != image.size:
        msg = (
            f"expected a picture of {image.width}×{image.height} pixels, got "
            f"{back.width}×{back.height} from {format_name}; PNG keeps the size"
        )
        raise OutputError(msg)
    decibels = psnr(np.asarray(image.convert("RGB")), np.asarray(back.convert("RGB")))
    if decibels >= _NEAR_PSNR:
        return ()
    return (f"{format_name} changed the decoded picture: PSNR {decibels:.1f} dB",)
