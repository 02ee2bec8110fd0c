"""Lossy tensors: elements as whole multiples of a step, chosen by rate and distortion."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.errors import InputError
from ncodec.tensors.elements import Kind, Words, numbers_of, words_of

_LAMBDA = 0.06
"""squared steps that a bit is worth"""
_ROUNDS = 2
_ROUNDING = {"F16": 2**-11, "BF16": 2**-8, "F32": 2**-24, "F64": 2**-24}
"""share of a product of float32 that rounding it to an element may add or take"""


@dataclass(frozen=True, kw_only=True)
class TensorLoss:
    """Limits of the loss of floating-point tensors; without a limit, they stay exact."""

    bits: int | None = None
    """2 to 12: bits of the largest value of each row of a matrix or kernel; vectors stay exact"""
    max_error: float | None = None
    """largest absolute error of any element"""

    def __post_init__(self) -> None:
        """Raise InputError for values out of range, and for both at once."""
        if self.bits is not None and self.max_error is not None:
            msg = "expected bits or max_error, got both"
            raise InputError(msg)
        whole = isinstance(self.bits, int) and not isinstance(self.bits, bool)
        if self.bits is not None and not (whole and 2 <= self.bits <= 12):
            msg = f"expected 2 to 12 bits, got {self.bits!r:.40}"
            raise InputError(msg)
        number = isinstance(self.max_error, int | float) and np.isfinite(self.max_error)
        if self.max_error is not None and not (number and self.max_error > 0):
            msg = f"expected a max_error above 0, got {self.max_error!r:.40}"
            raise InputError(msg)


EXACT = TensorLoss()


@dataclass(frozen=True, eq=False)
class Quantized:
    """A tensor as multiples of steps."""

    multiples: npt.NDArray[np.int32]
    """(rows, columns)"""
    steps: npt.NDArray[np.float32]
    """(rows,)"""


def quantize(
    words: Words, shape: tuple[int, ...], kind: Kind, loss: TensorLoss
) -> Quantized | None:
    """A tensor within a loss; None where it has to stay exact: it is not of floats of at least 16
    bits, has no elements or values that are not finite, is a vector (by `bits`), or cannot be that
    exact (by `max_error`)."""
    if loss == EXACT or not kind.is_float or kind.width == 1 or not len(words):
        return None
    with np.errstate(all="ignore"):
        values = numbers_of(words, kind).astype(np.float64)
    if not np.isfinite(values).all() or np.abs(values).max() > np.finfo(np.float32).max / 4:
        return None
    if loss.max_error is not None:
        return _within(words, values, kind, loss.max_error)
    if len(shape) < 2 or loss.bits is None:
        return None
    rows = values.reshape(shape[0], -1)
    largest = np.abs(rows).max(axis=1)
    steps = np.where(largest > 0, largest / ((1 << (loss.bits - 1)) - 1), 1).astype(np.float32)
    if steps.min() < np.finfo(np.float32).tiny:
        return None
    return Quantized(_cheap(rows / steps[:, None].astype(np.float64)), steps)


def dequantize(quantized: Quantized, kind: Kind) -> Words:
    """Words of a kind, the same on every machine: a product of float32, and a rounding."""
    numbers = quantized.multiples.astype(np.float32) * quantized.steps[:, None]
    return words_of(np.ascontiguousarray(numbers.ravel()), kind)


def _within(
    words: Words, values: npt.NDArray[np.float64], kind: Kind, max_error: float
) -> Quantized | None:
    largest = float(np.abs(values).max())
    max_error = min(max_error, 2 * largest + 1)
    step = np.float32(2 * (max_error - largest * _ROUNDING[kind.name]) * (1 - 2**-12))
    if not 0 < step < np.inf or largest / step > 2**23:
        return None
    multiples = np.rint(values / np.float64(step)).astype(np.int32)
    made = Quantized(multiples[None], np.array([step], dtype=np.float32))
    with np.errstate(all="ignore"):
        back = numbers_of(dequantize(made, kind), kind).astype(np.float64)
    return made if np.abs(back - values).max() <= max_error else None


def _cheap(scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Multiples, each the nearest one or the next towards 0, whichever costs less: rate-distortion
    optimized quantization by the entropy of all multiples."""
    nearest = np.rint(scaled).astype(np.int32)
    lower = nearest - np.sign(nearest)
    least = min(int(nearest.min()), int(lower.min()))
    most = max(int(nearest.max()), int(lower.max()))
    chosen = nearest
    for _ in range(_ROUNDS):
        bits = _lengths(chosen, least, most)
        near, far = ((scaled - one) ** 2 + _LAMBDA * bits[one - least] for one in (nearest, lower))
        chosen = np.where(far < near, lower, nearest)
    return chosen


def _lengths(chosen: npt.NDArray[np.int32], least: int, most: int) -> npt.NDArray[np.float64]:
    """Bits of every multiple from `least` to `most`, each counted once more than it occurs."""
    counts = np.bincount((chosen - least).ravel(), minlength=most - least + 1) + 1
    lengths: npt.NDArray[np.float64] = np.log2(counts.sum() / counts)
    return lengths
