"""Half picture, half text: two sorts of statistics with one border between them."""

from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Size, portrait_light, scene
from ncodec.eval.corpora.typeset import INK, PAPER, column_page, fill, font
from ncodec.eval.corpora.words import TITLES, prose

SEED = 91


def beside(size: Size, *, seed: int) -> Image.Image:
    """RGB: a scene in the left half, text in the right one."""
    width, height = size
    image = column_page(size, point=10, columns=2, seed=seed)
    image.paste(Image.fromarray(scene((width // 2, height), seed=seed)), (0, 0))
    return image


def magazine(size: Size, *, seed: int) -> Image.Image:
    """RGB: a title, a scene across the page with a caption, and two columns below."""
    width, height = size
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((16, 10), TITLES[seed % len(TITLES)], (150, 24, 30), font(22))
    middle = height // 2
    image.paste(Image.fromarray(scene((width - 32, middle - 56), seed=seed)), (16, 42))
    draw.text((16, middle - 12), "The valley in March, from the east", (110, 110, 110), font(9))
    for i in range(2):
        left = 16 + i * (width // 2 - 8)
        box = (left, middle + 6, left + width // 2 - 26, height - 8)
        fill(draw, box, prose(12, seed=seed + i), size=10, colour=INK)
    return image


def insets(size: Size, *, seed: int) -> Image.Image:
    """RGB: small pictures at places of no grid, on a page of fine text."""
    image = column_page(size, point=8, columns=1, seed=seed)
    rng = np.random.default_rng(seed)
    for i, (x, y) in enumerate(((0.07, 0.3), (0.6, 0.18), (0.4, 0.66))):
        side = (int(rng.integers(70, 110)), int(rng.integers(50, 80)))
        paint = scene if i % 2 == 0 else portrait_light
        inset = Image.fromarray(paint(side, seed=seed + i))
        image.paste(inset, (round(x * size[0]), round(y * size[1])))
    return image


def members() -> list[Member]:
    """Pictures beside, above and inside text."""
    return [
        Member("beside", "mixed", partial(beside, (400, 256), seed=SEED)),
        Member("magazine", "mixed", partial(magazine, (331, 443), seed=SEED + 1)),
        Member("insets", "mixed", partial(insets, (353, 289), seed=SEED + 2)),
    ]
