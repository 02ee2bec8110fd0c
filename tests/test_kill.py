"""A process that is killed leaves each file as it was or as it should be, and never half of one.

`NCODEC_KILLS=200 pytest -s tests/test_kill.py` kills that many times and prints what was found.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from test_cli import call, ncodec_command
from test_demux import write
from tiny import TINY

Photo = npt.NDArray[np.uint8]

KILLS = int(os.environ.get("NCODEC_KILLS", "12"))
"""kills of the commands together; one of training for every ten of these, if there are 100"""
TEMPORARY = ".ncodec-"
OLD = b"an earlier file"
WORK = {
    "a picture": (["encode", "a.png"], ["a.nci"]),
    "over a file": (["encode", "a.png", "-f", "-o", "old.nci"], ["old.nci"]),
    "several": (["encode", "a.png", "b.png", "c.png", "-o", "out"], ["out/a.nci", "out/b.nci"]),
    "a clip": (["encode", "in.mp4", "-o", "out.ncv", "--gop", "3"], ["out.ncv"]),
    "decode a picture": (["decode", "in.nci", "-o", "back.png"], ["back.png"]),
    "decode a clip": (["decode", "in.ncv", "-o", "back.y4m"], ["back.y4m"]),
    "pack": (["pack", "a.png", "--method", "xz"], ["a.png.ncz"]),
    "pack tensors": (["tensors", "pack", "in.npz"], ["in.npz.nct"]),
}
"""arguments of the command, and the files that it writes first"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")


def contents(folder: Path) -> dict[str, bytes]:
    """Files under their final names."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(TEMPORARY)
    }


def temporaries(folder: Path) -> set[Path]:
    return set(folder.rglob(f"{TEMPORARY}*"))


def killed(command: list[str], folder: Path, delay: float, *, while_writing: bool) -> bool:
    """Kill a command after `delay` seconds, counted from its first temporary file on if
    `while_writing`; whether it was still at work."""
    before = temporaries(folder)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while while_writing and process.poll() is None and temporaries(folder) == before:
            time.sleep(0.0005)
        time.sleep(delay)
        process.kill()
    return process.returncode < 0


@pytest.fixture(scope="module")
def duration(tmp_path_factory: pytest.TempPathFactory, photo: Photo) -> float:
    """Seconds of a whole command."""
    picture = tmp_path_factory.mktemp("whole") / "a.png"
    Image.fromarray(photo).save(picture)
    begun = time.monotonic()
    assert ncodec_command("encode", str(picture)).returncode == 0
    return time.monotonic() - begun


@pytest.fixture
def inputs(folder: Path, photo: Photo) -> Path:
    for shift, name in enumerate("abc"):
        Image.fromarray(np.roll(photo, 30 * shift, axis=1)).save(f"{name}.png")
    Path("out").mkdir()
    write(folder / "in.mp4", [photo[:64, 2 * i : 2 * i + 96] for i in range(6)], sound=True)
    assert call("encode", "in.mp4", "--gop", "3").exit_code == 0
    assert call("encode", "a.png", "-o", "in.nci").exit_code == 0
    np.savez("in.npz", photo=photo, numbers=np.arange(1000.0))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
def test_a_killed_command_leaves_no_half_file(work: str, inputs: Path, duration: float) -> None:
    arguments, written = WORK[work]
    before = contents(inputs)
    if "-f" in arguments:
        before |= dict.fromkeys(written, OLD)
    assert call(*arguments).exit_code == 0
    after = contents(inputs)
    assert set(written) <= set(after)
    chance, seen = random.Random(work), Counter[str]()
    for turn in range(max(1, KILLS // len(WORK))):
        for name in after:
            if name not in before:
                Path(name).unlink(missing_ok=True)
            elif Path(name).read_bytes() != before[name]:  # times of inputs stay, which .ncz keeps
                Path(name).write_bytes(before[name])
        while_writing = turn % 2 == 0
        delay = chance.uniform(0, 0.02 if while_writing else duration)
        command = [sys.executable, "-m", "ncodec", *arguments]
        seen["killed at work"] += killed(command, inputs, delay, while_writing=while_writing)
        found = contents(inputs)
        assert set(before) <= set(found) <= set(after)
        for name, data in found.items():
            assert data in (before.get(name), after[name]), f"{name}: neither old nor new"
        seen["done" if set(found) == set(after) and found == after else "not done"] += 1
    seen["temporary files left"] = len(temporaries(inputs))
    for name in set(after) - set(before):
        Path(name).unlink(missing_ok=True)
    assert call(*arguments).exit_code == 0, "what was left is in nobody's way"
    assert contents(inputs) == after
    print(f"{work}: {dict(seen)}")


@pytest.mark.slow
@pytest.mark.skipif(KILLS < 100, reason="set NCODEC_KILLS=200: a start of training takes seconds")
def test_a_killed_run_of_training_always_has_a_whole_checkpoint(
    pictures: Path, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("pytorch_lightning")
    out, last = tmp_path / "run", tmp_path / "run" / "last.ckpt"
    options = [*TINY, "--optimizer.steps=100000", "--checkpoint_minutes=0.001"]
    command = [sys.executable, "-m", "ncodec", "train", "image", "--data", str(pictures)]
    command += ["--out", str(out), *options]
    chance, reached, seen = random.Random(1), 0, Counter[str]()
    for turn in range(KILLS // 10):
        resume = ["--resume", str(last)] if last.exists() else []
        while_writing = bool(resume) and turn % 2 == 1
        before, left = last.stat().st_mtime_ns if resume else 0, temporaries(out)
        with subprocess.Popen(
            [*command, *resume], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            deadline = time.monotonic() + 120
            while (
                temporaries(out) == left
                if while_writing
                else not last.exists() or last.stat().st_mtime_ns == before
            ):
                assert process.poll() is None, "it goes on from the checkpoint"
                assert time.monotonic() < deadline
                time.sleep(0.0005)
            time.sleep(0 if while_writing else chance.uniform(0, 1))
            process.kill()
        state = torch.load(last, weights_only=True)
        assert state["global_step"] >= reached + (not while_writing)
        reached = state["global_step"]
        seen["killed"] += 1
    seen["steps"], seen["temporary files left"] = reached, len(temporaries(out))
    print(f"training: {dict(seen)}")
