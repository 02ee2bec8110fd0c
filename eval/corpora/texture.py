"""Smooth and fractal fields: what stands in for photographs."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from ncodec.arrays import Pixels

Field = npt.NDArray[np.float64]
"""(H, W) or (H, W, 3), 0 to 1 where nothing else is said"""
Size = tuple[int, int]
"""width and height in pixels, in Pillow's order"""
COARSEST = 3
"""cells along the shorter side of the first octave"""
SKY = np.array([[34, 58, 96], [92, 138, 186], [222, 206, 178], [250, 238, 214]]) / 255
EARTH = np.array([[28, 34, 20], [84, 92, 44], [150, 122, 78], [214, 190, 150]]) / 255
FLESH = np.array([[60, 24, 30], [158, 74, 62], [224, 160, 130], [250, 224, 206]]) / 255


def rounded(field: Field) -> Pixels:
    """Values of 0 to 1 → uint8, values beyond clipped."""
    return np.asarray(np.clip(field, 0, 1) * 255 + 0.5).astype(np.uint8)


def picture(field: Field) -> Image.Image:
    """(H, W) as grey, (H, W, 3) as RGB; values of 0 to 1."""
    return Image.fromarray(rounded(field))


def axes(size: Size) -> tuple[Field, Field]:
    """Column and row of every pixel, each (H, W), from 0 at the first to 1 at the last."""
    width, height = size
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)
    return np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))


def _octave(size: Size, cells: int, rng: np.random.Generator) -> Field:
    width, height = size
    shorter = min(size)
    rows, columns = (max(2, round(cells * side / shorter)) for side in (height, width))
    grid = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
    return np.asarray(grid.resize(size, Image.Resampling.BICUBIC), np.float64)


def clouds(size: Size, *, seed: int, decay: float = 0.5) -> Field:
    """(H, W) fractal noise that fills 0 to 1; `decay` is each octave's share of the one before."""
    rng = np.random.default_rng(seed)
    total = np.zeros(size[::-1])
    cells, weight = COARSEST, 1.0
    while cells <= max(COARSEST, min(size) // 2):
        total += weight * _octave(size, cells, rng)
        cells, weight = 2 * cells, weight * decay
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, 1e-9))


def coloured(field: Field, ramp: Field) -> Field:
    """(H, W) levels → (H, W, 3) through a ramp (N, 3) of colours at equal distances."""
    places = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(field, places, ramp[:, c]) for c in range(3)], axis=-1)


def scene(size: Size, *, seed: int, grain: float = 0.012) -> Pixels:
    """(H, W, 3) of a sky over hills, with the noise of a sensor: statistics near a photograph's."""
    x, y = axes(size)
    sky = coloured(0.65 * clouds(size, seed=seed) + 0.35 * y, SKY)
    ground = clouds(size, seed=seed + 1, decay=0.62)
    relief = np.gradient(ground, axis=1) if size[0] > 1 else np.zeros_like(ground)
    land = coloured(np.clip(ground + 6 * relief, 0, 1), EARTH)
    line = 0.58 + 0.12 * np.sin(5 * x + seed) + 0.05 * np.sin(13 * x + 2 * seed)
    # Two pixels wide, as a lens would leave it.
    share = np.clip((y - line) * size[1] / 2 + 0.5, 0, 1)[..., None]
    noise = np.random.default_rng(seed + 2).normal(0, grain, (size[1], size[0], 3))
    return rounded(sky * (1 - share) + land * share + noise)


def portrait_light(size: Size, *, seed: int) -> Pixels:
    """(H, W, 3) soft light on a rounded, warm surface: almost no detail."""
    x, y = axes(size)
    light = 1 - np.hypot(x - 0.4, y - 0.35)
    return rounded(coloured(0.8 * light + 0.2 * clouds(size, seed=seed, decay=0.3), FLESH))
