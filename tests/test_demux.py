"""Clips give frames with rising time stamps, their sound untouched, and one sentence where they
cannot be read."""

from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.stream import Disposition

from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.records import Colour, Media, Tracks
from ncodec.errors import InputError
from ncodec.media.demux import ClipReader
from ncodec.media.tracks import open_tracks
from ncodec.picture import TimedFrame, psnr

Photo = npt.NDArray[np.uint8]


def write(
    path: Path,
    frames: list[Photo],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv444p",
    sound: bool = False,
) -> Path:
    """A clip of 25 frames a second, with noise for sound if asked for."""
    generator = np.random.default_rng(1)
    with av.open(path, "w") as container:
        video = container.add_stream(codec, rate=Fraction(25))
        video.height, video.width, video.pix_fmt = frames[0].shape[0], frames[0].shape[1], pix_fmt
        if codec == "libx264":
            video.options = {"crf": "4"}
        audio = container.add_stream("aac", rate=48000) if sound else None
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(video.encode(None))
        for i in range(20 if audio else 0):
            samples = (generator.standard_normal((2, 1024)) * 0.1).astype(np.float32)
            chunk = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
            chunk.rate, chunk.pts = 48000, 1024 * i
            container.mux(audio.encode(chunk))  # type: ignore[union-attr]
        if audio:
            container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    return [np.ascontiguousarray(photo[:96, 4 * i : 4 * i + 128]) for i in range(5)]


def test_frames_and_times(tmp_path: Path, frames: list[Photo]) -> None:
    with ClipReader(write(tmp_path / "clip.mp4", frames)) as reader:
        assert reader.rate == 25
        read = [r for r in reader.records() if isinstance(r, TimedFrame)]
        assert [r.pts * reader.time_base for r in read] == [Fraction(i, 25) for i in range(5)]
        assert reader.pixel_aspect == 1
        assert reader.notices == []
    for found, expected in zip(read, frames, strict=True):
        assert psnr(found.pixels, expected) > 38


def test_sound_is_what_it_was(tmp_path: Path, frames: list[Photo]) -> None:
    path = write(tmp_path / "clip.mp4", frames, sound=True)
    with av.open(path) as container:
        packets = [p for p in container.demux(audio=0) if p.dts is not None]
        expected = [(p.pts, p.dts, p.duration, bytes(p)) for p in packets]
        extradata = container.streams.audio[0].codec_context.extradata
    with ClipReader(path) as reader:
        records = list(reader.records())
    media = [r for r in records if isinstance(r, Media)]
    assert [(m.pts, m.dts, m.duration, m.data) for m in media] == expected
    (tracks,) = (r for r in records if isinstance(r, Tracks))
    assert records.index(tracks) < records.index(media[0])
    assert tracks.time_bases == (Fraction(1, 48000),)
    with open_tracks(tracks) as template:
        assert template.streams.audio[0].codec_context.extradata == extradata


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"), [("a.mkv", "ffv1", "bgr0"), ("a.gif", "gif", "rgb8")]
)
def test_other_containers(
    tmp_path: Path, frames: list[Photo], name: str, codec: str, pix_fmt: str
) -> None:
    with ClipReader(write(tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt)) as reader:
        read = [r for r in reader.records() if isinstance(r, TimedFrame)]
    assert len(read) == 5
    assert psnr(read[3].pixels, frames[3]) > 15


def timed(path: Path, stamps: list[int], frames: list[Photo]) -> Path:
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=Fraction(25))
        video.height, video.width, video.pix_fmt = frames[0].shape[0], frames[0].shape[1], "yuv420p"
        for pts, pixels in zip(stamps, frames, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def test_a_clock_that_was_set_back_goes_on(tmp_path: Path, frames: list[Photo]) -> None:
    parts = [
        timed(tmp_path / f"{n}.ts", [100 * (2 - n) + i for i in range(5)], frames) for n in (1, 2)
    ]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with ClipReader(joined) as reader:
        read = [r.pts * reader.time_base for r in reader.records() if isinstance(r, TimedFrame)]
        assert reader.notices == ["time stamps that ran backwards were moved on"]
    steps = {second - first for first, second in pairwise(read)}
    assert len(read) == 10
    assert steps == {Fraction(1, 25)}


def test_subtitles_are_what_they_were(tmp_path: Path, frames: list[Photo]) -> None:
    plain = write(tmp_path / "plain.mkv", frames, codec="ffv1", pix_fmt="bgr0", sound=True)
    (tmp_path / "words.srt").write_text("1\n00:00:00,090 --> 00:00:00,140\nwords\n")
    with (
        av.open(plain) as source,
        av.open(tmp_path / "words.srt") as lines,
        av.open(tmp_path / "both.mkv", "w") as container,
    ):
        copies = [container.add_stream_from_template(s) for s in (*source.streams, *lines.streams)]
        copies[2].metadata["language"] = "deu"
        for packet in [*source.demux(), *lines.demux()]:
            if packet.size:
                packet.stream = copies[
                    2 if packet.stream.type == "subtitle" else packet.stream.index
                ]
                container.mux(packet)
    with ClipReader(tmp_path / "both.mkv") as reader:
        records = list(reader.records())
        assert reader.notices == []
    words = [(r.pts, r.duration, r.data) for r in records if isinstance(r, Media) and r.track == 1]
    assert words == [(90, 50, b"words")]
    (tracks,) = (r for r in records if isinstance(r, Tracks))
    with open_tracks(tracks) as described:
        assert [s.type for s in described.streams] == ["audio", "subtitle"]
        assert described.streams[1].metadata["language"] == "deu"


def test_a_cover_is_no_video(tmp_path: Path, frames: list[Photo]) -> None:
    with av.open(tmp_path / "song.mp4", "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 96, 128, "rgb24"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(frames[0], "rgb24")))
        container.mux(cover.encode(None))
    with pytest.raises(InputError, match="expected a video stream, got none"):
        ClipReader(tmp_path / "song.mp4")


def test_metadata_of_another_encoding_stops_nothing(tmp_path: Path, frames: list[Photo]) -> None:
    path = tmp_path / "latin.avi"
    with av.open(path, "w") as container:
        container.metadata["title"] = "UEBUNG"
        video = container.add_stream("mjpeg", rate=25)
        video.height, video.width, video.pix_fmt = 96, 128, "yuvj420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(frames[0], "rgb24")))
        container.mux(video.encode(None))
    path.write_bytes(path.read_bytes().replace(b"UEBUNG", b"\xdcBUNG!"))
    with ClipReader(path) as reader:
        metadata, _ = list(reader.records())
    assert metadata == ClipMetadata(tags=(("title", "\ufffdBUNG!"),))


def test_deep_samples_are_reduced_with_a_notice(tmp_path: Path, frames: list[Photo]) -> None:
    with ClipReader(write(tmp_path / "deep.mkv", frames, pix_fmt="yuv444p10le")) as reader:
        read = [r for r in reader.records() if isinstance(r, TimedFrame)]
        assert reader.notices == ["samples of more than 8 bits were reduced to 8"]
    assert psnr(read[0].pixels, frames[0]) > 38


def test_what_is_no_video_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a clip")
    with pytest.raises(InputError, match=r"text\.mp4: cannot be read: Invalid data"):
        ClipReader(tmp_path / "text.mp4")
    with pytest.raises(InputError, match="No such file"):
        ClipReader(tmp_path / "missing.mp4")
    with av.open(tmp_path / "sound.wav", "w") as container:
        audio = container.add_stream("pcm_s16le", rate=8000)
        chunk = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), "s16", "mono")
        chunk.rate = 8000
        container.mux(audio.encode(chunk))
    with pytest.raises(InputError, match="expected a video stream, got none"):
        ClipReader(tmp_path / "sound.wav")


def test_a_cut_clip_gives_what_is_there(tmp_path: Path, frames: list[Photo]) -> None:
    path = write(tmp_path / "whole.mkv", frames, codec="ffv1", pix_fmt="bgr0")
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 2 // 3])
    seen: list[object] = []
    with suppress(InputError), ClipReader(cut) as reader:
        seen.extend(reader.records())
    assert 1 <= len(seen) < 5


def test_unsaid_colours_are_unknown(tmp_path: Path, frames: list[Photo]) -> None:
    with ClipReader(write(tmp_path / "clip.mp4", frames)) as reader:
        assert reader.colour == Colour()


@pytest.mark.parametrize("name", ["12:30.mkv", "concat:in.mkv", "http:clip.mp4"])
def test_any_name_is_that_of_a_file(tmp_path: Path, frames: list[Photo], name: str) -> None:
    write(tmp_path / "clip.mkv", frames).rename(tmp_path / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        with ClipReader(name) as reader:
            assert len([r for r in reader.records() if isinstance(r, TimedFrame)]) == 5


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile 'clip.mkv'\n", "#EXTM3U\n#EXTINF:1,\nclip.mkv\n"]
)
def test_lists_of_other_files_are_refused(tmp_path: Path, frames: list[Photo], text: str) -> None:
    write(tmp_path / "clip.mkv", frames)
    for name in ("list.mp4", "list.m3u8"):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            ClipReader(tmp_path / name)


def test_the_finest_clocks_are_made_coarser(tmp_path: Path, frames: list[Photo]) -> None:
    path = tmp_path / "fine.mp4"
    with av.open(path, "w", options={"video_track_timescale": "10000000"}) as container:
        video = container.add_stream("libx264", rate=Fraction(25))
        video.height, video.width, video.pix_fmt = 96, 128, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 10_000_000)
        for i, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = 10_000_000 * 40 * i, Fraction(1, 10_000_000)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with ClipReader(path) as reader:
        assert reader.time_base == Fraction(1, 90_000)
        stamps = [r.pts for r in reader.records() if isinstance(r, TimedFrame)]
    assert stamps == [90_000 * 40 * i for i in range(5)]


def test_a_clip_that_ends_too_soon_is_noticed(tmp_path: Path, frames: list[Photo]) -> None:
    path = write(tmp_path / "clip.mkv", frames * 12, codec="ffv1", pix_fmt="bgr0")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with ClipReader(path) as reader:
        read = [r for r in reader.records() if isinstance(r, TimedFrame)]
        assert 10 < len(read) < 30
        assert any(
            "may be cut: it says that it ends at 2.4 s" in notice for notice in reader.notices
        )


def test_a_rate_is_for_numbered_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected numbered pictures where a frame rate is given"):
        ClipReader(tmp_path / "a.mp4", rate=3)
