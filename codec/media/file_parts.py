"""Parts of picture files that are neither pixels nor metadata that Pillow gives."""

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from PIL import Image, TiffTags

from ncodec.media.heif_boxes import boxes, picture_properties

Parts = Iterable[str]
"""names of parts"""
_SHOWN = 6
"""names of parts in a notice"""
_PNG_CHUNKS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP eXIf tEXt zTXt iTXt pHYs acTL fcTL "
    b"fdAT".split()
)
_PNG_NAMES = {
    b"bKGD": "the background (bKGD)",
    b"caBX": "content credentials (C2PA)",
    b"cLLI": "light levels (cLLI)",
    b"mDCV": "the mastering display (mDCV)",
    b"sBIT": "significant bits (sBIT)",
    b"tIME": "the time of change (tIME)",
}
_WEBP_CHUNKS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP", b"EXIF"))
_WEBP_XMP = b"XMP "
_JP2_BOXES = frozenset((b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"rreq"))
_JP2_UUIDS = {
    bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC"): "XMP",
    b"JpgTiffExif->JP2": "EXIF",
    bytes.fromhex("B14BF8BD083D4B43A5AE8CD7D5A6CE03"): "places of maps (GeoJP2)",
}
_JPEG_SEGMENTS = (
    ("APP0", b"JFIF\0", None),
    ("APP0", b"JFXX\0", None),
    ("APP1", b"Exif\0", None),
    ("APP1", b"http://ns.adobe.com/xap/1.0/\0", None),
    ("APP1", b"http://ns.adobe.com/xmp/extension/\0", "extended XMP"),
    ("APP2", b"ICC_PROFILE\0", None),
    ("APP2", b"MPF\0", None),
    ("APP2", b"urn:iso:std:iso:ts:21496", "a gain map (HDR)"),
    ("APP11", b"JP", "content credentials (C2PA)"),
    ("APP13", b"Photoshop 3.0\0", None),
    ("APP14", b"Adobe", None),
    ("COM", b"", None),
)
"""segment, how its content starts, and its name; None for what is kept or named elsewhere"""
_GAIN_MAP = b" hdrgm:Version="
_END_OF_JPEG = b"\xff\xd9"
_NAMED_RESOURCES = frozenset({1005, 1028, 1033, 1036, 1039, 1061})
"""resources of Photoshop that are kept, named elsewhere, or follow from the picture"""
_RESOURCES = {1058: "EXIF", 1060: "XMP", 1028: "IPTC data"}
_PHOTOSHOP = "data of Photoshop"
_TIFF_TAGS = frozenset(
    [
        *range(254, 260), 262, *range(263, 275), *range(277, 286), 292, 293, 296, 297, 305, 306,
        *range(315, 321), *range(322, 329), 332, 334, 336, *range(338, 342), 347,
        *range(512, 522), *range(529, 533), 700, 33432, 33723, 34377, 34665, 34675, 34853, 40965,
    ]
)  # fmt: skip
"""tags that lay out pixels, are kept, or are named elsewhere"""
_TIFF_PHOTOSHOP, _TIFF_EXTRA_SAMPLES = 34377, 338
_GIF_NAMES = {b"XMP Data": "XMP", b"ICCRGBG1": "the ICC profile"}
_AVIF_PROPERTIES = {
    b"amve": "the ambient viewing environment",
    b"cclv": "light levels",
    b"clli": "light levels",
    b"mdcv": "the mastering display",
    b"pasp": "the aspect of pixels",
}
_FITS_CARDS = frozenset(("SIMPLE", "BITPIX", "EXTEND", "BZERO", "BSCALE", "END", ""))
_QOI_SPACE = 13
_TGA_FOOTER, _TGA_AREA, _TGA_PREMULTIPLIED = b"TRUEVISION-XFILE", 495, 4


def left_out_parts(image: Image.Image) -> tuple[str, ...]:
    """Notice that names parts of the file of an image that is not loaded yet; none where all parts
    are kept or named elsewhere, and for formats that are not known here."""
    reader, stream = _READERS.get(image.format or ""), getattr(image, "fp", None)
    if reader is None or stream is None or getattr(stream, "closed", False):
        return ()
    place = stream.tell()
    try:
        names = list(dict.fromkeys(reader(image, stream)))
    except (struct.error, IndexError, OverflowError, ValueError):  # of damaged files
        names = []
    finally:
        stream.seek(place)
    if not names:
        return ()
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (f"parts of the {image.format} file were left out: {', '.join(names[:_SHOWN])}{more}",)


def _of_png(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(8)
    while len(head := stream.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind not in _PNG_CHUNKS:
            yield _PNG_NAMES.get(kind, kind.decode("latin-1"))
        stream.seek(size + 4, 1)


def _of_webp(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(12)
    while len(head := stream.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        if kind not in _WEBP_CHUNKS and kind != _WEBP_XMP:
            yield kind.decode("latin-1").strip()
        stream.seek(size + size % 2, 1)


def _of_jpeg2000(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(0)
    while len(head := stream.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        size = struct.unpack(">Q", stream.read(8))[0] - 8 if size == 1 else size
        if size < 8:  # the last box, or no box at all
            return
        content = stream.read(16) if kind == b"uuid" else b""
        if kind not in _JP2_BOXES:
            yield _JP2_UUIDS.get(content, kind.decode("latin-1").strip())
        stream.seek(size - 8 - len(content), 1)


def _of_jpeg(image: Image.Image, stream: BinaryIO) -> Parts:
    for segment, content in getattr(image, "applist", ()):
        if _GAIN_MAP in content:
            yield "a gain map (HDR)"
        known = [
            name
            for kind, start, name in _JPEG_SEGMENTS
            if segment == kind and content.startswith(start)
        ]
        if not known:
            title = content.partition(b"\0")[0][:20]
            printable = title.decode("latin-1") if title.isascii() else ""
            yield f"{segment} {printable if printable.isprintable() else ''}".strip()
        yield from filter(None, known)
    if set(image.info.get("photoshop", ())) - _NAMED_RESOURCES:
        yield _PHOTOSHOP
    stream.seek(0)
    data = stream.read().rstrip(b"\0")
    if not data.endswith(_END_OF_JPEG) and _END_OF_JPEG in data:
        yield "bytes behind the picture"


def _of_tiff(image: Image.Image, stream: BinaryIO) -> Parts:
    tags = getattr(image, "tag_v2", {})
    further = tags.get(_TIFF_EXTRA_SAMPLES, ())
    count = sum(kind == 0 for kind in (further if isinstance(further, tuple) else (further,)))
    if count:
        yield "a further channel" if count == 1 else f"{count} further channels"
    if _TIFF_PHOTOSHOP in tags:
        yield _PHOTOSHOP
    for tag in sorted(set(tags) - _TIFF_TAGS):
        name = TiffTags.lookup(tag).name
        yield f"tag {tag}" if name == "unknown" else name


def _of_gif(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(10)
    flags, _, aspect = stream.read(3)
    if aspect:
        yield "the aspect of pixels"
    stream.seek(3 * 2 ** (flags % 8 + 1) if flags & 128 else 0, 1)
    while stream.read(1) == b"\x21":
        label = stream.read(1)
        blocks = list(_sub_blocks(stream))
        if label == b"\xff" and blocks and not blocks[0].startswith((b"NETSCAPE", b"ANIMEXTS")):
            yield _GIF_NAMES.get(blocks[0][:8], blocks[0][:8].decode("latin-1").strip())


def _sub_blocks(stream: BinaryIO) -> Iterator[bytes]:
    while size := stream.read(1)[0]:
        yield stream.read(size)


def _of_avif(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(0)
    head = stream.read(2**16)
    for kind in picture_properties(head):
        if kind in _AVIF_PROPERTIES:
            yield _AVIF_PROPERTIES[kind]
    brands = next((content for kind, content in boxes(head) if kind == b"ftyp"), b"")
    if b"tmap" in brands:
        yield "a gain map (HDR)"


def _of_psd(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(12)
    channels = struct.unpack(">H", stream.read(2))[0]
    if channels > len(image.getbands()):
        yield "further channels"
    numbers = [number for number, *_ in getattr(image, "resources", ())]
    yield from (_RESOURCES[number] for number in numbers if number in _RESOURCES)
    if set(numbers) - _NAMED_RESOURCES - set(_RESOURCES):
        yield _PHOTOSHOP


def _of_tga(image: Image.Image, stream: BinaryIO) -> Parts:
    if image.info.get("id_section"):
        yield "its name"
    if area := tga_area(stream):
        if area[2:367].strip(b"\0 "):
            yield "author and comments"
        if any(area[478:482]):
            yield "the gamma"
        if area[-1] == _TGA_PREMULTIPLIED:
            yield "that colours are multiplied by alpha"


def tga_area(stream: BinaryIO) -> bytes:
    """Extension area of a TGA of version 2, no bytes where there is none."""
    stream.seek(0, 2)
    end = stream.tell()
    if end < 26:
        return b""
    stream.seek(end - 26)
    place, _, signature = struct.unpack("<II16s2x", stream.read(26))
    if signature != _TGA_FOOTER or not place:
        return b""
    stream.seek(place)
    area = stream.read(_TGA_AREA)
    return area if len(area) == _TGA_AREA else b""


def _of_netpbm(image: Image.Image, stream: BinaryIO) -> Parts:
    kind, _, place, arguments = getattr(image, "tile", [("", None, 0, "")])[0]
    stream.seek(0)
    if b"#" in stream.read(place):
        yield "the comment"
    if kind == "ppm_plain":
        return
    most = arguments[1] if kind == "ppm" else 65535 if "16" in str(arguments) else 255
    samples = {"1": (image.width + 7) // 8, "F": 4 * image.width}
    row = samples.get(image.mode, image.width * (3 if image.mode == "RGB" else 1))
    stream.seek(place + row * image.height * (2 if most > 255 else 1))
    if stream.read(64).strip():
        yield "further pictures"


def _of_fits(image: Image.Image, stream: BinaryIO) -> Parts:
    cards = fits_cards(stream)
    if int(cards.get("NAXIS3", 1)) > 1:
        yield "further planes"
    yield from (
        f"{name} of the header"
        for name in cards
        if name not in _FITS_CARDS and not name.startswith("NAXIS")
    )


def fits_cards(stream: BinaryIO) -> dict[str, str]:
    """Keywords and values of the first header of a FITS file."""
    stream.seek(0)
    found: dict[str, str] = {}
    while len(card := stream.read(80).decode("latin-1")) == 80 and not card.startswith("END "):
        found[card[:8].strip()] = card[10:].partition("/")[0].strip()
    return found


def _of_dds(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(28)
    copies = struct.unpack("<I", stream.read(4))[0]
    stream.seek(112)
    kind = struct.unpack("<I", stream.read(4))[0]
    if kind & 0x200000 or kind & 0xFC00 > 0x0400:
        yield "further sides"
    if copies > 1:
        yield "smaller copies"


def _of_qoi(image: Image.Image, stream: BinaryIO) -> Parts:
    stream.seek(_QOI_SPACE)
    if stream.read(1) == b"\1":  # many writers say so without a reason
        yield "that samples are linear"


def _of_cursor(image: Image.Image, stream: BinaryIO) -> Parts:
    yield "the place that points"


_READERS: dict[str, Callable[[Image.Image, BinaryIO], Parts]] = {
    "AVIF": _of_avif,
    "CUR": _of_cursor,
    "DDS": _of_dds,
    "FITS": _of_fits,
    "GIF": _of_gif,
    "HEIF": _of_avif,
    "JPEG": _of_jpeg,
    "JPEG2000": _of_jpeg2000,
    "MPO": _of_jpeg,
    "PNG": _of_png,
    "PPM": _of_netpbm,
    "PSD": _of_psd,
    "QOI": _of_qoi,
    "TGA": _of_tga,
    "TIFF": _of_tiff,
    "WEBP": _of_webp,
}
