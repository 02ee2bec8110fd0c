"""Whole streams: every rendition shows every frame at its time, in segments that stand alone."""

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stream_clips import HIGH, WIDE, Photo
from stream_reading import (
    attributes,
    frames_of,
    joined,
    levels_of,
    media_folders,
    packets_of,
    playlist,
    shown,
)

from ncodec.media.ffmpeg_command import run_ffmpeg
from ncodec.picture import psnr
from ncodec.streaming.boxes import find_box, find_boxes, read_boxes

pytest.importorskip("m3u8")

FRAMES, KEYS, STARTS = 198, [0, 65, 85, 123], [0, 65, 123]
NAMES = [f"{codec}-{rung}" for codec in ("av1", "h264", "hevc") for rung in ("1-180p", "2-144p")]


@pytest.fixture(params=NAMES)
def rendition(request: pytest.FixtureRequest, ladder: Path) -> Path:
    return ladder / "video" / str(request.param)


@pytest.fixture(scope="module")
def record(ladder: Path) -> Any:
    return json.loads((ladder / "stream.json").read_text("utf-8"))


def decoded(source: Path) -> list[Photo]:
    """Frames of a clip, by FFmpeg's command."""
    raw = run_ffmpeg(["-i", source, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
    return list(np.frombuffer(raw, np.uint8).reshape(-1, HIGH, WIDE, 3))


def test_the_stream_has_the_renditions_that_were_asked_for(ladder: Path) -> None:
    assert [folder.name for folder in media_folders(ladder)] == NAMES


def test_every_frame_is_shown_at_its_time(rendition: Path) -> None:
    found = frames_of(rendition)
    assert [one.time for one in found] == [Fraction(number, 25) for number in range(FRAMES)]
    size = (320, 180) if "180p" in rendition.name else (256, 144)
    assert {one.size for one in found} == {size}


def test_playlists_show_the_same_to_ffmpeg(rendition: Path) -> None:
    import av

    with av.open(str(rendition / "media.m3u8")) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert times == [Fraction(number, 25) for number in range(FRAMES)]


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_frames_look_like_those_of_the_clip(ladder: Path, ladder_clip: Path, codec: str) -> None:
    found, expected = frames_of(ladder / "video" / f"{codec}-1-180p"), decoded(ladder_clip)
    quality = [psnr(one.pixels, own) for one, own in zip(found, expected, strict=True)]
    assert min(quality) > 18
    for number in KEYS[1:]:
        before = psnr(found[number].pixels, expected[number - 1])
        assert quality[number] > before + 5, "a shot begins with its own first frame"


def test_key_frames_are_the_cuts_in_every_rendition(rendition: Path) -> None:
    packets = list(packets_of(joined(rendition)))
    keys = [packet.pts * packet.time_base for packet in packets if packet.is_keyframe]
    assert keys == [Fraction(number, 25) for number in KEYS]
    frames = [n for n, one in enumerate(frames_of(rendition)) if one.frame.key_frame]
    assert frames == KEYS


def test_every_segment_decodes_alone(rendition: Path) -> None:
    whole = frames_of(rendition)
    ends = [*STARTS[1:], FRAMES]
    for number, (first, last) in enumerate(zip(STARTS, ends, strict=True), 1):
        alone = shown(joined(rendition, number))
        assert [one.time for one in alone] == [one.time for one in whole[first:last]]
        for one, own in zip(alone, whole[first:last], strict=True):
            np.testing.assert_array_equal(one.frame.to_ndarray(), own.frame.to_ndarray())


def test_boxes_say_when_each_sample_is_decoded_and_shown(rendition: Path) -> None:
    """Without FFmpeg, which mends some mistakes: durations add up from segment to segment, shifts
    are not negative, and the edit list takes them back."""
    edits = list(find_boxes((rendition / "init.mp4").read_bytes(), b"elst"))
    delay = int.from_bytes(edits[0].body[12:16]) if edits else 0
    time, times = 0, []
    for number in (1, 2, 3):
        data = (rendition / f"{number:05d}.m4s").read_bytes()
        for moof in find_boxes(data, b"moof"):
            assert int.from_bytes(find_box(moof.body, b"tfdt").body[4:12]) == time
            run = find_box(moof.body, b"trun").body
            for duration, _, _, shift in struct.iter_unpack(">IIIi", run[12:]):
                assert duration > 0
                assert shift >= 0
                times.append(time + shift - delay)
                time += duration
    assert Fraction(time, 10_000) == Fraction(FRAMES, 25)
    assert sorted(times) == [400 * number for number in range(FRAMES)]


def test_fragments_are_numbered_upwards(rendition: Path) -> None:
    numbers = [
        int.from_bytes(find_box(moof.body, b"mfhd").body[4:8])
        for number in (1, 2, 3)
        for moof in find_boxes((rendition / f"{number:05d}.m4s").read_bytes(), b"moof")
    ]
    assert numbers == sorted(set(numbers))


def test_segments_begin_as_cmaf_wants(rendition: Path) -> None:
    kinds = [box.kind for box in read_boxes((rendition / "00002.m4s").read_bytes())]
    assert kinds == [b"styp", b"moof", b"mdat", b"moof", b"mdat"], "one for each key frame"
    start = [box.kind for box in read_boxes((rendition / "init.mp4").read_bytes())]
    assert start == [b"ftyp", b"moov"]


def rates(folder: Path) -> list[float]:
    """Bits a second of each segment, by files and playlist."""
    return [
        8 * (folder / entry.uri).stat().st_size / entry.duration
        for entry in playlist(folder / "media.m3u8").segments
    ]


def average(folders: Sequence[Path]) -> float:
    """Bits a second of tracks together, by files and playlists."""
    total = 0.0
    for folder in folders:
        entries = playlist(folder / "media.m3u8").segments
        size = sum((folder / entry.uri).stat().st_size for entry in entries)
        total += 8 * size / sum(entry.duration for entry in entries)
    return total


@pytest.mark.parametrize("name", ["master", "h264", "hevc", "av1"])
def test_bandwidths_are_those_of_the_files(ladder: Path, name: str) -> None:
    sound = ladder / "audio" / "aac-1"
    variants = playlist(ladder / f"{name}.m3u8").playlists
    assert len(variants) == (6 if name == "master" else 2)
    for variant in variants:
        video = (ladder / variant.uri).parent
        peak = max(rates(video)) + max(rates(sound))
        assert peak <= variant.stream_info.bandwidth + 2 <= peak * 1.01 + 4
        found = variant.stream_info.average_bandwidth
        assert found == pytest.approx(average([video, sound]), rel=0.01)


def test_the_record_says_what_the_files_are(ladder: Path, record: Any) -> None:
    assert (record["frames"], record["shots"], record["segments"]) == (FRAMES, 4, 3)
    assert record["segment_starts"] == [number / 25 for number in STARTS]
    assert record["seconds"] == pytest.approx(FRAMES / 25, abs=0.03)
    for one in record["renditions"]:
        folder = (ladder / one["playlist"]).parent
        files = [*folder.glob("*.m4s"), folder / "init.mp4"]
        assert one["bytes"] == sum(path.stat().st_size for path in files)
        assert one["bandwidth"] == pytest.approx(max(rates(folder)), abs=2)
        assert one["average_bandwidth"] == pytest.approx(average([folder]), abs=2)
        assert (one["width"], one["height"]) == frames_of(folder)[0].size


def test_ranges_of_key_frames_decode_to_those_frames(rendition: Path) -> None:
    whole = frames_of(rendition)
    entries = playlist(rendition / "iframes.m3u8").segments
    assert len(entries) == len(KEYS)
    for entry, number in zip(entries, KEYS, strict=True):
        length, _, offset = entry.byterange.partition("@")
        part = (rendition / entry.uri).read_bytes()[int(offset) : int(offset) + int(length)]
        assert len(part) == int(length)
        (one,) = shown((rendition / "init.mp4").read_bytes() + part)
        assert one.time == Fraction(number, 25)
        np.testing.assert_array_equal(one.frame.to_ndarray(), whole[number].frame.to_ndarray())
    times = [entry.duration for entry in entries]
    assert times == pytest.approx([2.6, 0.8, 1.52, 3.0], abs=1e-5)


def test_key_frames_stay_below_their_bandwidth(ladder: Path) -> None:
    for one in attributes(ladder / "master.m3u8", "EXT-X-I-FRAME-STREAM-INF"):
        path = ladder / one["URI"]
        for entry in playlist(path).segments:
            bits = 8 * int(entry.byterange.partition("@")[0])
            assert bits / entry.duration <= int(one["BANDWIDTH"]) + 1


@pytest.mark.parametrize("name", ["aac-1", "opus-1"])
def test_sound_lasts_as_long_as_the_video_and_is_that_of_the_clip(ladder: Path, name: str) -> None:
    levels, start = levels_of(ladder / "audio" / name)
    assert start + len(levels) / 48000 == pytest.approx(FRAMES / 25, abs=0.025)
    part = levels[48000:96000] * np.hanning(48000)
    assert np.abs(np.fft.rfft(part)).argmax() == 440


def test_segments_of_sound_end_where_those_of_the_video_do(ladder: Path) -> None:
    ends = [65 / 25, 123 / 25, FRAMES / 25]
    for name, frame in (("aac-1", 1024), ("opus-1", 960)):
        entries = playlist(ladder / "audio" / name / "media.m3u8").segments
        found = np.cumsum([entry.duration for entry in entries])
        assert found == pytest.approx(ends, abs=frame / 48000)


@pytest.mark.parametrize("name", ["aac-1", "opus-1"])
def test_every_segment_of_sound_decodes_alone(ladder: Path, name: str) -> None:
    import io

    import av

    folder = ladder / "audio" / name
    begin = 0
    for number, entry in enumerate(playlist(folder / "media.m3u8").segments, 1):
        with av.open(io.BytesIO(joined(folder, number))) as container:
            frames = list(container.decode(audio=0))
        seconds = sum(frame.samples for frame in frames) / 48000
        assert seconds == pytest.approx(entry.duration, abs=0.0066), "less what Opus skips"
        assert float(frames[0].pts * frames[0].time_base) == pytest.approx(begin, abs=0.0066)
        begin += entry.duration
