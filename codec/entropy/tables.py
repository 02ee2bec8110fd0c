"""The integers of a model that the entropy coder needs: probability tables, and what chooses among
them.

Nothing here is decided by a float: the choice of a table is the product of an int8 matrix with
integers that are already decoded, changed by how large symbols around it were, and the tables are
integers too.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ncodec.arrays import FloatArray, Int8Array, Int16Array, Int32Array, RowArray
from ncodec.entropy.coder import coder_table
from ncodec.entropy.contexts import CONTEXTS, LARGEST, UNIT
from ncodec.entropy.stack_coder import TABLE_BITS
from ncodec.grid import HYPER_CELL

ROWS = 64
"""rows of the probability bank; row 0 is certain: its symbols are zero and cost nothing"""
SCALE_MIN, SCALE_MAX = 0.11, 256.0
"""standard deviations of the first and the last row, in quantization steps; log-spaced between"""
TABLE_TOTAL = 1 << TABLE_BITS
SHIFT = 4
"""fraction bits of the table index"""
ONE_THREAD = 2**18
"""multiplications of a matrix product up to which OpenBLAS uses no other thread: its threads spin
for a while after a product, and so take half the time of two cores that have other work"""
Z_LIMIT = 127
RESIDUAL_LIMIT = 2**15 - 1


@dataclass(frozen=True, eq=False)
class Table:
    """Probabilities of whole numbers."""

    counts: npt.NDArray[np.uint32]
    """(2T + 2,) counts of -T…T and escape, each ≥ 1, summing to 2²⁴"""

    @property
    def limit(self) -> int:
        """T, the largest magnitude that is coded without an escape."""
        return len(self.counts) // 2 - 1

    @cached_property
    def model(self) -> Any:
        """The coder's form, built when first asked for."""
        return coder_table(self.counts)


@dataclass(frozen=True, eq=False)
class Prices:
    """Bits of whole numbers by every row of the bank."""

    escape: FloatArray
    """(64,), of the sign that a value is an escape"""
    bits: FloatArray
    """bits of -T…T in each row, row after row"""
    centres: npt.NDArray[np.intp]
    """(64,), where that of 0 is"""
    limits: npt.NDArray[np.intp]
    """(64,), T"""

    def of(self, rows: RowArray, values: npt.NDArray[np.integer]) -> FloatArray:
        """Bits of values by their rows, 0 to 63, float32, of one shape, escapes included.

        An escape takes its symbol's bits and 8 for each byte of its varint.
        """
        limits = self.limits[rows]
        beyond = np.abs(values) - limits
        bits: FloatArray = self.bits[self.centres[rows] + np.clip(values, -limits, limits)]
        # As a varint of 2·(beyond - 1) and a sign.
        escaped = self.escape[rows] + 8 * (1 + (beyond > 64) + (beyond > 8192))
        return np.where(beyond <= 0, bits, escaped.astype(np.float32))


def _sizes(limit: int) -> npt.NDArray[np.int64]:
    """Magnitudes of -T…T and an escape as activity counts them."""
    sizes: npt.NDArray[np.int64] = np.append(np.abs(np.arange(-limit, limit + 1)), limit + 1)
    return np.minimum(sizes, LARGEST)


def magnitudes(z_hat: Int8Array) -> Int16Array:
    """|ẑ|, which of -128 is no int8."""
    return np.abs(z_hat.astype(np.int16))


@dataclass(frozen=True)
class Tables:
    """The integers of a model that the entropy coder needs."""

    counts: tuple[npt.NDArray[np.uint32], ...]
    """row → (2T + 2,) counts of -T…T and escape, each ≥ 1, summing to 2²⁴"""
    weight: Int8Array
    """(16·C_y, C_z), from one hyper-latent to the 4×4 latents under it; row (c·4 + i)·4 + j is
    channel c at (i, j)"""
    bias: Int32Array
    """(qps, C_y), rounding half included"""
    z_rows: RowArray
    """(qps, C_z) table of each hyper-latent channel"""
    shift: int
    """fraction bits of the index"""
    after: tuple[npt.NDArray[np.uint32], ...] = ()
    """of models of frames, by the magnitude of a hyper-latent of the frame before, from 1: counts
    of how far beyond it, away from zero, that of this frame is; the last are for larger ones too"""
    still: int = 0
    """rows by which the table of a hyper-latent is lower where that of the frame before is 0"""
    adapted: tuple[RowArray, RowArray] | None = None
    """of models of frames: the tables of a hyper-latent, (64 + tables of `after`, `CONTEXTS`), and
    of a residual, (64, `CONTEXTS`), by the one it would have and how active its place is"""

    def validate(self) -> None:
        """Raise ValueError unless the tables are decodable and fit each other.

        64 tables of an even number of counts ≥ 1 with sum 2²⁴, rows that exist, matching shapes of
        `weight`, `bias` and `z_rows`, a shift of 4, and |W·ẑ + b| < 2²⁴ for all ẑ in ±127, which
        makes float32 products exact.
        """
        if len(self.counts) != ROWS:
            msg = f"expected {ROWS} tables, got {len(self.counts)}"
            raise ValueError(msg)
        if len(self.after) > Z_LIMIT or not 0 <= self.still < (ROWS if self.after else 1):
            msg = (
                f"expected at most {Z_LIMIT} tables after others and a row of them, got "
                f"{len(self.after)}, {self.still}"
            )
            raise ValueError(msg)
        for row, counts in enumerate((*self.counts, *self.after)):
            if counts.sum(dtype=np.int64) != TABLE_TOTAL or counts.min() < 1 or len(counts) % 2:
                msg = (
                    f"expected an even number of counts ≥ 1 with sum {TABLE_TOTAL}, got otherwise "
                    f"in row {row}"
                )
                raise ValueError(msg)
        for adapted, known in zip(self.adapted or (), (ROWS + len(self.after), ROWS), strict=False):
            whole = adapted.shape == (known, CONTEXTS) and adapted.max() < known
            if not whole or adapted[0].any() or not adapted[1:].all():
                msg = (
                    f"expected rows of ({known}, {CONTEXTS}), none of them 0 but those of row 0, "
                    f"got others"
                )
                raise ValueError(msg)
        channels = self.bias.shape[1]
        if (
            self.weight.shape != (16 * channels, self.z_rows.shape[1])
            or self.z_rows.max() >= ROWS
            or self.shift != SHIFT
        ):
            msg = (
                f"expected W, b and z rows that fit each other and a shift of {SHIFT}, got "
                f"{self.weight.shape}, "
            )
            msg += f"{self.bias.shape}, {self.z_rows.shape} and {self.shift}"
            raise ValueError(msg)
        # Every partial sum of W·ẑ stays below this, so a float32 matrix product is exact in any
        # order.
        largest = int(np.abs(self.weight.astype(np.int64)).sum(axis=1).max()) * Z_LIMIT
        largest += int(np.abs(self.bias.astype(np.int64)).max())
        if largest >= 2**24:
            msg = f"expected |W·ẑ + b| < 2²⁴, got up to {largest}"
            raise ValueError(msg)

    @cached_property
    def exact_weight(self) -> npt.NDArray[np.float32]:
        """W as float32, (C_y, 16, C_z), whose matrix product is exact within the proven bound and
        much faster than int32's."""
        weight = self.weight.astype(np.float32)
        return weight.reshape(-1, HYPER_CELL * HYPER_CELL, weight.shape[1])

    @cached_property
    def bank(self) -> tuple[Table, ...]:
        """Tables of all rows, followed by the tables of `after`."""
        return tuple(map(Table, (*self.counts, *self.after)))

    @cached_property
    def prices(self) -> Prices:
        """Bits of values."""
        bits = [24 - np.log2(counts[:-1]) for counts in self.counts]
        escape = np.array([24 - np.log2(counts[-1]) for counts in self.counts], dtype=np.float32)
        limits = np.array([table.limit for table in self.bank[:ROWS]])
        starts = np.cumsum([0, *(len(row) for row in bits[:-1])])
        return Prices(escape, np.concatenate(bits).astype(np.float32), starts + limits, limits)

    @cached_property
    def expected(self) -> npt.NDArray[np.int64]:
        """Mean magnitude of each table of `bank`, (64 + K,) int64, in units of 1/4096.

        K is the number of tables of `after`. Magnitudes count at most 15; row 0 has 0.
        """
        sums = [int(_sizes(table.limit) @ table.counts.astype(np.int64)) for table in self.bank]
        return np.array([0, *sums[1:]]) // (TABLE_TOTAL // UNIT)

    def hyper_rows(self, shape: tuple[int, ...], before: Int8Array | None, *, qp: int) -> RowArray:
        """Row of `bank`, uint8, of each value of ẑ; 64 and above are tables of `after`.

        `shape` is that of ẑ, (C_z, rows, columns); `before` is ẑ of the frame before, of that
        shape, None where it was not predicted. `qp` is 0 to 63.
        """
        rows: RowArray = np.broadcast_to(self.z_rows[qp][:, None, None], shape)
        if before is None or not self.after:
            return rows
        size = np.minimum(magnitudes(before), len(self.after))
        found = np.where(
            size > 0, ROWS - 1 + size, np.maximum(rows.astype(np.int16) - self.still, 1)
        )
        return np.where(rows > 0, found, 0).astype(np.uint8)

    def residual_rows(self, z_hat: Int8Array, *, qp: int, height: int, width: int) -> RowArray:
        """Table of each residual: I = clip((W·ẑ + b[qp]) >> shift, 0, 63), (C_y, height, width)."""
        channels, cells_high, cells_wide = z_hat.shape
        flat = z_hat.reshape(channels, -1).astype(np.float32)
        index = _product(self.exact_weight, flat).astype(np.int32)  # (16·C_y, cells)
        index += np.repeat(self.bias[qp], HYPER_CELL * HYPER_CELL)[:, None]
        rows: RowArray = np.clip(index >> self.shift, 0, ROWS - 1).astype(np.uint8)
        cells = rows.reshape(-1, HYPER_CELL, HYPER_CELL, cells_high, cells_wide)
        grid: RowArray = cells.transpose(0, 3, 1, 4, 2).reshape(
            -1, cells_high * HYPER_CELL, cells_wide * HYPER_CELL
        )
        return grid[:, :height, :width]


def _product(weight: npt.NDArray[np.float32], columns: npt.NDArray[np.float32]) -> FloatArray:
    """Products of matrices (B, R, K) and columns (K, N), (B·R, N), on one thread."""
    step = max(1, ONE_THREAD // weight[0].size)
    count = columns.shape[1]
    product = np.empty((*weight.shape[:2], count), np.float32)
    for first in range(0, count, step):
        own = slice(first, first + step)
        np.matmul(weight, columns[:, own], out=product[:, :, own])
    return product.reshape(-1, count)
