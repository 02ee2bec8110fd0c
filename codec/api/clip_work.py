"""Clips in parts for `import ncodec`: open_clip_work, and its work in jobs."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path

from ncodec.api.clip_parts import (
    ClipPlan,
    PartReader,
    Stage,
    join_parts,
    part_path,
    plan_parts,
    read_plan,
)
from ncodec.api.clips import with_missed_rate
from ncodec.api.codecs import open_frame_codecs
from ncodec.api.settings import ENCODE_VIDEO, EncodeVideoSettings
from ncodec.api.transcode import ClipStats, Progress, encode_clip, models_in_use
from ncodec.errors import InputError
from ncodec.media.streams import check_output, open_output, write_bytes
from ncodec.notices import report_notices
from ncodec.streaming.spans import Span as Span
from ncodec.video.frame_state import FrameCodecs

LEAST_PART_S = 0.5
"""shortest length of parts that can be asked for, in seconds"""
Name = str | os.PathLike[str]


def open_clip_work(
    source: Name,
    folder: Name,
    *,
    seconds: float,
    settings: EncodeVideoSettings = ENCODE_VIDEO,
    progress: Stage | None = None,
) -> "ClipWork":
    """Plan the coding of a clip in parts of about `seconds`, or take up the plan that `folder`
    holds: its jobs may run on machines that see the source and the folder.

    A part begins at a cut of the scene where there is one within half a part's length, and with an
    intra frame; an average bit rate holds for each. `progress` is called with the stage, "survey"
    or "plan", frames done, and their number or None. Raises InputError for a clip that cannot be
    read from within (an animation, a file that is damaged, whose time stamps jump, or whose key
    frames are far apart), which `encode_video` codes as a whole, for `size`, and for parts below
    half a second; LossError for notices if the settings are strict; ModelError, BackendError or
    OutputError.
    """
    work = open_parts(source, folder, seconds=seconds, settings=settings, progress=progress)
    if work is None:
        msg = (
            f"{source}: expected a clip that can be read from within, got an animation, or one "
            f"that is damaged, whose time stamps jump, or whose key frames are far apart: encode "
            f"it as a whole"
        )
        raise InputError(msg)
    return work


def open_parts(
    source: Name,
    folder: Name,
    *,
    seconds: float,
    settings: EncodeVideoSettings,
    progress: Stage | None = None,
) -> "ClipWork | None":
    """Work as of `open_clip_work`, None for a clip that cannot be read from within."""
    check_parts(seconds, settings)
    plan = plan_parts(
        Path(source),
        Path(folder),
        models_in_use(settings, _codecs(settings)),
        settings=settings,
        seconds=seconds,
        progress=progress or (lambda stage, done, total: None),
    )
    if plan is None:
        return None
    if settings.strict:
        report_notices(plan.notices, strict=True)
    return ClipWork(Path(source), Path(folder), plan, settings)


def planned_parts(source: Name, folder: Name, *, settings: EncodeVideoSettings) -> "ClipWork":
    """Work that was planned in a folder before; raises InputError where there is no plan."""
    plan = read_plan(Path(folder))
    if plan is None:
        msg = f"{folder}: expected the plan of a clip's parts, got none"
        raise InputError(msg)
    return ClipWork(Path(source), Path(folder), plan, settings)


def check_parts(seconds: float, settings: EncodeVideoSettings) -> None:
    """Raise InputError for a length of parts that cannot be, and for settings of a whole clip."""
    if not (isfinite(seconds) and seconds >= LEAST_PART_S):
        msg = f"expected parts of at least {LEAST_PART_S} seconds, got {seconds:g}"
        raise InputError(msg)
    if settings.size is not None:
        msg = "a size is of a whole clip: give parts a quality or a bitrate"
        raise InputError(msg)


class ClipWork:
    """Coding of a clip in jobs that need no other and may run in any order, in several processes
    and on several machines; `finish` comes when all are done.

    A job that ran is not done anew: its part is in the folder. Every job writes the same bytes
    wherever it runs, with the same number of threads.
    """

    def __init__(
        self, path: Path, folder: Path, plan: ClipPlan, settings: EncodeVideoSettings
    ) -> None:
        self._path, self._folder, self._plan, self._settings = path, folder, plan, settings

    @property
    def jobs(self) -> tuple[Span, ...]:
        """Frames of each part, in the order of time."""
        return self._plan.spans

    def path(self, job: Span) -> Path:
        """File of a job's part, which may not be there yet."""
        return part_path(self._folder, self._plan, job)

    def is_done(self, job: Span) -> bool:
        """Whether the part of a job is in the folder."""
        return self.path(job).is_file()

    def is_measured(self, job: Span) -> bool:
        """Whether the PSNR of a job's part was noted."""
        return self._measured_path(job).is_file()

    def run(self, job: Span, *, measure: bool = False, progress: Progress | None = None) -> Path:
        """Code a part, unless it is there, into a .ncv file without sound; returns its path.

        `measure` notes its PSNR for `finish`. Raises InputError for a job of another clip, or where
        the file gives other frames than when it was planned.
        """
        if job not in self._plan.spans:
            msg = f"expected a job of this clip, got frames {job.first} to {job.last - 1}"
            raise InputError(msg)
        path = self.path(job)
        if self.is_done(job) and (self.is_measured(job) or not measure):
            return path
        with open_output(path, overwrite=True) as sink:
            stats = encode_clip(
                PartReader(self._path, self._plan, job),
                sink,
                _codecs(self._settings),
                settings=self._settings,
                measure=measure,
                progress=progress,
            )
            if measure:
                write_bytes(
                    json.dumps(stats.psnr).encode(), self._measured_path(job), overwrite=True
                )
        return path

    def finish(
        self, path: Name, *, overwrite: bool = False, progress: Progress | None = None
    ) -> ClipStats:
        """Write the .ncv file `path` of all parts, with sound and subtitles.

        The stats have a PSNR where every job measured one, the mean over the frames. Raises
        InputError where a part is missing, or OutputError.
        """
        check_output(path, overwrite=overwrite, source=self._path)
        psnr = self._psnr()
        with open_output(path, overwrite=overwrite) as sink:
            stats = join_parts(self._plan, self._folder, sink, progress=progress)
            stats = with_missed_rate(stats, self._settings.bitrate)
            report_notices(stats.notices, strict=self._settings.strict)
        return replace(stats, psnr=psnr)

    def _psnr(self) -> float | None:
        """Mean over the frames, None where a part was not measured or every pixel is exact."""
        total = 0.0
        for span, psnr in zip(self._plan.spans, self._psnrs(), strict=True):
            if psnr is None:
                return None
            total += psnr * span.frames
        return total / len(self._plan.stamps)

    def _psnrs(self) -> Iterator[float | None]:
        for span in self._plan.spans:
            path = self._measured_path(span)
            yield json.loads(path.read_text("utf-8")) if path.is_file() else None

    def _measured_path(self, job: Span) -> Path:
        return self.path(job).with_suffix(".json")


def _codecs(settings: EncodeVideoSettings) -> FrameCodecs:
    return open_frame_codecs(backend=settings.backend, threads=settings.threads)
