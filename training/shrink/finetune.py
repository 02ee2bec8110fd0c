"""Fitting a decoder to the pixels of its model's decoder and to the pictures themselves."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import cos, log10, pi
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from ncodec.errors import ModelError
from ncodec.networks.config import ImageConfig
from ncodec.networks.shrunk import ShrunkDecoder, decoder_from
from ncodec.training.checkpoint import write_checkpoint
from ncodec.training.shrink.examples import Examples

FLOOR = 0.05
"""squared levels that are added to a teacher's error, which may be 0"""
WARMUP = 0.03
"""share of a run in which the rate rises"""
CHECKPOINT_S = 60.0
_UNREADABLE = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, IndexError, AttributeError,
    UnpicklingError,
)  # fmt: skip
"""what a file that is no checkpoint can raise"""
FROZEN = ("means.", "log_inverse_gain.", "synthesis.linear.")
Report = Callable[[float, float], None]
"""called after each step with the share of the run that is done and the loss"""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of a fit."""

    minutes: float
    batch: int = 8
    rate: float = 1e-3
    """peak of AdamW's rate, reached after 3 % of the run, then a cosine down to 0"""
    teacher: float = 0.7
    """share of the loss that compares with the teacher's pixels; the rest compares with the
    picture"""
    seed: int = 1


def loss_of(decoder: ShrunkDecoder, examples: Examples, *, teacher: float) -> Tensor:
    """Logarithm of squared errors over those of the model's own decoder, mean over crops: that of 1
    − `teacher` where both decoders are equal."""
    z_hat, residual = examples.z_hat.float(), examples.residual.float()
    y_hat = decoder.latents(z_hat, residual, examples.qp)
    made = decoder.render(y_hat, examples.qp) * 255 + 127.5
    pixels, taught = (x.permute(0, 3, 1, 2).float() for x in (examples.pixels, examples.taught))
    known = _square(taught - pixels) + FLOOR
    errors = teacher * _square(made - taught) + (1 - teacher) * _square(made - pixels)
    return ((errors + FLOOR) / known).log().mean()


def _square(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).mean(1)


@torch.no_grad()
def decibels_lost(decoder: ShrunkDecoder, examples: Examples) -> float:
    """PSNR of the model's own decoder less that of another, in dB, mean over crops; pixels are
    rounded and clipped."""
    lost = 0.0
    for one in range(len(examples)):
        crop = examples.at(torch.tensor([one]))
        made = decoder.decode(crop.z_hat.float(), crop.residual.float(), crop.qp) + 127.5
        errors = [
            float((x.float().round().clamp(0, 255) - crop.pixels).square().mean())
            for x in (made, crop.taught)
        ]
        ours, taught = (max(error, 1e-3) for error in errors)
        lost += 10 * log10(ours / taught)
    return lost / len(examples)


def losses(decoder: ShrunkDecoder, held_out: dict[int, Examples]) -> list[tuple[int, float]]:
    """(QP, dB lost) on held-out crops, as of `decibels_lost`."""
    decoder.eval()
    return [(qp, round(decibels_lost(decoder, crops), 3)) for qp, crops in held_out.items()]


def freeze(decoder: ShrunkDecoder) -> None:
    """Keep means, gains and the linear path of a decoder as they are: every latent is decoded by
    them, and an error of a twentieth of a step is seen at high quality."""
    for name, parameter in decoder.named_parameters():
        parameter.requires_grad_(not name.startswith(FROZEN))


def fit(
    decoder: ShrunkDecoder,
    examples: Examples,
    options: FitOptions,
    *,
    run: Path | None = None,
    task: str = "",
    report: Report = lambda _share, _loss: None,
) -> int:
    """Train what `freeze` leaves of a decoder, in place, for `options.minutes`, and return the
    steps made.

    `run` is a checkpoint that is written every minute, and continued where it exists; `task` tells
    it from those of other work. A step
    without a finite gradient changes nothing.
    """
    freeze(decoder)
    parameters = [p for p in decoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.0)
    step, spent = _resume(run, decoder, optimizer)
    begun, saved = time.monotonic() - spent, spent
    decoder.train()
    while (spent := time.monotonic() - begun) < 60 * options.minutes:
        share = spent / (60 * options.minutes)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(share / WARMUP, (1 + cos(pi * share)) / 2)
        batch = examples.at(_places(len(examples), options, step))
        loss = loss_of(decoder, batch, teacher=options.teacher)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        step += 1
        report(share, loss.item())
        if run is not None and spent - saved > CHECKPOINT_S:
            state = {"decoder": decoder.state_dict(), "optimizer": optimizer.state_dict()}
            write_checkpoint({**state, "task": task, "step": step, "spent_s": spent}, run)
            saved = spent
    decoder.eval()
    return step


def _places(count: int, options: FitOptions, step: int) -> Tensor:
    """Examples of a step: every one once in each pass, in another order each time."""
    steps = count // options.batch
    generator = torch.Generator().manual_seed(options.seed + step // steps)
    order = torch.randperm(count, generator=generator)
    first = step % steps * options.batch
    return order[first : first + options.batch]


def decoder_of_run(run: Path, config: ImageConfig, *, task: str) -> ShrunkDecoder:
    """Decoder of a checkpoint of `fit`, of a model of `config`.

    Raises ModelError for another file, and for the checkpoint of another `task`.
    """
    try:
        state = _read(run)
        found, _ = state["task"], (state["optimizer"], state["step"], state["spent_s"])
        decoder = decoder_from(state["decoder"], config)
    except _UNREADABLE as error:
        msg = f"{run}: expected a checkpoint of `ncodec shrink`, got something else: {error}"
        raise ModelError(msg) from error
    if found != task:
        msg = f"{run}: expected a checkpoint of {task}, got one of {found}"
        raise ModelError(msg)
    return decoder


def _read(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run, map_location="cpu", weights_only=True)
    return state


def _resume(
    run: Path | None, decoder: ShrunkDecoder, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    if run is None or not run.exists():
        return 0, 0.0
    state = _read(run)
    decoder.load_state_dict(state["decoder"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["spent_s"]
