"""Work on units: items are read, coded and kept, and each has a row."""

import errno
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from ncodec.batch.library import Item, escaped, suffix_of
from ncodec.batch.manifest import FAILED, WORK, Row
from ncodec.batch.parts import Parts
from ncodec.batch.product import Product
from ncodec.batch.schedule import JobDone, Planned, Result
from ncodec.batch.shards import ShardWriter, read_shard
from ncodec.batch.store import Beat, Store, fetch, is_url, list_stored
from ncodec.batch.task import Task
from ncodec.batch.units import Unit
from ncodec.batch.work_folder import (
    remove_orphans,
    temporary_folder,
    work_folder,
    work_name,
)
from ncodec.errors import InputError, NcodecError, NcodecWarning, OutputError, sentence_of

AnyResult = TypeVar("AnyResult", Row, Result)
Begin = Callable[[str], None]
"""called with an item's name when it begins, and now and then while it lasts"""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_PLAYLISTS = frozenset({".m3u8", ".mpd", ".html", ".json"})


@dataclass(frozen=True)
class _Input:
    """An item of a unit."""

    item: str
    """its name in the manifest"""
    source: str
    tag: str
    output: str
    """name of the output, within its shard if that goes into one"""
    size: int | None
    """bytes; None where they are not known, and for members that are links"""
    read: Callable[[], Path]
    """gives a local file with its content; raises InputError"""


class Worker:
    """Works on units, one after the other, each item on one thread."""

    def __init__(self, task: Task, target: str) -> None:
        self._task, self._store = task, Store(target)
        self._held: tuple[tuple[str, str], tempfile.TemporaryDirectory[str], Path] | None = None
        """place and tag of the item whose copy is held, the folder and the file"""
        remove_orphans()

    def close(self) -> None:
        """Remove the copy of an item that is held."""
        if self._held is not None:
            self._held[1].cleanup()
            self._held = None

    def run(self, unit: Unit, begin: Begin) -> Iterator[Result]:
        """Rows of the items of a unit, each once its output is in its place, or what became of a
        step of work in jobs.

        Raises OutputError where the target cannot be written.
        """
        with self._folder() as name:
            folder = Path(name)
            parts = None if unit.shard or unit.output else self._task.parts_of(unit.name)
            if parts is not None:
                yield from self._steps(parts, unit, folder, begin)
                return
            if unit.output is None:
                yield from self._rows(unit, folder, begin, writer=None)
                return
            writer = ShardWriter(folder / "shard")
            rows = list(self._rows(unit, folder, begin, writer=writer))
            writer.close()
            beat = partial(begin, rows[-1].item) if rows else lambda: None
            self._store.put(folder / "shard", unit.output, beat=beat)
            for row in rows:
                yield replace(row, shard=unit.output, shard_items=len(rows))

    def _folder(self) -> "tempfile.TemporaryDirectory[str]":
        """An empty folder, near the target, that goes in the end."""
        if not self._store.is_local:
            return temporary_folder()
        place = Path(self._store.at(WORK))
        place.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=place, prefix="work-", ignore_cleanup_errors=True)

    def _rows(
        self, unit: Unit, folder: Path, begin: Begin, *, writer: ShardWriter | None
    ) -> Iterator[Row]:
        """Rows of items, whose outputs become files or go into a shard."""
        try:
            for found in self._inputs(unit, folder, begin):
                if suffix_of(found.item) in self._task.suffixes:
                    yield self._row(found, unit, folder, begin, writer=writer)
                elif writer is not None and found.size is not None and _is_inside(found.output):
                    # It belongs to an item, such as a label.
                    writer.add(found.read(), found.output)
        except InputError as error:
            if unit.shard is None:
                raise
            shard = unit.shard
            yield Row(shard.name, shard.place, shard.tag, FAILED, error=f"{shard.place}: {error}")

    def _steps(self, parts: Parts, unit: Unit, folder: Path, begin: Begin) -> Iterator[Result]:
        for found in self._inputs(unit, folder, begin):
            beat = partial(begin, found.item)
            step = partial(self._step, parts, found, unit)
            yield self._tried(found, unit, folder, beat, partial(step, beat=beat))

    def _inputs(self, unit: Unit, folder: Path, begin: Begin) -> Iterator[_Input]:
        for entry in unit.entries:
            item = entry.item
            if item.name in unit.finished:
                continue
            read = partial(fetch, item.place, folder, beat=partial(begin, item.name))
            yield _Input(item.name, item.place, item.tag, entry.output, item.size, read)
        if unit.shard is not None:
            yield from self._members(unit.shard, unit, folder, begin)

    def _members(self, shard: Item, unit: Unit, folder: Path, begin: Begin) -> Iterator[_Input]:
        kept: set[str] = set()
        local = fetch(shard.place, folder, beat=partial(begin, shard.name))
        for raw, path in read_shard(local, folder):
            name = escaped(raw)
            item = f"{shard.name}/{name}"
            begin(item)
            is_item = suffix_of(name) in self._task.suffixes
            if not is_item and not unit.output:
                continue
            output = self._task.output_of(name) if is_item else name
            output = name + PurePosixPath(output).suffix if output in kept else output
            kept.add(output)
            if item in unit.finished:
                continue
            if unit.output is None:
                output = f"{unit.folder}/{output}"
            size = path.stat().st_size if path.exists() else None
            yield _Input(
                item, f"{shard.place}/{name}", shard.tag, output, size, partial(_member, path)
            )

    def _row(
        self, found: _Input, unit: Unit, folder: Path, begin: Begin, *, writer: ShardWriter | None
    ) -> Row:
        """Row of an item that is worked on as a whole."""
        beat = partial(begin, found.item)
        return self._tried(
            found, unit, folder, beat, lambda own: self._whole(found, unit, own, beat, writer)
        )

    def _tried(
        self,
        found: _Input,
        unit: Unit,
        folder: Path,
        beat: Beat,
        step: Callable[[Path], AnyResult],
    ) -> AnyResult | Row:
        """Result of a step in an empty folder, or the row that says why it failed."""
        row = partial(Row, found.item, found.source, found.tag, source_bytes=found.size)
        if found.item in unit.hopeless:
            return row(FAILED, error=unit.hopeless[found.item])
        beat()
        start = time.perf_counter()
        try:
            _check_inside(found.output)
            with tempfile.TemporaryDirectory(dir=folder) as own, warnings.catch_warnings():
                warnings.simplefilter("ignore", NcodecWarning)  # rows have the notices
                result = step(Path(own))
        except _TargetError as error:
            raise error.cause from error
        except Exception as error:  # one item must not end the batch
            if _is_full(error):
                msg = f"{self._store.place}: {sentence_of(error)}"
                raise OutputError(msg) from error
            seconds = time.perf_counter() - start
            return row(FAILED, error=_sentence(error, found.source, folder), seconds=seconds)
        return replace(result, seconds=time.perf_counter() - start)

    def _whole(
        self, found: _Input, unit: Unit, own: Path, beat: Beat, writer: ShardWriter | None
    ) -> Row:
        """Do the task on an item and keep its output."""
        product = self._task.run(found.read(), found.item, own, beat=beat)
        return self._kept(product, found, unit, beat, writer)

    def _step(self, parts: Parts, found: _Input, unit: Unit, own: Path, *, beat: Beat) -> Result:
        """Plan an item's jobs, do one of them, or make the output of all."""
        name = work_name(unit.entries[0].item, self._task.stated)
        _check_tag(found)
        source = self._held_source(found, beat)
        wanted = None if unit.job is None else parts.plan_files
        with self._work(name, wanted, beat) as place:
            if unit.job is not None:
                parts.run(source, place, unit.job, beat=beat)
                return JobDone(found.item)
            if unit.is_last:
                output = own / PurePosixPath(found.output).name
                product = parts.finish(source, place, output, beat=beat)
                row = self._kept(product, found, unit, beat, None)
            elif (jobs := parts.plan(source, place, beat=beat)) is not None:
                return Planned(found.item, unit, jobs)
        return row if unit.is_last else self._whole(found, unit, own, beat, None)

    @contextmanager
    def _work(self, name: str, wanted: Sequence[str] | None, beat: Beat) -> Iterator[Path]:
        """Context of the folder of work in jobs, whose own errors are those of the target."""
        with ExitStack() as stack:
            with _target_errors():
                place = stack.enter_context(
                    work_folder(self._store, name, wanted=wanted, beat=beat)
                )
            yield place
            with _target_errors():
                stack.close()

    def _held_source(self, found: _Input, beat: Beat) -> Path:
        """Local file of an item, of which a copy is held for further jobs."""
        if not is_url(found.source):
            return found.read()
        key = (found.source, found.tag)
        if self._held is None or self._held[0] != key:
            self.close()
            folder = self._folder()
            self._held = key, folder, fetch(found.source, Path(folder.name), beat=beat)
        return self._held[2]

    def _kept(
        self,
        product: Product,
        found: _Input,
        unit: Unit,
        beat: Beat,
        writer: ShardWriter | None,
    ) -> Row:
        """Put a product into its place; returns its row."""
        size = self._keep(product.path, found.output, writer, beat)
        facts = dict(product.facts)
        pixels = (facts.get("width") or 0) * (facts.get("height") or 0)
        if "bpp" not in facts and facts.get("model") and pixels:
            facts["bpp"] = 8 * size / pixels
        return Row(
            found.item,
            found.source,
            found.tag,
            facts.pop("state"),
            output=f"{unit.output}/{found.output}" if writer is not None else found.output,
            source_bytes=found.size,
            bytes=size,
            **facts,
        )

    def _keep(self, path: Path, output: str, writer: ShardWriter | None, beat: Beat) -> int:
        """Put an output, a file or a folder, into its place; returns its bytes."""
        files = [(path, output)]
        if path.is_dir():
            found = (one for one in path.rglob("*") if one.is_file())
            files = [(one, f"{output}/{one.relative_to(path).as_posix()}") for one in found]
            # Readers begin with playlists, which name the other files.
            files.sort(key=lambda one: (one[0].suffix in _PLAYLISTS, one[1]))
        total = 0
        for local, name in files:
            total += local.stat().st_size
            if writer is not None:
                writer.add(local, name)
                continue
            with _target_errors():
                self._store.put(local, name, beat=beat)
        return total


def _is_inside(name: str) -> bool:
    """Whether a name stays within the folder that it is relative to."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _check_tag(found: _Input) -> None:
    """Raise InputError where the source has changed since the batch began: parts would be those of
    two clips."""
    if found.tag and [stored.tag for stored in list_stored(found.source)] != [found.tag]:
        msg = f"{found.source}: changed while it was worked on: give the command again"
        raise InputError(msg)


def _check_inside(name: str) -> None:
    if not _is_inside(name):
        msg = f"expected a name within the target, got {name}"
        raise InputError(msg)


class _TargetError(Exception):
    """The target of a batch cannot be written."""

    def __init__(self, cause: OutputError) -> None:
        super().__init__(str(cause))
        self.cause = cause


@contextmanager
def _target_errors() -> Iterator[None]:
    """Context that takes what cannot be read or written for errors of the target."""
    try:
        yield
    except OutputError as error:
        raise _TargetError(error) from error


def _member(path: Path) -> Path:
    """File of a member; raises InputError for a link, which has none."""
    if not path.exists():
        msg = "the member is a link: expected a file"
        raise InputError(msg)
    return path


def _is_full(error: Exception) -> bool:
    """Whether a disk has no room, or cannot be written at all, so that no item will fare better."""
    chain = (error, error.__cause__, error.__context__)
    return any(isinstance(one, OSError) and one.errno in _NO_ROOM for one in chain)


def _sentence(error: Exception, source: str, folder: Path) -> str:
    """Sentence that says why an item was not coded."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, NcodecError):
        return re.sub(re.escape(str(folder)) + r"/member[^/:]*", lambda _: source, str(error))
    return f"{source}: {type(error).__name__}: {error}"
