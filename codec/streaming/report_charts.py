"""Charts of a stream's report: quality over bit rate, and bit rate over time, as SVG whose colours
are those of the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert

Row = dict[str, Any]
Domain = tuple[float, float]

SHADES = 6
"""colours of heights that the page has, --h0 to --h5"""
_INK, _QUIET, _LINE, _CARD = "var(--ink)", "var(--quiet)", "var(--line)", "var(--card)"
_FONT = "system-ui, sans-serif"
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""seconds between ticks"""
_RATE_LABEL = "datum.value >= 1e6 ? datum.value / 1e6 + 'M' : datum.value / 1e3 + 'k'"
_CLOCK_LABEL = "floor(datum.value / 60) + ':' + (datum.value % 60 < 10 ? '0' : '') + %s" % (
    "datum.value % 60"
)


@dataclass(frozen=True)
class Shape:
    """Size of a chart, in pixels, with room for labels on its sides."""

    name: str
    width: int
    height: int
    left: int
    right: int
    font: int
    ticks: int
    """at most, of time"""

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height of the plot."""
        return self.width - self.left - self.right, self.height - 82


SHAPES = (
    Shape("wide", 900, 420, left=48, right=128, font=13, ticks=12),
    Shape("narrow", 340, 340, left=40, right=64, font=12, ticks=5),
)


@dataclass(frozen=True)
class QualityData:
    """What a codec's chart of quality over bit rate shows. Rows have `rate`, `quality`, `shade`,
    `said` and, where they are named, `label`."""

    metric: str
    target: float | None
    probes: Sequence[Row]
    """with `height` too, by bit rate"""
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

    label: str
    shade: str
    starts: Sequence[float]
    """of segments, in seconds"""
    rates: Sequence[float]
    """bits a second"""
    bandwidth: int


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
        scale=alt.Scale(domain=list(domains[1]), nice=False, zero=False), axis=_up_axis(shape),
    )  # fmt: skip
    small = 1 if shape.name == "wide" else 0.7
    own: alt.Color = alt.Color("shade:N", scale=None)
    layers: list[alt.Chart] = []

    def layer(rows: Sequence[Row]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=list(rows))).encode(x=rate, y=value)

    if data.target is not None:
        at = alt.Chart(alt.InlineData(values=[{"quality": data.target}])).encode(y=value)
        layers += [
            at.mark_rule(strokeDash=[2, 4], stroke=_QUIET),
            at.mark_text(
                align="right", dx=-4, dy=-7, fill=_QUIET, fontSize=shape.font - 1,
                text=f"wanted {data.target:g}",
            ).encode(x=alt.value(shape.inner[0])),
        ]  # fmt: skip
    if data.hull:
        layers.append(
            layer(data.hull).mark_line(clip=True, strokeWidth=1.2, stroke=_INK, opacity=0.75)
        )
    if data.probes:
        shaded = layer(data.probes).encode(detail="height:N")
        layers += [
            shaded.mark_line(clip=True, strokeWidth=1.8, opacity=0.6, interpolate="monotone")
            .encode(stroke=alt.Stroke("shade:N", scale=None)),
            shaded.mark_circle(size=46 * small, opacity=1).encode(color=own, description="said:N"),
        ]  # fmt: skip
    if data.fixed:
        layers.append(
            layer(data.fixed)
            .mark_point(size=90 * small, stroke=_INK, fill=_CARD, strokeWidth=1.8, opacity=1)
            .encode(description="said:N")
        )
    if data.rungs:
        layers.append(_large(layer(data.rungs), 210 * small).encode(color=own))
    if data.coded:
        coded = layer(data.coded)
        layers.append(
            coded.mark_point(
                shape="diamond", size=95 * small, filled=True, fill=_INK, stroke=_CARD,
                strokeWidth=1.5, opacity=1,
            ).encode(description="said:N")
            if data.rungs
            else _large(coded, 210 * small).encode(color=own)
        )  # fmt: skip
    named = layer(data.rungs or data.coded)
    layers.append(
        named.mark_text(
            align="right", dx=-8, dy=-9, fill=_INK, fontWeight=600, fontSize=shape.font
        ).encode(text="label:N")
    )
    return _svg(alt.layer(*layers), shape)


def _large(chart: alt.Chart, size: float) -> alt.Chart:
    return chart.mark_circle(size=size, opacity=1, stroke=_CARD, strokeWidth=2).encode(
        description="said:N"
    )


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
    steps = [row for number, line in enumerate(lines) for row in _steps_of(line, number, end)]
    ends = [
        {"time": line.starts[0], "end": end, "rate": line.bandwidth, "shade": line.shade}
        for line in lines
    ]
    heights = _apart([line.bandwidth for line in lines], domain, shape)
    labels = [
        {"time": end, "rate": height, "label": line.label}
        for line, height in zip(lines, heights, strict=True)
    ]

    def layer(rows: list[Row]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows)).encode(x=time, y=rate)

    chart = alt.layer(
        layer(ends).mark_rule(strokeDash=[3, 3], strokeWidth=1.3, opacity=0.9)
        .encode(x2="end:Q", stroke=stroke),
        layer(steps).mark_line(interpolate="step-after", strokeWidth=2.2, strokeJoin="round")
        .encode(detail="number:N", stroke=stroke, order="place:Q"),
        layer(labels).mark_text(
            align="left", dx=7, fill=_INK, fontSize=shape.font, baseline="middle"
        ).encode(text="label:N"),
    )  # fmt: skip
    return _svg(chart, shape)


def _steps_of(line: RateLine, number: int, end: float) -> list[Row]:
    """Corners of a line of steps, the last of which ends at `end`."""
    times, rates = [*line.starts, end], [*line.rates, line.rates[-1]]
    return [
        {"time": time, "rate": max(rate, 1), "number": number, "place": i, "shade": line.shade}
        for i, (time, rate) in enumerate(zip(times, rates, strict=True))
    ]


def _apart(rates: Sequence[float], domain: Domain, shape: Shape) -> list[float]:
    """Bit rates at which labels of lines do not meet, each as near its own as they fit."""
    line = (shape.font + 2) / shape.inner[1] * log10(domain[1] / domain[0])
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
    ticks = [step * 10.0**power for power in decades for step in (1, 2, 5)]
    shown = [tick for tick in ticks if domain[0] <= tick <= domain[1]]
    return alt.Axis(values=shown, labelExpr=_RATE_LABEL, labelOverlap="greedy", **options)


def _time_title(end: float) -> str:
    return "min:s" if end >= 100 else "s"


def _time_axis(end: float, shape: Shape) -> alt.Axis:
    step = next((step for step in _STEPS if end / step <= shape.ticks), _STEPS[-1])
    ticks = [round(step * i, 3) for i in range(floor(end / step + 1e-6) + 1)]
    clock = {"labelExpr": _CLOCK_LABEL} if end >= 100 else {}
    return alt.Axis(values=ticks, **clock)


def _up_axis(shape: Shape) -> alt.Axis:
    return alt.Axis(tickCount=6, **_aside(shape))


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


def _svg(chart: alt.LayerChart, shape: Shape) -> str:
    width, height = shape.inner
    inked = (
        chart.properties(
            width=width, height=height, background="transparent",
            autosize=alt.AutoSizeParams(type="none"),
            padding={"left": shape.left, "right": shape.right, "top": 36, "bottom": 46},
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
        for key in [key for key in element.attrib if key.startswith(("aria-", "role", "pointer"))]:
            del element.attrib[key]
        kind = element.attrib.pop("class", "")
        if element.tag == "path" and said and "A" in element.get("d", "") + kind:
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
