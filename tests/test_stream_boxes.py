"""Boxes, samples and segments: what is written is read back, and damage is said."""

import io
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_clips import X264, ffmpeg, picture, tone
from stream_reading import shown

from ncodec.errors import FormatError
from ncodec.streaming.boxes import find_box, find_boxes, pack_box, pack_full_box, read_boxes
from ncodec.streaming.codec_strings import codec_string
from ncodec.streaming.samples import Sample, Track, read_track, timed
from ncodec.streaming.segments import decoding_times, pack_segment, pack_start, read_segment

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets")
REORDERED = 2
"""frames by which x264 decodes ahead"""
TICKS = 512
"""units of a frame in what FFmpeg writes of 25 frames a second"""


@pytest.fixture(scope="module")
def fragmented(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Thirty frames of H.264 with B-frames, with a key frame every ten."""
    path = tmp_path_factory.mktemp("boxes") / "clip.mp4"
    options = ["-bf", "3", "-b-pyramid", "normal", "-g", "10", "-sc_threshold", "0"]
    return ffmpeg(*picture(1.2), *X264[:-4], *options, *FRAGMENTED, path).read_bytes()


@pytest.fixture(scope="module")
def track(fragmented: bytes) -> Track:
    return read_track(fragmented)


def test_boxes_come_back_with_their_places() -> None:
    data = pack_box(b"ftyp", b"isom", b"more") + pack_full_box(b"elst", b"x", version=1, flags=5)
    first, second = read_boxes(data)
    assert (first.kind, bytes(first.body), first.start, first.end) == (b"ftyp", b"isommore", 0, 16)
    assert (second.kind, bytes(second.body)) == (b"elst", b"\x01\x00\x00\x05x")
    assert (second.start, second.end) == (16, len(data))


def test_boxes_are_found_at_any_depth() -> None:
    inner = pack_box(b"trak", pack_box(b"mdia", pack_box(b"hdlr", b"one")))
    data = pack_box(b"free", b"hdlr") + pack_box(b"moov", inner, pack_box(b"hdlr", b"two"))
    assert [bytes(box.body) for box in find_boxes(data, b"hdlr")] == [b"one", b"two"]
    with pytest.raises(FormatError, match="expected a box 'mdat'"):
        find_box(data, b"mdat")


@pytest.mark.parametrize(
    "data",
    [b"\0\0\0\7free", b"\0\0\0\x09free", b"\0\0\0", b"\xff\xff\xff\xffmdat", b"\0\0\0\0mdat"],
)
def test_a_box_that_is_cut_or_too_short_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="expected a box"):
        list(read_boxes(data))


def test_samples_are_the_packets_that_a_player_finds(fragmented: bytes, track: Track) -> None:
    with av.open(io.BytesIO(fragmented)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        decoded = [frame.key_frame for frame in container.streams.video[0].codec_context.decode()]
    assert decoded == []
    assert [sample.data for sample in track.samples] == [bytes(packet) for packet in packets]
    assert [sample.is_key for sample in track.samples] == [one.is_keyframe for one in packets]
    first = packets[0].pts - track.samples[0].time
    assert [sample.time + first for sample in track.samples] == [one.pts for one in packets]
    assert sorted(track.samples, key=lambda one: one.time) != list(track.samples), "some B-frames"


def segment_of(track: Track, *, delay: int = REORDERED * TICKS) -> bytes:
    end = max(sample.time for sample in track.samples) + TICKS
    return pack_segment(track.samples, end=end, number=1, delay=delay)


def test_a_segment_shows_its_frames_where_their_samples_say(track: Track) -> None:
    delay = REORDERED * TICKS
    data = pack_start(track.start, delay=delay) + segment_of(track)
    before = shown(track.start + segment_of(track, delay=0))
    found = shown(data)
    times = sorted(sample.time for sample in track.samples)
    assert len(found) == len(before) == len(track.samples) == 30
    assert [one.frame.pts for one in found] == times, "the edit list takes the delay back"
    assert [one.frame.key_frame for one in found] == [n % 10 == 0 for n in range(30)]


def test_the_edit_list_is_the_delay_and_all_else_stays(track: Track) -> None:
    start = pack_start(track.start, delay=1024)
    body = bytes(find_box(start, b"elst").body)
    assert body == (0).to_bytes(4) + (1).to_bytes(4) + (0).to_bytes(4) + (1024).to_bytes(4) + (
        1 << 16
    ).to_bytes(4)
    (moov,) = (box for box in read_boxes(start) if box.kind == b"moov")
    (trak,) = (box for box in read_boxes(moov.body) if box.kind == b"trak")
    assert [box.kind for box in read_boxes(trak.body)][:2] == [b"tkhd", b"edts"]
    edit = pack_box(b"edts", bytes(find_box(trak.body, b"edts").body))
    assert len(start) == len(track.start) + len(edit)
    assert pack_start(track.start, delay=0) == track.start


def test_what_was_written_of_a_segment_is_read_back(track: Track) -> None:
    data = segment_of(track)
    found = read_segment(data)
    assert (found.size, found.start, found.samples) == (len(data), 0, 30)
    assert (found.duration, found.end) == (30 * TICKS, 30 * TICKS)
    assert [key.duration for key in found.keys] == [10 * TICKS] * 3
    for number, key in enumerate(found.keys):
        part = track.start + data[key.offset : key.offset + key.length]
        assert [one.frame.pts for one in shown(part)] == [10 * number * TICKS + REORDERED * TICKS]


def test_damaged_files_are_refused(fragmented: bytes, track: Track) -> None:
    segment = segment_of(track)
    for length in range(1, 200, 7):
        with pytest.raises(FormatError):
            read_segment(segment[:-length])
    for length in (1, 100, len(fragmented) // 2):
        with pytest.raises(FormatError):
            read_track(fragmented[:-length])
    with pytest.raises(FormatError):
        read_track(b"RIFF" + fragmented[4:])
    with pytest.raises(FormatError):
        codec_string(track.start[:-1])


@pytest.mark.parametrize("kind", [b"trun", b"tfdt", b"tfhd"])
def test_fragments_whose_boxes_are_too_short_are_refused(track: Track, kind: bytes) -> None:
    """Boxes that say themselves that they hold nothing."""
    segment = segment_of(track)
    place = segment.index(kind) - 4
    size = int.from_bytes(segment[place : place + 4])
    emptied = (
        segment[:place] + (8).to_bytes(4) + kind + (size - 8).to_bytes(4) + b"free"
        + segment[place + 16 : place + size] + segment[place + size :]
    )  # fmt: skip
    with pytest.raises(FormatError):
        read_track(track.start + emptied)
    if kind != b"tfhd":
        with pytest.raises(FormatError):
            read_segment(emptied)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["-c:v", "libx264", "-profile:v", "high", "-level", "3.1"], "avc1.64001f"),
        (["-c:v", "libx264", "-profile:v", "baseline", "-level", "1.3"], "avc1.42c00d"),
        (["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "level-idc=30:log-level=none"],
         "hvc1.1.6.L90.90"),
        (["-c:v", "libsvtav1", "-preset", "12"], "av01.0.00M.08"),
        (["-c:v", "libsvtav1", "-preset", "12", "-pix_fmt", "yuv420p10le"], "av01.0.00M.10"),
    ],
)  # fmt: skip
def test_names_of_video_codecs_are_those_of_rfc_6381(
    arguments: list[str], name: str, tmp_path: Path
) -> None:
    layout = [] if "-pix_fmt" in arguments else ["-pix_fmt", "yuv420p"]
    made = ffmpeg(*picture(0.2), *arguments, *layout, *FRAGMENTED, tmp_path / "clip.mp4")
    assert codec_string(read_track(made.read_bytes()).start) == name


@pytest.mark.parametrize(
    ("encoder", "name"), [("aac", "mp4a.40.2"), ("libopus", "opus"), ("flac", None)]
)
def test_names_of_sound_codecs_are_those_of_rfc_6381(
    encoder: str, name: str | None, tmp_path: Path
) -> None:
    made = ffmpeg(*tone(0.2), "-c:a", encoder, *FRAGMENTED, tmp_path / "sound.mp4").read_bytes()
    start = read_track(made).start
    if name is not None:
        assert codec_string(start) == name
        return
    with pytest.raises(FormatError, match="expected a track of"):
        codec_string(start)


def test_samples_get_the_times_of_frames_in_the_order_in_which_they_are_shown() -> None:
    samples = [Sample(b"%d" % time, time, time == 0) for time in (0, 30, 10, 20)]
    found = timed(samples, [7, 8, 50, 51])
    assert [(sample.data, sample.time) for sample in found] == [
        (b"0", 7), (b"30", 51), (b"10", 8), (b"20", 50)
    ]  # fmt: skip
    with pytest.raises(FormatError, match="expected 3 coded frames, got 4"):
        timed(samples, [1, 2, 3])


@st.composite
def reordered(draw: st.DrawFn) -> tuple[list[int], int]:
    """Times of frames in an order in which encoders with a pyramid of B-frames decode them, and
    what two frames take on average."""
    steps = draw(st.lists(st.integers(1, 100_000), min_size=1, max_size=40))
    times = [sum(steps[:place]) for place in range(len(steps))]
    order: list[int] = [times[0]]
    rest = times[1:]
    while rest:
        size = draw(st.integers(1, min(4, len(rest))))
        group, rest = rest[:size], rest[size:]
        *shown_before, last = group
        middle = len(shown_before) // 2
        pyramid = [shown_before[middle]] if shown_before else []
        order += [last, *pyramid, *(time for time in shown_before if time not in pyramid)]
    return order, max(2, round(2 * (times[-1] + steps[-1]) / len(times)))


@given(reordered())
def test_decoding_times_ascend_and_none_is_later_than_its_frame(
    case: tuple[list[int], int],
) -> None:
    times, delay = case
    found = decoding_times(times, delay=delay)
    assert all(before < after for before, after in pairwise(found))
    assert all(one <= time + delay for one, time in zip(found, times, strict=True))
    assert found[0] == times[0], "a segment begins where the one before ends"


@given(reordered(), st.integers(1, 100_000), st.integers(0, 10**10))
def test_durations_of_samples_add_up_to_the_segment(
    case: tuple[list[int], int], last: int, start: int
) -> None:
    order, delay = case
    times = [start + time for time in order]
    samples = [Sample(b"%d" % time, time, place == 0) for place, time in enumerate(times)]
    end = max(times) + last
    data = pack_segment(samples, end=end, number=3, delay=delay)
    found = read_segment(data)
    assert (found.start, found.duration, found.samples) == (start, end - start, len(times))
    back = read_track(data).samples
    assert [(one.data, one.is_key) for one in back] == [(one.data, one.is_key) for one in samples]
    assert [one.time - delay for one in back] == times


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.data())
def test_every_key_frame_begins_a_fragment(lengths: Sequence[int], data: st.DataObject) -> None:
    starts = [sum(lengths[:place]) for place in range(len(lengths))]
    samples = [Sample(b"x" * (n + 1), 10 * n, n in starts) for n in range(sum(lengths))]
    if all(sample.is_key for sample in samples):
        return  # as sound is, in one fragment
    found = read_segment(pack_segment(samples, end=10 * len(samples), number=1))
    assert [key.duration for key in found.keys] == [10 * length for length in lengths]
    assert found.samples == len(samples)
