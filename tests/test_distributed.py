"""Two processes on the CPU learn what one process with the same global batch learns."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pytorch_lightning")

import torch
from tiny import TINY, log_losses

Photo = npt.NDArray[np.uint8]


def train(folder: Path, out: Path, *options: str) -> list[float]:
    command = [sys.executable, "-m", "ncodec", "train", "image", "--data", str(folder), "--out", str(out)]
    arguments = [*command, *TINY, "--optimizer.steps=60", "--ema_decay=0.5", *options]
    subprocess.run(arguments, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return log_losses(out)


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="PyTorch was built without gloo")
def test_two_processes_learn_like_one(tmp_path: Path, photo: Photo) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(np.roll(photo, 37 * i, axis=0)).save(folder / f"{i}.png")
    alone = train(folder, tmp_path / "alone", "--crops.batch=4")
    together = train(folder, tmp_path / "together", "--crops.batch=2", "--devices=2")
    assert len(together) == len(alone) == 6
    np.testing.assert_allclose(together, alone, atol=0.03)
    assert together[-1] < together[0]
