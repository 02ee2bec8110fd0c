"""Pixels ↔ lossless WebP bitstreams (RFC 9649, VP8L), without the RIFF container around them."""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image, WebPImagePlugin

from ncodec.arrays import Pixels
from ncodec.errors import FormatError

MAX_SIDE = 16383
"""pixels along each side that the bitstream can hold"""
SIGNATURE = 0x2F
"""the first byte"""
_HEADER = struct.Struct("<BI")
_RIFF = struct.Struct("<4sI4s4sI")
_ABOUT_RIFF = 12
"""bytes that the length in the RIFF header counts beside the chunk's payload"""


@dataclass(frozen=True)
class Search:
    """Effort of the lossless coder."""

    method: int = 4
    """0…6, as of libwebp"""
    quality: int = 80
    """0…100, as of libwebp: how far it looks"""
    mixing: bool = False
    """whether context mixing is tried, too, which needs numba and seconds a megapixel"""


USUAL = Search()
"""search of Pillow and most programs"""
THOROUGH = Search(method=6, quality=100)
"""up to ten times slower for one per cent"""


def pack_vp8l(pixels: Pixels, *, search: Search = USUAL) -> bytes:
    """(H, W, 3) or (H, W) uint8 with sides of at most 16383 → bitstream."""
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(
        stream, "WEBP", lossless=True, method=search.method, quality=search.quality
    )
    riff = stream.getvalue()
    *_, form, length = _RIFF.unpack_from(riff)
    if form != b"VP8L":  # a build of libwebp that puts a bare bitstream elsewhere
        msg = f"expected Pillow to write a bare VP8L chunk, got {form!r}"
        raise FormatError(msg)
    return riff[_RIFF.size : _RIFF.size + length]


def unpack_vp8l(data: bytes, height: int, width: int) -> Pixels:
    """Bitstream → (height, width, 3); raises FormatError for damage and, before it decodes a pixel,
    another size."""
    if size_of_vp8l(data) != (height, width):
        msg = (
            f"expected a lossless WebP bitstream of {width}×{height} pixels, got another: the file "
            f"is damaged"
        )
        raise FormatError(msg)
    padded = data + bytes(len(data) % 2)
    riff = _RIFF.pack(b"RIFF", len(padded) + _ABOUT_RIFF, b"WEBP", b"VP8L", len(data)) + padded
    try:
        # Unlike `Image.open`, this warns of no large picture: the size was compared.
        with WebPImagePlugin.WebPImageFile(io.BytesIO(riff)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # whatever a reader throws at damaged data
        msg = (
            f"expected a whole lossless WebP bitstream, got one that cannot be read "
            f"({type(error).__name__})"
        )
        raise FormatError(msg) from error


def size_of_vp8l(data: bytes) -> tuple[int, int] | None:
    """(height, width) in a bitstream's header, None for another kind of data."""
    if len(data) < _HEADER.size or data[0] != SIGNATURE:
        return None
    _, bits = _HEADER.unpack_from(data)
    if bits >> 29:  # the version, of which there is one
        return None
    return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
