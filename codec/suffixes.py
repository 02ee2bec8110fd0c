"""What files of clips are called."""

import re
from pathlib import Path

CLIP_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
        ".wmv", ".y4m",
    }
)  # fmt: skip


def is_numbered(name: str) -> bool:
    """Whether a name stands for a row of pictures, as "frame-%04d.png" does."""
    return re.search(r"%0?\d{0,2}d", Path(name).name) is not None and not Path(name).exists()
