"""Codecs over pictures: every point measured once, in as many processes as asked for."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import numpy as np

from ncodec.errors import InputError
from ncodec.eval.codecs.base import Codec
from ncodec.eval.media import ALL_METRICS, CLIPS, MEDIA, PICTURES, Medium, Source
from ncodec.eval.store import Failure, Outcome, Point, Store

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")
Task = tuple[str, str, Source, tuple[float, ...], tuple[str, ...]]
"""medium, codec, source, qualities and metrics of the points that one process measures in turn"""
Runner = Callable[[Sequence[Task]], Iterator[tuple[Task, list[Outcome] | str]]]
"""does tasks, and gives each with its outcomes as it ends, or with a sentence that says why it has
none"""
DIED = "the process of the codec died"
"""result of a task that cost two processes their lives"""


@dataclass(frozen=True)
class Measured:
    """Outcomes of one codec, by source and quality."""

    codec: Codec[Any]
    outcomes: dict[str, list[Outcome]]
    """by the name of the source, in the order of the codec's qualities"""


def find_files(paths: Sequence[Path]) -> tuple[Medium, list[Path]]:
    """Medium and paths of the files named, and of pictures and clips directly inside the folders
    named.

    Files in a folder are chosen by suffix and sorted. The medium is clips where all suffixes are
    those of clips, and pictures where none is. Raises InputError for no file at all, and for both.
    """
    found: list[Path] = []
    for path in paths:
        known = PICTURES.suffixes | CLIPS.suffixes
        found += (
            sorted(p for p in path.iterdir() if p.suffix.lower() in known)
            if path.is_dir()
            else [path]
        )
    if not found:
        msg = f"expected pictures or clips in {', '.join(map(str, paths))}, got none"
        raise InputError(msg)
    clips = [path for path in found if path.suffix.lower() in CLIPS.suffixes]
    if clips and len(clips) < len(found):
        msg = (
            f"expected pictures or clips, got both: {next(p for p in found if p not in clips)} and "
            f"{clips[0]}"
        )
        raise InputError(msg)
    return CLIPS if clips else PICTURES, found


def load_sources(
    medium: Medium, paths: Sequence[Path], *, frames: int = 1
) -> tuple[list[Source], list[str]]:
    """Sources in the order given, named apart even where their files share a name, and why others
    cannot be read.

    Of clips, at most so many frames are taken. Raises InputError when no source is left.
    """
    sources: list[Source] = []
    unreadable: list[str] = []
    for path in paths:
        name, taken = path.name, {s.name for s in sources}
        if name in taken:
            name = f"{path.parent.name}/{path.name}"
        number = 2
        while name in taken:
            name, number = f"{path.name} ({number})", number + 1
        try:
            sources.append(medium.load(path, name, frames))
        except InputError as error:
            unreadable.append(str(error))
    if not sources:
        msg = (
            f"expected at least one of the {medium.name} to be readable, got none; {unreadable[0]}"
        )
        raise InputError(msg)
    return sources, unreadable


def measure_point(
    codec: Codec[Any], content: Any, quality: float, metrics: Sequence[str]
) -> Outcome:
    """Encode one picture or clip at a quality, decode it and measure it; never raises.

    Returns a Point with bytes, seconds and the metrics named, or, after any exception, of a metric
    too, a Failure with "Type: message".
    """
    try:
        coded = codec.run(content, quality)
        seen = {key: ALL_METRICS[key].measure(content, coded.decoded) for key in metrics}
    except Exception as error:  # each codec's library raises its own
        return Failure(quality, f"{type(error).__name__}: {error}")
    return Point(quality, coded.size, seen, coded.encode_s, coded.decode_s)


def due(codec: Codec[Any], quality: float, metrics: Sequence[str]) -> list[str]:
    """Metrics that are measured at a quality of a codec; all at its lowest and highest."""
    count = len(codec.qualities)
    place = codec.qualities.index(quality)

    def is_due(most: int | None) -> bool:
        return most is None or most >= count or place in np.linspace(0, count - 1, most).round()

    return [key for key in metrics if is_due(ALL_METRICS[key].most)]


def measure_source(
    medium: str, codec: str, source: Source, qualities: tuple[float, ...], metrics: tuple[str, ...]
) -> list[Outcome]:
    """Measure a codec on a source at each of the qualities; raises InputError for a source that
    cannot be read."""
    content, whole = MEDIA[medium].read(source), MEDIA[medium].codecs[codec]
    return [
        measure_point(whole, content, quality, due(whole, quality, metrics))
        for quality in qualities
    ]


def run_in_pool(
    work: Callable[[*Arguments], Result],
    tasks: Sequence[tuple[*Arguments]],
    jobs: int,
    *,
    fresh: bool = False,
) -> Iterator[tuple[tuple[*Arguments], Result | str]]:
    """Call `work` with each tuple of arguments in `jobs` processes; yields tasks with results as
    they end.

    The result of a task that raises is the string "Type: message". Tasks whose process died are run
    again, each alone, and get the string `DIED` if it dies again. `fresh` gives each task a
    process of its own. Functions, arguments and results have to be picklable.
    """
    lost = []
    with _pool(jobs, fresh=fresh) as pool:
        futures = {pool.submit(work, *task): task for task in tasks}
        try:
            for future in as_completed(futures):
                try:
                    yield futures[future], _result_of(future)
                except BrokenProcessPool:
                    lost.append(futures[future])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for task in lost:
        with _pool(1, fresh=fresh) as pool:
            try:
                yield task, _result_of(pool.submit(work, *task))
            except BrokenProcessPool:
                yield task, DIED


def _result_of(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # each codec's library raises its own
        return f"{type(error).__name__}: {error}"


def _pool(jobs: int, *, fresh: bool) -> ProcessPoolExecutor:
    # One thread for each codec: matrix products whose threads outnumber the cores wait for each
    # other for minutes.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    # Forked copies of a process that runs threads of its own can hang.
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), max_tasks_per_child=1 if fresh else None
    )


def measure(
    medium: Medium,
    sources: Sequence[Source],
    codecs: Sequence[Codec[Any]],
    *,
    metrics: Sequence[str],
    store: Store,
    jobs: int,
    advance: Callable[[int], None],
    runner: Runner | None = None,
) -> list[Measured]:
    """Measure every codec on every source at every quality, in `jobs` processes or by `runner`;
    returns one Measured for each codec, in order.

    Points in `store` are not measured again, and sources with the same pixels once. A failure
    becomes a Failure, which is not stored, so that it is tried again. A metric may skip qualities
    (`due`). `advance` is called with the number of points each step settled, stored and failed ones
    included. After an interruption, which is raised, what was measured is in `store`.
    """
    pictures = {source.key: source for source in sources}  # the same pixels twice are measured once
    found: dict[tuple[str, str], dict[float, Outcome]] = {}
    todo: dict[Task, Codec[Any]] = {}
    for codec in codecs:
        for key, source in pictures.items():
            known: dict[float, Outcome] = {}
            for quality in codec.qualities:
                wanted = due(medium.codecs[codec.name], quality, metrics)
                point = store.points(codec, key, wanted).get(quality)
                if point is not None:
                    known[quality] = replace(
                        point, metrics={name: point.metrics[name] for name in wanted}
                    )
            found[codec.name, key] = known
            lacking = tuple(quality for quality in codec.qualities if quality not in known)
            advance(len(codec.qualities) - len(lacking))
            if lacking:
                todo[medium.name, codec.name, source, lacking, tuple(metrics)] = codec
    run = runner or partial(run_in_pool, measure_source, jobs=jobs)
    for task, result in run(list(todo)):
        codec, key = todo[task], task[2].key
        outcomes = (
            [Failure(quality, result) for quality in task[3]] if isinstance(result, str) else result
        )
        store.add(codec, key, [o for o in outcomes if isinstance(o, Point)])
        found[codec.name, key] |= {outcome.quality: outcome for outcome in outcomes}
        advance(len(outcomes))
    return [
        Measured(
            codec, {s.name: [found[codec.name, s.key][q] for q in codec.qualities] for s in sources}
        )
        for codec in codecs
    ]
