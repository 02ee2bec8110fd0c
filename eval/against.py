"""Speed and memory of this ncodec beside those of another one, in turn."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from ncodec.errors import BackendError

ROUNDS = 5
"""processes of each ncodec and task, one after the other's"""
TASKS = {
    "encode, effort 0": "ncodec.encode(pixels, effort=0, threads=threads)",
    "encode, effort 2": "ncodec.encode(pixels, effort=2, threads=threads)",
    "decode": "ncodec.decode(data, threads=threads)",
}
"""name of each task → what is timed"""
FIGURES = "first run, s", "later runs, s", "peak memory, MB"
_WORKER = """
import json, sys, time
from pathlib import Path
import numpy as np
from PIL import Image
import ncodec

pixels, threads = np.asarray(Image.open(sys.argv[1]).convert("RGB")), int(sys.argv[2])
coded = Path(sys.argv[3])
if not coded.exists():
    coded.write_bytes(ncodec.encode(pixels, effort=0, threads=threads))
data, times = coded.read_bytes(), []
for _ in range(4):
    start = time.perf_counter()
    TASK
    times.append(time.perf_counter() - start)
status = Path("/proc/self/status")
peak = status.read_text().split("VmHWM:")[1].split()[0] if status.exists() else 0
print(json.dumps([times[0], min(times[1:]), int(peak) / 1024]))
"""
"""times a task and prints seconds of the first run and of the fastest of three more, and the peak
memory of the process in MB, 0 where it is not known"""


@dataclass(frozen=True)
class FigurePair:
    """One figure of this ncodec and of the other one."""

    name: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """How many times less ours is."""
        return self.theirs / self.ours if self.ours else float("nan")


def compare_with(
    python: Path, picture: Path, *, threads: int, advance: Callable[[int], None]
) -> list[FigurePair]:
    """Medians of seconds and megabytes of every task, of this ncodec and of that which the
    interpreter `python` imports.

    Both decode one file, which the other one wrote. `advance` is called with 1 after each of
    `count_steps` steps. Raises BackendError where an interpreter cannot do a task.
    """
    found: list[FigurePair] = []
    with TemporaryDirectory() as folder:
        coded = Path(folder) / "other.nci"
        _run(python, TASKS["decode"], picture, threads, coded)
        for name, task in TASKS.items():
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(_run(Path(sys.executable), task, picture, threads, coded))
                theirs.append(_run(python, task, picture, threads, coded))
                advance(1)
            medians = (_medians(runs) for runs in (ours, theirs))
            for figure, of_ours, of_theirs in zip(FIGURES, *medians, strict=True):
                found.append(FigurePair(f"{name}: {figure}", of_ours, of_theirs))
    return found


def _medians(runs: list[list[float]]) -> list[float]:
    return [median(figures) for figures in zip(*runs, strict=True)]


def count_steps() -> int:
    """Steps that `compare_with` takes."""
    return ROUNDS * len(TASKS)


def _run(python: Path, task: str, picture: Path, threads: int, coded: Path) -> list[float]:
    code = _WORKER.replace("TASK", task)
    command = [str(python), "-c", code, str(picture), str(threads), str(coded)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        msg = f"{python} cannot time ncodec: {said.strip().splitlines()[-1]}"
        raise BackendError(msg) from error
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures
