"""Contents of picture files beside pixels and metadata that ncodec does not keep."""

from collections.abc import Iterator
from typing import Any

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

_KEPT_TEXTS = frozenset({"XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"})
"""names of texts in PNG files that hold XMP or EXIF"""
_SHOWN = 5
"""names of texts in a notice"""
_INCH, _NO_UNIT = 2, 1
"""units of EXIF's resolution; of the second one only the ratio of pixels counts"""
_EXTRA_SAMPLES, _PREMULTIPLIED = 338, 1
"""the TIFF tag of channels beside colour, and its number of premultiplied alpha"""
_SAMPLE_FORMAT, _SIGNED = 339, 2
_CODERS_COMMENT = b"Created by OpenJPEG"
_SCREEN_RESOLUTIONS = frozenset({72, 96})
"""pixels an inch that programs write without a purpose"""


def leftovers(image: Image.Image) -> Iterator[str]:
    """Notices of texts, comments, IPTC data, a resolution beside EXIF, premultiplied alpha and
    further sizes in the file of a loaded image."""
    texts = [name for name in getattr(image, "text", {}) if name not in _KEPT_TEXTS]
    if texts:
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        yield f"texts were left out: {', '.join(texts[:_SHOWN])}{more}"
    comment = image.info.get("comment")
    if comment and image.format != "MPO" and not bytes(comment).startswith(_CODERS_COMMENT):
        yield "the comment was left out"
    if isinstance(image, ImageFile.ImageFile) and _has_iptc(image):
        yield "IPTC data were left out"
    if image.info.get("exif") and not _states_resolution(image) and resolution_exif(image):
        yield "the resolution outside of EXIF was left out"
    if image.mode == "L" and _SIGNED in _tag(image, _SAMPLE_FORMAT):
        yield "signed samples of 8 bits were taken for unsigned ones"
    if image.mode == "RGBA" and _PREMULTIPLIED in _tag(image, _EXTRA_SAMPLES):
        yield "premultiplied alpha was converted to straight alpha"
    sizes = image.info.get("sizes") or ()
    if len(sizes) > 1:
        yield f"only the largest of {len(sizes)} pictures in the {image.format} file was taken"


def _has_iptc(image: ImageFile.ImageFile) -> bool:
    try:
        return bool(IptcImagePlugin.getiptcinfo(image))
    except Exception:  # damaged blocks raise all sorts
        return False


def _states_resolution(image: Image.Image) -> bool:
    try:
        return ExifTags.Base.XResolution in image.getexif()
    except Exception:  # damaged blocks raise all sorts
        return True


def _tag(image: Image.Image, number: int) -> tuple[int, ...]:
    """Values of a TIFF's tag, none where it has none."""
    stated = getattr(image, "tag_v2", {}).get(number, ())
    return stated if isinstance(stated, tuple) else (stated,)


def resolution_exif(image: Image.Image) -> bytes | None:
    """EXIF block of a resolution, in pixels an inch, or of an aspect of pixels, without a unit,
    that a file states outside of EXIF; None for none, for 72 and 96, and for square pixels."""
    across, down, unit = _resolution(image.info)
    if not (0 < across < 1e6 and 0 < down < 1e6):
        return None
    if across == down and (unit == _NO_UNIT or round(across) in _SCREEN_RESOLUTIONS):
        return None
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = across, down
    exif[ExifTags.Base.ResolutionUnit] = unit
    return exif.tobytes()


def _resolution(info: dict[Any, Any]) -> tuple[float, float, int]:
    """Pixels across and down, and the unit that they are counted in; 0 where none are stated."""
    aspect = info.get("jfif_density") if info.get("jfif_unit") == 0 else info.get("aspect")
    for stated, unit in ((info.get("dpi"), _INCH), (aspect, _NO_UNIT)):
        if isinstance(stated, tuple) and len(stated) == 2:
            return float(stated[0]), float(stated[1]), unit
    return 0, 0, _INCH
