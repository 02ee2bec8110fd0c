"""Units: work that one worker does in one go."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import PurePosixPath

from ncodec.batch.library import SHARD_SUFFIXES, Item, Library
from ncodec.batch.manifest import FAILED, Row
from ncodec.batch.task import Task


@dataclass(frozen=True)
class Entry:
    """An item and the name of its output."""

    item: Item
    output: str


@dataclass(frozen=True)
class Unit:
    """Items that one worker works on in turn: a file, the members of a shard, or files whose
    outputs go into one shard."""

    entries: tuple[Entry, ...] = ()
    """files"""
    shard: Item | None = None
    """shard whose members are the items"""
    output: str | None = None
    """name of the shard that outputs go into, None if they are files"""
    folder: str = ""
    """folder of the outputs of a shard's members, if they are files"""
    finished: frozenset[str] = frozenset()
    """items whose rows are there"""
    lost: Mapping[str, int] = field(default_factory=dict)
    """item → number of workers whose lives it cost"""
    hopeless: Mapping[str, str] = field(default_factory=dict)
    """item that cost two workers their lives → how"""
    job: int | None = None
    """number of a job of its one item, None to plan the jobs, or for work on the whole"""
    is_last: bool = False
    """whether the jobs of its one item are done, and its output is to be made of them"""

    @property
    def name(self) -> str:
        """Name of the shard, or of the first file."""
        return self.shard.name if self.shard is not None else self.entries[0].item.name


def file_units(library: Library, task: Task, rows: Mapping[str, Row]) -> Iterator[Unit]:
    """Units whose outputs are files, without items that are done."""
    entries = _entries(library.items, task)
    for entry in entries:
        if not is_done(entry, rows):
            yield Unit((entry,))
    taken = {str(path) for entry in entries for path in PurePosixPath(entry.output).parents}
    stems = Counter(_stem(shard.name) for shard in library.shards)
    finished = _members_done(library, rows)
    for shard in library.shards:
        stem = _stem(shard.name)
        folder = shard.name if stems[stem] > 1 or stem in taken else stem
        yield Unit(shard=shard, folder=folder, finished=frozenset(finished[shard.name]))


def shard_units(
    library: Library, task: Task, rows: Mapping[str, Row], *, items: int
) -> Iterator[Unit]:
    """Units whose outputs are tar shards: files in groups of at most `items`, then each shard of
    the source, of any size, as one of the same name.

    Units are left out whose items all have a row of this output.
    """
    taken = {f"{_stem(shard.name)}.tar" for shard in library.shards}
    names = (name for n in count() if (name := f"shard-{n:06d}.tar") not in taken)
    entries = iter(_entries(library.items, task))
    while group := tuple(islice(entries, items)):
        output = next(names)
        wanted = [Entry(entry.item, f"{output}/{entry.output}") for entry in group]
        if not all(is_done(entry, rows) for entry in wanted):
            yield Unit(group, output=output)
    whole = _whole_shards(rows)
    for shard in library.shards:
        if (f"{_stem(shard.name)}.tar", shard.tag) not in whole:
            yield Unit(shard=shard, output=f"{_stem(shard.name)}.tar")


def is_done(entry: Entry, rows: Mapping[str, Row]) -> bool:
    """Whether an item has a row that says that this output was made of this content."""
    row = rows.get(entry.item.name)
    return (
        row is not None
        and row.state != FAILED
        and bool(row.tag)
        and (row.tag, row.output) == (entry.item.tag, entry.output)
    )


def outputs_of(names: Sequence[str], task: Task) -> dict[str, str]:
    """Names of outputs, with all of the item's name where two would be equal."""
    found = {name: task.output_of(name) for name in names}
    while True:
        counts = Counter(found.values())
        equal = [name for name, output in found.items() if counts[output] > 1]
        longer = {name: name + PurePosixPath(task.output_of(name)).suffix for name in equal}
        if all(found[name] == output for name, output in longer.items()):
            return found
        found |= longer


def _entries(items: Sequence[Item], task: Task) -> list[Entry]:
    outputs = outputs_of([item.name for item in items], task)
    return [Entry(item, outputs[item.name]) for item in items]


def _whole_shards(rows: Mapping[str, Row]) -> set[tuple[str, str]]:
    """Outputs that are shards, all of whose items have a row and did not fail, and tags of their
    sources."""
    found: Counter[tuple[str, str]] = Counter()
    counts: dict[tuple[str, str], int] = {}
    for row in rows.values():
        if row.shard is not None and row.state != FAILED:
            found[row.shard, row.tag] += 1
            counts[row.shard, row.tag] = row.shard_items or 0
    return {shard for shard, number in found.items() if number == counts[shard]}


def _members_done(library: Library, rows: Mapping[str, Row]) -> dict[str, set[str]]:
    """Members that are done, by the names of shards."""
    found: dict[str, set[str]] = {shard.name: set() for shard in library.shards}
    tags = {shard.name: shard.tag for shard in library.shards}
    for row in rows.values():
        shard = shard_of(row.item, tags)
        if shard is not None and row.tag and row.tag == tags[shard] and row.state != FAILED:
            found[shard].add(row.item)
    return found


def shard_of(item: str, shards: Collection[str]) -> str | None:
    """Name of the shard that a member's name begins with."""
    return next((str(path) for path in PurePosixPath(item).parents if str(path) in shards), None)


def _stem(shard: str) -> str:
    """Name of a shard without its suffix."""
    suffix = next(end for end in SHARD_SUFFIXES if shard.lower().endswith(end))
    return shard[: len(shard) - len(suffix)]
