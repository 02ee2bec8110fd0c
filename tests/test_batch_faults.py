"""Batches survive what happens in hours of work: crashes, hangs, kills, stores that fail."""

import contextlib
import http.client
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from batch_tasks import MEMORY, PoisonTask
from PIL import Image
from test_batch import files, rows

from ncodec.batch.process import Limits
from ncodec.batch.run import run_batch
from ncodec.batch.store import Store
from ncodec.batch.work_folder import remove_orphans, temporary_folder, work_folder
from ncodec.errors import OutputError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
KILLS = 8
BUCKET = "library"


def plain_pictures(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (24, 16), (number % 256, 40, 90)).save(folder / f"{name}.png")
    return folder


def poisoned(tmp_path: Path, *names: str, **limits: Any) -> tuple[Any, dict[str, dict[str, Any]]]:
    """Result and rows of a batch over pictures of these names, by two workers."""
    source = plain_pictures(tmp_path / "in", *names)
    marks = tmp_path / "marks"
    marks.mkdir()
    summary = run_batch(
        source, tmp_path / "out", PoisonTask(marks=str(marks)), jobs=2, limits=Limits(**limits)
    )
    return summary, rows(tmp_path / "out")


def test_an_item_that_crashes_workers_costs_its_own_row(tmp_path: Path) -> None:
    good = [f"good{n}" for n in range(6)]
    summary, found = poisoned(tmp_path, "crash1", *good, "crash2", "error")
    assert {row.item for row in summary.failures} == {"crash1.png", "crash2.png", "error.png"}
    assert found["crash1.png"]["error"] == (
        "its worker was lost twice: killed by SIGKILL, as where memory runs out"
    )
    assert found["crash1.png"]["tries"] == 2
    assert found["error.png"]["error"].endswith("RuntimeError: an error that nobody expected")
    assert set(files(tmp_path / "out")) == {f"{name}.png" for name in good}


def test_what_crashed_once_is_done_the_second_time(tmp_path: Path) -> None:
    summary, found = poisoned(tmp_path, "crash-once", "good")
    assert summary.failures == ()
    assert found["crash-once.png"]["tries"] == 2
    assert found["good.png"]["tries"] == 1


def test_a_worker_that_hangs_is_stopped_and_a_slow_one_is_not(tmp_path: Path) -> None:
    summary, found = poisoned(tmp_path, "hang", "slow", "good", silence=2)
    assert [row.item for row in summary.failures] == ["hang.png"]
    assert found["hang.png"]["error"] == "its worker was lost twice: no progress in 2 s"


def test_a_worker_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    summary, found = poisoned(tmp_path, "hungry", "good", memory=MEMORY * 3 // 4)
    assert [row.item for row in summary.failures] == ["hungry.png"]
    assert "bytes of memory" in found["hungry.png"]["error"]


def test_an_item_beside_one_that_crashes_has_a_second_try_too(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "a", "crash", "crash-once", "z")
    (tmp_path / "marks").mkdir()
    task = PoisonTask(marks=str(tmp_path / "marks"))
    summary = run_batch(source, tmp_path / "out", task, jobs=1, shards=10)
    assert [row.item for row in summary.failures] == ["crash.png"]
    assert rows(tmp_path / "out")["crash-once.png"]["tries"] == 2


def test_a_supervisor_that_stalls_takes_no_worker_for_dead(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "a", "slow")
    (tmp_path / "marks").mkdir()
    summary = run_batch(
        source,
        tmp_path / "out",
        PoisonTask(marks=str(tmp_path / "marks")),
        jobs=2,
        limits=Limits(silence=1.5),
        progress=lambda state: time.sleep(2),
    )
    assert summary.failures == ()
    assert rows(tmp_path / "out")["slow.png"]["tries"] == 1


def test_a_shard_keeps_its_other_items(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "a", "crash", "z")
    marks = tmp_path / "marks"
    marks.mkdir()
    task = PoisonTask(marks=str(marks))
    summary = run_batch(source, tmp_path / "out", task, jobs=1, shards=10)
    assert [row.item for row in summary.failures] == ["crash.png"]
    again = run_batch(tmp_path / "out", tmp_path / "files", task, jobs=1)
    assert again.failures == ()
    assert {Path(name).name for name in files(tmp_path / "files")} == {"a.png", "z.png"}


def command(source: str, target: str, *options: str) -> list[str]:
    return [
        sys.executable, "-m", "ncodec", "batch", source, target, "--jobs", "2", "-q", "20",
        "--effort", "0", *options,
    ]  # fmt: skip


def photographs(folder: Path, photo: npt.NDArray[np.uint8], count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(photo[number : number + 64, number : number + 64]).save(
            folder / f"{number:03d}.png"
        )
    return folder


@pytest.mark.parametrize("shards", [None, 5])
def test_a_target_that_cannot_be_written_ends_the_batch(tmp_path: Path, shards: int | None) -> None:
    """A folder stands where an output is to go."""
    source = plain_pictures(tmp_path / "in", "a")
    (tmp_path / "marks").mkdir()
    place = tmp_path / "out" / ("a.png" if shards is None else "shard-000000.tar")
    (place / "full").mkdir(parents=True)
    task = PoisonTask(marks=str(tmp_path / "marks"))
    with pytest.raises(OutputError, match="cannot be written"):
        run_batch(source, tmp_path / "out", task, jobs=1, shards=shards)


@pytest.mark.slow
def test_a_killed_batch_goes_on_to_the_same_files_and_rows(
    tmp_path: Path, photo: npt.NDArray[np.uint8]
) -> None:
    source = photographs(tmp_path / "in", photo, 60)
    assert (
        subprocess.run(command(str(source), str(tmp_path / "whole")), check=False).returncode == 0
    )
    chance, target = random.Random(7), tmp_path / "out"
    for _ in range(KILLS):
        with subprocess.Popen(command(str(source), str(target)), start_new_session=True) as process:
            time.sleep(chance.uniform(1.5, 5))
            killed = chance.choice([process.pid, -process.pid])  # the supervisor, or all
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed, signal.SIGKILL) if killed > 0 else os.killpg(-killed, 9)
    shown = subprocess.run(
        command(str(source), str(target), "--json"), capture_output=True, text=True, check=True
    )
    assert '"skipped": 0' not in shown.stdout, "it went on"
    assert files(target) == files(tmp_path / "whole")
    same = ("item", "tag", "state", "output", "bytes", "bpp", "model")
    assert [[row[key] for key in same] for row in rows(target).values()] == [
        [row[key] for key in same] for row in rows(tmp_path / "whole").values()
    ]


@pytest.mark.slow
def test_ctrl_c_keeps_the_rows_of_what_was_done(
    tmp_path: Path, photo: npt.NDArray[np.uint8]
) -> None:
    source, target = photographs(tmp_path / "in", photo, 60), tmp_path / "out"
    # Processes behind a script may ignore the signal, and would hand that on.
    listening = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(command(str(source), str(target)), preexec_fn=listening) as process:
        until = time.monotonic() + 60
        while len(list(target.glob("*.nci"))) < 5:
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    done = len(list(target.glob("*.nci")))
    shown = subprocess.run(
        command(str(source), str(target), "--json"), capture_output=True, text=True, check=True
    )
    assert f'"skipped": {done}' in shown.stdout or f'"skipped": {done - 1}' in shown.stdout
    assert len(rows(target)) == 60


class _Flaky(BaseHTTPRequestHandler):
    """Hands requests on to a store, but cuts one connection in ten, before or after the store has
    answered."""

    store = ("127.0.0.1", 0)
    numbers = itertools.count(1)
    protocol_version = "HTTP/1.1"

    def _hand_on(self) -> None:
        number = next(self.numbers)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if number % 20 == 10:
            self._cut()
            return
        store = http.client.HTTPConnection(*self.store)
        store.request(self.command, self.path, body, dict(self.headers))
        answer = store.getresponse()
        data = answer.read()
        store.close()
        if number % 20 == 0:
            self._cut()
            return
        self.send_response_only(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "content-length"):
                self.send_header(key, value)
        size = answer.getheader("Content-Length") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _hand_on  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of an empty bucket of an S3 server that cuts one connection in ten."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    handler = type("Handler", (_Flaky,), {"store": (host, port), "numbers": itertools.count(1)})
    flaky = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=flaky.serve_forever, daemon=True).start()
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # Servers of one process share what they hold.
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset).close()
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(BUCKET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{flaky.server_port}")
    s3fs.S3FileSystem.clear_instance_cache()
    yield f"s3://{BUCKET}"
    s3fs.S3FileSystem.clear_instance_cache()
    flaky.shutdown()
    server.stop()


@pytest.mark.slow
def test_a_bucket_is_coded_into_a_bucket(
    bucket: str, tmp_path: Path, photo: npt.NDArray[np.uint8]
) -> None:
    """With a store that fails one request in ten."""
    import s3fs

    from ncodec.batch.store import Store

    source = photographs(tmp_path / "in", photo, 12)
    (source / "junk.png").write_bytes(b"?")
    store = Store(f"{bucket}/in/deep")
    for path in sorted(source.iterdir()):
        shutil.copy(path, tmp_path / "copy")
        store.put(tmp_path / "copy", path.name)
    done = subprocess.run(
        command(f"{bucket}/in", f"{bucket}/out"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "1 of 13 items failed" in done.stderr
    subprocess.run(command(str(source), str(tmp_path / "local")), check=False)
    s3fs.S3FileSystem.clear_instance_cache()
    coded = Store(f"{bucket}/out")
    expected = files(tmp_path / "local")
    assert len(expected) == 12
    for name, data in expected.items():
        assert coded.read(f"deep/{name}") == data
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "manifest.parquet").write_bytes(coded.read("manifest.parquet") or b"")
    found = rows(tmp_path / "fetched")
    assert sum(row["state"] == "done" for row in found.values()) == 12
    assert coded.names("_ncodec") == []
    again = subprocess.run(
        command(f"{bucket}/in", f"{bucket}/out", "--json"), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert '"skipped": 12' in again.stdout


def test_two_batches_do_not_work_on_one_target(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "a", "slow", "z")
    (tmp_path / "marks").mkdir()
    task = PoisonTask(marks=str(tmp_path / "marks"))
    refused: list[str] = []

    def begin_another(state: object) -> None:
        with pytest.raises(OutputError, match="another batch works on it") as found:
            run_batch(source, tmp_path / "out", task, jobs=1, overwrite=True)
        refused.append(str(found.value))

    summary = run_batch(source, tmp_path / "out", task, jobs=1, progress=begin_another)
    assert len(refused) == 3
    assert summary.failures == ()
    assert set(files(tmp_path / "out")) == {"a.png", "slow.png", "z.png"}
    assert run_batch(source, tmp_path / "out", task, jobs=1).skipped == 3


def test_folders_of_killed_workers_go_when_others_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    own = Path(temporary_folder().name).name.partition(f"-{os.getpid()}-")[0]
    names = {f"{own}-{os.getpid()}-x", f"ncodec-batch-elsewhere-{dead.pid}-x", "ncodec-batch-mine"}
    for name in names | {f"{own}-{dead.pid}-x"}:
        (tmp_path / name).mkdir()
    remove_orphans()
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_lock_that_was_left_behind_is_nobody_s(tmp_path: Path) -> None:
    source = plain_pictures(tmp_path / "in", "a")
    lock = tmp_path / "out" / "_ncodec" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    (tmp_path / "marks").mkdir()
    task = PoisonTask(marks=str(tmp_path / "marks"))
    assert run_batch(source, tmp_path / "out", task, jobs=1).failures == ()
    assert set(files(tmp_path / "out")) == {"a.png"}


def test_a_work_folder_in_a_store_follows_what_changes() -> None:
    store = Store("memory://library/out")
    with work_folder(store, "_ncodec/parts/x", wanted=None, beat=lambda: None) as folder:
        for name in ("plan", "kept", "part-1"):
            (folder / name).write_text(name)
    with work_folder(store, "_ncodec/parts/x", wanted=None, beat=lambda: None) as folder:
        assert (folder / "plan").read_text() == "plan"
        (folder / "plan").unlink()
        (folder / "plan").write_text("else")
        (folder / "part-1").unlink()
    with work_folder(store, "_ncodec/parts/x", wanted=["plan"], beat=lambda: None) as folder:
        assert {path.name: path.read_text() for path in folder.iterdir()} == {"plan": "else"}
    assert store.find("_ncodec/parts/x") == ["kept", "plan"]
    store.remove_folder("_ncodec/parts")
    assert store.find("_ncodec/parts") == []
