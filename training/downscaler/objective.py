"""Objective of a downscaler: bits at equal quality, by several distances."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ncodec.training.clips import ClipBank
from ncodec.training.downscaler.distances import lack_of_similarity, lack_of_vmaf, mean_square
from ncodec.training.downscaler.filters import enlarge
from ncodec.training.downscaler.options import DownscalerOptions, draw
from ncodec.training.downscaler.proxy import code_sequences

DISTANCES = {"mse": mean_square, "similarity": lack_of_similarity, "vmaf": lack_of_vmaf}
SHARES = torch.tensor([0.15, 0.35, 0.5])
"""of the distances in the objective"""
MEASURED = 12
"""batches from which exchange rates are measured"""
VALIDATED = 10
"""batches of a validation"""
_QPS = (17.0, 21.0, 25.0, 29.0, 33.0, 37.0)
"""where exchange rates are measured"""
_WORTH_MOST = 12.0
_FIRST_UNUSED = 2**30
"""first step of draws for measurements"""
_LOWEST_WEIGHED = 16
"""QP whose weight is 0"""

Shrink = Callable[[Tensor], Tensor]
"""(N, 1, H, W) → (N, 1, H/2, W/2)"""


def measure(small: Tensor, source: Tensor, qp: Tensor) -> Tensor:
    """Natural logarithms of bits and of each distance, (B, 1 + distances), of halved sequences.

    `small` is (B, T, H/2, W/2), `source` (B, T, H, W), both in 0…255; `qp` is (B,).
    """
    coded = code_sequences(small, qp)
    batch, _, height, width = source.shape
    shown = enlarge(coded.frames, height, width).flatten(0, 1)[:, None]
    original = source[:, 1:].flatten(0, 1)[:, None]
    columns = [torch.log(coded.bits)]
    for distance_of in DISTANCES.values():
        distance = distance_of(shown, original).reshape(batch, -1).mean(1)
        columns.append(torch.log(distance + 1e-4))
    return torch.stack(columns, 1)


@dataclass(frozen=True)
class Exchange:
    """Worth of quality in bits: -d log bits / d log distance along QP, with Lanczos."""

    worth: Tensor
    """(gaps between QPs, distances)"""

    def at(self, qp: Tensor) -> Tensor:
        """Worth at QPs (B,), (B, distances)."""
        places = torch.tensor([(a + b) / 2 for a, b in pairwise(_QPS)])
        place = ((qp - places[0]) / (places[1] - places[0])).clamp(0, len(places) - 1 - 1e-4)
        low = place.floor().long()
        part = (place - low)[:, None]
        return self.worth[low] * (1 - part) + self.worth[low + 1] * part

    def bits(self, logs: Tensor, qp: Tensor) -> Tensor:
        """Logarithms of bits at equal quality by each distance, (B, distances), of those of
        `measure`, weighted as in BD-rates: the higher the QP, the faster quality falls along it."""
        weight = (qp - _LOWEST_WEIGHED) / (qp - _LOWEST_WEIGHED).mean()
        return weight[:, None] * (logs[:, :1] + self.at(qp) * logs[:, 1:])

    def loss(self, logs: Tensor, qp: Tensor) -> Tensor:
        """Mean of `bits` over distances by their shares, and over the batch."""
        return (self.bits(logs, qp) @ SHARES).mean()


@torch.no_grad()
def measure_exchange(shrink: Shrink, bank: ClipBank, options: DownscalerOptions) -> Exchange:
    """Exchange rates from sequences of `bank`."""
    curves = torch.zeros(len(_QPS), 1 + len(DISTANCES))
    for step in range(MEASURED):
        source, _ = draw(bank, options, _FIRST_UNUSED + step)
        small = shrink_sequences(shrink, source)
        for i, qp in enumerate(_QPS):
            curves[i] += measure(small, source, torch.full((len(source),), qp)).mean(0)
    gaps = (curves[1:] - curves[:-1]) / MEASURED
    return Exchange((-gaps[:, :1] / gaps[:, 1:].clamp(min=1e-6)).clamp(0, _WORTH_MOST))


@torch.no_grad()
def held_out_bits(
    shrink: Shrink, bank: ClipBank, exchange: Exchange, options: DownscalerOptions
) -> Tensor:
    """`Exchange.bits` of sequences of `bank`, always the same, (sequences, distances)."""
    rows = []
    for step in range(VALIDATED):
        source, qp = draw(bank, options, _FIRST_UNUSED + step)
        rows.append(exchange.bits(measure(shrink_sequences(shrink, source), source, qp), qp))
    return torch.cat(rows)


def shrink_sequences(shrink: Shrink, source: Tensor) -> Tensor:
    """Halve frames, (B, T, H, W) → (B, T, H/2, W/2)."""
    small = shrink(source.flatten(0, 1)[:, None])
    return small.reshape(*source.shape[:2], *small.shape[-2:])
