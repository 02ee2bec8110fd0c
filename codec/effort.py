"""How long an encoder searches for better latents than its networks guess in one pass."""

from dataclasses import dataclass

from ncodec.errors import InputError

STEPS = (0, 25, 30, 40, 50, 60, 80, 110, 160, 250)
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


def check_effort(effort: int) -> None:
    """Raise InputError unless there is such an effort."""
    if effort not in range(MAX_EFFORT + 1):
        msg = f"expected an effort of 0 to {MAX_EFFORT}, got {effort}"
        raise InputError(msg)


def search_of(effort: int, *, qp: int) -> Search:
    """The search of an effort of 1 to `MAX_EFFORT`."""
    return Search(STEPS[effort], _RATE * 2 ** (qp / _RATE_OCTAVE))
