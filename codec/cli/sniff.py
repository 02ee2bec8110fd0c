"""Whether an input is a clip, packed bytes or tensors, told by its name or its first bytes."""

import io
import sys
from pathlib import Path

from ncodec.cli.console import STDIO
from ncodec.media.numbered import CLIP_SUFFIXES, is_numbered

STREAM_SUFFIX = ".ncv"
VIDEO_MAGICS = (b"YUV4MPEG2", b"\x1aE\xdf\xa3")
"""first bytes of y4m and Matroska files"""
PICTURE_BRANDS = frozenset({b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"})
"""brands of ISO base media files that hold pictures"""


def is_clip(source: str, output: str | None) -> bool:
    """Whether an input of `ncodec encode` is a clip: if `output` ends in .ncv, or by the name of
    `source`, a suffix of clips or an image sequence.

    Standard input, "-", is told by its first bytes instead, those of y4m, Matroska or MP4, which
    stay to be read.
    """
    if output is not None and Path(output).suffix.lower() == STREAM_SUFFIX:
        return True
    if source == STDIO:
        start = _peek(12)
        return start.startswith(VIDEO_MAGICS) or (
            start[4:8] == b"ftyp" and start[8:] not in PICTURE_BRANDS
        )
    return Path(source).suffix.lower() in CLIP_SUFFIXES or is_numbered(source)


def is_coded_clip(source: str) -> bool:
    """Whether `source`, a path or "-" for standard input, is a .ncv file, by its first 4 bytes.

    A name that ends in .ncv tells where the path is no regular file, or where a file starts neither
    as .ncv nor as .nci files do. False for a file that cannot be read.
    """
    from ncodec.container import nci, records

    if source == STDIO:
        return _peek(len(records.MAGIC)) == records.MAGIC
    named = Path(source).suffix.lower() == STREAM_SUFFIX
    try:
        if not Path(source).is_file():  # it can be read only once
            return named
        with Path(source).open("rb") as stream:
            start = stream.read(len(records.MAGIC))
    except OSError:
        return False
    return start == records.MAGIC or (named and start != nci.MAGIC)


def is_packed(source: str) -> bool:
    """Whether `source`, a path or "-" for standard input, is a .ncz file, by its first 4 bytes."""
    from ncodec.container import ncz

    return _starts_with(source, ncz.MAGIC, ".ncz")


def is_tensors(source: str) -> bool:
    """Whether `source`, a path or "-" for standard input, is a .nct file, by its first 4 bytes."""
    from ncodec.container import nct

    return _starts_with(source, nct.MAGIC, ".nct")


def _starts_with(source: str, magic: bytes, suffix: str) -> bool:
    """Whether a file starts with these bytes, or a pipe is called after them."""
    if source == STDIO:
        return _peek(len(magic)) == magic
    try:
        if not Path(source).is_file():  # it can be read only once
            return Path(source).suffix == suffix
        with Path(source).open("rb") as stream:
            return stream.read(len(magic)) == magic
    except OSError:
        return False


def _peek(count: int) -> bytes:
    """The first bytes of standard input, which stay there."""
    stream = sys.stdin.buffer if sys.stdin is not None else None
    return stream.peek(count)[:count] if isinstance(stream, io.BufferedReader) else b""
