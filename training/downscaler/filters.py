"""Filters of resampling, as weights and as matrices along an axis."""

import math
from functools import lru_cache

import torch
from torch import Tensor

LOBES = 3
"""of FFmpeg's Lanczos filter"""


def filter_matrix(
    taps: Tensor, size: int, *, stride: int = 1, before: int = 0, after: int = 0
) -> Tensor:
    """A filter of K taps along one axis as a matrix, (outputs, size): products of dense matrices
    are far faster than convolutions of one channel, above all backwards.

    `before` and `after` samples beside the edges repeat those at the edges.
    """
    count = (size + before + after - len(taps)) // stride + 1
    places = torch.arange(count)[:, None] * stride + torch.arange(len(taps)) - before
    matrix = torch.zeros(count, size)
    return matrix.scatter_add_(1, places.clamp(0, size - 1), taps.float().expand(count, -1))


def lanczos_taps() -> Tensor:
    """FFmpeg's Lanczos for halving, (12,): sample n is made of samples 2·n - 5 to 2·n + 6."""
    taps = torch.arange(1 - 2 * LOBES, 2 * LOBES + 1, dtype=torch.float64)
    distance = (taps - 0.5) / 2
    weights = torch.sinc(distance) * torch.sinc(distance / LOBES)
    return (weights / weights.sum()).float()


@lru_cache
def bicubic_matrix(size: int, target: int) -> Tensor:
    """FFmpeg's bicubic enlarging, a = -0.6, (target, size), edges repeated."""
    place = (torch.arange(target, dtype=torch.float64) + 0.5) * size / target - 0.5
    matrix = torch.zeros(target, size, dtype=torch.float64)
    for tap in range(-1, 3):
        source = place.floor() + tap
        d = (place - source).abs()
        near = 1.4 * d**3 - 2.4 * d**2 + 1
        far = -0.6 * d**3 + 3 * d**2 - 4.8 * d + 2.4
        weight = torch.where(d < 1, near, far)
        column = source.long().clamp(0, size - 1)
        matrix.scatter_add_(1, column[:, None], weight[:, None])
    return matrix.float()


def enlarge(frames: Tensor, height: int, width: int) -> Tensor:
    """Bicubic enlarging of (…, h, w) to (…, height, width), clipped to 0…255."""
    rows = bicubic_matrix(frames.shape[-2], height).to(frames)
    columns = bicubic_matrix(frames.shape[-1], width).to(frames)
    return (rows @ frames @ columns.T).clamp(0, 255)


@lru_cache
def dct_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II, (size, size): coefficients = matrix · samples."""
    k = torch.arange(size, dtype=torch.float64)[:, None]
    n = torch.arange(size, dtype=torch.float64)[None]
    matrix = torch.cos(math.pi * (2 * n + 1) * k / (2 * size)) * math.sqrt(2 / size)
    matrix[0] /= math.sqrt(2)
    return matrix.float()
