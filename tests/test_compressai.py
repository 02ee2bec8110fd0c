"""CompressAI's architectures train in the same loop; these tests need CompressAI, which brings its
own PyTorch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

pytest.importorskip("pytorch_lightning")

import torch
from tiny import log_losses

from ncodec.errors import InputError, ModelError
from ncodec.training import options as run_options
from ncodec.training import run
from ncodec.training.checkpoint import load_checkpoint
from ncodec.training.compressai_models import CompressAIConfig, CompressAIModel, parse_compressai

Photo = npt.NDArray[np.uint8]


def test_names_of_models() -> None:
    assert parse_compressai("compressai:mbt2018-mean") == CompressAIConfig("mbt2018-mean", 4)
    assert parse_compressai("compressai:cheng2020-anchor:6") == CompressAIConfig(
        "cheng2020-anchor", 6
    )


@pytest.mark.parametrize(
    "name", ["mbt2018-mean", "compressai:mbt2018-mean:9", "compressai:mbt2018-mean:x"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a model such as"):
        parse_compressai(name)


@pytest.mark.slow
def test_one_of_them_trains_from_its_checkpoint(tmp_path: Path, photo: Photo) -> None:
    pytest.importorskip("compressai")
    config = CompressAIConfig("bmshj2018-factorized", 1)
    torch.manual_seed(1)
    torch.save(CompressAIModel(config).network.state_dict(), tmp_path / "published.pth.tar")
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        Image.fromarray(np.roll(photo, 37 * i, axis=0)).save(tmp_path / "pictures" / f"{i}.png")
    last = run.train_image(
        [tmp_path / "pictures"],
        out=tmp_path / "run",
        options=run_options.read_options(
            [
                "--crops.crop=64",
                "--crops.batch=4",
                "--optimizer.steps=20",
                "--validate_every=10",
                "--accelerator=cpu",
                "--optimizer.name=adamw",
                "--optimizer.peak=2e-3",
            ]
        ),
        start_from=tmp_path / "published.pth.tar",
        compressai=config,
    )
    losses = log_losses(tmp_path / "run")
    assert losses[-1] < losses[0]
    with pytest.raises(ModelError, match="expected a model of ncodec's own architecture"):
        load_checkpoint(last)
    with pytest.raises(InputError, match="expected an architecture among bmshj2018-factorized"):
        CompressAIModel(CompressAIConfig("bmshj2019", 1))
