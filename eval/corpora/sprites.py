"""Pixel art: a handful of colours, every pixel meant, and enlarged without smoothing."""

from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.texture import Size

SEED = 61
SIDE = 12
"""side of a sprite, in pixels"""
PALETTE: tuple[Colour, ...] = (
    (20, 12, 28), (68, 36, 52), (48, 52, 109), (78, 74, 78), (133, 76, 48), (52, 101, 36),
    (208, 70, 72), (117, 113, 97), (89, 125, 206), (210, 125, 44), (133, 149, 161), (109, 170, 44),
    (210, 170, 153), (109, 194, 202), (218, 212, 94), (222, 238, 214),
)  # fmt: skip
HERO = (
    "....6666....",
    "...666666...",
    "...44cc4c...",
    "..4c4cccc4..",
    "..4cccc44...",
    "....cccc....",
    "..66866866..",
    ".6668888666.",
    ".cc88ee88cc.",
    ".cc888888cc.",
    "...88..88...",
    "..444..444..",
)

Indices = npt.NDArray[np.int64]


def hero() -> Indices:
    """(12, 12) places in the palette; 0 is the ground."""
    return np.array([[0 if c == "." else int(c, 16) for c in row] for row in HERO])


def invader(rng: np.random.Generator) -> Indices:
    """(12, 12) of a symmetric creature in two colours."""
    half = rng.random((SIDE - 2, SIDE // 2 - 1))
    first, second = rng.integers(1, len(PALETTE), 2)
    body = np.where(half < 0.45, first, np.where(half < 0.6, second, 0))
    return np.asarray(np.pad(np.hstack([body, body[:, ::-1]]), 1))


def sheet(columns: int, rows: int, *, scale: int) -> Image.Image:
    """Mode P: creatures in rows with the hero first, each pixel `scale` wide."""
    rng = np.random.default_rng(SEED)
    cells = [hero(), *(invader(rng) for _ in range(columns * rows - 1))]
    grid = np.vstack([np.hstack(cells[columns * i : columns * (i + 1)]) for i in range(rows)])
    image = Image.fromarray(np.kron(grid, np.ones((scale, scale))).astype(np.uint8))
    image.putpalette([level for colour in PALETTE for level in colour])
    return image


def _tile(kind: int, rng: np.random.Generator) -> Indices:
    """(12, 12) of grass, water or brick, with detail of its own."""
    if kind == 2:
        y, x = np.indices((SIDE, SIDE))
        return np.where((y % 4 == 3) | ((x + 3 * (y // 4 % 2)) % 6 == 5), 1, 4)
    main, detail, share = ((11, 5, 0.15), (8, 13, 0.1))[kind]
    return np.where(rng.random((SIDE, SIDE)) < share, detail, main)


def landscape(size: Size, *, scale: int) -> Image.Image:
    """RGB: a level made of tiles with heroes in it, enlarged and cut to the size."""
    rng = np.random.default_rng(SEED + 1)
    width, height = size
    columns, rows = (-(-side // (SIDE * scale)) for side in size)
    kinds = rng.choice(3, (rows, columns), p=[0.6, 0.2, 0.2]).tolist()
    tiles = [[_tile(kind, rng) for kind in row] for row in kinds]
    for row in tiles[::2]:
        row[1] = np.where(hero() > 0, hero(), row[1])
    grid = np.vstack([np.hstack(row) for row in tiles])
    large = np.kron(grid, np.ones((scale, scale), np.int64))[:height, :width]
    return Image.fromarray(np.array(PALETTE, np.uint8)[large])


def members() -> list[Member]:
    """Sprites at their own size and larger, and a landscape."""
    return [
        Member("hero", "sprite", partial(sheet, 1, 1, scale=1)),
        Member("sheet", "sprite", partial(sheet, 6, 4, scale=1)),
        Member("sheet-times-5", "sprite", partial(sheet, 6, 4, scale=5)),
        Member("landscape", "sprite", partial(landscape, (322, 225), scale=3)),
    ]
