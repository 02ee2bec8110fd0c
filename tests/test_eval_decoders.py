"""Decoders of a model are measured on the files of one encoder."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from test_cli import call

from ncodec.eval.decoders import measure_decoders

Photo = npt.NDArray[np.uint8]


def test_the_models_own_decoder_is_the_anchor(
    photo: Photo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr("ncodec.eval.decoders.QUALITIES", (20, 60))
    told: list[int] = []
    found = measure_decoders([photo[:96, :96]], threads=1, advance=told.append)
    assert sum(told) == 2
    full = found[0]
    assert full.name == "full"
    assert full.lost_db(full) == [0, 0]
    assert full.bd_rate(full) == 0
    (low, worse), (high, better) = full.curve
    assert low < high
    assert worse < better


def test_the_command_prints_draws_and_saves(
    photo: Photo, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("scipy")
    pytest.importorskip("altair")
    monkeypatch.setattr("ncodec.eval.decoders.QUALITIES", (20, 60))
    (folder / "pictures").mkdir()
    Image.fromarray(photo[:96, :96]).save(folder / "pictures" / "a.png")
    arguments = ("bench", "shrink", "pictures", "--plot", "a.svg", "--save", "a.json")
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    assert "full" in result.output
    rows = json.loads((folder / "a.json").read_text("utf-8"))["decoders"]
    assert rows[0]["lost_db_by_quality"] == [0, 0]
    assert "full" in (folder / "a.svg").read_text("utf-8")
    again = call(*arguments)
    assert again.exit_code == 2
    assert "-f overwrites it" in again.output
