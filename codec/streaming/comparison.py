"""The chosen ladder beside the fixed one: bits at equal quality, by probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

import numpy as np

from ncodec.streaming.hull import Curve, Point, fit_curves, hull_of
from ncodec.streaming.ladder import MOST_RUNGS, fixed_rungs, rendition_of_rung
from ncodec.streaming.plan import CodecProbes
from ncodec.streaming.renditions import Rendition


@dataclass(frozen=True)
class FixedPoint:
    """A rung of the fixed ladder, and the bit rate of the hull at its quality."""

    height: int
    bitrate: float
    """bits a second"""
    quality: float
    hull_bitrate: float


def fixed_points(probed: CodecProbes, *, metric: str) -> list[FixedPoint]:
    """Rungs of the fixed ladder that lie on a probed codec's curves, each at the curve of the
    nearest height."""
    curves = fit_curves(probed.probes, metric=metric)
    hull = hull_of(curves)
    rungs = fixed_rungs(curves[0].size, most=MOST_RUNGS)
    renditions = [
        rendition_of_rung(probed.codec, rung, curves[0].size, number=number, speed="medium")
        for number, rung in enumerate(rungs, 1)
    ]
    found = [_point(rendition, curves, hull) for rendition in renditions]
    return [point for point in found if point is not None]


def saving(points: Sequence[FixedPoint]) -> float | None:
    """Part of the fixed ladder's bits that the hull saves at equal quality, the geometric mean over
    rungs; None where none lies on a curve."""
    if not points:
        return None
    return 1 - exp(fmean(log(point.hull_bitrate / point.bitrate) for point in points))


def _point(
    rendition: Rendition, curves: Sequence[Curve], hull: Sequence[Point]
) -> FixedPoint | None:
    rate, height = float(rendition.bitrate or 0), rendition.size.height
    curve = min(curves, key=lambda one: abs(one.size.height - height))
    if not curve.bitrates[-1] <= rate <= curve.bitrates[0]:
        return None
    logs = np.log([rate, *curve.bitrates[::-1]])
    quality = float(np.interp(logs[0], logs[1:], curve.qualities[::-1]))
    rates = np.log([point.bitrate for point in hull])
    at = float(np.interp(quality, [point.quality for point in hull], rates))
    return FixedPoint(height, rate, quality, exp(at))
