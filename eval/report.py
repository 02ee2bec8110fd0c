"""The evidence of a report: pictures, codecs, curves, rates and samples, ready to be shown."""

import datetime
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ncodec
from ncodec.errors import InputError
from ncodec.eval.codecs.base import Codec, PictureCodec
from ncodec.eval.codecs.registry import AVIF_444, HEIC, JPEG_420, JPEG_XL, NCODEC, WEBP
from ncodec.eval.curves import MeanCurve, mean_curve, published_curves, rate_difference
from ncodec.eval.measure import Measured, Runner, load_sources, measure
from ncodec.eval.media import Medium, Source
from ncodec.eval.memory import measure_memory
from ncodec.eval.metrics import Metric
from ncodec.eval.samples import Sample, make_samples
from ncodec.eval.store import Failure, Point, Store

SAMPLE_CODECS = (NCODEC, JPEG_420, WEBP, JPEG_XL, HEIC, AVIF_444)
SAMPLE_PICTURES = 5
SAMPLE_RATES = (0.2, 0.6)
QUICK_POINTS = 5


@dataclass(frozen=True)
class CodecNote:
    """Settings, version and times of a codec beside its curve."""

    name: str
    settings: str
    version: str
    """version, or the missing dependency"""
    present: bool
    memory: float | None = None
    """megabytes that it takes at its peak, where that was measured"""


@dataclass(frozen=True)
class Report:
    """Data of a report's page, tables and charts."""

    medium: Medium
    title: str
    date: str
    machine: str
    sources: list[Source]
    metrics: list[Metric[Any]]
    notes: list[CodecNote]
    measured: list[Measured]
    curves: list[MeanCurve]
    """measured ones first"""
    samples: list[Sample]
    problems: list[str]
    """unreadable inputs, missing samples and missing metrics, in sentences"""

    @property
    def failures(self) -> list[str]:
        """A sentence for everything that could not be measured or shown."""
        points = [
            f"{measured.codec.name}, {picture}, quality {outcome.quality:g}: {outcome.error}"
            for measured in self.measured
            for picture, outcomes in measured.outcomes.items()
            for outcome in outcomes
            if isinstance(outcome, Failure)
        ]
        return [*self.problems, *points, *self._gaps()]

    def _gaps(self) -> list[str]:
        """Metrics without curves because of pictures for which they are not defined, and speeds
        and planes left out."""
        gaps = []
        for metric in self.metrics:
            undefined = sorted(
                {
                    picture
                    for measured in self.measured
                    for picture, outcomes in measured.outcomes.items()
                    if any(
                        isinstance(o, Point) and o.metrics.get(metric.key, 0) is None
                        for o in outcomes
                    )
                }
            )
            if metric.most is not None:
                gaps.append(
                    f"{metric.label} is measured at {metric.most} qualities of each codec at most"
                )
            if undefined:
                gaps.append(
                    f"{metric.label} has no curves: {', '.join(undefined)} too small for it"
                )
        measured = [curve for curve in self.curves if curve.source is None and curve.points]
        if untimed := [curve.name for curve in measured if curve.middle_s is None]:
            gaps.append(
                f"speeds of {', '.join(untimed)} are left out: points were measured on a cluster, "
                f"whose machines may differ in kind; another --cache measures anew"
            )
        if opaque := [source.name for source in self.sources if source.alpha]:
            gaps.append(f"the alpha plane of {', '.join(opaque)} is left out")
        return gaps

    def rate_differences(self, metric: str) -> dict[str, dict[str, float | str]]:
        """BD-rates by the metric of a key: anchor's name → codec's name → percent, negative for
        fewer bits.

        Curves with fewer than two points of the metric are left out; "no overlap" or "too few
        points" stands for a rate that cannot be computed.
        """
        shown = [curve for curve in self.curves if len(curve.curve(metric)) > 1]
        return {
            a.name: {t.name: rate_difference(a, t, metric) for t in shown if t is not a}
            for a in shown
        }

    def rates_of_ours(self, metric: str) -> dict[str, float | str]:
        """BD-rate of ncodec against every other curve, in percent, by its name; empty without
        ncodec.

        Negative means fewer bits. Each is computed over the range of quality that the two curves
        share, not as a quotient of rates against a third; "no overlap" or "too few points" stands
        for one that cannot be computed.
        """
        rates = self.rate_differences(metric)
        return {
            name: against[NCODEC.name] for name, against in rates.items() if NCODEC.name in against
        }

    def picture_differences(self, metric: str) -> list[dict[str, float | str]]:
        """For each source, the BD-rate of ncodec against every other measured codec; empty without
        ncodec."""
        rows = []
        for source in self.sources:
            curves = {
                m.codec.name: mean_curve(
                    Measured(m.codec, {source.name: m.outcomes[source.name]}), [source], [metric]
                )
                for m in self.measured
            }
            row: dict[str, float | str] = {"name": source.name, "size": _size(source)}
            ours = curves.pop(NCODEC.name, None)
            if ours is None:
                return []
            row |= {name: rate_difference(curve, ours, metric) for name, curve in curves.items()}
            rows.append(row)
        return rows


def _size(source: Source) -> str:
    sides = f"{source.width}×{source.height}"
    return sides if source.frames == 1 else f"{sides}, {source.frames} frames"


def choose_codecs(medium: Medium, names: Sequence[str]) -> list[Codec[Any]]:
    """Codecs by name, every one when none is named; raises InputError for a name that does not
    exist."""
    for name in names:
        if name not in medium.codecs:
            msg = f"expected a codec of {medium.name} among {', '.join(medium.codecs)}, got {name}"
            raise InputError(msg)
    return [medium.codecs[name] for name in names or medium.codecs]


Progress = Callable[[str, int], Callable[[int], None]]
"""called with a stage and its length; the result advances it"""


@dataclass(frozen=True)
class Run:
    """How a report is measured."""

    store: Store
    jobs: int
    """processes"""
    quick: bool
    """five points a codec, and PSNR alone"""
    progress: Progress
    runner: Runner | None = None
    """measures points in place of processes of this machine"""


def make_report(
    medium: Medium,
    paths: Sequence[Path],
    run: Run,
    *,
    title: str,
    codecs: Sequence[Codec[Any]],
    frames: int = 1,
) -> Report:
    """Measure what `run.store` does not hold yet, and gather points, curves, samples and memory.

    Codecs whose dependencies are missing are only noted. Of clips, at most `frames` frames are
    taken. Raises InputError where no source can be read or no codec is installed.
    """
    sources, unreadable = load_sources(medium, paths, frames=frames)
    present = _present(codecs, quick=run.quick)
    metrics, absent = _metrics_of(medium, quick=run.quick)
    keys = [metric.key for metric in metrics]
    points = len(sources) * sum(len(codec.qualities) for codec in present)
    advance = run.progress("measure", points)
    measured = measure(
        medium,
        sources,
        present,
        metrics=keys,
        store=run.store,
        jobs=run.jobs,
        advance=advance,
        runner=run.runner,
    )
    samples, unsampled = _samples_of(sources, present, run)
    memory = {} if run.quick else _memory_of(medium, sources, present, run)
    return Report(
        medium=medium,
        title=title,
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        machine=_machine_of(run),
        sources=sources,
        metrics=metrics,
        notes=[_note(codec, memory.get(codec.name)) for codec in codecs],
        measured=measured,
        curves=[mean_curve(m, sources, keys) for m in measured] + published_curves(sources),
        samples=samples,
        problems=[*unreadable, *unsampled, *absent],
    )


def _present(codecs: Sequence[Codec[Any]], *, quick: bool) -> list[Codec[Any]]:
    """The codecs whose dependencies are installed; raises InputError where there are none."""
    present = [thinned(codec) if quick else codec for codec in codecs if codec.missing is None]
    if not present:
        missing = "; ".join(f"{codec.name} needs {codec.missing}" for codec in codecs)
        msg = f"none of the codecs can be measured here: {missing}"
        raise InputError(msg)
    return present


def _metrics_of(medium: Medium, *, quick: bool) -> tuple[list[Metric[Any]], list[str]]:
    """Metrics to measure, and a sentence for each one that is not installed."""
    wanted = [m for m in medium.metrics.values() if m.key == medium.main_metric or not quick]
    absent = [m for m in wanted if not m.available]
    sentences = [f"{m.label} is absent: it needs {m.distribution}" for m in absent]
    return [m for m in wanted if m.available], sentences


def _samples_of(
    sources: Sequence[Source], present: Sequence[Codec[Any]], run: Run
) -> tuple[list[Sample], list[str]]:
    """Crops of some pictures by some codecs at equal rates, and failures in sentences."""
    names = {codec.name for codec in SAMPLE_CODECS}
    sampled = [c for c in present if isinstance(c, PictureCodec) and c.name in names]
    step = max(1, len(sources) // SAMPLE_PICTURES)
    shown = list(sources[::step][:SAMPLE_PICTURES]) if sampled else []
    advance = run.progress("samples", len(shown) * len(sampled) * len(SAMPLE_RATES))
    return make_samples(
        shown, sampled, rates=SAMPLE_RATES, store=run.store, jobs=run.jobs, advance=advance
    )


def _memory_of(
    medium: Medium, sources: Sequence[Source], present: Sequence[Codec[Any]], run: Run
) -> dict[str, float]:
    """Peak memory of each codec on the largest source, in megabytes."""
    largest = max(sources, key=lambda source: source.pixels)
    advance = run.progress("memory", len(present))
    return measure_memory(medium, largest, present, store=run.store, jobs=run.jobs, advance=advance)


def machine_facts(jobs: int) -> str:
    """Processor, system and versions, and how many codecs ran at once."""
    return (
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
        f"ncodec {ncodec.__version__}; one thread for each codec, {jobs} at a time"
    )


def _machine_of(run: Run) -> str:
    where = "; points measured on a Ray cluster" if run.runner else ""
    return f"{machine_facts(run.jobs)}{where}"


def thinned(codec: Codec[Any]) -> Codec[Any]:
    """The codec at five of its qualities, evenly spread from its first to its last; at all of up to
    five."""
    last = len(codec.qualities) - 1
    chosen = sorted({round(i * last / (QUICK_POINTS - 1)) for i in range(QUICK_POINTS)})
    return replace(codec, qualities=tuple(codec.qualities[i] for i in chosen))


def _note(codec: Codec[Any], memory: float | None) -> CodecNote:
    missing, version = codec.missing, codec.version
    return CodecNote(
        codec.name,
        codec.settings,
        version() if missing is None else missing,
        missing is None,
        memory,
    )
