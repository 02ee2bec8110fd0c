"""Bjøntegaard rates: how many more bits one codec needs than another at equal quality."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from ncodec.errors import InputError

Curve = list[tuple[float, float]]
"""(bits per pixel, PSNR in dB) points"""


def bd_rate(anchor: Curve, test: Curve) -> float:
    """Mean difference of the rate of `test` against `anchor` at equal quality, in percent
    (negative: fewer bits).

    Bjøntegaard, VCEG-M33, with piecewise cubic (PCHIP) interpolation of log rate over the shared
    range of quality. Of points of equal quality the cheapest counts. Raises InputError when a curve
    has fewer than two points of different quality or the curves share no quality.
    """
    curves = [_by_quality(curve) for curve in (anchor, test)]
    if any(len(curve) < 2 for curve in curves):
        msg = (
            f"expected at least two points on each curve, got {len(curves[0])} and {len(curves[1])}"
        )
        raise InputError(msg)
    low = max(curve[0][0] for curve in curves)
    high = min(curve[-1][0] for curve in curves)
    if low >= high:
        msg = (
            f"expected curves that share a range of quality, got none ({low:.2f} dB is not below "
            f"{high:.2f} dB)"
        )
        raise InputError(msg)
    anchor_log, test_log = (
        float(PchipInterpolator(*zip(*curve, strict=True)).integrate(low, high)) for curve in curves
    )
    return float(np.expm1((test_log - anchor_log) / (high - low)) * 100)


def _by_quality(curve: Curve) -> list[tuple[float, float]]:
    """(quality, log rate) points, rising in quality."""
    cheapest: dict[float, float] = {}
    for rate, quality in curve:
        cheapest[quality] = min(rate, cheapest.get(quality, rate))
    return [(quality, float(np.log(rate))) for quality, rate in sorted(cheapest.items())]
