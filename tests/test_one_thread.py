"""With one thread, coding takes one core: nothing spins beside it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads threads from /proc")

SCRIPT = """
import os
import sys
from pathlib import Path

import numpy as np

import ncodec

rng = np.random.default_rng(0)
if sys.argv[1] == "picture":
    for size in (16, 200):
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        for quality in (10, 40):
            data = ncodec.encode(pixels, quality=quality, effort=0, threads=1)
            for _ in range(10):
                ncodec.decode(data, threads=1)
else:
    frames = [np.roll(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), n, 1) for n in range(4)]
    ncodec.encode_video(frames, "out.ncv", threads=1)
    for _ in range(5):
        with ncodec.open_video("out.ncv", threads=1) as decoder:
            list(decoder.records())
process = os.times()
total = process.user + process.system
own = os.sysconf("SC_CLK_TCK")
idle = 0.0
for task in Path("/proc/self/task").iterdir():
    # Threads of numpy and ONNX Runtime live on; those of Python have work, one at a time.
    fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
    if int(task.name) != os.getpid():
        idle += (int(fields[11]) + int(fields[12])) / own
print(idle / total)
"""


@pytest.mark.parametrize("medium", ["picture", "clip"])
def test_no_other_thread_uses_a_core(medium: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, medium], capture_output=True, text=True, check=True,
        cwd=str(tmp_path), env={"PATH": ""},
    )  # fmt: skip
    assert float(done.stdout) < 0.15
