"""Tags, chapters and flags of a clip, and properties of its frames ↔ bytes."""

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ncodec.errors import FormatError

MAX_BYTES = 2**20
"""of the uncompressed text"""
MAX_TEXT = 2**18
"""characters of all tags and titles that a writer takes"""
LARGEST = 2**53
"""largest number, as in all readers of JSON"""
FIELD_ORDERS = ("tt", "bb")
"""interlaced frames whose top, or bottom, field is the earlier one"""
MASTERING_NUMBERS, LIGHT_NUMBERS = 10, 2


@dataclass(frozen=True)
class Chapter:
    """A part of a clip with a title."""

    start: int
    """microseconds"""
    end: int
    """microseconds"""
    title: str = ""


@dataclass(frozen=True)
class ClipMetadata:
    """Tags and chapters of a clip, and properties of its frames that no header states."""

    tags: tuple[tuple[str, str], ...] = ()
    """names and values, such as title and artist"""
    video_tags: tuple[tuple[str, str], ...] = ()
    """language and title of the frames"""
    chapters: tuple[Chapter, ...] = ()
    dispositions: tuple[tuple[str, ...], ...] = ()
    """of each track of sound or subtitles: flags for players, such as default and forced; empty
    where no track has one"""
    field_order: str = ""
    """one of `FIELD_ORDERS` for interlaced frames, else empty"""
    mastering: tuple[int, ...] = ()
    """mastering display as in the SEI message of ITU-T H.265: x and y of green, blue, red and white
    in 1/50000, largest and least luminance in 1/10000 cd/m²; empty if unknown"""
    light: tuple[int, ...] = ()
    """largest and largest average light level (MaxCLL, MaxFALL) in cd/m²; empty if unknown"""

    @property
    def size(self) -> int:
        """Characters of all tags and titles."""
        tags = (*self.tags, *self.video_tags)
        named = sum(len(name) + len(value) for name, value in tags)
        return named + sum(len(chapter.title) for chapter in self.chapters)


NO_METADATA = ClipMetadata()


def pack_clip_metadata(metadata: ClipMetadata) -> bytes:
    """Metadata → a JSON object in zlib, without members that are empty."""
    members = {
        "tags": [list(tag) for tag in metadata.tags],
        "video_tags": [list(tag) for tag in metadata.video_tags],
        "dispositions": [list(names) for names in metadata.dispositions],
        "chapters": [[part.start, part.end, part.title] for part in metadata.chapters],
        "field_order": metadata.field_order,
        "mastering": list(metadata.mastering),
        "light": list(metadata.light),
    }
    present = {name: value for name, value in members.items() if value}
    return zlib.compress(json.dumps(present, separators=(",", ":")).encode(), 9)


def unpack_clip_metadata(packed: bytes) -> ClipMetadata:
    """A JSON object in zlib → metadata; unknown members are left out.

    Raises FormatError for more than 1 MiB, and where a known member is not as `ClipMetadata` has
    it.
    """
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, MAX_BYTES)
        if not inflater.eof or inflater.unused_data:
            msg = f"one zlib stream of at most {MAX_BYTES} bytes"
            raise ValueError(msg)
        members = json.loads(text)
        _checked(members, lambda found: isinstance(found, dict), "an object")
        return ClipMetadata(
            tags=_tags(members.get("tags", ())),
            video_tags=_tags(members.get("video_tags", ())),
            chapters=tuple(
                Chapter(_number(start), _number(end), _text(title))
                for start, end, title in members.get("chapters", ())
            ),
            dispositions=tuple(
                tuple(map(_text, names)) for names in members.get("dispositions", ())
            ),
            field_order=_one_of(members.get("field_order", ""), ("", *FIELD_ORDERS)),
            mastering=_numbers(members.get("mastering", []), MASTERING_NUMBERS),
            light=_numbers(members.get("light", []), LIGHT_NUMBERS),
        )
    except (zlib.error, ValueError, TypeError, RecursionError) as error:
        msg = f"expected metadata of a clip, got a chunk that cannot be read: {error}"
        raise FormatError(msg) from error


def _checked(value: Any, is_right: Callable[[Any], bool], what: str) -> Any:
    if not is_right(value):
        msg = f"expected {what}"
        raise ValueError(msg)
    return value


def _text(value: object) -> str:
    checked: str = _checked(value, lambda text: isinstance(text, str), "text")
    checked.encode()  # a lone surrogate, which JSON can hold, could be neither printed nor written
    return checked


def _tags(pairs: Iterable[tuple[object, object]]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(value)) for name, value in pairs)


def _number(value: object) -> int:
    number: int = _checked(
        value, lambda number: type(number) is int and 0 <= number <= LARGEST, "a number"
    )
    return number


def _one_of(value: object, known: tuple[str, ...]) -> str:
    checked: str = _checked(value, lambda text: text in known, f"one of {known}")
    return checked


def _numbers(values: object, count: int) -> tuple[int, ...]:
    checked: list[object] = _checked(
        values,
        lambda numbers: isinstance(numbers, list) and len(numbers) in (0, count),
        f"no or {count} numbers",
    )
    return tuple(_number(number) for number in checked)
