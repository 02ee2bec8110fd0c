"""Bars, boards and stripes: the highest frequencies, exactly on the grid and beside it."""

from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.texture import Size, axes, picture

Fields = npt.NDArray[np.int64]
Pair = tuple[Colour, Colour]

BARS: tuple[Colour, ...] = (
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0),
    (0, 0, 191),
)  # fmt: skip
PAIRS: tuple[Pair, ...] = (
    ((0, 0, 0), (255, 255, 255)),
    ((255, 255, 255), (208, 30, 40)),
    ((20, 40, 120), (240, 200, 60)),
    ((120, 120, 120), (136, 136, 136)),
    ((0, 128, 0), (200, 0, 200)),
)
PITCHES = (1, 2, 4, 8, 16)
"""pixels a field or a stripe is wide"""


def bars(size: Size) -> Image.Image:
    """RGB: seven colours over reversed ones over a grey ramp, as television tests itself."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    width, height = size
    edges = [round(width * i / len(BARS)) for i in range(len(BARS) + 1)]
    for i, colour in enumerate(BARS):
        draw.rectangle((edges[i], 0, edges[i + 1] - 1, height * 2 // 3), colour)
        under = BARS[-1 - i] if i % 2 == 0 else (19, 19, 19)
        draw.rectangle((edges[i], height * 2 // 3, edges[i + 1] - 1, height * 3 // 4), under)
    for x in range(width):
        level = 255 * x // max(1, width - 1)
        draw.line((x, height * 3 // 4 + 1, x, height), (level, level, level))
    return image


def _two_colours(fields: Fields, pair: Pair) -> Image.Image:
    return Image.fromarray(np.array(pair, np.uint8)[fields % 2])


def checkerboard(size: Size, *, pitch: int, pair: Pair) -> Image.Image:
    """RGB of square fields in two colours."""
    y, x = np.indices(size[::-1])
    return _two_colours(x // pitch + y // pitch, pair)


def stripes(size: Size, *, pitch: int, pair: Pair, upright: bool) -> Image.Image:
    """RGB of stripes in two colours, upright or lying."""
    y, x = np.indices(size[::-1])
    return _two_colours((x if upright else y) // pitch, pair)


def zone_plate(size: Size) -> Image.Image:
    """Grey: rings whose frequency grows to the limit of the grid at the edges."""
    x, y = axes(size)
    squared = ((x - 0.5) * size[0]) ** 2 + ((y - 0.5) * size[1]) ** 2
    return picture(0.5 + 0.5 * np.cos(np.pi * squared / max(size)))


def members() -> list[Member]:
    """Bars, boards and stripes of every pitch, and a zone plate."""
    chosen = [
        Member("colour-bars", "bars", partial(bars, (322, 181))),
        Member("zone-plate", "stripes", partial(zone_plate, (241, 241))),
    ]
    for i, (pitch, pair) in enumerate(zip(PITCHES, PAIRS, strict=True)):
        upright, side = bool(i % 2), 96 + 17 * i
        board = partial(checkerboard, (side, side - 9), pitch=pitch, pair=pair)
        rows = partial(
            stripes, (side + 5, side + 30), pitch=pitch, pair=PAIRS[-1 - i], upright=upright
        )  # fmt: skip
        chosen.append(Member(f"fields-of-{pitch}", "checkerboard", board))
        chosen.append(Member(f"{'upright' if upright else 'lying'}-{pitch}", "stripes", rows))
    return chosen
