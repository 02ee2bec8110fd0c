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
    width = int(digits or 1)
    name = re.compile(rf"{re.escape(before)}(\d{{{width},{max(width, 10)}}}){re.escape(after)}")
    found = [match[1] for path in Path(pattern).parent.iterdir() if (match := name.fullmatch(path.name))]
    return sorted(int(number) for number in found if number == f"{int(number):0{width}}")


def row_url(pattern: str) -> str:
    """A numbered name as FFmpeg reads it: every other percent sign is doubled."""
    before, digits, after = _NUMBER.split(Path(pattern).name, maxsplit=1)
    folder = str(Path(pattern).parent)
    return str(
        Path(folder.replace("%", "%%")) / f"{before.replace('%', '%%')}%0{digits or 1}d{after.replace('%', '%%')}"
    )
