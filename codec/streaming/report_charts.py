"""Charts of a stream's report: quality over bit rate, and bit rate over time, as SVG whose colours
are those of the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import floor, log10
from typing import Any, cast
from xml.etree import ElementTree

import altair as alt
import vl_convert

from ncodec.streaming.report_figures import QualityData, RateLine, Row
from ncodec.streaming.report_words import rate_text

Domain = tuple[float, float]

_INK, _QUIET, _LINE, _CARD = "var(--ink)", "var(--quiet)", "var(--line)", "var(--card)"
_FONT = "system-ui, sans-serif"
_TOP, _BOTTOM, _MARGIN = 34, 46, 16
"""pixels around a plot"""
_UNSEEN = ("aria-", "role", "pointer-events", "class")
"""starts of names of attributes that change nothing here"""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""seconds between ticks"""
_RATE_LABEL = "datum.value >= 1e6 ? datum.value / 1e6 + 'M' : datum.value / 1e3 + 'k'"
_CLOCK_LABEL = (
    "floor(datum.value / (60 * {unit})) + ':'"
    " + pad(floor(datum.value / {unit}) % 60, 2, '0', 'left')"
)
_HOURS = 7200.0
"""seconds from which times are in hours"""


@dataclass(frozen=True)
class Shape:
    """Size of a chart, in pixels, with room for labels on its sides: on the right, those of
    lines."""

    name: str
    width: int
    height: int
    left: int
    right: int
    font: int
    ticks: int
    """at most, of time"""


SHAPES = (
    Shape("wide", 900, 420, left=48, right=152, font=13, ticks=12),
    Shape("narrow", 340, 340, left=40, right=64, font=12, ticks=5),
)


def quality_domains(data: Sequence[QualityData]) -> tuple[Domain, Domain]:
    """Bit rates and qualities that charts of several codecs share."""
    rows = [row for one in data for row in one.rows]
    qualities = [row["quality"] for row in rows]
    qualities += [one.target for one in data if one.target is not None]
    low, high = min(qualities), max(qualities)
    room = max(1.0, 0.06 * (high - low))
    least = max(0.0, low - room) if low >= 0 else low - room
    most = high + room
    return _log_domain([row["rate"] for row in rows]), (least, most)


def quality_chart(data: QualityData, domains: tuple[Domain, Domain], shape: Shape) -> str:
    """Quality over the logarithm of bit rate, as SVG."""
    rate = alt.X(
        "rate:Q", title="bit/s", scale=alt.Scale(type="log", domain=list(domains[0]), nice=False),
        axis=_rate_axis(domains[0]),
    )  # fmt: skip
    value = alt.Y(
        "quality:Q", title=data.metric,
        scale=alt.Scale(domain=list(domains[1]), nice=False, zero=False),
        axis=alt.Axis(tickCount=6, **_aside(shape)),
    )  # fmt: skip
    small = 1 if shape.right > 100 else 0.7

    def layer(rows: Sequence[Row]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=list(rows))).encode(x=rate, y=value)

    hull = [row for row in data.hull if _is_within(row, domains)]
    layers = [
        *_target(data.target, value, shape),
        *([layer(hull).mark_line(strokeWidth=1.2, stroke=_INK, opacity=0.75)] if hull else []),
        *(_curves(layer(data.probes), small) if data.probes else []),
        *_chosen(data, layer, small),
        *([_hollow(layer(data.fixed), small)] if data.fixed else []),
        layer(data.rungs or data.coded)
        .mark_text(align="right", dx=-8, dy=-9, fill=_INK, fontWeight=600, fontSize=shape.font)
        .encode(text="label:N"),
    ]
    return _svg(layers, replace(shape, right=_MARGIN))


def _target(target: float | None, value: alt.Y, shape: Shape) -> list[alt.Chart]:
    """A rule at the quality that was wanted, named on the left, where curves are low."""
    if target is None:
        return []
    at = alt.Chart(alt.InlineData(values=[{"quality": target}])).encode(y=value)
    name = at.mark_text(
        align="left", dx=6, dy=-7, fill=_QUIET, fontSize=shape.font - 1, text=f"wanted {target:g}"
    )
    return [at.mark_rule(strokeDash=[2, 4], stroke=_QUIET), name.encode(x=alt.value(0))]


def _curves(probes: alt.Chart, small: float) -> list[alt.Chart]:
    """Probes, and lines through those of a height."""
    lines = probes.mark_line(strokeWidth=1.8, opacity=0.6, interpolate="monotone")
    points = probes.mark_circle(size=46 * small, opacity=1)
    return [
        lines.encode(detail="height:N", stroke=alt.Stroke("shade:N", scale=None)),
        points.encode(color=alt.Color("shade:N", scale=None), description="said:N"),
    ]


def _hollow(points: alt.Chart, small: float) -> alt.Chart:
    marks = points.mark_point(
        size=90 * small, stroke=_INK, fill="transparent", strokeWidth=1.8, opacity=1, filled=False
    )
    return _told(marks)


def _chosen(
    data: QualityData, layer: Callable[[Sequence[Row]], alt.Chart], small: float
) -> list[alt.Chart]:
    """Rungs as they were chosen, each joined to what came of it; or what came alone."""
    if not data.rungs:
        return [_large(layer(data.coded), small)]
    if not data.coded:
        return [_large(layer(data.rungs), small)]
    diamonds = layer(data.coded).mark_point(
        shape="diamond", size=95 * small, filled=True, fill=_INK, stroke=_CARD, strokeWidth=1.5,
        opacity=1,
    ).encode(description="said:N")  # fmt: skip
    pairs = zip(data.rungs, data.coded, strict=False)
    ends = [{**row, "pair": number} for number, pair in enumerate(pairs) for row in pair]
    joins = layer(ends).mark_line(strokeWidth=1.2, stroke=_INK, strokeDash=[1.5, 2.5])
    joined = [joins.encode(detail="pair:N")] if len(data.rungs) == len(data.coded) else []
    return [*joined, _large(layer(data.rungs), small), diamonds]


def _large(points: alt.Chart, small: float) -> alt.Chart:
    marks = points.mark_circle(size=210 * small, opacity=1, stroke=_CARD, strokeWidth=2)
    return _told(marks, color=alt.Color("shade:N", scale=None))


def _told(marks: alt.Chart, **channels: Any) -> alt.Chart:
    """Points that say what they are, in tooltips."""
    found: alt.Chart = marks.encode(description="said:N", **channels)
    return found


def _is_within(row: Row, domains: tuple[Domain, Domain]) -> bool:
    sides = zip((row["rate"], row["quality"]), domains, strict=True)
    return all(low <= value <= high for value, (low, high) in sides)


def rate_domain(lines: Sequence[RateLine]) -> Domain:
    """Bit rates that charts of several codecs share."""
    rates = [rate for line in lines for rate in (*line.rates, line.bandwidth)]
    return _log_domain(rates)


def rate_chart(lines: Sequence[RateLine], domain: Domain, end: float, shape: Shape) -> str:
    """Bits a second of segments over time, up to `end` seconds, with what manifests promise, as
    SVG."""
    scale = alt.Scale(domain=[min(lines[0].starts[0], 0), end], nice=False, zero=False)
    time = alt.X("time:Q", title=_time_title(end), scale=scale, axis=_time_axis(end, shape))
    rate = alt.Y(
        "rate:Q", title="bit/s", axis=_rate_axis(domain, **_aside(shape)),
        scale=alt.Scale(type="log", domain=list(domain), nice=False),
    )  # fmt: skip
    stroke = alt.Stroke("shade:N", scale=None)
    steps = [row for number, line in enumerate(lines) for row in _steps_of(line, number, domain[0])]
    ends = [
        {"time": line.starts[0], "end": line.end, "rate": line.bandwidth, "shade": line.shade}
        for line in lines
    ]
    heights = _apart([line.bandwidth for line in lines], domain, shape)
    labels = [
        {"time": end, "rate": height, "label": _label(line, shape)}
        for line, height in zip(lines, heights, strict=True)
    ]

    width = max(1.0, min(2.2, shape.width / 8 / len(lines[0].rates)))

    def layer(rows: list[Row]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows)).encode(x=time, y=rate)

    layers = [
        layer(ends).mark_rule(strokeDash=[3, 3], strokeWidth=1.3, opacity=0.9)
        .encode(x2="end:Q", stroke=stroke),
        layer(steps).mark_line(interpolate="step-after", strokeWidth=width, strokeJoin="round")
        .encode(detail="number:N", stroke=stroke, order="place:Q"),
        layer(labels).mark_text(
            align="left", dx=7, fill=_INK, fontSize=shape.font, baseline="middle"
        ).encode(text="label:N"),
    ]  # fmt: skip
    return _svg(layers, shape)


def _label(line: RateLine, shape: Shape) -> str:
    is_wide = shape.right > 100
    return f"{line.label}  {rate_text(line.bandwidth)}" if is_wide else line.label


def _steps_of(line: RateLine, number: int, least: float) -> list[Row]:
    """Corners of a line of steps, none below the `least` bit rate."""
    times, rates = [*line.starts, line.end], [*line.rates, line.rates[-1]]
    return [
        {"time": time, "rate": max(rate, least), "number": number, "place": i, "shade": line.shade}
        for i, (time, rate) in enumerate(zip(times, rates, strict=True))
    ]


def _apart(rates: Sequence[float], domain: Domain, shape: Shape) -> list[float]:
    """Bit rates, in their order, moved apart so that labels at them do not meet on the logarithmic
    axis."""
    line = (shape.font + 2) / (shape.height - _TOP - _BOTTOM) * log10(domain[1] / domain[0])
    found = [0.0] * len(rates)
    above = float("inf")
    for place in sorted(range(len(rates)), key=lambda i: -rates[i]):
        above = found[place] = min(log10(max(rates[place], 1)), above - line)
    least = log10(domain[0])
    for place in sorted(range(len(rates)), key=lambda i: found[i]):
        found[place] = max(found[place], least)
        least = found[place] + line
    return [10**value for value in found]


def _log_domain(rates: Sequence[float]) -> Domain:
    positive = [rate for rate in rates if rate > 0] or [1.0]
    return min(positive) / 1.25, max(positive) * 1.25


def _rate_axis(domain: Domain, **options: Any) -> alt.Axis:
    decades = range(floor(log10(domain[0])), floor(log10(domain[1])) + 1)
    steps = (1, 2, 5) if domain[1] > 8 * domain[0] else range(1, 10)
    ticks = [step * 10.0**power for power in decades for step in steps]
    shown = [tick for tick in ticks if domain[0] <= tick <= domain[1]]
    return alt.Axis(
        values=shown, labelExpr=_RATE_LABEL, labelOverlap="greedy", labelFlush=False, **options
    )


def _time_title(end: float) -> str:
    return "seconds" if end < 100 else "min:s" if end < _HOURS else "h:min"


def _time_axis(end: float, shape: Shape) -> alt.Axis:
    step = next((step for step in _STEPS if end / step <= shape.ticks), _STEPS[-1])
    ticks = [round(step * i, 3) for i in range(floor(end / step + 1e-6) + 1)]
    if end < 100:
        return alt.Axis(values=ticks, labelFlush=False)
    unit = 1 if end < _HOURS else 60
    return alt.Axis(values=ticks, labelFlush=False, labelExpr=_CLOCK_LABEL.format(unit=unit))


def _aside(shape: Shape) -> dict[str, Any]:
    """Options of an upright axis whose title lies, above it."""
    return {
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "end",
        "titleX": 8 - shape.left,
        "titleY": -14,
        "titleBaseline": "bottom",
    }


def _svg(layers: Sequence[alt.Chart], shape: Shape) -> str:
    chart = cast("alt.LayerChart", alt.layer(*layers))
    inked = (
        chart.properties(
            width=shape.width - shape.left - shape.right, height=shape.height - _TOP - _BOTTOM,
            background="transparent",
            autosize=alt.AutoSizeParams(type="none"),
            padding={"left": shape.left, "right": shape.right, "top": _TOP, "bottom": _BOTTOM},
        )
        .configure(font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=_QUIET, titleColor=_QUIET, gridColor=_LINE, domain=False, ticks=False,
            labelPadding=8, labelFontSize=shape.font, titleFontSize=shape.font,
            titleFontWeight="normal",
        )
        .configure_axisX(titleAnchor="end", titlePadding=6)
    )  # fmt: skip
    return _inline(vl_convert.vegalite_to_svg(inked.to_dict()), shape.name)


def _inline(svg: str, name: str) -> str:
    """SVG for a page that says by itself what the picture shows: labels of points become tooltips,
    and what only programs read goes."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        said = element.attrib.pop("aria-label", None)
        is_point = element.get("aria-roledescription") in ("circle", "point")
        for key in [key for key in element.attrib if key.startswith(_UNSEEN)]:
            del element.attrib[key]
        if said and is_point:
            ElementTree.SubElement(element, "title").text = said
    _drop_empty(root)
    root.attrib.update({"class": name, "aria-hidden": "true", "focusable": "false"})
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _drop_empty(element: ElementTree.Element) -> None:
    for child in list(element):
        _drop_empty(child)
        is_bare = child.tag == "path" and not child.get("stroke") and not child.get("fill")
        if is_bare or (child.tag in ("g", "text") and not len(child) and not child.text):
            element.remove(child)
