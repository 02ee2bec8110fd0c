"""Boxes of MP4 files (ISO/IEC 14496-12): reading and writing."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ncodec.errors import FormatError

_HEADER = struct.Struct(">I4s")
_CONTAINERS = frozenset(
    {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvex", b"moof", b"traf", b"edts"}
)
"""types of boxes that hold nothing but boxes"""
_ENTRY_STARTS = {b"stsd": 8, b"avc1": 78, b"hvc1": 78, b"av01": 78, b"mp4a": 28, b"Opus": 28}
"""types of boxes that hold boxes behind some bytes of their own → number of the bytes"""


@dataclass(frozen=True)
class Box:
    """A box: its four-letter type, and its content without the header."""

    kind: bytes
    body: memoryview
    start: int
    """offset of its header in what was read"""

    @property
    def end(self) -> int:
        """Offset behind its content."""
        return self.start + _HEADER.size + len(self.body)


@contextmanager
def damage_as_format_error() -> Iterator[None]:
    """Turn what reading of fields behind the end of a box raises into a FormatError."""
    try:
        yield
    except (struct.error, IndexError) as error:
        msg = f"expected a whole box of MP4, got one that ends too soon: {error}"
        raise FormatError(msg) from error


def read_boxes(data: bytes | memoryview) -> Iterator[Box]:
    """Boxes that lie one behind the other in `data`; raises FormatError where one is cut."""
    view, place = memoryview(data), 0
    while place < len(view):
        if len(view) - place < _HEADER.size:
            msg = f"expected a box of MP4, got {len(view) - place} bytes"
            raise FormatError(msg)
        size, kind = _HEADER.unpack_from(view, place)
        if not _HEADER.size <= size <= len(view) - place:
            msg = f"expected a box of at most {len(view) - place} bytes, got one of {size}"
            raise FormatError(msg)
        yield Box(kind, view[place + _HEADER.size : place + size], place)
        place += size


def find_boxes(data: bytes | memoryview, kind: bytes) -> Iterator[Box]:
    """Boxes of a type, also those within boxes that are known to hold others.

    The inside of a box that is found is not searched. Offsets count from the first box beside it.
    Raises FormatError where a box is cut.
    """
    for box in read_boxes(data):
        if box.kind == kind:
            yield box
        elif box.kind in _CONTAINERS:
            yield from find_boxes(box.body, kind)
        elif box.kind in _ENTRY_STARTS:
            yield from find_boxes(box.body[_ENTRY_STARTS[box.kind] :], kind)


def find_box(data: bytes | memoryview, kind: bytes) -> Box:
    """The first box of a type at any depth; raises FormatError where there is none."""
    found = next(find_boxes(data, kind), None)
    if found is None:
        msg = f"expected a box {kind.decode('latin1')!r} in a file of MP4, got none"
        raise FormatError(msg)
    return found


def pack_box(kind: bytes, *parts: bytes) -> bytes:
    """A box of a four-letter type with these contents."""
    body = b"".join(parts)
    return _HEADER.pack(_HEADER.size + len(body), kind) + body


def pack_full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box that begins with a version and 24 flags."""
    return pack_box(kind, struct.pack(">I", version << 24 | flags), *parts)
