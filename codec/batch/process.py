"""Processes of a batch: workers that may crash, hang or take all memory, and their supervisor."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from ncodec.batch.manifest import FAILED, Row
from ncodec.batch.schedule import Result
from ncodec.batch.task import Task
from ncodec.batch.units import Unit
from ncodec.errors import BackendError, OutputError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_BEAT_S = 0.5
"""least seconds between two signs of life"""
_START_S = 120.0
"""least seconds that the start of a process may take"""
_STILLBORN = 5
_END_S = 5.0
"""seconds in which a worker without work has to end by itself"""
_LOOK_S = 0.5
"""seconds between two looks at workers"""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of work on an item, beyond which its worker is stopped."""

    silence: float = 600.0
    """seconds without progress"""
    memory: int | None = None
    """bytes of the worker's process; None for no bound"""


@dataclass(frozen=True)
class _Ready:
    """Message of a worker that its process has started."""


@dataclass(frozen=True)
class _Begun:
    """Message of a worker that it has begun an item, or makes progress on it."""

    item: str


@dataclass(frozen=True)
class _Finished:
    """Message of a worker that it has finished its unit."""


@dataclass(frozen=True)
class _Broken:
    """Message of a worker that the target cannot be written."""

    reason: str


@dataclass
class _Hand:
    """A process that works on units."""

    process: "BaseProcess"
    connection: Connection
    is_ready: bool = False
    unit: Unit | None = None
    item: str = ""
    heard: float = field(default_factory=time.monotonic)
    """when it last gave a sign of life"""
    rows: list[str] = field(default_factory=list)
    """items of its unit whose results it gave"""


class Pool:
    """Workers in processes, which live as long as the pool, unless they have to be replaced; a
    context manager.

    An item that costs its worker's life is tried once more when nothing else is at work, and has a
    row that says what happened if it costs another one.
    """

    def __init__(self, task: Task, target: str, *, jobs: int, limits: Limits) -> None:
        self._task, self._target, self._jobs, self._limits = task, target, jobs, limits
        self._hands: list[_Hand] = []
        self._again: deque[Unit] = deque()
        self._stillborn = 0
        """processes in a row that ended before they could work"""

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            if hand.unit is None:
                hand.connection.close()  # it ends by itself
        for hand in self._hands:
            if hand.unit is None:
                hand.process.join(_END_S)
            _stop(hand)
        self._hands.clear()

    def run(self, units: Callable[[], Unit | None]) -> Iterator[Result]:
        """Results of units, as they come; `units` gives the next unit, or None where there is none
        until further results are taken.

        Raises OutputError where the target cannot be written.
        """
        yield from self._run(units, jobs=self._jobs)
        while self._again:
            alone = iter([self._again.popleft()])
            yield from self._run(partial(next, alone, None), jobs=1)
            yield from self._run(units, jobs=self._jobs)

    def _run(self, units: Callable[[], Unit | None], *, jobs: int) -> Iterator[Result]:
        """Results of units; a unit whose worker died goes to `_again`, and an item that cost two
        lives is marked there. Raises OutputError where the target cannot be written.
        """
        while True:
            while sum(hand.unit is not None for hand in self._hands) < jobs:
                unit = units()
                if unit is None:
                    break
                self._give(unit)
            busy = [hand for hand in self._hands if hand.unit is not None]
            if not busy:
                return
            ready = wait([hand.connection for hand in busy], timeout=_LOOK_S)
            for hand in busy:
                if hand.connection in ready:
                    yield from self._heard(hand)
                else:
                    yield from self._check(hand)

    def _give(self, unit: Unit) -> None:
        """Let an idle worker, or a new one, work on a unit."""
        hand = next((hand for hand in self._hands if hand.unit is None), None)
        if hand is None or not hand.process.is_alive():
            if hand is not None:
                self._hands.remove(hand)
            hand = self._started()
        hand.unit, hand.item, hand.rows = unit, "", []
        hand.heard = time.monotonic()
        if hand.is_ready:
            _send(hand)

    def _started(self) -> _Hand:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, self._task, self._target), daemon=True
        )
        process.start()
        theirs.close()
        self._hands.append(_Hand(process, ours))
        return self._hands[-1]

    def _heard(self, hand: _Hand) -> Iterator[Result]:
        try:
            event = hand.connection.recv()
        except (EOFError, OSError):
            hand.process.join(5)
            yield from self._lost(hand, _death(hand.process.exitcode))
            return
        hand.heard = time.monotonic()
        if isinstance(event, _Ready):
            hand.is_ready, self._stillborn = True, 0
            _send(hand)
        elif isinstance(event, _Begun):
            hand.item = event.item
        elif isinstance(event, _Finished):
            hand.unit = None
        elif isinstance(event, _Broken):
            raise OutputError(event.reason)
        elif isinstance(event, Row):
            hand.rows.append(event.item)
            if event.state == FAILED:  # further jobs of its item have no use
                kept = (unit for unit in self._again if unit.job is None or unit.name != event.item)
                self._again = deque(kept)
            yield replace(event, tries=_tries(hand.unit, event.item))
        else:
            hand.rows.append(event.item)
            yield event

    def _check(self, hand: _Hand) -> Iterator[Row]:
        """Stop a worker that is beyond a limit."""
        if hand.connection.poll():  # it was heard since
            return
        silence = self._limits.silence
        if not hand.is_ready:
            silence = max(silence, _START_S)
        if time.monotonic() - hand.heard > silence:
            reason = f"no progress in {silence:g} s"
        elif self._limits.memory is not None and _memory(hand.process) > self._limits.memory:
            reason = f"more than {self._limits.memory:,} bytes of memory"
        else:
            return
        yield from self._lost(hand, reason)

    def _lost(self, hand: _Hand, reason: str) -> Iterator[Row]:
        """Put the unit of a worker that is no more aside, or give its item up."""
        _stop(hand)
        self._hands.remove(hand)
        unit = hand.unit
        if unit is None:
            return
        if not hand.is_ready:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN:
                msg = f"expected worker processes to start, got {_STILLBORN} that did not: {reason}"
                raise BackendError(msg)
            self._again.append(unit)
            return
        if unit.output is None:
            unit = replace(unit, finished=unit.finished | {*hand.rows})
        whole = unit.shard or unit.entries[0].item
        item = hand.item or whole.name
        lost = unit.lost.get(item, 0) + 1
        error = f"its worker was lost twice: {reason}"
        if item in unit.hopeless or (item == whole.name and unit.shard and lost > 1):
            yield Row(whole.name, whole.place, whole.tag, FAILED, error=error, tries=lost)
            return
        if lost > 1:
            unit = replace(unit, hopeless={**unit.hopeless, item: error})
        self._again.append(replace(unit, lost={**unit.lost, item: lost}))


def _tries(unit: Unit | None, item: str) -> int:
    """Number of tries of an item that has a row."""
    if unit is None:
        return 1
    return unit.lost.get(item, 0) + (item not in unit.hopeless)


def _send(hand: _Hand) -> None:
    """Send a worker its unit; one that has ended since is noticed when it is listened to."""
    with suppress(OSError):
        hand.connection.send(hand.unit)


def _work(connection: Connection, task: Task, target: str) -> None:
    """Main function of a worker's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from ncodec.batch.worker import Worker

    worker = Worker(task, target)
    connection.send(_Ready())
    said = ("", 0.0)

    def begin(item: str) -> None:
        nonlocal said
        now = time.monotonic()
        if item != said[0] or now - said[1] > _BEAT_S:
            said = (item, now)
            connection.send(_Begun(item))

    while True:
        try:
            unit = connection.recv()
        except EOFError:  # the supervisor has no more work
            worker.close()
            return
        try:
            for result in worker.run(unit, begin):
                connection.send(result)
        except (OutputError, OSError) as error:
            connection.send(_Broken(str(error)))
            return
        connection.send(_Finished())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _stop(hand: _Hand) -> None:
    hand.process.kill()
    hand.process.join()
    hand.connection.close()


def _death(code: int | None) -> str:
    """How a process ended."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", as where memory runs out" if name == "SIGKILL" else "")
    return f"it ended with exit code {code}"


def _memory(process: "BaseProcess") -> int:
    """Bytes of memory of a process."""
    import psutil

    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:
        return 0
