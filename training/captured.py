"""Training whose steps are one CUDA graph each: forward, backward, SOAP and averages, with nothing for Python to do.

A small network's step is a thousand small operations, which take Python longer to start than a GPU to do.
"""

import csv
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ncodec.models.blocks import use_shifts
from ncodec.training.data import Batch, StreamData
from ncodec.training.image import LOG_LOSS, ImageTraining
from ncodec.training.losses import budget_factor
from ncodec.training.stacked_soap import StackedSoap

WARM_UP = 20
"""steps at a rate of zero that the first bases are found from"""
AHEAD = 20
"""steps that are given to the device before it is waited for"""
REPORT_S = 30.0
"""seconds between lines of the log"""


class CapturedStep:
    """One step of training on inputs that stay in their place."""

    def __init__(self, module: ImageTraining, first: Batch, *, average: float, compiled: bool) -> None:
        """`average` is what a step leaves of the averaged weights."""
        self.module = module
        self.parameters = list(module.model.parameters())
        device = self.parameters[0].device
        self.soap = StackedSoap(module.rated_parameters())
        self.averages = [p.detach().clone() for p in self.parameters]
        self.rate, self.skipped, self.loss = (torch.zeros((), device=device) for _ in range(3))
        self._average = torch.tensor(1 - average, device=device)
        self._inputs = tuple(tensor.clone() for tensor in first)
        self._price = torch.compile(self._objective) if compiled else self._objective
        self._graph = self._capture() if device.type == "cuda" else None

    def _objective(self, crops: Tensor, qp: Tensor) -> Tensor:
        return self.module.objective(self.module.price(crops, qp)[0])

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
            scale = torch.where(finite, (self.module.options.clip / (norm + 1e-6)).clamp(max=1), 0.0)
            self.soap.update(dict(zip(self.parameters, gradients, strict=True)), rate=self.rate, scale=scale)
            self.skipped += (~finite).float()
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

    @torch.no_grad()
    def exchange(self) -> None:
        """Swap the weights for their averages, and back."""
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)


def train_captured(
    module: ImageTraining, data: StreamData, *, out: Path, average: float, device: torch.device, compiled: bool
) -> Path:
    """Train on one device inside the module's budget, and return the path of the checkpoint of the averaged weights.

    Writes `log.csv` beside it. The budget's minutes begin once the step is compiled.
    """
    out.mkdir(parents=True, exist_ok=True)
    module.to(device).train()
    module.model.to(memory_format=torch.contiguous_format)
    use_shifts(module.model, True)
    data.place = device
    batches, held_out = data.batches(0), data.val_dataloader()
    step = CapturedStep(module, batches.draw(0), average=average, compiled=compiled)
    for position in range(WARM_UP):
        step(batches.draw(position))
    step.soap.begin()
    for parameter, kept in zip(step.parameters, step.averages, strict=True):
        kept.copy_(parameter.detach())
    with (out / "log.csv").open("w", encoding="utf-8", newline="") as stream:
        steps = _run(module, step, batches.draw, log=_Log(stream, step, held_out))
    step.exchange()
    path = out / "last.ckpt"
    weights = {f"model.{name}": value.cpu() for name, value in module.model.state_dict().items()}
    facts = {"config": asdict(module.model.config), "global_step": steps, "spent_s": module.spent_s}
    torch.save({"state_dict": weights, **facts}, path)
    return path


def _run(module: ImageTraining, step: CapturedStep, draw: Callable[[int], Batch], *, log: "_Log") -> int:
    """Steps until the budget is spent; their number."""
    options, begun, count = module.options, time.monotonic(), 0
    while True:
        module.spent_s = time.monotonic() - begun
        by_time = module.spent_s / (60 * options.minutes) if options.minutes else 0.0
        progress = max(count / options.steps, by_time)
        if progress >= 1:
            return count
        if count % AHEAD == 0:
            float(step.skipped)  # waits for the device
            log.at(count, module.spent_s)
        step.rate.fill_(options.peak * budget_factor(progress, warmup=options.warmup))
        step(draw(WARM_UP + count))
        step.soap.after_step()
        count += 1


class _Log:
    """A line of figures every half a minute, of the averaged weights on what is held out."""

    def __init__(self, stream: object, step: CapturedStep, held_out: DataLoader[tuple[Tensor, ...]]) -> None:
        self._writer = csv.writer(stream)  # type: ignore[arg-type]
        self._step = step
        self._held_out = held_out
        self._last = (0, -REPORT_S)

    def at(self, count: int, seconds: float) -> None:
        """Write one, if it is time."""
        before, then = self._last
        if seconds - then < REPORT_S:
            return
        step = self._step
        loss = float(step.loss) / max(1, count - before)
        step.loss.zero_()
        step.exchange()
        measured = _validate(step.module, self._held_out)
        step.exchange()
        if count == 0:
            self._writer.writerow(["step", "seconds", "loss", "skipped", "turns", *measured])
        self._writer.writerow([count, f"{seconds:.0f}", loss, int(step.skipped), step.soap.turns, *measured.values()])
        print(f"step {count} loss {loss:.4f} val/log_loss {measured[LOG_LOSS]:.4f}", file=sys.stderr)
        self._last = (count, seconds)


@torch.no_grad()
def _validate(module: ImageTraining, held_out: DataLoader[tuple[Tensor, ...]]) -> dict[str, float]:
    sums: dict[str, list[Tensor]] = {}
    for batch in held_out:
        for name, values in module.measure(tuple(tensor.to(module.device) for tensor in batch)).items():
            sums.setdefault(name, []).append(values.flatten())
    return {name: float(torch.cat(values).mean()) for name, values in sums.items()}
