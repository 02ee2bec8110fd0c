"""Charts as Vega-Lite, for the page and for papers."""

import io
import itertools
from typing import Any

import altair as alt

from ncodec.eval.curves import MeanCurve
from ncodec.eval.metrics import Metric
from ncodec.eval.report import Report

POINTS = "points"
"""name of the data set that the page fills in"""

_COLOURS = (
    "#d00000",
    "#4c78a8",
    "#72b7b2",
    "#54a24b",
    "#eeca3b",
    "#b279a2",
    "#ff9da6",
    "#9d755d",
    "#f58518",
    "#79706e",
    "#1f9e89",
    "#8e6bbf",
    "#d67195",
    "#2f6fb0",
    "#8cd17d",
    "#b6992d",
    "#499894",
    "#86bcb6",
    "#a8a032",
    "#5f9e6e",
    "#d37295",
    "#a0cbe8",
    "#ffbe7d",
    "#bab0ac",
    "#d4a6c8",
    "#9c755f",
    "#7b6888",
    "#c49c94",
)

Row = dict[str, Any]
Data = alt.InlineData | alt.NamedData


def curve_rows(curves: list[MeanCurve], metric: str) -> list[Row]:
    """Rows of the points that have a metric, in the order of the curves, as a chart's data.

    `metric` is a key such as psnr. Each row has codec, published (bool), order (index in the
    curve), bpp and value, rounded to four digits, and quality.
    """
    return [
        {
            "codec": curve.name,
            "published": curve.source is not None,
            "order": i,
            "bpp": round(point.bpp, 4),
            "value": round(point.metrics[metric], 4),
            "quality": point.quality,
        }
        for curve in curves
        for i, point in enumerate(curve.points)
        if metric in point.metrics
    ]


def colours_of(names: list[str]) -> alt.Scale:
    """A colour for each name; the first one's is never given twice, and none depends on which names
    are shown."""
    others = itertools.cycle(_COLOURS[1:])
    return alt.Scale(domain=names, range=[_COLOURS[0], *(next(others) for _ in names[1:])])


def _colour(names: list[str], legend: alt.Legend | None) -> alt.Color:
    return alt.Color("codec:N", sort=names, scale=colours_of(names), legend=legend)


def _published_dash() -> alt.StrokeDash:
    return alt.StrokeDash(
        "published:N", scale=alt.Scale(domain=[False, True], range=[[1, 0], [5, 4]]), legend=None
    )


def curve_chart(data: Data, *, label: str, names: list[str]) -> alt.LayerChart:
    """Quality over rate on a logarithmic axis; published curves are dashed."""
    rate = alt.Tooltip("bpp:Q", format=".3f", title="bits per pixel")
    value = alt.Tooltip("value:Q", format=".2f", title=label)
    shared = alt.Chart(data).encode(
        x=alt.X("bpp:Q", scale=alt.Scale(type="log", nice=False), title="bits per pixel"),
        y=alt.Y("value:Q", scale=alt.Scale(zero=False), title=label),
        color=_colour(names, alt.Legend(title=None, symbolLimit=40)),
        tooltip=["codec:N", rate, value, "quality:Q"],
    )
    first = alt.condition(alt.datum.codec == names[0], alt.value(4), alt.value(1.5))
    lines = shared.mark_line(interpolate="monotone")
    lines = lines.encode(strokeDash=_published_dash(), strokeWidth=first, order="order:Q")
    chart: alt.LayerChart = (lines + shared.mark_circle(size=36)).properties(width=640, height=480)
    return chart


def speed_chart(data: Data, *, names: list[str]) -> alt.LayerChart:
    """BD-rate over the time to decode a picture, on a logarithmic axis."""
    times = [
        alt.Tooltip(f"{verb}_ms:Q", format=".1f", title=f"{verb}, ms")
        for verb in ("encode", "decode")
    ]
    shared = alt.Chart(data).encode(
        x=alt.X("decode_ms:Q", scale=alt.Scale(type="log"), title="decode, ms a picture"),
        y=alt.Y("rate:Q", title="BD-rate, %"),
        color=_colour(names, None),
        tooltip=["codec:N", *times, alt.Tooltip("rate:Q", format="+.1f", title="BD-rate, %")],
    )
    labels = shared.mark_text(align="left", dx=7).encode(text="codec:N")
    chart: alt.LayerChart = (shared.mark_circle(size=70) + labels).properties(width=640, height=320)
    return chart


def decoder_chart(rows: list[Row]) -> alt.LayerChart:
    """dB lost over the time of a decode, of rows of `decoder`, `ms`, `lost_db`, `megabytes` and
    `kmac`."""
    shared = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("ms:Q", scale=alt.Scale(zero=False), title="decode, ms a megapixel, one thread"),
        y=alt.Y("lost_db:Q", title="PSNR lost, dB, mean over qualities"),
        color=_colour([row["decoder"] for row in rows], None),
        tooltip=["decoder:N", "ms:Q", "lost_db:Q", "megabytes:Q", "kmac:Q"],
    )
    size = alt.Size("megabytes:Q", scale=alt.Scale(range=[40, 400]), title="MB")
    labels = shared.mark_text(align="left", dx=12).encode(text="decoder:N")
    chart: alt.LayerChart = (shared.mark_circle().encode(size=size) + labels).properties(
        width=640, height=320
    )
    return chart


def static_chart(report: Report, metric: Metric[Any]) -> alt.LayerChart:
    """The curves of one metric with their data inside, to be saved as SVG or PNG."""
    rows = curve_rows(report.curves, metric.key)
    return curve_chart(
        alt.InlineData(values=rows), label=metric.label, names=[c.name for c in report.curves]
    )


def draw(chart: Any, suffix: str) -> bytes:
    """A chart of Altair as a file of a suffix: .svg, .png (two pixels a unit) or .html."""
    suffix = suffix.lower()
    if suffix == ".png":
        pixels = io.BytesIO()
        chart.save(pixels, format="png", scale_factor=2)
        return pixels.getvalue()
    text = io.StringIO()
    chart.save(text, format=suffix[1:])
    return text.getvalue().encode()
