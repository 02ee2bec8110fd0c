"""Rows of the probability bank, fitted to what a trained model really codes.

Training prices residuals as Gaussian; the real ones are more peaked and have heavier tails. Tables are data, so the
rows that ship can be the measured distributions: decoders need not know.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ncodec.entropy import HYPER_CELL, ROWS, TABLE_TOTAL, Tables
from ncodec.models.frame import FrameModel
from ncodec.models.image import ImageModel
from ncodec.training.clips import intra_qp, predict, to_bytes
from ncodec.training.data import to_unit
from ncodec.training.pictures import Pixels

Counts = npt.NDArray[np.int64]
Examples = Callable[[Tensor], Iterator[tuple[Tensor, ...]]]
"""qp, (1,) → what a model encodes at it: pictures, or frames and their predictions, (1, 3, H, W) in 0…1"""

QPS = tuple(range(3, 64, 8))
PRIOR_SYMBOLS = 2000.0
"""weight of the Gaussian row against what was counted"""


@torch.no_grad()
def count_magnitudes(model: ImageModel | FrameModel, tables: Tables, examples: Examples) -> list[Counts]:
    """Row → (T + 2,) how often each magnitude 0…T, and anything larger, is coded with it, over a ladder of qps."""
    counts = [np.zeros(tables.bank[row].limit + 2, dtype=np.int64) for row in range(ROWS)]
    encode: Callable[..., tuple[Tensor, Tensor]] = model.encode
    for qp in QPS:
        step = torch.tensor([float(qp)])
        for units in examples(step):
            z_hat, residual = (t[0].numpy() for t in encode(*units, step))
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


def picture_examples(pictures: Sequence[Pixels]) -> Examples:
    """Pictures, (H, W, 3) uint8 with sides that are multiples of 64, at any qp."""

    def examples(qp: Tensor) -> Iterator[tuple[Tensor, ...]]:
        return ((to_unit(torch.from_numpy(picture.copy())[None]),) for picture in pictures)

    return examples


def frame_examples(model: FrameModel, intra: ImageModel, clips: Sequence[Pixels]) -> Examples:
    """The predicted frames of clips, (T, H, W, 3) uint8 with sides that are multiples of 64, and their predictions.

    As an encoder makes them: from what was decoded at this qp, the first frame by `intra`.
    """

    def examples(qp: Tensor) -> Iterator[tuple[Tensor, ...]]:
        for clip in clips:
            frames = torch.from_numpy(clip.copy())[:, None]  # (T, 1, H, W, 3)
            last = to_bytes(intra(to_unit(frames[0]), intra_qp(qp)).pixels)
            for frame in frames[1:]:
                predicted = to_unit(predict(frame, last, qp))
                yield to_unit(frame), predicted
                last = to_bytes(model(to_unit(frame), predicted, qp).pixels)

    return examples


def calibrate(model: ImageModel | FrameModel, tables: Tables, examples: Examples) -> Tables:
    """The same tables with their rows fitted to the symbols of these examples."""
    counted = count_magnitudes(model, tables, examples)
    fitted = replace(tables, counts=tuple(fitted_row(row, c) for row, c in zip(tables.counts, counted, strict=True)))
    fitted.validate()
    return fitted
