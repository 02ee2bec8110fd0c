"""Streams for the tests of parts: made up of records, and read back."""

import io
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from places import ROOT

import ncodec
from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.records import (
    Companion,
    Frame,
    LastDuration,
    Media,
    StreamHeader,
    Tag,
    Tracks,
)
from ncodec.errors import TruncatedError as Truncated
from ncodec.picture import TimedFrame

GOLDEN = ROOT / "tests" / "golden" / "0.1.0"
HEADER = StreamHeader(1, 2, 64, 48, Fraction(1, 1000), Fraction(25))
Records = Sequence[Frame | Companion]
T = TypeVar("T")


def made(records: Records, header: StreamHeader = HEADER) -> bytes:
    sink = io.BytesIO()
    writer = StreamWriter(sink, header)
    for record in records:
        writer.write(record)
    writer.finish()
    return sink.getvalue()


def intra(pts: int) -> Frame:
    return Frame(Tag.INTRA, pts, 30, b"intra %d" % pts)


def predicted(pts: int) -> Frame:
    return Frame(Tag.PREDICTED, pts, 30, b"predicted %d" % pts)


def sound(pts: int, duration: int = 1024, track: int = 0) -> Media:
    return Media(track, pts, pts, duration, True, b"sound %d" % pts)


def read(data: bytes) -> list[Frame | Companion]:
    records = StreamReader(io.BytesIO(data)).records()
    return [
        r for r in records if isinstance(r, Frame | Tracks | Media | ClipMetadata | LastDuration)
    ]


def of_kind(kind: type[T], data: bytes) -> list[T]:
    return [record for record in read(data) if isinstance(record, kind)]


def decoded(data: bytes) -> list[TimedFrame]:
    found: list[TimedFrame] = []
    with ncodec.open_video(data) as decoder:
        try:
            found.extend(r for r in decoder.records() if isinstance(r, TimedFrame))
        except Truncated:
            found.append(TimedFrame(-1, np.zeros((1, 1, 3), np.uint8)))
    return found


def cut(data: bytes, start: float | None, end: float | None) -> bytes:
    ncodec.cut_video(data, "cut.ncv", start=start, end=end, overwrite=True)
    return Path("cut.ncv").read_bytes()


def join(*parts: bytes) -> bytes:
    ncodec.join_videos(parts, "joined.ncv", overwrite=True)
    return Path("joined.ncv").read_bytes()


def same_pictures(one: Sequence[TimedFrame], other: Sequence[TimedFrame]) -> None:
    assert [frame.pts for frame in one] == [frame.pts for frame in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


def parts_of(data: bytes) -> list[bytes]:
    times = [found.time for found in ncodec.video_index(data).intra]
    return [cut(data, start, end) for start, end in pairwise([*times, None])]
