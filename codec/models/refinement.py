"""The search for better latents of one picture: what an encoder guesses in one pass, gradient descent improves.

Stochastic Gumbel annealing (Yang, Bamler and Mandt 2020): each value is rounded up or down at random, the surer the
nearer, and the surer the later, so that gradients of the true rate and distortion reach it.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ncodec.effort import Search
from ncodec.models.image import ImageModel
from ncodec.models.likelihood import bits_of, scale_of_index

_FIRST_TEMPERATURE = 0.5
_COOLING = 3.5
"""e-foldings of the temperature over the search"""
_EDGE = 1e-4
"""how near to a whole number a value counts as one"""


def refine(
    model: ImageModel, pixels: Tensor, qp: Tensor, search: Search, *, advance: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """(1, 3, H, W) in 0…1, sides multiples of 16 → y in units of its step and z, that cost less when quantized.

    `advance` is called after each step. The same input gives the same result on the same machine.
    """
    with torch.no_grad():
        y = model.scaled_latent(pixels, qp)
        z = model.hyper_analysis(y)
    y, z = y.requires_grad_(), z.requires_grad_()
    noise = torch.Generator(pixels.device).manual_seed(0)
    price = model.config.lambda_of(qp) * 255**2
    optimizer = torch.optim.Adam([y, z], lr=search.rate)
    for step in range(search.steps):
        done = step / search.steps
        optimizer.param_groups[0]["lr"] = search.rate * math.sqrt(1 - done)
        temperature = _FIRST_TEMPERATURE * math.exp(-_COOLING * done)
        bits, rendered = _softly_coded(model, y, z, qp, temperature, noise)
        loss = price * F.mse_loss(rendered, pixels - 0.5) + bits / pixels[0, 0].numel()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        advance()
    return y.detach(), z.detach()


def _softly_coded(
    model: ImageModel, y: Tensor, z: Tensor, qp: Tensor, temperature: float, noise: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Bits, (), and pixels, (1, 3, H, W) in −½…½, of latents that are rounded softly."""

    def soft(value: Tensor) -> Tensor:
        return _round_softly(value, temperature, noise)

    z_index = model.z_index(qp)
    z_soft = soft(z) * (z_index >= 0.5)
    index = model.table_index(z_soft, qp, y)
    coded = (index >= 0.5).to(y.dtype)
    half = model.first_half(y)
    features = model.means.features(z_soft, qp, y)
    mu_first = model.means.pass_one(features)
    first = soft(y - mu_first) * coded
    known = (first + mu_first) * half
    mu_second = model.means.pass_two(features, known)
    second = soft(y - mu_second) * coded
    residual = first * half + second * (1 - half)
    y_soft = known + (second + mu_second) * (1 - half)
    y_bits = bits_of(residual, scale_of_index(index)).sum()
    z_bits = bits_of(z_soft, scale_of_index(z_index)).sum()
    return y_bits + z_bits, model.render(y_soft, qp)


def _round_softly(value: Tensor, temperature: float, noise: torch.Generator) -> Tensor:
    """Between the whole numbers around each value, at a place that is nearly one of them at low temperatures."""
    lower = value.detach().floor()
    part = (value - lower).clamp(_EDGE, 1 - _EDGE)
    uniform = torch.rand(value.shape, generator=noise, device=value.device).clamp(_EDGE, 1 - _EDGE)
    # The difference of two Gumbel variables is logistic.
    leaning = (torch.atanh(part) - torch.atanh(1 - part)) / temperature + torch.logit(uniform)
    return lower + torch.sigmoid(leaning / temperature)
