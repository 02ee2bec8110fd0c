"""Colorimetry that picture files state in other ways than by an ICC profile."""

import struct
from collections.abc import Iterator
from typing import Any

from PIL import Image

from ncodec.media.colorimetry import (
    D65,
    SRGB_CURVE,
    SRGB_PRIMARIES,
    Colorimetry,
    h273_colorimetry,
    icc_profile,
)
from ncodec.media.heif_boxes import (
    bits_per_sample,
    boxes,
    code_points,
    picture_properties,
)

HEAD_BYTES = 2**16
"""bytes from the start of a file in which its properties are looked for"""
_PNG_SIGNATURE_BYTES = 8
_WHITE_POINT, _PRIMARIES = 318, 319
"""TIFF tags"""
_TIFF_GAMMA = 2.2
_BMP_V4_BYTES, _BMP_HEADER, _BMP_SPACE, _BMP_ENDPOINTS = 108, 14, 70, slice(74, 110)
_CODESTREAM, _COMPONENTS = b"\xff\x4f\xff\x51", 40
"""start of a JPEG 2000 codestream, and bytes from it to the number of components"""
_JP2_COLOUR_BYTES, _JP2_PROFILES = 3, (b"\2", b"\3")
"""bytes before the profile in a colour box, and methods by which it is stated"""
_HEIF_FORMATS = frozenset({"AVIF", "HEIF"})


def head_of(image: Image.Image) -> bytes:
    """The first 64 KiB of the file of a Pillow image that is not loaded yet, else no bytes."""
    stream = getattr(image, "fp", None)
    if stream is None or getattr(stream, "closed", False):
        return b""
    place = stream.tell()
    stream.seek(0)
    head: bytes = stream.read(HEAD_BYTES)
    stream.seek(place)
    return head


def stated_profile(
    image: Image.Image, head: bytes, *, grey: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """ICC profile of the colorimetry that a picture without one states, and notices.

    The profile is None where the file states nothing or sRGB. Read are PNG's cICP, sRGB, cHRM and
    gAMA, the nclx of AVIF and HEIC, the profile of JPEG 2000, and the primaries of
    TIFF. A notice names a colorimetry that no
    profile can hold. `head` is the start of the file, as of `head_of`.
    """
    if profile := _profile_of_jpeg2000(image, head, grey=grey):
        return profile, ()
    colorimetry, notices = _colorimetry(image, head)
    if colorimetry is None or colorimetry.is_srgb:
        return None, notices
    profile = icc_profile(colorimetry, grey=grey)
    if profile is None:
        return None, ("the stated primaries or gamma are not possible and were left out",)
    return profile, (f"the colours that the {image.format} states became an ICC profile",)


def _profile_of_jpeg2000(image: Image.Image, head: bytes, *, grey: bool) -> bytes | None:
    """ICC profile in the header box of a JPEG 2000 file, if it is for its samples."""
    if image.format != "JPEG2000":
        return None
    header = next((content for kind, content in boxes(head) if kind == b"jp2h"), b"")
    for kind, content in boxes(header):
        profile = content[_JP2_COLOUR_BYTES:]
        if kind == b"colr" and content[:1] in _JP2_PROFILES:
            is_whole = len(profile) > 20 and int.from_bytes(profile[:4]) == len(profile)
            return profile if is_whole and profile[16:20] == (b"RGB ", b"GRAY")[grey] else None
    return None


def stated_bits(image: Image.Image, head: bytes) -> int:
    """Bits of a sample of colours that Pillow reduces to 8: of AVIF, HEIC, JPEG 2000, Netpbm and
    SGI; 8 for other files."""
    if image.format in _HEIF_FORMATS:
        return bits_per_sample(picture_properties(head))
    if len(image.getbands()) == 1:
        return 8
    if image.format == "JPEG2000" and (start := head.find(_CODESTREAM)) >= 0:
        count = int.from_bytes(head[start + _COMPONENTS : start + _COMPONENTS + 2])
        first = start + _COMPONENTS + 2
        return max(((bits & 127) + 1 for bits in head[first : first + 3 * count : 3]), default=8)
    if image.format == "PPM":
        arguments = next((tile[3] for tile in getattr(image, "tile", ())), "")
        return arguments[1].bit_length() if isinstance(arguments, tuple) else 8
    return 8 * head[3] if image.format == "SGI" and len(head) > 3 else 8


def has_wide_tiles(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet holds samples of 16 bits."""
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _colorimetry(image: Image.Image, head: bytes) -> tuple[Colorimetry | None, tuple[str, ...]]:
    if image.format == "PNG":
        return _of_png(image.info, head)
    if image.format in _HEIF_FORMATS:
        properties = picture_properties(head)
        cropped = ("the clean aperture was not applied",) if b"clap" in properties else ()
        points = code_points(properties)
        colorimetry, notices = _of_code_points(*points) if points else (None, ())
        return colorimetry, (*notices, *cropped)
    if image.format == "BMP":
        return None, _notices_of_bmp(head)
    tags = getattr(image, "tag_v2", {})
    return _of_chromaticities(tags.get(_WHITE_POINT), tags.get(_PRIMARIES)), ()


def _of_png(info: dict[Any, Any], head: bytes) -> tuple[Colorimetry | None, tuple[str, ...]]:
    """By PNG's third edition, in the order of its 4.3: cICP, sRGB, then cHRM and gAMA."""
    points = next((data for kind, data in _png_chunks(head) if kind == b"cICP"), b"")
    if len(points) == 4:
        return _of_code_points(points[0], points[1])
    if "srgb" in info or not {"gamma", "chromaticity"} & info.keys():
        return None, ()
    places = info.get("chromaticity") or (*D65, *(x for place in SRGB_PRIMARIES for x in place))
    gamma = info.get("gamma")
    curve = SRGB_CURVE if gamma is None else 1 / gamma if 0.01 < gamma < 100 else float("nan")
    if curve != curve:
        return None, (f"a gamma of {gamma:g} is not possible and was left out",)
    white, red, green, blue = zip(places[::2], places[1::2], strict=True)
    return Colorimetry(white, (red, green, blue), curve), ()


def _png_chunks(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the whole chunks before the pixels."""
    start = _PNG_SIGNATURE_BYTES
    while start + 8 <= len(head):
        size, kind = struct.unpack_from(">I4s", head, start)
        if kind == b"IDAT":
            return
        yield kind, head[start + 8 : start + 8 + size]
        start += 12 + size


def _of_code_points(primaries: int, transfer: int) -> tuple[Colorimetry | None, tuple[str, ...]]:
    colorimetry = h273_colorimetry(primaries, transfer)
    if colorimetry is not None:
        return colorimetry, ()
    return None, (
        f"colours of primaries {primaries} and transfer {transfer} (ITU-T H.273) were taken for "
        f"sRGB",
    )


def _of_chromaticities(white: object, primaries: object) -> Colorimetry | None:
    """Colorimetry by tags of a TIFF, whose transfer function is a power of 2.2."""
    if not isinstance(primaries, tuple) or len(primaries) != 6:
        return None
    given = white if isinstance(white, tuple) and len(white) == 2 else D65
    red, green, blue = (
        (float(x), float(y)) for x, y in zip(primaries[::2], primaries[1::2], strict=True)
    )
    return Colorimetry((float(given[0]), float(given[1])), (red, green, blue), _TIFF_GAMMA)


def _notices_of_bmp(head: bytes) -> tuple[str, ...]:
    """Notices of colours that the fourth and fifth versions of a BMP's header state."""
    if len(head) < _BMP_V4_BYTES + _BMP_HEADER:
        return ()
    size, space = struct.unpack_from("<I", head, _BMP_HEADER)[0], head[_BMP_SPACE:][:4]
    if size < _BMP_V4_BYTES:
        return ()
    if space == bytes(4) and any(head[_BMP_ENDPOINTS]):
        return ("the colour calibration of the BMP was left out",)
    return ("the ICC profile in the BMP was left out",) if space in (b"DEBM", b"KNIL") else ()
