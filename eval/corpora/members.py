"""The corpus: pictures that are not photographs, drawn by scripts, identical on every run."""

from ncodec.eval.corpora import (
    charts,
    dithers,
    drawings,
    gradients,
    icons,
    mixed,
    noise,
    patterns,
    plain,
    prints,
    sprites,
    typeset,
)
from ncodec.eval.corpora.browser import find_browser
from ncodec.eval.corpora.member import Member
from ncodec.eval.corpora.pages import pages

__all__ = ["Member", "find_browser", "members", "pages"]

GROUPS = (
    plain, gradients, patterns, noise, dithers, prints, drawings, sprites, icons, charts, typeset,
    mixed,
)  # fmt: skip


def members() -> list[Member]:
    """All that need only numpy and Pillow, at most 1024 pixels a side."""
    return [member for group in GROUPS for member in group.members()]
