"""Measured items, assumptions and figures of a batch on many workers, and the arithmetic of
failures."""

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ncodec.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("state", "seconds", "source_bytes", "bytes", "width", "height", "frames")
_MOST_SECONDS = 1e9
_HOUR_S = 3600.0
_RANGES = {
    "workers_per_machine": (1, 1024),
    "shared": (1, 1000),
    "worker_start": (0, 1e6),
    "machine_start": (0, 1e6),
    "supervisor": (0, 1e6),
    "latency": (0, 1e6),
    "reads": (0, 1000),
    "writes": (0, 1000),
    "read_rate": (1e-3, 1e12),
    "write_rate": (1e-3, 1e12),
    "bandwidth": (1, 1e15),
    "reclaims": (0, 1e4),
    "crashes": (0, 1e6),
    "price": (0, 1e9),
}
"""least and largest values of assumptions"""


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """Assumptions of a model of a batch; raises InputError for values out of range."""

    workers_per_machine: int = 8
    """one for each core"""
    shared: float = 1.0
    """factor by which an item's seconds grow where all workers of its machine are coding; with
    fewer at work the excess over 1 is in proportion"""
    worker_start: float = 1.5
    """seconds from the start of a process until it works"""
    machine_start: float = 0.0
    """seconds until a machine is there, at first and after a reclaim"""
    supervisor: float = 0.0005
    """seconds of the supervisor for each item, one item at a time"""
    latency: float = 0.1
    """seconds of a request to the store, beside waits and bytes"""
    reads: int = 1
    """read requests of an item, one after the other"""
    writes: int = 1
    """write requests of an item, one after the other"""
    read_rate: float = 5500.0
    """read requests a second that the store grants all workers together"""
    write_rate: float = 3500.0
    """the same of write requests"""
    bandwidth: float = 1.25e9
    """bytes a second of a machine's network, each way, shared by its workers"""
    reclaims: float = 0.0
    """mean number of times that a machine is taken away, in an hour of it"""
    crashes: float = 0.0
    """mean number of tries among a million that cost their worker's process"""
    price: float = 0.05
    """of an hour of a core, in any currency"""

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # so that it fails for NaN too
                words = name.replace("_", "-")
                msg = f"expected {words} to be a number from {least:g} to {most:g}, got {value}"
                raise InputError(msg)

    @property
    def excess(self) -> float:
        """Part by which each other worker of a machine that is coding slows an item."""
        return (self.shared - 1) / max(1, self.workers_per_machine - 1)

    def machines(self, workers: int) -> int:
        """Number of machines for a number of workers; the last one may have fewer."""
        return -(-workers // self.workers_per_machine)


@dataclass(frozen=True)
class Items:
    """Columns of measured items, of equal lengths."""

    seconds: tuple[float, ...]
    """of work on one worker with nothing beside it, each above 0"""
    source_bytes: tuple[float, ...]
    bytes: tuple[float, ...]
    """of outputs"""
    pixels: tuple[float, ...]
    """of outputs, all frames together; 0 where they are not known"""

    def __len__(self) -> int:
        return len(self.seconds)

    def resampled(self, count: int, *, seed: int) -> "Items":
        """So many items drawn with replacement; values of an item stay together."""
        drawn = random.Random(seed).choices(range(len(self)), k=count)
        columns = (self.seconds, self.source_bytes, self.bytes, self.pixels)
        return Items(*(tuple(map(column.__getitem__, drawn)) for column in columns))

    def seconds_in_work(self, assumptions: Assumptions, *, workers: int) -> list[float]:
        """Seconds that one of so many workers has each item, once it was given it, where all are
        coding and no request has to wait for others."""
        a = assumptions
        factor = 1 + a.excess * (min(workers, a.workers_per_machine) - 1)
        fixed = a.latency * (a.reads + a.writes)
        rows = zip(self.seconds, self.source_bytes, self.bytes, strict=True)
        return [s * factor + fixed + (read + kept) / a.bandwidth for s, read, kept in rows]


def read_items(paths: Sequence[Path]) -> Items:
    """Items that were coded, of manifests of `ncodec batch`, in their order.

    Raises InputError for a file that is no such manifest, for seconds that are not above 0 and
    below 10⁹, and where no item was coded. Needs PyArrow.
    """
    rows = [row for path in paths for row in _rows(path)]
    if not rows:
        names = ", ".join(map(str, paths)) or "no manifest"
        msg = f"expected at least one item that was coded, got none: {names}"
        raise InputError(msg)
    return Items(*zip(*rows, strict=True))


def _rows(path: Path) -> list[tuple[float, float, float, float]]:
    """Seconds, bytes of source and output, and pixels of the coded items of a manifest."""
    from ncodec.batch.manifest import FAILED

    table = _table(path)
    found = []
    for state, seconds, source_bytes, size, width, height, frames in zip(
        *(table.column(name).to_pylist() for name in _COLUMNS), strict=True
    ):
        if state == FAILED:
            continue
        if seconds is None or not 0 < seconds < _MOST_SECONDS:
            msg = f"{path}: expected seconds above 0 and below {_MOST_SECONDS:g}, got {seconds}"
            raise InputError(msg)
        read, kept = float(source_bytes or 0), float(size or 0)
        pixels = float((width or 0) * (height or 0) * (frames or 1))
        if min(read, kept, pixels) < 0:
            msg = f"{path}: expected sizes of at least 0, got {min(read, kept, pixels):g}"
            raise InputError(msg)
        found.append((seconds, read, kept, pixels))
    return found


def _table(path: Path) -> "pa.Table":
    """Columns of a manifest; raises InputError for another file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = pa.int64()
    kinds = [pa.string(), pa.float64(), whole, whole, whole, whole, whole]
    schema = pa.schema(list(zip(_COLUMNS, kinds, strict=True)))
    try:
        # By a file object: a path may be taken for a URL or a data set.
        with path.open("rb") as file:
            return pq.read_table(file, columns=list(_COLUMNS)).select(_COLUMNS).cast(schema)
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), "it cannot be read")
        msg = f"{path}: expected a manifest of ncodec batch (manifest.parquet): {reason}"
        raise InputError(msg) from error


def read_measured(path: Path, *, items: int) -> float:
    """Seconds of a run that `ncodec batch --json` printed into a file.

    Raises InputError for another file, and for a run that did not do so many items.
    """
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        seconds, done = float(document["seconds"]), int(document["done"])
    except (OSError, LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        msg = f"{path}: expected what ncodec batch --json prints, with its seconds and items done"
        raise InputError(msg) from error
    if not 0 < seconds < _MOST_SECONDS:
        msg = f"{path}: expected seconds above 0 and below {_MOST_SECONDS:g}, got {seconds}"
        raise InputError(msg)
    if done != items:
        msg = (
            f"{path}: expected a run that did the {items} items of the manifests, got {done}: run "
            f"it again with -f on the same library"
        )
        raise InputError(msg)
    return seconds


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a modelled batch; times are sums over workers, in seconds."""

    workers: int
    wall_s: float
    """from the start of machines until the last item is kept"""
    done: int
    """items that are kept"""
    failed: int
    """items that cost two workers their lives"""
    pixels: float
    """of items that are done"""
    coding_s: float
    """work on items that were finished, as the next three"""
    supervisor_s: float
    """until the supervisor has given the item"""
    store_s: float
    """latency of requests, and waits until the store grants them"""
    network_s: float
    """bytes on the network of a machine, and waits for those of its other workers"""
    reclaims: int
    """machines that were taken away"""
    reclaimed: int
    """tries that were lost with a machine"""
    reclaimed_s: float
    """work on these"""
    crashed: int
    """tries that cost their worker's process"""
    crashed_s: float
    """work on these"""


@dataclass(frozen=True)
class Losses:
    """Mean numbers of what reclaims cost."""

    items: float
    """tries that are lost; each is made again"""
    seconds: float
    """of workers, on these tries"""


def expected_repeats(seconds: float, *, reclaims: float) -> float:
    """Mean number of tries that are lost before an item of so many seconds is done, where machines
    are taken away `reclaims` times in an hour, at random; infinite beyond floating point."""
    try:
        return math.expm1(reclaims / _HOUR_S * seconds)
    except OverflowError:
        return math.inf


def expected_losses(seconds: Iterable[float], *, reclaims: float) -> Losses:
    """Losses until items of so many seconds each are done, on any number of workers."""
    if reclaims == 0:
        return Losses(0.0, 0.0)
    every = list(seconds)
    repeats = [expected_repeats(each, reclaims=reclaims) for each in every]
    # A worker loses a try every 1/rate seconds of work, useful or not: total = repeats / rate.
    total = math.fsum(repeats) * _HOUR_S / reclaims
    return Losses(math.fsum(repeats), max(0.0, total - math.fsum(every)))


def hourly_losses(seconds: Sequence[float], *, workers: int, reclaims: float) -> Losses:
    """Losses in an hour of so many workers that always have an item, for items that are short
    beside the time between reclaims.

    `seconds` are those of any number of typical items, at least one; the mean alone will do where
    all last equally long.
    """
    items = reclaims * workers
    # A moment is met by long items more often: the mean time since their start is this.
    age = math.fsum(each * each for each in seconds) / (2 * math.fsum(seconds))
    return Losses(items, items * age)


def no_reclaim_chance(hours: float, *, machines: int, reclaims: float) -> float:
    """Chance, 0 to 1, that no machine is taken away in so many hours."""
    return math.exp(-reclaims * hours * machines)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A modelled batch in the numbers of a report.

    Shares are parts of the workers' time, 0 to 1.
    """

    workers: int
    machines: int
    wall_s: float
    items_per_s: float
    megapixels_per_s: float
    speedup: float
    """of wall seconds, over one worker"""
    efficiency: float
    """speed-up for each worker"""
    busy: float
    """share of coding"""
    supervisor: float
    """share of waits for the supervisor"""
    store: float
    """share of waits for the store"""
    network: float
    """share of waits for the network of the machine"""
    idle: float
    """share of starts, and of the end, when nothing is left to do"""
    failed: int
    """items that were given up"""
    reclaims: int
    reclaimed: int
    """tries lost with machines"""
    reclaimed_s: float
    """worker-seconds of these"""
    crashed: int
    """tries that cost their worker's process"""
    lost_s: float
    """worker-seconds of all tries that were lost"""
    expected_reclaimed: float
    """mean number of tries lost with machines, by `expected_losses`"""
    expected_reclaimed_s: float
    hourly_reclaimed: float
    """the first for an hour in which every worker has an item, by `hourly_losses`"""
    hourly_reclaimed_s: float
    no_reclaim: float
    """chance of a run without a reclaim"""
    core_hours: float
    """a core for each worker, all the time"""
    cost: float | None
    """of a million megapixels; None where pixels are not known"""


def figures_of(
    outcome: Outcome, *, single: Outcome, items: Items, assumptions: Assumptions
) -> Figures:
    """Figures of a batch, beside that of one worker on the same items."""
    o, a = outcome, assumptions
    machines, hours = a.machines(o.workers), o.wall_s / _HOUR_S
    time = o.workers * o.wall_s
    speedup = single.wall_s / o.wall_s
    lost_s = o.reclaimed_s + o.crashed_s
    spent = o.coding_s + o.supervisor_s + o.store_s + o.network_s + lost_s
    in_work = items.seconds_in_work(a, workers=o.workers)
    losses = expected_losses(in_work, reclaims=a.reclaims)
    hourly = hourly_losses(in_work, workers=o.workers, reclaims=a.reclaims)
    core_hours = o.workers * hours
    return Figures(
        workers=o.workers, machines=machines, wall_s=o.wall_s,
        items_per_s=o.done / o.wall_s, megapixels_per_s=o.pixels / 1e6 / o.wall_s,
        speedup=speedup, efficiency=speedup / o.workers,
        busy=o.coding_s / time, supervisor=o.supervisor_s / time, store=o.store_s / time,
        network=o.network_s / time, idle=max(0.0, 1 - spent / time),
        failed=o.failed, reclaims=o.reclaims, reclaimed=o.reclaimed, reclaimed_s=o.reclaimed_s,
        crashed=o.crashed, lost_s=lost_s,
        expected_reclaimed=losses.items, expected_reclaimed_s=losses.seconds,
        hourly_reclaimed=hourly.items, hourly_reclaimed_s=hourly.seconds,
        no_reclaim=no_reclaim_chance(hours, machines=machines, reclaims=a.reclaims),
        core_hours=core_hours,
        cost=core_hours * a.price / (o.pixels / 1e12) if o.pixels else None,
    )  # fmt: skip
