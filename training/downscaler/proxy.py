"""A stand-in for a video codec that gradients pass through: block motion, an 8×8 DCT with a dead
zone, and an estimate of bits."""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ncodec.training.downscaler.filters import dct_matrix, filter_matrix

BLOCK = 8
"""side of a block of motion and of the DCT in pixels"""
INTRA_SHARE = 1 / 25
"""intra frames among all frames, by which their bits count"""
OVERHEAD = 0.01
"""bits a pixel of what is no coefficient: vectors, modes, headers"""
_HALF = (1 / 32, -5 / 32, 20 / 32, 20 / 32, -5 / 32, 1 / 32)
"""H.264's filter of half places"""
_WHOLE = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0)
_COARSE_REACH = 6
"""reach of the coarse search, in pairs of pixels"""
_VECTOR_COST = 0.03
"""what a quarter of a pixel of a vector counts beside the mean absolute difference"""


def quantiser_step(qp: Tensor) -> Tensor:
    """H.264's step of a QP, for an orthonormal DCT of values in 0…255, any shape."""
    return 0.625 * torch.exp2(qp / 6)


def round_through(values: Tensor) -> Tensor:
    """Whole levels in 0…255, with the gradient of the identity."""
    return values + (values.detach().round().clamp(0, 255) - values.detach())


def to_blocks(planes: Tensor) -> Tensor:
    """(B, 1, H, W) → (B, H/8, W/8, 8, 8)."""
    batch, _, height, width = planes.shape
    split = planes.reshape(batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    return split.transpose(2, 3)


def from_blocks(blocks: Tensor) -> Tensor:
    """(B, H/8, W/8, 8, 8) → (B, 1, H, W)."""
    batch, rows, columns = blocks.shape[:3]
    return blocks.transpose(2, 3).reshape(batch, 1, rows * BLOCK, columns * BLOCK)


def soft_level(values: Tensor) -> Tensor:
    """A smooth stand-in for rounding with a dead zone: slope 0 at 0, and about 1 from ½ on."""
    return values**3 / (values.square() + 0.25)


def quantise(values: Tensor, *, offset: float) -> Tensor:
    """Levels ⌊|v| + offset⌋ with the sign of v, with the gradient of `soft_level`."""
    soft = soft_level(values)
    hard = values.detach().sign() * (values.detach().abs() + offset).floor()
    return soft + (hard - soft.detach())


def level_bits(values: Tensor) -> Tensor:
    """Bits of coefficients in steps, any shape: 3 at 1, 3 more for each doubling, few below ½."""
    return 0.75 * torch.log2(1 + 15 * values.square().square())


def code_residual(residual: Tensor, step: Tensor, *, offset: float) -> tuple[Tensor, Tensor]:
    """Residual after coding, (B, 1, H, W), and bits a pixel, (B,).

    `residual` is (B, 1, H, W) with sides that are multiples of 8; `step` is (B,).
    """
    matrix = dct_matrix(BLOCK).to(residual.device)
    scaled = matrix @ to_blocks(residual) @ matrix.T / step[:, None, None, None, None]
    levels = quantise(scaled, offset=offset)
    decoded = matrix.T @ (levels * step[:, None, None, None, None]) @ matrix
    return from_blocks(decoded), level_bits(scaled).flatten(1).mean(1)


def _intra_prediction(frame: Tensor) -> Tensor:
    """Means of the blocks to the left, as a crude intra prediction, (B, 1, H, W)."""
    means = F.avg_pool2d(frame.detach(), BLOCK)
    left = torch.cat([means[..., :1], means[..., :-1]], dim=-1)
    return F.interpolate(left, scale_factor=BLOCK, mode="nearest")


@lru_cache
def _phase_matrix(size: int) -> Tensor:
    """Interpolation at four quarter places, whole, ¼, ½ and ¾, (4, size, size)."""
    whole, half = torch.tensor(_WHOLE), torch.tensor(_HALF)
    filters = whole, (whole + half) / 2, half, (whole.roll(1) + half) / 2
    return torch.stack([filter_matrix(taps, size, before=2, after=3) for taps in filters])


def quarter_planes(frame: Tensor) -> Tensor:
    """A frame at all sixteen quarter places, (B, 1, H, W) → (B, 16, H, W), vertical place first."""
    batch, _, height, width = frame.shape
    rows = _phase_matrix(height).to(frame) @ frame  # (B, 4, H, W)
    columns = _phase_matrix(width).to(frame).transpose(1, 2)
    return (rows[:, :, None] @ columns).reshape(batch, 16, height, width)


def compensate(planes: Tensor, motion: Tensor) -> Tensor:
    """Prediction, (B, 1, H, W), from `quarter_planes` by vectors (B, 2, H/8, W/8): whole numbers
    of quarter pixels, vertical first."""
    batch, _, height, width = planes.shape
    dense = motion.repeat_interleave(BLOCK, 2).repeat_interleave(BLOCK, 3)
    y = torch.arange(height, device=planes.device)[:, None] + (dense[:, 0] >> 2)
    x = torch.arange(width, device=planes.device) + (dense[:, 1] >> 2)
    place = (dense[:, 0] & 3) * 4 + (dense[:, 1] & 3)
    index = (place * height + y.clamp(0, height - 1)) * width + x.clamp(0, width - 1)
    return planes.flatten(1).gather(1, index.flatten(1)).reshape(batch, 1, height, width)


def _cost(frame: Tensor, predicted: Tensor, motion: Tensor) -> Tensor:
    """Mean absolute difference of each block plus what its vector costs, (B, H/8, W/8)."""
    difference = F.avg_pool2d((frame - predicted).abs(), BLOCK)[:, 0]
    return difference + _VECTOR_COST * (1 + motion.abs().float()).log2().sum(1)


def _coarse(frame: Tensor, reference: Tensor) -> Tensor:
    """Best vectors of whole pairs of pixels, (B, 2, H/8, W/8), in quarter pixels."""
    small, other = F.avg_pool2d(frame, 2), F.avg_pool2d(reference, 2)
    padded = F.pad(other, (_COARSE_REACH,) * 4, "replicate")
    height, width = small.shape[-2:]
    reach = range(2 * _COARSE_REACH + 1)
    shifts = [(y, x) for y in reach for x in reach]
    costs = []
    for y, x in shifts:
        moved = padded[..., y : y + height, x : x + width]
        vector = abs(y - _COARSE_REACH) + abs(x - _COARSE_REACH)
        difference = F.avg_pool2d((small - moved).abs(), BLOCK // 2)[:, 0]
        costs.append(difference + _VECTOR_COST * 2 * math.log2(1 + 4 * vector))
    best = torch.stack(costs).argmin(0)  # (B, H/8, W/8)
    table = (torch.tensor(shifts, device=frame.device) - _COARSE_REACH) * 8
    return table[best].permute(0, 3, 1, 2)


@torch.no_grad()
def search(frame: Tensor, planes: Tensor) -> Tensor:
    """Vectors by which `planes` (`quarter_planes` of the reference) predict `frame`: a coarse full
    search of ±12 pixels, then whole, half and quarter pixels; (B, 2, H/8, W/8), in quarters."""
    best = _coarse(frame, planes[:, :1])
    least = _cost(frame, compensate(planes, best), best)
    still = torch.zeros_like(best)
    best, least = _better(frame, planes, candidate=still, best=best, least=least)
    for unit in (4, 2, 1):
        centre = best
        for y, x in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
            offset = torch.tensor([y * unit, x * unit], device=frame.device)[:, None, None]
            candidate = centre + offset
            best, least = _better(frame, planes, candidate=candidate, best=best, least=least)
    return best


def _better(
    frame: Tensor, planes: Tensor, *, candidate: Tensor, best: Tensor, least: Tensor
) -> tuple[Tensor, Tensor]:
    """Vectors and costs of whichever is cheaper in each block."""
    cost = _cost(frame, compensate(planes, candidate), candidate)
    return torch.where((cost < least)[:, None], candidate, best), torch.minimum(cost, least)


@dataclass(frozen=True)
class Coded:
    """Decoded frames and bits of a batch of sequences."""

    frames: Tensor
    """predicted frames after decoding, (B, T - 1, H, W), in 0…255"""
    bits: Tensor
    """bits a pixel, (B,): a predicted frame, its share of an intra frame, and `OVERHEAD`"""


def code_sequences(frames: Tensor, qp: Tensor) -> Coded:
    """Code sequences, (B, T, H, W) in 0…255 with sides that are multiples of 8, at QPs (B,).

    The first frame is an intra frame 3 QPs below; each other one is predicted from the one before
    it, as it was decoded.
    """
    levels = round_through(frames)
    first = levels[:, :1]
    predicted = _intra_prediction(first)
    residual, intra_bits = code_residual(first - predicted, quantiser_step(qp - 3), offset=0.33)
    last = predicted + residual
    decoded, bits = [], []
    for t in range(1, frames.shape[1]):
        frame = levels[:, t : t + 1]
        planes = quarter_planes(last)
        predicted = compensate(planes, search(frame.detach(), planes.detach()))
        residual, spent = code_residual(frame - predicted, quantiser_step(qp), offset=0.2)
        last = predicted + residual
        decoded.append(last)
        bits.append(spent)
    rate = torch.stack(bits).mean(0) + INTRA_SHARE * intra_bits + OVERHEAD
    return Coded(torch.cat(decoded, 1), rate)
