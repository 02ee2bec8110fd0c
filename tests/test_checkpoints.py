"""A run that was killed goes on, and no checkpoint is lost while another is written."""

import io
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("pytorch_lightning")

import torch
from tiny import TINY, log_losses

from ncodec.training import options as run_options
from ncodec.training import run
from ncodec.training.checkpoint import write_checkpoint


@pytest.mark.slow
def test_a_killed_run_goes_on_from_its_last_checkpoint(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = [*TINY, "--optimizer.steps=2000", "--checkpoint_minutes=0.02"]
    command = [
        sys.executable,
        "-m",
        "ncodec",
        "train",
        "image",
        "--data",
        str(pictures),
        "--out",
        str(out),
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (out / run.LAST).exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        process.kill()
    reached = torch.load(out / run.LAST, weights_only=True)["global_step"]
    assert 0 < reached < 2000
    last = run.train_image(
        [pictures],
        out=out,
        options=run_options.read_options([*TINY, f"--optimizer.steps={reached + 20}"]),
        resume=out / run.LAST,
    )
    state = torch.load(last, weights_only=True)
    assert state["global_step"] == state["PictureData"]["first"] == reached + 20
    losses = log_losses(out)
    assert losses[-1] < losses[0] + 0.02, "what was learned is still there"


def test_a_checkpoint_that_is_not_completed_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = run.make_trainer(run_options.read_options(TINY), out=tmp_path)
    last = tmp_path / "new" / run.LAST

    def fail(content: object, place: Path | io.BytesIO) -> None:
        if isinstance(place, Path):
            place.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for save in (trainer.strategy.save_checkpoint, write_checkpoint):
        save({"step": 1}, last)
        assert torch.load(last, weights_only=True) == {"step": 1}
        with monkeypatch.context() as patch:
            patch.setattr(torch, "save", fail)
            with pytest.raises(OSError, match="No space left"):
                save({"step": 2}, last)
        assert torch.load(last, weights_only=True) == {"step": 1}
        assert list(last.parent.iterdir()) == [last]


def test_checkpoints_are_written_beside_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = run.make_trainer(run_options.read_options(TINY), out=tmp_path)
    last, places = tmp_path / run.LAST, []

    def move(source: str, target: str) -> None:
        places.append(Path(target))
        Path(source).replace(target)

    monkeypatch.setattr(shutil, "move", move)
    trainer.strategy.save_checkpoint({"step": 1}, last)
    assert places
    assert all(place.parent == tmp_path and place != last for place in places)
    assert torch.load(last, weights_only=True) == {"step": 1}
