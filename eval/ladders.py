"""Ladders by probes beside the hull of all settings, and beside the fixed ladder."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import numpy as np

from ncodec.errors import InputError
from ncodec.eval.bdrate import bd_rate
from ncodec.media.mezzanine import Mezzanine
from ncodec.media.scaling import FrameSize, Shown
from ncodec.streaming.hull import Probe
from ncodec.streaming.ladder import (
    MOST_RUNGS,
    fixed_rungs,
    rendition_of_rung,
    sizes_of,
    top_size,
)
from ncodec.streaming.metrics import VMAF
from ncodec.streaming.plan import StreamPlan
from ncodec.streaming.prepare import make_plan
from ncodec.streaming.probing import Samples, probe, write_samples
from ncodec.streaming.renditions import Rendition
from ncodec.streaming.settings import StreamSettings
from ncodec.streaming.spans import Span

GRIDS = {
    "h264": (17.0, 20.0, 23.0, 26.0, 29.0, 33.0, 37.0, 41.0, 45.0),
    "hevc": (17.0, 20.0, 23.0, 26.0, 29.0, 33.0, 37.0, 41.0, 45.0),
    "av1": (20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0),
}
"""codec → CRFs of the full hull"""
_STEPS = 20
"""points between two CRFs"""


@dataclass(frozen=True)
class RungFigures:
    """A rung that probes chose, coded over the whole clip."""

    height: int
    crf: float
    bitrate: float
    """bits a second"""
    vmaf: float
    excess: float
    """bits over those of the full hull at equal VMAF, as a part"""


@dataclass(frozen=True)
class LadderFigures:
    """A clip's ladders."""

    clip: str
    rungs: tuple[RungFigures, ...]
    target: float
    """VMAF that the top rung was to have, or the best there is"""
    fixed: tuple[tuple[float, float], ...]
    """bits a second and VMAF of the fixed ladder's rungs"""
    against_fixed: float | None
    """BD-rate of the chosen ladder against the fixed one, in percent; None where they share no
    quality"""
    settings: int
    """settings of the full hull that were coded"""

    @property
    def excess(self) -> float:
        """Mean over rungs of bits over the full hull, as a part."""
        return fmean(rung.excess for rung in self.rungs)

    @property
    def top_error(self) -> float:
        """VMAF of the top rung over its target."""
        return self.rungs[0].vmaf - self.target


def settings_count(path: Path, codec: str) -> int:
    """About how many settings of a clip are coded."""
    with Mezzanine(path) as reader:
        shown = Shown(pixel_aspect=reader.pixel_aspect)
        top = top_size(*shown.size_of(reader.width, reader.height), most=None)
    sizes = {*sizes_of(top), *(size for size, _ in _fixed(top, codec))}
    return len(sizes) * len(GRIDS[codec]) + MOST_RUNGS


def measure_ladder(
    path: Path, codec: str, *, jobs: int, progress: Callable[[], None]
) -> LadderFigures:
    """Figures of a clip and a codec, by coding the whole clip at every setting; `progress` is
    called after each.

    Raises what `ncodec.stream` raises for the clip.
    """
    settings = StreamSettings(codecs=(codec,), audio=())
    with Mezzanine(path) as reader:
        survey = reader.survey()

    def open_source() -> Mezzanine:
        return Mezzanine(path)

    plan = make_plan(
        open_source, survey, settings,
        fingerprint="", jobs=jobs, progress=lambda stage, done, total: None,
    )  # fmt: skip
    if plan.metric != VMAF:
        msg = "expected imageio-ffmpeg, whose FFmpeg measures VMAF, got none"
        raise InputError(msg)
    with TemporaryDirectory() as folder:
        samples = write_samples(
            open_source, survey, plan.shown, plan.form,
            size=plan.top, path=Path(folder) / "clip.mkv", windows=[Span(1, 0, len(survey.times))],
        )  # fmt: skip
        found = _coded(samples, plan, codec, jobs=jobs, progress=progress)
    return _figures(path.stem, plan, codec, found)


def _coded(
    samples: Samples,
    plan: StreamPlan,
    codec: str,
    *,
    jobs: int,
    progress: Callable[[], None],
) -> dict[tuple[FrameSize, float], Probe]:
    """The whole clip at every setting of the hull, of the fixed ladder's sizes, and of the rungs
    that probes chose."""
    sizes = dict.fromkeys([*sizes_of(plan.top), *(size for size, _ in _fixed(plan.top, codec))])
    settings = [(size, crf) for size in sizes for crf in GRIDS[codec]]
    settings += [(rung.size, rung.crf or 0.0) for rung in plan.renditions]

    def work(setting: tuple[FrameSize, float]) -> Probe:
        size, crf = setting
        found, _ = probe(samples, Rendition(codec, size, crf=crf), plan.form, metric=VMAF)
        progress()
        return found

    settings = list(dict.fromkeys(settings))
    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(settings, pool.map(work, settings), strict=True))


def _fixed(top: FrameSize, codec: str) -> list[tuple[FrameSize, float]]:
    """Size and bits a second of the fixed ladder's rungs."""
    rungs = [
        rendition_of_rung(codec, rung, top, number=1, speed="medium")
        for rung in fixed_rungs(top, most=MOST_RUNGS)
    ]
    return [(rung.size, float(rung.bitrate or 0)) for rung in rungs]


def _figures(
    clip: str, plan: StreamPlan, codec: str, found: dict[tuple[FrameSize, float], Probe]
) -> LadderFigures:
    hull = _hull([_dense(found, size, GRIDS[codec]) for size in sizes_of(plan.top)])
    rungs = tuple(_rung(rung, found[rung.size, rung.crf or 0.0], hull) for rung in plan.renditions)
    fixed = []
    for size, bitrate in _fixed(plan.top, codec):
        curve = _dense(found, size, GRIDS[codec])
        if curve[0][0] <= bitrate <= curve[-1][0]:
            logs = [log(rate) for rate, _ in curve]
            fixed.append((bitrate, float(np.interp(log(bitrate), logs, [q for _, q in curve]))))
    best = max(quality for _, quality in hull)
    return LadderFigures(
        clip,
        rungs,
        min(plan.target, best),
        tuple(fixed),
        _bd_rate(fixed, [(rung.bitrate, rung.vmaf) for rung in rungs]),
        len(found),
    )


def _bd_rate(fixed: list[tuple[float, float]], chosen: list[tuple[float, float]]) -> float | None:
    try:
        return bd_rate(fixed, chosen)
    except InputError:
        return None


def _dense(
    found: dict[tuple[FrameSize, float], Probe], size: FrameSize, crfs: Sequence[float]
) -> list[tuple[float, float]]:
    """Bit rate and quality of a size by ascending rate, linear in CRF between coded points."""
    points = [found[size, crf] for crf in crfs]
    steps = np.linspace(crfs[0], crfs[-1], _STEPS * (len(crfs) - 1) + 1)
    rates = np.interp(steps, crfs, [log(point.bitrate) for point in points])
    qualities = np.interp(steps, crfs, [point.quality for point in points])
    return [
        (exp(rate), float(quality))
        for rate, quality in zip(rates[::-1], qualities[::-1], strict=True)
    ]


def _hull(curves: Sequence[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    hull: list[tuple[float, float]] = []
    for rate, quality in sorted(point for curve in curves for point in curve):
        if not hull or quality > hull[-1][1]:
            hull.append((rate, quality))
    return hull


def _rung(rendition: Rendition, coded: Probe, hull: list[tuple[float, float]]) -> RungFigures:
    logs = [log(rate) for rate, _ in hull]
    at = float(np.interp(coded.quality, [quality for _, quality in hull], logs))
    return RungFigures(
        rendition.size.height,
        coded.crf,
        coded.bitrate,
        coded.quality,
        coded.bitrate / exp(at) - 1,
    )
