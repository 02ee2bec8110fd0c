"""Tiles cover a picture once, each with its halo, within the limit of pixels seen at once."""

import numpy as np
import pytest

from ncodec.grid import CELL
from ncodec.image.tiles import LARGE_MOST_SEEN, MOST_SEEN, Tile, most_seen, tiles

SIZES = [(64, 64), (80, 16384), (1088, 1920), (2160, 3840), (4000, 6000), (10000, 10000)]


def seen_of(tile: Tile) -> int:
    spans = tile.rows, tile.columns
    return int(np.prod([span.seen_stop - span.seen_start for span in spans]))


@pytest.mark.parametrize("halo", [0, 192, 384, 4096])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_a_picture_once_and_see_their_halo(size: tuple[int, int], halo: int) -> None:
    covered = np.zeros([-(-side // 16) for side in size], np.uint8)
    for tile in tiles(*size, halo):
        covered[tile.outer(16)] += 1
        assert seen_of(tile) <= most_seen(*size, halo)
        for span, length in zip((tile.rows, tile.columns), size, strict=True):
            assert span.start % CELL == 0
            assert span.seen_start == max(0, span.start - halo)
            assert span.seen_stop >= min(length, span.stop + halo)
    assert (covered == 1).all()


@pytest.mark.parametrize(
    ("size", "halo", "most"),
    [
        ((1080, 1920), 384, 1.0),
        ((2160, 3840), 192, 1.11),
        ((4000, 6000), 192, 1.32),
        ((10000, 10000), 192, 1.57),
    ],
)
def test_halos_are_seen_seldom(size: tuple[int, int], halo: int, most: float) -> None:
    assert sum(map(seen_of, tiles(*size, halo))) <= most * size[0] * size[1]


def test_large_pictures_are_seen_in_smaller_parts() -> None:
    assert most_seen(4096, 8192, 192) == MOST_SEEN
    assert most_seen(4096, 8193, 192) == LARGE_MOST_SEEN


def test_tiles_cover_needed_cells_alone() -> None:
    needed = np.zeros((20, 30), bool)
    assert list(tiles(1280, 1920, 192, needed=needed)) == []
    needed[3, 4] = needed[9, 5] = True
    (tile,) = tiles(1280, 1920, 192, needed=needed)
    assert tile.outer(CELL) == (slice(3, 10), slice(4, 6))
    assert tile.seen(CELL) == (slice(0, 13), slice(1, 9))


def test_each_cell_is_a_tile_where_fewer_see_too_much() -> None:
    parts = list(tiles(192, 320, 64, most=1))
    assert len(parts) == 15
