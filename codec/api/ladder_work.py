"""Work on a ladder in jobs."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import ncodec
from ncodec.api.ladder_clip import write_clip
from ncodec.api.pictures import encode
from ncodec.errors import InputError
from ncodec.media.mezzanine import Mezzanine
from ncodec.streaming import layout
from ncodec.streaming.layout import PLAN as PLAN
from ncodec.streaming.measuring import measure_renditions
from ncodec.streaming.metrics import Quality
from ncodec.streaming.pages import write_pages
from ncodec.streaming.plan import Job as Job
from ncodec.streaming.poster import poster_picture, write_posters
from ncodec.streaming.prepare import Stage as Stage
from ncodec.streaming.publish import Beside, contents_of, write_manifests
from ncodec.streaming.record import record_of
from ncodec.streaming.settings import StreamSettings
from ncodec.streaming.state import Prepared, read_prepared, sweep
from ncodec.streaming.work import (
    has_segments,
    run_job,
    run_jobs,
    run_spans,
    work_pixels,
    write_file,
)


@dataclass(frozen=True)
class StreamStats:
    """A stream that was made."""

    folder: str
    seconds: float
    frames: int
    segments: int
    renditions: tuple[dict[str, Any], ...]
    """of each: name, codec, width, height, bandwidth and more, as in stream.json"""
    size: int
    """bytes of all segments that are there"""
    notices: tuple[str, ...] = ()
    damage: str | None = None
    """where and how the clip is damaged or ends too soon: what could be read was coded"""


def run_planned(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    first: int,
    count: int,
    progress: Stage | None = None,
) -> None:
    """Code `count` segments, from number `first` on, counted from 1, in all renditions of the plan
    that a folder holds, of which nothing but the plan has to be there.

    Raises InputError where there is no plan.
    """
    prepared, report = read_prepared(Path(folder)), progress or silent
    if prepared is None:
        msg = f"{folder}: expected the plan of a stream, got none"
        raise InputError(msg)
    plan = prepared.plan
    run_spans(
        plan, plan.spans[first - 1 : first - 1 + count], plan.renditions,
        lambda: Mezzanine(Path(source)), Path(folder),
        progress=lambda pixels: report("encode", pixels, None),
    )  # fmt: skip


class StreamWork:
    """Work on a stream in jobs that need no other and may run in any order, in several processes
    and on several machines; `finish` comes when all are done.

    A job that ran is not done anew: its segments are there. Every job writes the same bytes
    wherever it runs.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        settings: StreamSettings,
        prepared: Prepared,
        *,
        name: str,
        beside: Beside,
        notices: tuple[str, ...],
    ) -> None:
        self._path, self._folder, self._settings = path, folder, settings
        self._prepared, self._name = prepared, name
        self._beside, self._notices = beside, notices

    @property
    def jobs(self) -> tuple[Job, ...]:
        """A job for each segment, in the order of time."""
        return tuple(self._prepared.plan.jobs)

    @property
    def has_jobs_apart(self) -> bool:
        """Whether the clip can be read from within, so that a job need not read all before it."""
        return self._prepared.plan.survey.is_seekable

    def run(self, job: Job) -> None:
        """Code a segment in the job's renditions, on one thread; raises InputError for a job of
        another stream."""
        run_job(self._prepared.plan, job, self._open_source, self._folder)

    def is_done(self, job: Job) -> bool:
        """Whether the segments of a job are in the folder."""
        return has_segments(self._prepared.plan, job, self._folder)

    def run_all(self, *, progress: Stage | None = None) -> None:
        """Run all jobs that are left, as many at once as the settings say."""
        plan, report = self._prepared.plan, progress or silent
        total, done, counting = work_pixels(plan), 0, Lock()

        def advance(pixels: int) -> None:
            nonlocal done
            with counting:
                done += pixels
                report("encode", done, total)

        run_jobs(plan, self._open_source, self._folder, jobs=self._threads, progress=advance)

    def finish(self, *, progress: Stage | None = None) -> StreamStats:
        """Write manifests, posters, pages and the record, once all jobs are done, and what the
        settings ask for beside them.

        Raises InputError where segments are missing.
        """
        plan, folder, report = self._prepared.plan, self._folder, progress or silent
        contents = contents_of(plan, folder, self._beside)
        record = record_of(
            plan,
            contents,
            name=self._name,
            notices=self._notices,
            version=ncodec.__version__,
            measured=self._measured(report),
        )
        if "ncv" in self._settings.codecs:
            record["ncv"] = write_clip(
                self._open_source, plan, folder, progress=part_of(report, "ncv")
            )
        picture = poster_picture(self._open_source, plan, frame=self._prepared.poster)
        write_posters(picture, folder)
        write_file(folder / "poster.nci", encode(picture))
        write_manifests(contents, folder)
        write_pages(record, folder)
        write_file(folder / layout.RECORD, json.dumps(record, indent=1).encode())
        (folder / layout.PLAN).unlink(missing_ok=True)
        sweep(folder)
        return StreamStats(
            folder=str(folder),
            seconds=contents.seconds,
            frames=record["frames"],
            segments=len(plan.spans),
            renditions=tuple(record["renditions"]),
            size=contents.size,
            notices=self._notices,
            damage=plan.damage,
        )

    def _measured(self, report: Stage) -> dict[str, Quality]:
        if not self._settings.measure:
            return {}
        return measure_renditions(
            self._prepared.plan,
            self._open_source,
            self._folder,
            jobs=self._threads,
            progress=part_of(report, "measure"),
        )

    def _open_source(self) -> Mezzanine:
        return Mezzanine(self._path)

    @property
    def _threads(self) -> int:
        return threads_of(self._settings)


def silent(stage: str, done: int, total: int | None) -> None:
    """Progress where nobody asks for it."""


def part_of(report: Stage, stage: str) -> Callable[[int, int], None]:
    """Progress of one stage, which tells steps done and their number."""
    return lambda done, total: report(stage, done, total)


def threads_of(settings: StreamSettings) -> int:
    """Threads that settings ask for, else a thread for each core."""
    return settings.jobs or os.cpu_count() or 1
