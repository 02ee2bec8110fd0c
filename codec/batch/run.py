"""Batches: a task on every item of a library, in processes of this machine or on a cluster."""

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ncodec.batch.library import Library, open_library
from ncodec.batch.lock import only_batch
from ncodec.batch.manifest import DONE, FAILED, MANIFEST, WORK, Manifest, Row
from ncodec.batch.process import Limits, Pool
from ncodec.batch.schedule import Schedule, rows_of
from ncodec.batch.store import Store, normal
from ncodec.batch.task import Task
from ncodec.batch.units import Unit, file_units, shard_of, shard_units
from ncodec.batch.work_folder import PARTS, work_name
from ncodec.errors import InputError
from ncodec.optional import require_modules

LIMITS = Limits()
"""limits where none are given"""
_FLUSH_ROWS = 1000
_FLUSH_SHARE, _FLUSH_S = 0.05, (0.5, 30.0)
"""rows, or part of the time since the start, within bounds in seconds, after which new rows are
written: hours of work make few files, and little work is lost"""


@dataclass(frozen=True)
class Progress:
    """State of a batch that is at work."""

    done: int
    """items that have a row of this run"""
    total: int | None
    """items to work on, None where shards hold some"""
    failed: int
    bytes: int
    """of outputs"""
    bpp: float | None
    """mean over the outputs that have one"""
    jobs: int = 0
    """jobs of the clips that are coded in parts, as far as they are planned"""
    jobs_done: int = 0


@dataclass(frozen=True)
class Summary:
    """Result of a batch."""

    target: str
    manifest: str
    """place of the manifest"""
    items: int
    """rows of the manifest"""
    done: int
    """items of this run that were coded"""
    skipped: int
    """items that an earlier run had done"""
    others: int
    """files that are no items"""
    source_bytes: int
    """of the items of this run that were coded"""
    bytes: int
    """of their outputs"""
    bpp: float | None
    """mean over them, of those that have one"""
    psnr: float | None
    """mean over those that were measured"""
    seconds: float
    failures: tuple[Row, ...]
    """rows of all items that failed or are damaged"""


def run_batch(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    task: Task,
    *,
    jobs: int | None = None,
    shards: int | None = None,
    limits: Limits = LIMITS,
    ray: str | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] = lambda state: None,
) -> Summary:
    """Do a task on every item of a library, and return what became of them.

    `source` is a folder, a file, a tar shard, a glob pattern, each local or a URL that fsspec
    opens, or "@" and the place of a list of them; `target` is a folder or the URL of one. `jobs` is
    the number of processes, None for the number of cores. `shards` is the number of items of each
    tar shard that outputs go into; None for a file each. `ray` is "auto" or the address of a
    cluster, on which `jobs` is the number of actors, None for as many as it has cores for. Items
    that have a row of the same content and task are skipped, unless `overwrite`. An item that fails
    has a row and ends nothing.

    Raises InputError where the source cannot be listed, BackendError where a module lacks, and
    OutputError where the target cannot be written, holds a batch of another task or version, or has
    another batch at work on it.
    """
    start = time.perf_counter()
    if shards is not None and shards < 1:
        msg = f"expected at least 1 item in a shard, got {shards}"
        raise InputError(msg)
    if shards is not None and task.split is not None:
        msg = "clips that are split become files, not members of shards: leave one of the two out"
        raise InputError(msg)
    store = Store(str(target))
    if str(source) == str(target) or normal(str(source)) == store.place:
        msg = f"{source}: is source and target: name another folder for outputs"
        raise InputError(msg)
    library = open_library(str(source), suffixes=task.suffixes, leave_out=store.place)
    with only_batch(store):
        manifest = Manifest(store, {**task.stated, "shards": shards})
        manifest.load(overwrite=overwrite)
        _forget(manifest, library)
        _sweep(store)
        if overwrite:
            store.remove_folder(PARTS)
        units = _units(library, task, manifest, shards)
        total = None if library.shards else _count(_units(library, task, manifest, shards))
        store.write(f"{WORK}/begun", b"")  # a target that cannot be written is said before work
        tally = _Tally()
        kept = _Keeper(manifest)
        schedule = Schedule(units)
        found = _rows(schedule, task, store, jobs=jobs, limits=limits, ray=ray)
        with closing(found):
            try:
                for row in found:
                    if row is not None:
                        kept.add(row)
                        tally.add(row)
                        if (unit := schedule.ended(row.item)) is not None:
                            kept.flush()
                            store.remove_folder(work_name(unit.entries[0].item, task.stated))
                    progress(tally.progress(total, schedule))
            finally:
                kept.flush()
        manifest.finish()
        store.remove(f"{WORK}/begun")
        _clean(store)
    every = manifest.rows.values()
    return Summary(
        target=store.place,
        manifest=store.at(MANIFEST),
        items=len(every),
        done=tally.rows - tally.failed,
        skipped=len(every) - tally.rows,
        others=library.others,
        source_bytes=tally.source_bytes,
        bytes=tally.bytes,
        bpp=tally.bpp.value,
        psnr=tally.psnr.value,
        seconds=time.perf_counter() - start,
        failures=tuple(row for row in every if row.state != DONE),
    )


@dataclass
class _Mean:
    """Mean of the values that are there."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self.total, self.count = self.total + value, self.count + 1

    @property
    def value(self) -> float | None:
        return self.total / self.count if self.count else None


@dataclass
class _Tally:
    """Sums over the rows of a run."""

    rows: int = 0
    failed: int = 0
    source_bytes: int = 0
    bytes: int = 0
    bpp: _Mean = field(default_factory=_Mean)
    psnr: _Mean = field(default_factory=_Mean)

    def add(self, row: Row) -> None:
        self.rows += 1
        if row.state == FAILED:
            self.failed += 1
            return
        self.source_bytes += row.source_bytes or 0
        self.bytes += row.bytes or 0
        self.bpp.add(row.bpp)
        self.psnr.add(row.psnr)

    def progress(self, total: int | None, schedule: Schedule) -> Progress:
        return Progress(
            self.rows, total, self.failed, self.bytes, self.bpp.value,
            jobs=schedule.jobs, jobs_done=schedule.jobs_done,
        )  # fmt: skip


class _Keeper:
    """Writes rows to a manifest every few seconds."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._held: list[Row] = []
        self._begun = self._written = time.monotonic()

    def add(self, row: Row) -> None:
        self._held.append(row)
        now, (least, most) = time.monotonic(), _FLUSH_S
        pause = min(most, max(least, _FLUSH_SHARE * (now - self._begun)))
        is_costly = row.seconds > pause
        if is_costly or len(self._held) >= _FLUSH_ROWS or now - self._written > pause:
            self.flush()

    def flush(self) -> None:
        self._manifest.append(self._held)
        self._held, self._written = [], time.monotonic()


def _units(library: Library, task: Task, manifest: Manifest, shards: int | None) -> Iterator[Unit]:
    if shards is None:
        return file_units(library, task, manifest.rows)
    return shard_units(library, task, manifest.rows, items=shards)


def _forget(manifest: Manifest, library: Library) -> None:
    """Drop rows of items that are gone, or that lie in a shard that has changed."""
    names = {item.name for item in library.items}
    tags = {shard.name: shard.tag for shard in library.shards}
    for name, row in list(manifest.rows.items()):
        shard = shard_of(name, tags)
        if name not in names and (shard is None or row.tag != tags[shard]):
            del manifest.rows[name]


def _rows(
    schedule: Schedule,
    task: Task,
    store: Store,
    *,
    jobs: int | None,
    limits: Limits,
    ray: str | None,
) -> Generator[Row | None, None, None]:
    """Rows of items, None for other results, from processes of this machine or a cluster."""
    if ray is not None:
        from ncodec.batch.ray_pipeline import run_on_ray

        yield from run_on_ray(schedule, task, store.place, address=ray, jobs=jobs, limits=limits)
        return
    require_modules("psutil", extra="batch")
    with Pool(task, store.place, jobs=jobs or os.cpu_count() or 1, limits=limits) as pool:
        yield from rows_of(pool.run(schedule.next), schedule)


def _count(units: Iterable[Unit]) -> int:
    return sum(len(unit.entries) for unit in units)


def _sweep(store: Store) -> None:
    """Remove the folders of workers that were killed."""
    if store.is_local:
        for path in Path(store.at(WORK)).glob("work-*"):
            shutil.rmtree(path, ignore_errors=True)


def _clean(store: Store) -> None:
    _sweep(store)
    store.remove_folder(PARTS)
