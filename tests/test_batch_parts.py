"""Long clips of a library are coded in parts by several workers, and nobody can tell."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from batch_tasks import PoisonSplit
from PIL import Image
from stream_clips import FAST, shots, varying
from stream_reading import tree
from test_batch import files, rows
from test_batch_faults import bucket as bucket  # a fixture

import ncodec
from ncodec.batch.run import Progress, run_batch
from ncodec.batch.task import EncodeTask, StreamTask
from ncodec.errors import InputError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
SETTINGS = ncodec.EncodeVideoSettings(quality=20)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of three shots, a clip of one part, and a picture."""
    place = tmp_path_factory.mktemp("library")
    shots(place / "long.mp4", [0.6, 0.8, 0.6])
    varying(place / "short.mp4", [Fraction(number, 25) for number in range(5)])
    Image.new("RGB", (32, 32), (9, 80, 70)).save(place / "picture.png")
    return place


def task(**options: Any) -> EncodeTask:
    return EncodeTask(clips=SETTINGS, split=0.7, **options)


def leftovers(target: Path) -> list[str]:
    return [name for name in files(target) if name.startswith("_ncodec")]


def command(source: Path | str, target: Path | str, *options: str) -> list[str]:
    own = ["--split", "0.7", *options, "-q", "20"]
    return [sys.executable, "-m", "ncodec", "batch", str(source), str(target), *own]


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_files(library: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        summary = run_batch(
            library, tmp_path / str(jobs), task(measured=1.0, verify=True), jobs=jobs
        )
        assert summary.failures == ()
    assert files(tmp_path / "1") == files(tmp_path / "2")
    found = rows(tmp_path / "2")
    assert found["long.mp4"]["frames"] == 50
    assert found["long.mp4"]["verified"]
    stats = ncodec.encode_video(
        library / "long.mp4", tmp_path / "whole.ncv", settings=SETTINGS, measure=True
    )
    assert found["long.mp4"]["psnr"] == pytest.approx(stats.psnr, abs=0.5)
    again = run_batch(library, tmp_path / "2", task(measured=1.0, verify=True), jobs=2)
    assert (again.done, again.skipped) == (0, 3)


def test_a_clip_that_cannot_be_cut_is_coded_as_a_whole(library: Path, tmp_path: Path) -> None:
    data = bytearray((library / "long.mp4").read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 200] = bytes(200)
    (tmp_path / "damaged.mp4").write_bytes(data)
    summary = run_batch(tmp_path / "damaged.mp4", tmp_path / "out", task(), jobs=2)
    assert [row.state for row in summary.failures] == ["damaged"]
    with pytest.warns(ncodec.NcodecWarning, match="damaged"):
        ncodec.encode_video(
            tmp_path / "damaged.mp4", tmp_path / "whole.ncv", settings=SETTINGS, threads=1
        )
    assert files(tmp_path / "out") == {"damaged.ncv": (tmp_path / "whole.ncv").read_bytes()}


def test_a_part_that_crashed_once_is_done_the_second_time(library: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    poisoned = PoisonSplit(clips=SETTINGS, split=0.7, marks=str(marks), crash=2, once=True)
    summary = run_batch(library / "long.mp4", tmp_path / "poisoned", poisoned, jobs=2)
    assert summary.failures == ()
    run_batch(library / "long.mp4", tmp_path / "good", task(), jobs=2)
    assert files(tmp_path / "poisoned") == files(tmp_path / "good")


def test_a_part_that_always_crashes_costs_one_row(library: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    poisoned = PoisonSplit(clips=SETTINGS, split=0.7, marks=str(marks), crash=2)
    source = tmp_path / "in"
    source.mkdir()
    for name in ("long.mp4", "picture.png"):
        shutil.copy(library / name, source)
    summary = run_batch(source, tmp_path / "out", poisoned, jobs=2)
    assert [row.item for row in summary.failures] == ["long.mp4"]
    assert "its worker was lost twice" in str(summary.failures[0].error)
    assert set(files(tmp_path / "out")) == {"picture.nci"}
    assert set(rows(tmp_path / "out")) == {"long.mp4", "picture.png"}


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_with_the_parts_that_are_left(
    library: Path, tmp_path: Path
) -> None:
    clip = library / "long.mp4"
    run_batch(clip, tmp_path / "expected", task(), jobs=2)
    target = tmp_path / "out"
    for wanted in (1, 2):
        process = subprocess.Popen(
            command(clip, target, "--jobs", "1"), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while len(parts_in(target)) < wanted and process.poll() is None:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept = parts_in(target)
        assert len(kept) >= wanted
    process = subprocess.Popen(command(clip, target, "--jobs", "1"), stdout=subprocess.DEVNULL)
    while process.poll() is None:
        found = parts_in(target)
        assert all(found[name] == kept[name] for name in found.keys() & kept.keys())
        time.sleep(0.02)
    assert process.returncode == 0
    assert files(target) == files(tmp_path / "expected")


def parts_in(target: Path) -> dict[str, int]:
    """Times at which the parts in a target were written, by name."""
    found = {}
    for path in target.rglob("ncodec-part-*.ncv"):
        with suppress(FileNotFoundError):  # the clip was finished meanwhile
            found[path.name] = path.stat().st_mtime_ns
    return found


@pytest.mark.slow
def test_a_bucket_holds_the_parts(bucket: str, library: Path, tmp_path: Path) -> None:
    """With a store that fails one request in ten."""
    from ncodec.batch.store import Store

    shutil.copy(library / "long.mp4", tmp_path / "copy.mp4")
    Store(f"{bucket}/in").put(tmp_path / "copy.mp4", "long.mp4")
    done = subprocess.run(command(f"{bucket}/in", f"{bucket}/out", "--jobs", "2"), check=False)
    assert done.returncode == 0
    run_batch(library / "long.mp4", tmp_path / "local", task(), jobs=1)
    store = Store(f"{bucket}/out")
    assert store.read("long.ncv") == (tmp_path / "local" / "long.ncv").read_bytes()
    assert store.find("_ncodec") == []


@pytest.mark.slow
def test_segments_are_jobs_and_the_ladder_is_alike(library: Path, tmp_path: Path) -> None:
    settings = ncodec.StreamSettings(**{**FAST, "rungs": 2})
    ladders = StreamTask(settings=settings, split=1)
    summary = run_batch(library / "long.mp4", tmp_path / "out", ladders, jobs=2)
    assert summary.failures == ()
    ncodec.stream(library / "long.mp4", tmp_path / "whole", settings=settings)
    assert tree(tmp_path / "out" / "long") == tree(tmp_path / "whole")
    assert leftovers(tmp_path / "out") == []


def test_a_clip_that_is_replaced_meanwhile_is_not_mixed(library: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(library / "long.mp4", source)

    def replace(state: Progress) -> None:
        if state.jobs_done == 1:
            shutil.copy(library / "short.mp4", source / "new")
            (source / "new").replace(source / "long.mp4")

    summary = run_batch(source, tmp_path / "out", task(), jobs=1, progress=replace)
    assert [row.error for row in summary.failures] == [
        f"{source / 'long.mp4'}: changed while it was worked on: give the command again"
    ]
    assert run_batch(source, tmp_path / "out", task(), jobs=1).failures == ()
    run_batch(library / "short.mp4", tmp_path / "expected", task(), jobs=1)
    assert (tmp_path / "out" / "long.ncv").read_bytes() == (
        tmp_path / "expected" / "short.ncv"
    ).read_bytes()


def test_parts_that_cannot_be_are_said_before_any_work(library: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="become files, not members of shards"):
        run_batch(library, tmp_path / "out", task(), shards=10)
    with pytest.raises(InputError, match="a size is of a whole clip"):
        EncodeTask(clips=ncodec.EncodeVideoSettings(size=10**6), split=5)
    with pytest.raises(InputError, match="expected parts of at least"):
        EncodeTask(split=0)
    with pytest.raises(InputError, match="more than 0 seconds"):
        StreamTask(split=0)
    done = subprocess.run(
        command(library, tmp_path / "out", "--do", "decode"), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--split is for --do encode and --do stream" in done.stderr
    assert not (tmp_path / "out").exists()
