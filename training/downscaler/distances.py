"""Distances of frames from their sources that gradients pass through; each takes two times
(N, 1, H, W) in 0…255, and returns (N,)."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ncodec.training.downscaler.filters import filter_matrix

_SCALE_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_DB2 = (0.482962913144690, 0.836516303737469, 0.224143868041857, -0.129409522550921)
_CONTRAST = ((0.01738, 0.00589), (0.03198, 0.0143), (0.04337, 0.0244), (0.04567, 0.03131))
"""sensitivity to horizontal or vertical, and to diagonal detail, of four scales"""
_NEG_DETAIL = 1.75
_NEG_FIDELITY = (0.5, 0.0, 0.15)


def lack_of_similarity(seen: Tensor, source: Tensor) -> Tensor:
    """1 - MS-SSIM (Wang et al. 2003); sides of at least 161."""
    x, y, product = seen, source, torch.ones(seen.shape[:1], device=seen.device)
    for level, power in enumerate(_SCALE_POWERS):
        if level:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        means = _blur(torch.cat([x, y, x * x, y * y, x * y], 1), 11, sigma=1.5)
        mx, my = means[:, 0], means[:, 1]
        spread = means[:, 2] - mx * mx + means[:, 3] - my * my
        structure = (2 * (means[:, 4] - mx * my) + 58.5225) / (spread + 58.5225)
        if level == len(_SCALE_POWERS) - 1:
            structure = structure * (2 * mx * my + 6.5025) / (mx * mx + my * my + 6.5025)
        product = product * structure.flatten(1).mean(1).clamp(min=1e-4) ** power
    return 1 - product


def mean_square(seen: Tensor, source: Tensor) -> Tensor:
    """Mean square error."""
    return (seen - source).square().flatten(1).mean(1)


@lru_cache
def _gaussian(count: int, sigma: float, size: int, stride: int) -> Tensor:
    """Gaussian of `count` taps along an axis of so many samples, as `filter_matrix`."""
    taps = torch.exp(-(torch.arange(count) - count // 2).float().square() / (2 * sigma**2))
    return filter_matrix(taps / taps.sum(), size, stride=stride)


def _blur(planes: Tensor, count: int, *, sigma: float, stride: int = 1) -> Tensor:
    """Each of (…, H, W), by a Gaussian, without its margin."""
    rows = _gaussian(count, sigma, planes.shape[-2], stride).to(planes)
    columns = _gaussian(count, sigma, planes.shape[-1], stride).to(planes)
    return rows @ planes @ columns.T


def _lack_of_fidelity(seen: Tensor, source: Tensor) -> Tensor:
    """1 - VIF of VMAF's scales 1, 2 and 3, (N, 3), where more contrast than in the source counts
    for nothing (enhancement gain limit 1, as in VMAF-NEG)."""
    scores = []
    pair = torch.cat([source, seen], 1)  # (N, 2, H, W)
    for size in (9, 5, 3):
        pair = _blur(pair, size, sigma=size / 5, stride=2)
        x, y = pair[:, :1], pair[:, 1:]
        means = _blur(torch.cat([x, y, x * x, y * y, x * y], 1), size, sigma=size / 5)
        mx, my = means[:, 0], means[:, 1]
        vx = (means[:, 2] - mx * mx).clamp(min=0)
        vy = (means[:, 3] - my * my).clamp(min=0)
        shared = means[:, 4] - mx * my
        gain = (shared / (vx + 1e-3)).clamp(min=0)
        noise = (vy - gain * shared).clamp(min=0) + 2.0
        kept = torch.log2(1 + gain.clamp(max=1).square() * vx / noise).flatten(1).sum(1)
        have = torch.log2(1 + vx / 2.0).flatten(1).sum(1)
        scores.append((kept + 1) / (have + 1))
    return 1 - torch.stack(scores, 1)


@lru_cache
def _wavelet(size: int) -> Tensor:
    """Daubechies 2 along an axis, low-pass then high-pass, (2, size / 2, size)."""
    low = torch.tensor(_DB2)
    high = torch.stack([-low[3], low[2], -low[1], low[0]])
    return torch.stack([filter_matrix(f, size, stride=2, before=1, after=1) for f in (low, high)])


def _bands(planes: Tensor) -> Tensor:
    """(N, 1, H, W) → (N, 4, H/2, W/2): low-low, horizontal, vertical and diagonal detail."""
    rows = _wavelet(planes.shape[-2]).to(planes) @ planes  # (N, 2, H/2, W)
    columns = _wavelet(planes.shape[-1]).to(planes).transpose(1, 2)
    return (rows[:, None] @ columns[:, None]).flatten(1, 2)


def _masking(added: Tensor) -> Tensor:
    """Threshold below which detail is masked by added detail, (N, 3, H, W) → (N, 1, H, W)."""
    total = added.abs().sum(1, keepdim=True)
    return (9 * F.avg_pool2d(total, 3, 1, 1, count_include_pad=False) + total) / 30


def _lack_of_detail(seen: Tensor, source: Tensor) -> Tensor:
    """1 - VMAF's measure of detail (ADM), where more detail than in the source counts for nothing
    (as in VMAF-NEG)."""
    kept, have = [], []
    x, y = source - 128, seen - 128
    for level in range(4):
        bands_x = _bands(x)
        bands_y = _bands(y)
        x, y = bands_x[:, :1], bands_y[:, :1]
        straight, diagonal = _CONTRAST[level]
        weight = torch.tensor([straight, straight, diagonal]).to(seen)[:, None, None]
        detail = bands_x[:, 1:]
        ratio = bands_y[:, 1:] / torch.where(detail.abs() < 1e-3, 1e-3, detail)
        restored = ratio.clamp(0, 1) * detail
        mask = _masking((bands_y[:, 1:] - restored) * weight)
        visible = ((restored * weight).abs() - mask).clamp(min=0)
        kept.append(_norm(visible))
        have.append(_norm((detail * weight).abs()))
    return 1 - torch.stack(kept).sum(0) / torch.stack(have).sum(0)


def _norm(bands: Tensor) -> Tensor:
    """Sum over bands of the L3 norm, with VMAF's small addition, (N, 3, H, W) → (N,)."""
    area = bands.shape[-1] * bands.shape[-2]
    cubes = bands.pow(3).flatten(2).sum(2) + 1e-9
    norms: Tensor = cubes.pow(1 / 3) + (area / 32) ** (1 / 3)
    return norms.sum(1)


def lack_of_vmaf(seen: Tensor, source: Tensor) -> Tensor:
    """About 1 - VMAF-NEG / 100, less a constant of the clip.

    A combination of what VMAF's regression sees, whose factors were fitted to clips at half size
    coded by x264: it follows VMAF-NEG within 0.7 points.
    """
    fidelity = _lack_of_fidelity(seen, source)
    factors = torch.tensor(_NEG_FIDELITY).to(fidelity)
    return _NEG_DETAIL * _lack_of_detail(seen, source) + fidelity @ factors
