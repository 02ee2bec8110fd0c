"""Figures of lossless coders as one HTML page that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader

from ncodec.eval.charts import colours_of
from ncodec.eval.lossless import Footprint, PackerFigures, Prefix

TEMPLATES = "templates"
_GREY = "#868b92"
"""of axes, which are legible on light and on dark paper"""


@dataclass(frozen=True)
class LosslessReport:
    """Everything that the page shows."""

    names: tuple[str, ...]
    """of the files"""
    sizes: tuple[int, ...]
    """of the files, in bytes"""
    coders: tuple[PackerFigures, ...]
    prefixes: tuple[Prefix, ...]
    """of the largest file"""
    footprints: tuple[Footprint, ...]
    morse: float
    """units that a character of the largest file takes in Morse code, 0 without any"""
    machine: str
    date: str

    @property
    def largest(self) -> str:
        """Name of the largest file."""
        return self.names[self.sizes.index(max(self.sizes))]


def published_rows() -> dict[str, Any]:
    """Figures that others published for enwik8."""
    path = files("ncodec.eval.results.published") / "lossless.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def render(report: LosslessReport) -> str:
    """The whole page, its charts inside."""
    environment = Environment(loader=PackageLoader("ncodec.eval", TEMPLATES), autoescape=True)
    folder = files("ncodec.eval") / TEMPLATES
    return environment.get_template("lossless.html").render(
        report=report,
        published=published_rows(),
        style=(folder / "report.css").read_text("utf-8"),
        speeds=_svg(_speed_chart(report.coders)),
        places=_svg(_prefix_chart(report.prefixes, "size", "bytes packed")),
        times=_svg(_prefix_chart(report.prefixes, "seconds", "seconds of packing")),
        bits=lambda size, whole: 8 * size / whole,
    )


def _speed_chart(coders: Sequence[PackerFigures]) -> alt.LayerChart:
    """Bits a byte over the speed of unpacking, of coders that shrink anything."""
    shown = [one for one in coders if one.total_bits < 8]
    rows = [{"coder": one.name, "bits": one.total_bits, "rate": one.unpack_rate} for one in shown]
    shared = alt.Chart(alt.InlineData(values=rows)).encode(
        x=_by_tens("rate:Q", "unpack, MB/s, one thread"),
        y=alt.Y("bits:Q", scale=alt.Scale(zero=False), title="bits a byte"),
        color=alt.Color("coder:N", legend=None, scale=colours_of([one.name for one in shown])),
    )
    labels = shared.mark_text(align="left", dx=8).encode(text="coder:N")
    chart: alt.LayerChart = shared.mark_circle(size=70) + labels
    return chart


def _prefix_chart(prefixes: Sequence[Prefix], over: str, title: str) -> alt.LayerChart:
    """Bits a byte of the first bytes of a file over their number, or the seconds they take."""
    rows = [vars(one) for one in prefixes]
    names = list(dict.fromkeys(one.name for one in prefixes))
    shared = alt.Chart(alt.InlineData(values=rows)).encode(
        x=_by_tens(f"{over}:Q", title),
        y=alt.Y("bits:Q", scale=alt.Scale(zero=False), title="bits a byte"),
        color=alt.Color("name:N", title=None, scale=colours_of(names)),
    )
    chart: alt.LayerChart = shared.mark_line() + shared.mark_circle(size=36)
    return chart


def _by_tens(field: str, title: str) -> alt.X:
    """A logarithmic axis with a line at each power of ten."""
    lines = alt.Axis(values=[10.0**power for power in range(-6, 12)], format="~g")
    return alt.X(field, scale=alt.Scale(type="log"), title=title, axis=lines)


def _svg(chart: alt.LayerChart) -> str:
    plain = chart.properties(width=560, height=320, background="transparent").configure_view(
        stroke=None
    )
    inked = plain.configure_axis(
        labelColor=_GREY, titleColor=_GREY, gridColor=f"{_GREY}40", domainColor=_GREY,
        tickColor=_GREY,
    ).configure_legend(labelColor=_GREY)  # fmt: skip
    return str(vl_convert.vegalite_to_svg(inked.to_dict()))
