"""Dithered pictures: few colours, and noise or patterns in place of the rest."""

from functools import partial

import numpy as np
from PIL import Image

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Field, Size, clouds, picture, portrait_light, scene

SEED = 31
ORDER = 3
"""doublings of the threshold matrix: 8×8"""


def _bayer() -> Field:
    matrix = np.zeros((1, 1))
    for _ in range(ORDER):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return (matrix + 0.5) / matrix.size


def ordered(size: Size) -> Image.Image:
    """Grey of black and white, by a repeated matrix of thresholds."""
    width, height = size
    tiled = np.tile(_bayer(), (height // 8 + 1, width // 8 + 1))[:height, :width]
    return picture((clouds(size, seed=SEED) > tiled).astype(np.float64))


def diffused(size: Size) -> Image.Image:
    """Mode 1: errors carried on to neighbours, as Floyd and Steinberg do."""
    return Image.fromarray(scene(size, seed=SEED)).convert("1")


def random_threshold(size: Size) -> Image.Image:
    """Grey of black and white, each pixel against a threshold of its own."""
    thresholds = np.random.default_rng(SEED).random(size[::-1])
    return picture((clouds(size, seed=SEED) > thresholds).astype(np.float64))


def few_colours(size: Size) -> Image.Image:
    """RGB of the 216 colours of old screens, diffused."""
    image = Image.fromarray(portrait_light(size, seed=SEED))
    diffuse = Image.Dither.FLOYDSTEINBERG
    return image.convert("P", dither=diffuse, palette=Image.Palette.WEB).convert("RGB")


def adapted(size: Size, *, colours: int) -> Image.Image:
    """Mode P: a palette of the picture's own, without dithering."""
    return Image.fromarray(scene(size, seed=SEED + 3)).quantize(colours, dither=Image.Dither.NONE)


def thresholded(size: Size) -> Image.Image:
    """Mode 1: black and white areas with ragged edges."""
    return picture(clouds(size, seed=SEED + 5)).point(lambda level: 255 * (level > 128), "1")


def members() -> list[Member]:
    """Dithers of one picture and more, palettes, and 1-bit pictures."""
    return [
        Member("ordered", "dither", partial(ordered, (200, 136))),
        Member("diffused", "dither", partial(diffused, (257, 170))),
        Member("random-threshold", "dither", partial(random_threshold, (160, 113))),
        Member("few-colours", "dither", partial(few_colours, (222, 222))),
        Member("of-16", "palette", partial(adapted, (240, 159), colours=16)),
        Member("of-200", "palette", partial(adapted, (193, 241), colours=200)),
        Member("areas", "onebit", partial(thresholded, (301, 203))),
    ]
