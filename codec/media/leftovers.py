"""What picture files hold beside pixels and metadata, and ncodec does not keep."""

from collections.abc import Iterator

from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

_KEPT_TEXTS = frozenset({"XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1"})
"""names of texts in PNG files that hold XMP or EXIF"""
_SHOWN = 5
"""names of texts in a notice"""
_INCH = 2
_SCREEN_RESOLUTIONS = frozenset({72, 96})
"""pixels an inch that programs write without a purpose"""


def leftovers(image: Image.Image) -> Iterator[str]:
    """Notices of texts, comments, IPTC data and further sizes in the file of a loaded image."""
    texts = [name for name in getattr(image, "text", {}) if name not in _KEPT_TEXTS]
    if texts:
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        yield f"texts were left out: {', '.join(texts[:_SHOWN])}{more}"
    if image.info.get("comment") and image.format != "MPO":
        yield "the comment was left out"
    if isinstance(image, ImageFile.ImageFile) and _has_iptc(image):
        yield "IPTC data were left out"
    sizes = image.info.get("sizes") or ()
    if len(sizes) > 1:
        yield f"only the largest of {len(sizes)} pictures in the {image.format} file was taken"


def _has_iptc(image: ImageFile.ImageFile) -> bool:
    try:
        return bool(IptcImagePlugin.getiptcinfo(image))
    except Exception:  # damaged blocks raise all sorts
        return False


def resolution_exif(image: Image.Image) -> bytes | None:
    """EXIF block of a resolution, in pixels an inch, that a file states outside of EXIF; None for
    none, and for 72 and 96."""
    resolution = image.info.get("dpi")
    if not isinstance(resolution, tuple) or len(resolution) != 2:
        return None
    across, down = (float(number) for number in resolution)
    if not (0 < across < 1e6 and 0 < down < 1e6) or (
        across == down and round(across) in _SCREEN_RESOLUTIONS
    ):
        return None
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = across, down
    exif[ExifTags.Base.ResolutionUnit] = _INCH
    return exif.tobytes()
