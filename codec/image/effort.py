"""Passes of RDOQ at each effort."""

from dataclasses import dataclass

PASSES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 32)
"""at what moving symbols would do, by effort"""
_STEPS_PER_MOVE = 16
"""QPs for one more update over a place: with more bits per latent, more of them can change without
interfering"""
_MORE_AT_FIRST = 3
"""updates over a place in the first of many passes, because later passes correct it"""


@dataclass(frozen=True)
class Search:
    """A search for better symbols."""

    first: int
    """passes over the half of the latents that the means of the other half depend on"""
    second: int
    """passes over the other half, at least one"""
    most: int
    """updates over a place after the first pass over each half; fewer in every later pass, one in
    the last"""

    @property
    def passes(self) -> int:
        """Number of passes."""
        return self.first + self.second

    def updates(self, pass_number: int) -> int:
        """Most symbols at one place (row, column) of the latent that may change in a pass, counted
        from 0.

        It is `most` in the first pass over each half and falls linearly to 1 in the half's last
        pass, if there are several.
        """
        done, last = (
            (pass_number, self.first - 1)
            if pass_number < self.first
            else (pass_number - self.first, self.second - 1)
        )
        return self.most if done == 0 else round(self.most + (1 - self.most) * done / last)


def search_of(effort: int, *, qp: int) -> Search:
    """RDOQ search for an effort of 1 to 9 and a QP of 0 to 63, both unchecked.

    Of `PASSES[effort]` passes half, rounded down, are over the first half of the latents; `most` is
    1 + `qp // 16` + `min(second, 3)`.
    """
    first = PASSES[effort] // 2
    second = PASSES[effort] - first
    return Search(first, second, 1 + qp // _STEPS_PER_MOVE + min(second, _MORE_AT_FIRST))
