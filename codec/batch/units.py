"""Units: work that one worker does in one go."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
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
    """Units whose outputs are shards of at most `items` items, without those that are done whole: a
    shard of the source becomes one."""
    entries = iter(_entries(library.items, task))
    number = 0
    while group := tuple(islice(entries, items)):
        output = f"shard-{number:06d}.tar"
        number += 1
        wanted = [Entry(entry.item, f"{output}/{entry.output}") for entry in group]
        if not all(is_done(entry, rows) for entry in wanted):
            yield Unit(group, output=output)
    for shard in library.shards:
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


def _members_done(shard: Item, rows: Mapping[str, Row]) -> frozenset[str]:
    start = f"{shard.name}/"
    return frozenset(
        name
        for name, row in rows.items()
        if name.startswith(start) and row.tag == shard.tag and row.state != FAILED
    )
