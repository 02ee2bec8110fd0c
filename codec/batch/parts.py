"""Parts of clips: work on one item in jobs that several workers do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from ncodec.api import clip_parts
from ncodec.api.clip_work import open_parts, planned_parts
from ncodec.api.ladder import StreamSettings, open_stream_work
from ncodec.api.ladder_work import PLAN, StreamWork, run_planned
from ncodec.api.settings import EncodeVideoSettings
from ncodec.batch.product import Product, decode_all, facts_of_encoded, facts_of_stream
from ncodec.batch.store import Beat


class Parts(Protocol):
    """Work on an item in jobs, each on one thread, which may run in any order and on any machine.

    `folder` is one folder to all of them: it keeps the plan and what jobs have made.
    """

    @property
    def plan_files(self) -> Sequence[str]:
        """Names of the files of the folder that a job needs."""

    def plan(self, source: Path, folder: Path, *, beat: Beat) -> tuple[int, ...] | None:
        """Plan the work, or take up an earlier plan; returns the numbers of the jobs that are left,
        or None for an item that can only be worked on as a whole; raises NcodecError."""

    def run(self, source: Path, folder: Path, job: int, *, beat: Beat) -> None:
        """Do a job; raises NcodecError."""

    def finish(self, source: Path, folder: Path, output: Path, *, beat: Beat) -> Product:
        """Make the output of all jobs, at the path `output` or in the folder itself; raises
        NcodecError."""


@dataclass(frozen=True, kw_only=True)
class ClipParts:
    """Parts of a .ncv stream."""

    plan_files: ClassVar[Sequence[str]] = (clip_parts.PLAN,)
    settings: EncodeVideoSettings
    seconds: float
    """length of a part, about"""
    measure: bool = False
    """measure the PSNR"""
    verify: bool = False
    """decode every part again"""

    def plan(self, source: Path, folder: Path, *, beat: Beat) -> tuple[int, ...] | None:
        """Jobs of parts that are not coded, measured or verified; None for a clip that cannot be
        read from within."""
        work = open_parts(
            source,
            folder,
            seconds=self.seconds,
            settings=self.settings,
            progress=lambda *found: beat(),
        )
        if work is None:
            return None
        return tuple(
            job.number
            for job in work.jobs
            if not work.is_done(job)
            or (self.measure and not work.is_measured(job))
            or (self.verify and not _mark(work.path(job)).exists())
        )

    def run(self, source: Path, folder: Path, job: int, *, beat: Beat) -> None:
        """Code a part."""
        work = planned_parts(source, folder, settings=self.settings)
        path = work.run(work.jobs[job - 1], measure=self.measure, progress=lambda *found: beat())
        if self.verify:
            decode_all(path, beat=beat)
            _mark(path).touch()

    def finish(self, source: Path, folder: Path, output: Path, *, beat: Beat) -> Product:
        """Join the parts."""
        work = planned_parts(source, folder, settings=self.settings)
        stats = work.finish(output, progress=lambda *found: beat())
        return Product(output, facts_of_encoded(stats, output, verified=self.verify))


@dataclass(frozen=True, kw_only=True)
class LadderParts:
    """Segments of a ladder."""

    plan_files: ClassVar[Sequence[str]] = (PLAN,)
    settings: StreamSettings
    count: int
    """segments of a job"""

    def plan(self, source: Path, folder: Path, *, beat: Beat) -> tuple[int, ...]:
        """Jobs with a segment that is not coded; none for a clip that cannot be read from within,
        whose segments are all coded with the output."""
        work = self._opened(source, folder, beat)
        if not work.has_jobs_apart:
            return ()
        left = {(job.span - 1) // self.count + 1 for job in work.jobs if not work.is_done(job)}
        return tuple(sorted(left))

    def run(self, source: Path, folder: Path, job: int, *, beat: Beat) -> None:
        """Code the segments of a job in all renditions."""
        run_planned(
            source,
            folder,
            first=(job - 1) * self.count + 1,
            count=self.count,
            progress=_beating(beat),
        )

    def finish(self, source: Path, folder: Path, output: Path, *, beat: Beat) -> Product:
        """Write manifests, pages and all else that the settings ask for, into the folder."""
        work = self._opened(source, folder, beat)
        work.run_all(progress=_beating(beat))
        return Product(folder, facts_of_stream(work.finish(progress=_beating(beat))))

    def _opened(self, source: Path, folder: Path, beat: Beat) -> StreamWork:
        return open_stream_work(
            source, folder, settings=self.settings, overwrite=True, progress=_beating(beat)
        )


def _mark(part: Path) -> Path:
    """File that says that a part was decoded."""
    return part.with_suffix(".verified")


def _beating(beat: Beat) -> Callable[[str, int, int | None], None]:
    return lambda stage, done, total: beat()
