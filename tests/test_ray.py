"""Libraries on a Ray cluster of two nodes; needs the environment of `make ray`."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from batch_tasks import GpuTask, PoisonTask
from PIL import Image
from stream_clips import varying
from test_batch import files, rows
from test_batch_faults import command, photographs, plain_pictures

ray = pytest.importorskip("ray", reason="needs the environment of make ray")

from ray.cluster_utils import Cluster

from ncodec.api.settings import EncodeVideoSettings
from ncodec.batch.process import Limits
from ncodec.batch.run import run_batch
from ncodec.batch.task import EncodeTask
from ncodec.errors import InputError

pytestmark = pytest.mark.slow
ITEMS = 24


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster whose head works on nothing, with one node for work."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # tasks of tests, for actors
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    found.add_node(num_cpus=1)
    yield found
    ray.shutdown()
    found.shutdown()


def joined(cluster: Cluster) -> str:
    ray.init(address=cluster.address, log_to_driver=False)
    return str(cluster.address)


def test_a_cluster_makes_the_files_and_rows_of_one_machine(
    cluster: Cluster, tmp_path: Path, photo: npt.NDArray[np.uint8]
) -> None:
    source = photographs(tmp_path / "in", photo, 6)
    (source / "junk.png").write_bytes(b"?")
    here = subprocess.run(command(str(source), str(tmp_path / "here")), check=False)
    there = subprocess.run(
        command(str(source), str(tmp_path / "there"), "--ray", cluster.address), check=False
    )
    assert here.returncode == there.returncode == 1
    assert files(tmp_path / "there") == files(tmp_path / "here")
    same = ("item", "tag", "state", "output", "bytes", "error")
    kept = [
        [[row[key] for key in same] for row in rows(tmp_path / name).values()]
        for name in ("here", "there")
    ]
    assert kept[0] == kept[1]


def test_a_poisoned_item_costs_its_own_row(cluster: Cluster, tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "crash", "good1", "hang", "good2", "crash-once")
    (tmp_path / "marks").mkdir()
    summary = run_batch(
        source,
        tmp_path / "out",
        PoisonTask(marks=str(tmp_path / "marks")),
        ray=joined(cluster),
        limits=Limits(silence=3),
    )
    assert {row.item for row in summary.failures} == {"crash.png", "hang.png"}
    assert set(files(tmp_path / "out")) == {"good1.png", "good2.png", "crash-once.png"}


def test_a_node_that_vanishes_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    spot = cluster.add_node(num_cpus=1)
    source = plain_pictures(tmp_path / "in", *(f"slow{n}" for n in range(ITEMS)))
    (tmp_path / "marks").mkdir()
    killed: list[float] = []

    def kill(state: Any) -> None:
        if state.done == ITEMS // 4 and not killed:
            killed.append(time.monotonic())
            threading.Thread(
                target=cluster.remove_node, args=(spot,), kwargs={"allow_graceful": False}
            ).start()

    summary = run_batch(
        source,
        tmp_path / "out",
        PoisonTask(marks=str(tmp_path / "marks")),
        ray=joined(cluster),
        progress=kill,
    )
    assert killed
    assert summary.failures == ()
    assert summary.done == ITEMS
    assert len(files(tmp_path / "out")) == len(rows(tmp_path / "out")) == ITEMS


def test_a_driver_that_is_killed_goes_on(
    cluster: Cluster, tmp_path: Path, photo: npt.NDArray[np.uint8]
) -> None:
    source, target = photographs(tmp_path / "in", photo, 60), tmp_path / "out"
    line = command(str(source), str(target), "--ray", cluster.address)
    with subprocess.Popen(line) as process:
        until = time.monotonic() + 120
        while len(list(target.glob("_ncodec/rows-*"))) < 1:
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    kept = len(list(target.glob("*.nci")))
    assert kept < 60, "it was at work"
    shown = subprocess.run([*line, "--json"], capture_output=True, text=True, check=True)
    assert '"skipped": 0' not in shown.stdout
    assert len(files(target)) == len(rows(target)) == 60


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "good")
    with pytest.raises(InputError, match="expected the address of a Ray cluster, got 127"):
        run_batch(source, tmp_path / "out", PoisonTask(marks="."), ray="127.0.0.1:1")


def test_parts_of_a_clip_are_joined_to_the_bytes_of_one_machine(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.add_node(num_cpus=1)
    source = tmp_path / "in"
    source.mkdir()
    varying(source / "long.mp4", [Fraction(number, 25) for number in range(60)])
    Image.new("RGB", (32, 32), (9, 80, 70)).save(source / "picture.png")
    task = EncodeTask(clips=EncodeVideoSettings(quality=20), split=0.6)
    assert run_batch(source, tmp_path / "here", task, jobs=1).failures == ()
    summary = run_batch(source, tmp_path / "there", task, ray=joined(cluster))
    assert summary.failures == ()
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert rows(tmp_path / "there")["long.mp4"]["frames"] == 60


@pytest.mark.parametrize("gpus", [0, 1])
def test_actors_of_a_task_on_a_gpu_have_one_where_there_is_one(
    cluster: Cluster, tmp_path: Path, gpus: int
) -> None:
    cluster.add_node(num_cpus=1, num_gpus=gpus)
    source = plain_pictures(tmp_path / "in", "a", "b")
    run_batch(source, tmp_path / "out", GpuTask(), ray=joined(cluster), jobs=1)
    notices = {tuple(row["notices"]) for row in rows(tmp_path / "out").values()}
    assert notices == {("GPU 0",) if gpus else ("GPU ",)}
