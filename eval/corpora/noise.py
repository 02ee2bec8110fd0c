"""Noise: what no predictor knows and every bit of a file must pay for."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from ncodec.arrays import Pixels
from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Size, axes, coloured, rounded

SEED = 21
SPECKS = 0.06
"""share of pixels that salt and pepper replace"""
PLASMA = np.array([[0.05, 0.1, 0.3], [0.2, 0.6, 0.7], [0.95, 0.95, 0.85]])

Draw = Callable[[np.random.Generator, Size], Pixels]


def black_and_white(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W) of 0 and 255, each as likely."""
    return rng.integers(0, 2, size[::-1], np.uint8) * np.uint8(255)


def grey_uniform(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W) of every level, each as likely."""
    return rng.integers(0, 256, size[::-1], np.uint8)


def rgb_uniform(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W, 3) of independent channels."""
    return rng.integers(0, 256, (*size[::-1], 3), np.uint8)


def gaussian(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W, 3) around a middle grey, 20 levels of standard deviation."""
    return rounded(rng.normal(0.5, 20 / 255, (*size[::-1], 3)))


def salt_and_pepper(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W, 3) of a smooth picture with black and white specks."""
    x, y = axes(size)
    pixels = rounded(coloured((x * 0.7 + 0.3 * np.sin(4 * y)), PLASMA))
    chance = rng.random(size[::-1])
    pixels[chance < SPECKS / 2] = 0
    pixels[chance > 1 - SPECKS / 2] = 255
    return pixels


def dark_sensor(rng: np.random.Generator, size: Size) -> Pixels:
    """(H, W, 3) of a few photons a pixel: noise that grows with the light, clipped at black."""
    x, _ = axes(size)
    return rounded(rng.poisson(np.repeat(x[..., None] * 12 + 0.2, 3, axis=-1)) / 40)


def drawn(draw: Draw, size: Size) -> Image.Image:
    """Grey or RGB, from a generator of its own."""
    return Image.fromarray(draw(np.random.default_rng(SEED), size))


def members() -> list[Member]:
    """One of each, of sizes that are quick although they cost the most bits."""
    chosen: list[tuple[Draw, Size]] = [
        (black_and_white, (96, 96)), (grey_uniform, (121, 90)), (rgb_uniform, (128, 101)),
        (gaussian, (150, 99)), (salt_and_pepper, (200, 133)), (dark_sensor, (161, 113)),
    ]  # fmt: skip
    names = [draw.__name__.replace("_", "-") for draw, _ in chosen]
    makers = [partial(drawn, draw, size) for draw, size in chosen]
    return [Member(name, "noise", make) for name, make in zip(names, makers, strict=True)]
