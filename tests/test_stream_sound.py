"""Sound and subtitles of a stream: at their times beside the video, in every codec and language."""

import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from stream_clips import FAST, LINES, ffmpeg, flashing, picture, sounding, tone, with_tracks
from stream_reading import beeps, flashes, frames_of, levels_of, playlist

import ncodec
from ncodec.errors import NcodecWarning

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

LATEST_S = 0.02
"""seconds by which sound may be shown earlier or later than the video"""


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    ncodec.stream(with_tracks(folder / "clip.mkv"), folder / "stream", **FAST)
    return folder / "stream"


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("late", "distance"),
    [
        ({}, 0.0),
        ({"sound_late": 0.4}, 0.4),
        ({"sound_late": 0.033}, 0.033),
        ({"video_late": 0.4}, -0.4),
    ],
    ids=["together", "sound later", "sound a little later", "sound earlier"],
)
def test_sound_stays_with_the_video(
    suffix: str, late: dict[str, float], distance: float, tmp_path: Path
) -> None:
    """The beeps of a clip whose flashes and beeps would coincide without a delay."""
    ncodec.stream(flashing(tmp_path / f"clip.{suffix}", **late), tmp_path / "out", **FAST)
    seen = flashes(tmp_path / "out" / "video" / "h264-1-180p")
    assert seen == pytest.approx([1, 3], abs=0.001)
    for codec in ("aac", "opus"):
        heard = beeps(tmp_path / "out" / "audio" / f"{codec}-1")
        assert heard == pytest.approx([time + distance for time in seen], abs=LATEST_S), codec


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 2)], ids=["same", "back", "ahead"])
def test_sound_goes_on_where_the_clock_of_a_clip_jumps(
    order: tuple[int, int], tmp_path: Path
) -> None:
    clip = flashing(tmp_path / "clip.mp4")
    parts = [
        ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", f"{late}", tmp_path / f"{late}.ts")
        for late in (0, 5, 7200)
    ]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(parts[number].read_bytes() for number in order))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        stats = ncodec.stream(both, tmp_path / "out", **FAST)
    assert stats.frames == 200
    seen = flashes(tmp_path / "out" / "video" / "h264-1-180p")
    heard = beeps(tmp_path / "out" / "audio" / "aac-1")
    assert len(heard) == len(seen) == 4
    assert heard == pytest.approx(seen, abs=0.08)


def test_sound_whose_form_changes_is_kept(tmp_path: Path) -> None:
    stereo = ffmpeg(*tone(2), "-ac", "2", "-c:a", "ac3", tmp_path / "stereo.ac3")
    mono = ffmpeg(*tone(2), "-ac", "1", "-c:a", "ac3", tmp_path / "mono.ac3")
    (tmp_path / "both.ac3").write_bytes(stereo.read_bytes() + mono.read_bytes())
    clip = ffmpeg(
        *picture(4), "-f", "ac3", "-i", tmp_path / "both.ac3", "-c:v", "libx264", "-preset",
        "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "copy", tmp_path / "clip.ts",
    )  # fmt: skip
    ncodec.stream(clip, tmp_path / "out", **FAST)
    levels, _ = levels_of(tmp_path / "out" / "audio" / "aac-1")
    inner = levels[4800:-9600]
    parts = inner[: len(inner) // 2400 * 2400].reshape(-1, 2400)
    assert np.abs(parts).max(axis=1).min() > 0.01, "no twentieth of a second is silent"


@pytest.mark.parametrize("seconds", [0.3, 1.5, 2.0, 2.7, 6.0])
def test_sound_of_any_length_becomes_as_long_as_the_video(seconds: float, tmp_path: Path) -> None:
    ncodec.stream(sounding(tmp_path / "clip.mp4", 2.4, sound=seconds), tmp_path / "out", **FAST)
    for codec, frame in (("aac", 1024), ("opus", 960)):
        levels, start = levels_of(tmp_path / "out" / "audio" / f"{codec}-1")
        assert start + len(levels) / 48000 == pytest.approx(2.4, abs=frame / 48000 + 0.007)
        loud = np.flatnonzero(np.abs(levels) > 0.02)
        assert loud[-1] / 48000 == pytest.approx(min(seconds, 2.4), abs=0.06)


def test_sound_that_begins_behind_the_video_is_silence(tmp_path: Path) -> None:
    clip = ffmpeg(*picture(1), "-itsoffset", "3", *tone(1), tmp_path / "clip.mkv")
    ncodec.stream(clip, tmp_path / "out", **FAST)
    levels, _ = levels_of(tmp_path / "out" / "audio" / "aac-1")
    assert len(levels) / 48000 == pytest.approx(1, abs=0.03)
    assert np.abs(levels).max() < 0.001


def without_packets(source: Path, path: Path) -> Path:
    """A copy of a clip whose track of sound holds nothing."""
    with av.open(str(source)) as clip, av.open(str(path), "w") as copy:
        streams = {one.index: copy.add_stream_from_template(one) for one in clip.streams}
        for packet in clip.demux(video=0):
            if packet.size:
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    return path


def test_a_track_without_sound_is_silence_or_left_out(tmp_path: Path) -> None:
    clip = without_packets(sounding(tmp_path / "clip.mkv", 1), tmp_path / "empty.mkv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        ncodec.stream(clip, tmp_path / "out", **FAST)
    text = (tmp_path / "out" / "master.m3u8").read_text("utf-8")
    is_there = (tmp_path / "out" / "audio" / "aac-1" / "media.m3u8").is_file()
    assert is_there == ("audio/aac-1" in text)
    assert len(frames_of(tmp_path / "out" / "video" / "h264-1-180p")) == 25


@pytest.mark.parametrize("codec", ["aac", "opus"])
def test_one_codec_of_sound_is_enough(codec: str, tmp_path: Path) -> None:
    clip = sounding(tmp_path / "clip.mp4", 1)
    ncodec.stream(clip, tmp_path / "out", **{**FAST, "audio": [codec]})
    assert [path.name for path in (tmp_path / "out" / "audio").iterdir()] == [f"{codec}-1"]
    variant = playlist(tmp_path / "out" / "master.m3u8").playlists[0]
    assert variant.stream_info.codecs.endswith("mp4a.40.2" if codec == "aac" else "opus")
    assert variant.media[0].uri == f"audio/{codec}-1/media.m3u8"


def test_no_codec_of_sound_is_a_silent_stream(tmp_path: Path) -> None:
    ncodec.stream(sounding(tmp_path / "clip.mp4", 1), tmp_path / "out", **{**FAST, "audio": []})
    assert not (tmp_path / "out" / "audio").exists()
    assert "AUDIO" not in (tmp_path / "out" / "master.m3u8").read_text("utf-8")


def test_every_track_of_sound_is_kept(tracks: Path) -> None:
    for number, hertz in ((1, 440), (2, 880)):
        for codec in ("aac", "opus"):
            levels, _ = levels_of(tracks / "audio" / f"{codec}-{number}")
            part = levels[48000:96000] * np.hanning(48000)
            assert np.abs(np.fft.rfft(part)).argmax() == hertz


def test_more_channels_than_two_are_mixed_down_with_a_notice(tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(1), *tone(1), "-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0",
        "-c:a", "ac3", tmp_path / "clip.mkv",
    )  # fmt: skip
    with pytest.warns(NcodecWarning, match="sound of 6 channels was mixed down to 2"):
        ncodec.stream(clip, tmp_path / "out", **FAST)
    with av.open(str(tmp_path / "out" / "audio" / "aac-1" / "media.m3u8")) as container:
        assert container.streams.audio[0].codec_context.layout.nb_channels == 2
    assert 'CHANNELS="2"' in (tmp_path / "out" / "master.m3u8").read_text("utf-8")


def cues(path: Path) -> list[tuple[float, float, str]]:
    """Start, end and text of each cue of a file of WebVTT."""
    head, *blocks = path.read_text("utf-8").strip().split("\n\n")
    assert head == "WEBVTT"
    found = []
    for block in blocks:
        clock, *text = block.split("\n")
        start, end = (seconds_of(part.strip()) for part in clock.split("-->"))
        found.append((start, end, "\n".join(text)))
    return found


def seconds_of(clock: str) -> float:
    seconds = Fraction(0)
    for part in clock.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return float(seconds)


@pytest.mark.parametrize("name", ["1.vtt", "2.vtt"])
def test_subtitles_keep_text_and_times(tracks: Path, name: str) -> None:
    assert cues(tracks / "text" / name) == list(LINES)


def test_playlists_of_subtitles_last_as_long_as_the_video(tracks: Path) -> None:
    for number in (1, 2):
        (entry,) = playlist(tracks / "text" / f"{number}.m3u8").segments
        assert entry.uri == f"{number}.vtt"
        assert entry.duration == pytest.approx(6, abs=0.03)


def test_subtitles_are_cut_where_the_video_ends(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text(
        "1\n00:00:00,500 --> 00:00:09,000\nover the end\n\n2\n00:00:05,000 --> 00:00:06,000\nlost\n"
    )
    clip = ffmpeg(*picture(2), "-i", lines, "-c:s", "srt", tmp_path / "clip.mkv")
    ncodec.stream(clip, tmp_path / "out", **FAST)
    assert cues(tmp_path / "out" / "text" / "1.vtt") == [(0.5, 2.0, "over the end")]


def test_subtitles_count_from_the_first_frame_of_the_video(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text("1\n00:00:01,500 --> 00:00:02,000\nline\n")
    clip = ffmpeg(
        "-itsoffset", "1", *picture(2), *tone(3), "-i", lines, "-map", "0", "-map", "1",
        "-map", "2", "-c:s", "srt", tmp_path / "clip.mkv",
    )  # fmt: skip
    ncodec.stream(clip, tmp_path / "out", **FAST)
    assert cues(tmp_path / "out" / "text" / "1.vtt") == [(0.5, 1.0, "line")]


def ass(path: Path) -> Path:
    lines = path.with_suffix(".srt")
    lines.write_text("1\n00:00:00,500 --> 00:00:01,000\n<i>slanted</i> & <b>bold</b>\n")
    return ffmpeg(*picture(2), "-i", lines, "-c:s", "ass", path.with_suffix(".mkv"))


def mov_text(path: Path) -> Path:
    lines = path.with_suffix(".srt")
    lines.write_text("1\n00:00:00,500 --> 00:00:01,000\nslanted & bold\n")
    return ffmpeg(*picture(2), "-i", lines, "-c:s", "mov_text", path.with_suffix(".mp4"))


@pytest.mark.parametrize("write", [ass, mov_text])
def test_subtitles_of_every_kind_become_webvtt(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    ncodec.stream(write(tmp_path / "clip"), tmp_path / "out", **FAST)
    ((start, end, text),) = cues(tmp_path / "out" / "text" / "1.vtt")
    assert (start, end) == (0.5, 1.0)
    plain = text.replace("<i>", "").replace("</i>", "").replace("<b>", "").replace("</b>", "")
    assert plain in ("slanted & bold", "slanted &amp; bold")


def test_subtitles_that_are_pictures_are_left_out_with_a_notice(tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    lines.write_text("1\n00:00:00,500 --> 00:00:01,000\nline\n")
    with av.open(str(tmp_path / "clip.mkv"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        container.add_stream("dvdsub").codec_context.extradata = b"size: 160x96\n"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), 9 * number, np.uint8))
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    with pytest.warns(NcodecWarning, match="subtitles of stream 1 were left out: they are pict"):
        ncodec.stream(tmp_path / "clip.mkv", tmp_path / "out", **FAST)
    assert len(frames_of(tmp_path / "out" / "video" / "h264-1-96p")) == 10
    assert not (tmp_path / "out" / "text").exists()
