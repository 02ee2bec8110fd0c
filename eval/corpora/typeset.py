"""Text in lines and columns, and the pages that are made of it."""

from functools import lru_cache, partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.texture import Size, clouds, coloured, picture, scene
from ncodec.eval.corpora.words import SENTENCES, TITLES, prose

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Box = tuple[int, int, int, int]
"""left, top, right and bottom in pixels"""
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
INK: Colour = (28, 28, 34)
PALE: Colour = (214, 218, 222)
PAPER: Colour = (252, 251, 247)
LEADING = 1.35
"""distance of lines over the size of the font"""
MARBLE = np.array([[0.12, 0.2, 0.24], [0.36, 0.5, 0.5], [0.82, 0.84, 0.76]])


@lru_cache(maxsize=64)
def font(size: float) -> Font:
    """Pillow's own font, the same on every machine; size in pixels."""
    return ImageFont.load_default(size=size)


def wrapped(text: str, *, size: float, width: int) -> list[str]:
    """Lines of at most `width` pixels."""
    face, lines = font(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if face.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def fill(draw: ImageDraw.ImageDraw, box: Box, text: str, *, size: float, colour: Colour) -> int:
    """Set as much of a text as a box takes; returns the row below its last line."""
    left, top, right, bottom = box
    step = round(size * LEADING)
    for line in wrapped(text, size=size, width=right - left):
        if top + step > bottom:
            break
        draw.text((left, top), line, colour, font(size))
        top += step
    return top


def column_page(
    size: Size, *, point: float, columns: int, seed: int, ink: Colour = INK, paper: Colour = PAPER
) -> Image.Image:
    """RGB page with a title, a rule and columns of text in letters of `point` pixels."""
    width, height = size
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    margin = width // 20
    draw.text((margin, margin), TITLES[seed % len(TITLES)], ink, font(2 * point))
    top = margin + round(3 * point)
    draw.line((margin, top, width - margin, top), ink)
    gap = round(1.5 * point)
    each = (width - 2 * margin - gap * (columns - 1)) // columns
    for i in range(columns):
        left = margin + i * (each + gap)
        below, number = top + gap // 2, 0
        while below < height - margin - 2 * point:
            text = prose(4 + (seed + number) % 4, seed=100 * seed + 10 * i + number)
            box = (left, below, left + each, height - margin)
            below = fill(draw, box, text, size=point, colour=ink) + round(point / 2)
            number += 1
    return image


def sizes_sheet(size: Size) -> Image.Image:
    """RGB: sentences in letters from 6 to 40 pixels, dark on light and light on dark."""
    width, height = size
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 2, 0, width, height), (24, 26, 36))
    for left, colour in ((6, INK), (width // 2 + 6, (226, 226, 214))):
        top, point = 4, 6.0
        for sentence in SENTENCES:
            if top > height:
                break
            line = wrapped(sentence, size=point, width=width // 2 - 10)[0]
            draw.text((left, top), line, colour, font(point))
            top, point = top + round(LEADING * point), min(40, point * 1.13)
    return image


def over_scene(size: Size, *, seed: int) -> Image.Image:
    """RGB: a headline and a caption over a sky and hills, with a shade behind the caption."""
    width, height = size
    image = Image.fromarray(scene(size, seed=seed))
    shade = Image.new("RGBA", size)
    draw = ImageDraw.Draw(shade)
    draw.rounded_rectangle((10, height * 2 // 3, width - 10, height - 10), 8, (0, 0, 0, 140))
    image.paste(shade, (0, 0), shade)
    draw = ImageDraw.Draw(image)
    white, dark = (255, 255, 255), (20, 20, 30)
    title = TITLES[seed % len(TITLES)]
    draw.text((16, 12), title, white, font(24), stroke_width=1, stroke_fill=dark)
    box = (20, height * 2 // 3 + 6, width - 20, height - 12)
    fill(draw, box, prose(6, seed=seed), size=11, colour=white)
    return image


def over_texture(size: Size, *, seed: int) -> Image.Image:
    """RGB: coloured text in five sizes straight on rough marble."""
    image = picture(coloured(clouds(size, seed=seed, decay=0.75), MARBLE))
    draw = ImageDraw.Draw(image)
    top = 6
    colours = ((255, 240, 120), (10, 10, 10), (255, 255, 255), (190, 20, 30), (20, 40, 150))
    for point, colour in zip((9, 11, 14, 18, 30), colours, strict=True):
        box = (8, top, size[0] - 8, min(size[1], top + round(3 * LEADING * point)))
        top = fill(draw, box, prose(3, seed=seed + point), size=point, colour=colour) + 4
    return image


def members() -> list[Member]:
    """Pages and lines of text, on paper and over pictures."""
    return [
        Member("page", "text", partial(column_page, (420, 594), point=10, columns=2, seed=3)),
        Member("page-fine", "text", partial(column_page, (700, 500), point=8, columns=3, seed=5)),
        Member("page-dark", "text", partial(
            column_page, (383, 257), point=12, columns=1, seed=6, ink=PALE, paper=(24, 26, 32))),
        Member("page-two-levels", "onebit", partial(_two_levels, (330, 271))),
        Member("sizes", "text", partial(sizes_sheet, (400, 330))),
        Member("over-scene", "overlay", partial(over_scene, (384, 256), seed=4)),
        Member("over-texture", "overlay", partial(over_texture, (353, 287), seed=9)),
    ]  # fmt: skip


def _two_levels(size: Size) -> Image.Image:
    page = column_page(size, point=13, columns=1, seed=7, ink=BLACK, paper=WHITE)
    return page.convert("1", dither=Image.Dither.NONE)
