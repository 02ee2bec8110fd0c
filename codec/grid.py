"""The grids of a picture: pixels, latents of 16×16 pixels, cells of 64×64 pixels with one
hyper-latent each."""

PATCH = 16
"""pixels under one latent, along each side"""
HYPER_CELL = 4
"""latents under one hyper-latent, along each side"""
CELL = PATCH * HYPER_CELL
"""pixels under one hyper-latent, along each side"""
MAX_SIDE = 16384
"""largest width or height of a picture or frame, in pixels"""

Place = tuple[slice, slice]
"""rows and columns"""


def cells_of(height: int, width: int) -> tuple[int, int]:
    """Size in pixels → numbers of cells, down and across; partial ones count."""
    return -(-height // CELL), -(-width // CELL)


def patches_of(height: int, width: int) -> tuple[int, int]:
    """Size in pixels → numbers of latents, down and across; partial ones count."""
    return -(-height // PATCH), -(-width // PATCH)
