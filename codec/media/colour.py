"""YCbCr frames ↔ RGB: matrices, ranges and scaling."""

import av
import numpy as np
from av.video.reformatter import Interpolation

from ncodec.arrays import Pixels
from ncodec.container.records import Colour
from ncodec.errors import InputError

# The default conversion replicates chroma and rounds carelessly, which costs tenths of a decibel.
SCALING = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
HD_HEIGHT = 720
"""from here on, video that does not say how it means colours means BT.709, below it BT.601"""
_UNSPECIFIED = frozenset({2, 3})
"""ITU-T H.273 code points: not known, and reserved"""
_CONVERTED_MATRICES = frozenset({0, 1, 4, 5, 6, 7, 9})
_NEAR_MATRICES = {10: 9}
"""BT.2020 of constant luminance → BT.2020"""
MATRICES = {1: 1, 5: 5, 6: 5}
"""ITU-T H.273 code points of writable matrices → swscale's numbers"""
_HDR_TRANSFERS = frozenset({16, 18})
"""PQ and HLG, code points of ITU-T H.273"""


def is_hdr(colour: Colour) -> bool:
    """Whether samples are of a high dynamic range: PQ or HLG."""
    return colour.transfer in _HDR_TRANSFERS


def to_rgb(frame: av.VideoFrame, *, size: tuple[int, int] | None = None) -> Pixels:
    """Frame of a decoded video → (H, W, 3) uint8 RGB of full range, scaled to `size`, columns and
    rows, if one is given.

    YCbCr is converted by the matrix that the frame states, else by BT.709 from 720 rows on and
    BT.601 below, and as limited range unless the frame states full range. Chroma is scaled
    bicubically. Raises InputError for matrices such as those of YCgCo and ICtCp.
    """
    wide, high = size or (frame.width, frame.height)
    if frame.format.is_rgb and (wide, high) == (frame.width, frame.height):
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    assumed = 1 if frame.height >= HD_HEIGHT else 5
    stated = _NEAR_MATRICES.get(frame.colorspace, frame.colorspace)
    matrix = assumed if stated in _UNSPECIFIED else stated
    if matrix not in _CONVERTED_MATRICES:
        msg = f"expected frames in YCbCr or RGB, got colour matrix {matrix} of ITU-T H.273"
        raise InputError(msg)
    rgb = frame.reformat(wide, high, format="rgb24", src_colorspace=matrix, interpolation=SCALING)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)
