"""Floats that were trained → integers that are coded with."""

import math

import numpy as np
import numpy.typing as npt
import torch

from ncodec.entropy.tables import ROWS, SHIFT, TABLE_TOTAL, Tables
from ncodec.networks.image import ImageModel
from ncodec.networks.likelihood import scale_of_index

REACH = 5.0
"""deviations that a table covers on each side before it escapes"""


def gaussian_counts(scale: float) -> npt.NDArray[np.uint32]:
    """Integer table, (2T + 2,) uint32, of a zero-mean Gaussian that is integrated over unit
    intervals.

    Counts are those of -T…T and the escape, each ≥ 1, with the sum 2²⁴; `scale` is σ in quantizer
    steps, T = ⌈5σ⌉ + 1. The escape has a probability of at least 2⁻¹⁸.
    """
    limit = math.ceil(REACH * scale) + 1
    edges = torch.arange(-limit, limit + 2, dtype=torch.float64) - 0.5
    cumulative = torch.special.ndtr(edges / scale)
    inside = (cumulative[1:] - cumulative[:-1]).numpy()
    # Real latents have heavier tails than a Gaussian, so an escape is never priced beyond 2⁻¹⁸.
    escape = max(1 - inside.sum(), 2.0**-18)
    counts = np.maximum(1, np.rint(np.append(inside * (1 - escape), escape) * TABLE_TOTAL)).astype(
        np.int64
    )
    counts[limit] += TABLE_TOTAL - counts.sum()
    table: npt.NDArray[np.uint32] = counts.astype(np.uint32)
    return table


@torch.no_grad()
def freeze_tables(model: ImageModel) -> Tables:
    """Integer tables of a trained model, whose table-index weights are rounded in place to match.

    Rows are Gaussians; weights and biases have four fraction bits. Raises ValueError where they
    cannot be decoded.
    """
    unit = 2**SHIFT
    weight = (model.table_index.limited_weight() * unit).round()
    model.table_index.weight.copy_(weight / unit)
    qps = torch.arange(model.config.qp_count, dtype=torch.float32)
    bias = model.table_index.bias(qps)[:, :, 0, 0]  # (qps, C_y)
    z_index = model.z_index(qps)[:, :, 0, 0]  # (qps, C_z)
    tables = Tables(
        counts=tuple(
            gaussian_counts(float(s))
            for s in scale_of_index(torch.arange(ROWS, dtype=torch.float64))
        ),
        weight=weight[:, :, 0, 0].numpy().astype(np.int8),
        bias=((bias + 0.5) * unit).round().numpy().astype(np.int32),
        z_rows=z_index.round().clamp(0, ROWS - 1).numpy().astype(np.uint8),
        shift=SHIFT,
    )
    tables.validate()
    return tables
