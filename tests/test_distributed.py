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


# A file of its own, because Lightning starts the second process with the same command line.
SCRIPT = """
import sys
from pathlib import Path

import torch

from ncodec.training import image, run


def keep_weights(self):
    torch.save(dict(self.model.named_parameters()), Path(sys.argv[2]) / f"weights-{self.global_rank}.pt")


image.ImageTraining.on_train_end = keep_weights
run.train_image([sys.argv[1]], out=Path(sys.argv[2]), options=run.read_options(sys.argv[3:]))
"""


def train(folder: Path, out: Path, *options: str) -> list[float]:
    script = folder.parent / "script.py"
    script.write_text(SCRIPT, "utf-8")
    command = [sys.executable, str(script), str(folder), str(out), *TINY]
    arguments = [*command, "--optimizer.steps=60", "--ema_decay=0.5", *options]
    subprocess.run(arguments, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return log_losses(out)


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="PyTorch was built without gloo")
def test_two_processes_learn_like_one_and_hold_the_same_weights(tmp_path: Path, photo: Photo) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(np.roll(photo, 37 * i, axis=0)).save(folder / f"{i}.png")
    alone = train(folder, tmp_path / "alone", "--crops.batch=4")
    together = train(folder, tmp_path / "together", "--crops.batch=2", "--devices=2")
    assert len(together) == len(alone) == 6
    np.testing.assert_allclose(together, alone, atol=0.03)
    assert together[-1] < together[0]
    first, second = (torch.load(tmp_path / "together" / f"weights-{rank}.pt") for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), f"each process saw its own crops, and {name} is still the same"
