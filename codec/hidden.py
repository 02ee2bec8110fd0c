"""Hidden pixels: wholly transparent ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels
from ncodec.picture import DEEP_PEAK, PEAK, Picture, psnr


def with_hidden_filled(picture: Picture) -> Picture:
    """The picture with colours of visible pixels nearby where alpha is 0, which are cheap: black if
    none is visible."""
    if picture.alpha is not None and not picture.alpha.any():
        return replace(picture, pixels=np.zeros_like(picture.pixels))
    hidden = hidden_pixels(picture)
    return picture if hidden is None else replace(picture, pixels=_filled(picture.pixels, ~hidden))


def _filled(pixels: Pixels, known: BoolArray) -> Pixels:
    """(H, W, 3) with unknown pixels taken from the smallest square of 2, 4, 8, … pixels a side that
    knows one."""
    if known.all():
        return pixels
    high, wide = (-(-side // 2) for side in known.shape)
    coarse, coarse_known = (
        np.zeros((high, wide, 3), dtype=np.uint8),
        np.zeros((high, wide), dtype=np.bool_),
    )
    for row in (0, 1):
        for column in (0, 1):
            part, part_known = pixels[row::2, column::2], known[row::2, column::2]
            place = slice(part.shape[0]), slice(part.shape[1])
            fresh = part_known & ~coarse_known[place]
            coarse[place][fresh] = part[fresh]
            coarse_known[place] |= part_known
    spread = (
        _filled(coarse, coarse_known)
        .repeat(2, axis=0)
        .repeat(2, axis=1)[: known.shape[0], : known.shape[1]]
    )
    filled: Pixels = np.where(known[:, :, None], pixels, spread)
    return filled


def hidden_pixels(picture: Picture) -> BoolArray | None:
    """(H, W) wholly transparent pixels, or None where there are none, or no others."""
    if picture.alpha is None or picture.alpha.all() or not picture.alpha.any():
        return None
    hidden: BoolArray = picture.alpha == 0
    return hidden


def visible_psnr(picture: Picture, shown: Picture) -> float:
    """PSNR in dB of what is shown for a picture, over pixels that are not wholly transparent, and
    of 16-bit samples where both have them."""
    wanted: npt.NDArray[Any] = picture.pixels
    found: npt.NDArray[Any] = shown.pixels
    peak = PEAK
    if picture.deep is not None and shown.deep is not None:
        wanted, found, peak = picture.deep, shown.deep, DEEP_PEAK
    if picture.alpha is None or picture.alpha.all():
        return psnr(wanted, found, peak=peak)
    visible = picture.alpha > 0
    if not visible.any():
        return float("inf")
    return psnr(wanted[visible], found[visible], peak=peak)
