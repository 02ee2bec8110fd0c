"""Properties that AVIF and HEIC files state of their pictures (ISO/IEC 23008-12)."""

import struct
from collections.abc import Iterator

_BOX = struct.Struct(">I4s")
_FULL_BOX = 4
"""bytes of version and flags"""
_AV1_DEPTH = 2
"""byte of an AV1 configuration whose bits 6 and 5 say that samples have 10 bits, or 12"""
_NCLX = struct.Struct(">4sHHHB")
_PATH = (b"meta", b"iprp", b"ipco")
"""boxes around the properties"""


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each whole box in `data`; boxes of 64-bit sizes end the list."""
    start = 0
    while start + _BOX.size <= len(data):
        size, kind = _BOX.unpack_from(data, start)
        if size < _BOX.size:
            return
        yield kind, data[start + _BOX.size : start + size]
        start += size


def picture_properties(data: bytes) -> dict[bytes, bytes]:
    """Type and content of each property of the pictures in a file, of which `data` is the start;
    empty for other files."""
    for kind in _PATH:
        data = next((content for name, content in boxes(data) if name == kind), b"")
        data = data[_FULL_BOX:] if kind == b"meta" else data
    found: dict[bytes, bytes] = {}
    for kind, content in boxes(data):
        nclx = kind == b"colr" and content.startswith(b"nclx")
        found.setdefault(b"nclx" if nclx else kind, content)
    return found


def code_points(properties: dict[bytes, bytes]) -> tuple[int, int] | None:
    """Primaries and transfer function as code points of ITU-T H.273, if they are stated."""
    content = properties.get(b"nclx", b"")
    if len(content) < _NCLX.size:
        return None
    _, primaries, transfer, _, _ = _NCLX.unpack_from(content)
    return primaries, transfer


def bits_per_sample(properties: dict[bytes, bytes]) -> int:
    """The largest number of bits of a sample, by the decoder's configuration where no property
    states it; 8 where neither does."""
    content = properties.get(b"pixi", b"")[_FULL_BOX:]
    if content:
        return max(content[1 : 1 + content[0]], default=8)
    av1 = properties.get(b"av1C", b"")[_AV1_DEPTH:][:1]
    return 8 + 2 * (av1[0] >> 6 & 1) + 2 * (av1[0] >> 5 & 1) if av1 else 8
