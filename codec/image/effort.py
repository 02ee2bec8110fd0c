"""Passes of RDOQ at each effort."""

from dataclasses import dataclass

PASSES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 32)
"""at what moving symbols would do, by effort"""
_STEPS_PER_MOVE = 16
"""QPs for one more update over a place: with more bits per latent, more of them can change without
interfering"""
_MORE_AT_FIRST = 3
"""moves over a place that the first of many looks makes, because later ones mend what it does wrong"""


@dataclass(frozen=True)
class Search:
    """A search for better symbols."""

    first: int
    """looks at the half of the latents that the means of the other half depend on"""
    second: int
    """looks at that other half, at least one"""
    most: int
    """moves of symbols over a place after the first look at each half; fewer and fewer, one after the last"""

    @property
    def passes(self) -> int:
        """Number of passes."""
        return self.first + self.second

    def updates(self, pass_number: int) -> int:
        """Most symbols over a place that change in a pass; passes count from 0."""
        done, last = (
            (pass_number, self.first - 1) if pass_number < self.first else (pass_number - self.first, self.second - 1)
        )
        return self.most if done == 0 else round(self.most + (1 - self.most) * done / last)


def search_of(effort: int, *, qp: int) -> Search:
    """The search of an effort of 1 to `MAX_EFFORT`."""
    first = PASSES[effort] // 2
    second = PASSES[effort] - first
    return Search(first, second, 1 + qp // _STEPS_PER_MOVE + min(second, _MORE_AT_FIRST))
