"""Rounding that does not depend on the machine: no value of a reference frame lies where arithmetic errors decide.

Networks in float32 differ in the last bits between machines, libraries and thread counts. Rounded to 8 bits, that is a
level in a pixel or two of a frame, which later frames inherit and multiply. So an encoder shifts each cell of a frame,
by less than a thirtieth of a level, to where none of its values is closer to a half than the errors are large.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ncodec.errors import FormatError
from ncodec.picture import Levels, Pixels
from ncodec.varint import unzigzag, zigzag

Shifts = npt.NDArray[np.int16]

MAX_SHIFT = 127
"""steps either way"""
_NEAREST_FIRST = np.array([0, *(sign * n for n in range(1, MAX_SHIFT + 1) for sign in (-1, 1))])


@dataclass(frozen=True)
class Rounding:
    """How finely the frames of a kind are shifted; all of it in 8-bit levels."""

    cell: int
    """pixels along each side of what is shifted together"""
    step: float
    """a power of two, so that its multiples are exact"""
    error: float
    """how far the same value may be apart on two machines, and more by `growth` for each level of its size"""
    growth: float
    centre: float
    """what the sizes of values count from"""


INTRA_ROUNDING = Rounding(cell=64, step=2**-12, error=48e-6, growth=1e-6, centre=127.5)
PREDICTED_ROUNDING = Rounding(cell=128, step=2**-13, error=20e-6, growth=1e-6, centre=0)


def cells_of(height: int, width: int, rounding: Rounding) -> tuple[int, int]:
    """Cells of a padded frame, down and across."""
    return -(-height // rounding.cell), -(-width // rounding.cell)


def choose_shifts(levels: Levels, rounding: Rounding, *, predicted: Pixels | None = None) -> Shifts:
    """The smallest shift of each cell that keeps every value clear of a half; 0 for a cell that has none.

    `levels`, (H, W, 3), are of the frame, or of its difference from `predicted`.
    """
    height, width, channels = levels.shape
    cells = cells_of(height, width, rounding)
    apart = np.rint(levels)
    np.subtract(levels, apart, out=apart)
    np.abs(apart, out=apart)
    places = np.flatnonzero(apart > 0.5 - (MAX_SHIFT + 1) * rounding.step)
    near = levels.reshape(-1)[places]
    lower = np.floor(near)
    to_half = (lower + np.float32(0.5) - near).astype(np.float64)
    below = lower + (0 if predicted is None else predicted.reshape(-1)[places])
    steps = np.rint(to_half / rounding.step).astype(np.intp)
    error = np.minimum(rounding.error + rounding.growth * np.abs(near - rounding.centre), rounding.step / 2)
    close = np.abs(to_half - steps * rounding.step) < error
    close &= (np.abs(steps) <= MAX_SHIFT) & (below >= 0) & (below < 255)
    rows, columns = np.divmod(places[close] // channels, width)
    refused = np.zeros((*cells, 2 * MAX_SHIFT + 1), dtype=np.bool_)
    refused[rows // rounding.cell, columns // rounding.cell, steps[close] + MAX_SHIFT] = True
    ordered = refused[:, :, _NEAREST_FIRST + MAX_SHIFT]
    shifts: Shifts = _NEAREST_FIRST[ordered.argmin(axis=2)].astype(np.int16)
    return shifts


def round_levels(levels: Levels, shifts: Shifts, rounding: Rounding, *, predicted: Pixels | None = None) -> Pixels:
    """Levels of a frame, or of its difference from `predicted`, and the shifts of its cells → pixels."""
    height, width = levels.shape[:2]
    by_pixel = (shifts * np.float32(rounding.step)).repeat(rounding.cell, axis=0).repeat(rounding.cell, axis=1)
    rounded = levels + by_pixel[:height, :width, None]
    np.rint(rounded, out=rounded)
    if predicted is not None:
        rounded += predicted
    return np.clip(rounded, 0, 255, out=rounded).astype(np.uint8)


def pack_shifts(shifts: Shifts) -> bytes:
    """Shifts of cells in raster order → bytes, none at all where all are 0: a Rice code of two bits for each."""
    if not shifts.any():
        return b""
    values = [zigzag(shift) for shift in shifts.reshape(-1).tolist()]
    code = "".join("1" * (v >> 2) + "0" + format(v & 3, "02b") for v in values)
    return np.packbits(np.frombuffer(code.encode("ascii"), dtype=np.uint8) & 1).tobytes()


def unpack_shifts(payload: bytes, high: int, wide: int) -> Shifts:
    """Bytes → shifts of high × wide cells; raises FormatError for what is not that."""
    count = high * wide
    shifts = np.zeros(count, dtype=np.int16)
    if not payload:
        return shifts.reshape(high, wide)
    code, place = np.unpackbits(np.frombuffer(payload, dtype=np.uint8)).tobytes(), 0
    for cell in range(count):
        end = code.find(0, place)
        low = code[end + 1 : end + 3]
        value = 4 * (end - place) + 2 * low[0] + low[1] if end >= 0 and len(low) == 2 else 2 * MAX_SHIFT + 1
        if value > 2 * MAX_SHIFT:
            msg = f"expected {count} shifts of at most {MAX_SHIFT} steps, got others: the file is damaged"
            raise FormatError(msg)
        shifts[cell], place = unzigzag(value), end + 3
    if len(code) - place >= 8 or any(code[place:]):
        msg = f"expected {count} shifts, got more: the file is damaged"
        raise FormatError(msg)
    return shifts.reshape(high, wide)
