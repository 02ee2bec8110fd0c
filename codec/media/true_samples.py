"""Samples that Pillow takes for others than a format says."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.media.file_parts import fits_cards

_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""TIFF's tag of how samples mean colours, and one of its values"""
_LARGEST = 65535
_LARGEST_DEEP = 2**32 - 1
"""largest sample of 32 bits, of which a header's scale could make any number"""
_LEVELS = {"L;2": 85, "L;4": 17}
"""raw modes of PNG → what Pillow multiplies samples by, but not the transparent one"""
_DEEP_COLOURS = "RGB;16B"
"""raw mode of PNG whose samples Pillow reduces to 8 bits, but not the transparent ones"""


def true_samples(image: Image.Image) -> npt.NDArray[Any]:
    """Samples of a wide greyscale image, as its file means them.

    TIFF: 16 bits in which white is zero are turned round. FITS: 16 bits get their sign, and all
    samples the scale and zero of the header.
    """
    if image.format == "FITS":
        return _true_fits(image)
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if values.dtype.itemsize == 2 and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return _LARGEST - values
    return values


def _true_fits(image: Image.Image) -> npt.NDArray[Any]:
    stream = getattr(image, "fp", None)
    cards = {} if stream is None or stream.closed else fits_cards(stream)
    values = np.asarray(image)
    if image.mode == "I;16":
        values = values.view(np.int16)
    zero, scale = _number(cards.get("BZERO"), 0), _number(cards.get("BSCALE"), 1)
    if (zero, scale) == (0, 1):
        return values
    scaled = values * np.float64(scale) + zero
    if image.mode == "F":
        return scaled
    bounded = np.clip(scaled, -_LARGEST_DEEP, _LARGEST_DEEP)
    is_whole = zero == round(zero) and scale == round(scale)
    return bounded.astype(np.int64) if is_whole else bounded


def _number(text: str | None, otherwise: float) -> float:
    try:
        number = float((text or "").replace("D", "E"))
    except ValueError:
        return otherwise
    return number if abs(number) < 1e30 else otherwise


def with_true_transparency(image: Image.Image) -> Image.Image:
    """The image with its transparent level, or colour, as large as its samples."""
    level, tiles = image.info["transparency"], getattr(image, "tile", ())
    factor = next((_LEVELS.get(str(tile[3]), 1) for tile in tiles), 1)
    is_deep = any(str(tile[3]) == _DEEP_COLOURS for tile in tiles)
    if isinstance(level, tuple) and is_deep:
        true: Any = tuple(number >> 8 for number in level)
    elif isinstance(level, int) and factor > 1:
        true = min(factor * level, 255)
    else:
        return image
    scaled = image.copy()
    scaled.info["transparency"] = true
    return scaled
