"""Fragmented MP4 of FFmpeg → samples of a track."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ncodec.errors import FormatError
from ncodec.streaming.boxes import Box, damage_as_format_error, find_box, read_boxes

_NON_SYNC = 0x10000
_OPTIONAL = (0x1, 0x2, 0x8, 0x10, 0x20)
"""flags of optional fields of a tfhd box: offset (8 bytes), description, duration, size, flags"""


@dataclass(frozen=True)
class Sample:
    """A coded frame, or a packet of sound."""

    data: bytes
    time: int
    """when it is shown, in units of the track's timescale"""
    is_key: bool
    """whether decoding can begin with it"""


@dataclass(frozen=True)
class Track:
    """Start of a file that describes a track (ftyp and moov), and the track's samples in decoding
    order."""

    start: bytes
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class _Defaults:
    duration: int
    size: int
    flags: int


def read_track(data: bytes) -> Track:
    """Track of a fragmented file with one track, as FFmpeg's muxer writes it.

    Times are in units of the file's timescale and begin at 0 for the first decoding time. Raises
    FormatError for another file.
    """
    boxes = list(read_boxes(data))
    start = b"".join(data[box.start : box.end] for box in boxes if box.kind in (b"ftyp", b"moov"))
    samples: list[Sample] = []
    with damage_as_format_error():
        for box in boxes:
            if box.kind == b"moof":
                samples += _samples(data, box)
    return Track(start, tuple(samples))


def timed(samples: Sequence[Sample], times: Sequence[int]) -> tuple[Sample, ...]:
    """Samples with the times of the frames that were coded, in ascending order: the sample that is
    shown first gets the first time.

    Raises FormatError where the numbers of samples and times differ.
    """
    if len(samples) != len(times):
        msg = f"expected {len(times)} coded frames, got {len(samples)}"
        raise FormatError(msg)
    order = sorted(range(len(samples)), key=lambda place: samples[place].time)
    shown = dict(zip(order, times, strict=True))
    return tuple(replace(sample, time=shown[place]) for place, sample in enumerate(samples))


def _samples(data: bytes, moof: Box) -> Iterator[Sample]:
    header = find_box(moof.body, b"tfhd").body
    defaults = _defaults(header)
    time = decoding_time(find_box(moof.body, b"tfdt"))
    run = find_box(moof.body, b"trun").body
    (word, count), place = struct.unpack_from(">II", run), 8
    flags = word & 0xFFFFFF
    offset = moof.start + struct.unpack_from(">i", run, place)[0]
    place += 4
    first_flags = None
    if flags & 0x4:
        (first_flags,), place = struct.unpack_from(">I", run, place), place + 4
    for number in range(count):
        duration, size, own, shift = defaults.duration, defaults.size, defaults.flags, 0
        if number == 0 and first_flags is not None:
            own = first_flags
        if flags & 0x100:
            (duration,), place = struct.unpack_from(">I", run, place), place + 4
        if flags & 0x200:
            (size,), place = struct.unpack_from(">I", run, place), place + 4
        if flags & 0x400:
            (own,), place = struct.unpack_from(">I", run, place), place + 4
        if flags & 0x800:
            (shift,), place = struct.unpack_from(">i", run, place), place + 4
        yield Sample(data[offset : offset + size], time + shift, not own & _NON_SYNC)
        offset, time = offset + size, time + duration


def _defaults(header: memoryview) -> _Defaults:
    flags, place = struct.unpack_from(">I", header)[0] & 0xFFFFFF, 8
    found = dict.fromkeys(_OPTIONAL, 0)
    for flag in _OPTIONAL:
        if flags & flag:
            width = 8 if flag == 0x1 else 4
            found[flag] = int.from_bytes(header[place : place + width], "big")
            place += width
    return _Defaults(found[0x8], found[0x10], found[0x20])


def decoding_time(box: Box) -> int:
    """Decoding time of a fragment's first sample, by its tfdt box, in units of the timescale."""
    kind = ">Q" if box.body[0] else ">I"
    time: int = struct.unpack_from(kind, box.body, 4)[0]
    return time
