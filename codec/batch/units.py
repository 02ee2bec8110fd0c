"""Units: work that one worker does in one go."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import PurePosixPath

from ncodec.batch.library import Item, Library
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
    finished: frozenset[str] = frozenset()
    """items whose rows are there"""
    hopeless: Mapping[str, str] = field(default_factory=dict)
    """item that cost two workers their lives → how"""


def file_units(library: Library, task: Task, rows: Mapping[str, Row]) -> Iterator[Unit]:
    """Units whose outputs are files, without items that are done."""
    for entry in _entries(library.items, task):
        if not is_done(entry, rows):
            yield Unit((entry,))
    for shard in library.shards:
        yield Unit(shard=shard, finished=_members_done(shard, rows))


def shard_units(
    library: Library, task: Task, rows: Mapping[str, Row], *, items: int
) -> Iterator[Unit]:
    """Units whose outputs are tar shards: files in groups of at most `items`, then each shard of
    the source, of any size, as one of the same name.

    Units are left out whose items all have a row of this output.
    """
    taken = {shard.name for shard in library.shards}
    names = (name for n in count() if (name := f"shard-{n:06d}.tar") not in taken)
    entries = iter(_entries(library.items, task))
    while group := tuple(islice(entries, items)):
        output = next(names)
        wanted = [Entry(entry.item, f"{output}/{entry.output}") for entry in group]
        if not all(is_done(entry, rows) for entry in wanted):
            yield Unit(group, output=output)
    whole = _whole_shards(rows)
    for shard in library.shards:
        if (shard.name, shard.tag) not in whole:
            yield Unit(shard=shard, output=shard.name)


def is_done(entry: Entry, rows: Mapping[str, Row]) -> bool:
    """Whether an item has a row that says that this output was made of this content."""
    row = rows.get(entry.item.name)
    return (
        row is not None
        and row.state != FAILED
        and (row.tag, row.output) == (entry.item.tag, entry.output)
    )


def outputs_of(names: Sequence[str], task: Task) -> dict[str, str]:
    """Names of outputs, with all of the item's name where two would be equal."""
    found = {name: task.output_of(name) for name in names}
    counts = Counter(found.values())
    return {
        name: output if counts[output] == 1 else name + PurePosixPath(output).suffix
        for name, output in found.items()
    }


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


def _members_done(shard: Item, rows: Mapping[str, Row]) -> frozenset[str]:
    start = f"{shard.name}/"
    return frozenset(
        name
        for name, row in rows.items()
        if name.startswith(start) and row.tag == shard.tag and row.state != FAILED
    )
