"""Ladders for `import ncodec`: stream, and its work in jobs."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, TypedDict, Unpack

import ncodec
from ncodec.api.ladder_clip import write_clip
from ncodec.api.pictures import encode
from ncodec.errors import InputError, LossError, OutputError
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.streams import STDIO, open_input
from ncodec.notices import report_notices
from ncodec.streaming import layout
from ncodec.streaming.ladder import Rung
from ncodec.streaming.live_clip import stream_live
from ncodec.streaming.measuring import measure_renditions
from ncodec.streaming.metrics import Quality
from ncodec.streaming.pages import write_pages
from ncodec.streaming.plan import Job as Job
from ncodec.streaming.poster import poster_picture, write_posters
from ncodec.streaming.prepare import Stage as Stage
from ncodec.streaming.prepare import fingerprint_of, make_plan
from ncodec.streaming.publish import Beside, contents_of, write_manifests
from ncodec.streaming.record import live_record, record_of
from ncodec.streaming.settings import StreamSettings as StreamSettings
from ncodec.streaming.state import (
    Prepared,
    begin_state,
    check_folder,
    clear,
    resume,
    sweep,
    write_state,
)
from ncodec.streaming.thumbnails import ThumbnailCollector, write_sheets
from ncodec.streaming.tracks import write_tracks
from ncodec.streaming.work import run_job, run_jobs, work_pixels, write_file

STREAM = StreamSettings()
"""settings where none are given"""


class StreamOptions(TypedDict, total=False):
    """Fields of `StreamSettings` as keyword arguments."""

    codecs: Sequence[str]
    ladder: str | os.PathLike[str] | Sequence[Rung]
    rungs: int
    max_height: int | None
    target_vmaf: float
    segment: float
    speed: str
    audio: Sequence[str]
    downscale: str
    tone_map: bool
    grain: int
    measure: bool
    live: bool
    window: float | None
    jobs: int | None


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


def stream(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    settings: StreamSettings = STREAM,
    overwrite: bool = False,
    strict: bool = False,
    progress: Stage | None = None,
    **options: Unpack[StreamOptions],
) -> StreamStats:
    """Make a ladder of a clip: renditions in CMAF segments, playlists of HLS and a manifest of DASH
    over them, sound, subtitles, thumbnails, posters, a page with a player, and a report.

    `source` is a path, or "-" for standard input. `folder` is made; work that was stopped in it
    goes on if source and settings are the same, and gives the files that it would have given.
    Options are fields of `StreamSettings`, and overrule `settings`. `progress` is called with a
    stage, steps done, and their number or None. Raises InputError where the clip cannot be read or
    shown, LossError for notices if `strict`, and OutputError, also for a folder that holds anything
    else without `overwrite`.
    """
    settings = replace(settings, **options)
    report = progress or _silent
    _check_folder(folder)
    if settings.live:
        stats = _stream_live(source, Path(folder), settings, overwrite=overwrite, progress=report)
        report_notices(stats.notices, strict=strict)
        return stats
    with _file_of(source, Path(folder), overwrite=overwrite) as path:
        work = _open_work(
            path, Path(folder), settings,
            name=_name_of(source), overwrite=overwrite, strict=strict, progress=report,
        )  # fmt: skip
        work.run_all(progress=report)
        stats = work.finish(progress=report)
    report_notices(stats.notices, strict=False)
    return stats


def open_stream_work(
    source: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    settings: StreamSettings = STREAM,
    overwrite: bool = False,
    strict: bool = False,
    progress: Stage | None = None,
) -> "StreamWork":
    """Plan a stream as `stream` does, or take up the plan that its folder holds, without coding the
    segments: its jobs may run on machines that see the source and the folder.

    Raises what `stream` raises, and InputError for live settings.
    """
    if settings.live:
        msg = "expected a clip that is complete, got live settings: a live clip has no jobs"
        raise InputError(msg)
    _check_folder(folder)
    return _open_work(
        Path(source), Path(folder), settings,
        name=_name_of(source), overwrite=overwrite, strict=strict, progress=progress or _silent,
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

    def run(self, job: Job) -> None:
        """Code a segment in the job's renditions, on one thread; raises InputError for a job of
        another stream."""
        run_job(self._prepared.plan, job, self._open_source, self._folder)

    def run_all(self, *, progress: Stage | None = None) -> None:
        """Run all jobs that are left, as many at once as the settings say."""
        plan, report = self._prepared.plan, progress or _silent
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
        plan, folder, report = self._prepared.plan, self._folder, progress or _silent
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
                self._open_source, plan, folder, progress=_part(report, "ncv")
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
            progress=_part(report, "measure"),
        )

    def _open_source(self) -> Mezzanine:
        return Mezzanine(self._path)

    @property
    def _threads(self) -> int:
        return _threads_of(self._settings)


def _open_work(
    path: Path,
    folder: Path,
    settings: StreamSettings,
    *,
    name: str,
    overwrite: bool,
    strict: bool,
    progress: Stage,
) -> StreamWork:
    if not path.is_file():
        msg = f"{path}: expected a file" if path.exists() else f"{path}: no such file"
        raise InputError(msg)
    fingerprint = fingerprint_of(path, settings, version=ncodec.__version__)
    earlier = resume(folder, fingerprint, overwrite=overwrite)
    prepared = earlier
    if prepared is None:
        prepared = _prepare(path, folder, settings, fingerprint=fingerprint, progress=progress)
    beside, lost = write_tracks(
        path,
        prepared.plan,
        folder,
        codecs=settings.audio_codecs,
        sheets=prepared.sheets,
        progress=_part(progress, "sound"),
    )
    notices = tuple(dict.fromkeys((*prepared.plan.notices, *lost)))
    if strict:
        try:
            report_notices(notices, strict=True)
        except LossError:
            if earlier is None:
                clear(folder)
                with suppress(OSError):
                    folder.rmdir()  # as long as nothing else is in it
            raise
    return StreamWork(path, folder, settings, prepared, name=name, beside=beside, notices=notices)


def _prepare(
    path: Path, folder: Path, settings: StreamSettings, *, fingerprint: str, progress: Stage
) -> Prepared:
    with Mezzanine(path) as reader:
        collector = ThumbnailCollector(reader.colour)
        begin_state(folder, fingerprint)
        survey = reader.survey(
            progress=lambda done, total: progress("survey", done, total), observe=collector.add
        )
        notices, damage = tuple(reader.notices), reader.damage
    plan = make_plan(
        lambda: Mezzanine(path),
        survey,
        settings,
        fingerprint=fingerprint,
        jobs=_threads_of(settings),
        progress=progress,
    )
    plan = replace(plan, notices=(*notices, *plan.notices), damage=damage)
    sheets = write_sheets(collector, folder, matrix=survey.matrix, size=plan.top)
    prepared = Prepared(plan, sheets, collector.poster())
    write_state(folder, prepared)
    return prepared


def _stream_live(
    source: str | os.PathLike[str],
    folder: Path,
    settings: StreamSettings,
    *,
    overwrite: bool,
    progress: Stage,
) -> StreamStats:
    resume(folder, "", overwrite=overwrite)
    done = stream_live(source, folder, settings, jobs=_threads_of(settings), progress=progress)
    record = live_record(done, name=_name_of(source), version=ncodec.__version__)
    write_pages(record, folder)
    write_file(folder / layout.RECORD, json.dumps(record, indent=1).encode())
    return StreamStats(
        folder=str(folder),
        seconds=done.seconds,
        frames=done.frames,
        segments=done.segments,
        renditions=tuple(record["renditions"]),
        size=done.contents.size,
        notices=done.notices,
        damage=done.damage,
    )


def _check_folder(folder: str | os.PathLike[str]) -> None:
    if str(folder) == STDIO:
        msg = "expected a folder to write, got standard output: a stream has many files"
        raise OutputError(msg)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Progress where nobody asks for it."""


def _part(report: Stage, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: report(stage, done, total)


def _threads_of(settings: StreamSettings) -> int:
    return settings.jobs or os.cpu_count() or 1


def _name_of(source: str | os.PathLike[str]) -> str:
    return "standard input" if str(source) == STDIO else Path(source).name


@contextmanager
def _file_of(source: str | os.PathLike[str], folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """Path of a clip; standard input is kept in the folder meanwhile, since it is read twice."""
    if str(source) != STDIO:
        yield Path(source)
        return
    check_folder(folder, overwrite=overwrite)
    path = folder / layout.SPOOLED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open_input(STDIO) as stdin, path.open("wb") as kept:
            shutil.copyfileobj(stdin, kept, 1 << 20)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error
    try:
        yield path
    except InputError as error:
        raise InputError(str(error).replace(str(path), "standard input")) from error
    finally:
        path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()  # as long as nothing is in it
