"""The order in which blocks are coded: from a coarse lattice to all of them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

COARSEST = 8
"""blocks from one point of the first lattice to the next"""
FINEST, FINE, COARSE = 0, 1, 2
"""levels: blocks that lie between neighbours on two sides; between the corners of a square of
three; the others"""
Points = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Stage:
    """Blocks that are coded together."""

    points: Points
    """(2, n) rows and columns, in raster order"""
    around: Points | None
    """(2, 4, n) the known blocks around each; None in the first lattice"""
    level: int


@lru_cache(maxsize=2)  # tens of megabytes at the largest size
def stages_of(high: int, wide: int) -> tuple[Stage, ...]:
    """Stages in which high × wide blocks are coded: every eighth block each way, then at half the
    distance, until all are.

    Each halving has two stages: middles of squares, with the four corners as known blocks around,
    then middles of sides, with the four nearest. A known block outside the frame is replaced by its
    mirror image or another inside.
    """
    stages = [Stage(_lattice(high, wide, (0, 0), COARSEST), None, COARSE)]
    half = COARSEST // 2
    while half:
        middles = _lattice(high, wide, (half, half), 2 * half)
        sides = np.hstack(
            [_lattice(high, wide, (0, half), 2 * half), _lattice(high, wide, (half, 0), 2 * half)]
        )
        sides = sides[:, np.lexsort((sides[1], sides[0]))]
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        crosswise = [(-half, 0), (half, 0), (0, -half), (0, half)]
        stages.append(
            Stage(middles, _around(middles, corners, high, wide), FINE if half == 1 else COARSE)
        )
        stages.append(
            Stage(sides, _around(sides, crosswise, high, wide), FINEST if half == 1 else COARSE)
        )
        half //= 2
    return tuple(stage for stage in stages if stage.points.shape[1])


def _lattice(high: int, wide: int, first: tuple[int, int], step: int) -> Points:
    rows, columns = np.meshgrid(
        np.arange(first[0], high, step), np.arange(first[1], wide, step), indexing="ij"
    )
    return np.stack([rows.reshape(-1), columns.reshape(-1)])


def _around(points: Points, offsets: list[tuple[int, int]], high: int, wide: int) -> Points:
    """(2, 4, n) neighbours of points.

    A row or a column outside is mirrored; for a neighbour outside even so, the first that is
    inside.
    """
    limits = np.array([high, wide])[:, None, None]
    found = points[:, None] + np.array(offsets).T[:, :, None]
    mirrored = 2 * points[:, None] - found
    found = np.where((found < 0) | (found >= limits), mirrored, found)
    inside = ((found >= 0) & (found < limits)).all(axis=0)  # (4, n)
    first = np.take_along_axis(found, inside.argmax(axis=0)[None, None], axis=1)
    return np.where(inside, found, first)
