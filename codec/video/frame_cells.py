"""Cells of a frame that no network codes, ↔ bytes: exact ones, and still ones, which are as they
were predicted.

Where a screen scrolls, blocks of cells of any kind may take their prediction from the last frame
moved as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ncodec.arrays import BoolArray, Pixels
from ncodec.container.varint import ByteReader, pack_varint, unzigzag, zigzag
from ncodec.errors import FormatError
from ncodec.exact.layers import (
    Layer,
    by_pixel,
    pack_layers,
    pack_map,
    paint,
    unpack_layers,
    unpack_map,
    with_length,
)
from ncodec.grid import PATCH, cells_of
from ncodec.video.motion.field import Motion
from ncodec.video.scroll import MAX_SCROLL, Scroll

_STILL, _SCROLL = 1, 2
"""bits of the first byte: whether some cells are still, whether some are predicted by scrolling"""


@dataclass(frozen=True, eq=False)
class FrameCells:
    """Cells of 64×64 pixels of a frame that no network codes."""

    still: BoolArray
    """(⌈H/64⌉, ⌈W/64⌉) that stay as they were predicted; none of an intra frame"""
    layers: Sequence[Layer] = ()
    scroll: Scroll | None = None
    scrolled: BoolArray | None = None
    """(H/16, W/16) blocks that are predicted from the last frame, moved as one, where there is a
    scroll"""

    def moved(self, motion: Motion) -> Motion:
        """Copy of the motion with scrolled blocks set to not predicted, neither from the last frame
        nor from the golden one, which keeps them out of OBMC; the motion itself without a scroll.
        """
        if self.scrolled is None:
            return motion
        golden = motion.golden
        if golden is not None:
            golden = replace(golden, chosen=golden.chosen & ~self.scrolled)
        return replace(motion, used=motion.used & ~self.scrolled, golden=golden)

    def predict(self, predicted: Pixels, last: Pixels) -> Pixels:
        """Motion-compensated and last frame, (H, W, 3) → prediction with scrolled blocks put in."""
        if self.scroll is None or self.scrolled is None:
            return predicted
        held = self.scrolled.repeat(PATCH, axis=0).repeat(PATCH, axis=1)
        return np.where(held[:, :, None], self.scroll.move(last), predicted)

    @property
    def known(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells without symbols: still and exact cells."""
        cells = self.still.copy()
        for layer in self.layers:
            cells |= layer.cells
        return cells

    def paint(self, pixels: Pixels, *, predicted: Pixels | None = None) -> None:
        """Write still and exact cells into a frame, (H, W, 3) uint8, in place.

        `predicted`, of that shape, fills still cells and is what layers of differences are added
        to; an intra frame has neither. Raises FormatError for damaged layers.
        """
        if predicted is not None and self.still.any():
            held = by_pixel(self.still, *pixels.shape[:2])
            np.copyto(pixels, predicted, where=held[:, :, None])
        paint(pixels, self.layers, predicted=predicted)


def no_cells(height: int, width: int) -> FrameCells:
    """Cells of a frame that is coded by networks alone."""
    return FrameCells(np.zeros(cells_of(height, width), dtype=np.bool_))


def pack_cells(cells: FrameCells, *, intra: bool) -> bytes:
    """Pack a frame's cells: for predicted frames still cells and scroll, then layers of exact
    cells.

    Without still cells, layers and scroll the result is empty. For `intra` frames still cells and
    scroll are left out.
    """
    if not cells.still.any() and not cells.layers and cells.scroll is None:
        return b""
    layers = pack_layers(cells.layers)
    if intra:
        return layers
    kinds, maps = 0, b""
    if cells.still.any():
        kinds, maps = _STILL, with_length(pack_map(cells.still))
    if cells.scroll is not None and cells.scrolled is not None:
        steps = (pack_varint(zigzag(step)) for step in (cells.scroll.down, cells.scroll.right))
        kinds, maps = (
            kinds | _SCROLL,
            maps + b"".join(steps) + with_length(pack_map(cells.scrolled)),
        )
    return bytes([kinds]) + maps + layers


def unpack_cells(payload: bytes, height: int, width: int, *, intra: bool) -> FrameCells:
    """Bytes → cells of a frame of `height` × `width`, multiples of 16; raises FormatError."""
    still = np.zeros(cells_of(height, width), dtype=np.bool_)
    if not payload:
        return FrameCells(still)
    if intra:
        return FrameCells(still, unpack_layers(payload, height, width))
    reader = ByteReader(payload)
    kinds = reader.byte()
    if kinds & _STILL:
        still = unpack_map(reader.take(reader.varint()), still.shape)
    scroll = scrolled = None
    if kinds & _SCROLL:
        scroll = Scroll(unzigzag(reader.varint()), unzigzag(reader.varint()))
        scrolled = unpack_map(reader.take(reader.varint()), (height // PATCH, width // PATCH))
    is_far = scroll is not None and max(abs(scroll.down), abs(scroll.right)) > MAX_SCROLL
    if kinds > _STILL | _SCROLL or bool(kinds & _STILL) != still.any() or is_far:
        msg = (
            "expected which cells are still and which scroll how far, got otherwise: the file is "
            "damaged"
        )
        raise FormatError(msg)
    layers = unpack_layers(reader.rest(), height, width, taken=still, with_differences=True)
    return FrameCells(still, layers, scroll, scrolled)
