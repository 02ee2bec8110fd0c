"""Reports on a Ray cluster; needs the environment of `make ray`."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from report_codecs import KILLER, KILLER_ONCE, MARKS, SLOW
from test_report import call, data_of

ray = pytest.importorskip("ray", reason="needs the environment of make ray")

from ray.cluster_utils import Cluster

from ncodec.eval import cluster as on_cluster
from ncodec.eval.cluster import join_cluster
from ncodec.eval.codecs.registry import CODECS
from ncodec.eval.measure import load_sources, measure
from ncodec.eval.media import PICTURES
from ncodec.eval.store import Point, Store

pytestmark = pytest.mark.slow
OPTIONS = ("--quick", "--jobs", "1", "--codec", "JPEG 4:2:0", "--codec", "WebP")


@pytest.fixture
def pictures(folder: Path, photo: npt.NDArray[np.uint8]) -> Path:
    place = folder / "pictures"
    place.mkdir()
    for number in range(3):
        save(photo, number, place)
    return place


def save(photo: npt.NDArray[np.uint8], number: int, folder: Path) -> None:
    Image.fromarray(photo[number : number + 64, :80]).save(folder / f"{number}.png")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose head works on nothing, with one node for work, and whose workers know the
    codecs of `report_codecs`."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv(MARKS, str(tmp_path / "marks"))
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    found.add_node(num_cpus=1)
    ray.init(
        address=found.address,
        log_to_driver=False,
        runtime_env={"worker_process_setup_hook": "report_codecs.register"},
    )
    yield found
    ray.shutdown()
    found.shutdown()


def figures(cache: Path) -> dict[str, Any]:
    """Sizes and metrics of all points of a store, and whether they have times."""
    store = Store(cache)
    sources, _ = load_sources(PICTURES, sorted(Path("pictures").glob("*.png")))
    return {
        f"{name} {source.name}": {
            quality: replace(point, encode_s=None, decode_s=None)
            for quality, point in store.points(CODECS[name], source.key, ["psnr"]).items()
        }
        for name in ("JPEG 4:2:0", "WebP")
        for source in sources
    }


def test_a_cluster_gives_the_figures_of_processes(
    pictures: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("pictures", "-o", "here.html", *OPTIONS).exit_code == 0
    Path("cache").rename("cache-of-processes")
    result = call("pictures", "-o", "there.html", "--ray", cluster.address, *OPTIONS)
    assert result.exit_code == 0, result.output
    here, there = data_of(Path("here.html")), data_of(Path("there.html"))
    for key in ("points", "rates", "pictures"):
        assert there[key] == here[key]
    assert [len(points) for points in there["points"].values()] == [2 * 5]
    assert figures(Path("cache")) == figures(Path("cache-of-processes"))
    assert (len(here["speeds"]), len(there["speeds"])) == (2, 0)

    handed: list[Any] = []
    jobs_of = on_cluster._jobs
    monkeypatch.setattr(on_cluster, "_jobs", lambda tasks: handed.extend(tasks) or jobs_of(tasks))
    assert call("pictures", "-o", "again.html", "--ray", cluster.address, *OPTIONS).exit_code == 0
    assert handed == [], "points that are there are not measured again"


def test_a_codec_that_dies_is_a_failure_and_one_that_died_once_is_not(
    pictures: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for codec in (KILLER, KILLER_ONCE):
        monkeypatch.setitem(CODECS, codec.name, codec)
    options = (*OPTIONS, "--codec", "killer", "--codec", "killer once")
    result = call("pictures", "-o", "page.html", "--ray", cluster.address, *options)
    assert result.exit_code == 0, result.output
    page = Path("page.html").read_text("utf-8")
    for number in range(3):
        for quality in (10, 90):
            assert (
                f"killer, {number}.png, quality {quality}: the process of the codec died: " in page
            )
    assert "killer once, " not in page
    data = data_of(Path("page.html"))
    counted = dict.fromkeys(data["names"], 0)
    for row in data["points"]["psnr"]:
        counted[row["codec"]] += 1
    assert counted == {"JPEG 4:2:0": 5, "WebP": 5, "killer": 0, "killer once": 2}


def test_machines_of_other_versions_are_failures(
    pictures: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = replace(KILLER_ONCE, settings="newer")
    monkeypatch.setitem(CODECS, newer.name, newer)
    options = (*OPTIONS, "--codec", newer.name)
    assert call("pictures", "-o", "page.html", "--ray", cluster.address, *options).exit_code == 0
    page = Path("page.html").read_text("utf-8")
    assert "BackendError: expected killer once of the driver&#39;s version" in page
    sources, _ = load_sources(PICTURES, sorted(pictures.glob("*.png")))
    assert not any(Store(Path("cache")).points(newer, source.key, []) for source in sources)


def test_a_machine_that_vanishes_costs_nothing(
    pictures: Path,
    cluster: Cluster,
    photo: npt.NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3, 8):
        save(photo, number, pictures)
    spot = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setitem(CODECS, SLOW.name, SLOW)
    sources, _ = load_sources(PICTURES, sorted(pictures.glob("*.png")))
    removed: list[Any] = []

    def remove(count: int) -> None:
        if count and not removed:
            cluster.remove_node(spot, allow_graceful=False)
            removed.append(spot)

    (found,) = measure(
        PICTURES,
        sources,
        [SLOW],
        metrics=["psnr"],
        store=Store(Path("cache")),
        jobs=1,
        advance=remove,
        runner=join_cluster(cluster.address),
    )
    assert removed
    assert all(isinstance(o, Point) for known in found.outcomes.values() for o in known)


def test_a_cluster_that_is_not_there_is_said(pictures: Path) -> None:
    result = call("pictures", "-o", "page.html", "--ray", "127.0.0.1:1", *OPTIONS)
    assert result.exit_code == 2
    assert "expected the address of a Ray cluster, got 127.0.0.1:1" in result.stderr
