"""Rows of the probability bank, fitted to what a trained model really codes.

Training prices residuals as Gaussian; the real ones are more peaked and have heavier tails. Tables are data, so the
rows that ship can be the measured distributions: decoders need not know.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ncodec.entropy import HYPER_CELL, ROWS, TABLE_TOTAL, Tables
from ncodec.models.frame import FrameModel
from ncodec.models.image import ImageModel
from ncodec.training.data import to_unit
from ncodec.training.pictures import Pixels

Counts = npt.NDArray[np.int64]
Inputs = tuple[Pixels, ...]
"""a picture, or a frame and its prediction; each (H, W, 3) uint8 with sides that are multiples of 64"""

QPS = tuple(range(3, 64, 8))
PRIOR_SYMBOLS = 2000.0
"""weight of the Gaussian row against what was counted"""


@torch.no_grad()
def count_magnitudes(model: ImageModel | FrameModel, tables: Tables, inputs: Sequence[Inputs]) -> list[Counts]:
    """Row → (T + 2,) how often each magnitude 0…T, and anything larger, is coded with it, over a ladder of qps."""
    counts = [np.zeros(tables.limit(row) + 2, dtype=np.int64) for row in range(ROWS)]
    encode: Callable[..., tuple[Tensor, Tensor]] = model.encode
    for arrays in inputs:
        units = [to_unit(torch.from_numpy(array.copy())[None]) for array in arrays]
        for qp in QPS:
            z_hat, residual = (t[0].numpy() for t in encode(*units, torch.tensor([float(qp)])))
            high, wide = (HYPER_CELL * side for side in z_hat.shape[1:])
            rows = tables.residual_rows(z_hat.astype(np.int8), qp=qp, height=high, width=wide)
            for row in np.unique(rows).tolist():
                magnitudes = np.minimum(np.abs(residual[rows == row]), len(counts[row]) - 1).astype(np.int64)
                counts[row] += np.bincount(magnitudes, minlength=len(counts[row]))
    return counts


def fitted_row(row: npt.NDArray[np.uint32], counted: Counts) -> npt.NDArray[np.uint32]:
    """A row of the bank, (2T + 2,), moved to the counted magnitudes, (T + 2,); symmetric, ≥ 1, sum 2²⁴."""
    limit = len(row) // 2 - 1
    expected = row.astype(np.float64) * (PRIOR_SYMBOLS / TABLE_TOTAL)
    expected[limit] += counted[0]
    expected[limit + 1 : -1] += counted[1:-1] / 2
    expected[:limit] += counted[-2:0:-1] / 2
    expected[-1] += counted[-1]
    fitted = np.maximum(1, np.rint(expected / expected.sum() * TABLE_TOTAL)).astype(np.int64)
    fitted[limit] += TABLE_TOTAL - fitted.sum()
    table: npt.NDArray[np.uint32] = fitted.astype(np.uint32)
    return table


def calibrate(model: ImageModel | FrameModel, tables: Tables, inputs: Sequence[Inputs]) -> Tables:
    """The same tables with their rows fitted to the symbols of these pictures, or frames and predictions."""
    counted = count_magnitudes(model, tables, inputs)
    fitted = replace(tables, counts=tuple(fitted_row(row, c) for row, c in zip(tables.counts, counted, strict=True)))
    fitted.validate()
    return fitted
