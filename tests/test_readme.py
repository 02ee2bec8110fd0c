"""The README's Python runs, and so does every `ncodec` command in it that is not training."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from test_demux import write

TEXT = (ROOT / "README.md").read_text("utf-8")
SLOW = tuple(
    f"ncodec {name}"
    for name in (
        "train",
        "export",
        "report",
        "bench rd",
        "bench symbols",
        "bench speed",
        "bench video",
    )
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(blocks("bash")).splitlines()
    found = [line.split(" #")[0].strip() for line in lines if line.startswith("ncodec ")]
    return [line for line in found if not line.startswith(SLOW)]


@pytest.fixture
def with_photo(folder: Path) -> Path:
    shutil.copy(ROOT / "docs" / "osprey.png", folder / "photo.png")
    with Image.open(folder / "photo.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    write(
        folder / "clip.mp4",
        [pixels[:96, 4 * i : 4 * i + 128].copy() for i in range(16)],
        sound=True,
    )
    (folder / "notes.txt").write_text(TEXT, "utf-8")
    shutil.copy(ROOT / "tests" / "golden" / "0.1.0" / "tensors.safetensors", "weights.safetensors")
    shutil.copytree(ROOT / "weights" / "ssim", folder / "runs" / "mine" / "export")
    return folder


def test_the_python_runs(with_photo: Path) -> None:
    code = blocks("python")
    assert code
    for block in code:
        subprocess.run([sys.executable, "-c", block], check=True, cwd=with_photo)


def test_the_commands_run_in_order(with_photo: Path) -> None:
    assert len(commands()) >= 5
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in commands():
        if "|" in command or ">" in command:
            subprocess.run(command, shell=True, check=True, cwd=with_photo, env=environment)
        else:
            subprocess.run(shlex.split(command), check=True, cwd=with_photo, env=environment)


def test_the_two_commands_of_a_new_user_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in TEXT
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
