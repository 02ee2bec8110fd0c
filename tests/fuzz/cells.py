"""Bitstreams of exact cells, below all checksums: layers, maps and lossless WebP."""

import numpy as np

from ncodec.exact.layers import paint, unpack_layers
from ncodec.exact.vp8l import size_of_vp8l, unpack_vp8l
from ncodec.grid import PATCH
from ncodec.video.frame_cells import unpack_cells

_PICTURE, _INTRA, _PREDICTED, _BITSTREAM = range(4)
LARGEST = 2**18
"""pixels of a bitstream, beyond which the size alone may cost time"""


def decode_cells(data: bytes) -> None:
    """Decode what follows a kind and two sides, a byte each, in pixels of a picture, patches of a
    frame."""
    if len(data) < 3:
        return
    kind, sides, coded = data[0] % 4, (data[1] + 1, data[2] + 1), data[3:]
    if kind == _BITSTREAM:
        size = size_of_vp8l(coded) or sides
        if size[0] * size[1] <= LARGEST:
            unpack_vp8l(coded, *size)
        return
    height, width = sides if kind == _PICTURE else (((side - 1) % 32 + 1) * PATCH for side in sides)
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    if kind == _PICTURE:
        paint(pixels, unpack_layers(coded, height, width))
        return
    cells = unpack_cells(coded, height, width, intra=kind == _INTRA)
    if kind == _INTRA:
        cells.paint(pixels)
        return
    predicted = cells.predict(pixels, pixels + np.uint8(9))
    cells.paint(pixels, predicted=predicted)
