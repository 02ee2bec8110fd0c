"""Work on the jobs of a plan: segments of all renditions, in any order and in several threads."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock

import av

from ncodec.errors import InputError, OutputError
from ncodec.media.scaling import FrameScaler, FrameSize
from ncodec.media.streams import new_file
from ncodec.streaming.encoders import SegmentEncoder, delay_of
from ncodec.streaming.layout import START, segment_name, video_folder
from ncodec.streaming.plan import Job, StreamPlan
from ncodec.streaming.renditions import Rendition
from ncodec.streaming.segments import pack_segment, pack_start
from ncodec.streaming.source_frames import OpenSource, frames_from, frames_of_span
from ncodec.streaming.spans import Span

Progress = Callable[[int], None]
"""called with the number of pixels that were coded since it was called last"""
_RUNS = 4
"""runs of spans for each thread: a run reads its source from one place on"""
_STARTS = Lock()


def work_pixels(plan: StreamPlan) -> int:
    """Pixels that all renditions have together."""
    sides = (rendition.size for rendition in plan.renditions)
    return len(plan.survey.times) * sum(size.width * size.height for size in sides)


def run_jobs(
    plan: StreamPlan, open_source: OpenSource, folder: Path, *, jobs: int, progress: Progress
) -> None:
    """Write every segment of a plan that is not there yet, on `jobs` threads.

    A segment appears under its name once it is whole, so that work that was killed goes on where it
    was. Raises what reading, coding and writing raise; other threads stop at the next frame then.
    """
    stop = Event()
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [
            pool.submit(
                write_spans, plan, spans, renditions, open_source, folder,
                progress=progress, stop=stop,
            )
            for spans, renditions in _shares(plan, jobs)
        ]  # fmt: skip
        try:
            for done in as_completed(waiting):
                done.result()
        except BaseException:
            stop.set()
            for one in waiting:
                one.cancel()
            raise


def run_job(plan: StreamPlan, job: Job, open_source: OpenSource, folder: Path) -> None:
    """Write the segments of a job that are not there yet; raises InputError for a job that is not
    of this plan."""
    own = _renditions_of(plan, job)
    run_spans(plan, [plan.spans[job.span - 1]], own, open_source, folder)


def run_spans(
    plan: StreamPlan,
    spans: Sequence[Span],
    renditions: Sequence[Rendition],
    open_source: OpenSource,
    folder: Path,
    *,
    progress: Progress = lambda pixels: None,
) -> None:
    """Write the segments of neighbouring spans in some renditions that are not there yet."""
    for is_mapped in (False, True):
        chosen = [rendition for rendition in renditions if plan.is_mapped(rendition) == is_mapped]
        if chosen:
            write_spans(plan, spans, chosen, open_source, folder, progress=progress)


def has_segments(plan: StreamPlan, job: Job, folder: Path) -> bool:
    """Whether all segments of a job are there; raises InputError for a job that is not of this
    plan."""
    own = _renditions_of(plan, job)
    return not _missing(plan.spans[job.span - 1], own, folder)


def _renditions_of(plan: StreamPlan, job: Job) -> list[Rendition]:
    known = {rendition.name: rendition for rendition in plan.renditions}
    if not set(job.renditions) <= set(known) or not 1 <= job.span <= len(plan.spans):
        msg = f"expected a job of this stream, got segment {job.span} of {job.renditions}"
        raise InputError(msg)
    return [known[name] for name in job.renditions]


def _shares(plan: StreamPlan, jobs: int) -> Iterator[tuple[Sequence[Span], Sequence[Rendition]]]:
    """Runs of spans, and groups of renditions of about equal work where there are few runs."""
    length = max(1, -(-len(plan.spans) // (_RUNS * jobs)))
    if not plan.survey.is_seekable:
        length = len(plan.spans)
    runs = [plan.spans[start : start + length] for start in range(0, len(plan.spans), length)]
    wanted = max(1, -(-jobs // len(runs)))
    for run in runs:
        for is_mapped in (False, True):
            own = [found for found in plan.renditions if plan.is_mapped(found) == is_mapped]
            for group in _groups(own, wanted):
                yield run, group


def _groups(renditions: Sequence[Rendition], count: int) -> list[list[Rendition]]:
    groups: list[list[Rendition]] = [[] for _ in range(count)]
    work = [0] * count
    for rendition in sorted(renditions, key=_cost, reverse=True):
        least = work.index(min(work))
        groups[least].append(rendition)
        work[least] += _cost(rendition)
    return [group for group in groups if group]


def _cost(rendition: Rendition) -> int:
    return rendition.size.width * rendition.size.height * (1 if rendition.codec == "h264" else 3)


def write_spans(
    plan: StreamPlan,
    spans: Sequence[Span],
    renditions: Sequence[Rendition],
    open_source: OpenSource,
    folder: Path,
    *,
    progress: Progress,
    stop: Event | None = None,
) -> None:
    """Write the segments of neighbouring spans in some renditions, all mapped in colour or none,
    as far as they are not there yet; a set `stop` ends the work."""
    missing = [span for span in spans if _missing(span, renditions, folder)]
    pixels = sum(found.size.width * found.size.height for found in renditions)
    progress(pixels * (sum(span.frames for span in spans) - sum(span.frames for span in missing)))
    if not missing:
        return
    spans = [span for span in spans if span.number >= missing[0].number]
    make = _scalers(plan, renditions)
    with closing(frames_from(open_source, plan.survey, spans[0].first)) as frames:
        for span in spans:
            wanted = _missing(span, renditions, folder)
            if not wanted:
                for _ in frames_of_span(frames, plan.survey, span):
                    pass
                continue
            _write_span(
                plan, span, wanted, frames, folder, scaler=make(), progress=progress, stop=stop
            )


def _scalers(plan: StreamPlan, renditions: Sequence[Rendition]) -> Callable[[], FrameScaler]:
    """Function that gives a scaler for the sizes of renditions.

    The deinterlacer holds back a frame, so that each segment needs a scaler of its own to have the
    same bytes wherever a run begins; other clips share one, which takes long to make for HDR.
    """
    sizes = list(dict.fromkeys(rendition.size for rendition in renditions))
    shown = replace(plan.shown, tone_map=plan.is_mapped(renditions[0]))
    if shown.deinterlace:
        return lambda: FrameScaler(shown, sizes)
    shared = FrameScaler(shown, sizes)
    return lambda: shared


def _missing(span: Span, renditions: Sequence[Rendition], folder: Path) -> list[Rendition]:
    return [
        found
        for found in renditions
        if not (video_folder(folder, found.name) / segment_name(span.number)).is_file()
    ]


def _write_span(
    plan: StreamPlan,
    span: Span,
    renditions: Sequence[Rendition],
    frames: Iterator[av.VideoFrame],
    folder: Path,
    *,
    scaler: FrameScaler,
    progress: Progress,
    stop: Event | None,
) -> None:
    times = plan.times[span.first : span.last]
    form = plan.form_of(renditions[0])
    encoders = [SegmentEncoder(rendition, form) for rendition in renditions]
    pixels = sum(found.size.width * found.size.height for found in renditions)
    own = frames_of_span(frames, plan.survey, span)
    frames_scaled = _scaled(scaler, own, plan.shown.deinterlace)
    for number, (scaled, time) in enumerate(zip(frames_scaled, times, strict=True)):
        if stop is not None and stop.is_set():
            return
        of_size: dict[FrameSize, av.VideoFrame] = dict(zip(scaler.sizes, scaled, strict=True))
        for rendition, encoder in zip(renditions, encoders, strict=True):
            encoder.push(
                of_size[rendition.size], time=time, is_key=number == 0 or number in span.keys
            )
        progress(pixels)
    end = plan.span_end(span)
    for rendition, encoder in zip(renditions, encoders, strict=True):
        track = encoder.finish()
        delay = delay_of(rendition, form)
        place = video_folder(folder, rendition.name)
        keep_start(place, pack_start(track.start, delay=delay))
        data = pack_segment(track.samples, end=end, number=span.number, delay=delay)
        write_file(place / segment_name(span.number), data)


def _scaled(
    scaler: FrameScaler, frames: Iterator[av.VideoFrame], is_last: bool
) -> Iterator[list[av.VideoFrame]]:
    """Frames in every size of a scaler, which is emptied behind them if nothing follows."""
    for frame in frames:
        yield from scaler.push(frame)
    if is_last:
        yield from scaler.flush()


def keep_start(folder: Path, start: bytes) -> None:
    """Write the start of a track's file, or check that the one that is there is the same; raises
    OutputError where it is not."""
    with _STARTS:
        path = folder / START
        if not path.is_file():
            write_file(path, start)
        elif path.read_bytes() != start:
            msg = f"{path}: an encoder describes its segments in two ways; begin anew with -f"
            raise OutputError(msg)


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, and its folder; raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise OutputError(msg) from error
