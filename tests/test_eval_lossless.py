"""Lossless coders are measured on files that come back."""

import json
from pathlib import Path

import pytest
from test_cli import call, fails

from ncodec.errors import NcodecError
from ncodec.eval.lossless import (
    Packer,
    PackerFigures,
    measure_packers,
    packers,
    prefix_sizes,
)
from ncodec.eval.morse import morse_units


def test_every_coder_is_measured(folder: Path) -> None:
    Path("texts").mkdir()
    Path("texts/a").write_bytes(b"to be or not to be " * 200)
    Path("texts/empty").write_bytes(b"")
    result = call("bench", "lossless", "texts", "--save", "a.json")
    assert result.exit_code == 0, result.output
    saved = json.loads(Path("a.json").read_text("utf-8"))
    assert saved["files"] == ["a"]
    usual = [packer.name for packer in packers() if not packer.is_slow]
    assert [row["name"] for row in saved["coders"]] == usual
    assert len(usual) == len(packers()) - 4
    by_name = {row["name"]: row for row in saved["coders"]}
    assert by_name["ncodec xz"]["total_bits"] < by_name["ncodec store"]["total_bits"]
    assert "xz -9e" in result.output


def test_the_page_shows_every_coder_and_what_others_published(folder: Path) -> None:
    pytest.importorskip("altair")
    Path("a").write_bytes(b"to be or not to be " * 200)
    options = ["--method", "ncodec xz", "--method", "gzip -9"]
    result = call("bench", "lossless", "a", *options, "--page", "a.html")
    assert result.exit_code == 0, result.output
    page = Path("a.html").read_text("utf-8")
    for shown in (
        "ncodec xz",
        "gzip -9",
        "cmix v21",
        "Morse",
        "bits a byte",
        "<svg",
        "not measured here",
    ):
        assert shown in page
    assert page.count("<svg") == 3
    assert "http" not in page.replace("http://www.w3.org/", "")
    fails(call("bench", "lossless", "a", *options, "--page", "a.html"), "exists", code=2)


def test_morse_takes_units_of_time() -> None:
    """PARIS and the gap after it are 50 units, by which speeds of Morse are measured."""
    assert morse_units(b"PARIS paris") == (43 + 7 + 43) / 11
    assert morse_units(b"e") == 1
    assert morse_units(b"!? ") == 0
    assert morse_units(b"e,t") == (1 + 7 + 3) / 3


def test_prefixes_end_with_the_whole_file() -> None:
    assert prefix_sizes(500) == [500]
    assert prefix_sizes(10_000) == [1000, 10_000]
    assert prefix_sizes(123_456) == [1000, 10_000, 100_000, 123_456]


def test_figures_follow_from_sizes() -> None:
    figures = PackerFigures("a", 2.5, 2.0, 1.0, 1.0, (1,))
    assert figures.ratio == pytest.approx(4.0)
    assert figures.perplexity == pytest.approx(4.0)


def test_a_coder_that_loses_something_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    lossy = Packer("lossy", lambda data: data, lambda data: data[:2])
    with pytest.raises(NcodecError, match="did not come back from lossy"):
        measure_packers([tmp_path / "a"], [lossy], advance=lambda _count: None)


def test_what_is_not_known_is_named(folder: Path) -> None:
    Path("a").write_bytes(b"abc")
    fails(call("bench", "lossless", "a", "--method", "zip"), "expected coders among", code=2)
