"""ICC profiles ↔ a few bytes where they are well known, and about as many as a good compressor
takes where not."""

import lzma
import zlib
from functools import cache
from importlib.resources import files
from typing import Any

from ncodec.errors import FormatError

KNOWN = (
    "srgb-hp",
    "srgb-hp-intent1",
    "srgb-icc-2014",
    "srgb-icc-black-scaled",
    "srgb-compact-v4",
    "srgb-gimp-672",
    "srgb-lcms-588",
    "srgb-linear-skia-488",
    "srgb-skia-v21-536",
    "srgb-skia-v43-456",
    "srgb-skia-v43-536",
    "p3-apple-2017",
    "p3-apple-2022",
    "p3-compact-v4",
    "p3-skia-520",
    "p3-skia-536",
    "adobergb-1999",
    "prophoto-kodak",
    "rec2020-skia-512",
    "rec2020-skia-536",
    "gray-compact-v4",
    "gray-gamma22-adobe",
    "gray-gimp-544",
)
"""profiles whose bytes, one after the other, are the dictionary; their order is a part of the
format"""
DEFLATE, LZMA = 0, 1
"""ways of coding, of which the first byte tells"""
_WINDOW = -15
"""raw deflate with the largest window"""
_MEMORY = 9
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA1, "preset": 9, "dict_size": 2**22, "lc": 0, "lp": 1, "pb": 1}
]


@cache
def _dictionary() -> bytes:
    folder = files("ncodec.container") / "icc"
    return b"".join((folder / f"{name}.icc").read_bytes() for name in KNOWN)


def pack_profile(profile: bytes) -> bytes:
    """Profile → its shortest code: raw deflate with the well-known profiles as dictionary, or raw
    LZMA."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_dictionary())
    deflated = bytes([DEFLATE]) + deflater.compress(profile) + deflater.flush()
    squeezed = bytes([LZMA]) + lzma.compress(profile, format=lzma.FORMAT_RAW, filters=_FILTERS)
    return min(deflated, squeezed, key=len)


def unpack_profile(coded: bytes, *, limit: int) -> bytes:
    """Inverse of `pack_profile`, for a profile of at most `limit` bytes.

    Raises FormatError for an unknown method, damaged or truncated data, bytes after the data, and
    a larger profile. The content of the profile is not checked.
    """
    method, data = coded[:1], coded[1:]
    if method == bytes([DEFLATE]):
        inflater = zlib.decompressobj(_WINDOW, zdict=_dictionary())
        decompress = inflater.decompress
    elif method == bytes([LZMA]):
        unsqueezer = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        decompress = unsqueezer.decompress
    else:
        msg = (
            f"expected an ICC profile by a known compressor, got {method.hex() or 'nothing'}: the "
            f"file is damaged"
        )
        raise FormatError(msg)
    try:
        profile = decompress(data, limit)
    except (zlib.error, lzma.LZMAError) as error:
        msg = f"expected a coded ICC profile, got data that cannot be decompressed: {error}"
        raise FormatError(msg) from error
    done = inflater if method == bytes([DEFLATE]) else unsqueezer
    if not done.eof or done.unused_data:
        msg = f"expected one ICC profile of at most {limit} bytes, got another: the file is damaged"
        raise FormatError(msg)
    return profile
