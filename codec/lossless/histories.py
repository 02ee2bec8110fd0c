"""Bit histories: what an 8-bit state remembers of the bits that followed a context.

A state is how many zeros and ones were seen, and the last bit where both were. Counts are bounded,
and a bit that contradicts many others makes most of them forgotten: what came last counts most
(indirect context models; Mahoney, paq6 and zpaq).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

LIMITS = (50, 40, 14, 8, 5)
"""lesser count, 0 to 4 → most that the larger count can be"""
STATES = 256
Counts = tuple[int, int, int]
"""zeros, ones, and the last bit, 0 where only one kind was seen"""


@dataclass(frozen=True, eq=False)
class Histories:
    """Tables over states; state 0 has seen nothing."""

    following: npt.NDArray[np.uint8]
    """(256, 2), the state after a 0 and after a 1"""
    seen: npt.NDArray[np.uint8]
    """(256,), bits that a state remembers"""
    ones: npt.NDArray[np.int32]
    """(256,), probability of a 1 to begin with, in units of 2⁻²⁴"""


@cache
def histories() -> Histories:
    """Tables of all states that can be reached from nothing."""
    known: dict[Counts, int] = {(0, 0, 0): 0}
    states: list[Counts] = [(0, 0, 0)]
    following: list[tuple[int, int]] = []
    for state in states:  # grows while it is walked
        places = []
        for bit in (0, 1):
            after = _after(state, bit)
            if after not in known:
                known[after] = len(states)
                states.append(after)
            places.append(known[after])
        following.append((places[0], places[1]))
    spare = STATES - len(states)
    seen = [zeros + ones for zeros, ones, _ in states]
    # (ones + 2/5) / (zeros + ones + 4/5)
    odds = [((5 * b + 2) << 24) // (5 * a + 5 * b + 4) for a, b, _ in states]
    return Histories(
        np.array(following + spare * [(0, 0)], dtype=np.uint8),
        np.array(seen + spare * [0], dtype=np.uint8),
        np.array(odds + spare * [1 << 23], dtype=np.int32),
    )


def _after(state: Counts, bit: int) -> Counts:
    counts = [state[0], state[1]]
    other = 1 - bit
    counts[other] = _discounted(counts[other])
    counts[bit] += 1
    if not _is_kept(counts):
        counts[bit] -= 1
    while not _is_kept(counts):
        larger = other if counts[other] >= counts[bit] else bit
        counts[larger] -= 1
    return counts[0], counts[1], bit if all(counts) else 0


def _discounted(count: int) -> int:
    """Rest of a count that the other bit contradicts."""
    if count <= 2:
        return count
    return 2 + (count - 2) // 3 if count < 20 else 7


def _is_kept(counts: list[int]) -> bool:
    least, most = sorted(counts)
    return least < len(LIMITS) and most <= LIMITS[least]
