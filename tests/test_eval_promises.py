"""Promises of a file are checked at every quality, and broken ones are said."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from click.testing import CliRunner
from PIL import Image

from ncodec.eval.commands.bench import bench
from ncodec.eval.promises import Checked, Trial, check_picture, table_of

Photo = npt.NDArray[np.uint8]

TRIALS = (Trial(0, 100, 24.0, 21.0, 0.0, 0.1), Trial(10, 1084, 23.8, 22.2, 0.5, 0.1))
KEPT = Checked("text-a.png", 0, 4096, 900, 1000, 1200, TRIALS)


def test_what_holds_is_not_mentioned() -> None:
    assert list(KEPT.broken()) == []


def test_each_broken_promise_is_a_sentence() -> None:
    first, second = KEPT.trials
    broken = replace(
        KEPT, trials=(replace(first, psnr=20.9, size=1085), replace(second, psnr=20.6))
    )
    assert list(broken.broken()) == [
        "quality 0: expected at least 21.00 dB, got 20.90",
        "quality 0: expected at most 1084 bytes, got 1085",
        "quality 10: expected at least 22.20 dB, got 20.60",
        "quality 10: 20.60 dB, after 20.90 at 0",
    ]


def test_bytes_are_added_up_by_kind() -> None:
    other = replace(
        KEPT, name="text-b.png", trials=(replace(KEPT.trials[0], quality=50, psnr=31.0, size=70),)
    )
    _, *rows = table_of([KEPT, other, replace(other, name="noise.png")])
    assert [row.split() for row in rows] == [
        ["noise", "1", "0", "70", "31.0", "900", "1,000", "1,200"],
        ["text", "2", "0", "70", "31.0", "1,800", "2,000", "2,400"],
    ]


def test_sizes_and_psnr_are_those_of_files(folder: Path, photo: Photo) -> None:
    Image.fromarray(photo[:64, :64]).save("a.png")
    checked = check_picture(Path("a.png"), 0, (10, 90))
    low, high = checked.trials
    assert (checked.name, checked.pixels) == ("a.png", 4096)
    assert 20 < low.psnr < high.psnr < 50
    assert 20 < low.size < high.size < checked.webp


def test_the_command_says_how_many_are_as_promised(folder: Path, photo: Photo) -> None:
    Path("in").mkdir()
    Image.fromarray(np.full((20, 30, 3), 90, dtype=np.uint8)).save("in/plain.png")
    Path("in/bad.png").write_bytes(b"no picture")
    result = CliRunner().invoke(bench, ["promises", "in", "--save", "out.json", "--jobs", "1"])
    assert result.exit_code == 1
    assert "bad.png, effort 0, InputError" in result.output
    assert "1 of 2 as promised" in result.output
    (row,) = json.loads(Path("out.json").read_text("utf-8"))
    assert [trial["psnr"] for trial in row["trials"]] == [99.0] * 11
