"""Greyscale samples of more than 8 bits, or in floating point → 8 bits."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

WIDE_NOTICE = "samples of more than 8 bits were reduced to 8"
_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_BITS_PER_SAMPLE = 258
"""the TIFF tag"""
_DEPTHS = (8, 16, 32)
"""bits that integer samples are taken to have where the file does not say"""

Values = npt.NDArray[Any]


def is_wide(image: Image.Image) -> bool:
    """Whether samples have more than 8 bits, or are in floating point."""
    return image.mode == "F" or image.mode in _WIDE_MODES


def to_eight_bits(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """16-bit, 32-bit or floating-point greyscale → mode L, and what the conversion did.

    Integers are divided so that the largest value of their depth becomes 255. The depth is the one
    that a TIFF states; else 16 bits for modes of 16, and the least of 8, 16 and 32 bits that holds
    all values for mode I. Floating-point values are multiplied by 255 if they lie within 0 to 1,
    and clipped to 0…255 otherwise; what is not a number becomes 0.
    """
    values = np.asarray(image)
    levels, notices = _from_floats(values) if image.mode == "F" else _from_integers(image, values)
    return Image.fromarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8)), notices


def _from_floats(values: Values) -> tuple[Values, tuple[str, ...]]:
    finite = values[np.isfinite(values)]
    least, most = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
    levels = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if least >= 0 and 0 < most <= 1:
        return levels * 255, ("floating-point samples of 0…1 were scaled to 0…255",)
    notice = f"floating-point samples of {least:.4g}…{most:.4g} were rounded to levels of 0…255"
    return levels, (notice if finite.size else "floating-point samples held no number",)


def _from_integers(image: Image.Image, values: Values) -> tuple[Values, tuple[str, ...]]:
    most = int(values.max(initial=0))
    least_bits = next(bits for bits in _DEPTHS if most < 2**bits)
    bits = _stated_bits(image) or (least_bits if image.mode == "I" else 16)
    if bits == 8:
        return values, (WIDE_NOTICE,)
    reduced = WIDE_NOTICE if bits == 16 else f"samples of {bits} bits were reduced to 8"
    has_negative = int(values.min(initial=0)) < 0
    notices = (reduced, "negative samples became black") if has_negative else (reduced,)
    return np.multiply(values, 255 / (2**bits - 1), dtype=np.float32), notices


def _stated_bits(image: Image.Image) -> int | None:
    """Bits of a sample by a TIFF's tag, None for other files; 32 bits are often only partly used,
    and so not taken."""
    stated = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE)
    bits = stated[0] if isinstance(stated, tuple) and stated else stated
    return bits if isinstance(bits, int) and 8 < bits <= 16 else None
