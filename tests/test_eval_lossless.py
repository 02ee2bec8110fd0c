"""Lossless coders are measured on files that come back."""

import json
from pathlib import Path

import pytest
from test_cli import call, fails

from ncodec.errors import NcodecError
from ncodec.eval.lossless import Packer, measure_packers, packers


def test_every_coder_is_measured(folder: Path) -> None:
    Path("texts").mkdir()
    Path("texts/a").write_bytes(b"to be or not to be " * 200)
    Path("texts/empty").write_bytes(b"")
    result = call("bench", "lossless", "texts", "--save", "a.json")
    assert result.exit_code == 0, result.output
    saved = json.loads(Path("a.json").read_text("utf-8"))
    assert saved["files"] == ["a"]
    assert [row["name"] for row in saved["coders"]] == [packer.name for packer in packers()]
    by_name = {row["name"]: row for row in saved["coders"]}
    assert by_name["ncodec xz"]["total_bits"] < by_name["ncodec store"]["total_bits"]
    assert "xz -9e" in result.output


def test_a_coder_that_loses_something_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    lossy = Packer("lossy", lambda data: data, lambda data: data[:2])
    with pytest.raises(NcodecError, match="did not come back from lossy"):
        measure_packers([tmp_path / "a"], [lossy], advance=lambda _count: None)


def test_what_is_not_known_is_named(folder: Path) -> None:
    Path("a").write_bytes(b"abc")
    fails(call("bench", "lossless", "a", "--method", "zip"), "expected coders among", code=2)
