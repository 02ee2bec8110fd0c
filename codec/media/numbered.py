"""Suffixes of clips, and numbered names of image sequences."""

import re
from fractions import Fraction
from pathlib import Path

from ncodec.errors import InputError, sentence_of
from ncodec.ranges import is_between, name_value

CLIP_SUFFIXES = frozenset(
    {
        ".3gp",
        ".avi",
        ".flv",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".ogv",
        ".ts",
        ".webm",
        ".wmv",
        ".y4m",
    }
)


_NUMBER = re.compile(r"%0?(\d{0,2})d")
LARGEST_DENOMINATOR = 1001
"""largest denominator of a frame rate, as in 30000/1001"""
LARGEST_RATE = 1_000_000
NTSC, NTSC_ROUNDING = Fraction(1000, 1001), 0.005
"""frames a second that NTSC rates are multiples of, and how far they are rounded when written"""
DEFAULT_RATE = 25
"""frames a second of numbered pictures"""


def frame_rate(rate: float | Fraction | None) -> Fraction:
    """Frames a second as a ratio with a denominator of at most 1001; `DEFAULT_RATE` for None.

    23.976, 29.97, 59.94 and other roundings of NTSC rates become multiples of 1000/1001. Raises
    InputError for a rate below 1/1001 or above 1000000.
    """
    if rate is not None and not is_between(rate, 1 / LARGEST_DENOMINATOR, LARGEST_RATE):
        msg = f"expected a rate of 1/{LARGEST_DENOMINATOR} to {LARGEST_RATE} frames a second, got "
        msg += name_value(rate)
        raise InputError(msg)
    if rate is None:
        return Fraction(DEFAULT_RATE)
    ntsc = Fraction(round(rate / NTSC) * NTSC)
    if isinstance(rate, float) and rate != round(rate) and abs(rate - ntsc) < NTSC_ROUNDING:
        return ntsc
    return Fraction(rate).limit_denominator(LARGEST_DENOMINATOR)


def is_numbered(name: str) -> bool:
    """Whether a path names an image sequence: its last part holds %d, or a form such as %04d, and
    no file or folder has literally this name."""
    return _NUMBER.search(Path(name).name) is not None and not Path(name).exists()


def numbered_name(pattern: str, number: int) -> str:
    """Path of picture `number` of an image sequence: "frame-%04d.png" and 7 → "frame-0007.png";
    raises ValueError for a `pattern` without %d."""
    folder, before, digits, after = _parts(pattern)
    return str(folder / f"{before}{number:0{digits}}{after}")


def numbers_of(pattern: str) -> list[int]:
    """Numbers of the existing files of an image sequence, ascending; raises OSError for a missing
    folder."""
    folder, before, digits, after = _parts(pattern)
    name = re.compile(rf"{re.escape(before)}(\d{{{digits},{max(digits, 10)}}}){re.escape(after)}")
    found = [
        match[1]
        for path in folder.iterdir()
        if (match := name.fullmatch(path.name)) and path.is_file()
    ]
    return sorted(int(number) for number in found if number == f"{int(number):0{digits}}")


def row_url(pattern: str) -> str:
    """A numbered name as FFmpeg reads it: every other percent sign is doubled."""
    folder, before, digits, after = _parts(pattern)
    before, after = (part.replace("%", "%%") for part in (before, after))
    return str(Path(str(folder).replace("%", "%%")) / f"{before}%0{digits}d{after}")


def _parts(pattern: str) -> tuple[Path, str, int, str]:
    """Folder, what stands before the number, its least digits, and what stands behind it."""
    before, digits, after = _NUMBER.split(Path(pattern).name, maxsplit=1)
    return Path(pattern).parent, before, int(digits or 1), after


def numbers_in_row(pattern: str) -> list[int]:
    """The numbers of numbered pictures; raises InputError where some are missing, because FFmpeg
    would stop there."""
    try:
        numbers = numbers_of(pattern)
    except OSError as error:
        msg = f"{pattern}: cannot be read: {sentence_of(error)}"
        raise InputError(msg) from error
    if not numbers:
        msg = f"{pattern}: there are no such pictures"
        raise InputError(msg)
    missing = next((n for n, known in enumerate(numbers, start=numbers[0]) if n != known), None)
    if missing is not None:
        msg = (
            f"{pattern}: expected numbers without gaps, got {numbers[0]} to {numbers[-1]} without "
            f"{missing}"
        )
        raise InputError(msg)
    return numbers
