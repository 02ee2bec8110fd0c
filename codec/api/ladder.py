"""Ladders for `import ncodec`: stream."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import ncodec
from ncodec.api.ladder_clip import write_clip
from ncodec.api.pictures import encode
from ncodec.errors import FormatError, InputError, OutputError
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.streams import STDIO, open_input
from ncodec.notices import report_notices
from ncodec.streaming import layout
from ncodec.streaming.contents import Sheets
from ncodec.streaming.ladder import Rung
from ncodec.streaming.live_clip import stream_live
from ncodec.streaming.measuring import measure_renditions
from ncodec.streaming.plan import StreamPlan, plan_from_json, plan_to_json
from ncodec.streaming.poster import poster_picture, write_posters
from ncodec.streaming.prepare import Stage as Stage
from ncodec.streaming.prepare import fingerprint_of, make_plan
from ncodec.streaming.publish import contents_of, write_manifests
from ncodec.streaming.record import live_record, record_of
from ncodec.streaming.settings import StreamSettings as StreamSettings
from ncodec.streaming.thumbnails import ThumbnailCollector, write_sheets
from ncodec.streaming.tracks import write_tracks
from ncodec.streaming.work import OpenSource, run_jobs, work_pixels, write_file

if TYPE_CHECKING:
    from ncodec.streaming.metrics import Quality

STREAM = StreamSettings()
"""settings where none are given"""
_SPOOLED = ".source"


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
    target = Path(folder)
    report = progress or (lambda stage, done, total: None)
    if settings.live:
        return _stream_live(source, target, settings, overwrite=overwrite, progress=report)
    jobs = settings.jobs or os.cpu_count() or 1
    with _file_of(source, target) as path:
        fingerprint = fingerprint_of(path, settings)
        earlier = _earlier(target, fingerprint, overwrite=overwrite)

        def open_source() -> Mezzanine:
            return Mezzanine(path)

        prepared = earlier or _prepare(
            open_source, target, settings, fingerprint=fingerprint, jobs=jobs, progress=report
        )
        if strict:
            report_notices(prepared.plan.notices, strict=True)
        _encode(prepared.plan, open_source, target, jobs=jobs, progress=report)
        beside, notices = write_tracks(
            path, prepared.plan, target, codecs=settings.audio, sheets=prepared.sheets
        )
        own = None
        if "ncv" in settings.codecs:
            own = write_clip(
                open_source,
                prepared.plan,
                target,
                progress=lambda done, total: report("ncv", done, total),
            )
        measured: dict[str, Quality] = {}
        if settings.measure:
            measured = measure_renditions(
                prepared.plan,
                open_source,
                target,
                jobs=jobs,
                progress=lambda done, total: report("measure", done, total),
            )
        picture = poster_picture(open_source, prepared.plan, frame=prepared.poster)
    write_posters(picture, target)
    write_file(target / "poster.nci", encode(picture))
    notices = tuple(dict.fromkeys((*prepared.plan.notices, *notices)))
    contents = contents_of(prepared.plan, target, beside)
    write_manifests(contents, target)
    record = record_of(
        prepared.plan,
        contents,
        name=_name_of(source),
        notices=notices,
        version=ncodec.__version__,
        measured=measured,
    )
    if own is not None:
        record["ncv"] = own
    write_file(target / layout.RECORD, json.dumps(record, indent=1).encode())
    (target / layout.PLAN).unlink(missing_ok=True)
    report_notices(notices, strict=strict)
    return StreamStats(
        folder=str(folder),
        seconds=contents.seconds,
        frames=record["frames"],
        segments=len(prepared.plan.spans),
        renditions=tuple(record["renditions"]),
        size=contents.size,
        notices=notices,
    )


def _stream_live(
    source: str | os.PathLike[str],
    folder: Path,
    settings: StreamSettings,
    *,
    overwrite: bool,
    progress: Stage,
) -> StreamStats:
    _earlier(folder, "", overwrite=overwrite)
    jobs = settings.jobs or os.cpu_count() or 1
    done = stream_live(source, folder, settings, jobs=jobs, progress=progress)
    record = live_record(done, name=_name_of(source), version=ncodec.__version__)
    write_file(folder / layout.RECORD, json.dumps(record, indent=1).encode())
    report_notices(done.notices, strict=False)
    return StreamStats(
        folder=str(folder),
        seconds=done.seconds,
        frames=done.frames,
        segments=done.segments,
        renditions=tuple(record["renditions"]),
        size=done.contents.size,
        notices=done.notices,
    )


def _name_of(source: str | os.PathLike[str]) -> str:
    return "standard input" if str(source) == STDIO else Path(source).name


@dataclass(frozen=True)
class _Prepared:
    """State of work on a stream that survives its process."""

    plan: StreamPlan
    sheets: Sheets
    poster: int
    """number of the poster's frame"""


def _prepare(
    open_source: OpenSource,
    folder: Path,
    settings: StreamSettings,
    *,
    fingerprint: str,
    jobs: int,
    progress: Stage,
) -> _Prepared:
    collector = ThumbnailCollector()
    with open_source() as reader:
        survey = reader.survey(
            progress=lambda done, total: progress("survey", done, total), observe=collector.add
        )
        notices = tuple(reader.notices)
    plan = make_plan(
        open_source, survey, settings, fingerprint=fingerprint, jobs=jobs, progress=progress
    )
    plan = replace(plan, notices=(*notices, *plan.notices))
    sheets = write_sheets(collector, folder, matrix=survey.matrix, size=plan.top)
    prepared = _Prepared(plan, sheets, collector.poster())
    state = {
        "plan": json.loads(plan_to_json(plan)),
        "sheets": {**asdict(sheets), "interval": str(sheets.interval)},
        "poster": prepared.poster,
    }
    write_file(folder / layout.PLAN, json.dumps(state).encode())
    return prepared


def _earlier(folder: Path, fingerprint: str, *, overwrite: bool) -> _Prepared | None:
    """State of earlier work on the same stream, None where there is none; other contents of the
    folder are removed if `overwrite`, else OutputError is raised."""
    if folder.exists() and not folder.is_dir():
        msg = f"{folder}: expected a folder to write, got a file"
        raise OutputError(msg)
    found = _read_state(folder / layout.PLAN)
    if found is not None and found.plan.fingerprint == fingerprint:
        return found
    others = sorted(folder.iterdir()) if folder.is_dir() else []
    if all(entry.name == _SPOOLED for entry in others):
        return None
    if not overwrite:
        what = "an unfinished stream of other input or settings" if found else "files"
        msg = f"{folder}: holds {what}; -f (overwrite=True) replaces its stream"
        raise OutputError(msg)
    _clear(folder)
    return None


def _read_state(path: Path) -> _Prepared | None:
    with suppress(OSError, ValueError, KeyError, TypeError, FormatError):
        state = json.loads(path.read_text("utf-8"))
        sheets = state["sheets"]
        sheets["interval"] = Fraction(sheets["interval"])
        sheets["names"] = tuple(sheets["names"])
        return _Prepared(
            plan_from_json(json.dumps(state["plan"])), Sheets(**sheets), int(state["poster"])
        )
    return None


def _clear(folder: Path) -> None:
    """Remove a stream's files, and no others."""
    try:
        for name in layout.FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        for pattern in layout.FILES:
            for path in folder.glob(pattern):
                path.unlink()
    except OSError as error:
        msg = f"{folder}: its stream cannot be removed: {error.strerror or error}"
        raise OutputError(msg) from error


def _encode(
    plan: StreamPlan, open_source: OpenSource, folder: Path, *, jobs: int, progress: Stage
) -> None:
    total, done = work_pixels(plan), 0

    def advance(pixels: int) -> None:
        nonlocal done
        done += pixels
        progress("encode", done, total)

    run_jobs(plan, open_source, folder, jobs=jobs, progress=advance)


@contextmanager
def _file_of(source: str | os.PathLike[str], folder: Path) -> Iterator[Path]:
    """Path of a clip; standard input is kept in the folder meanwhile, since it is read twice."""
    if str(source) != STDIO:
        path = Path(source)
        if not path.is_file():
            msg = f"{path}: no such file" if not path.exists() else f"{path}: expected a file"
            raise InputError(msg)
        yield path
        return
    path = folder / _SPOOLED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open_input(STDIO) as stdin, path.open("wb") as kept:
            shutil.copyfileobj(stdin, kept, 1 << 20)
        yield path
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error
    finally:
        path.unlink(missing_ok=True)
