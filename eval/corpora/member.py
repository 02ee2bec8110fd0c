"""One picture of the corpus, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Member:
    """A picture that a script draws, the same on every call."""

    name: str
    """of its own in the corpus; lower case and hyphens"""
    kind: str
    """what it shows: one word, shared by its like"""
    make: Callable[[], Image.Image]
    """mode RGB, RGBA, L, P or 1"""
