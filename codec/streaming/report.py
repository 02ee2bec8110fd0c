"""Report of a stream as one HTML page that needs no network."""

from collections.abc import Mapping, Sequence
from typing import Any

from ncodec.optional import require_modules
from ncodec.streaming.layout import MANIFEST, MASTER, PAGE, RECORD
from ncodec.streaming.report_figures import (
    QualityData,
    coded_quality,
    heights_of,
    ladders_of,
    metric_of,
    probes_of,
    quality_data,
    rate_difference,
    rate_lines,
)
from ncodec.streaming.report_words import (
    MEASURES,
    NONE,
    Record,
    codec_name,
    count_text,
    decimals_text,
    kbits_text,
    metric_unit,
    number_text,
    percent_text,
    rate_text,
    seconds_text,
    signed,
    size_text,
    summary,
)

MODULES = ("altair", "jinja2", "vl_convert")
View = dict[str, Any]


def render_report(record: Mapping[str, Any]) -> str:
    """The whole page of a stream's record, its charts inside; raises BackendError where the extra
    `stream` is not installed."""
    require_modules(*MODULES, extra="stream")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ncodec.streaming", "templates"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html").render(_view(record))


def _view(record: Record) -> View:
    """Variables of the template, in words."""
    from ncodec.streaming.report_views import quality_views, rate_views

    ladders, probes, metric = ladders_of(record), probes_of(record), metric_of(record)
    heights = heights_of(record)
    is_live = "shots" not in record
    reached = _reached(record)
    target = record.get("target") if probes else None
    savings = {
        kind: found["saving_over_fixed"]
        for kind, found in probes.items()
        if kind in ladders and found.get("saving_over_fixed") is not None
    }
    keys = {key for one in record["renditions"] for key in one.get("measured") or {}}
    measures = [key for key in MEASURES if key in keys]
    qualities = {kind: quality_data(record, kind, heights) for kind in ladders}
    against = _against_first(ladders, qualities, metric)
    return {
        "title": record["source"],
        "facts": _facts(record),
        "sentence": summary(
            ladders, reached=reached, metric=metric, target=target, savings=savings,
            is_live=is_live,
        ),
        "tiles": _tiles(record, reached, target, savings, against),
        "measures": [MEASURES[key][0] for key in measures],
        "codecs": [
            {"name": codec_name(kind), "rows": [_rendition(one, measures) for one in ladder]}
            for kind, ladder in ladders.items()
        ],
        "clip": _clip(record.get("ncv")),
        "metric": metric,
        "qualities": quality_views(qualities, heights, ladders),
        "rates": rate_views({kind: rate_lines(record, kind, heights) for kind in ladders}),
        "steps": _steps(ladders, probes, metric, target, savings, against),
        "has_percentages": bool(savings or against),
        "step_codecs": [codec_name(kind) for kind in ladders],
        "sounds": [_sound(one) for one in record.get("sounds") or []],
        "texts": [_text(one) for one in record.get("texts") or []],
        "notices": record.get("notices") or [],
        "links": _links(record),
        "version": record.get("ncodec", ""),
    }  # fmt: skip


def _facts(record: Record) -> list[str]:
    rate = f"{number_text(record['frame_rate'])} frames/s"
    tops = [(one["width"], one["height"]) for one in record["renditions"]]
    width, height = max(tops, key=lambda size: size[0] * size[1])
    facts = [
        seconds_text(record["seconds"]),
        f"{width} × {height}",
        count_text(record["frames"], "frame"),
        rate if record.get("is_constant_rate", True) else f"{rate} on average",
        count_text(record["shots"], "shot") if "shots" in record else "live",
        count_text(record["segments"], "segment"),
    ]
    ranges = {one.get("video_range", "SDR") for one in record["renditions"]} - {"SDR"}
    return [*facts, *(f"HDR ({name})" for name in sorted(ranges))]


def _reached(record: Record) -> dict[str, float]:
    """Quality of each codec's top rung: of the whole clip, or else of samples."""
    probes, metric = probes_of(record), metric_of(record)
    found = {}
    for kind, ladder in ladders_of(record).items():
        value = coded_quality(ladder[0], metric)
        value = probes.get(kind, {}).get("top_quality") if value is None else value
        if value is not None:
            found[kind] = float(value)
    return found


def _against_first(
    ladders: Mapping[str, Sequence[Record]],
    qualities: Mapping[str, QualityData | None],
    metric: str | None,
) -> dict[str, float]:
    """Codec → bits that it saves against the first one at equal quality, as a part of that one's,
    negative where it needs more; by measured renditions, or else by the hull of its probes. Codecs
    that share no quality with the first are left out."""
    pairs = {}
    for kind, data in qualities.items():
        coded = [(one["average_bandwidth"], coded_quality(one, metric)) for one in ladders[kind]]
        measured = [(rate, value) for rate, value in coded if value is not None]
        hull = [(row["rate"], row["quality"]) for row in (data.hull if data else [])]
        pairs[kind] = measured if len(measured) > 1 else hull
    first, *others = pairs
    found = {kind: rate_difference(pairs[kind], pairs[first]) for kind in others}
    return {kind: part for kind, part in found.items() if part is not None}


def _tiles(
    record: Record,
    reached: Mapping[str, float],
    target: float | None,
    savings: Mapping[str, float],
    against: Mapping[str, float],
) -> list[View]:
    metric, ladders = metric_of(record), ladders_of(record)
    tiles = []
    for kind, ladder in ladders.items():
        rates = [rate_text(one["average_bandwidth"]) for one in (ladder[0], ladder[-1])]
        tiles.append(
            _tile(f"{codec_name(kind)}, top rung", f"{reached[kind]:.1f}",
                  _distance(reached[kind], target) or rates[0], unit=metric or "")
            if kind in reached
            else _tile(codec_name(kind), count_text(len(ladder), "rung"), " – ".join(rates))
        )  # fmt: skip
    tiles += [
        _tile(f"{codec_name(kind)}, bits", percent_text(part), "beside the fixed ladder")
        for kind, part in savings.items()
    ]
    first = codec_name(next(iter(ladders)))
    tiles += [
        _tile(f"{codec_name(kind)}, bits", percent_text(part), f"beside {first}")
        for kind, part in against.items()
    ]
    total = sum(one["bytes"] for one in record["renditions"])
    count = count_text(len(record["renditions"]), "rendition")
    return [*tiles, _tile("Pictures on disk", size_text(total), count)]


def _tile(label: str, value: str, note: str, *, unit: str = "") -> View:
    return {"label": label, "value": value, "note": note, "unit": unit}


def _distance(value: float, target: float | None) -> str:
    """Difference of a quality from the one that was wanted."""
    if target is None:
        return ""
    off = round(value - target, 1)
    if not off:
        return f"the {target:g} wanted"
    return f"{abs(off):.1f} {'above' if off > 0 else 'below'} the {target:g} wanted"


def _rendition(one: Record, measures: Sequence[str]) -> View:
    measured = one.get("measured") or {}
    crf, rate = one.get("crf"), one.get("target_bitrate")
    return {
        "name": one["name"],
        "playlist": one["playlist"],
        "size": f"{one['width']} × {one['height']}",
        "codec": one["codec"],
        "setting": f"CRF {crf:g}" if crf is not None else kbits_text(rate) if rate else NONE,
        "average": kbits_text(one["average_bandwidth"]),
        "peak": kbits_text(one["bandwidth"]),
        "bytes": f"{one['bytes']:,}",
        "measured": [decimals_text(measured.get(key), MEASURES[key][1]) for key in measures],
    }


def _clip(ncv: Record | None) -> View | None:
    if not ncv:
        return None
    return {
        "path": ncv["path"],
        "size": f"{ncv['width']} × {ncv['height']}",
        "average": kbits_text(ncv["average_bandwidth"]),
        "bytes": f"{ncv['bytes']:,}",
    }


def _steps(
    ladders: Mapping[str, Sequence[Record]],
    probes: Mapping[str, Record],
    metric: str | None,
    target: float | None,
    savings: Mapping[str, float],
    against: Mapping[str, float],
) -> list[View]:
    """Rows of steps, each with a cell for every codec; those without any value are left out."""
    if metric is None:
        return []
    sampled = {kind: found.get("top_quality") for kind, found in probes.items()}
    coded = {kind: coded_quality(ladder[0], metric) for kind, ladder in ladders.items()}

    def quality(values: Mapping[str, float | None]) -> dict[str, str]:
        return {
            kind: f"{value:.1f}" + ("" if target is None else f" ({signed(value - target)})")
            for kind, value in values.items()
            if value is not None
        }

    first, unit = codec_name(next(iter(ladders))), metric_unit(metric)
    rows = {
        f"Wanted of the top rung, {unit}": dict.fromkeys(probes, f"{target or 0:g}"),
        f"Top rung on samples, {unit}": quality(sampled),
        f"Top rung, whole clip, {unit}": quality(coded),
        "Hull beside the fixed ladder": {k: percent_text(part) for k, part in savings.items()},
        f"Beside {first}": {kind: percent_text(part) for kind, part in against.items()},
    }
    return [
        {"name": name, "cells": [cells.get(kind, NONE) for kind in ladders]}
        for name, cells in rows.items()
        if any(kind in cells for kind in ladders)
    ]


def _sound(one: Record) -> View:
    return {
        "name": one["name"],
        "codec": one["codec"],
        "language": one.get("language") or NONE,
        "title": one.get("title") or NONE,
        "channels": one["channels"],
        "average": kbits_text(one["average_bandwidth"]),
        "peak": kbits_text(one["bandwidth"]),
    }


def _text(one: Record) -> View:
    flags = [word for word in ("default", "forced") if one.get(f"is_{word}")]
    return {
        "language": one.get("language") or NONE,
        "title": one.get("title") or NONE,
        "path": one["path"],
        "flags": ", ".join(flags) or NONE,
    }


def _links(record: Record) -> list[View]:
    masters = [name for name in record.get("masters") or [MASTER] if name != MASTER]
    named = {
        PAGE: "player", MASTER: "HLS, all codecs", MANIFEST: "DASH",
        **dict.fromkeys(masters, "HLS, one codec"), RECORD: "these figures as JSON",
    }  # fmt: skip
    return [{"path": path, "note": note} for path, note in named.items()]
