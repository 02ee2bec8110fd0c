"""The learning rate follows the budget of a run, over resumes too."""

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("pytorch_lightning")

from tiny import TINY

from ncodec.networks.image import ImageModel
from ncodec.training import options as run_options
from ncodec.training.image import ImageTraining
from ncodec.training.losses import (
    budget_factor,
)

Photo = npt.NDArray[np.uint8]


def test_the_rate_rises_then_falls_to_zero() -> None:
    assert budget_factor(0.0, warmup=0.1) == 0
    assert budget_factor(0.1, warmup=0.1) == 1
    assert budget_factor(1.0, warmup=0.1) == pytest.approx(0)
    assert 0 < budget_factor(0.05, warmup=0.1) < 1


def test_a_resumed_run_goes_on_inside_its_budget() -> None:
    options = run_options.read_options([*TINY, "--optimizer.minutes=2"])
    module = ImageTraining(ImageModel(options.model), options.optimizer)
    assert module.progress == 0
    module.on_load_checkpoint({"spent_s": 90.0})
    assert module.progress == pytest.approx(0.75)
