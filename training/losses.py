"""The rate–distortion objective, as pure functions of tensors."""

import math
from dataclasses import dataclass

import torch
from pytorch_msssim import ms_ssim
from torch import Tensor
from torch.nn import functional as F

from ncodec.image.error_weights import YCBCR
from ncodec.networks.image import Prediction

STRUCTURE = 1260 / 255**2
"""mean square error that a lack of MS-SSIM of 1 counts as: λ·255²·`STRUCTURE` is about the λ of
CompressAI's models for MS-SSIM where λ is that of its models for MSE"""
LEAST_STRUCTURE = 161
"""pixels that MS-SSIM needs along each side"""


@dataclass(frozen=True)
class RateDistortion:
    """Loss of a batch and its parts, each (B,)."""

    loss: Tensor
    """λ·255²·MSE + bpp, unweighted, with what training counts and no file holds"""
    bpp: Tensor
    """bits per pixel of a file"""
    mse: Tensor
    """mean square error of values in 0…1; of clips `mean_square_420`; for MS-SSIM
    `lack_of_structure`"""
    lagrangian: Tensor
    """λ"""
    zero_bin: Tensor
    """bpp of noise around values whose table is certain: training counts it, no file holds it"""

    @property
    def true_loss(self) -> Tensor:
        """Loss without the bits that no file holds, `loss` - `zero_bin`, (B,), at least 0."""
        return (self.loss - self.zero_bin).clamp(min=0)

    @property
    def psnr(self) -> Tensor:
        """-10·log₁₀(`mse`), (B,), in dB: the PSNR over RGB where `mse` is the mean square error of
        RGB."""
        return -10 * torch.log10(self.mse)


def mean_square(difference: Tensor) -> Tensor:
    """Mean square over all values of RGB, (B, 3, H, W) → (B,)."""
    return difference.square().flatten(1).mean(1)


def lack_of_structure(seen: Tensor, original: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003) in units of mean squares: two times (B, 3, H, W) in 0…1, sides
    ≥ 161, → (B,)."""
    similarity: Tensor = ms_ssim(seen, original, data_range=1.0, size_average=False)
    return STRUCTURE * (1 - similarity)


def mean_square_420(difference: Tensor) -> Tensor:
    """Sum of the mean squares of Y, Cb and Cr in 4:2:0: (B, 3, H, W) RGB, even sides, → (B,).

    Errors of Cb and Cr are ten decibels below those of Y, in whose mean with weights of 6, 1 and 1
    all three then count about as much as here. An error of Y alone counts as in RGB.
    """
    matrix = torch.tensor(YCBCR, dtype=difference.dtype, device=difference.device)
    planes = F.conv2d(difference, matrix[:, :, None, None])  # (B, 3, H, W) of Y, Cb, Cr
    chroma = F.avg_pool2d(planes[:, 1:], 2)  # (B, 2, H/2, W/2)
    return mean_square(planes[:, :1]) + 2 * mean_square(chroma)


def rate_distortion(
    mse: Tensor, seen: Prediction, *, pixels: int, lagrangian: Tensor
) -> RateDistortion:
    """Price pictures of so many pixels; all (B,): mean square errors of values in 0…1, and λ as in
    λ·255²·MSE + bpp."""
    bpp = (seen.y_bits + seen.z_bits) / pixels
    zero_bin = torch.zeros_like(bpp) if seen.zero_bin_bits is None else seen.zero_bin_bits / pixels
    return RateDistortion(
        lagrangian * 255**2 * mse + bpp, bpp - zero_bin, mse, lagrangian, zero_bin
    )


def balanced(loss: Tensor, *, lagrangian: Tensor, pivot: float) -> Tensor:
    """Mean over the batch with weights √(pivot/λ), so that every rate of the ladder pulls about
    equally."""
    return (loss * torch.sqrt(pivot / lagrangian)).mean()


def budget_factor(progress: float, *, warmup: float) -> float:
    """Learning-rate factor at `progress`, 0 to 1: linear warm-up, then a cosine to zero."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / (1 - warmup))))
