"""Elements of tensors as whole numbers whose bytes are easy to foretell, and back.

A floating-point number of 16 to 64 bits is turned left by a bit: its exponent begins the highest
byte, and its sign comes last. A signed number becomes its zigzag code. A difference to a base is
taken between numbers in ascending order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[Any]
"""little-endian unsigned numbers"""


@dataclass(frozen=True)
class Kind:
    """Kind of the elements of a tensor."""

    name: str
    """as safetensors calls it"""
    width: int
    """bytes"""
    is_float: bool = False
    is_signed: bool = False

    @property
    def words(self) -> np.dtype[Any]:
        """numpy dtype of the elements' bit patterns: little-endian unsigned integers."""
        return np.dtype(f"<u{self.width}")


KINDS = (
    Kind("BOOL", 1),
    Kind("U8", 1),
    Kind("I8", 1, is_signed=True),
    Kind("U16", 2),
    Kind("I16", 2, is_signed=True),
    Kind("U32", 4),
    Kind("I32", 4, is_signed=True),
    Kind("U64", 8),
    Kind("I64", 8, is_signed=True),
    Kind("F16", 2, is_float=True),
    Kind("BF16", 2, is_float=True),
    Kind("F32", 4, is_float=True),
    Kind("F64", 8, is_float=True),
    Kind("F8_E4M3", 1, is_float=True),
    Kind("F8_E5M2", 1, is_float=True),
)
"""in the order of their numbers in a .nct file, which only grows"""
BY_NAME = {kind.name: kind for kind in KINDS}
_NUMPY = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


def kind_of(dtype: np.dtype[Any]) -> Kind | None:
    """The kind of a numpy array's elements, None where there is none."""
    plain = dtype.newbyteorder("<")
    return next((BY_NAME[name] for name, code in _NUMPY.items() if plain == np.dtype(code)), None)


def numbers_of(words: Words, kind: Kind) -> npt.NDArray[Any]:
    """Elements as numpy knows them; bfloat16 and 8-bit floats, which it does not, as float32 of the
    same values."""
    if kind.name == "BF16":
        return (words.astype(np.uint32) << 16).view(np.float32)
    if kind.name == "F8_E5M2":
        return (words.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    if kind.name == "F8_E4M3":
        return _E4M3[words]
    return words.view(_NUMPY[kind.name])


def words_of(numbers: npt.NDArray[np.float32], kind: Kind) -> Words:
    """Floating-point elements of a kind next to float32 numbers, ties to even."""
    if kind.name == "BF16":
        bits = numbers.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return numbers.astype(_NUMPY[kind.name]).view(kind.words)


def _e4m3() -> npt.NDArray[np.float32]:
    """Values of all bytes as 8-bit floats of 4 bits of exponent, without infinities."""
    codes = np.arange(256)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    sizes = np.where(
        exponent > 0, (8 + mantissa) * 2.0 ** (exponent - 10.0), mantissa * 2.0**-9
    )  # fmt: skip
    sizes = np.where(codes & 127 == 127, np.nan, sizes)
    return np.where(codes & 128, -sizes, sizes).astype(np.float32)


_E4M3 = _e4m3()


def turned(words: Words, kind: Kind) -> Words:
    """Words as they are split into planes."""
    if kind.is_float and kind.width > 1:
        return _rotated(words, kind, 1)
    return _zigzag(words, kind) if kind.is_signed else words


def turned_back(words: Words, kind: Kind) -> Words:
    """Inverse of `turned`."""
    if kind.is_float and kind.width > 1:
        return _rotated(words, kind, 8 * kind.width - 1)
    return _unzigzag(words, kind) if kind.is_signed else words


def difference(words: Words, base: Words, kind: Kind) -> Words:
    """Zigzag code of how far words, in the order of their numbers, stand from those of a base."""
    return _zigzag(_ascending(words, kind) - _ascending(base, kind), kind)


def summed(codes: Words, base: Words, kind: Kind) -> Words:
    """Inverse of `difference`."""
    return _descending(_unzigzag(codes, kind) + _ascending(base, kind), kind)


def _rotated(words: Words, kind: Kind, count: int) -> Words:
    bits = 8 * kind.width
    rotated: Words = (words << kind.words.type(count)) | (words >> kind.words.type(bits - count))
    return rotated


def _zigzag(words: Words, kind: Kind) -> Words:
    top = kind.words.type(8 * kind.width - 1)
    codes: Words = (words << kind.words.type(1)) ^ (kind.words.type(0) - (words >> top))
    return codes


def _unzigzag(codes: Words, kind: Kind) -> Words:
    one = kind.words.type(1)
    words: Words = (codes >> one) ^ (kind.words.type(0) - (codes & one))
    return words


def _ascending(words: Words, kind: Kind) -> Words:
    """Words in the order of their numbers; those of floats, whose sign stands apart, are mended."""
    if not kind.is_float:
        return words
    top = kind.words.type(1 << (8 * kind.width - 1))
    return np.where(words & top, ~words, words | top)


def _descending(words: Words, kind: Kind) -> Words:
    """Inverse of `_ascending`."""
    if not kind.is_float:
        return words
    top = kind.words.type(1 << (8 * kind.width - 1))
    return np.where(words & top, words ^ top, ~words)
