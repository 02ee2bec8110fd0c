"""Rate–distortion optimized quantization: the symbols that promise most change by ±1, pass after
pass.

The classic form is rate–distortion optimized quantization; here the slope of errors comes back
through the networks, so that it also knows how every other symbol was rounded.
"""

from collections.abc import Callable
from itertools import count

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, FloatArray, Int16Array, Pixels, RowArray
from ncodec.entropy.copies import find_copies
from ncodec.entropy.latents import Symbols
from ncodec.entropy.tables import RESIDUAL_LIMIT, Tables
from ncodec.grid import CELL, HYPER_CELL, PATCH
from ncodec.image.effort import Search
from ncodec.image.tiles import Tile, tiles
from ncodec.inference.protocol import Backend, InitialSymbols, RdGradient

FIRST_GAIN, SECOND_GAIN = 3.0, 2.0
"""least bits that an update of the first or second half of the latents must promise: neighbouring
updates gain less together, and the means of the second half depend on the first"""


MOST_SEARCHED, SEARCHED_HALO = 5 * 2**18, 128
"""most pixels of an RDOQ tile with its halo, and the halo: RDOQ takes more memory than coding"""

Progress = Callable[[int, int], None]
"""told how many steps of how many are done"""


def no_progress(done: int, steps: int) -> None:
    """Tell nobody."""


def refine(
    pixels: Pixels,
    initial: InitialSymbols,
    tables: Tables,
    backend: Backend,
    search: Search,
    *,
    qp: int,
    error_weights: FloatArray,
    progress: Progress,
) -> Symbols:
    """RDOQ of a picture, (H, W, 3) uint8 with H and W multiples of 16: symbols of lower λ·D + R.

    `initial` has the symbols and y, (C_y, H/16, W/16). ẑ stays; each pass of `search` changes
    values of r by ±1 where that promises enough bits, first in the half that the other half's means
    depend on. `qp` is 0 to 63, `error_weights` a (48, 48) form of `ncodec.image.error_weights`.
    Symbols of exact cells stay 0. `progress` is told the tiles done and their number in all passes.
    Where cells of the initial symbols repeat each other, these are returned if the cost did not
    fall. Raises BackendError where ONNX Runtime fails or has no gradient graph.
    """
    parts = list(tiles(pixels.shape[0], pixels.shape[1], SEARCHED_HALO, most=MOST_SEARCHED))
    steps = count(1)
    # Where places are all alike they all move at once, and what each of them promised is not kept.
    alike = (
        find_copies(initial.symbols.z_hat, initial.symbols.residual, side=HYPER_CELL) is not None
    )
    known, cost = initial, 0.0
    for pass_number in range(search.passes):
        on_first = pass_number < search.first
        least = FIRST_GAIN if on_first else SECOND_GAIN
        # What lies beside a tile is as it was before this pass.
        residual = known.symbols.residual.copy()
        for tile in parts:
            seen, rows = _seen(known, tile, tables, qp=qp)
            found = backend.rd_gradient(
                pixels[tile.seen(1)],
                seen,
                rows > 0,
                qp=qp,
                error_weights=error_weights,
                requantize=pass_number <= search.first,
            )
            if pass_number == 0 and alike:
                cost += _whole_cost(found.cost, seen, rows, tables, tile)
            movable = (rows > 0) & (_first_half(rows.shape) == on_first)
            better = _moved(
                found, rows, movable, tables, least=least, most=search.updates(pass_number)
            )
            residual[:, *tile.outer(PATCH)] = better[:, *tile.inner(PATCH)]
            progress(next(steps), len(parts) * search.passes)
        known = InitialSymbols(
            Symbols(initial.symbols.z_hat, residual, initial.symbols.exact), initial.latent
        )
    if alike:
        cost -= _picture_cost(pixels, known, tables, backend, qp=qp, error_weights=error_weights)
    return initial.symbols if alike and cost <= 0 else known.symbols


def _picture_cost(
    pixels: Pixels,
    known: InitialSymbols,
    tables: Tables,
    backend: Backend,
    *,
    qp: int,
    error_weights: FloatArray,
) -> float:
    """λ·D + R of a picture, in bits, from its tiles."""
    cost = 0.0
    for tile in tiles(pixels.shape[0], pixels.shape[1], SEARCHED_HALO, most=MOST_SEARCHED):
        seen, rows = _seen(known, tile, tables, qp=qp)
        of_errors = backend.cost(
            pixels[tile.seen(1)], seen, rows > 0, qp=qp, error_weights=error_weights
        )
        cost += _whole_cost(of_errors, seen, rows, tables, tile)
    return cost


def _seen(
    initial: InitialSymbols, tile: Tile, tables: Tables, *, qp: int
) -> tuple[InitialSymbols, RowArray]:
    """Symbols and latents in and around a tile, and the tables of its residuals."""
    y = (slice(None), *tile.seen(PATCH))
    latent, z_hat = initial.latent[y], initial.symbols.z_hat[:, *tile.seen(CELL)]
    rows = tables.residual_rows(z_hat, qp=qp, height=latent.shape[1], width=latent.shape[2])
    if initial.symbols.exact is not None:
        exact = (
            initial.symbols.exact[tile.seen(CELL)]
            .repeat(HYPER_CELL, axis=0)
            .repeat(HYPER_CELL, axis=1)
        )
        rows = np.where(exact[: rows.shape[1], : rows.shape[2]], np.uint8(0), rows)
    return InitialSymbols(Symbols(z_hat, initial.symbols.residual[y]), latent), rows


def _whole_cost(
    of_errors: FloatArray, seen: InitialSymbols, rows: RowArray, tables: Tables, tile: Tile
) -> float:
    """λ·D + R of a tile without its halo, in bits."""
    inner = (slice(None), *tile.inner(PATCH))
    bits = tables.prices.of(rows[inner], seen.symbols.residual[inner])
    return float(of_errors[inner[1:]].sum(dtype=np.float64) + bits.sum(dtype=np.float64))


def _first_half(shape: tuple[int, ...]) -> BoolArray:
    """First half of the latents, (C_y, h, w): a checkerboard in row, column and channel."""
    channels, rows, columns = np.ogrid[tuple(slice(side) for side in shape)]
    first: BoolArray = (rows + columns) % 2 == channels % 2
    return first


def _moved(
    found: RdGradient,
    rows: RowArray,
    movable: BoolArray,
    tables: Tables,
    *,
    least: float,
    most: int,
) -> Int16Array:
    """Residuals after the best ±1 updates where `movable`: those of at least `least` bits, `most`
    at a place."""
    residual = found.residual.copy()
    places = np.flatnonzero(movable)
    values, row = residual.reshape(-1)[places].astype(np.intp), rows.reshape(-1)[places]
    gradient = found.gradient.reshape(-1)[places]
    bend = found.curvature[places // (residual.shape[1] * residual.shape[2])] / 2
    now = tables.prices.of(row, values)
    up, down = (gradient * step + bend + tables.prices.of(row, values + step) for step in (1, -1))
    saved = now - np.minimum(up, down)
    chosen = _best(places, saved, residual.shape, least=least, most=most)
    moved = values[chosen] + np.where(up < down, 1, -1)[chosen]
    residual.reshape(-1)[places[chosen]] = np.clip(moved, -RESIDUAL_LIMIT, RESIDUAL_LIMIT)
    return residual


def _best(
    places: npt.NDArray[np.intp],
    saved: FloatArray,
    shape: tuple[int, ...],
    *,
    least: float,
    most: int,
) -> npt.NDArray[np.intp]:
    """Indices of the flat `places` that save more than `least` and rank among the `most` best over
    their (row, column)."""
    enough = np.flatnonzero(saved > least)
    area = shape[1] * shape[2]
    order = enough[np.lexsort((-saved[enough], places[enough] % area))]
    columns = places[order] % area
    starts = np.flatnonzero(np.append(True, columns[1:] != columns[:-1]))
    ranks = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return order[ranks < most]
