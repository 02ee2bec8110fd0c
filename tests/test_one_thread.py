"""With one thread, coding takes one core: nothing spins beside it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads threads from /proc")

SCRIPT = """
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

import ncodec

TICK = os.sysconf("SC_CLK_TCK")


def times():
    # Seconds of all threads, and of those of libraries: threads of Python have work.
    python = {str(thread.native_id) for thread in threading.enumerate()}
    of_libraries = 0.0
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        if task.name not in python:
            of_libraries += (int(fields[11]) + int(fields[12])) / TICK
    process = os.times()
    return process.user + process.system, of_libraries


def work(count):
    rng = np.random.default_rng(0)
    if sys.argv[1] == "picture":
        pixels = rng.integers(0, 256, (100, 100, 3), dtype=np.uint8)
        data = ncodec.encode(pixels, quality=40, effort=0, threads=1)
        for _ in range(20 * count):
            ncodec.decode(data, threads=1)
        return
    frames = [np.roll(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), n, 1) for n in range(4)]
    for _ in range(count):
        ncodec.encode_video(frames, "out.ncv", threads=1, overwrite=True)


work(1)
time.sleep(0.5)  # what numpy's import began has ended
before = times()
work(3)
after = times()
print((after[1] - before[1]) / (after[0] - before[0]))
"""


@pytest.mark.parametrize("medium", ["picture", "clip"])
def test_no_other_thread_uses_a_core(medium: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, medium], capture_output=True, text=True, check=True,
        cwd=str(tmp_path), env={"PATH": ""},
    )  # fmt: skip
    assert float(done.stdout) < 0.1
