"""Features of a predicted frame that both sides add inside the networks."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Hints:
    """Features known to both sides that are added inside the networks; a still picture has none."""

    encoder: Tensor | None = None
    """(B, encoder_width, h, w), before the analysis trunk"""
    means: Tensor | None = None
    """(B, entropy_width, h, w), before the means"""
    body: Tensor | None = None
    """(B, body_width, h, w), before the synthesis body"""
    render: Tensor | None = None
    """(B, render_width, 4·h, 4·w), before the renderer"""


NO_HINTS = Hints()


def plus(x: Tensor, hint: Tensor | None) -> Tensor:
    """The sum, or x alone where there is no hint: an addition of nothing would stay in the exported
    graph."""
    return x if hint is None else x + hint
