"""Drawings: thin lines on nothing, and the map of a town that never was."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.texture import Size, clouds
from ncodec.eval.corpora.typeset import font

Line = list[tuple[float, float]]

SEED = 51
SMOOTHING = 3
"""drawn this many times as large and made smaller, for soft edges"""
LAND: Colour = (242, 239, 230)
WATER: Colour = (168, 208, 226)
PARK: Colour = (200, 226, 178)
HOUSE: Colour = (217, 208, 196)
ROOMS = ((0.1, 0.3, "HALL 4.20 m"), (0.6, 0.18, "KITCHEN"), (0.6, 0.6, "STUDY 3.85 by 2.90"))
STREETS = (
    "Mill Lane",
    "Quay Street",
    "Orchard Road",
    "Tanner's Row",
    "North Bank",
    "Foundry Way",
    "Long Acre",
)


def contours(size: Size) -> Image.Image:
    """Grey without soft edges: lines of equal height, one pixel wide."""
    height = np.floor(clouds(size, seed=SEED, decay=0.4) * 22)
    edge = np.zeros(size[::-1], bool)
    edge[:, 1:] |= height[:, 1:] != height[:, :-1]
    edge[1:] |= height[1:] != height[:-1]
    return Image.fromarray(np.where(edge, 0, 255).astype(np.uint8))


def spirograph(size: Size) -> Image.Image:
    """RGB with soft edges: closed curves in three inks."""
    width, height = (SMOOTHING * side for side in size)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    turn = np.linspace(0, 2 * np.pi, 2400)
    inks: tuple[Colour, ...] = ((20, 30, 120), (170, 20, 40), (10, 110, 70))
    for i, ink in enumerate(inks):
        reach = min(width, height) * (0.46 - 0.1 * i)
        radius = reach * (0.62 + 0.38 * np.cos((9 + 4 * i) * turn / (i + 1)))
        angle = turn * (i + 2)
        x, y = width / 2 + radius * np.cos(angle), height / 2 + radius * np.sin(angle)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), ink, SMOOTHING)
    return image.resize(size, Image.Resampling.LANCZOS)


def plan(size: Size) -> Image.Image:
    """Grey, of hard lines: the plan of a house with hatched walls, doors and measures."""
    width, height = size
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, width - 20, height - 30), outline=0, width=4)
    for x, y, end_x, end_y in ((0.45, 0.0, 0.45, 0.6), (0.45, 0.4, 1.0, 0.4), (0.0, 0.7, 0.3, 0.7)):
        spot = (20 + x * (width - 40), 20 + y * (height - 50))
        draw.line((*spot, 20 + end_x * (width - 40), 20 + end_y * (height - 50)), 0, 3)
        draw.arc((spot[0] - 22, spot[1] - 22, spot[0] + 22, spot[1] + 22), 0, 90, 0)
    for left in range(20, width - 52, 5):
        draw.line((left, height - 62, left + 30, height - 32), 90)
    for x, y, room in (
        (0.1, 0.3, "HALL 4.20 m"),
        (0.6, 0.18, "KITCHEN"),
        (0.6, 0.6, "STUDY 3.85 by 2.90"),
    ):
        draw.text((x * width, y * height), room, 0, font(11))
    draw.line((20, height - 14, width - 20, height - 14), 0)
    middle = (width / 2, height - 14)
    draw.text(middle, "12.40 m", 0, font(10), anchor="mm", stroke_width=3, stroke_fill=255)
    return image


def _bent(draw: ImageDraw.ImageDraw, points: Line, colour: Colour, wide: float) -> None:
    draw.line(points, colour, round(wide), joint="curve")


def _blocks(draw: ImageDraw.ImageDraw, size: Size, rng: np.random.Generator) -> None:
    for x in range(0, size[0], 74):
        for y in range(0, size[1], 56):
            for _ in range(4):
                left, top = x + int(rng.integers(8, 50)), y + int(rng.integers(8, 36))
                right, bottom = left + int(rng.integers(8, 20)), top + int(rng.integers(7, 16))
                draw.rectangle((left, top, right, bottom), HOUSE, (190, 180, 168))


def _streets(draw: ImageDraw.ImageDraw, size: Size, rng: np.random.Generator) -> None:
    lines = []
    for x in range(0, size[0] + 74, 74):
        lean = rng.normal(0, 14, 3)
        lines.append([(x + float(lean[i]), size[1] * i / 2) for i in range(3)])
    for y in range(0, size[1] + 56, 56):
        lean = rng.normal(0, 8, 3)
        lines.append([(size[0] * i / 2, y + float(lean[i])) for i in range(3)])
    # All edges first, or crossings would be closed by them.
    for extra, colour in ((2, (170, 164, 156)), (0, (255, 255, 255))):
        for i, line in enumerate(lines):
            _bent(draw, line, colour, (5 + 3 * (i % 3 == 0)) + extra)


def street_map(size: Size, *, seed: int) -> Image.Image:
    """RGB: houses, streets, a park, a river, a trunk road and their names."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = Image.new("RGB", size, LAND)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((width * 0.55, height * 0.1, width * 0.85, height * 0.42), 18, PARK)
    _blocks(draw, size, rng)
    _streets(draw, size, rng)
    river = [(i * width / 6, height * 0.72 + 26 * np.sin(1.1 * i + seed)) for i in range(7)]
    _bent(draw, river, WATER, 26)
    trunk = [(0, height * 0.2), (width * 0.4, height * 0.5), (width * 0.62, height)]
    _bent(draw, trunk, (196, 140, 60), 11)
    _bent(draw, trunk, (252, 214, 130), 8)
    for name in STREETS:
        spot = (float(rng.uniform(0, width * 0.8)), float(rng.uniform(10, height - 14)))
        draw.text(spot, name, (70, 62, 60), font(10), stroke_width=2, stroke_fill=(255, 255, 255))
    return image


def members() -> list[Member]:
    """Line art with hard and with soft edges, and maps."""
    return [
        Member("contours", "lineart", partial(contours, (300, 221))),
        Member("spirograph", "lineart", partial(spirograph, (256, 256))),
        Member("plan", "lineart", partial(plan, (347, 263))),
        Member("town", "map", partial(street_map, (400, 300), seed=SEED)),
        Member("town-wide", "map", partial(street_map, (511, 223), seed=SEED + 1)),
    ]
