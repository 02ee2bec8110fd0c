"""Time of a training step by part, beside the machine's own matrix rate."""

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ncodec.training.data import Batches, picture_batches
from ncodec.training.image import ImageTraining
from ncodec.training.losses import balanced
from ncodec.training.options import RunOptions
from ncodec.training.pictures import PictureBank
from ncodec.training.run import make_trainer, on_cuda, prepare, trunks_in_bfloat16

WARM_UP = 5
MATRIX_SIDE = {"cpu": 1024, "cuda": 8192}


@dataclass(frozen=True)
class StepProfile:
    """Median seconds of the parts of a step, each measured alone, and of a whole step as the
    trainer runs it."""

    data_s: float
    forward_s: float
    backward_s: float
    optimizer_s: float
    whole_s: float
    megapixels: float
    """megapixels of one step of this process"""
    flops: float
    """floating-point operations of forward and backward"""
    matrix_rate: float
    """operations a second of a large square matrix product in the precision of the trunks"""

    @property
    def bare_s(self) -> float:
        """Forward and backward alone."""
        return self.forward_s + self.backward_s

    @property
    def utilization(self) -> float:
        """Share of the matrix rate that a whole step reaches (MFU)."""
        return self.flops / self.whole_s / self.matrix_rate


def profile_training(data: Sequence[str | Path], *, options: RunOptions, steps: int) -> StepProfile:
    """Measure one process on the device that a run with these options would use."""
    module, pictures = prepare(data, options=options)
    device = torch.device("cuda" if on_cuda(options) else "cpu")
    pictures.bank = PictureBank(pictures.pictures, device=device)
    batches = picture_batches(pictures.bank, options.crops, qp_count=options.model.qp_count)
    dtype = torch.bfloat16 if trunks_in_bfloat16(options) else torch.float32
    module = module.to(device)
    with FlopCounterMode(display=False) as counter:
        # A copy is not compiled: compiled code hides its operations, and would never be compiled
        # again.
        _Parts(deepcopy(module), batches).run()
    data_s, forward_s, backward_s, optimizer_s = _Parts(module, batches).time(steps)
    return StepProfile(
        data_s=data_s,
        forward_s=forward_s,
        backward_s=backward_s,
        optimizer_s=optimizer_s,
        whole_s=_whole_step_s(module, pictures, options=options, steps=steps),
        megapixels=options.crops.batch * options.crops.crop**2 / 1e6,
        flops=float(counter.get_total_flops()),
        matrix_rate=_matrix_rate(device, dtype),
    )


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


class _Parts:
    """The parts of a training step, by hand."""

    def __init__(self, module: ImageTraining, batches: Batches) -> None:
        self.module = module.train()
        self.batches = batches
        self.optimizer = module.configure_optimizers()
        self.batch = batches.draw(0)

    def forward(self) -> Tensor:
        result, _ = self.module.price(*self.batch)
        return balanced(result.loss, lagrangian=result.lagrangian, pivot=1.0)

    def backward(self, loss: Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]

    def run(self) -> None:
        self.backward(self.forward())

    def update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.module.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def time(self, steps: int) -> list[float]:
        """Median seconds of data, forward, backward and update."""
        device = self.batch[1].device
        seconds = []
        for position in range(WARM_UP + steps):
            marks = [_now(device)]
            self.batch = self.batches.draw(position)
            marks.append(_now(device))
            loss = self.forward()
            marks.append(_now(device))
            self.backward(loss)
            marks.append(_now(device))
            self.update()
            marks.append(_now(device))
            seconds.append([later - sooner for sooner, later in pairwise(marks)])
        return [median(part) for part in zip(*seconds[WARM_UP:], strict=True)]


class _StepClock(pl.Callback):
    """Times whole steps of a trainer, without making the device wait for each."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.global_step == WARM_UP:
            self.marks = [_now(trainer.strategy.root_device)]

    def on_train_end(self, trainer: pl.Trainer, *_: object) -> None:
        self.marks.append(_now(trainer.strategy.root_device))


def _whole_step_s(
    module: ImageTraining, pictures: pl.LightningDataModule, *, options: RunOptions, steps: int
) -> float:
    clock = _StepClock()
    short = replace(
        options, optimizer=replace(options.optimizer, steps=WARM_UP + steps), validate_every=10**9
    )
    with TemporaryDirectory() as folder:
        make_trainer(short, out=Path(folder), callbacks=[clock]).fit(module, pictures)
    return (clock.marks[1] - clock.marks[0]) / steps


def _matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    side = MATRIX_SIDE[device.type]
    a = torch.randn(side, side, device=device, dtype=dtype)
    return 2 * side**3 / _fastest(lambda: a @ a, device)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(10):
        start = _now(device)
        work()
        seconds.append(_now(device) - start)
    return min(seconds)
