"""Points of a report on a Ray cluster: a task for each codec and source."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ncodec.batch.ray_pipeline import connect_ray
from ncodec.errors import BackendError
from ncodec.eval.measure import DIED, Runner, Task, measure_source
from ncodec.eval.media import ALL_METRICS, MEDIA
from ncodec.eval.store import Outcome, Point
from ncodec.media.streams import read_bytes
from ncodec.optional import require_modules

_AHEAD = 2
"""tasks of a core that are handed over at once, so that none waits for the driver"""
_LOOK_S = 5.0
"""seconds after which new cores of the cluster are noticed"""


@dataclass(frozen=True)
class _Job:
    """A task and what it needs."""

    task: Task
    versions: dict[str, str]
    """those that its points are stored under"""
    file: Any
    """Ray's reference to the bytes of the source's file"""
    is_second_try: bool = False


def join_cluster(address: str) -> Runner:
    """Join the Ray cluster at an address, or at hand for "auto", and return what does tasks on it.

    Each task takes one core. The bytes of a source's file go to the cluster once, and into a
    temporary file wherever a task works on it, so that machines need no place in common.
    Points have no seconds, because machines differ in kind. A task whose process or machine is lost
    is tried once more, and then has a sentence; so has one of a machine whose codec or metrics are
    of other versions. The runner raises InputError where a source's file cannot be read.

    Raises BackendError where Ray is not installed, and InputError where there is no such cluster.
    """
    require_modules("ray", extra="ray")
    connect_ray(address)
    return _run


def _run(tasks: Sequence[Task]) -> Iterator[tuple[Task, list[Outcome] | str]]:
    import ray

    # Tries are counted here, alike for crashes, lost machines and lack of memory.
    there = ray.remote(num_cpus=1, max_retries=0)(measure_there)
    waiting = _jobs(tasks)
    running: dict[Any, _Job] = {}

    def start(jobs: Iterable[_Job]) -> None:
        for job in jobs:
            running[there.remote(job.task, job.versions, job.file)] = job

    try:
        while True:
            start(islice(waiting, max(0, _room() - len(running))))
            if not running:
                return
            ended, _ = ray.wait(list(running), timeout=_LOOK_S)
            for reference in ended:
                job = running.pop(reference)
                result = _result_of(reference)
                if not isinstance(result, ray.exceptions.RayError):
                    yield job.task, result
                elif job.is_second_try:
                    yield job.task, f"{DIED}: {next(iter(str(result).splitlines()), '')}"
                else:
                    start([replace(job, is_second_try=True)])
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


def _jobs(tasks: Sequence[Task]) -> Iterator[_Job]:
    """Jobs of tasks, source by source, so that few files are held at once."""
    import ray

    versions: dict[tuple[str, str, tuple[str, ...]], dict[str, str]] = {}
    by_source = sorted(tasks, key=lambda task: task[2].key)
    for _, group in groupby(by_source, key=lambda task: task[2].key):
        own = list(group)
        file = ray.put(read_bytes(own[0][2].path))
        for task in own:
            medium, codec, _, _, metrics = task
            wanted = (medium, codec, metrics)
            if wanted not in versions:
                versions[wanted] = versions_of(*wanted)
            yield _Job(task, versions[wanted], file)


def _room() -> int:
    """Number of tasks that the cluster is to hold."""
    import ray

    return _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 0)))


def _result_of(reference: Any) -> Any:
    """Outcomes of a task, "Type: message" of what it raised, or the error of Ray that it ended
    with."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        return f"{type(error.cause).__name__}: {error.cause}"
    except ray.exceptions.RayError as error:
        return error


def versions_of(medium: str, codec: str, metrics: Sequence[str]) -> dict[str, str]:
    """Versions, at this machine, that a codec's figures depend on, by the names of the codec and
    the metrics."""
    whole = MEDIA[medium].codecs[codec]
    return {codec: whole.fingerprint, **{key: ALL_METRICS[key].version for key in metrics}}


def measure_there(task: Task, versions: dict[str, str], file: bytes) -> list[Outcome]:
    """Measure a task at a machine that may have nothing but the bytes of the source's file.

    Raises BackendError where a codec or metric is missing or of another version than in `versions`.
    """
    medium, codec, source, qualities, metrics = task
    _check_versions(medium, codec, metrics, versions)
    with TemporaryDirectory() as folder:
        path = Path(folder) / source.path.name
        path.write_bytes(file)
        outcomes = measure_source(medium, codec, replace(source, path=path), qualities, metrics)
    return [
        replace(outcome, encode_s=None, decode_s=None) if isinstance(outcome, Point) else outcome
        for outcome in outcomes
    ]


def _check_versions(
    medium: str, codec: str, metrics: Sequence[str], expected: dict[str, str]
) -> None:
    host = socket.gethostname()
    measures = [ALL_METRICS[key] for key in metrics]
    absent = [measure.distribution for measure in measures if not measure.available]
    if missing := MEDIA[medium].codecs[codec].missing:
        absent.append(missing)
    if absent:
        msg = f"{host} lacks {', '.join(absent)}: install the same on all machines"
        raise BackendError(msg)
    found = versions_of(medium, codec, metrics)
    for name, version in expected.items():
        if found[name] != version:
            msg = (
                f"expected {name} of the driver's version, {version}, got {found[name]} on {host}: "
                f"install the same versions on all machines"
            )
            raise BackendError(msg)
