"""Parts of a picture that networks see at once, and what they see around them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ncodec.arrays import BoolArray, Pixels
from ncodec.grid import CELL, PATCH, Place

LARGE_PICTURE = 2**25
"""pixels from which tiles are of `LARGE_TILE`, because the picture itself already takes much"""
LARGE_TILE = 1024
TILE = 1536
"""largest side that networks see at once, without the halo; bounds the memory of a large picture"""


@dataclass(frozen=True)
class _Span:
    """Extent of a tile along one axis in pixels, without and with its halo."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int

    def inner(self, unit: int) -> slice:
        return slice(
            (self.start - self.seen_start) // unit, -((self.seen_start - self.stop) // unit)
        )

    def outer(self, unit: int) -> slice:
        return slice(self.start // unit, -(-self.stop // unit))

    def seen(self, unit: int) -> slice:
        return slice(self.seen_start // unit, -(-self.seen_stop // unit))


@dataclass(frozen=True)
class Tile:
    """Where a tile lies, in arrays of one value for `unit` pixels along each side."""

    rows: _Span
    columns: _Span

    def inner(self, unit: int) -> Place:
        """Place of the tile without its halo, within the tile with its halo."""
        return self.rows.inner(unit), self.columns.inner(unit)

    def outer(self, unit: int) -> Place:
        """Place of the tile without its halo, in the picture."""
        return self.rows.outer(unit), self.columns.outer(unit)

    def seen(self, unit: int) -> Place:
        """Place of the tile with its halo, in the picture."""
        return self.rows.seen(unit), self.columns.seen(unit)


def _spans(length: int, halo: int, side: int, needed: BoolArray | None) -> list[_Span]:
    """Tiles of about equal size at multiples of a hyper-latent cell, each with its halo inside
    0…length.

    They are from the first to the last cell that is needed.
    """
    first, last = 0, length
    if needed is not None:
        places = np.flatnonzero(needed)
        if not len(places):
            return []
        first, last = CELL * int(places[0]), min(CELL * int(places[-1] + 1), length)
    count = -(-(last - first) // side)
    step = -(-(last - first) // (count * CELL)) * CELL
    return [
        _Span(
            start, min(start + step, last), max(0, start - halo), min(length, start + step + halo)
        )
        for start in range(first, last, step)
    ]


def tiles(
    height: int, width: int, halo: int, *, side: int | None = None, needed: BoolArray | None = None
) -> Iterator[Tile]:
    """Tiles of a picture of `height` × `width` pixels, row by row.

    Tiles are of about equal size, at most `side` pixels, rounded up to a multiple of 64, a side,
    and begin at multiples of 64; `side` is `largest_tile` where None. Each sees up to `halo` pixels
    more on every side, within the picture. With `needed`, (⌈H/64⌉, ⌈W/64⌉), they cover the smallest
    box around needed cells; there are none where no cell is needed.
    """
    side = side or largest_tile(height, width)
    down, across = (None, None) if needed is None else (needed.max(axis=1), needed.max(axis=0))
    columns = _spans(width, halo, side, across)
    return (Tile(row, column) for row in _spans(height, halo, side, down) for column in columns)


def largest_tile(height: int, width: int) -> int:
    """Largest side, in pixels, that networks see at once of a picture."""
    return LARGE_TILE if height * width > LARGE_PICTURE else TILE


def pad_to_patches(tile: Pixels, *, unit: int = PATCH) -> Pixels:
    """Repeat the last row and column up to multiples of 16, or of another unit."""
    bottom, right = -tile.shape[0] % unit, -tile.shape[1] % unit
    return np.pad(tile, ((0, bottom), (0, right), (0, 0)), mode="edge") if bottom or right else tile
