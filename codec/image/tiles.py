"""Parts of a picture that networks see at once, and what they see around them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ncodec.arrays import BoolArray, Pixels
from ncodec.grid import CELL, PATCH, Place

LARGE_PICTURE = 2**25
"""pixels from which networks see fewer at once, because the picture itself already takes much"""
MOST_SEEN, LARGE_MOST_SEEN = 2560**2, 2048**2
"""most pixels that networks see at once, with the halo; bounds the memory of a large picture"""
LEAST_SIDE = 1024
"""side of the largest tile where the halo alone would take most of the pixels seen"""


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


def tiles(
    height: int, width: int, halo: int, *, most: int | None = None, needed: BoolArray | None = None
) -> Iterator[Tile]:
    """Tiles of a picture of `height` × `width` pixels, row by row.

    Tiles are of about equal size and begin at multiples of 64; each sees up to `halo` pixels more
    on every side, within the picture. They see at most `most` pixels at once, `most_seen` where
    None, and as few as that allows in all. With `needed`, (⌈H/64⌉, ⌈W/64⌉), they cover the smallest
    box around needed cells; there are none where no cell is needed.
    """
    most = most or most_seen(height, width, halo)
    down, across = (None, None) if needed is None else (needed.max(axis=1), needed.max(axis=0))
    rows, columns = _Axis.of(height, halo, down), _Axis.of(width, halo, across)
    if rows.cells == 0 or columns.cells == 0:
        return iter(())
    high, wide = _counts(rows, columns, most)
    spans = columns.spans(wide)
    return (Tile(row, column) for row in rows.spans(high) for column in spans)


def most_seen(height: int, width: int, halo: int) -> int:
    """Most pixels that networks see at once of a picture, with a halo of `halo` pixels."""
    most = LARGE_MOST_SEEN if height * width > LARGE_PICTURE else MOST_SEEN
    return max(most, (LEAST_SIDE + 2 * halo) ** 2)


@dataclass(frozen=True)
class _Axis:
    """Part of an axis that tiles cover, in pixels from 0…length, and the halo around each."""

    length: int
    first: int
    last: int
    halo: int

    @classmethod
    def of(cls, length: int, halo: int, needed: BoolArray | None) -> "_Axis":
        """From the first to the last cell that is needed, or the whole axis."""
        if needed is None:
            return cls(length, 0, length, halo)
        places = np.flatnonzero(needed)
        if not len(places):
            return cls(length, 0, 0, halo)
        return cls(length, CELL * int(places[0]), min(CELL * int(places[-1] + 1), length), halo)

    @property
    def cells(self) -> int:
        return -(-(self.last - self.first) // CELL)

    def spans(self, count: int) -> list[_Span]:
        """At most `count` tiles of equal whole cells, the last of which may be smaller."""
        step = CELL * -(-self.cells // count)
        return [
            _Span(
                start,
                min(start + step, self.last),
                max(0, start - self.halo),
                min(self.length, start + step + self.halo),
            )
            for start in range(self.first, self.last, step)
        ]

    def seen(self, count: int) -> tuple[int, int]:
        """Pixels that the largest of `count` tiles sees along the axis, and all of them."""
        seen = [span.seen_stop - span.seen_start for span in self.spans(count)]
        return max(seen), sum(seen)


def _counts(rows: _Axis, columns: _Axis, most: int) -> tuple[int, int]:
    """Tiles along each axis: those that see the fewest pixels in all, and each at most `most`."""
    if rows.seen(1)[0] * columns.seen(1)[0] <= most:
        return 1, 1
    best, wide = (0, 1, 1), columns.cells
    for high in range(1, rows.cells + 1):
        tallest, tall = rows.seen(high)
        while wide > 1 and tallest * columns.seen(wide - 1)[0] <= most:
            wide -= 1
        widest, all_wide = columns.seen(wide)
        seen = tall * all_wide
        if tallest * widest <= most and (best[0] == 0 or seen < best[0]):
            best = seen, high, wide
        if wide == 1:
            break
    return best[1:] if best[0] else (rows.cells, columns.cells)


def pad_to_patches(tile: Pixels, *, unit: int = PATCH) -> Pixels:
    """Repeat the last row and column up to multiples of 16, or of another unit."""
    bottom, right = -tile.shape[0] % unit, -tile.shape[1] % unit
    return np.pad(tile, ((0, bottom), (0, right), (0, 0)), mode="edge") if bottom or right else tile
