"""Figures of a stream's report, from its record: points and lines of charts, and savings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ncodec.streaming.metrics import VMAF, XPSNR
from ncodec.streaming.report_words import Record, quality_text, rate_text

Row = dict[str, Any]
Pairs = Sequence[tuple[float, float]]
"""bit rates and qualities"""

SHADES = 6
"""colours of heights that the page has, --h0 to --h5"""
MOST_STEPS = 120
"""of a line over time; longer ones show means over several segments"""


@dataclass(frozen=True)
class Heights:
    """Names and colours of the heights of a ladder, the tallest first."""

    names: Mapping[int, str]
    shades: Mapping[int, str]


@dataclass(frozen=True)
class QualityData:
    """Data of a codec's chart of quality over bit rate. Rows have `rate`, `quality`, `height`,
    `shade` and `said`, named ones a `label`."""

    metric: str
    target: float | None
    probes: Sequence[Row]
    hull: Sequence[Row]
    rungs: Sequence[Row]
    fixed: Sequence[Row]
    coded: Sequence[Row]
    """renditions as they were measured"""

    @property
    def rows(self) -> list[Row]:
        """All points but those of the hull."""
        return [*self.probes, *self.rungs, *self.fixed, *self.coded]


@dataclass(frozen=True)
class RateLine:
    """Bit rates of a rendition's segments."""

    name: str
    label: str
    shade: str
    starts: Sequence[float]
    """of segments, in seconds"""
    rates: Sequence[float]
    """bits a second"""
    bandwidth: int
    end: float
    """seconds at which the last segment ends"""
    group: int
    """segments that a rate is the mean of"""


def ladders_of(record: Record) -> dict[str, list[Record]]:
    """Renditions of a record by their codec, such as h264, in the record's order."""
    found: dict[str, list[Record]] = {}
    for rendition in record["renditions"]:
        found.setdefault(rendition["kind"], []).append(rendition)
    return found


def probes_of(record: Record) -> dict[str, Record]:
    """Probes by their codecs."""
    return {found["codec"]: found for found in record.get("probes") or []}


def metric_of(record: Record) -> str | None:
    """Metric that the ladder went by, or else one that renditions were measured by."""
    if record.get("metric"):
        return str(record["metric"])
    measured = {key for one in record["renditions"] for key in one.get("measured") or {}}
    return next((name for name in (VMAF, XPSNR) if name.lower() in measured), None)


def coded_quality(rendition: Record, metric: str | None) -> float | None:
    """Measured quality of a rendition by the ladder's metric."""
    return (rendition.get("measured") or {}).get(metric.lower()) if metric else None


def heights_of(record: Record) -> Heights:
    """Names and colours of all heights in a record."""
    sides = {one["height"]: min(one["width"], one["height"]) for one in record["renditions"]}
    share = next((side / height for height, side in sides.items() if height), 1)
    probed = {row["height"] for one in probes_of(record).values() for row in one["probes"]}
    ordered = sorted({*sides, *probed}, reverse=True)
    return Heights(
        {height: f"{sides.get(height, round(height * share))}p" for height in ordered},
        {height: shade_of(i, len(ordered)) for i, height in enumerate(ordered)},
    )


def quality_data(record: Record, kind: str, heights: Heights) -> QualityData | None:
    """Points of a codec, None where no quality is known."""
    metric, found = metric_of(record), probes_of(record).get(kind)
    if metric is None:
        return None
    coded = [
        _row(one["average_bandwidth"], value, one["height"], heights, metric, one.get("crf"))
        for one in ladders_of(record)[kind]
        if (value := coded_quality(one, metric)) is not None
    ]
    if not found and not coded:
        return None

    def rows(name: str) -> list[Row]:
        return [
            _row(one["bitrate"], one["quality"], one["height"], heights, metric, one.get("crf"))
            for one in (found or {}).get(name) or []
        ]

    target = record.get("target") if found else None
    fixed = [{**row, "said": f"fixed ladder, {row['said']}"} for row in rows("fixed")]
    return QualityData(
        metric, target, rows("probes"), rows("hull"), rows("rungs"), fixed,
        [{**row, "said": f"as coded, {row['said']}"} for row in coded],
    )  # fmt: skip


def _row(
    rate: float, quality: float, height: int, heights: Heights, metric: str, crf: float | None
) -> Row:
    label = heights.names.get(height, f"{height}p")
    setting = "" if crf is None else f", CRF {crf:g}"
    said = f"{label}{setting}: {rate_text(rate)}, {quality_text(metric, quality)}"
    shade = heights.shades.get(height, "var(--quiet)")
    return {
        "rate": max(rate, 1), "quality": quality, "height": height, "crf": crf, "label": label,
        "shade": shade, "said": said,
    }  # fmt: skip


def rate_lines(record: Record, kind: str, heights: Heights) -> list[RateLine]:
    """Bit rates over time of a codec's renditions whose segments are known. Lines may cross, so
    each has a colour of its own, by its place in the ladder."""
    starts, ladder = record.get("segment_starts") or [], ladders_of(record)[kind]
    return [
        _rate_line(one, starts, heights.names[one["height"]], shade_of(place, len(ladder)))
        for place, one in enumerate(ladder)
        if starts and len(one.get("segment_bytes") or []) == len(starts)
    ]


def shade_of(place: int, count: int) -> str:
    """Colour of one of several things in an order, as different from the others as they come."""
    return f"var(--h{round(place * (SHADES - 1) / max(1, count - 1))})"


def _rate_line(rendition: Record, starts: Sequence[float], label: str, shade: str) -> RateLine:
    sizes = rendition["segment_bytes"]
    end = starts[0] + 8 * sum(sizes) / max(1, rendition["average_bandwidth"])
    end = max(end, starts[-1] + 1e-3)
    group = -(-len(starts) // MOST_STEPS)
    edges = [*starts[::group], end]
    means = [
        8 * sum(sizes[i * group : (i + 1) * group]) / max(1e-6, edges[i + 1] - edges[i])
        for i in range(len(edges) - 1)
    ]
    return RateLine(
        rendition["name"], label, shade, edges[:-1], means, rendition["bandwidth"], end, group
    )


def rate_difference(own: Pairs, other: Pairs) -> float | None:
    """Part of the other's bits that a codec saves, the geometric mean over the qualities that both
    reach; None where there are none."""
    sides = [sorted((quality, max(rate, 1)) for rate, quality in side) for side in (own, other)]
    if any(len(side) < 2 for side in sides):
        return None
    low, high = max(side[0][0] for side in sides), min(side[-1][0] for side in sides)
    if high <= low:
        return None
    at = np.linspace(low, high, 101)
    logs = [np.interp(at, *np.array([(q, np.log(r)) for q, r in side]).T) for side in sides]
    return float(1 - np.exp(np.mean(logs[0] - logs[1])))
