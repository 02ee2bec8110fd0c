"""Parts of a clip: a plan of where it is cut, and the stream that its coded parts become."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

import ncodec
from ncodec.api.settings import EncodeVideoSettings
from ncodec.api.transcode import ClipStats, FrameCounter, Progress, header_of, up_to_frame
from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.ncv import StreamReader, StreamWriter
from ncodec.container.records import (
    Companion,
    Frame,
    LastDuration,
    Media,
    StreamHeader,
    Tag,
    Tracks,
)
from ncodec.errors import FormatError, InputError, OutputError, sentence_of
from ncodec.media.animation import open_animation
from ncodec.media.colour import to_rgb
from ncodec.media.demux import ClipReader
from ncodec.media.display_matrix import upright
from ncodec.media.fingerprint import content_digest
from ncodec.media.mezzanine import Mezzanine, Survey
from ncodec.media.pictures import check_pixels
from ncodec.media.streams import open_output, write_bytes
from ncodec.picture import TimedFrame
from ncodec.plain import from_plain, to_plain
from ncodec.prefetch import prefetch
from ncodec.streaming.source_frames import frames_from, frames_of_span
from ncodec.streaming.spans import Span, spans_of
from ncodec.video.frame_state import FrameCodecs

PLAN, SKELETON = "ncodec-plan.json", "ncodec-skeleton.ncv"
_PART = "ncodec-part-"
_MOST_REREAD = 2
"""frames before parts that are decoded again, as a multiple of the clip's, beyond which it is not
cut"""
Stage = Callable[[str, int, int | None], None]
"""called with the name of the stage, frames done, and their number if it is known"""


@dataclass(frozen=True)
class ClipPlan:
    """Where a clip is cut into parts, and everything that coding one has to know."""

    fingerprint: str
    """digest of source, models and settings: equal plans make equal streams"""
    header: StreamHeader
    survey: Survey
    spans: tuple[Span, ...]
    """frames of each part"""
    stamps: tuple[int, ...]
    """time stamp of each frame, in units of the header's time base"""
    notices: tuple[str, ...]
    damage: str | None


def plan_parts(
    path: Path,
    folder: Path,
    codecs: FrameCodecs,
    *,
    settings: EncodeVideoSettings,
    seconds: float,
    progress: Stage,
) -> ClipPlan | None:
    """Plan parts of about `seconds`, or take up the plan of `folder`, where the skeleton is kept
    too: the stream without its coded frames.

    A part begins at a cut of the scene where there is one within half a part's length. None for a
    clip that cannot be read from within: an animation, or one that is damaged, whose time stamps
    jump, or whose key frames are far apart. Raises InputError where the clip cannot be read or is
    too large, OutputError where the folder cannot be written.
    """
    fingerprint = _fingerprint(path, codecs, settings, seconds=seconds)
    known = read_plan(folder)
    if known is not None and known.fingerprint == fingerprint:
        return known
    with path.open("rb") as file:
        if open_animation(file, name=str(path)) is not None:
            return None
    with ClipReader(path, rate=settings.rate) as clip:
        check_pixels(clip.width, clip.height, allow_large=settings.allow_large)
    with Mezzanine(path) as reader:
        survey = reader.survey(progress=lambda done, total: progress("survey", done, total))
    seconds_exact = Fraction(seconds).limit_denominator(10**6)
    spans = spans_of(survey.times, survey.end, cuts=survey.cuts, seconds=seconds_exact)
    if not survey.is_seekable or _reread(survey, spans) > _MOST_REREAD * len(survey.stamps):
        return None
    _empty(folder)
    with (
        open_output(folder / SKELETON, overwrite=True) as sink,
        ClipReader(path, with_pixels=False) as clip,
    ):
        header, stamps = _write_skeleton(clip, sink, codecs, progress=progress)
    if len(stamps) != len(survey.stamps):
        return None
    plan = ClipPlan(fingerprint, header, survey, spans, stamps, tuple(clip.notices), clip.damage)
    write_bytes(json.dumps(to_plain(plan)).encode(), folder / PLAN, overwrite=True)
    return plan


def read_plan(folder: Path) -> ClipPlan | None:
    """The plan in a folder, None where there is none that can be read."""
    path = folder / PLAN
    with suppress(OSError, ValueError, FormatError):
        status = path.stat()
        return _parsed(path, status.st_ino, status.st_mtime_ns, status.st_size)
    return None


@lru_cache(maxsize=1)
def _parsed(path: Path, *state: int) -> ClipPlan:
    """The plan of a file in some state, which a worker needs again for each job."""
    return from_plain(json.loads(path.read_text("utf-8")), ClipPlan)


def part_path(folder: Path, plan: ClipPlan, span: Span) -> Path:
    """File of a coded part."""
    return folder / f"{_PART}{plan.fingerprint[:12]}-{span.number:05d}.ncv"


def _empty(folder: Path) -> None:
    """Make a folder, and remove an earlier plan and its parts, and no other files, from it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for stale in (folder / PLAN, *folder.glob(f"{_PART}*")):
            stale.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be written: {sentence_of(error)}"
        raise OutputError(msg) from error


def _reread(survey: Survey, spans: Sequence[Span]) -> int:
    """Frames before spans that are decoded on the way to them."""
    count = 0
    for span in spans:
        place = bisect_right(survey.keys, span.first)
        count += span.first - (survey.keys[place - 1] if place else 0)
    return count


class PartReader:
    """Frames of a part of a clip, as `ClipReader` gives them, read from near the part on."""

    def __init__(self, path: Path, plan: ClipPlan, span: Span) -> None:
        self._path, self._plan, self._span = path, plan, span
        self.name = str(path)
        self.notices: list[str] = []
        self.damage = None
        self.width, self.height = plan.survey.width, plan.survey.height
        self.time_base, self.rate = plan.header.time_base, plan.header.rate
        self.pixel_aspect, self.colour = plan.header.pixel_aspect, plan.header.colour
        self.frames = span.frames

    def records(self) -> Iterator[TimedFrame | Companion]:
        """Frames, (H, W, 3) uint8 RGB, upright; raises InputError where the file gives other frames
        than when it was planned."""
        survey, span = self._plan.survey, self._span
        size = survey.width, survey.height
        stamps = self._plan.stamps[span.first : span.last]
        with closing(frames_from(lambda: Mezzanine(self._path), survey, span.first)) as frames:
            for stamp, frame in zip(stamps, frames_of_span(frames, survey, span), strict=True):
                pixels = to_rgb(frame, size=size)
                turned = upright(pixels, survey.matrix)
                yield TimedFrame(stamp, np.ascontiguousarray(pixels if turned is None else turned))


def join_parts(
    plan: ClipPlan, folder: Path, sink: BinaryIO, *, progress: Progress | None = None
) -> ClipStats:
    """Write the stream of a clip whose parts are all coded: the skeleton with their frames.

    Raises InputError where a part is missing or of another plan, FormatError for a damaged one.
    """
    writer = StreamWriter(sink, plan.header)
    counter = FrameCounter(plan.header, total=len(plan.stamps), progress=progress)
    video_size = 0
    with (folder / SKELETON).open("rb") as file, closing(_coded_frames(plan, folder)) as coded:
        for record in StreamReader(file).records():
            if isinstance(record, Frame):
                frame = next(coded, None)
                if frame is None or frame.pts != record.pts:
                    raise _foreign(folder)
                video_size += writer.write(frame)
                counter.add(frame.pts, position=writer.position)
            elif isinstance(record, Tracks | ClipMetadata | Media | LastDuration):
                writer.write(record)
                if isinstance(record, LastDuration):
                    counter.hold(record)
        if next(coded, None) is not None:
            raise _foreign(folder)
    writer.finish()
    return replace(
        counter.stats(),
        size=writer.position,
        video_size=video_size,
        notices=plan.notices,
        damage=plan.damage,
    )


def _coded_frames(plan: ClipPlan, folder: Path) -> Generator[Frame, None, None]:
    for span in plan.spans:
        path = part_path(folder, plan, span)
        if not path.is_file():
            msg = f"{path}: no such part: run job {span.number} of {len(plan.spans)} first"
            raise InputError(msg)
        try:
            with path.open("rb") as file:
                reader = StreamReader(file)
                if reader.header != plan.header:
                    raise _foreign(folder)
                yield from (one for one in reader.records() if isinstance(one, Frame))
        except FormatError as error:
            msg = f"{path}: {error}: remove it and run job {span.number} again"
            raise FormatError(msg) from error


def _foreign(folder: Path) -> InputError:
    return InputError(f"{folder}: expected parts of one plan, got others: remove them")


def _write_skeleton(
    clip: ClipReader, sink: BinaryIO, codecs: FrameCodecs, *, progress: Stage
) -> tuple[StreamHeader, tuple[int, ...]]:
    """Write the stream of a clip with empty frames; returns its header and time stamps."""
    stamps: list[int] = []
    with closing(prefetch(clip.records())) as records:
        before, first = up_to_frame(records, clip.name)
        header = header_of(clip, first, codecs)
        writer = StreamWriter(sink, header)
        for record in chain(before, [first], records):
            if isinstance(record, TimedFrame):
                writer.write(Frame(Tag.INTRA, record.pts))
                stamps.append(record.pts)
                progress("plan", len(stamps), clip.frames)
            else:
                writer.write(record)
    writer.finish()
    return header, tuple(stamps)


def _fingerprint(
    path: Path, codecs: FrameCodecs, settings: EncodeVideoSettings, *, seconds: float
) -> str:
    models = codecs.pictures.model.id, codecs.frames and codecs.frames.model.id
    names = [field.name for field in fields(settings) if field.name not in ("backend", "threads")]
    values = [(name, str(getattr(settings, name))) for name in names]
    facts = repr((models, values, float(seconds), ncodec.__version__))
    return hashlib.sha256(content_digest(path) + facts.encode()).hexdigest()
