"""Discrete-event model of a batch on any number of workers."""

import random
from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass, field

import simpy

from ncodec.errors import InputError
from ncodec.eval.scale import Assumptions, Items, Outcome

Events = Generator[simpy.Event, object, None]
_MOST_LOSSES = 10
"""starts of workers that reclaims may undo, on average for each item and worker"""


def simulate(items: Items, assumptions: Assumptions, *, workers: int, seed: int = 0) -> Outcome:
    """Let so many workers, at least one, do all items in their order.

    A worker waits for the supervisor, reads, codes and writes an item; then it asks for the next
    one. What a reclaim interrupts is done again by the next worker that is free. What costs a
    worker's process is tried once more: where there is one machine, with nothing else at work after
    all others, else by the next worker that is free. Raises InputError for no worker or no item,
    and where reclaims are so frequent that the items would hardly ever be done.
    """
    if workers < 1 or not len(items):
        msg = f"expected at least one worker and one item, got {workers} and {len(items)}"
        raise InputError(msg)
    return _Batch(items, assumptions, workers, seed).run()


@dataclass
class _Line:
    """Something that serves one at a time, in the order in which it is asked."""

    free: float = 0.0
    """when it has served all that have asked"""

    def turn(self, now: float, seconds: float) -> float:
        """When the turn comes of somebody who asks at `now`, to be served for so many seconds.

        Calls have to be in the order of `now`. Then a turn needs no event, as it would with SimPy's
        resources, which keeps a million items within seconds.
        """
        begin = max(now, self.free)
        self.free = begin + seconds
        return begin


@dataclass
class _Machine:
    """Workers that share memory, and a network that carries bytes both ways at once."""

    workers: list[simpy.Process] = field(default_factory=list)
    coding: int = 0
    """workers that code at this moment"""
    inwards: _Line = field(default_factory=_Line)
    outwards: _Line = field(default_factory=_Line)


@dataclass
class _Hand:
    """Item of a worker."""

    item: int | None = None
    given: float = 0.0
    """when the supervisor gives it, which may be later"""


class _Batch:
    """State of a batch at work."""

    def __init__(self, items: Items, assumptions: Assumptions, workers: int, seed: int) -> None:
        self._items, self._a = items, assumptions
        self._workers = workers
        self._random = random.Random(seed)
        self._env = simpy.Environment()
        self._over, self._more = self._env.event(), self._env.event()
        self._supervisor, self._reading, self._writing = _Line(), _Line(), _Line()
        machines = [_Machine() for _ in range(assumptions.machines(workers))]
        self._has_cluster = len(machines) > 1
        self._excess = assumptions.excess
        self._fresh = 0
        """items that were given out"""
        self._again: deque[int] = deque()
        """items that were lost, to be done next"""
        self._aside: deque[int] = deque()
        """items that are to be tried again when nothing else is at work"""
        self._at_work = 0
        self._crashes: Counter[int] = Counter()
        """by item"""
        self._done = self._failed = self._reclaims = self._reclaimed = self._undone = 0
        self._pixels = self._reclaimed_s = self._crashed_s = 0.0
        self._coding_s = self._supervisor_s = self._store_s = self._network_s = 0.0
        for n in range(workers):
            machine = machines[n // assumptions.workers_per_machine]
            machine.workers.append(self._env.process(self._live(machine)))
        if assumptions.reclaims:
            for machine in machines:
                self._env.process(self._take_away(machine))

    def run(self) -> Outcome:
        self._env.run(until=self._over)
        return Outcome(
            workers=self._workers, wall_s=self._env.now, done=self._done, failed=self._failed,
            pixels=self._pixels, coding_s=self._coding_s, supervisor_s=self._supervisor_s,
            store_s=self._store_s, network_s=self._network_s, reclaims=self._reclaims,
            reclaimed=self._reclaimed, reclaimed_s=self._reclaimed_s,
            crashed=self._crashes.total(), crashed_s=self._crashed_s,
        )  # fmt: skip

    def _live(self, machine: _Machine) -> Events:
        """A worker, from its start on, and anew after each reclaim of its machine."""
        hand = _Hand()
        while True:
            try:
                yield self._env.timeout(self._a.machine_start + self._a.worker_start)
                while True:
                    yield from self._turn(machine, hand)
            except simpy.Interrupt:
                self._undone += 1
                if hand.item is not None:
                    self._reclaimed += self._env.now > hand.given
                    self._reclaimed_s += max(0.0, self._env.now - hand.given)
                    self._lose(hand, hand.item, self._again)

    def _turn(self, machine: _Machine, hand: _Hand) -> Events:
        """An item of a worker, or a wait until there may be one."""
        hand.item = item = self._next()
        if item is None:
            yield self._more
            return
        env, a, items = self._env, self._a, self._items
        asked = env.now
        # Calls of these lines are in order, as the supervisor gives one item after the other.
        given = self._supervisor.turn(asked, a.supervisor) + a.supervisor
        hand.given = given
        found = self._reading.turn(given, a.reads / a.read_rate) + a.reads * a.latency
        transfer = items.source_bytes[item] / a.bandwidth
        read = machine.inwards.turn(found, transfer) + transfer
        yield env.timeout(read - asked)
        seconds = items.seconds[item] * (1 + self._excess * machine.coding)
        machine.coding += 1
        if a.crashes and self._random.random() < a.crashes / 1e6:
            yield env.timeout(seconds * self._random.random())
            machine.coding -= 1
            self._crash(hand, item)
            yield env.timeout(a.worker_start)
            return
        yield env.timeout(seconds)
        machine.coding -= 1
        coded = env.now
        granted = self._writing.turn(coded, a.writes / a.write_rate) + a.writes * a.latency
        transfer = items.bytes[item] / a.bandwidth
        sent = machine.outwards.turn(granted, transfer) + transfer
        yield env.timeout(sent - coded)
        self._coding_s += seconds
        self._supervisor_s += given - asked
        self._store_s += found - given + granted - coded
        self._network_s += read - found + sent - granted
        self._pixels += items.pixels[item]
        self._done += 1
        self._end(hand)

    def _next(self) -> int | None:
        """An item for a worker that is free."""
        if self._again:
            item = self._again.popleft()
        elif self._fresh < len(self._items):
            item = self._fresh
            self._fresh += 1
        elif self._aside and not self._at_work:
            item = self._aside.popleft()
        else:
            return None
        self._at_work += 1
        return item

    def _end(self, hand: _Hand) -> None:
        """An item is done, or is given up."""
        hand.item = None
        self._at_work -= 1
        if self._done + self._failed == len(self._items):
            self._over.succeed()

    def _lose(self, hand: _Hand, item: int, queue: deque[int]) -> None:
        """A worker's item goes into a queue; work on it was in vain."""
        queue.append(item)
        hand.item = None
        self._at_work -= 1
        self._more.succeed()
        self._more = self._env.event()

    def _crash(self, hand: _Hand, item: int) -> None:
        """An item costs its worker's process."""
        self._crashes[item] += 1
        self._crashed_s += self._env.now - hand.given
        if self._crashes[item] == 1:
            self._lose(hand, item, self._again if self._has_cluster else self._aside)
        else:
            self._failed += 1
            self._end(hand)

    def _take_away(self, machine: _Machine) -> Events:
        """Reclaims of a machine; another one comes in its place."""
        yield self._env.timeout(self._a.machine_start)
        while True:
            yield self._env.timeout(self._random.expovariate(self._a.reclaims / 3600))
            self._check_progress()
            self._reclaims += 1
            machine.coding, machine.inwards, machine.outwards = 0, _Line(), _Line()
            for worker in machine.workers:
                worker.interrupt()
            yield self._env.timeout(self._a.machine_start)

    def _check_progress(self) -> None:
        if self._undone > _MOST_LOSSES * (len(self._items) + self._workers):
            msg = (
                f"expected machines to last long enough for items, got {self._a.reclaims:g} "
                f"reclaims in a machine-hour, with which {self._done} of {len(self._items)} items "
                f"were done in {self._env.now / 3600:.1f} hours: lower it, or the start of workers"
            )
            raise InputError(msg)
