"""Clips of every kind become streams that show them upright, in their shape, colours and times."""

import struct
import subprocess
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from stream_clips import (
    DISPLAY,
    FAST,
    LIGHT,
    X264,
    Photo,
    ffmpeg,
    hdr,
    marked,
    numbered,
    picture,
    plain,
    shots,
    turned,
    varying,
)
from stream_reading import frames_of, media_folders, playlist

import ncodec
from ncodec.errors import InputError, NcodecError, NcodecWarning
from ncodec.media.clip_properties import content_light, mastering_display
from ncodec.media.ffmpeg_command import run_ffmpeg
from ncodec.picture import psnr

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

ALL = ["h264", "hevc", "av1"]
TIMES = [Fraction(time, 1000) for time in (0, 40, 100, 140, 1000, 1017, 1033, 2500, 4600, 4650)]


def streamed(clip: Path, **options: object) -> Path:
    """Folder of a stream of a clip, beside it."""
    folder = clip.with_suffix(".stream")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NcodecWarning)
        ncodec.stream(clip, folder, **{**FAST, **options})
    return folder


def top(folder: Path, codec: str = "h264") -> Path:
    (found,) = folder.glob(f"video/{codec}-1-*")
    return found


def seen(clip: Path, *, wide: int, high: int) -> Photo:
    """The first frame as FFmpeg's command shows it, upright, scaled to a size."""
    shape = f"scale={wide}:{high}:flags=lanczos,setsar=1"
    arguments = ["-i", clip, "-frames:v", "1", "-vf", shape, "-pix_fmt", "rgb24"]
    raw = run_ffmpeg([*arguments, "-f", "rawvideo", "-"])
    return np.frombuffer(raw, np.uint8).reshape(high, wide, 3)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clip = varying(tmp_path_factory.mktemp("varied") / "clip.mkv", TIMES)
    return streamed(clip, codecs=ALL)


@pytest.mark.parametrize("codec", ALL)
def test_frames_of_a_variable_rate_keep_their_times(varied: Path, codec: str) -> None:
    found = frames_of(top(varied, codec))
    assert [float(one.time) for one in found] == pytest.approx(
        [float(time) for time in TIMES], abs=0.001
    )
    for place, one in enumerate(found):
        assert psnr(one.pixels, numbered(place, (160, 96))) > 25, "each its own frame"


def test_segments_of_a_variable_rate_have_no_gaps(varied: Path) -> None:
    for folder in media_folders(varied):
        entries = playlist(folder / "media.m3u8").segments
        assert sum(entry.duration for entry in entries) == pytest.approx(4.65 + 0.04, abs=0.01)


@pytest.mark.parametrize("name", ["90", "180", "270", "mirrored", "mirrored 90"])
def test_turned_clips_are_shown_upright(name: str, tmp_path: Path) -> None:
    degrees, is_mirrored = int(name.split()[-1]) if name[-1] == "0" else 0, "mirrored" in name
    clip = turned(
        marked(tmp_path / "as-stored.mp4"), tmp_path / "turned.mp4",
        degrees=degrees, mirrored=is_mirrored,
    )  # fmt: skip
    found = frames_of(top(streamed(clip)))[0]
    size = (180, 320) if degrees in (90, 270) else (320, 180)
    assert found.size == size
    expected = seen(clip, wide=size[0], high=size[1])
    assert psnr(found.pixels, expected) > 20
    for other in (expected[::-1], expected[:, ::-1], expected[::-1, ::-1]):
        assert psnr(found.pixels, other) < 15


@pytest.mark.parametrize(
    ("stored", "aspect", "size"),
    [
        ((160, 180), "2/1", (320, 180)),
        ((320, 90), "1/2", (320, 180)),
        ((240, 180), "4/3", (320, 180)),
    ],
)
def test_pixels_that_are_no_squares_become_squares(
    stored: tuple[int, int], aspect: str, size: tuple[int, int], tmp_path: Path
) -> None:
    clip = marked(tmp_path / "clip.mp4", f"setsar={aspect}", size=stored)
    found = frames_of(top(streamed(clip)))[0]
    assert found.size == size
    with av.open(str(top(clip.with_suffix(".stream")) / "media.m3u8")) as container:
        assert container.streams.video[0].sample_aspect_ratio == 1
    assert psnr(found.pixels, seen(clip, wide=size[0], high=size[1])) > 20


@pytest.mark.parametrize("size", [(321, 181), (163, 97), (17, 33), (16, 16)])
def test_odd_sizes_become_even_ones(size: tuple[int, int], tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(0.2, size=size), "-c:v", "libx264", "-pix_fmt", "yuv444p", tmp_path / "clip.mp4"
    )
    folder = streamed(clip, codecs=["h264", "hevc"])
    for codec in ("h264", "hevc"):
        found = frames_of(top(folder, codec))[0]
        assert all(side % 2 == 0 for side in found.size)
        assert all(abs(side - own) <= 1 for side, own in zip(found.size, size, strict=True))
        assert psnr(found.pixels, seen(clip, wide=found.size[0], high=found.size[1])) > 12


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hdr(tmp_path_factory.mktemp("bright") / "hdr.mp4")


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_hdr_keeps_its_colours_and_mastering_display(bright: Path, codec: str) -> None:
    clip = bright.with_name(f"{codec}.mp4")
    clip.write_bytes(bright.read_bytes())
    folder = streamed(clip, codecs=[codec])
    first, *_ = frames_of(top(folder, codec))
    frame = first.frame
    assert frame.format.name == "yuv420p10le"
    assert (int(frame.colorspace), frame.color_primaries, frame.color_trc) == (9, 9, 16)
    assert mastering_display(frame) == pytest.approx(DISPLAY, rel=0.002, abs=1)
    assert content_light(frame) == LIGHT
    (variant,) = playlist(folder / "master.m3u8").playlists
    assert variant.stream_info.video_range == "PQ"
    assert variant.stream_info.codecs.startswith(("hvc1.2.", "av01.0."))
    assert '"urn:mpeg:mpegB:cicp:TransferCharacteristics" value="16"' in (
        folder / "manifest.mpd"
    ).read_text("utf-8")


def test_h264_of_hdr_is_left_out_with_a_notice(bright: Path) -> None:
    clip = bright.with_name("noticed.mp4")
    clip.write_bytes(bright.read_bytes())
    with pytest.warns(NcodecWarning, match="left out: they cannot show HDR"):
        stats = ncodec.stream(clip, clip.with_suffix(""), **{**FAST, "codecs": ["h264", "hevc"]})
    assert [one["kind"] for one in stats.renditions] == ["hevc"]
    assert not (clip.with_suffix("") / "h264.m3u8").exists()
    with pytest.raises(InputError, match="expected hevc or av1 among the codecs of an HDR clip"):
        streamed(clip, codecs=["h264"])


def test_tone_mapping_gives_h264_in_bt709(bright: Path) -> None:
    clip = bright.with_name("mapped.mp4")
    clip.write_bytes(bright.read_bytes())
    folder = streamed(clip, codecs=["h264", "hevc"], tone_map=True)
    frame = frames_of(top(folder))[0].frame
    assert frame.format.name == "yuv420p"
    assert (int(frame.colorspace), frame.color_primaries, frame.color_trc) == (1, 1, 1)
    assert mastering_display(frame) == ()
    assert frames_of(top(folder, "hevc"))[0].frame.color_trc == 16
    ranges = [one.stream_info.video_range for one in playlist(folder / "master.m3u8").playlists]
    assert ranges == ["SDR", "PQ"]
    light = frame.to_ndarray(format="rgb24")
    assert 20 < light.mean() < 235
    assert light.std() > 20, "it is neither black nor grey"


def test_pictures_of_an_hdr_clip_have_the_colours_of_its_sdr_rungs(bright: Path) -> None:
    clip = bright.with_name("pictured.mp4")
    clip.write_bytes(bright.read_bytes())
    folder = streamed(clip, codecs=["h264"], tone_map=True)
    rung = Image.fromarray(frames_of(top(folder))[0].pixels.astype(np.uint8))
    for name in ("poster.jpg", "poster.avif", "thumbnails/1.jpg"):
        with Image.open(folder / name) as picture:
            small, expected = (
                np.asarray(one.convert("RGB").resize((64, 36), Image.Resampling.BOX))
                for one in (picture, rung)
            )
        assert psnr(small, expected) > 28, name


def test_ten_bits_stay_where_a_codec_has_them(tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(0.4), "-c:v", "libx264", "-pix_fmt", "yuv420p10le", tmp_path / "clip.mp4"
    )
    with pytest.warns(NcodecWarning, match="more than 8 bits were reduced to 8 in H.264"):
        ncodec.stream(clip, tmp_path / "out", **{**FAST, "codecs": ALL})
    layouts = {codec: frames_of(top(tmp_path / "out", codec))[0].frame.format.name for codec in ALL}
    assert layouts == {"h264": "yuv420p", "hevc": "yuv420p10le", "av1": "yuv420p10le"}


@pytest.mark.parametrize("codec", ALL)
def test_one_frame_is_a_stream(codec: str, tmp_path: Path) -> None:
    folder = streamed(plain(tmp_path / "clip.mp4", 0.04), codecs=[codec])
    (one,) = frames_of(top(folder, codec))
    assert one.time == 0
    (entry,) = playlist(top(folder, codec) / "media.m3u8").segments
    assert entry.duration == 0.04


def test_interlaced_clips_are_deinterlaced_and_keep_their_frames(tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(1), "-vf", "setfield=tff", "-c:v", "libx264", "-flags", "+ilme+ildct",
        "-pix_fmt", "yuv420p", "-bf", "0", tmp_path / "clip.mp4",
    )  # fmt: skip
    with pytest.warns(NcodecWarning, match="interlaced frames were deinterlaced"):
        ncodec.stream(clip, tmp_path / "out", **FAST)
    times = [one.time for one in frames_of(top(tmp_path / "out"))]
    assert times == [Fraction(number, 25) for number in range(25)]


@pytest.mark.parametrize("suffix", ["ts", "mpg", "avi", "webm", "mov"])
def test_containers_of_every_kind_are_read(suffix: str, tmp_path: Path) -> None:
    coder = {"mpg": "mpeg2video", "webm": "libvpx-vp9", "avi": "mpeg4"}.get(suffix, "libx264")
    quick = ["-deadline", "realtime", "-cpu-used", "8"] if suffix == "webm" else []
    clip = ffmpeg(
        *picture(3), "-c:v", coder, *quick, "-b:v", "1M", "-pix_fmt", "yuv420p",
        tmp_path / f"clip.{suffix}",
    )  # fmt: skip
    found = frames_of(top(streamed(clip)))
    assert [one.time for one in found] == [Fraction(number, 25) for number in range(75)]


def cut_off(tmp_path: Path) -> Path:
    whole = shots(tmp_path / "whole.mkv", [2, 2, 2], sound=False)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return path


def test_a_cut_clip_is_streamed_as_far_as_it_goes(tmp_path: Path) -> None:
    clip = cut_off(tmp_path)
    with pytest.warns(NcodecWarning, match="the file may be cut: it says that it ends at 6"):
        stats = ncodec.stream(clip, tmp_path / "out", **FAST)
    assert 40 < stats.frames < 120
    assert len(frames_of(top(tmp_path / "out"))) == stats.frames
    with pytest.raises(NcodecError, match="may be cut"):
        ncodec.stream(clip, tmp_path / "strict", strict=True, **FAST)


def test_damage_within_a_clip_is_said(tmp_path: Path) -> None:
    clip = plain(tmp_path / "clip.mkv", 4)
    data = bytearray(clip.read_bytes())
    for place in range(len(data) // 3, len(data) * 2 // 3, 97):
        data[place : place + 40] = bytes(40)
    clip.write_bytes(data)
    with pytest.warns(NcodecWarning, match=r"damaged|may be cut"):
        ncodec.stream(clip, tmp_path / "out", **FAST)
    assert len(frames_of(top(tmp_path / "out"))) > 20


def sound_alone(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", path.with_suffix(".m4a")).rename(path)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "expected a file"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_text("not a clip\n" * 1000), "cannot be read"),
        (sound_alone, "expected a video stream, got none"),
        (lambda path: path.write_bytes(struct.pack(">I4s", 16, b"ftyp") + b"isom" * 2), "read"),
    ],
    ids=["nothing", "a folder", "an empty file", "text", "sound alone", "a bare header"],
)
def test_what_is_no_clip_is_refused_with_a_sentence(
    write: Callable[[Path], object], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    write(path)
    with pytest.raises(InputError, match=sentence) as caught:
        ncodec.stream(path, tmp_path / "out", **FAST)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_frames_that_change_their_size_within_a_clip_are_scaled(tmp_path: Path) -> None:
    one = ffmpeg(*picture(1), *X264, tmp_path / "one.ts")
    other = ffmpeg(*picture(1, size=(160, 90)), *X264, tmp_path / "other.ts")
    clip = tmp_path / "both.ts"
    clip.write_bytes(one.read_bytes() + other.read_bytes())
    found = frames_of(top(streamed(clip)))
    assert {frame.size for frame in found} == {(320, 180)}
    assert len(found) > 45


def test_grain_is_a_setting_of_av1_alone(tmp_path: Path) -> None:
    clip = plain(tmp_path / "clip.mp4", 0.4)
    plainly = streamed(clip, codecs=["h264", "av1"])
    grainy = tmp_path / "grainy"
    ncodec.stream(clip, grainy, **{**FAST, "codecs": ["h264", "av1"], "grain": 20})
    assert (top(plainly) / "00001.m4s").read_bytes() == (top(grainy) / "00001.m4s").read_bytes()
    smooth, rough = (frames_of(top(folder, "av1"))[5].pixels for folder in (plainly, grainy))
    assert not np.array_equal(smooth, rough)


def test_no_process_of_ffmpeg_is_needed_without_vmaf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = plain(tmp_path / "clip.mp4", 0.4)

    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", refuse)
    assert len(frames_of(top(streamed(clip)))) == 10
