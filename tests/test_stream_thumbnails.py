"""Thumbnails and posters look like the frames at their times."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image
from stream_clips import (
    FAST,
    HIGH,
    WIDE,
    Photo,
    ffmpeg,
    marked,
    numbered,
    picture,
    plain,
    turned,
    varying,
)
from stream_reading import tree

import ncodec
from ncodec.media.ffmpeg_command import run_ffmpeg
from ncodec.picture import psnr
from ncodec.streaming.poster import write_posters

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

Cue = tuple[float, float, str, tuple[int, int, int, int]]


def cues(folder: Path) -> list[Cue]:
    """Start, end, sheet and place of each thumbnail."""
    text = (folder / "thumbnails.vtt").read_text("utf-8")
    assert text.startswith("WEBVTT\n\n")
    found: list[Cue] = []
    pattern = r"(\S+) --> (\S+)\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n"
    for start, end, sheet, *place in re.findall(pattern, text):
        x, y, wide, high = map(int, place)
        found.append((_seconds(start), _seconds(end), sheet, (x, y, wide, high)))
    assert len(found) == text.count("-->")
    return found


def _seconds(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


def thumbnail(folder: Path, cue: Cue) -> Photo:
    _, _, sheet, (x, y, wide, high) = cue
    with Image.open(folder / sheet) as image:
        assert x + wide <= image.width
        assert y + high <= image.height
        return np.asarray(image.convert("RGB").crop((x, y, x + wide, y + high)))


def frames(clip: Path, *, wide: int, high: int) -> list[Photo]:
    """All frames, as FFmpeg's command shows them, scaled to a size."""
    shape = f"scale={wide}:{high}:flags=area"
    raw = run_ffmpeg(["-i", clip, "-vf", shape, "-fps_mode", "passthrough", "-f", "rawvideo",
                      "-pix_fmt", "rgb24", "-"])  # fmt: skip
    return list(np.frombuffer(raw, np.uint8).reshape(-1, high, wide, 3))


def test_every_second_has_the_picture_of_its_frame(ladder: Path, ladder_clip: Path) -> None:
    found = cues(ladder)
    assert [(start, end) for start, end, _, _ in found] == [(n, n + 1) for n in range(8)]
    shown = frames(ladder_clip, wide=192, high=108)
    for cue in found:
        own = thumbnail(ladder, cue)
        assert psnr(own, shown[round(cue[0] * 25)]) > 20
    sheets = {tuple(place[2:]) for _, _, _, place in found}
    assert sheets == {(192, 108)}
    assert len({place for _, _, _, place in found}) == 8, "no two in one place"


def test_the_manifest_says_how_a_sheet_is_laid_out(ladder: Path) -> None:
    root = fromstring((ladder / "manifest.mpd").read_text("utf-8"))
    (found,) = (one for one in root.iter() if one.attrib.get("id") == "thumbnails")
    with Image.open(ladder / "thumbnails" / "1.jpg") as image:
        assert image.size == (int(found.attrib["width"]), int(found.attrib["height"]))
        columns, rows = map(int, found[0].attrib["value"].split("x"))
        assert (image.width // columns, image.height // rows) == (192, 108)
    template = found[1].attrib
    assert int(template["duration"]) == columns * rows * int(template["timescale"])
    assert (ladder / template["media"].replace("$Number$", "1")).is_file()


def test_gaps_show_the_frame_that_is_still_shown(tmp_path: Path) -> None:
    times = [Fraction(time) for time in (0, 1, 5, 6)]
    clip = varying(tmp_path / "clip.mp4", times)
    ncodec.stream(clip, tmp_path / "out", **FAST)
    for cue in cues(tmp_path / "out"):
        own = thumbnail(tmp_path / "out", cue)
        alike = [psnr(own, numbered(place, (160, 96))) for place in range(len(times))]
        last = max(place for place, time in enumerate(times) if time <= cue[0])
        assert alike.index(max(alike)) == last, f"the thumbnail at {cue[0]} s"


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip of 250 seconds, and its stream."""
    folder = tmp_path_factory.mktemp("long")
    clip = plain(folder / "clip.mp4", 250, size=(64, 36), rate=2)
    ncodec.stream(clip, folder / "stream", **{**FAST, "segment": 30})
    return clip, folder / "stream"


def test_long_clips_have_thumbnails_at_longer_distances(long: tuple[Path, Path]) -> None:
    clip, folder = long
    found = cues(folder)
    assert [cue[0] for cue in found] == [2 * n for n in range(125)]
    assert found[-1][1] >= 250
    assert {cue[2] for cue in found} == {"thumbnails/1.jpg", "thumbnails/2.jpg"}
    shown = frames(clip, wide=64, high=36)
    for cue in found[::10]:
        assert psnr(thumbnail(folder, cue), shown[round(2 * cue[0])]) > 20, cue[0]


def test_nothing_is_made_larger(long: tuple[Path, Path]) -> None:
    assert {tuple(cue[3][2:]) for cue in cues(long[1])} == {(64, 36)}


@pytest.mark.parametrize("degrees", [90, 180])
def test_pictures_of_turned_clips_are_upright(degrees: int, tmp_path: Path) -> None:
    clip = turned(marked(tmp_path / "stored.mp4"), tmp_path / "clip.mp4", degrees=degrees)
    ncodec.stream(clip, tmp_path / "out", **FAST)
    (cue,) = cues(tmp_path / "out")
    wide, high = cue[3][2:]
    assert (wide, high) == ((108, 192) if degrees == 90 else (192, 108))
    expected = frames(clip, wide=wide, high=high)[0]
    assert psnr(thumbnail(tmp_path / "out", cue), expected) > 20
    with Image.open(tmp_path / "out" / "poster.jpg") as poster:
        own = np.asarray(poster.resize((wide, high)))
    assert psnr(own, expected) > 20


def test_pictures_of_pixels_that_are_no_squares_have_the_right_shape(tmp_path: Path) -> None:
    clip = marked(tmp_path / "clip.mp4", "setsar=2/1", size=(160, 180))
    ncodec.stream(clip, tmp_path / "out", **FAST)
    (cue,) = cues(tmp_path / "out")
    assert cue[3][2:] == (192, 108)
    with Image.open(tmp_path / "out" / "poster.jpg") as poster:
        assert poster.size == (320, 180)


def opened(path: Path) -> Any:
    if path.suffix == ".nci":
        return ncodec.decode(path)
    return Image.open(path)


def test_posters_are_the_same_on_any_number_of_cores(
    tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libaom's bytes depend on whether it has one thread or several."""
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", threads)
        folder = tmp_path / str(threads)
        folder.mkdir()
        write_posters(Image.fromarray(photo).resize((320, 180)), folder)
        found.append(tree(folder))
    assert found[0] == found[1]


@pytest.mark.parametrize("suffix", ["jpg", "avif", "nci"])
def test_posters_are_one_frame_of_the_clip(ladder: Path, ladder_clip: Path, suffix: str) -> None:
    poster = np.asarray(opened(ladder / f"poster.{suffix}").convert("RGB"))
    assert poster.shape == (HIGH, WIDE, 3)
    assert max(psnr(poster, own) for own in frames(ladder_clip, wide=WIDE, high=HIGH)) > 20


def test_posters_are_the_same_frame_and_no_black_one(tmp_path: Path) -> None:
    black = ["-f", "lavfi", "-i", f"color=black:s={WIDE}x{HIGH}:r=25:d=2"]
    clip = ffmpeg(
        *black, *picture(2), *black, "-filter_complex", "[0][1][2]concat=n=3", "-c:v", "libx264",
        "-pix_fmt", "yuv420p", tmp_path / "clip.mp4",
    )  # fmt: skip
    ncodec.stream(clip, tmp_path / "out", **FAST)
    jpeg, own = (
        np.asarray(opened(tmp_path / "out" / f"poster.{suffix}").convert("RGB"))
        for suffix in ("jpg", "nci")
    )
    assert psnr(jpeg, own) > 25
    assert jpeg.std() > 40
