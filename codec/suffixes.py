"""What files of clips are called."""

import re
from pathlib import Path

CLIP_SUFFIXES = frozenset(
    {
        ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
        ".wmv", ".y4m",
    }
)  # fmt: skip


_NUMBER = re.compile(r"%0?(\d{0,2})d")


def is_numbered(name: str) -> bool:
    """Whether a name stands for a row of pictures, as "frame-%04d.png" does."""
    return _NUMBER.search(Path(name).name) is not None and not Path(name).exists()


def numbers_of(pattern: str) -> list[int]:
    """The numbers of the files that there are of a numbered name, in order; raises OSError for what is no folder."""
    before, digits, after = _NUMBER.split(Path(pattern).name, maxsplit=1)
    name = re.compile(rf"{re.escape(before)}(\d{{{digits or 1},}}){re.escape(after)}")
    found = (name.fullmatch(path.name) for path in Path(pattern).parent.iterdir())
    return sorted({int(match[1]) for match in found if match})
