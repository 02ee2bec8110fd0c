"""Clips are compared on the frames as they were stored, by elementary streams and PSNR 6:1:1."""

import re
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image
from test_demux import write

pytest.importorskip("scipy")
pytest.importorskip("skimage")

from ncodec.errors import InputError
from ncodec.eval.clips import CLIP_CODECS, CLIP_METRICS, psnr_611
from ncodec.eval.commands.bench import bench
from ncodec.eval.commands.report import report
from ncodec.eval.measure import find_files, measure_point
from ncodec.eval.store import Failure, Point
from ncodec.eval.stored_frames import from_rgb, read_clip, to_rgb

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    frames = [np.ascontiguousarray(photo[:97, 2 * i : 2 * i + 129]) for i in range(6)]
    even = [np.ascontiguousarray(f[:96, :128]) for f in frames]
    return write(
        tmp_path_factory.mktemp("clips") / "clip.mkv", even, codec="ffv1", pix_fmt="yuv420p"
    )


def grey(luma: int, chroma: int) -> av.VideoFrame:
    planes = np.concatenate([np.full((8, 8), luma), np.full((4, 8), chroma)]).astype(np.uint8)
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


def test_psnr_611_weighs_planes() -> None:
    one, five = 20 * np.log10(255), 20 * np.log10(255 / 5)
    assert psnr_611(grey(100, 128), grey(101, 128)) == pytest.approx((6 * one + 200) / 8)
    assert psnr_611(grey(100, 128), grey(100, 133)) == pytest.approx((600 + 2 * five) / 8)


@pytest.mark.parametrize("name", sorted(CLIP_CODECS))
def test_every_codec_brings_the_frames_back(path: Path, name: str) -> None:
    codec = CLIP_CODECS[name]
    if codec.missing:
        pytest.skip(f"needs {codec.missing}")
    clip = read_clip(path, most=4)
    assert len(clip.frames) == 4
    small, large = (
        measure_point(codec, clip, quality, ["psnr_611"]) for quality in codec.qualities[1::5]
    )
    assert isinstance(small, Point), small
    assert isinstance(large, Point), large
    assert small.size < large.size
    assert 22 < (small.metrics["psnr_611"] or 0) < (large.metrics["psnr_611"] or 0) - 5
    assert (large.metrics["psnr_611"] or 0) > 34, "a wrong matrix or range would cost ten decibels"


def test_frames_that_do_not_come_back_are_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = CLIP_CODECS["x264 medium"]
    encode = type(codec)._encode
    monkeypatch.setattr(type(codec), "_encode", lambda *arguments: encode(*arguments)[:-1])
    outcome = measure_point(codec, read_clip(path, most=4), 30, ["psnr_611"])
    assert isinstance(outcome, Failure)
    assert "expected 4 frames back, got 3" in outcome.error


def test_what_is_no_clip_in_420_is_a_sentence(tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(InputError, match=r"8-bit 4:2:0, got bgr0"):
        read_clip(
            write(tmp_path / "a.mkv", [photo[:64, :64]], codec="ffv1", pix_fmt="bgr0"), most=2
        )
    (tmp_path / "b.mkv").write_text("no clip")
    with pytest.raises(InputError, match=r"b\.mkv: expected a clip"):
        read_clip(tmp_path / "b.mkv", most=2)


def test_the_command_prints_a_row_a_clip(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "video.json"
    result = CliRunner().invoke(bench, ["video", str(path), "--frames", "3", "--save", str(saved)])
    assert result.exit_code == 0, result.output
    header, row = result.stdout.splitlines()[-2:]
    assert "x264 veryfast" in header
    assert row.startswith("clip.mkv ")
    assert row.count("%") == 4
    assert saved.stat().st_size > 500


def test_a_report_over_clips_is_a_page_like_any_other(
    path: Path, tmp_path: Path, photo: Photo
) -> None:
    page = tmp_path / "page.html"
    options = (
        "--quick",
        "--jobs",
        "1",
        "--codec",
        "ncodec",
        "--codec",
        "x264 veryfast, low delay",
        "--frames",
        "3",
    )
    result = CliRunner().invoke(
        report, [str(path), "-o", str(page), "--cache", str(tmp_path / "cache"), *options]
    )
    assert result.exit_code == 0, result.output
    assert "against x264 veryfast, low delay" in result.output
    text = page.read_text("utf-8")
    assert "1 clips" in text
    assert "Clip by clip" in text
    assert "PSNR 6:1:1" in text
    Image.fromarray(photo).save(path.with_name("a.png"))
    with pytest.raises(InputError, match="expected pictures or clips, got both"):
        find_files([path.parent])


def test_vmaf_compares_frames_one_by_one(path: Path) -> None:
    metric = CLIP_METRICS["vmaf"]
    if not metric.available:
        pytest.skip("needs imageio-ffmpeg")
    clip = read_clip(path, most=6)
    same = metric.measure(clip, clip)
    coarse = CLIP_CODECS["x264 medium"].run(clip, 42).decoded
    fine = CLIP_CODECS["x264 medium"].run(clip, 18).decoded
    values = [metric.measure(clip, other) or 0.0 for other in (coarse, fine)]
    assert same is not None
    assert values[0] < values[1] <= same
    assert values[1] > 80, "shifted frames or a wrong range would cost it"
    shorter = replace(clip, frames=clip.frames[:4])
    with pytest.raises(InputError, match="expected VMAF of 6 frames"):
        metric.measure(clip, shorter)


def test_drift_is_that_of_the_same_pictures_later(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ncodec.eval import drift

    with pytest.raises(InputError, match="expected at least 9 frames, got 6"):
        drift.back_and_forth(read_clip(path, most=9))
    monkeypatch.setattr(drift, "PLAYED", 6)
    clip = drift.back_and_forth(read_clip(path, most=9))
    assert len(clip.frames) == drift.FRAMES < clip.gop
    assert [clip.frames.index(frame) for frame in clip.frames[:12]] == [
        0,
        1,
        2,
        3,
        4,
        5,
        4,
        3,
        2,
        1,
        0,
        1,
    ]
    sinking = drift.Drift("a", 50, [40 - frame / 100 for frame in range(drift.FRAMES)])
    assert sinking.change == pytest.approx(-0.8)
    monkeypatch.setattr(drift, "FRAMES", 4)
    monkeypatch.setattr(drift, "EARLY", slice(0, 1))
    monkeypatch.setattr(drift, "LATE", slice(2, 3))
    figure = tmp_path / "drift.svg"
    run = CliRunner().invoke(bench, ["drift", str(path), "-q", "30", "--figure", str(figure)])
    assert run.exit_code == 0, run.output
    assert re.fullmatch(r"clip +quality  30  [+-]\d\.\d\d dB\n", run.stdout), run.stdout
    assert "quality 30" in figure.read_text("utf-8")


def test_drift_over_a_cut_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ncodec.eval import drift

    first = read_clip(path, most=6)
    other = from_rgb([255 - frame.pixels[::-1] for frame in to_rgb(first)], first)
    monkeypatch.setattr(drift, "PLAYED", 6)
    monkeypatch.setattr(drift, "FRAMES", 6)
    monkeypatch.setattr(
        drift,
        "read_clip",
        lambda *_, **__: replace(first, frames=first.frames[:3] + other.frames[3:]),
    )
    with pytest.raises(InputError, match="expected 6 frames of one scene, got a cut"):
        drift.measure_drift([path], [30], advance=lambda _: None)


def test_symbols_of_clips_are_counted(photo: Photo) -> None:
    pytest.importorskip("torch")
    from ncodec.api.agreement import compare_frames

    agreements = compare_frames(
        [np.ascontiguousarray(photo[:96, i : i + 112]) for i in range(3)], 30
    )
    assert [agreement.different for agreement in agreements] == [0, 0, 0, 0]
    assert len({agreement.symbols for agreement in agreements}) == 1
    assert agreements[0].symbols > 3 * 256 * 42
