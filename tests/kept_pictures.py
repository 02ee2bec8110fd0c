"""WebP, AVIF, JPEG 2000, GIF, BMP and TGA files: the rows of their tables."""

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from kept_cases import (
    EXIF,
    GREY,
    HIGH,
    ICC,
    RGB,
    RGBA,
    SMOOTH,
    WIDE,
    XMP,
    PictureCase,
    box,
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
)
from PIL import ExifTags, Image

from ncodec.arrays import Pixels
from ncodec.picture import Picture

ALPHA = np.dstack([SMOOTH, 255 - SMOOTH[:, :, 0]])
METADATA: dict[str, Any] = {"icc_profile": ICC, "exif": EXIF, "xmp": XMP}
ALL: dict[str, Any] = {"save_all": True, "append_images": [Image.fromarray(255 - SMOOTH)]}
NEAR = 35


def has_all(made: Picture) -> bool:
    return has_icc(made) and has_artist(made) and has_xmp(made)


pictures(
    "WebP: RGB, alpha",
    (
        PictureCase(saved(RGB, "WEBP", lossless=True), RGB),
        PictureCase(saved(SMOOTH, "WEBP", quality=100), SMOOTH, NEAR),
        PictureCase(saved(RGBA, "WEBP", lossless=True, exact=True), RGBA),
    ),
)
pictures(
    "WebP: ICC profile, EXIF, XMP",
    (PictureCase(saved(RGB, "WEBP", lossless=True, **METADATA), RGB, holds=has_all),),
)
pictures("WebP: animation", (PictureCase(saved(SMOOTH, "WEBP", **ALL)),))


@picture("WebP: other chunk")
def _() -> PictureCase:
    data = saved(RGB, "WEBP", lossless=True, exif=EXIF) + b"PRIV" + struct.pack("<I", 4) + b"abcd"
    return PictureCase(data[:4] + struct.pack("<I", len(data) - 8) + data[8:], RGB)


def avif(image: Pixels = SMOOTH, **options: Any) -> bytes:
    return saved(image, "AVIF", quality=100, speed=8, **options)


def avif_with(kind: bytes, content: bytes) -> bytes:
    """An AVIF with a further property at the end of its list, of no picture."""
    data, added = avif(), box(kind, content)
    end = data.index(b"ipco") - 4
    end += struct.unpack_from(">I", data, end)[0]
    changed = bytearray(data[:end] + added + data[end:])
    for name in (b"ipco", b"iprp", b"meta"):
        start = data.index(name) - 4
        struct.pack_into(
            ">I", changed, start, struct.unpack_from(">I", data, start)[0] + len(added)
        )
    # The table of places holds that of the coded picture, which has moved.
    place = data.index(b"mdat") + 4
    stated = changed.index(struct.pack(">I", place), changed.index(b"iloc"))
    struct.pack_into(">I", changed, stated, place + len(added))
    return bytes(changed)


def avif_of_points(primaries: int, transfer: int) -> bytes:
    data = avif()
    start = data.index(b"colrnclx") + 8
    return data[:start] + struct.pack(">HH", primaries, transfer) + data[start + 4 :]


@picture("AVIF: RGB, grey, alpha")
def _() -> PictureCase:
    return PictureCase(avif(), SMOOTH, NEAR)


@picture("AVIF: RGB, grey, alpha")
def _() -> PictureCase:
    grey = SMOOTH[:, :, 0]
    return PictureCase(avif(grey, subsampling="4:0:0"), grey, NEAR)


@picture("AVIF: RGB, grey, alpha")
def _() -> PictureCase:
    return PictureCase(avif(ALPHA), ALPHA, NEAR)


@picture("AVIF: RGB, grey, alpha")
def _() -> PictureCase:
    return PictureCase(avif(ALPHA, alpha_premultiplied=True), ALPHA, NEAR)


@picture("AVIF: 10 bits")
def _() -> PictureCase:
    return deep_avif(b"pixi")


@picture("AVIF: 10 bits")
def _() -> PictureCase:
    return deep_avif(b"free")


def deep_avif(name: bytes) -> PictureCase:
    """An AVIF whose depth a property of a name states, besides the decoder's configuration."""
    stream = io.BytesIO()
    shown = np.dstack([np.add.outer(np.arange(64) * 2, np.arange(64) * 2).astype(np.uint8)] * 3)
    with av.open(stream, "w", format="avif") as container:
        coder: Any = container.add_stream("libsvtav1", rate=25, options={"crf": "5"})
        coder.width, coder.height, coder.pix_fmt = 64, 64, "yuv420p10le"
        frame = av.VideoFrame.from_ndarray(shown, "rgb24")
        container.mux(coder.encode(frame.reformat(format="yuv420p10le")))
        container.mux(coder.encode(None))
    return PictureCase(stream.getvalue().replace(b"pixi", name), shown, NEAR)


@picture("AVIF: ICC profile, EXIF, XMP")
def _() -> PictureCase:
    return PictureCase(avif(**METADATA), SMOOTH, NEAR, has_all)


@picture("AVIF: rotation")
def _() -> PictureCase:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = avif(exif=exif)
    assert b"irot" in data
    return PictureCase(data, SMOOTH, NEAR, has_orientation(6))


@picture("AVIF: code points of Display P3")
def _() -> PictureCase:
    return PictureCase(avif_of_points(12, 13), SMOOTH, NEAR, has_some_icc)


@picture("AVIF: code points of HDR")
def _() -> PictureCase:
    return PictureCase(avif_of_points(9, 16), SMOOTH, NEAR)


@picture("AVIF: aspect of pixels")
def _() -> PictureCase:
    return PictureCase(avif_with(b"pasp", struct.pack(">II", 2, 1)), SMOOTH, NEAR)


@picture("AVIF: light levels")
def _() -> PictureCase:
    return PictureCase(avif_with(b"clli", bytes((0, 9, 0, 8))), SMOOTH, NEAR)


@picture("AVIF: sequence")
def _() -> PictureCase:
    return PictureCase(avif(**ALL))


def jp2(change: Callable[[bytes], bytes], image: Pixels = RGB) -> bytes:
    """A JPEG 2000 file whose header box is changed."""
    data = saved(image, "JPEG2000")
    start = data.index(b"jp2h") - 4
    end = start + struct.unpack_from(">I", data, start)[0]
    return data[:start] + box(b"jp2h", change(data[start + 8 : end])) + data[end:]


def deep_jp2(layout: str, bits: int) -> PictureCase:
    """A JPEG 2000 file of FFmpeg's, of whole numbers of some bits."""
    channels = {"gray12le": 1, "rgb48le": 3, "rgba64le": 4}[layout]
    samples = ramp(channels, levels=2**bits)
    coder: Any = av.CodecContext.create("jpeg2000", "w")
    coder.width, coder.height, coder.pix_fmt = WIDE, HIGH, layout
    coder.time_base, coder.options = Fraction(1, 25), {"format": "jp2", "pred": "dwt53"}
    frame = av.VideoFrame(WIDE, HIGH, layout)
    raw, line = samples.astype("<u2").tobytes(), WIDE * channels * 2
    stride = frame.planes[0].line_size
    lines = (raw[i : i + line].ljust(stride, b"\0") for i in range(0, len(raw), line))
    frame.planes[0].update(b"".join(lines))
    frame.pts = 0
    data = b"".join(bytes(p) for p in (*coder.encode(frame), *coder.encode(None)))
    return PictureCase(data, levels(samples, bits), NEAR)


pictures(
    "JPEG 2000: RGB, grey, alpha",
    (PictureCase(saved(image, "JPEG2000"), image) for image in (RGB, GREY, RGBA)),
)


@picture("JPEG 2000: grey of 16 bits")
def _() -> PictureCase:
    samples = ramp(1, levels=65536)[:, :, 0]
    return PictureCase(saved(samples.astype(np.uint16), "JPEG2000"), levels(samples, 16))


@picture("JPEG 2000: RGB and alpha of 16 bits")
def _() -> PictureCase:
    return deep_jp2("rgb48le", 16)


@picture("JPEG 2000: RGB and alpha of 16 bits")
def _() -> PictureCase:
    return deep_jp2("rgba64le", 16)


@picture("JPEG 2000: ICC profile")
def _() -> PictureCase:
    def change(header: bytes) -> bytes:
        start = header.index(b"colr") - 4
        end = start + struct.unpack_from(">I", header, start)[0]
        return header[:start] + box(b"colr", b"\2\0\0" + ICC) + header[end:]

    return PictureCase(jp2(change), RGB, holds=has_icc)


RES = box(b"res ", box(b"resc", struct.pack(">HHHHBB", 11811, 1, 11811, 1, 0, 0)))
pictures(
    "JPEG 2000: resolution",
    (PictureCase(jp2(lambda header: header + RES), RGB, holds=has_resolution),),
)
pictures("JPEG 2000: comment", (PictureCase(saved(RGB, "JPEG2000", comment="hello"), RGB),))


@picture("JPEG 2000: XMP")
def _() -> PictureCase:
    uuid, data = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC"), saved(RGB, "JPEG2000")
    return PictureCase(data + box(b"uuid", uuid + XMP), RGB)


@picture("JPEG 2000: palette")
def _() -> PictureCase:
    places = ramp(1, levels=4).astype(np.uint8)[:, :, 0]
    colours = np.arange(12, dtype=np.uint8) * 20
    more = box(b"pclr", struct.pack(">HB3B", 4, 3, 7, 7, 7) + colours.tobytes())
    more += box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, i) for i in range(3)))

    def change(header: bytes) -> bytes:
        return header.replace(struct.pack(">I", 17), struct.pack(">I", 16)) + more

    return PictureCase(jp2(change, places), colours.reshape(4, 3)[places])


GIF = Image.fromarray(SMOOTH).quantize(64)
GIF_RGB = np.asarray(GIF.convert("RGB"))
CLEAR = np.where(np.asarray(GIF) == 3, 0, 255).astype(np.uint8)
pictures(
    "GIF: palette",
    (
        PictureCase(saved(GIF, "GIF"), GIF_RGB),
        PictureCase(saved(GIF, "GIF", transparency=3), np.dstack([GIF_RGB, CLEAR])),
    ),
)
pictures("GIF: comment", (PictureCase(saved(GIF, "GIF", comment=b"hi"), GIF_RGB),))


@picture("GIF: XMP")
def _() -> PictureCase:
    data = saved(GIF, "GIF")
    block = b"\x21\xff\x0bXMP DataXMP" + XMP + bytes([1, *range(255, -1, -1), 0])
    place = 13 + 3 * 64
    return PictureCase(data[:place] + block + data[place:], GIF_RGB)


@picture("GIF: aspect of pixels")
def _() -> PictureCase:
    data = bytearray(saved(GIF, "GIF"))
    data[12] = 113
    return PictureCase(bytes(data), GIF_RGB)


pictures("GIF: animation", (PictureCase(saved(SMOOTH, "GIF", **ALL)),))
