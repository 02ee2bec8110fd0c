"""The Gaussian rows of the probability bank, as training sees them: differentiable, in float32."""

import math
from typing import Any

import torch
from torch import Tensor

from ncodec.entropy.tables import ROWS, SCALE_MAX, SCALE_MIN

SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (ROWS - 1)
"""ln σ between neighbouring rows"""

_FLOOR = 1e-9
_TAIL_START = 6.0
"""deviations at which the floor is reached"""
_TAIL_BITS = 8.0
"""bits a deviation from there on"""


class _Hold(torch.autograd.Function):
    """Clamp whose gradient, outside the range, passes only where a descent step leads back inside.

    Passing all of it lets the rate of noise alone drive indices, and the hyper-latent with them,
    towards -∞.
    """

    @staticmethod
    def forward(ctx: Any, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return index.clamp(0, ROWS - 1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (index,) = ctx.saved_tensors
        (gradient,) = gradients
        outwards = ((index < 0) & (gradient > 0)) | ((index > ROWS - 1) & (gradient < 0))
        return gradient.masked_fill(outwards, 0)


def scale_of_index(index: Tensor) -> Tensor:
    """Standard deviation σ, in quantizer steps, at a real-valued row index: log-spaced from 0.11 at
    0 to 256 at 63.

    Indices outside are clipped; their gradient passes only where a descent step leads back inside.
    """
    return SCALE_MIN * torch.exp(SCALE_STEP * _Hold.apply(index))  # type: ignore[no-untyped-call]


def noisy_bits(value: Tensor, scale: Tensor) -> Tensor:
    """Bits of each value plus unit uniform noise under N(0, scale²) convolved with that noise.

    Ballé et al. 2018, appendix 6.2.
    """
    return bits_of(value.float() + torch.rand_like(value) - 0.5, scale.float())


def bits_of(value: Tensor, scale: Tensor) -> Tensor:
    """Bits of each value, in steps, under N(0, scale²) convolved with uniform noise of ±½: −log₂ of
    the likelihood, which is held to 10⁻⁹ at least.

    A floor has no gradient, and a hyper-latent could run away at no further cost. So 8 bits are
    added for each deviation that |value| − ½ is beyond six deviations.
    """
    upper = (0.5 - value.abs()) / scale
    likelihood = torch.special.ndtr(upper) - torch.special.ndtr(upper - 1 / scale)
    bits: Tensor = -torch.log2(likelihood.clamp(min=_FLOOR)) + _TAIL_BITS * torch.relu(
        -upper - _TAIL_START
    )
    return bits
