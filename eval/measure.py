"""Codecs over pictures: every point measured once, in as many processes as asked for."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import numpy as np

from ncodec.api import load_picture
from ncodec.errors import InputError
from ncodec.eval.codecs import CODECS, Codec
from ncodec.eval.metrics import METRICS
from ncodec.eval.store import Failure, Outcome, Point, Store, picture_key
from ncodec.files import PICTURE_SUFFIXES
from ncodec.picture import Picture, Pixels

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Source:
    """A picture that codecs are measured on."""

    name: str
    path: Path
    width: int
    height: int
    key: str
    alpha: bool
    """whether it has an alpha plane, which is left out"""


@dataclass(frozen=True)
class Measured:
    """Everything about one codec: an outcome for each quality of each picture."""

    codec: Codec
    outcomes: dict[str, list[Outcome]]
    """by the name of the picture, in the order of the codec's qualities"""


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Picture files, and those directly inside folders, sorted; raises InputError when there is none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES) if path.is_dir() else [path]
        found += inside
    if not found:
        msg = f"expected pictures in {', '.join(map(str, paths))}, got none"
        raise InputError(msg)
    return found


def load_sources(paths: Sequence[Path]) -> tuple[list[Source], list[str]]:
    """Pictures in the order given, named apart even where their files share a name, and why others cannot be read.

    Raises InputError when none is left.
    """
    sources: list[Source] = []
    unreadable: list[str] = []
    for path in paths:
        try:
            picture = load_picture(path)
        except InputError as error:
            unreadable.append(str(error))
            continue
        pixels = _rgb(picture)
        name, taken = path.name, {s.name for s in sources}
        if name in taken:
            name = f"{path.parent.name}/{path.name}"
        number = 2
        while name in taken:
            name, number = f"{path.name} ({number})", number + 1
        height, width, _ = pixels.shape
        sources.append(Source(name, path, width, height, picture_key(pixels), picture.alpha is not None))
    if not sources:
        msg = f"expected at least one picture that can be read, got none; {unreadable[0]}"
        raise InputError(msg)
    return sources, unreadable


def read_pixels(path: Path) -> Pixels:
    """A picture as (H, W, 3) uint8 RGB, without alpha; raises InputError."""
    return _rgb(load_picture(path))


def _rgb(picture: Picture) -> Pixels:
    shape = (*picture.pixels.shape[:2], 3)
    return np.ascontiguousarray(np.broadcast_to(picture.pixels, shape))


def measure_point(codec: Codec, pixels: Pixels, quality: float, metrics: Sequence[str]) -> Outcome:
    """Encode, decode and compare; whatever a library raises becomes a failure with its sentence."""
    try:
        start = time.perf_counter()
        data = codec.encode(pixels, quality)
        middle = time.perf_counter()
        decoded = codec.decode(data)[: pixels.shape[0], : pixels.shape[1]]
        end = time.perf_counter()
        if decoded.shape != pixels.shape:
            return Failure(quality, f"expected {pixels.shape[1]}×{pixels.shape[0]} pixels back, got {decoded.shape}")
        seen = {key: METRICS[key].measure(pixels, decoded) for key in metrics}
    except Exception as error:  # each codec's library raises its own
        return Failure(quality, f"{type(error).__name__}: {error}")
    return Point(quality, len(data), seen, middle - start, end - middle)


def _measure_picture(
    codec_name: str, source: Source, qualities: Sequence[float], metrics: Sequence[str]
) -> list[Outcome]:
    pixels = read_pixels(source.path)
    return [measure_point(CODECS[codec_name], pixels, quality, metrics) for quality in qualities]


def run_in_pool(
    work: Callable[[*Arguments], Result], tasks: Sequence[tuple[*Arguments]], jobs: int
) -> Iterator[tuple[tuple[*Arguments], Result | str]]:
    """Each task with its result, or with a sentence when it failed, as they are done in several processes.

    A library that takes its process down fails its own task alone.
    """
    lost = []
    with _pool(jobs) as pool:
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
        with _pool(1) as pool:
            try:
                yield task, _result_of(pool.submit(work, *task))
            except BrokenProcessPool:
                yield task, "the process of the codec died"


def _result_of(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # each codec's library raises its own
        return f"{type(error).__name__}: {error}"


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Forked copies of a process that runs threads of its own can hang.
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def measure(
    sources: Sequence[Source],
    codecs: Sequence[Codec],
    *,
    metrics: Sequence[str],
    store: Store,
    jobs: int,
    advance: Callable[[int], None],
) -> list[Measured]:
    """Every codec on every picture at every quality; what the store knows is not measured again.

    `advance` is told how many points each step has settled. An interruption keeps what is measured.
    """
    pictures = {source.key: source for source in sources}  # the same pixels twice are measured once
    found: dict[tuple[str, str], dict[float, Outcome]] = {}
    todo: dict[tuple[str, Source, tuple[float, ...], tuple[str, ...]], Codec] = {}
    for codec in codecs:
        for key, source in pictures.items():
            known: dict[float, Outcome] = dict(store.points(codec, key, metrics))
            found[codec.name, key] = known
            lacking = tuple(quality for quality in codec.qualities if quality not in known)
            advance(len(codec.qualities) - len(lacking))
            if lacking:
                todo[codec.name, source, lacking, tuple(metrics)] = codec
    for task, result in run_in_pool(_measure_picture, list(todo), jobs):
        codec, key = todo[task], task[1].key
        outcomes = [Failure(quality, result) for quality in task[2]] if isinstance(result, str) else result
        store.add(codec, key, [o for o in outcomes if isinstance(o, Point)])
        found[codec.name, key] |= {outcome.quality: outcome for outcome in outcomes}
        advance(len(outcomes))
    return [
        Measured(codec, {s.name: [found[codec.name, s.key][q] for q in codec.qualities] for s in sources})
        for codec in codecs
    ]
