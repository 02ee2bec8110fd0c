"""Rounding that hardly depends on the machine: no value of a reference frame lies where arithmetic
errors decide.

Networks in float32 differ in the last bits between machines, libraries and thread counts. Rounded
to 8 bits, that is a level in a pixel or two of a frame, which later frames inherit and multiply. So
an encoder shifts each cell of a frame, by less than a thirtieth of a level, to where none of its
values is closer to a half than the errors are large.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.arrays import Pixels, Samples
from ncodec.entropy.ans import Group, Unpacker
from ncodec.entropy.tables import Tables
from ncodec.errors import FormatError
from ncodec.grid import CELL, cells_of

Offsets = npt.NDArray[np.int16]

MAX_OFFSET = 127
"""steps either way"""
_NEAREST_FIRST = np.array([0, *(sign * n for n in range(1, MAX_OFFSET + 1) for sign in (-1, 1))])


@dataclass(frozen=True)
class Rounding:
    """Unit of rounding offsets of a frame type, in 8-bit levels, and the allowance for arithmetic
    errors."""

    step: float
    """a power of two, so that its multiples are exact"""
    error: float
    """least difference of a value between machines; measured between two libraries on two CPUs"""
    growth: float
    """by how much more for each level of their size"""
    spread: float
    """by how much more for each level of the mean size in their cell, whose features they are made
    of"""
    centre: float
    """value from which magnitudes are measured"""
    row: int
    """table of the shifts"""


INTRA_ROUNDING = Rounding(step=2**-12, error=120e-6, growth=0.8e-6, spread=0, centre=127.5, row=47)
PREDICTED_ROUNDING = Rounding(step=2**-13, error=110e-6, growth=1e-6, spread=1e-6, centre=0, row=37)
_REACH = 2
"""steps on either side of the nearest that one value can refuse"""
_SPARSE = 4
"""one value in so many along each side is sampled for the mean of a cell"""


def choose_offsets(
    samples: Samples, rounding: Rounding, *, predicted: Pixels | None = None
) -> Offsets:
    """Rounding offset of each cell, (⌈H/64⌉, ⌈W/64⌉) int16: −127 to 127, in units of
    `rounding.step` levels.

    It is the one of least magnitude that keeps each sample farther from a half than its error
    allowance, else the one that comes nearest to that. `samples`, (H, W, 3) in 8-bit levels, are of
    the frame, or with `predicted`, of that shape in uint8, of the frame less it. Samples that are
    clipped to 0 or 255 either way do not count.
    """
    height, width, channels = samples.shape
    apart = np.rint(samples)
    np.subtract(samples, apart, out=apart)
    np.abs(apart, out=apart)
    places = np.flatnonzero(apart > 0.5 - (MAX_OFFSET + _REACH + 1) * rounding.step)
    near = samples.reshape(-1)[places]
    lower = np.floor(near)
    # Between black and white alone: what is clipped is the same on either side of a half.
    below = lower + (0 if predicted is None else predicted.reshape(-1)[places])
    counts = (below >= 0) & (below < 255)
    places, near, lower = places[counts], near[counts], lower[counts]
    rows, columns = np.divmod(places // channels, width)
    rows, columns = rows // CELL, columns // CELL
    error = rounding.error + rounding.growth * np.abs(near - rounding.centre)
    if rounding.spread:
        error += rounding.spread * _mean_sizes(samples, rounding)[rows, columns]
    to_half = (lower + np.float32(0.5) - near).astype(np.float64)
    nearest = np.rint(to_half / rounding.step).astype(np.intp)
    margins = np.zeros((*cells_of(height, width), 2 * MAX_OFFSET + 1))
    for further in range(-_REACH, _REACH + 1):
        steps = nearest + further
        margin = np.abs(to_half - steps * rounding.step) - error
        bad = np.flatnonzero((margin < 0) & (np.abs(steps) <= MAX_OFFSET))
        np.minimum.at(margins, (rows[bad], columns[bad], steps[bad] + MAX_OFFSET), margin[bad])
    ordered = margins[:, :, _NEAREST_FIRST + MAX_OFFSET]
    offsets: Offsets = _NEAREST_FIRST[ordered.argmax(axis=2)].astype(
        np.int16
    )  # the first of those that are clear
    return offsets


def _mean_sizes(samples: Samples, rounding: Rounding) -> npt.NDArray[np.float64]:
    """(cells high, cells wide) about how large values are."""
    sizes = np.abs(samples[::_SPARSE, ::_SPARSE] - np.float32(rounding.centre)).mean(
        axis=2, dtype=np.float64
    )
    step = CELL // _SPARSE
    total, count = sizes, np.ones_like(sizes)
    for axis in (0, 1):
        starts = np.arange(0, sizes.shape[axis], step)
        total, count = (np.add.reduceat(values, starts, axis=axis) for values in (total, count))
    means: npt.NDArray[np.float64] = total / count
    return means


def round_samples(
    samples: Samples, offsets: Offsets, rounding: Rounding, *, predicted: Pixels | None = None
) -> Pixels:
    """Add each cell's rounding offset to samples, (H, W, 3) in 8-bit levels, and round them to
    uint8 pixels.

    `offsets`, (⌈H/64⌉, ⌈W/64⌉), are in units of `rounding.step`. Halves go to even; then
    `predicted`, (H, W, 3) uint8, is added if given, and the sum clipped to 0 to 255.
    """
    height, width = samples.shape[:2]
    by_pixel = (offsets * np.float32(rounding.step)).repeat(CELL, axis=0).repeat(CELL, axis=1)
    rounded = samples + by_pixel[:height, :width, None]
    np.rint(rounded, out=rounded)
    if predicted is not None:
        rounded += predicted
    return np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)


def group_offsets(offsets: Offsets, tables: Tables, rounding: Rounding) -> Group:
    """Shifts, of any shape, → the symbols that they are coded as."""
    return tables.bank[rounding.row], offsets.reshape(-1).astype(np.int32)


def pop_offsets(unpacker: Unpacker, tables: Tables, rounding: Rounding, count: int) -> Offsets:
    """Decode so many offsets, (count,); raises FormatError for damage."""
    offsets = unpacker.values(tables.bank[rounding.row], count)
    if np.abs(offsets).max(initial=0) > MAX_OFFSET:
        msg = f"expected offsets of at most {MAX_OFFSET} steps, got others: the file is damaged"
        raise FormatError(msg)
    return offsets.astype(np.int16)
