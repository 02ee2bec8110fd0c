"""Many callers at once, forked processes, and machines that are short of something: the same
results, or one sentence, and no call that waits for ever."""

import asyncio
import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import ROOT

import ncodec

Photo = npt.NDArray[np.uint8]

AT_ONCE = 8
PATIENCE_S = 120
MEMORY = 512 * 2**20
"""bytes of addresses that a process may have"""


def there_and_back(shift: int) -> str:
    """Digest of a picture and a clip, coded and decoded."""
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        photo = np.asarray(image.crop((330 + shift, 80, 458 + shift, 160)))
    picture = ncodec.encode(photo, quality=30, effort=0)
    encoder = ncodec.StreamEncoder(128, 80, quality=30)
    packets = [encoder.encode(np.roll(photo, number, axis=1)).data for number in range(2)]
    decoder = ncodec.StreamDecoder(encoder.header)
    frames = [decoder.decode(packet).pixels.tobytes() for packet in packets]
    found = [picture, ncodec.decode(picture).tobytes(), *packets, *frames]
    return hashlib.sha256(b"".join(found)).hexdigest()


@pytest.fixture(scope="module")
def alone() -> list[str]:
    return [there_and_back(shift) for shift in range(AT_ONCE)]


def test_threads_at_once_give_what_one_gives(alone: list[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        assert list(threads.map(there_and_back, range(AT_ONCE), timeout=PATIENCE_S)) == alone


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_at_once_give_what_one_gives(method: str, alone: list[str]) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"the platform has no {method}")
    with multiprocessing.get_context(method).Pool(AT_ONCE) as processes:
        found = processes.map_async(there_and_back, range(AT_ONCE)).get(PATIENCE_S)
    assert found == alone


def test_tasks_of_an_event_loop_give_what_one_gives(alone: list[str]) -> None:
    async def all_at_once() -> list[str]:
        loop = asyncio.get_running_loop()
        work = (loop.run_in_executor(None, there_and_back, shift) for shift in range(AT_ONCE))
        return await asyncio.wait_for(asyncio.gather(*work), PATIENCE_S)

    assert asyncio.run(all_at_once()) == alone


FORKING = """
import os, sys
import numpy as np
import ncodec

pixels = np.arange(96 * 128 * 3, dtype=np.uint8).reshape(96, 128, 3)
options = {"backend": sys.argv[1], "threads": 2}
data = ncodec.encode(pixels, effort=0, **options)
first = np.asarray(ncodec.decode(data, **options)).astype(int)
child = os.fork()
if child == 0:
    again = np.asarray(ncodec.decode(data, **options))
    assert abs(first - again).max() <= 1
    assert ncodec.encode(pixels, effort=0, **options) == data
    sys.exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 7)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.parametrize("backend", ["onnx", "torch"])
def test_a_forked_process_works_and_ends(backend: str) -> None:
    if backend == "torch" and not (find_spec("torch") and find_spec("safetensors")):
        pytest.skip("PyTorch is not installed")
    command = [sys.executable, "-c", FORKING, backend]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        timer = threading.Timer(PATIENCE_S, partial(os.killpg, process.pid, 9))
        timer.start()
        stderr = process.communicate()[1]
        timer.cancel()
    assert process.returncode == 0, stderr


def ncodec_in(
    environment: dict[str, str], *arguments: str, before: Callable[[], object] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command with these variables alone, after `before` in its process."""
    return subprocess.run(
        [sys.executable, "-m", "ncodec", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        preexec_fn=before,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture
def photo_file(folder: Path, photo: Photo) -> Path:
    Image.fromarray(photo[:80, :96]).save("a.png")
    return folder


@pytest.mark.skipif(os.name != "posix", reason="HOME is of POSIX systems")
@pytest.mark.parametrize("home", [None, "/dev/null", "empty"])
def test_no_home_is_needed_and_nothing_is_left_there(home: str | None, photo_file: Path) -> None:
    Path("empty").mkdir()
    place = {} if home is None else {"HOME": str(photo_file / home)}
    result = ncodec_in(place, "encode", "a.png", "--effort", "1")
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(os.listdir()) == ["a.nci", "a.png", "empty"]
    assert os.listdir("empty") == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the platform has no affinity")
def test_one_processor_gives_what_all_give(photo_file: Path) -> None:
    one = {min(os.sched_getaffinity(0))}
    before = partial(os.sched_setaffinity, 0, one)
    result = ncodec_in({}, "encode", "a.png", before=before)
    assert (result.returncode, result.stderr) == (0, "")
    assert Path("a.nci").read_bytes() == ncodec.encode("a.png")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere addresses are not limited")
def test_little_memory_is_enough_or_one_sentence(folder: Path) -> None:
    resource = pytest.importorskip("resource")
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Each thread of a BLAS reserves addresses, on a machine of many cores more than the limit.
    few, one = {"OPENBLAS_NUM_THREADS": "1"}, ("--threads", "1")
    with Image.open(ROOT / "docs" / "osprey.png") as image:
        image.save("small.png")
        image.resize((1600, 1200)).save("large.bmp")
    ncodec.encode("small.png", "small.nci", effort=0)
    decoded = ncodec_in(few, "decode", "small.nci", "-o", "back.png", *one, before=limit)
    assert (decoded.returncode, decoded.stderr) == (0, "")
    refused = ncodec_in(few, "encode", "large.bmp", "--effort", "0", *one, before=limit)
    assert refused.returncode == 1
    assert refused.stderr.startswith("ncodec: large.bmp: not enough memory")
    assert refused.stderr.count("\n") == 1
    assert not Path("large.nci").exists()
