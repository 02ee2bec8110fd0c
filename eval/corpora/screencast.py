"""A screen recording: what a codec of clips meets when nothing was filmed."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ncodec.arrays import Pixels
from ncodec.eval.corpora.plain import Colour
from ncodec.eval.corpora.syntax import spans
from ncodec.eval.corpora.texture import Size, axes, clouds, coloured, picture
from ncodec.eval.corpora.tools import CODE
from ncodec.eval.corpora.typeset import column_page, font

SIZE: Size = (800, 500)
SECONDS = 10.0
FPS = 15
WALL = np.array([[0.09, 0.13, 0.33], [0.45, 0.22, 0.5], [0.95, 0.6, 0.45]])
TOKENS: dict[str, Colour] = {
    "": (212, 212, 212), "k": (197, 134, 192), "s": (206, 145, 120), "c": (106, 153, 85),
    "n": (181, 206, 168), "f": (220, 220, 170),
}  # fmt: skip
BLINK_S = 0.5
"""seconds that the cursor is shown, and then hidden"""
KEYS_A_SECOND = 18.0
BAR = 24
"""rows of a window's title"""

Draw = Callable[[Size, float, float], Image.Image]
"""size, seconds since its scene began, seconds the scene takes → RGB"""


@lru_cache(maxsize=2)
def _paper(size: Size) -> Image.Image:
    return column_page((size[0], 3 * size[1]), point=13, columns=2, seed=3)


def _chrome(size: Size, title: str, ground: Colour) -> Image.Image:
    """A window: a title with three buttons, and a ground."""
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], BAR), (58, 61, 70))
    for i, colour in enumerate(((255, 95, 87), (254, 188, 46), (40, 200, 64))):
        draw.circle((14 + 18 * i, BAR / 2), 5, colour)
    draw.text((size[0] / 2, BAR / 2), title, (220, 220, 224), font(11), anchor="mm")
    return image


def _eased(share: float) -> float:
    return share * share * (3 - 2 * share)


def scrolling(size: Size, now: float, length: float) -> Image.Image:
    """An article under a fixed bar: rests, moves by thirds of a page, rests again."""
    jumps = 3 * now / length
    done, share = divmod(jumps, 1)
    place = (done + _eased(min(1, share / 0.7))) / 3
    top = round(place * 2 * size[1])
    image = _chrome(size, "The Quay Review", (255, 255, 255))
    height = size[1] - BAR
    image.paste(_paper(size).crop((0, top, size[0], top + height)), (0, BAR))
    draw = ImageDraw.Draw(image)
    handle = BAR + 4 + round(place * (height * 2 / 3 - 8))
    box = (size[0] - 9, handle, size[0] - 3, handle + height // 3)
    draw.rounded_rectangle(box, 3, (150, 150, 158))
    return image


def typing(size: Size, now: float, length: float) -> Image.Image:
    """Code that appears letter by letter, and a cursor that blinks once it rests."""
    image = _chrome(size, "levels.py", (30, 30, 30))
    draw = ImageDraw.Draw(image)
    # The last quarter only blinks.
    count = int(min(now, 0.75 * length) * KEYS_A_SECOND)
    start = len(CODE) // 3
    x, y = 52.0, float(BAR + 8)
    for sort, text in spans(CODE[: start + count]):
        for i, part in enumerate(text.split("\n")):
            if i:
                x, y = 52.0, y + 16
            draw.text((x, y), part, TOKENS[sort], font(12))
            x += font(12).getlength(part)
    for row in range(int((size[1] - BAR - 8) / 16)):
        number = f"{row + 1}"
        draw.text((38, BAR + 8 + 16 * row), number, (110, 110, 110), font(11), anchor="ra")
    if now % (2 * BLINK_S) < BLINK_S:
        draw.rectangle((x + 1, y, x + 2, y + 14), (240, 240, 240))
    return image


@lru_cache(maxsize=2)
def _desktop(size: Size) -> Image.Image:
    x, y = axes(size)
    image = picture(coloured(0.25 * clouds(size, seed=5, decay=0.3) + 0.75 * (x + y) / 2, WALL))
    draw = ImageDraw.Draw(image)
    for i, name in enumerate(("Letters", "Maps", "Scans", "Waste")):
        top = 22 + 84 * i
        draw.rounded_rectangle((24, top, 68, top + 40), 8, (120 + 30 * i, 180, 230 - 30 * i))
        draw.text((46, top + 46), name, (255, 255, 255), font(11), anchor="ma")
    return image


@lru_cache(maxsize=2)
def _window(size: Size) -> tuple[Image.Image, Image.Image]:
    """A small window, and the shadow it throws as alpha 40 pixels wider and higher."""
    width, height = size[0] // 2, size[1] // 2
    window = _chrome((width, height), "notes.txt", (252, 252, 250))
    window.paste(column_page((width, height - BAR), point=11, columns=1, seed=6), (0, BAR))
    shadow = Image.new("L", (width + 40, height + 40))
    shadow.paste(110, (20, 20, width + 20, height + 20))
    return window, shadow.filter(ImageFilter.GaussianBlur(8))


def moving(size: Size, now: float, length: float) -> Image.Image:
    """A window with a shadow, drawn over the desktop along a loop, and the arrow that holds it."""
    image = _desktop(size).copy()
    window, shadow = _window(size)
    turn = 2 * np.pi * _eased(min(1, now / (0.9 * length)))
    left = round(size[0] * (0.3 + 0.16 * np.sin(turn)))
    top = round(size[1] * (0.24 + 0.18 * (1 - np.cos(turn))) / 1.2)
    image.paste((0, 0, 0), (left - 20, top - 12), shadow)
    image.paste(window, (left, top))
    tip = (left + window.width // 3, top + BAR // 2)
    arrow = [(0, 0), (0, 16), (4, 12), (7, 18), (9, 17), (6, 11), (11, 11)]
    shape = [(tip[0] + x, tip[1] + y) for x, y in arrow]
    ImageDraw.Draw(image).polygon(shape, (0, 0, 0), (255, 255, 255))
    return image


SCENES: tuple[Draw, ...] = (scrolling, typing, moving)


def recording(*, size: Size = SIZE, seconds: float = SECONDS, fps: float = FPS) -> Iterator[Pixels]:
    """(H, W, 3) frames of an article, an editor and a desktop, a third of the time each.

    One scrolls, one is typed in, and a window moves on the last; between them the whole screen
    changes. `size` is width and height, 640×400 to 960×600.
    """
    length = seconds / len(SCENES)
    for i in range(round(seconds * fps)):
        scene, now = divmod(i / fps, length)
        yield np.array(SCENES[min(int(scene), len(SCENES) - 1)](size, now, length))
