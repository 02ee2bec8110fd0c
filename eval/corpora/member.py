"""One picture of the corpus, and how it is made."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image


@dataclass(frozen=True)
class Member:
    """A picture drawn by a script, identical on every call."""

    name: str
    """unique name in the corpus; lower case and hyphens"""
    kind: str
    """motif in one word, shared by similar members"""
    make: Callable[[], Image.Image]
    """mode RGB, RGBA, L, P or 1"""
