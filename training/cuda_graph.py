"""Training whose steps are one CUDA graph each: forward, backward, SOAP and averages, with nothing
for Python to do.

A small network's step is a thousand small operations, which take Python longer to start than a GPU
to do.
"""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ncodec.errors import TrainingError
from ncodec.networks.blocks import use_shifts
from ncodec.training import LAST
from ncodec.training.checkpoint import write_checkpoint
from ncodec.training.data import Batch, StreamData
from ncodec.training.failures import FailureCount
from ncodec.training.image import LOG_LOSS, ImageTraining
from ncodec.training.optim.parameters import rated_parameters
from ncodec.training.optim.stacked_soap import StackedSoap

WARM_UP = 20
"""steps at a rate of zero that the first bases are found from"""
AHEAD = 20
"""steps that are given to the device before it is waited for"""
REPORT_S = 30.0
"""seconds between lines of the log"""


class GraphStep:
    """One step of training on inputs that stay in their place."""

    def __init__(
        self, module: ImageTraining, first: Batch, *, average: float, compiled: bool
    ) -> None:
        """`average` is what a step leaves of the averaged weights."""
        self.module = module
        self.parameters = list(module.model.parameters())
        device = self.parameters[0].device
        self.soap = StackedSoap(rated_parameters(module.model))
        self.averages = [p.detach().clone() for p in self.parameters]
        self.rate, self.skipped, self.loss = (torch.zeros((), device=device) for _ in range(3))
        self.failures = FailureCount().to(device)
        self.taken = 0
        """steps of the budget"""
        self._average = torch.tensor(1 - average, device=device)
        self._inputs = tuple(tensor.clone() for tensor in first)
        self._price = torch.compile(self._objective) if compiled else self._objective
        self._graph = self._capture() if device.type == "cuda" else None

    def _objective(self, crops: Tensor, qp: Tensor) -> Tensor:
        result, seen = self.module.price(crops, qp)
        loss = self.module.objective(result)
        return loss if seen.penalty is None else loss + seen.penalty

    def _capture(self) -> torch.cuda.CUDAGraph:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # compiles, and lets libraries choose their ways
                self._do()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._do()
        return graph

    def _do(self) -> None:
        loss = self._price(*self._inputs)
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            norm = torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt()
            finite = norm.isfinite()
            keep = finite.float()
            scale = torch.where(
                finite, (self.module.options.clip / (norm + 1e-6)).clamp(max=1), 0.0
            )
            by_parameter = dict(zip(self.parameters, gradients, strict=True))
            self.soap.update(by_parameter, rate=self.rate, scale=scale, keep=keep)
            self.skipped += 1 - keep
            self.failures.add(1 - keep)
            self.loss += torch.where(finite, loss.detach(), 0.0)
            difference = torch._foreach_sub([p.data for p in self.parameters], self.averages)
            torch._foreach_mul_(difference, self._average)
            torch._foreach_add_(self.averages, difference)

    def __call__(self, batch: Batch) -> None:
        """Take a step; on a GPU it has only begun when this returns."""
        for place, tensor in zip(self._inputs, batch, strict=True):
            place.copy_(tensor)
        if self._graph is None:
            self._do()
        else:
            self._graph.replay()

    def begin(self) -> None:
        """End the warm-up: take SOAP's bases from the moments so far and clear its means, squares
        and count of steps.

        The averages become equal to the weights; the loss so far and the counts of skipped steps
        become 0.
        """
        self.soap.begin()
        for parameter, kept in zip(self.parameters, self.averages, strict=True):
            kept.copy_(parameter.detach())
        self.failures.clear()
        for figure in (self.skipped, self.loss):
            figure.zero_()

    @torch.no_grad()
    def exchange(self) -> None:
        """Swap the weights for their averages, and back."""
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)


def train_with_cuda_graph(
    module: ImageTraining,
    data: StreamData,
    *,
    out: Path,
    average: float,
    device: torch.device,
    compiled: bool,
) -> Path:
    """Train on one device until the module's budget is spent; returns the path of `out`/last.ckpt.

    The checkpoint holds the averaged weights, of which a step keeps the share `average`, and is
    written after errors and interruptions too; it cannot be resumed. `out`/log.csv gets a line
    every 30 seconds. `compiled` takes torch.compile. The budget's minutes begin once the step is
    ready. Raises TrainingError after 20 steps in a row without a finite gradient, InputError where
    the pictures do not fit on the device.
    """
    out.mkdir(parents=True, exist_ok=True)
    module.to(device).train()
    module.model.to(memory_format=torch.contiguous_format)
    use_shifts(module.model, True)
    data.place = device
    batches, held_out = data.batches(0), data.val_dataloader()
    step = GraphStep(module, batches.draw(0), average=average, compiled=compiled)
    for position in range(WARM_UP):
        step(batches.draw(position))
    step.begin()
    path = out / LAST
    try:
        with (out / "log.csv").open("w", encoding="utf-8", newline="") as stream:
            _run(module, step, batches.draw, log=_Log(stream, step, held_out))
    finally:
        step.exchange()
        weights = {
            f"model.{name}": value.cpu() for name, value in module.model.state_dict().items()
        }
        facts = {
            "config": asdict(module.model.config),
            "global_step": step.taken,
            "spent_s": module.spent_s,
        }
        write_checkpoint({"state_dict": weights, **facts}, path)
    return path


def _run(
    module: ImageTraining, step: GraphStep, draw: Callable[[int], Batch], *, log: "_Log"
) -> None:
    """Steps until the budget is spent."""
    options, begun = module.options, time.monotonic()
    while True:
        module.spent_s = time.monotonic() - begun
        progress = options.progress(steps=step.taken, seconds=module.spent_s)
        if step.taken % AHEAD == 0 or progress >= 1:
            if step.failures.too_many:
                msg = step.failures.sentence()
                raise TrainingError(msg)
            log.at(step.taken, module.spent_s, last=progress >= 1)
        if progress >= 1:
            return
        step.rate.fill_(options.rate(progress))
        step(draw(WARM_UP + step.taken))
        step.soap.after_step()
        step.taken += 1


class _Log:
    """Log of the averaged weights on held-out data, a line every half minute and at the end."""

    def __init__(
        self, stream: TextIO, step: GraphStep, held_out: DataLoader[tuple[Tensor, ...]]
    ) -> None:
        self._stream = stream
        self._writer = csv.writer(stream)
        self._step = step
        self._held_out = held_out
        self._last = (0, -REPORT_S)

    def at(self, count: int, seconds: float, *, last: bool) -> None:
        """Write one, if it is time or the last one."""
        before, then = self._last
        if seconds - then < REPORT_S and not last:
            return
        step = self._step
        loss = float(step.loss) / max(1, count - before)
        step.loss.zero_()
        step.exchange()
        measured = _validate(step.module, self._held_out)
        step.exchange()
        if count == 0:
            self._writer.writerow(["step", "seconds", "loss", "skipped", "turns", *measured])
        self._writer.writerow(
            [count, f"{seconds:.0f}", loss, int(step.skipped), step.soap.turns, *measured.values()]
        )
        print(
            f"step {count} loss {loss:.4f} val/log_loss {measured[LOG_LOSS]:.4f}", file=sys.stderr
        )
        self._stream.flush()
        self._last = (count, seconds)


@torch.no_grad()
def _validate(module: ImageTraining, held_out: DataLoader[tuple[Tensor, ...]]) -> dict[str, float]:
    sums: dict[str, list[Tensor]] = {}
    for batch in held_out:
        for name, values in module.measure(
            tuple(tensor.to(module.device) for tensor in batch)
        ).items():
            sums.setdefault(name, []).append(values.flatten())
    return {name: float(torch.cat(values).mean()) for name, values in sums.items()}
