"""Charts as programs draw them: axes, ticks, labels, legends and thin lines."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.texture import Size
from ncodec.eval.corpora.typeset import Box, font
from ncodec.eval.corpora.words import MONTHS

SEED = 81
COLOURS: tuple[Colour, ...] = (
    (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75),
)  # fmt: skip
SMOOTHING = 3
"""marks are drawn this many times as large, letters are not"""
LABELS = MONTHS[:8]

Marks = Callable[[ImageDraw.ImageDraw, Box, np.random.Generator], None]
"""draws the data of a chart into a box"""


def lines(draw: ImageDraw.ImageDraw, box: Box, rng: np.random.Generator) -> None:
    """Four walks from left to right."""
    left, top, right, bottom = box
    x = np.linspace(left, right, 60)
    for i, colour in enumerate(COLOURS[:4]):
        walk = 0.2 + 0.17 * i + 0.012 * np.cumsum(rng.normal(0, 1, len(x)))
        y = bottom - np.clip(walk, 0.02, 0.98) * (bottom - top)
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), colour, 2 * SMOOTHING)


def bars(draw: ImageDraw.ImageDraw, box: Box, rng: np.random.Generator) -> None:
    """Eight groups of two."""
    left, top, right, bottom = box
    step = (right - left) / len(LABELS)
    for i, _ in enumerate(LABELS):
        for j, colour in enumerate(COLOURS[:2]):
            height = float(rng.uniform(0.1, 0.95)) * (bottom - top)
            start = left + (i + 0.15 + 0.35 * j) * step
            draw.rectangle((start, bottom - height, start + 0.33 * step, bottom), colour)


def scatter(draw: ImageDraw.ImageDraw, box: Box, rng: np.random.Generator) -> None:
    """Three clusters of small circles."""
    left, top, right, bottom = box
    for colour in COLOURS[:3]:
        middle = rng.uniform(0.25, 0.75, 2)
        for x, y in np.clip(rng.normal(middle, 0.09, (70, 2)), 0.02, 0.98).tolist():
            spot = (left + x * (right - left), bottom - y * (bottom - top))
            draw.circle(spot, 2.6 * SMOOTHING, colour, (255, 255, 255), SMOOTHING)


def area(draw: ImageDraw.ImageDraw, box: Box, rng: np.random.Generator) -> None:
    """Three layers, one over the other."""
    left, top, right, bottom = box
    x = np.linspace(left, right, 40)
    layers = np.cumsum(rng.uniform(0.12, 0.28, (3, len(x))), axis=0)
    for layer, colour in list(zip(layers, COLOURS[3:], strict=True))[::-1]:
        y = bottom - layer * (bottom - top)
        edge = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.polygon([(left, bottom), *edge, (right, bottom)], colour)


def _plot_box(size: Size) -> Box:
    return (44, 30, size[0] - 14, size[1] - 34)


def _legend(draw: ImageDraw.ImageDraw, box: Box, dark: bool) -> None:
    left, top = box[0] + 8, box[1] + 6
    ground, ink = ((40, 42, 50), (220, 220, 220)) if dark else ((255, 255, 255), (40, 40, 40))
    draw.rectangle((left, top, left + 62, top + 34), ground, (150, 150, 150))
    for i in range(2):
        draw.line((left + 5, top + 10 + 14 * i, left + 19, top + 10 + 14 * i), COLOURS[i], 2)
        draw.text((left + 24, top + 10 + 14 * i), f"series {i + 1}", ink, font(9), anchor="lm")


def _frame(draw: ImageDraw.ImageDraw, box: Box, title: str, ink: Colour) -> None:
    left, top, right, bottom = box
    draw.text(((left + right) / 2, top / 2), title, ink, font(14), anchor="mm")
    draw.line((left, top, left, bottom, right, bottom), ink)
    for i in range(6):
        y = bottom - i * (bottom - top) / 5
        draw.text((left - 7, y), f"{i * 20:.1f}", ink, font(9), anchor="rm")
        draw.line((left - 4, y, left, y), ink)
    for i, label in enumerate(LABELS):
        x = left + (i + 0.5) * (right - left) / len(LABELS)
        draw.text((x, bottom + 6), label, ink, font(9), anchor="ma")
    draw.text(((left + right) / 2, bottom + 20), "month of 1987", ink, font(10), anchor="ma")


def chart(marks: Marks, size: Size, *, title: str, dark: bool = False) -> Image.Image:
    """RGB: marks with soft edges inside axes with letters."""
    ground, ink, mesh = ((255,) * 3, (30,) * 3, (225,) * 3)
    if dark:
        ground, ink, mesh = (26, 27, 33), (214, 214, 210), (58, 60, 70)
    width, height = size
    box = _plot_box(size)
    large = Image.new("RGB", (SMOOTHING * width, SMOOTHING * height), ground)
    draw = ImageDraw.Draw(large)
    left, top, right, bottom = (SMOOTHING * side for side in box)
    for i in range(1, 6):
        y = bottom - i * (bottom - top) / 5
        draw.line((left, y, right, y), mesh, SMOOTHING)
    marks(draw, (left, top, right, bottom), np.random.default_rng(SEED))
    image = large.resize(size, Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    _frame(draw, box, title, ink)
    _legend(draw, box, dark)
    return image


def pie(size: Size) -> Image.Image:
    """RGB: six slices with shares written on them."""
    width, height = size
    large = Image.new("RGB", (SMOOTHING * width, SMOOTHING * height), "white")
    draw = ImageDraw.Draw(large)
    shares = np.random.default_rng(SEED).dirichlet(np.full(6, 4.0))
    ends = np.cumsum(shares) * 360
    reach, middle = min(size) * 0.42, (width / 2, height / 2)
    corners = (middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach)
    box = tuple(SMOOTHING * corner for corner in corners)
    for share, end, colour in zip(shares, ends, COLOURS, strict=True):
        draw.pieslice(box, end - 360 * share, end, colour, (255, 255, 255), SMOOTHING)
    image = large.resize(size, Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for share, end in zip(shares, ends, strict=True):
        turn = np.deg2rad(end - 180 * share)
        spot = (middle[0] + 0.65 * reach * np.cos(turn), middle[1] + 0.65 * reach * np.sin(turn))
        draw.text(spot, f"{share:.1%}", (255, 255, 255), font(11), anchor="mm")
    return image


def members() -> list[Member]:
    """One of each sort, one of them dark."""
    return [
        Member("lines", "chart", partial(chart, lines, (360, 240), title="Rain, four stations")),
        Member("bars", "chart", partial(chart, bars, (331, 225), title="Visits and returns")),
        Member("scatter", "chart", partial(chart, scatter, (320, 257), title="Petals", dark=True)),
        Member("area", "chart", partial(chart, area, (400, 193), title="What the harbour earned")),
        Member("pie", "chart", partial(pie, (230, 231))),
    ]
