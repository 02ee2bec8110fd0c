"""Greyscale samples of more than 8 bits, or in floating point → 16 bits."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.arrays import DeepPixels
from ncodec.media.true_samples import true_samples
from ncodec.picture import DEEP_PEAK

_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_BITS_PER_SAMPLE = 258
"""the TIFF tag"""
_SIXTEEN_BITS = frozenset({"PPM"})
"""formats whose integers of more than 8 bits Pillow scales to 16"""
_DEPTHS = (8, 16, 32)
"""bits that integer samples are taken to have where the file does not say"""

Values = npt.NDArray[Any]


def is_wide(image: Image.Image) -> bool:
    """Whether samples have more than 8 bits, or are in floating point."""
    return image.mode == "F" or image.mode in _WIDE_MODES


def sixteen_bits(image: Image.Image) -> tuple[DeepPixels, tuple[str, ...]]:
    """16-bit, 32-bit or floating-point greyscale → (H, W) samples of 16 bits, and notices of what
    the conversion did.

    Integers are scaled so that the largest value of their depth becomes 65535. The depth is the one
    that a TIFF states; else 16 bits for modes of 16, and the least of 8, 16 and 32 bits that holds
    all values for mode I. Floating-point values are scaled from 0…1 where they lie within, else
    from 0…255, and clipped; what is not a number becomes 0.
    """
    values = true_samples(image)
    scaled, notices = _from_floats(values) if image.mode == "F" else _from_integers(image, values)
    return np.clip(np.rint(scaled), 0, DEEP_PEAK).astype(np.uint16), notices


def _from_floats(values: Values) -> tuple[Values, tuple[str, ...]]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return np.zeros_like(values), ("floating-point samples held no number",)
    least, most = float(finite.min()), float(finite.max())
    numbers = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if least >= 0 and 0 < most <= 1:
        notice = "floating-point samples of 0…1 were scaled to 16 bits"
        return numbers * DEEP_PEAK, (notice,)
    notice = f"floating-point samples of {least:.4g}…{most:.4g} were taken for levels of 0…255"
    return np.clip(numbers, 0, 255) * (DEEP_PEAK / 255), (notice,)


def _from_integers(image: Image.Image, values: Values) -> tuple[Values, tuple[str, ...]]:
    most = int(values.max(initial=0))
    least_bits = next(bits for bits in _DEPTHS if most < 2**bits)
    bits = _stated_bits(image) or (least_bits if image.mode == "I" else 16)
    notices = ("samples of 32 bits were reduced to 16",) if bits == 32 else ()
    if int(values.min(initial=0)) < 0:
        notices = (*notices, "negative samples became black")
    if bits == 16:
        return values, notices
    return np.multiply(values, DEEP_PEAK / (2**bits - 1), dtype=np.float64), notices


def _stated_bits(image: Image.Image) -> int | None:
    """Bits of a sample by a TIFF's tag, and by Pillow's scaling of Netpbm; None for other
    files; 32 bits are often only partly used, and so not taken."""
    if image.format in _SIXTEEN_BITS:
        return 16
    stated = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE)
    bits = stated[0] if isinstance(stated, tuple) and stated else stated
    return bits if isinstance(bits, int) and 8 < bits <= 16 else None
