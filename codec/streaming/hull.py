"""Probes → rate–quality curves of each size, and the hull over all sizes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from ncodec.arrays import FloatArray
from ncodec.media.scaling import FrameSize

_STEP = 0.25
"""of CRF, in curves"""
_BEYOND = 4.0
"""CRF by which a curve goes on beyond its probes"""


@dataclass(frozen=True)
class Probe:
    """Rate and quality that an encoder reached on samples of a clip."""

    size: FrameSize
    crf: float
    bitrate: float
    """bits a second"""
    quality: float
    """by the ladder's metric"""


@dataclass(frozen=True)
class Curve:
    """Rate and quality of one size over CRF, ascending: quadratic functions through three probes or
    more, of log bit rate and of quality."""

    size: FrameSize
    crfs: FloatArray
    bitrates: FloatArray
    qualities: FloatArray

    def quality_at(self, crf: float) -> float:
        """Quality at a CRF, that of the nearest one outside the curve."""
        return float(np.interp(crf, self.crfs, self.qualities))


@dataclass(frozen=True)
class Point:
    """Point of a hull."""

    size: FrameSize
    crf: float
    bitrate: float
    """bits a second"""
    quality: float


def fit_curve(probes: Sequence[Probe]) -> Curve:
    """Curve through probes of one size at different CRFs."""
    ordered = sorted(probes, key=lambda probe: probe.crf)
    crfs = np.array([probe.crf for probe in ordered])
    rates = np.array([log2(max(probe.bitrate, 1)) for probe in ordered])
    qualities = np.array([probe.quality for probe in ordered])
    degree = min(2, len(ordered) - 1)
    steps = np.arange(crfs[0] - _BEYOND, crfs[-1] + _BEYOND + _STEP / 2, _STEP)
    rate = np.polyval(np.polyfit(crfs, rates, degree), steps)
    quality = np.polyval(np.polyfit(crfs, qualities, degree), steps)
    falling = np.minimum.accumulate(quality)
    return Curve(ordered[0].size, steps, 2 ** np.minimum.accumulate(rate), falling)


def fit_curves(probes: Iterable[Probe]) -> list[Curve]:
    """Curves of probes of several sizes, the largest size first."""
    by_size: dict[FrameSize, list[Probe]] = {}
    for probe in probes:
        by_size.setdefault(probe.size, []).append(probe)
    ordered = sorted(by_size, key=lambda size: -size.width * size.height)
    return [fit_curve(by_size[size]) for size in ordered]


def hull_of(curves: Sequence[Curve]) -> list[Point]:
    """Points of curves above which no other has more quality for as many bits or fewer, by
    ascending bit rate."""
    points = sorted(
        (
            Point(curve.size, float(crf), float(bitrate), float(quality))
            for curve in curves
            for crf, bitrate, quality in zip(
                curve.crfs, curve.bitrates, curve.qualities, strict=True
            )
        ),
        key=lambda point: (point.bitrate, -point.quality),
    )
    hull: list[Point] = []
    for point in points:
        if not hull or point.quality > hull[-1].quality:
            hull.append(point)
    return hull
