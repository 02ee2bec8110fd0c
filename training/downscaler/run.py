"""A run of training: steps, validation, checkpoints, and the graph at its end."""

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ncodec.errors import ModelError, TrainingError
from ncodec.training import LAST
from ncodec.training.checkpoint import read_checkpoint, write_checkpoint
from ncodec.training.downscaler.network import (
    GRAPH_FILE,
    Downscaler,
    export_downscaler,
    load_downscaler,
)
from ncodec.training.downscaler.objective import (
    DISTANCES,
    Exchange,
    held_out_bits,
    measure,
    measure_exchange,
    shrink_sequences,
)
from ncodec.training.downscaler.options import DownscalerOptions, Material, draw, load_material
from ncodec.training.failures import FailureCount
from ncodec.training.losses import budget_factor

LOG_FILE = "log.csv"
_SEED = 1
_WARMUP = 0.03
"""share of the budget in which the learning rate rises"""
_EMA_DECAY = 0.99
_CHECKPOINT_MINUTES = 1.0
_VALIDATE_EVERY = 200
"""steps"""


class Run:
    """Model, averaged weights, optimizer, and what validation compares with."""

    def __init__(
        self,
        material: Material,
        options: DownscalerOptions,
        *,
        start: Downscaler | None = None,
        resumed: dict[str, Any] | None = None,
    ) -> None:
        """`start` has weights to begin with, `resumed` is the content of a checkpoint."""
        self.options, self.material = options, material
        torch.manual_seed(_SEED)
        self.model, self.average = Downscaler(), Downscaler()
        self.model.load_state_dict((start or self.model).state_dict())
        self.average.load_state_dict(self.model.state_dict())
        self.optimizer = torch.optim.Adam(self.model.parameters(), betas=(0.9, 0.99))
        self.step, self.minutes = 0, 0.0
        self.failures = FailureCount()
        if resumed is None:
            self.exchange = measure_exchange(self.model.shrink, material.trained, options)
        else:
            self._go_on(resumed)
        self.plain = held_out_bits(self.model.shrink, material.held_out, self.exchange, options)

    @property
    def spent(self) -> float:
        """Share of the budget that is spent, 1 and more at its end."""
        options = self.options
        by_steps = self.step / options.steps if options.steps else 0.0
        return max(by_steps, self.minutes / options.minutes)

    def train_step(self) -> float:
        """One step; returns its loss. Raises TrainingError after many without a finite gradient."""
        started = time.perf_counter()
        source, qp = draw(self.material.trained, self.options, self.step)
        loss = self.exchange.loss(measure(shrink_sequences(self.model, source), source, qp), qp)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * budget_factor(self.spent, warmup=_WARMUP)
        self.failures.add((~norm.isfinite()).float())
        if self.failures.too_many:
            raise TrainingError(self.failures.sentence())
        if norm.isfinite():
            self.optimizer.step()
        self._follow()
        self.step += 1
        self.minutes += (time.perf_counter() - started) / 60
        return float(loss.detach())

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights."""
        decay = min(_EMA_DECAY, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        for average, weight in pairs:
            average.lerp_(weight, 1 - decay)

    def validate(self) -> dict[str, float]:
        """Bits at equal quality against Lanczos on held-out sequences, in percent, by distance."""
        bits = held_out_bits(self.average, self.material.held_out, self.exchange, self.options)
        change = (bits - self.plain).mean(0).expm1() * 100
        return dict(zip(DISTANCES, change.tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write a checkpoint, which `resumed` takes."""
        state = {
            "config": asdict(self.options),
            "average": self.average.state_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "worth": self.exchange.worth,
            "step": self.step,
            "minutes": self.minutes,
        }
        write_checkpoint(state, path)

    def _go_on(self, state: dict[str, Any]) -> None:
        """Take what a checkpoint has; raises ModelError for one of something else."""
        try:
            self.average.load_state_dict(state["average"])
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.exchange = Exchange(state["worth"])
            self.step, self.minutes = state["step"], state["minutes"]
        except (KeyError, RuntimeError) as error:
            msg = f"expected the checkpoint of a downscaler to resume, got something else: {error}"
            raise ModelError(msg) from error


def train_downscaler(
    data: Sequence[str | Path],
    *,
    out: Path,
    options: DownscalerOptions,
    held_out: Sequence[str | Path] = (),
    start_from: Path | None = None,
    resume: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train, write `out`/last.ckpt, log.csv and downscaler.onnx, and return the graph's path.

    `held_out` are clips for validation, which are not trained on. A run that has spent its budget
    is exported alone. `report` is called with a line about each validation. Raises InputError for
    data that cannot be used, ModelError for a checkpoint, TrainingError.
    """
    torch.set_flush_denormal(True)
    start = load_downscaler(start_from) if start_from else None
    resumed = read_checkpoint(resume) if resume else None
    material = load_material(data, held_out=held_out, options=options)
    run = Run(material, options, start=start, resumed=resumed)
    out.mkdir(parents=True, exist_ok=True)
    _train(run, out, report)
    run.save(out / LAST)
    export_downscaler(run.average, out / GRAPH_FILE, strength=options.strength)
    return out / GRAPH_FILE


def _train(run: Run, out: Path, report: Callable[[str], None]) -> None:
    """Steps until the budget is spent, with checkpoints and a log."""
    saved, losses = run.minutes, list[float]()
    with (out / LOG_FILE).open("a" if run.step else "w", newline="") as file:
        log = csv.writer(file)
        if not run.step:
            log.writerow(["step", "minutes", "loss", *DISTANCES])
        while run.spent < 1:
            losses.append(run.train_step())
            if run.step % _VALIDATE_EVERY == 0 or run.spent >= 1:
                found = run.validate()
                values = run.minutes, np.mean(losses), *found.values()
                log.writerow([run.step, *(f"{value:.4f}" for value in values)])
                gains = ", ".join(f"{value:+.1f} % by {name}" for name, value in found.items())
                report(f"step {run.step}, {run.minutes:.1f} minutes: bits {gains}")
                file.flush()
                losses.clear()
            if run.minutes - saved > _CHECKPOINT_MINUTES:
                run.save(out / LAST)
                saved = run.minutes
