"""Reports over buckets, and of points that a cluster measures, without a cluster."""

import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import s3fs
from PIL import Image
from test_report import call, data_of

from ncodec.errors import BackendError
from ncodec.eval import measure, places
from ncodec.eval.cluster import measure_there, versions_of
from ncodec.eval.codecs.registry import CODECS, JPEG_420, WEBP
from ncodec.eval.measure import Task, load_sources, measure_source
from ncodec.eval.media import PICTURES
from ncodec.eval.page import points_csv, render
from ncodec.eval.places import local_paths
from ncodec.eval.report import Report, Run, make_report
from ncodec.eval.store import Outcome, Point, Store

NUMBERS = count()
"""of buckets: servers of one process share theirs"""
OPTIONS = ("--quick", "--jobs", "1", "--codec", "JPEG 4:2:0", "--codec", "WebP")


def steps(stage: str, total: int) -> Any:
    return lambda count: None


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"photos{next(NUMBERS)}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def pictures(folder: Path, photo: npt.NDArray[np.uint8]) -> Path:
    place = folder / "pictures"
    place.mkdir()
    for number in range(3):
        Image.fromarray(photo[number : number + 64, :80]).save(place / f"{number}.png")
    (place / "notes.txt").write_text("not a picture")
    return place


def upload(source: Path, place: str) -> None:
    """Copy a file or a folder into a bucket."""
    s3fs.S3FileSystem().put(str(source), place, recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Places that have been copied."""
    found: list[str] = []
    fetch = places.fetch

    def recorded(place: str, folder: Path) -> Path:
        found.append(place)
        return fetch(place, folder)

    monkeypatch.setattr(places, "fetch", recorded)
    return found


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Tasks that have been given to processes."""
    found: list[Any] = []
    run_in_pool = measure.run_in_pool

    def recorded(work: Any, tasks: Sequence[Any], jobs: int) -> Any:
        found.extend(tasks)
        return run_in_pool(work, tasks, jobs)

    monkeypatch.setattr(measure, "run_in_pool", recorded)
    return found


@pytest.mark.slow
def test_a_bucket_gives_the_figures_of_a_folder(
    bucket: str, pictures: Path, copied: list[str], measured: list[Any]
) -> None:
    upload(pictures, f"{bucket}/in")
    assert call(str(pictures), "-o", "local.html", *OPTIONS).exit_code == 0
    shutil.rmtree("cache")
    measured.clear()
    result = call(f"{bucket}/in", "-o", "there.html", *OPTIONS)
    assert result.exit_code == 0, result.output
    assert copied == [f"{bucket}/in/{number}.png" for number in range(3)]
    assert len(measured) == 2 * 3
    local, there = data_of(Path("local.html")), data_of(Path("there.html"))
    for key in ("points", "rates", "pictures", "measured"):
        assert there[key] == local[key]
    assert [len(points) for points in there["points"].values()] == [2 * 5]

    copied.clear(), measured.clear()
    s3fs.S3FileSystem.clear_instance_cache()
    assert call(f"{bucket}/in", "-o", "again.html", *OPTIONS).exit_code == 0
    assert (copied, measured) == ([], [])
    assert data_of(Path("again.html")) == there


def test_what_changed_is_copied_anew(
    bucket: str, pictures: Path, tmp_path: Path, copied: list[str]
) -> None:
    upload(pictures, f"{bucket}/in")
    upload(pictures / "0.png", f"{bucket}/in/deep/0.png")
    before = local_paths([f"{bucket}/in"], tmp_path / "copies", steps)
    assert [source.name for source in load_sources(PICTURES, before)[0]] == [
        "0.png", "1.png", "2.png", "deep/0.png"
    ]  # fmt: skip
    copied.clear()
    upload(pictures / "2.png", f"{bucket}/in/1.png")
    after = local_paths([f"{bucket}/in"], tmp_path / "copies", steps)
    assert copied == [f"{bucket}/in/1.png"]
    assert after[1].read_bytes() == (pictures / "2.png").read_bytes()
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]


def test_files_patterns_and_local_names_stand_beside_each_other(
    bucket: str, pictures: Path, tmp_path: Path
) -> None:
    upload(pictures, f"{bucket}/in")
    names = [f"{bucket}/in/[01].png", "pictures", f"{bucket}/in/notes.txt"]
    found = local_paths(names, tmp_path / "copies", steps)
    assert [path.name for path in found] == ["0.png", "1.png", "pictures", "notes.txt"]
    assert found[2] == Path("pictures"), "local names stay as they are"


def test_a_store_that_tells_no_content_is_copied_every_time(
    pictures: Path, tmp_path: Path, copied: list[str]
) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    for name in ("0.png", "1.png"):
        files.pipe("/in/a.png", (pictures / name).read_bytes())
        (path,) = local_paths(["memory://in/a.png"], tmp_path / "copies", steps)
        assert path.read_bytes() == (pictures / name).read_bytes()
    assert len(copied) == 2
    files.rm("/in/a.png")


def test_a_copy_that_was_cut_short_is_not_taken_for_the_file(
    bucket: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(pictures, f"{bucket}/in")

    def cut(place: str, folder: Path) -> Path:
        (folder / "0.png").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(places, "fetch", cut)
        with pytest.raises(KeyboardInterrupt):
            local_paths([f"{bucket}/in/0.png"], tmp_path / "copies", steps)
    (path,) = local_paths([f"{bucket}/in/0.png"], tmp_path / "copies", steps)
    assert path.read_bytes() == (pictures / "0.png").read_bytes()
    assert len(list((tmp_path / "copies").iterdir())) == 1


def test_urls_that_cannot_be_used_are_said(
    bucket: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(pictures / "notes.txt", f"{bucket}/texts/notes.txt")

    def said(url: str) -> str:
        result = call(url, "-o", "page.html", *OPTIONS)
        assert result.exit_code == 2, result.output
        assert not Path("page.html").exists()
        return result.stderr

    assert "s3://nowhere: no such file or folder" in said("s3://nowhere")
    assert f"{bucket}/nothing: no such file or folder" in said(f"{bucket}/nothing")
    assert f"expected pictures or clips in {bucket}, got none among 1" in said(bucket)
    assert "nothing://bucket: cannot be opened" in said("nothing://bucket")

    def forbidden(*_: object, **__: object) -> bool:
        msg = "Forbidden"
        raise PermissionError(msg)

    monkeypatch.setattr(s3fs.S3FileSystem, "isdir", forbidden)
    assert f"{bucket}: cannot be listed: Forbidden" in said(bucket)


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [("fsspec", ("s3://bucket",), "batch"), ("ray", ("pictures", "--ray", "auto"), "ray")],
)
def test_modules_that_lack_are_said(
    pictures: Path,
    module: str,
    arguments: tuple[str, ...],
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from importlib import util

    find_spec = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == module else find_spec(name))
    result = call(*arguments, "-o", "page.html", *OPTIONS)
    assert result.exit_code == 2
    assert f"needs {module}: pip install 'ncodec[{extra}]'" in result.stderr


def tasks_of(pictures: Path) -> list[Task]:
    sources, _ = load_sources(PICTURES, [pictures / "0.png"])
    return [("pictures", "WebP", sources[0], (30, 55), ("psnr",))]


def test_a_machine_of_a_cluster_needs_no_file_of_its_own(pictures: Path) -> None:
    (task,) = tasks_of(pictures)
    here = measure_source(*task)
    data = (pictures / "0.png").read_bytes()
    away = (*task[:2], replace(task[2], path=Path("/nowhere/0.png")), *task[3:])
    there = measure_there(away, versions_of("pictures", "WebP", ["psnr"]), data)
    points = [point for point in here if isinstance(point, Point)]
    assert len(points) == 2
    assert there == [replace(point, encode_s=None, decode_s=None) for point in points]


def test_a_machine_of_other_versions_measures_nothing(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = tasks_of(pictures)
    data = (pictures / "0.png").read_bytes()
    versions = versions_of("pictures", "WebP", ["psnr"])
    host = socket.gethostname()
    newer = replace(WEBP, settings="newer")
    monkeypatch.setitem(CODECS, "WebP", newer)
    with pytest.raises(BackendError, match=rf"expected WebP of .*got .*'newer'.* on {host}"):
        measure_there(task, versions, data)
    monkeypatch.setattr(type(newer), "missing", "libwebp")
    with pytest.raises(BackendError, match=f"{host} lacks libwebp"):
        measure_there(task, versions, data)


@pytest.mark.slow
def test_points_of_a_cluster_claim_no_speed(pictures: Path, tmp_path: Path) -> None:
    store = tmp_path / "cache"

    def runner(tasks: Sequence[Task]) -> Iterator[tuple[Task, list[Outcome] | str]]:
        for task in tasks:
            versions = versions_of(task[0], task[1], task[4])
            yield task, measure_there(task, versions, task[2].path.read_bytes())

    def report(codec: Any, **options: Any) -> Report:
        return make_report(
            PICTURES,
            sorted(pictures.glob("*.png")),
            Run(Store(store), jobs=1, quick=True, progress=steps, **options),
            title="Codecs",
            codecs=[codec],
        )

    def seconds(found: Report) -> set[str]:
        return {line.split(",")[-1] for line in points_csv(found).splitlines()[1:]}

    there = report(JPEG_420, runner=runner)
    assert there.machine.endswith("; points measured on a Ray cluster")
    here = report(JPEG_420)
    assert not here.machine.endswith("cluster")
    for found in (there, here):
        assert seconds(found) == {""}
        assert "speeds of JPEG 4:2:0 are left out" in " ".join(found.failures)
        assert 'id="speeds"' not in render(found)
    timed = report(WEBP)
    assert all(float(value) > 0 for value in seconds(timed))
    assert timed.failures == []
    assert 'id="speeds"' in render(timed)
