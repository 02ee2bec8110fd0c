"""Numbered pictures as clips, and clips as numbered pictures."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from test_cli import call, fails

import ncodec
from ncodec.errors import InputError, OutputError
from ncodec.media.numbered import frame_rate

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    return [np.ascontiguousarray(photo[:64, 2 * i : 2 * i + 96]) for i in range(6)]


@pytest.mark.parametrize(
    ("rate", "meant"),
    [
        (24, Fraction(24)),
        (24.0, Fraction(24)),
        (12.5, Fraction(25, 2)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (Fraction(2997, 100), Fraction(2997, 100)),
        (None, Fraction(25)),
    ],
)
def test_rates_of_ntsc_are_meant(rate: float | Fraction | None, meant: Fraction) -> None:
    assert frame_rate(rate) == meant


@pytest.mark.parametrize("rate", [0, -1, 1e9, float("nan")])
def test_rates_out_of_range_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match="expected a rate of"):
        frame_rate(rate)


def test_fractions_are_rates_at_the_command(folder: Path, frames: list[Photo]) -> None:
    for number in (1, 2):
        Image.fromarray(frames[number]).save(f"r-{number}.png")
    for given in ("30000/1001", "29.97"):
        result = call("encode", "r-%d.png", "-o", "r.ncv", "-f", "--fps", given)
        assert result.exit_code == 0, result.stderr
        assert ncodec.video_info("r.ncv").rate == pytest.approx(30000 / 1001, abs=1e-9)
    for given in ("1/0", "x", "0", "1/2/3", "nan"):
        result = call("encode", "r-%d.png", "-o", "x.ncv", "--fps", given)
        assert result.exit_code == 2
        assert "expected a rate such as 24 or 30000/1001" in result.stderr


def test_numbered_pictures_and_frames_at_a_time(folder: Path, frames: list[Photo]) -> None:
    for number, pixels in enumerate(frames, start=1):
        Image.fromarray(pixels).save(f"in-{number:03d}.png")
    assert call("encode", "in-%03d.png", "-o", "row.ncv", "--fps", "10").exit_code == 0
    assert call("decode", "row.ncv", "-o", "out-%02d.png").exit_code == 0
    assert sorted(p.name for p in folder.glob("out-*")) == [f"out-{n:02d}.png" for n in range(1, 7)]
    assert call("decode", "row.ncv", "--at", "0.3s", "-o", "at.png").exit_code == 0
    np.testing.assert_array_equal(
        np.asarray(Image.open("at.png")), np.asarray(Image.open("out-04.png"))
    )
    fails(call("decode", "row.ncv", "--at", "9", "-o", "no.png"), "its last frame is at 0.500 s")
    fails(
        call("decode", "row.ncv", "-o", "out-%02d.png"),
        "out-01.png: exists; -f (overwrite=True) overwrites it",
    )
    assert call("encode", "in-%03d.png", "-o", "row.ncv", "-f").exit_code == 0
    fails(call("encode", "in-%03d.png"), "need a name for their clip", code=2)
    Path("in-003.png").unlink()
    fails(
        call("encode", "in-%03d.png", "-o", "row.ncv", "-f"),
        "numbers without gaps, got 1 to 6 without 3",
    )
    for number in (1, 2):
        Path(f"in-{number:03d}.png").rename(f"on-{number + 119:03d}.png")
    assert "2 frames" in call("encode", "on-%03d.png", "-o", "row.ncv", "-f").output
    fails(
        call("encode", "no-%03d.png", "-o", "row.ncv", "-f"),
        "no-%03d.png: there are no such pictures",
    )
    fails(call("encode", "no/no-%03d.png", "-o", "row.ncv", "-f"), "no/no-%03d.png: cannot be read")
    Path("half%").mkdir()
    for name in ("50%-9.png", "50%-10.png", "50%-0011.png", "[a]-1.png"):
        Image.fromarray(frames[0]).save(Path("half%", name))
    assert "2 frames" in call("encode", "half%/50%-%d.png", "-o", "row.ncv", "-f").output
    assert "1 frames" in call("encode", "half%/[a]-%d.png", "-o", "one.ncv").output
    assert call("decode", "row.ncv", "-o", "half%/back-%d.png").exit_code == 0
    assert Path("half%", "back-2.png").exists()
    Path("row.ncv").rename("my%20row.ncv")
    assert call("decode", "my%20row.ncv").exit_code == 0
    assert Path("my%20row.mp4").exists()


def test_no_numbered_picture_is_lost_in_silence(folder: Path, frames: list[Photo]) -> None:
    def write_row() -> None:
        for number, pixels in enumerate(frames, start=1):
            Image.fromarray(pixels).save(f"in-{number}.png")

    write_row()
    Path("in-3.png").write_bytes(b"")
    fails(
        call("encode", "in-%d.png", "-o", "row.ncv"),
        "pictures more than could be read: some are empty or damaged",
    )
    write_row()
    Path("in-6.png").write_bytes(Path("in-6.png").read_bytes()[:-200])
    assert call("encode", "in-%d.png", "-o", "row.ncv").exit_code == 1
    Path("in-6.png").unlink()
    Path("in-4.png").unlink()
    Path("in-4.png").mkdir()
    fails(
        call("encode", "in-%d.png", "-o", "row.ncv"), "numbers without gaps, got 1 to 5 without 4"
    )
    assert not Path("row.ncv").exists()


def test_a_numbered_picture_is_not_overwritten_by_its_clip(
    folder: Path, frames: list[Photo]
) -> None:
    Image.fromarray(frames[0]).save("in-1.png")
    before = Path("in-1.png").read_bytes()
    with pytest.raises(OutputError, match="is one of the inputs"):
        ncodec.encode_video("in-%d.png", "in-1.png", overwrite=True)
    assert Path("in-1.png").read_bytes() == before
