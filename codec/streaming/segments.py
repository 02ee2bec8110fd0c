"""Samples of a track → CMAF segments (ISO/IEC 23000-19), and what a written segment holds."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ncodec.streaming.boxes import (
    Box,
    damage_as_format_error,
    find_box,
    pack_box,
    pack_full_box,
    read_boxes,
)
from ncodec.streaming.samples import Sample, decoding_time

TRACK_ID = 1
_STYLE = pack_box(b"styp", b"msdh", struct.pack(">I", 0), b"msdhcmfs")
_KEY, _OTHER = 0x2000000, 0x1010000
"""flags of a sample on which decoding can begin, and of one that depends on others"""
_BASE_IS_MOOF = 0x20000
_RUN_FLAGS = 0x1 | 0x100 | 0x200 | 0x400 | 0x800
"""a run states its data's offset, and duration, size, flags and shift of every sample"""
_SAMPLE = struct.Struct(">IIIi")


@dataclass(frozen=True)
class KeyRange:
    """Bytes of a segment that show one key frame."""

    offset: int
    length: int
    duration: int
    """units of the timescale up to the next key frame, or to the segment's end"""


@dataclass(frozen=True)
class Segment:
    """Contents of a segment that was written."""

    size: int
    """bytes"""
    start: int
    """when its first frame is shown, in units of the timescale"""
    duration: int
    """units of the timescale"""
    samples: int
    keys: tuple[KeyRange, ...]

    @property
    def end(self) -> int:
        """Start of the next segment, in units of the timescale."""
        return self.start + self.duration


def pack_start(start: bytes, *, delay: int) -> bytes:
    """Initialization segment `start` with an edit list, by which frames are shown `delay` units of
    the timescale earlier than `pack_segment` says; at 0 it stays as it is.

    Players and FFmpeg treat edit lists alike, and negative shifts of samples not. `start` holds a
    ftyp and a moov box without an edit list. Raises FormatError where a box is cut.
    """
    if not delay:
        return start
    entry = struct.pack(">IIiHH", 1, 0, delay, 1, 0)
    edit = pack_box(b"edts", pack_full_box(b"elst", entry))
    return b"".join(_with_edit(start, box, edit) for box in read_boxes(start))


def _with_edit(data: bytes | memoryview, box: Box, edit: bytes) -> bytes:
    """A box, with the edit list in it if it is or holds the track's box."""
    if box.kind not in (b"moov", b"trak"):
        return bytes(data[box.start : box.end])
    inner = [_with_edit(box.body, part, edit) for part in read_boxes(box.body)]
    if box.kind == b"trak":
        inner.insert(1, edit)
    return pack_box(box.kind, *inner)


def pack_segment(samples: Sequence[Sample], *, end: int, number: int, delay: int = 0) -> bytes:
    """A segment of samples in decoding order, with a fragment for each key frame and the samples
    behind it.

    Decoding times are the ascending times of the samples, so that segments of one encoder or of
    several join without gaps. Samples are shown `delay` units later than they say, for `pack_start`
    to take back: a sample that is shown before it would be decoded has no negative shift so.
    `end` is when the next segment begins, `number` counts from 1. Sound, whose samples are all
    keys, has one fragment.
    """
    groups = [samples] if all(sample.is_key for sample in samples) else _by_keys(samples)
    starts = [min(sample.time for sample in group) for group in groups]
    ends = [*starts[1:], end]
    fragments = (
        _fragment(group, end=until, number=(number << 16) + place, delay=delay)
        for place, (group, until) in enumerate(zip(groups, ends, strict=True))
    )
    return _STYLE + b"".join(fragments)


def read_segment(data: bytes) -> Segment:
    """Times and key frames of a segment of `pack_segment`; raises FormatError for other bytes."""
    boxes = list(read_boxes(data))
    keys: list[KeyRange] = []
    start, end, count = 0, 0, 0
    with damage_as_format_error():
        for moof, content in pairwise(boxes):
            if moof.kind != b"moof" or content.kind != b"mdat":
                continue
            time = decoding_time(find_box(moof.body, b"tfdt"))
            entries = _entries(moof)
            start = time if not count else start
            duration = sum(entry[0] for entry in entries)
            length = content.start + 8 + entries[0][1] - moof.start
            keys.append(KeyRange(moof.start, length, duration))
            end, count = time + duration, count + len(entries)
    return Segment(len(data), start, end - start, count, tuple(keys))


def _by_keys(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    starts = [place for place, sample in enumerate(samples) if sample.is_key] or [0]
    starts[0] = 0
    ends = [*starts[1:], len(samples)]
    return [samples[a:b] for a, b in zip(starts, ends, strict=True)]


def _entries(moof: Box) -> list[tuple[int, int, int, int]]:
    """Duration, size, flags and shift of each sample of a fragment."""
    body = find_box(moof.body, b"trun").body[12:]
    return [_SAMPLE.unpack_from(body, place) for place in range(0, len(body), _SAMPLE.size)]


def decoding_times(times: Sequence[int], *, delay: int) -> list[int]:
    """Strictly ascending decoding times of samples that are shown at `times` and `delay` units
    later: the times in ascending order, but none later than its sample is shown."""
    found = sorted(times)
    for place in reversed(range(len(times))):
        latest = times[place] + delay
        if place + 1 < len(times):
            latest = min(latest, found[place + 1] - 1)
        found[place] = min(found[place], latest)
    return found


def _fragment(samples: Sequence[Sample], *, end: int, number: int, delay: int) -> bytes:
    times = decoding_times([sample.time for sample in samples], delay=delay)
    entries = b"".join(
        _SAMPLE.pack(
            until - time,
            len(sample.data),
            _KEY if sample.is_key else _OTHER,
            sample.time + delay - time,
        )
        for sample, time, until in zip(samples, times, [*times[1:], end], strict=True)
    )
    count = struct.pack(">I", len(samples))

    def moof(offset: int) -> bytes:
        return pack_box(
            b"moof",
            pack_full_box(b"mfhd", struct.pack(">I", number)),
            pack_box(
                b"traf",
                pack_full_box(b"tfhd", struct.pack(">I", TRACK_ID), flags=_BASE_IS_MOOF),
                pack_full_box(b"tfdt", struct.pack(">Q", times[0]), version=1),
                pack_full_box(
                    b"trun", count, struct.pack(">i", offset), entries, version=1, flags=_RUN_FLAGS
                ),
            ),
        )

    content = pack_box(b"mdat", *(sample.data for sample in samples))
    return moof(len(moof(0)) + 8) + content
