"""Parts of streams are cut at intra frames and joined again without a change of any pixel, packet
or time."""

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_streams import (
    GOLDEN,
    HEADER,
    Records,
    cut,
    decoded,
    intra,
    join,
    made,
    of_kind,
    parts_of,
    predicted,
    same_pictures,
    sound,
)

import ncodec
from ncodec.container.chunks import pack_chunk
from ncodec.container.clip_metadata import Chapter, ClipMetadata
from ncodec.container.ncv import StreamReader
from ncodec.container.records import (
    Frame,
    LastDuration,
    Media,
    StreamHeader,
    Tag,
    Tracks,
)
from ncodec.errors import NcodecWarning

SOUND = Fraction(1, 48000)


@pytest.fixture(scope="module")
def tracks(sounding: bytes) -> Tracks:
    return of_kind(Tracks, sounding)[0]


def test_joined_parts_decode_to_the_pixels_of_the_stream(folder: Path, sounding: bytes) -> None:
    parts = parts_of(sounding)
    joined = join(*parts)
    assert [len(of_kind(Frame, part)) for part in parts] == [3, 3, 3, 1]
    assert {of_kind(Frame, part)[0].pts for part in parts} == {0}
    same_pictures(decoded(joined), decoded(sounding))
    assert of_kind(Frame, joined) == of_kind(Frame, sounding)
    assert of_kind(Media, joined) == of_kind(Media, sounding)
    assert of_kind(Tracks, joined) == of_kind(Tracks, sounding)
    assert ncodec.video_info(joined, verify=True).duration == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["clip", "film", "screen"])
def test_joined_parts_are_the_bytes_of_a_golden_stream(folder: Path, name: str) -> None:
    data = (GOLDEN / f"{name}.ncv").read_bytes()
    assert join(*parts_of(data)) == data


def test_a_part_decodes_to_the_frames_of_the_stream(folder: Path, sounding: bytes) -> None:
    whole = decoded(sounding)[3:9]
    part = cut(sounding, 0.12, 0.36)
    same_pictures(decoded(part), [replace(f, pts=f.pts - whole[0].pts) for f in whole])
    begins = [media.pts * SOUND for media in of_kind(Media, part)]
    assert 0 <= min(begins) < Fraction(1024, 48000)
    assert Fraction(24, 100) - Fraction(1024, 48000) <= max(begins) < Fraction(24, 100)


def test_a_start_between_frames_takes_the_frame_that_is_shown(folder: Path) -> None:
    data = made([intra(0), predicted(40), intra(80), predicted(120)])
    stats = ncodec.cut_video(data, "a.ncv", start=0.119, end=0.12 + 1e-4, overwrite=True)
    assert (stats.first, stats.frames, stats.start, stats.notices) == (2, 2, 0.08, ())
    with pytest.warns(NcodecWarning, match=r"intra frame at 0.080 s, 1 frame before 0.120 s"):
        ncodec.cut_video(data, "b.ncv", start=0.12)
    with pytest.warns(NcodecWarning, match=r"ends with the stream at 0.160 s, 1 frame after 0.100"):
        ncodec.cut_video(data, "c.ncv", end=0.1)
    with pytest.warns(NcodecWarning, match=r"the stream ends at 0.160 s, before 7.000 s"):
        ncodec.cut_video(data, "d.ncv", end=7)


def test_what_goes_with_frames_is_cut_with_them(folder: Path, tracks: Tracks) -> None:
    metadata = ClipMetadata(
        tags=(("title", "All"),),
        chapters=(
            Chapter(0, 80_000, "first"),
            Chapter(80_000, 150_000, "second"),
            Chapter(150_000, 200_000, "third"),
        ),
    )
    # 80 ms and 160 ms are 3840 and 7680 samples.
    records: Records = [
        tracks, metadata, sound(-1024), sound(0), intra(0), sound(3839), predicted(50),
        sound(3840), intra(80), sound(3000, 900), predicted(100), sound(7679), sound(7680),
        intra(160), sound(20000), LastDuration(50),
    ]  # fmt: skip
    data = made(records)
    first, second, third = parts_of(data)
    assert [media.data for media in of_kind(Media, first)] == [
        b"sound -1024", b"sound 0", b"sound 3839", b"sound 3000"
    ]  # fmt: skip
    assert [(m.pts, m.dts, m.data) for m in of_kind(Media, second)] == [
        (0, 0, b"sound 3840"),
        (3839, 3839, b"sound 7679"),
    ]
    assert [media.pts for media in of_kind(Media, third)] == [0, 20000 - 7680]
    assert of_kind(LastDuration, first) == [LastDuration(30)], "from 50 to 80"
    assert of_kind(LastDuration, second) == [LastDuration(60)]
    assert of_kind(LastDuration, third) == [LastDuration(50)]
    (found,) = of_kind(ClipMetadata, second)
    assert found.tags == (("title", "All"),)
    assert found.chapters == (Chapter(0, 70_000, "second"), Chapter(70_000, 80_000, "third"))
    joined = join(first, second, third)
    assert of_kind(Frame, joined) == of_kind(Frame, data)
    assert of_kind(LastDuration, joined) == [LastDuration(50)]
    assert [c.start for c in of_kind(ClipMetadata, joined)[0].chapters] == [
        0,
        80_000,
        150_000,
        160_000,
    ]


def test_subtitles_that_are_cut_off_are_named(folder: Path) -> None:
    tracks = of_kind(Tracks, (GOLDEN / "film.ncv").read_bytes())[0]
    held = Media(1, 60, 60, 50, True, b"held")  # in milliseconds
    data = made([tracks, intra(0), held, sound(3000, 2000), intra(80)])
    with pytest.warns(NcodecWarning, match="subtitles that began before the part were left out"):
        ncodec.cut_video(data, "a.ncv", start=0.08)
    without = made([tracks, intra(0), sound(3000, 2000), intra(80)])
    assert ncodec.cut_video(without, "b.ncv", start=0.08).notices == ()


def test_streams_of_their_own_follow_each_other(folder: Path, tracks: Tracks) -> None:
    metadata = ClipMetadata(tags=(("title", "A"),), chapters=(Chapter(0, 50_000, "a"),))
    one = made([tracks, metadata, intra(10), sound(0), sound(9000), predicted(50)])
    other = replace(metadata, tags=(("title", "B"),))
    late = [intra(-30), sound(-2000), sound(-1440), predicted(0), LastDuration(7), sound(9000)]
    with pytest.warns(NcodecWarning) as warned:
        stats = ncodec.join_videos([one, made([tracks, other, *late])], "a.ncv")
    data = Path("a.ncv").read_bytes()
    assert [frame.pts for frame in of_kind(Frame, data)] == [10, 50, 90, 120], "and 40 ms are usual"
    assert [media.pts for media in of_kind(Media, data)] == [0, 4320, 14760]
    assert of_kind(LastDuration, data) == [LastDuration(7)]
    (found,) = of_kind(ClipMetadata, data)
    assert found.tags == (("title", "A"),)
    assert found.chapters == (Chapter(0, 50_000, "a"), Chapter(120_000, 170_000, "a"))
    assert stats.starts == (0.01, 0.09)
    other_tags, outside = (str(warning.message) for warning in warned)
    assert other_tags == "stream 2 has other metadata (tags): those of stream 1 were kept"
    assert outside.startswith("2 packets of sound or subtitles that begin outside the frames of ")


def test_the_finest_time_base_holds_all_time_stamps(folder: Path) -> None:
    coarse = made([intra(1), predicted(2)], replace(HEADER, time_base=Fraction(1, 25)))
    fine = made([intra(0), predicted(45)])
    for parts, stamps in (([coarse, fine], [40, 80, 120, 165]), ([fine, coarse], [0, 45, 85, 125])):
        data = join(*parts)
        assert StreamReader(io.BytesIO(data)).header == HEADER
        assert [frame.pts for frame in of_kind(Frame, data)] == stamps
    odd = made([intra(0), predicted(1), predicted(2)], replace(HEADER, time_base=Fraction(1, 30)))
    with pytest.warns(NcodecWarning, match="time stamps of stream 2 were rounded to 1/1000 s"):
        data = join(fine, odd)
    assert [frame.pts for frame in of_kind(Frame, data)] == [0, 45, 85, 118, 152]


def test_streams_without_predicted_frames_join_others(folder: Path) -> None:
    still = made([intra(0)], replace(HEADER, frame_model=0))
    data = join(still, made([intra(0), predicted(40)]))
    assert StreamReader(io.BytesIO(data)).header == HEADER


def test_another_rate_is_said(folder: Path) -> None:
    slow = made([intra(0)], replace(HEADER, rate=Fraction(10)))
    with pytest.warns(NcodecWarning, match="stream 2 has 10 frames a second on average, not 25"):
        data = join(made([intra(0)]), slow)
    assert of_kind(LastDuration, data) == [LastDuration(100)], "the header would say 40"


def test_chunks_of_newer_versions_are_left_out_and_named(folder: Path) -> None:
    data = made([intra(0)])
    start = ncodec.video_index(data).start_size
    newer = data[:start] + pack_chunk(200, b"new") + data[start:]
    with pytest.warns(NcodecWarning, match="1 chunks that only a newer ncodec knows"):
        assert cut(newer, None, None) == data


@st.composite
def streams(draw: st.DrawFn) -> tuple[StreamHeader, list[Frame], list[tuple[int, int]], Fraction]:
    bases = st.builds(Fraction, st.integers(1, 5), st.integers(1, 100_000))
    header = replace(HEADER, time_base=draw(bases), rate=Fraction(draw(st.integers(1, 60))))
    pts, frames = 0, [intra(0)]
    for gap in draw(st.lists(st.integers(1, 90), max_size=12)):
        pts += gap
        frames.append(intra(pts) if draw(st.booleans()) else predicted(pts))
    packets = draw(st.lists(st.tuples(st.integers(-90, 2000), st.integers(0, 12)), max_size=12))
    return header, frames, packets, draw(bases)


def interleaved(frames: list[Frame], packets: list[tuple[int, int]]) -> Iterator[Frame | Media]:
    for number, frame in enumerate(frames):
        yield from (sound(pts) for pts, place in packets if place == number)
        yield frame
    yield from (sound(pts) for pts, place in packets if place >= len(frames))


@settings(max_examples=150, deadline=None)
@given(streams())
def test_any_stream_is_its_parts(
    tracks: Tracks,
    tmp_path_factory: pytest.TempPathFactory,
    stream: tuple[StreamHeader, list[Frame], list[tuple[int, int]], Fraction],
) -> None:
    header, frames, packets, base = stream
    tracks = replace(tracks, time_bases=(base,))
    data = made([tracks, *interleaved(frames, packets)], header)
    folder = tmp_path_factory.mktemp("parts")
    edges = [Fraction(f.pts) * header.time_base for f in frames if f.tag == Tag.INTRA]
    names = []
    for i, (start, end) in enumerate(pairwise([*edges, None])):
        names.append(folder / f"{i}.ncv")
        # Just before an edge, since a float of seconds is not every fraction.
        late = None if end is None else float(end - header.time_base / 2)
        early = float((start or 0) + header.time_base / 4)
        ncodec.cut_video(data, names[-1], start=early, end=late)
    ncodec.join_videos(names, folder / "all.ncv")
    joined = (folder / "all.ncv").read_bytes()
    assert of_kind(Frame, joined) == frames
    assert of_kind(LastDuration, joined) == []
    by_time = [sorted(of_kind(Media, one), key=lambda m: (m.pts, m.data)) for one in (joined, data)]
    assert by_time[0] == by_time[1], "every packet once, at its time"
