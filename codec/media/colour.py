"""YCbCr frames ↔ RGB: matrices, ranges and scaling."""

import av
import numpy as np
from av.video.reformatter import Interpolation

from ncodec.arrays import Pixels

# The default conversion replicates chroma and rounds carelessly, which costs tenths of a decibel.
SCALING = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)
HD_HEIGHT = 720
"""from here on, video that does not say how it means colours means BT.709, below it BT.601"""
UNSPECIFIED = 2
MATRICES = {1: 1, 5: 5, 6: 5}
"""ITU-T H.273 code points of writable matrices → swscale's numbers"""


def to_rgb(frame: av.VideoFrame, *, size: tuple[int, int] | None = None) -> Pixels:
    """Frame of a decoded video → (H, W, 3) uint8 RGB of full range, scaled to `size`, columns and
    rows, if one is given.

    YCbCr is converted by the matrix that the frame states, else by BT.709 from 720 rows on and
    BT.601 below, and as limited range unless the frame states full range. Chroma is scaled
    bicubically.
    """
    wide, high = size or (frame.width, frame.height)
    if frame.format.is_rgb and (wide, high) == (frame.width, frame.height):
        return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
    assumed = 1 if frame.height >= HD_HEIGHT else 5
    matrix = frame.colorspace if frame.colorspace != UNSPECIFIED else assumed
    rgb = frame.reformat(wide, high, format="rgb24", src_colorspace=matrix, interpolation=SCALING)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)
