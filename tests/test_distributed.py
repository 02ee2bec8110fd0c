"""Two processes on the CPU learn what one process with the same global batch learns."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("pytorch_lightning")

import torch
from tiny import TINY, log_losses

from ncodec.training.checkpoint import load_checkpoint

Photo = npt.NDArray[np.uint8]


# A file of its own, because Lightning starts the second process with the same command line.
SCRIPT = """
import sys
from pathlib import Path

import torch

from ncodec.training import image, run

from ncodec.training import options as run_options


def keep_weights(self):
    if not self.sharded:
        path = Path(sys.argv[2]) / f"weights-{self.global_rank}.pt"
        torch.save(dict(self.model.named_parameters()), path)


image.ImageTraining.on_train_end = keep_weights
last = Path(sys.argv[2]) / run.LAST
run.train_image(
    [sys.argv[1]],
    out=Path(sys.argv[2]),
    options=run_options.read_options(sys.argv[3:]),
    resume=last if last.exists() else None,
)
"""


def train(folder: Path, out: Path, *options: str) -> list[float]:
    script = folder.parent / "script.py"
    script.write_text(SCRIPT, "utf-8")
    command = [sys.executable, str(script), str(folder), str(out), *TINY]
    arguments = [*command, "--optimizer.steps=60", "--ema_decay=0.5", *options]
    subprocess.run(
        arguments, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return log_losses(out)


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.distributed.is_gloo_available(), reason="PyTorch was built without gloo"
)
@pytest.mark.parametrize("optimizer", ["adamw", "soap"])
def test_two_processes_learn_like_one_and_hold_the_same_weights(
    tmp_path: Path, pictures: Path, optimizer: str
) -> None:
    alone = train(pictures, tmp_path / "alone", "--crops.batch=4", f"--optimizer.name={optimizer}")
    two = ("--crops.batch=2", f"--optimizer.name={optimizer}", "--devices=2")
    together = train(pictures, tmp_path / "together", *two)
    assert len(together) == len(alone) == 6
    np.testing.assert_allclose(together, alone, atol=0.03)
    assert together[-1] < together[0]
    first, second = (torch.load(tmp_path / "together" / f"weights-{rank}.pt") for rank in (0, 1))
    for name, value in first.items():
        assert torch.equal(value, second[name]), (
            f"each process saw its own crops, and {name} is still the same"
        )

    resumed = train(pictures, tmp_path / "together", *two, "--optimizer.steps=70")
    assert len(resumed) == 7
    assert resumed[-1] < together[-1] + 0.05, "every process found its share of the optimizer again"


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.distributed.is_gloo_available(), reason="PyTorch was built without gloo"
)
def test_two_processes_that_share_one_model_learn_like_one(tmp_path: Path, pictures: Path) -> None:
    adamw = "--optimizer.name=adamw"
    alone = train(pictures, tmp_path / "alone", adamw, "--crops.batch=4", "--ema_decay=0")
    sharded = train(
        pictures, tmp_path / "sharded", adamw, "--crops.batch=2", "--devices=2", "--strategy=fsdp"
    )
    np.testing.assert_allclose(sharded, alone, atol=0.03)
    model, facts = load_checkpoint(tmp_path / "sharded" / "last.ckpt")
    assert facts["steps"] == 60
    assert all(type(value) is torch.Tensor for value in model.state_dict().values()), (
        "the checkpoint is whole"
    )


def test_soap_needs_whole_matrices(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(subprocess.CalledProcessError) as failure:
        train(
            pictures,
            out,
            "--optimizer.name=soap",
            "--crops.batch=2",
            "--devices=2",
            "--strategy=fsdp",
        )
    assert b"take --optimizer.name adamw for fsdp or a TPU" in failure.value.stderr
