"""Speeds are of what users run: in this process, and as whole processes."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

from ncodec.errors import BackendError
from ncodec.eval import against, speed
from ncodec.eval.commands.bench import bench

Photo = npt.NDArray[np.uint8]


def test_times_are_of_the_effort_that_is_named(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(photo[:100, :140])
    plain, searched = (speed.time_ncodec(image, effort=effort, threads=1) for effort in (0, 6))
    assert [plain.name, searched.name] == ["ncodec effort 0", "ncodec effort 6"]
    assert searched.encode_s > plain.encode_s > 0
    monkeypatch.setattr(speed, "PROCESS_REPEATS", 1)
    processes = speed.time_processes(image)
    assert list(processes) == ["ncodec encode", "ncodec decode", "ncodec --help"]
    assert min(processes.values()) > 0


def test_another_ncodec_is_timed_in_turn(
    photo: Photo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(photo[:64, :64]).save("a.png")
    monkeypatch.setattr(against, "ROUNDS", 1)
    result = CliRunner().invoke(bench, ["speed", "a.png", "--against", sys.executable])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()[1:]
    assert len(lines) == 9
    for line in lines:
        *_, ours, theirs, ratio = line.split()
        assert min(float(ours), float(theirs), float(ratio)) > 0
        if "memory" in line:
            assert float(ratio) == pytest.approx(float(theirs) / float(ours), abs=0.01)


def test_an_interpreter_without_ncodec_is_refused(photo: Photo, folder: Path) -> None:
    Image.fromarray(photo[:64, :64]).save("a.png")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -P "$@"\n')
    python.chmod(0o755)
    with pytest.raises(BackendError, match="cannot time ncodec: ModuleNotFoundError"):
        against.compare_with(python, Path("a.png"), threads=1, advance=lambda _: None)


def test_a_ratio_says_how_many_times_less_ours_is() -> None:
    assert against.FigurePair("decode", 0.25, 1.0).ratio == 4
    assert np.isnan(against.FigurePair("memory", 0.0, 0.0).ratio)
