"""Clips are compared on the frames as they were stored, by elementary streams and PSNR 6:1:1."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from test_clip_reader import write

pytest.importorskip("scipy")
pytest.importorskip("skimage")

from ncodec.errors import InputError
from ncodec.eval.cli import bench
from ncodec.eval.clips import CLIP_ANCHORS, INTRA_CLIPS, NCODEC_CLIPS, psnr_611, read_clip

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> Path:
    frames = [np.ascontiguousarray(photo[:97, 2 * i : 2 * i + 129]) for i in range(6)]
    even = [np.ascontiguousarray(f[:96, :128]) for f in frames]
    return write(tmp_path_factory.mktemp("clips") / "clip.mkv", even, codec="ffv1", pix_fmt="yuv420p")


def grey(luma: int, chroma: int) -> av.VideoFrame:
    planes = np.concatenate([np.full((8, 8), luma), np.full((4, 8), chroma)]).astype(np.uint8)
    return av.VideoFrame.from_ndarray(planes, "yuv420p")


def test_psnr_611_weighs_planes() -> None:
    one, five = 20 * np.log10(255), 20 * np.log10(255 / 5)
    assert psnr_611(grey(100, 128), grey(101, 128)) == pytest.approx((6 * one + 200) / 8)
    assert psnr_611(grey(100, 128), grey(100, 133)) == pytest.approx((600 + 2 * five) / 8)


def test_every_codec_gives_a_rising_curve_of_the_same_frames(path: Path) -> None:
    clip = read_clip(path, most=4)
    assert len(clip.frames) == 4
    for codec in (NCODEC_CLIPS, INTRA_CLIPS, *CLIP_ANCHORS):
        points = [codec.code(clip, quality) for quality in (codec.qualities[1], codec.qualities[4])]
        quality = [np.mean([psnr_611(*pair) for pair in zip(clip.frames, d, strict=True)]) for _, d in points]
        assert abs(quality[0] - quality[1]) > 3
        assert (points[0][0] < points[1][0]) == (quality[0] < quality[1]), codec.name
        assert min(quality) > 20, codec.name


def test_what_is_no_clip_in_420_is_a_sentence(tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(InputError, match=r"8-bit 4:2:0, got bgr0"):
        read_clip(write(tmp_path / "a.mkv", [photo[:64, :64]], codec="ffv1", pix_fmt="bgr0"), most=2)
    (tmp_path / "b.mkv").write_text("no clip")
    with pytest.raises(InputError, match=r"b\.mkv: expected a clip"):
        read_clip(tmp_path / "b.mkv", most=2)


def test_the_command_prints_a_row_a_clip(path: Path, tmp_path: Path) -> None:
    saved = tmp_path / "video.json"
    result = CliRunner().invoke(bench, ["video", str(path), "--frames", "3", "--save", str(saved)])
    assert result.exit_code == 0, result.output
    header, row = result.output.splitlines()
    assert "x264 veryfast" in header
    assert row.startswith("clip ")
    assert row.count("%") == 4
    assert saved.stat().st_size > 500
