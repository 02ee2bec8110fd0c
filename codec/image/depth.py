"""Samples of 16 bits: the chunk that states them, and how they are made of 8-bit levels."""

from collections.abc import Sequence

import numpy as np

from ncodec.arrays import DeepPixels, Pixels, Samples
from ncodec.container.nci import Container, Tag
from ncodec.errors import FormatError
from ncodec.exact.layers import Layer, by_pixel, covered, pack_layers, paint, unpack_layers
from ncodec.picture import DEEP_PEAK, DEEP_UNIT, STRIP

DEEP_BITS = 16
_BYTE = 8


def pack_depth(low: Sequence[Layer] = ()) -> bytes:
    """Bits of a sample, and the layers of the low bytes of samples that are lossless."""
    return bytes([DEEP_BITS]) + (pack_layers(low) if low else b"")


def split_bytes(deep: DeepPixels) -> tuple[Pixels, Pixels]:
    """16-bit samples → their high and their low bytes."""
    return (deep >> _BYTE).astype(np.uint8), (deep & 0xFF).astype(np.uint8)


def is_deep(container: Container) -> bool:
    """Whether a file's samples have 16 bits; raises FormatError for another depth."""
    chunk = container.extras.get(Tag.DEPTH)
    if chunk is None:
        return False
    if chunk[:1] != bytes([DEEP_BITS]):
        msg = f"expected samples of {DEEP_BITS} bits, got {chunk[:1].hex() or 'none'}: this file "
        msg += "needs a newer ncodec"
        raise FormatError(msg)
    return True


def low_layers(container: Container) -> tuple[Layer, ...]:
    """Layers of the low bytes, none where samples are not lossless; raises FormatError."""
    header, packed = container.header, container.extras[Tag.DEPTH][1:]
    if not packed:
        return ()
    layers = unpack_layers(packed, header.height, header.width)
    if not covered(layers, header.height, header.width).all():
        msg = "expected low bytes of all samples, got those of some: the file is damaged"
        raise FormatError(msg)
    return layers


def deep_samples(
    container: Container, pixels: Pixels, layers: Sequence[Layer], samples: Samples | None
) -> DeepPixels:
    """Samples of a deep file, (H, W, 3).

    With low bytes, `pixels` are the high ones. Else they are the network's `samples`, in 8-bit
    levels, and multiples of 257 in exact cells. Raises FormatError for damage.
    """
    low = low_layers(container)
    deep = np.empty(pixels.shape, dtype=np.uint16)
    if low:
        lower = np.empty_like(pixels)
        paint(lower, low)
        np.left_shift(pixels, _BYTE, out=deep, dtype=np.uint16)
        deep |= lower
        return deep
    exact = by_pixel(covered(layers, *pixels.shape[:2]), *pixels.shape[:2])
    for top in range(0, len(deep), STRIP):
        rows = slice(top, top + STRIP)
        np.multiply(pixels[rows], DEEP_UNIT, out=deep[rows], dtype=np.uint16)
        if samples is not None:
            found = np.clip(np.rint(samples[rows] * DEEP_UNIT), 0, DEEP_PEAK).astype(np.uint16)
            deep[rows] = np.where(exact[rows, :, None], deep[rows], found)
    return deep
