"""Rows of the probability bank, fitted to what a trained model really codes.

Training prices residuals as Gaussian; the real ones are more peaked and have heavier tails. Tables
are data, so the rows that ship can be the measured distributions: decoders need not know.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ncodec.arrays import Int8Array, Int16Array, RowArray
from ncodec.entropy.latents import Symbols
from ncodec.entropy.tables import ROWS, TABLE_TOTAL, Tables
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel
from ncodec.training.clips import Predictors, intra_qp, to_bytes
from ncodec.training.data import to_unit
from ncodec.training.export.contexts import Coded, Sequences, fitted_adapted
from ncodec.training.pictures import Pixels

Counts = npt.NDArray[np.int64]
Units = Iterator[Iterator[tuple[Tensor, ...]]]
Examples = Callable[[Tensor], Units]
"""qp, (1,) → sequences of what a model encodes at it: pictures, or frames and their predictions,
(1, 3, H, W) in 0…1"""

QPS = tuple(range(3, 64, 8))
PRIOR_SYMBOLS = 2000.0
"""weight of the Gaussian row against what was counted"""
AFTER = 3
"""tables of ẑ by the magnitude of that of the frame before"""
REACH = 16
"""T of these"""
PRIOR_DISTANCES = 5.0
"""weight of a geometric distribution against what was counted for them"""


@dataclass(frozen=True, eq=False)
class Counted:
    """How often symbols of each kind are coded."""

    magnitudes: list[Counts]
    """row → (T + 2,) r of each magnitude 0…T, and anything larger"""
    still: Counts
    """(row, T + 2) counts of ẑ where ẑ of the frame before is 0, by the table without it"""
    after: Counts
    """(`AFTER`, 2T + 2) how far ẑ is beyond that of the frame before, -T…T and others, by the
    magnitude of that"""

    def add_residual(self, residual: Int16Array, rows: RowArray) -> None:
        """Count r by its tables."""
        for row in np.unique(rows).tolist():
            counts = self.magnitudes[row]
            found = np.minimum(np.abs(residual[rows == row]), len(counts) - 1)
            counts += np.bincount(found, minlength=len(counts))

    def add_hyper(self, z_hat: Int8Array, before: Int8Array, rows: RowArray) -> None:
        """Add ẑ, (C_z, ⌈h/4⌉, ⌈w/4⌉) int8, to `still` or `after`, by its value in the frame before.

        `before` is ẑ of that frame and `rows` the tables of ẑ without it, of equal shape; certain
        symbols, of row 0, are not counted.
        """
        z, size = z_hat.astype(np.int64), np.abs(before.astype(np.int64))
        here = (rows > 0) & (size == 0)
        np.add.at(self.still, (rows[here], np.minimum(np.abs(z[here]), REACH + 1)), 1)
        here = (rows > 0) & (size > 0)
        beyond = (np.where(before < 0, -z, z) - size)[here]
        place = np.where(np.abs(beyond) > REACH, 2 * REACH + 1, beyond + REACH)
        np.add.at(self.after, (np.minimum(size[here], AFTER) - 1, place), 1)


@torch.no_grad()
def code_examples(model: ImageModel | FrameModel, examples: Examples) -> list[list[Coded]]:
    """Symbols that a model makes of examples at the QPs 3, 11, … 59: a list for each sequence and
    QP.

    A single picture is a sequence of one.
    """
    encode: Callable[..., tuple[Tensor, Tensor]] = model.encode
    sequences = []
    for qp in QPS:
        step = torch.tensor([float(qp)])
        for sequence in examples(step):
            coded = []
            for units in sequence:
                levels = [(unit - 0.5) * 255 for unit in units]
                z_hat, residual = (t[0].numpy() for t in encode(*levels, step))
                coded.append(Coded(Symbols(z_hat.astype(np.int8), residual.astype(np.int16)), qp))
            sequences.append(coded)
    return sequences


def count_symbols(sequences: Sequences, tables: Tables) -> Counted:
    """How often symbols of each kind are coded."""
    magnitudes = [np.zeros(tables.bank[row].limit + 2, dtype=np.int64) for row in range(ROWS)]
    still = np.zeros((ROWS, REACH + 2), dtype=np.int64)
    counted = Counted(magnitudes, still, np.zeros((AFTER, 2 * REACH + 2), dtype=np.int64))
    for sequence in sequences:
        before: Int8Array | None = None
        for coded in sequence:
            z_hat, residual, qp = coded.symbols.z_hat, coded.symbols.residual, coded.qp
            _, height, width = residual.shape
            counted.add_residual(
                residual, tables.residual_rows(z_hat, qp=qp, height=height, width=width)
            )
            if before is not None:
                counted.add_hyper(z_hat, before, tables.hyper_rows(z_hat.shape, None, qp=qp))
            before = z_hat
    return counted


def fitted_row(row: npt.NDArray[np.uint32], counted: Counts) -> npt.NDArray[np.uint32]:
    """A row of the bank, (2T + 2,), moved to the counted magnitudes, (T + 2,); symmetric, ≥ 1, sum
    2²⁴."""
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

    def examples(qp: Tensor) -> Units:
        return (iter([(to_unit(torch.from_numpy(picture.copy())[None]),)]) for picture in pictures)

    return examples


def frame_examples(model: FrameModel, intra: ImageModel, clips: Sequence[Pixels]) -> Examples:
    """The predicted frames of clips, (T, H, W, 3) uint8 with sides that are multiples of 64, and
    their predictions.

    As an encoder makes them: from what was decoded at this qp, the first frame by `intra`.
    """

    def predicted_frames(clip: Pixels, qp: Tensor) -> Iterator[tuple[Tensor, ...]]:
        frames = torch.from_numpy(clip.copy())[:, None]  # (T, 1, H, W, 3)
        last = to_bytes(intra(to_unit(frames[0]), intra_qp(qp)).pixels)
        predictors = Predictors(last)
        for frame in frames[1:]:
            predicted = to_unit(predictors.predict(frame, last, qp))
            yield to_unit(frame), predicted
            last = to_bytes(model(to_unit(frame), predicted, qp).pixels)

    return lambda qp: (predicted_frames(clip, qp) for clip in clips)


def fitted_after(counted: Counts) -> npt.NDArray[np.uint32]:
    """The table of -T…T and escape for what was counted, (2T + 2,); every count ≥ 1, sum 2²⁴."""
    distance = np.append(np.abs(np.arange(-REACH, REACH + 1)), REACH + 1)
    expected = counted + PRIOR_DISTANCES * 2.0**-distance
    fitted = np.maximum(1, np.rint(expected / expected.sum() * TABLE_TOTAL)).astype(np.int64)
    fitted[fitted.argmax()] += TABLE_TOTAL - fitted.sum()
    table: npt.NDArray[np.uint32] = fitted.astype(np.uint32)
    return table


def fitted_still(tables: Tables, counted: Counts) -> int:
    """Best `still` of tables: rows by which the table of a hyper-latent is lowered where that of
    the frame before is 0.

    `counted` are `Counted.still`, (row, T + 2); the number with the fewest bits for them is taken.
    """

    def bits(row: int) -> npt.NDArray[np.float64]:
        counts, limit = tables.counts[row], tables.bank[row].limit
        known = np.log2(TABLE_TOTAL / counts[limit:-1])[: REACH + 2]
        escape = np.log2(TABLE_TOTAL / counts[-1]) + 8
        return np.append(known, np.full(REACH + 2 - len(known), escape))

    prices = np.array([bits(max(row, 1)) for row in range(ROWS)])
    rows = np.arange(ROWS)
    return int(
        np.argmin([(counted * prices[np.maximum(rows - lower, 1)]).sum() for lower in range(ROWS)])
    )


def calibrate(model: ImageModel | FrameModel, tables: Tables, examples: Examples) -> Tables:
    """Tables whose rows are fitted to the symbols that a model makes of examples.

    For sequences of frames, tables of ẑ after the frame before and tables by context are fitted
    too. Raises ValueError where the result cannot be decoded.
    """
    sequences = code_examples(model, examples)
    counted = count_symbols(sequences, tables)
    rows = tuple(
        fitted_row(row, c) for row, c in zip(tables.counts, counted.magnitudes, strict=True)
    )
    fitted = replace(tables, counts=rows)
    if counted.still.any():
        after = tuple(map(fitted_after, counted.after))
        fitted = replace(fitted, after=after, still=fitted_still(fitted, counted.still))
        fitted = replace(fitted, adapted=fitted_adapted(sequences, fitted))
    fitted.validate()
    return fitted
