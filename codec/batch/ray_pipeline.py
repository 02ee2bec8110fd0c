"""Batches on a cluster: a pipeline of Ray Data, whose actors each have a worker's process."""

import logging
import pickle
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ncodec.batch.manifest import Row
from ncodec.batch.process import Limits, Pool
from ncodec.batch.schedule import Result, Schedule, rows_of
from ncodec.batch.task import Task
from ncodec.batch.units import Unit
from ncodec.errors import InputError, NcodecError, sentence_of
from ncodec.optional import require_modules

AUTO = "auto"
"""the cluster that this machine belongs to, else one of this machine alone"""
_LARGEST_POOL = 100_000
_BLOCKS_PER_ACTOR, _LEAST_BLOCKS, _IN_BLOCK, _MOST_BLOCKS = 64, 256, 16, 10_000
"""blocks of units, which actors work on in one go: so many for each actor that all end together,
some for actors that come, and beyond that of 16 units, up to so many in all; jobs are long, and
each is a block"""
_GPU_SHARE = 0.25
"""of a GPU that an actor takes: much of its work is on the CPU"""
_ANSWER_S = 10.0


class _Actor:
    """Actor that works on units in a child process, so that a crash or hang costs one item, not the
    actor."""

    def __init__(self, task: Task, target: str, limits: Limits) -> None:
        self._pool = Pool(task, target, jobs=1, limits=limits)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Pickled results of pickled units: Ray keeps columns of bytes as they are."""
        units = iter([pickle.loads(unit) for unit in batch["unit"]])
        found = self._pool.run(partial(next, units, None))
        return {"result": [pickle.dumps(result) for result in found]}


def run_on_ray(
    schedule: Schedule,
    task: Task,
    target: str,
    *,
    address: str,
    jobs: int | None,
    limits: Limits,
) -> Iterator[Row | None]:
    """Rows of the items of a schedule, as actors of a cluster finish them, None for other results.

    `address` is "auto" or that of a cluster; `jobs` is the number of actors, None for as many as
    the cluster has cores for, now or later. Workers and their machines may come and go. The driver
    holds units and rows alone: items go from their store to the actors, and outputs to the target,
    which all machines see. Actors of a task that runs on PyTorch take a quarter of a GPU each, if
    the cluster has any. Jobs of clips that are split are a second pipeline, and their outputs a
    third. Raises BackendError where Ray is not installed, and InputError where there is no such
    cluster.
    """
    require_modules("ray", extra="ray")
    is_connected = False
    while work := list(iter(schedule.next, None)):
        if not is_connected:
            connect_ray(address)
            is_connected = True
        yield from rows_of(_results(work, (task, target, limits), jobs), schedule)


def _results(
    units: Sequence[Unit], arguments: tuple[Task, str, Limits], jobs: int | None
) -> Iterator[Result]:
    """Results of units, by a pool of actors made of these arguments."""
    import ray

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    work = [{"unit": pickle.dumps(unit)} for unit in units]
    blocks = len(work)
    if not any(unit.job or unit.is_last for unit in units):
        actors = jobs or int(ray.cluster_resources().get("CPU", 0))
        blocks = max(_BLOCKS_PER_ACTOR * actors, _LEAST_BLOCKS, len(work) // _IN_BLOCK)
    blocks = min(blocks, len(work), _MOST_BLOCKS)
    found = ray.data.from_items(work, override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=arguments,
        batch_size=len(work) // blocks,
        compute=ray.data.ActorPoolStrategy(min_size=jobs or 1, max_size=jobs or _LARGEST_POOL),
        num_cpus=1,
        num_gpus=_GPU_SHARE if arguments[0].uses_gpu and ray.cluster_resources().get("GPU") else 0,
    )
    try:
        for record in found.iter_rows():
            yield pickle.loads(record["result"])
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, NcodecError):
            raise error.cause from error
        raise


def connect_ray(address: str) -> None:
    """Join a cluster, or begin one of this machine; raises InputError where there is none."""
    import ray

    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == AUTO:
        with suppress(ConnectionError):
            ray.init(address=AUTO, **quiet)
            return
        ray.init(include_dashboard=False, **quiet)
        return
    _check_reachable(address)
    ray.init(address=address, **quiet)


def _check_reachable(address: str) -> None:
    """Raise InputError where nobody answers at an address, to which Ray would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, ValueError) as error:
        msg = f"expected the address of a Ray cluster, got {address}: {sentence_of(error)}"
        raise InputError(msg) from error
