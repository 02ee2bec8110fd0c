"""Ladders for `import ncodec`: stream, and its work in jobs."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypedDict, Unpack

import ncodec
from ncodec.api.ladder_work import Job as Job
from ncodec.api.ladder_work import Stage as Stage
from ncodec.api.ladder_work import StreamStats as StreamStats
from ncodec.api.ladder_work import StreamWork as StreamWork
from ncodec.api.ladder_work import part_of, silent, threads_of
from ncodec.errors import InputError, LossError, OutputError
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.streams import STDIO, open_input
from ncodec.notices import report_notices
from ncodec.streaming import layout
from ncodec.streaming.ladder import Rung
from ncodec.streaming.live_clip import stream_live
from ncodec.streaming.pages import write_pages
from ncodec.streaming.prepare import fingerprint_of, make_plan
from ncodec.streaming.record import live_record
from ncodec.streaming.settings import StreamSettings as StreamSettings
from ncodec.streaming.state import (
    Prepared,
    begin_state,
    check_folder,
    clear,
    resume,
    write_state,
)
from ncodec.streaming.thumbnails import ThumbnailCollector, write_sheets
from ncodec.streaming.tracks import write_tracks
from ncodec.streaming.work import (
    write_file,
)

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
    report = progress or silent
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
        name=_name_of(source), overwrite=overwrite, strict=strict, progress=progress or silent,
    )  # fmt: skip


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
        progress=part_of(progress, "sound"),
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
        jobs=threads_of(settings),
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
    done = stream_live(source, folder, settings, jobs=threads_of(settings), progress=progress)
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
