"""`ncodec bench scale` reads manifests and real runs, and refuses what makes no sense."""

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from ncodec.batch.manifest import DAMAGED, DONE, FAILED, MANIFEST, Manifest, Row
from ncodec.batch.store import Store
from ncodec.eval.commands.bench import bench
from ncodec.eval.commands.scale import scale
from ncodec.eval.scale import Assumptions, read_items


def row(name: str, **values: Any) -> Row:
    usual: dict[str, Any] = {"state": DONE, "source_bytes": 1000, "bytes": 100, "width": 20,
                             "height": 10, "seconds": 0.5}  # fmt: skip
    return Row(name, f"/library/{name}", "1", **(usual | values))


def write_manifest(folder: Path, *rows: Row) -> Path:
    manifest = Manifest(Store(str(folder)), {})
    manifest.append(rows)
    manifest.finish()
    return folder / MANIFEST


def run(*arguments: object) -> Result:
    return CliRunner().invoke(bench, ["scale", *map(str, arguments)])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return write_manifest(tmp_path, *(row(f"{n}.png", seconds=0.5 + n / 10) for n in range(8)))


def test_items_are_those_that_were_coded(tmp_path: Path) -> None:
    path = write_manifest(
        tmp_path,
        row("a.png", seconds=2.0),
        row("b.png", state=FAILED, seconds=9.0),
        row("c.png", state=DAMAGED, seconds=3.0),
        row("d.mp4", frames=50),
        row("e.png", source_bytes=None, bytes=None, width=None, height=None),
    )
    items = read_items([path, path])
    assert len(items) == 8
    assert items.seconds[:4] == (2.0, 3.0, 0.5, 0.5)
    assert items.pixels[:4] == (200, 200, 200 * 50, 0)
    assert (items.source_bytes[:4], items.bytes[:4]) == ((1000,) * 3 + (0,), (100,) * 3 + (0,))


def test_every_assumption_has_an_option_with_a_text() -> None:
    options = {option.name: option for option in scale.params}
    for field in fields(Assumptions):
        option = options[field.name]
        assert option.default == field.default
        assert getattr(option, "help", None)


def test_the_command_prints_figures_of_numbers_of_workers(manifest: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    given = (manifest, "--items", 500, "--workers", "2,20", "--reclaims", 1, "--seed", 5)
    result = run(*given, "--save", saved)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["2", "20"]
    printed = run(*given, "--json")
    document = json.loads(printed.stdout)
    assert document == json.loads(saved.read_text())
    assert document["assumptions"]["reclaims"] == 1
    assert [one["workers"] for one in document["runs"]] == [2, 20]
    assert all(1 < one["speedup"] <= one["workers"] * 1.05 for one in document["runs"])
    assert f"{document['runs'][1]['wall_s']:.1f}" == lines[3].split()[1]


def test_items_that_crash_twice_are_named(manifest: Path) -> None:
    result = run(manifest, "--items", 20, "--workers", 2, "--crashes", 1e6)
    assert "2 workers: 20 items crashed twice and were given up" in result.stdout


def test_a_check_sets_the_model_beside_real_runs(manifest: Path, tmp_path: Path) -> None:
    seconds = {1: 14.0, 2: 5.0}
    for count, each in seconds.items():
        document = {"seconds": each, "done": 8, "items": 8}
        (tmp_path / f"{count}.json").write_text(json.dumps(document))
    checks = [f"--check={count}={tmp_path / f'{count}.json'}" for count in seconds]
    free = ("--latency", 0, "--supervisor", 0, "--worker-start", 1)
    found = json.loads(run(manifest, *checks, *free, "--json").stdout)["checks"]
    assert [one["workers"] for one in found] == [1, 2]
    # 0.5 to 1.2 s: in turns, workers have 0.5 0.7 0.9 1.1 and 0.6 0.8 1.0 1.2.
    for one, wall in zip(found, (1 + 6.8, 1 + 3.6), strict=True):
        assert one["simulated_s"] == pytest.approx(wall, rel=1e-4)
        assert one["measured_s"] == seconds[one["workers"]]
        assert one["ratio"] == pytest.approx(wall / seconds[one["workers"]], rel=1e-4)
    assert "0.557" in run(manifest, *checks, *free).stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--workers", "0"], "0 is not in the range"),
        (["--workers", "2,,3"], "is not a valid integer range"),
        (["--items", "0"], "0 is not in the range"),
        (["--latency", "nan"], "expected latency to be a number from 0 to 1e+06, got nan"),
        (["--bandwidth", "0"], "expected bandwidth to be a number from 1 to"),
        (["--shared", "0.5"], "expected shared to be a number from 1 to"),
        (["--read-rate", "inf"], "expected read-rate to be a number from"),
        (["--workers-per-machine", "0"], "expected workers-per-machine to be a number from 1"),
        (["--check", "run.json"], "expected N=FILE, such as 2=run.json, got run.json"),
        (["--check", "2=gone.json"], "'gone.json' does not exist"),
        (["--check", "0=run.json"], "0 is not in the range"),
        (["--check", "2=run.json", "--items", "5"], "--items and --workers have no use"),
        (["--check", "2=run.json"], "the 8 items of the manifests, got 7"),
        (["--check", "2=bad.json"], "expected what ncodec batch --json prints"),
        (["--check", "2=list.json"], "expected what ncodec batch --json prints"),
        (["--check", "2=nan.json"], "expected seconds above 0"),
        (["--save", "run.json"], "run.json: exists; -f overwrites it"),
        (["--reclaims", "10000", "--workers", "2", "--items", "9"], "to last long enough"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    manifest: Path, folder: Path, options: list[str], sentence: str
) -> None:
    Path("run.json").write_text('{"seconds": 5.0, "done": 7}')
    Path("nan.json").write_text('{"seconds": NaN, "done": 8}')
    Path("list.json").write_text("[1]")
    Path("bad.json").write_bytes(b"\xff{")
    result = run(manifest, *options)
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.stderr.split())


@pytest.mark.parametrize("kind", ["bytes", "columns", "types", "nan", "zero", "failed", "sizes"])
def test_files_that_are_no_manifest_of_work_are_refused(folder: Path, kind: str) -> None:
    path = Path("rows.parquet")
    if kind == "bytes":
        path.write_bytes(b"PAR1 and nothing else")
    elif kind == "columns":
        pq.write_table(pa.table({"seconds": [1.0]}), path)
    elif kind == "types":
        columns = ("state", "seconds", "source_bytes", "bytes", "width", "height", "frames")
        pq.write_table(pa.table({name: ["text"] for name in columns}), path)
    else:
        bad: dict[str, dict[str, Any]] = {
            "nan": {"seconds": math.nan}, "zero": {"seconds": 0.0}, "failed": {"state": FAILED},
            "sizes": {"bytes": -1},
        }  # fmt: skip
        path = write_manifest(folder, row("a.png", **bad[kind]))
    result = run(path, "--items", 10, "--workers", 2)
    assert result.exit_code == 2, result.output
    assert "expected" in result.stderr
    assert path.name in result.stderr
