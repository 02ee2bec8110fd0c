"""Icons with alpha and colours in hidden pixels."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ncodec.arrays import Pixels
from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import axes, coloured, picture

SEED = 71
SMOOTHING = 4
"""shapes are drawn this many times as large, for soft edges"""
BUTTON = np.array([[0.45, 0.72, 1.0], [0.12, 0.4, 0.9], [0.05, 0.2, 0.62]])

Shape = Callable[[ImageDraw.ImageDraw, float], None]
"""draws in white on black, on a square whose side it is told"""
Mask = Callable[[int], Pixels]
"""side in pixels → (side, side) alpha"""


def gear(draw: ImageDraw.ImageDraw, side: float) -> None:
    """A wheel with eight teeth and a hole."""
    middle = side / 2
    for i in range(8):
        angle = np.pi * i / 4
        tip = (middle + 0.46 * side * np.cos(angle), middle + 0.46 * side * np.sin(angle))
        draw.line((middle, middle, *map(float, tip)), 255, round(side * 0.16))
    draw.circle((middle, middle), side * 0.35, 255)
    draw.circle((middle, middle), side * 0.15, 0)


def heart(draw: ImageDraw.ImageDraw, side: float) -> None:
    """Two circles over a triangle."""
    for x in (0.3, 0.7):
        draw.circle((x * side, 0.34 * side), 0.22 * side, 255)
    corners = ((0.1, 0.43), (0.9, 0.43), (0.5, 0.93))
    draw.polygon([(x * side, y * side) for x, y in corners], 255)


def tile(draw: ImageDraw.ImageDraw, side: float) -> None:
    """A rounded square with a sign cut out of it."""
    draw.rounded_rectangle((0.06 * side, 0.06 * side, 0.94 * side, 0.94 * side), 0.2 * side, 255)
    corners = ((0.38, 0.26), (0.38, 0.74), (0.76, 0.5))
    draw.polygon([(x * side, y * side) for x, y in corners], 0)


def soft(shape: Shape, side: int) -> Pixels:
    """(side, side) alpha with soft edges."""
    large = Image.new("L", (SMOOTHING * side, SMOOTHING * side))
    shape(ImageDraw.Draw(large), SMOOTHING * side)
    return np.asarray(large.resize((side, side), Image.Resampling.BOX))


def hard(shape: Shape, side: int) -> Pixels:
    """(side, side) alpha of 0 and 255."""
    return np.where(soft(shape, side) > 127, 255, 0).astype(np.uint8)


def shadowed(shape: Shape, side: int) -> Pixels:
    """(side, side) alpha with a faint halo around the shape."""
    alpha = soft(shape, side)
    halo = Image.fromarray(alpha).filter(ImageFilter.GaussianBlur(side / 32))
    return np.asarray(np.maximum(alpha, np.asarray(halo) // 2))


def icon(mask: Mask, side: int) -> Image.Image:
    """RGBA: a shaded shape; where alpha is 0, every colour is random."""
    alpha = mask(side)
    x, y = axes((side, side))
    pixels = np.array(picture(coloured(0.25 * x + 0.75 * y, BUTTON)))
    hidden = alpha == 0
    pixels[hidden] = np.random.default_rng(SEED).integers(0, 256, (int(hidden.sum()), 3), np.uint8)
    return Image.fromarray(np.dstack([pixels, alpha]))


def fading(side: int) -> Image.Image:
    """RGBA: every level of alpha, from none at the left to all at the right, over stripes."""
    x, _ = axes((side, side // 2))
    y = np.indices(x.shape)[0]
    rgb = np.where((y // 6 % 2 == 0)[..., None], (230, 90, 20), (20, 90, 200))
    return Image.fromarray(np.dstack([rgb, np.round(x * 255)]).astype(np.uint8))


def members() -> list[Member]:
    """Icons from 16 to 192 pixels, with soft, hard and shadowed edges."""
    return [
        Member("gear-16", "icon", partial(icon, partial(hard, gear), 16)),
        Member("gear-48", "icon", partial(icon, partial(soft, gear), 48)),
        Member("heart-97", "icon", partial(icon, partial(soft, heart), 97)),
        Member("tile-192", "icon", partial(icon, partial(shadowed, tile), 192)),
        Member("fading", "icon", partial(fading, 255)),
    ]
