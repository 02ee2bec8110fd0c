"""Charts of a stream's report with their words and the tables behind them."""

from collections.abc import Mapping, Sequence
from typing import Any

from ncodec.streaming.report_charts import (
    SHAPES,
    quality_chart,
    quality_domains,
    rate_chart,
    rate_domain,
)
from ncodec.streaming.report_figures import Heights, QualityData, RateLine, coded_quality
from ncodec.streaming.report_words import (
    NONE,
    Record,
    clock,
    codec_name,
    count_text,
    decimals_text,
    kbits_text,
    rate_text,
)

View = dict[str, Any]


def quality_views(
    qualities: Mapping[str, QualityData | None],
    heights: Heights,
    ladders: Mapping[str, Sequence[Record]],
) -> list[View]:
    """Charts of quality over bit rate, of codecs that have any point."""
    shown = {kind: data for kind, data in qualities.items() if data and data.rows}
    if not shown:
        return []
    domains = quality_domains(list(shown.values()))
    return [
        {
            "codec": codec_name(kind),
            "charts": [quality_chart(data, domains, shape) for shape in SHAPES],
            "alt": _quality_alt(codec_name(kind), data),
            "data": data,
            "legend": [
                {"name": heights.names[height], "shade": heights.shades[height]}
                for height in sorted({row["height"] for row in data.probes}, reverse=True)
            ],
            "points": _points(data),
            "rungs": _chosen_and_coded(data, ladders[kind]),
        }
        for kind, data in shown.items()
    ]


def _quality_alt(codec: str, data: QualityData) -> str:
    rows = data.rungs or data.coded
    points = "; ".join(row["said"].removeprefix("as coded, ") for row in rows)
    probes = f" {count_text(len(data.probes), 'probe')}." if data.probes else ""
    noun = "Chosen rungs" if data.rungs else "Renditions as coded"
    return f"{codec}: {data.metric} over bit rate.{probes} {noun}: {points}."


def _points(data: QualityData) -> list[View]:
    """Rows of the table behind a chart."""
    kinds = {
        "probe": data.probes, "chosen rung": data.rungs, "fixed ladder": data.fixed,
        "as coded": data.coded,
    }  # fmt: skip
    return [
        {
            "kind": kind,
            "height": row["label"],
            "crf": _crf(row["crf"]),
            "rate": kbits_text(row["rate"]),
            "quality": f"{row['quality']:.1f}",
        }
        for kind, rows in kinds.items()
        for row in rows
    ]


def _chosen_and_coded(data: QualityData, ladder: Sequence[Record]) -> list[View]:
    """Rungs as they were chosen by probes, beside what came out."""
    if len(data.rungs) != len(ladder):
        return []
    return [
        {
            "name": one["name"],
            "crfs": [_crf(crf) for crf in (row["crf"], one["crf"])],
            "rates": [kbits_text(rate) for rate in (row["rate"], one["average_bandwidth"])],
            "qualities": [
                decimals_text(value, 1)
                for value in (row["quality"], coded_quality(one, data.metric))
            ],
        }
        for row, one in zip(data.rungs, ladder, strict=True)
    ]  # fmt: skip


def _crf(crf: float | None) -> str:
    return NONE if crf is None else f"{crf:g}"


def rate_views(lines: Mapping[str, Sequence[RateLine]]) -> list[View]:
    """Charts of bit rate over time, of codecs that have any line."""
    shown = {kind: own for kind, own in lines.items() if own}
    if not shown:
        return []
    domain = rate_domain([line for own in shown.values() for line in own])
    end = max(line.end for own in shown.values() for line in own)
    return [
        {
            "codec": codec_name(kind),
            "charts": [rate_chart(own, domain, end, shape) for shape in SHAPES],
            "alt": _rate_alt(codec_name(kind), own),
            "names": [line.name for line in own],
            "group": own[0].group,
            "rows": [
                {"time": _moment(start, end), "rates": [kbits_text(line.rates[i]) for line in own]}
                for i, start in enumerate(own[0].starts)
            ],
            "peaks": [kbits_text(line.bandwidth) for line in own],
        }
        for kind, own in shown.items()
    ]


def _moment(seconds: float, end: float) -> str:
    return clock(seconds) if end >= 600 else f"{seconds:.2f}"


def _rate_alt(codec: str, lines: Sequence[RateLine]) -> str:
    parts = [
        f"{line.name} from {rate_text(min(line.rates))} to {rate_text(max(line.rates))},"
        f" BANDWIDTH {rate_text(line.bandwidth)}"
        for line in lines
    ]
    return f"{codec}: bit rates of segments over time. {'; '.join(parts)}."
