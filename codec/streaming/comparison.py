"""The chosen ladder beside the fixed one: bits at equal quality, by probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

import numpy as np

from ncodec.streaming.hull import Curve, Point, fit_curves, hull_of
from ncodec.streaming.ladder import MOST_RUNGS, Rung, fixed_rungs
from ncodec.streaming.plan import CodecProbes


@dataclass(frozen=True)
class FixedPoint:
    """A rung of the fixed ladder, and the bit rate of the hull at its quality."""

    height: int
    bitrate: float
    """bits a second"""
    quality: float
    hull_bitrate: float


def fixed_points(probed: CodecProbes) -> list[FixedPoint]:
    """Rungs of the fixed ladder that lie on a probed codec's curves, each at the curve of the
    nearest height."""
    curves = fit_curves(probed.probes)
    hull = hull_of(curves)
    found = [_point(rung, curves, hull) for rung in fixed_rungs(curves[0].size, most=MOST_RUNGS)]
    return [point for point in found if point is not None]


def saving(points: Sequence[FixedPoint]) -> float | None:
    """Part of the fixed ladder's bits that the hull saves at equal quality, the geometric mean over
    rungs; None where none lies on a curve."""
    if not points:
        return None
    return 1 - exp(fmean(log(point.hull_bitrate / point.bitrate) for point in points))


def _point(rung: Rung, curves: Sequence[Curve], hull: Sequence[Point]) -> FixedPoint | None:
    rate = float(rung.bitrate or 0)
    curve = min(curves, key=lambda one: abs(min(one.size.width, one.size.height) - rung.height))
    if not curve.bitrates[-1] <= rate <= curve.bitrates[0]:
        return None
    logs = np.log([rate, *curve.bitrates[::-1]])
    quality = float(np.interp(logs[0], logs[1:], curve.qualities[::-1]))
    rates = np.log([point.bitrate for point in hull])
    at = float(np.interp(quality, [point.quality for point in hull], rates))
    return FixedPoint(rung.height, rate, quality, exp(at))
