"""Pictures of one colour, of sizes down to a single pixel."""

from functools import partial

import numpy as np
from PIL import Image

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Size

Colour = tuple[int, int, int]
"""red, green and blue, 0 to 255"""
COLOURS: dict[str, Colour] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "nearly-black": (1, 2, 1),
    "nearly-white": (254, 254, 253),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "magenta": (255, 0, 255),
    "navy": (12, 20, 68),
    "cream": (250, 244, 226),
    "teal": (17, 133, 121),
}
SIZES: tuple[Size, ...] = (
    (1, 1), (2, 1), (1, 3), (7, 5), (1, 97), (131, 1), (16, 16), (15, 17), (63, 64), (64, 64),
    (65, 63), (100, 100), (127, 33), (128, 192), (190, 129), (255, 257), (320, 200), (401, 31),
)  # fmt: skip
COUNT = 24
SEED = 1


def plain(colour: Colour, size: Size) -> Image.Image:
    """RGB of one colour."""
    return Image.new("RGB", size, colour)


def members() -> list[Member]:
    """Every size once and the larger ones again, each colour twice, mixed by a seed."""
    rng = np.random.default_rng(SEED)
    colours = [*rng.permutation(list(COLOURS)), *rng.permutation(list(COLOURS))]
    sizes = [*SIZES, *SIZES[len(SIZES) - COUNT :]]
    return [
        Member(f"{name}-{width}x{height}", "plain", partial(plain, COLOURS[name], (width, height)))
        for name, (width, height) in zip(colours, sizes, strict=True)
    ]
