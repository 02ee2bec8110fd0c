"""A stream survives a pipe, seeks by its index, refuses damage, and goes on at the next intra frame
when asked."""

import io
from dataclasses import replace
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT

from ncodec.container.chunks import pack_chunk
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.records import (
    SYNC,
    Colour,
    End,
    Frame,
    Index,
    Media,
    Record,
    StreamHeader,
    Tag,
    Tracks,
    pack_header,
    pack_record,
)
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.tables import Table
from ncodec.errors import FormatError, InputError

HEADER = StreamHeader(
    0x01020304,
    0x0A0B0C0D,
    640,
    361,
    Fraction(1, 90000),
    Fraction(30000, 1001),
    Fraction(4, 3),
    Colour(1, 9, 16, True),
)
RECORDS: list[Frame | Tracks | Media] = [
    Tracks("nut", (Fraction(1, 48000), Fraction(1, 1000)), b"a NUT file"),
    Frame(Tag.INTRA, -3, 40, b"first symbols"),
    Media(0, 0, -2, 20, True, b"sound"),
    Frame(Tag.PREDICTED, 1, 41, b"second symbols"),
    Frame(Tag.DUPLICATE, 5),
    Frame(Tag.INTRA, 6, 12, b"third symbols"),
    Frame(Tag.PREDICTED, 7, 13, b"more"),
    Media(1, 900, 900, 0, False, b"words"),
]


def written(records: list[Frame | Tracks | Media] = RECORDS, *, whole: bool = True) -> bytes:
    sink = io.BytesIO()
    writer = StreamWriter(sink, HEADER)
    for record in records:
        writer.write(record)
    if whole:
        writer.finish()
    return sink.getvalue()


def read(data: bytes) -> list[Record]:
    return list(StreamReader(io.BytesIO(data)).records())


class Pipe(io.RawIOBase):
    """Stream that arrives a few bytes at a time and cannot seek."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        taken, self.data = self.data[: min(size, 3)], self.data[min(size, 3) :]
        return taken


def as_stream(pipe: Pipe) -> BinaryIO:
    return pipe  # type: ignore[return-value]


def test_what_is_written_is_read() -> None:
    reader = StreamReader(io.BytesIO(written()))
    assert reader.header == HEADER
    *records, index, end = reader.records()
    assert records == RECORDS
    assert isinstance(index, Index)
    assert [pts for pts, _ in index.places] == [-3, 6]
    assert isinstance(end, End)
    assert end.frames == 5


def test_a_pipe_reads_the_same_and_has_no_index() -> None:
    reader = StreamReader(as_stream(Pipe(written())))
    assert list(reader.records())[: len(RECORDS)] == RECORDS
    assert reader.index() is None


def test_the_index_leads_to_every_intra_frame() -> None:
    data = written()
    reader = StreamReader(io.BytesIO(data))
    assert reader.read() == RECORDS[0]
    index = reader.index()
    assert index is not None
    assert reader.read() == RECORDS[1], "looking for the index moved nothing"
    for pts, offset in reversed(index.places):
        assert data[offset : offset + 4] == SYNC
        for wanted in (pts, pts + 1):
            reader.seek_before(wanted)
            frame = reader.read()
            assert isinstance(frame, Frame)
            assert (frame.tag, frame.pts) == (Tag.INTRA, pts)


def test_what_is_still_being_written_can_be_read_so_far() -> None:
    reader = StreamReader(io.BytesIO(written(whole=False)))
    assert reader.index() == StreamReader(io.BytesIO(written())).index()
    seen: list[Record] = []
    with pytest.raises(FormatError, match="truncated"):
        seen.extend(reader.records())
    assert seen == RECORDS


def test_a_cut_file_is_read_up_to_the_cut() -> None:
    data = written()
    whole = read(data)
    lengths = set()
    for length in range(len(data)):
        seen: list[Record] = []
        with pytest.raises(FormatError):
            seen.extend(StreamReader(io.BytesIO(data[:length])).records())
        assert seen == whole[: len(seen)]
        lengths.add(len(seen))
    assert lengths == set(range(len(whole)))


def test_every_flipped_byte_is_noticed_and_passed_over() -> None:
    data = written()
    start = len(written([], whole=False))
    for position in range(start, len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        reader = StreamReader(io.BytesIO(bytes(damaged)))
        seen: list[Record] = []
        with pytest.raises(FormatError):
            seen.extend(reader.records())
        assert seen == read(data)[: len(seen)]
        if reader.skip_damage():
            frame = reader.read()
            assert frame in (RECORDS[1], RECORDS[5])
            assert frame not in seen


def test_the_worked_example_of_the_specification() -> None:
    section = (ROOT / "codec" / "FORMAT.md").read_text("utf-8").split("## Example of a stream")[1]
    example = bytes.fromhex(section.split("```")[1])
    assert f"{len(example)} bytes" in section
    header = StreamHeader(0x01020304, 0x0A0B0C0D, 3, 2, Fraction(1, 25), Fraction(25))
    assert StreamReader(io.BytesIO(example)).header == header
    frames: list[Frame | Tracks | Media] = [
        Frame(Tag.INTRA, 0, 32, bytes.fromhex("00 00 00 7a")),
        Frame(Tag.DUPLICATE, 1),
    ]
    assert read(example)[:2] == frames
    sink = io.BytesIO()
    writer = StreamWriter(sink, header)
    for frame in frames:
        writer.write(frame)
    writer.finish()
    assert sink.getvalue() == example
    unpacker = Unpacker(bytes.fromhex("00 00 00 7a"))
    made_up = Table(np.array([0x7A0000, 2**24 - 0x7A0000 - 2, 1, 1], dtype=np.uint32))
    assert unpacker.values(made_up, 1).tolist() == [0]
    unpacker.finish()


def test_damage_in_the_header_is_refused() -> None:
    data = written()
    for position in range(len(written([], whole=False))):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        with pytest.raises(FormatError):
            StreamReader(io.BytesIO(bytes(damaged)))


def test_a_length_that_lies_allocates_nothing() -> None:
    start = written([], whole=False)
    for length in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff\x7f", b"\xff\xff\xff\xff\xff\x01"):
        with pytest.raises(FormatError, match=r"truncated|at most|damaged"):
            read(start + bytes([Tag.INTRA]) + length + b"few bytes")


def test_an_index_that_lies_is_ignored() -> None:
    data = bytearray(written())
    data[-3] ^= 1
    reader = StreamReader(io.BytesIO(bytes(data)))
    assert reader.index() == StreamReader(io.BytesIO(written())).index()
    assert reader.read() == RECORDS[0]


def without(frame: Frame) -> bytes:
    """The stream, from which the chunk of a frame was lost."""
    whole, number = written(whole=False), RECORDS.index(frame)
    before, upto = (len(written(RECORDS[:end], whole=False)) for end in (number, number + 1))
    return whole[:before] + whole[upto:]


@pytest.mark.parametrize("lost", [RECORDS[3], RECORDS[4]])
def test_lost_frames_are_noticed_and_passed_over(lost: Frame) -> None:
    reader = StreamReader(io.BytesIO(without(lost)))
    seen: list[Record] = []
    with pytest.raises(FormatError, match="frames are missing"):
        seen.extend(reader.records())
    assert RECORDS[1] in seen
    assert reader.skip_damage()
    assert reader.read() == RECORDS[5], "the next intra frame is not lost with them"
    assert reader.read() == RECORDS[6]


def test_frames_that_the_end_counts_must_be_there() -> None:
    last = RECORDS[6]
    assert isinstance(last, Frame)
    data = written()
    before, upto = (len(written(RECORDS[:end], whole=False)) for end in (6, 7))
    with pytest.raises(FormatError, match="expected 5 frames before the end, got 4"):
        read(data[:before] + data[upto:])


def test_time_stamps_must_rise() -> None:
    with pytest.raises(InputError, match="expected a time stamp after 5, got 5"):
        written([Frame(Tag.INTRA, 5, 1), Frame(Tag.INTRA, 5, 1)])
    whole = [SYNC + pack_record(Frame(Tag.INTRA, 5, 1, number=number)) for number in (0, 1)]
    with pytest.raises(FormatError, match="expected a time stamp after 5, got 5"):
        read(pack_header(HEADER) + b"".join(whole))


def test_an_index_beyond_its_limit_is_thinned_and_refused() -> None:
    places = tuple((100000 * i, 100000 * i) for i in range(300_000))
    with pytest.raises(FormatError, match="expected at most 1048576 bytes in the chunk"):
        read(pack_header(HEADER) + pack_record(Index(places)))
    sink = io.BytesIO()
    writer = StreamWriter(sink, HEADER)
    writer._places = list(places)
    writer.finish()
    index = StreamReader(io.BytesIO(sink.getvalue())).index()
    assert index == Index(places[::2])


def test_who_reads_a_pipe_sees_what_was_written() -> None:
    class Sink(io.BytesIO):
        seen = b""

        def seekable(self) -> bool:
            return False

        def flush(self) -> None:
            self.seen = self.getvalue()

    sink = Sink()
    StreamWriter(sink, HEADER).write(RECORDS[1])
    assert sink.seen == written([RECORDS[1]], whole=False)


def test_a_damaged_length_swallows_nothing() -> None:
    data = written()
    place = len(written(RECORDS[:3], whole=False)) + 1
    damaged = data[:place] + b"\xff\xff\x7f" + data[place + 1 :]
    reader = StreamReader(io.BytesIO(damaged))
    with pytest.raises(FormatError, match="truncated"):
        list(reader.records())
    assert reader.skip_damage()
    assert reader.read() == RECORDS[5]


def test_marks_made_on_purpose_cost_bounded_time() -> None:
    lies = (SYNC + bytes([Tag.INTRA]) + b"\xff\xff\xff\x7f") * 200_000
    reader = StreamReader(io.BytesIO(written([], whole=False) + lies))
    for _ in range(200_000):
        with pytest.raises(FormatError):
            reader.read()
        if not reader.skip_damage():
            break


def test_numbers_beyond_the_format_are_refused() -> None:
    writer = StreamWriter(io.BytesIO(), HEADER)
    with pytest.raises(InputError, match="at most 34 bits"):
        writer.write(Frame(Tag.INTRA, 2**40, 1))
    for wrong in (
        {"width": 0},
        {"height": 20000},
        {"time_base": Fraction(0)},
        {"rate": Fraction(0)},
        {"rate": Fraction(2**31)},
        {"pixel_aspect": Fraction(-1)},
    ):
        with pytest.raises(FormatError, match="expected"):
            replace(HEADER, **wrong)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_bytes_of_all_sorts_raise_format_errors_alone(data: bytes) -> None:
    with pytest.raises(FormatError):
        read(data)
    with pytest.raises(FormatError):
        read(written([], whole=False) + data)


def test_a_frame_that_repeats_the_last_one_takes_eight_bytes() -> None:
    writer = StreamWriter(io.BytesIO(), HEADER)
    writer.write(Frame(Tag.INTRA, 0, 1))
    assert writer.write(Frame(Tag.DUPLICATE, 1)) == 8


@pytest.mark.parametrize("offset", [2**63, 2**63 - 1, 2**40, 3])
def test_an_index_that_is_elsewhere_is_found_by_reading(offset: int) -> None:
    data = written()
    end = pack_record(End(offset, 5))
    reader = StreamReader(io.BytesIO(data[: -len(end)] + end))
    assert reader.index() == StreamReader(io.BytesIO(data)).index()


def test_an_index_that_points_elsewhere_is_not_believed() -> None:
    body = written(whole=False)
    index = pack_record(Index(((-3, 1), (6, len(body) - 2))))
    data = body + index + pack_record(End(len(body), 5))
    reader = StreamReader(io.BytesIO(data))
    reader.seek_before(7)
    assert reader.read() == replace(RECORDS[5], number=3)  # type: ignore[type-var]


def test_time_bases_of_tracks_are_of_31_bits() -> None:
    tracks = pack_record(Tracks("nut", (Fraction(1, 2**31),), b"a NUT file"))
    with pytest.raises(FormatError, match="time bases of 31 bits"):
        read(pack_header(HEADER) + tracks)


def test_an_end_of_another_length_is_refused() -> None:
    end = pack_chunk(Tag.END, bytes(14))
    with pytest.raises(FormatError, match="expected 12 bytes in the end of a stream, got 14"):
        read(pack_header(HEADER) + end)
