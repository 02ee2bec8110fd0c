"""The rate–distortion objective, as pure functions of tensors."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RateDistortion:
    """Loss of a batch and its parts, each (B,)."""

    loss: Tensor
    """λ·255²·MSE + bpp, unweighted"""
    bpp: Tensor
    mse: Tensor
    """of pixels in 0…1"""
    lagrangian: Tensor
    """λ"""

    @property
    def psnr(self) -> Tensor:
        """Peak signal-to-noise ratio in dB."""
        return -10 * torch.log10(self.mse)


def rate_distortion(output: Tensor, pixels: Tensor, bits: Tensor, *, lagrangian: Tensor) -> RateDistortion:
    """Price each picture of a batch.

    Shapes: `output` and `pixels` (B, 3, H, W) in 0…1, `bits` (B,), `lagrangian` (B,) as in λ·255²·MSE + bpp.
    """
    mse = (output.float() - pixels).square().flatten(1).mean(1)
    bpp = bits / (pixels.shape[2] * pixels.shape[3])
    return RateDistortion(lagrangian * 255**2 * mse + bpp, bpp, mse, lagrangian)


def balanced(loss: Tensor, *, lagrangian: Tensor, pivot: float) -> Tensor:
    """Mean over the batch with weights √(pivot/λ), so that every rate of the ladder pulls about equally."""
    return (loss * torch.sqrt(pivot / lagrangian)).mean()


def budget_factor(progress: float, *, warmup: float) -> float:
    """Learning-rate factor at `progress` 0…1 of the budget: linear warm-up, then a cosine to zero."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))
