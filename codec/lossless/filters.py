"""Filters: bytes rearranged so that they are easier to foretell, and back."""

# Kernels get their types from numba.
# mypy: allow-untyped-defs, no-check-untyped-defs, allow-untyped-decorators, allow-untyped-calls
import numpy as np

from ncodec.lossless.kernels import compiled


@compiled
def turn_calls(data, back):
    """Replace distances of x86's calls and jumps (E8, E9) by where they lead to, in place.

    The 25 bits of a distance, whose topmost byte is 0 or 255, grow by its place in the block, or
    shrink where `back`. An E8 or E9 takes the four bytes after it along whether it is turned or
    not, so both directions see the same ones. Returns how many were turned.
    """
    at, turned = 0, 0
    while at + 4 < data.size:
        if data[at] & 0xFE == 0xE8:
            sign = np.int64(data[at + 4])
            if sign in (0, 255):
                distance = np.int64(data[at + 1]) | np.int64(data[at + 2]) << 8
                distance |= np.int64(data[at + 3]) << 16 | (sign & 1) << 24
                distance += -at if back else at
                for k in range(3):
                    data[at + 1 + k] = (distance >> (8 * k)) & 0xFF
                data[at + 4] = 255 if (distance >> 24) & 1 else 0
                turned += 1
            at += 4
        at += 1
    return turned


def swapped_pairs(data: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> np.ndarray:
    """A copy whose pairs of bytes have changed places; an odd last byte stays."""
    swapped = data.copy()
    even = len(data) // 2 * 2
    swapped[:even] = data[:even].reshape(-1, 2)[:, ::-1].ravel()
    return swapped
