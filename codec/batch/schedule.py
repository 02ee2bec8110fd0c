"""Schedules: units of a batch, and those that follow once others are done."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ncodec.batch.manifest import FAILED, Row
from ncodec.batch.units import Unit


@dataclass(frozen=True)
class Planned:
    """Result of a unit: its item is to be worked on in jobs."""

    item: str
    unit: Unit
    jobs: tuple[int, ...]
    """numbers of the jobs that are left"""
    seconds: float = 0.0


@dataclass(frozen=True)
class JobDone:
    """Result of a unit: a job is done."""

    item: str
    seconds: float = 0.0


Result = Row | Planned | JobDone


@dataclass
class _Open:
    """An item whose jobs are at work."""

    unit: Unit
    left: int
    seconds: float


class Schedule:
    """Units in order; jobs of items that are begun come before items that are not."""

    def __init__(self, units: Iterator[Unit]) -> None:
        self._units = units
        self._following: deque[Unit] = deque()
        self._open: dict[str, _Open] = {}
        self._ended: dict[str, Unit] = {}
        self._failed: set[str] = set()
        """items that were given up while their jobs were at work"""
        self.jobs = self.jobs_done = 0
        """jobs of items that are begun, and those of them that are done with"""

    def next(self) -> Unit | None:
        """The next unit, None where there is none now: more may follow from results."""
        return self._following.popleft() if self._following else next(self._units, None)

    def take(self, result: Result) -> Row | None:
        """Take the result of a unit; returns the row of an item that is done with."""
        if result.item in self._failed:
            return None
        if isinstance(result, Planned):
            jobs = (replace(result.unit, job=number) for number in result.jobs)
            self._following.extend(jobs)
            self.jobs += len(result.jobs)
            self._open[result.item] = _Open(result.unit, len(result.jobs), result.seconds)
            self._finish_if_done(result.item)
            return None
        if isinstance(result, JobDone):
            of_item = self._open[result.item]
            of_item.left -= 1
            self.jobs_done += 1
            of_item.seconds += result.seconds
            self._finish_if_done(result.item)
            return None
        if result.item not in self._open:
            return result
        of_item = self._open.pop(result.item)
        self._ended[result.item] = of_item.unit
        if of_item.left and result.state == FAILED:
            self._failed.add(result.item)
            self.jobs_done += of_item.left
            self._following = deque(unit for unit in self._following if unit.name != result.item)
        return replace(result, seconds=result.seconds + of_item.seconds)

    def ended(self, item: str) -> Unit | None:
        """The unit of an item whose jobs have ended, once; None for other items."""
        return self._ended.pop(item, None)

    def _finish_if_done(self, item: str) -> None:
        of_item = self._open[item]
        if not of_item.left:
            self._following.appendleft(replace(of_item.unit, is_last=True))


def rows_of(results: Iterable[Result], schedule: Schedule) -> Iterator[Row | None]:
    """Rows of items as they are done with, and None for other results, while the schedule takes
    results."""
    for result in results:
        yield schedule.take(result)
