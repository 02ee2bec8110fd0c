"""Probes → rate–quality curves of each size, and the hull over all sizes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ncodec.arrays import FloatArray
from ncodec.media.scaling import FrameSize
from ncodec.streaming.metrics import VMAF

_STEP = 0.25
"""of CRF, in curves"""
_BELOW, _ABOVE = 2.0, 4.0
"""CRF by which a curve goes on before its first probe and behind its last"""
_LEAST, _MOST = -2.0, 102.0
"""ends of VMAF's scale in curves, a little beyond what it takes"""


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
    more, of log bit rate and of quality, the logit of VMAF."""

    size: FrameSize
    crfs: FloatArray
    bitrates: FloatArray
    qualities: FloatArray


@dataclass(frozen=True)
class Point:
    """Point of a hull."""

    size: FrameSize
    crf: float
    bitrate: float
    """bits a second"""
    quality: float


def fit_curve(probes: Sequence[Probe], *, metric: str) -> Curve:
    """Curve through probes of one size at different CRFs."""
    ordered = sorted(probes, key=lambda probe: probe.crf)
    crfs = np.array([probe.crf for probe in ordered])
    rates = np.log([max(probe.bitrate, 1) for probe in ordered])
    qualities = np.array([probe.quality for probe in ordered])
    steps = np.arange(crfs[0] - _BELOW, crfs[-1] + _ABOVE + _STEP / 2, _STEP)
    rate = _through(crfs, rates, steps)
    if metric == VMAF:
        scaled = np.log((qualities - _LEAST) / (_MOST - qualities))
        grown = np.exp(_through(crfs, scaled, steps))
        quality = (_MOST * grown + _LEAST) / (1 + grown)
    else:
        quality = _through(crfs, qualities, steps)
    falling = np.minimum.accumulate(np.clip(quality, 0, 100))
    return Curve(ordered[0].size, steps, np.exp(np.minimum.accumulate(rate)), falling)


def _through(places: FloatArray, values: FloatArray, steps: FloatArray) -> FloatArray:
    """A quadratic function, or one of lower degree through fewer points, at `steps`."""
    degree = min(2, len(places) - 1)
    return np.asarray(np.polyval(np.polyfit(places, values, degree), steps), dtype=np.float64)


def fit_curves(probes: Iterable[Probe], *, metric: str) -> list[Curve]:
    """Curves of probes of several sizes, the largest size first."""
    by_size: dict[FrameSize, list[Probe]] = {}
    for probe in probes:
        by_size.setdefault(probe.size, []).append(probe)
    ordered = sorted(by_size, key=lambda size: -size.width * size.height)
    return [fit_curve(by_size[size], metric=metric) for size in ordered]


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
