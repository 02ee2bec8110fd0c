"""The Gaussian rows of the probability bank, as training sees them: differentiable, in float32."""

import math

import torch
from torch import Tensor

from ncodec.entropy import ROWS, SCALE_MAX, SCALE_MIN

SCALE_STEP = math.log(SCALE_MAX / SCALE_MIN) / (ROWS - 1)
"""ln σ between neighbouring rows"""

_LIKELIHOOD_MIN = 1e-9


def scale_of_index(index: Tensor) -> Tensor:
    """Real-valued row index → σ in quantization steps, held to the bank's range with a gradient outside it."""
    held = index + (index.clamp(0, ROWS - 1) - index).detach()
    return SCALE_MIN * torch.exp(SCALE_STEP * held)


def gaussian_bits(value: Tensor, scale: Tensor) -> Tensor:
    """Bits of `value` plus unit uniform noise under N(0, scale²) convolved with that noise; summed to (B,).

    Ballé et al. 2018, appendix 6.2. Evaluated in the negative tail, where the difference of Φ is exact.
    """
    value, scale = value.float(), scale.float()
    noisy = (value + torch.rand_like(value) - 0.5).abs()
    upper = torch.special.ndtr((0.5 - noisy) / scale)
    lower = torch.special.ndtr((-0.5 - noisy) / scale)
    bits = -torch.log2((upper - lower).clamp(min=_LIKELIHOOD_MIN))
    return bits.flatten(1).sum(1)
