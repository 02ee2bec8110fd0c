"""Ramps of light and of colour, where banding and drifting show first."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.texture import Field, Size, axes, coloured, picture

DUSK = np.array([[18, 16, 52], [120, 48, 110], [244, 132, 84], [255, 232, 160]]) / 255
SEED = 11


def linear(size: Size) -> Field:
    """(H, W, 3) from dusk to daylight along the diagonal."""
    x, y = axes(size)
    return coloured((x + y) / 2, DUSK)


def radial(size: Size) -> Field:
    """(H, W, 3) of a blue spot that fades to white."""
    x, y = axes(size)
    share = np.clip(np.hypot(x - 0.5, y - 0.5) / 0.7, 0, 1)[..., None]
    return np.asarray(np.array([0.1, 0.35, 0.8]) * (1 - share) + share)


def hues(size: Size) -> Field:
    """(H, W, 3) of every hue from left to right, from white over full colour to black."""
    x, y = axes(size)
    turns = x[..., None] + np.array([0, 2 / 3, 1 / 3])
    full = np.clip(np.abs(np.mod(turns, 1) * 6 - 3) - 1, 0, 1)
    light = np.clip(2 - 2 * y, 0, 1)[..., None]
    white = np.clip(1 - 2 * y, 0, 1)[..., None]
    return np.asarray((full * (1 - white) + white) * light)


def grey(size: Size) -> Field:
    """(H, W) from black at the left to white at the right."""
    return axes(size)[0]


def shallow(size: Size) -> Field:
    """(H, W, 3) of ten levels over the whole height: broad steps, almost too faint to see."""
    y = axes(size)[1]
    return np.asarray(np.array([0.88, 0.9, 0.93]) + y[..., None] * 10 / 255)


def wheel(size: Size) -> Field:
    """(H, W, 3) of hue by angle: a discontinuity nowhere but in the middle."""
    x, y = axes(size)
    angle = np.arctan2(y - 0.5, x - 0.5)[..., None]
    return np.asarray(0.5 + 0.5 * np.cos(angle + np.array([0, 2, 4]) * np.pi / 3))


def drawn(ramp: Callable[[Size], Field], size: Size, noise: float) -> Image.Image:
    """A ramp at 8 bits, with Gaussian noise of a standard deviation in levels of 255."""
    field = ramp(size)
    return picture(field + np.random.default_rng(SEED).normal(0, noise / 255, field.shape))


def members() -> list[Member]:
    """Each ramp without noise, and half of them with some."""
    chosen: list[tuple[Callable[[Size], Field], Size, float]] = [
        (linear, (256, 160), 0), (linear, (255, 191), 1),
        (radial, (200, 200), 0), (radial, (193, 130), 3),
        (hues, (360, 180), 0), (hues, (301, 97), 2), (grey, (256, 64), 0), (grey, (257, 65), 1.5),
        (shallow, (320, 240), 0), (wheel, (225, 225), 0),
    ]  # fmt: skip
    return [
        Member(
            ramp.__name__ + ("-noise" if noise else ""),
            "gradient",
            partial(drawn, ramp, size, noise),
        )
        for ramp, size, noise in chosen
    ]
