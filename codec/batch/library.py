"""Libraries: the items that a batch works on."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from ncodec.batch.store import SIGNS, Stored, fetch, list_stored, normal
from ncodec.errors import InputError

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
LIST_SIGN = "@"
"""before the name of a file that lists places, one a line"""


@dataclass(frozen=True, slots=True)
class Item:
    """A picture, a clip or a shard of them."""

    name: str
    """relative to the library, with / between folders"""
    place: str
    """path or URL"""
    size: int | None
    """bytes, where they are known"""
    tag: str
    """another text once the content changes"""


@dataclass(frozen=True)
class Library:
    """Files that a batch was given, sorted by name."""

    items: tuple[Item, ...]
    shards: tuple[Item, ...]
    """tar files, whose members are items"""
    others: int
    """number of files that are neither"""


def open_library(source: str, *, suffixes: Iterable[str], leave_out: str | None = None) -> Library:
    """Items with one of the suffixes, and shards, of a source.

    A source is a folder, a file, a shard, a glob pattern, each local or a URL that fsspec opens, or
    @FILE, whose lines are such places. Files below the place `leave_out` are no part of it. Raises
    InputError where a place does not exist, and where there is neither item nor shard.
    """
    wanted = frozenset(suffixes)
    found = _listed(source)
    base = _base(found, source)
    items: list[Item] = []
    shards: list[Item] = []
    others = 0
    for stored in found:
        if leave_out is not None and stored.place.startswith(f"{leave_out}/"):
            continue
        item = Item(_name(stored, base), stored.place, stored.size, stored.tag)
        if stored.place.lower().endswith(SHARD_SUFFIXES):
            shards.append(item)
        elif suffix_of(item.name) in wanted:
            items.append(item)
        else:
            others += 1
    if not items and not shards:
        msg = f"{source}: expected files that end in {', '.join(sorted(wanted))} or .tar, got none"
        raise InputError(msg)
    return Library(tuple(items), tuple(shards), others)


def suffix_of(name: str) -> str:
    """Suffix of a name in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def _listed(source: str) -> list[Stored]:
    if not source.startswith(LIST_SIGN):
        return list_stored(source)
    found: dict[str, Stored] = {}
    for line in _lines(source.removeprefix(LIST_SIGN)):
        found |= {stored.place: stored for stored in list_stored(line)}
    if not found:
        msg = f"{source}: expected places, one a line, got none"
        raise InputError(msg)
    return sorted(found.values(), key=lambda stored: stored.place)


def _lines(name: str) -> Sequence[str]:
    path = fetch(name, Path())
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        msg = f"{name}: expected a list of places, one a line, which cannot be read: {error}"
        raise InputError(msg) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _base(found: Sequence[Stored], source: str) -> str:
    """Folder that names are relative to: the source if it is one, that of a pattern's plain part,
    else the nearest one that holds all files."""
    plain = source
    if not source.startswith(LIST_SIGN) and (place := _first_sign(source)) is not None:
        plain = source[:place].rpartition("/")[0] or "."
    folder = plain if source.startswith(LIST_SIGN) else normal(plain)
    if all(stored.place.startswith(f"{folder}/") for stored in found):
        return folder
    folders = [stored.place.rpartition("/")[0].split("/") for stored in found]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    return "/".join(names[0] for names in shared)


def _first_sign(source: str) -> int | None:
    """Index of the first character of a glob pattern."""
    return next((n for n, character in enumerate(source) if character in SIGNS), None)


def _name(stored: Stored, base: str) -> str:
    if base and stored.place.startswith(f"{base}/"):
        return escaped(stored.place[len(base) + 1 :])
    return escaped(re.sub(r"^[a-z0-9+.-]+:/+", "", stored.place).lstrip("/"))


def escaped(name: str) -> str:
    """A name with bytes that are no text escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
