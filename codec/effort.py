"""How long an encoder searches for latents that cost less, beyond what its networks guess in one pass."""

from dataclasses import dataclass

STEPS = (0, 12, 16, 20, 28, 40, 60, 90, 140, 250)
"""of gradient descent, by effort"""
MAX_EFFORT = len(STEPS) - 1
_RATE = 0.0075
_RATE_OCTAVE = 30
"""steps of qp in which the rate doubles: where steps of quantization are small, there is further to go"""


@dataclass(frozen=True)
class Search:
    """A search by gradient descent."""

    steps: int
    rate: float
    """of Adam at its start, in steps of quantization"""


def search_of(effort: int, *, qp: int) -> Search:
    """The search of an effort of 1 to `MAX_EFFORT`."""
    return Search(STEPS[effort], _RATE * 2 ** (qp / _RATE_OCTAVE))
