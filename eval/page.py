"""A report as one HTML file that needs no network, and as tables and charts for papers."""

import csv
import io
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, PackageLoader

from ncodec.eval import charts
from ncodec.eval.report import Report
from ncodec.media.streams import check_output, write_bytes

TEMPLATES = "templates"
TABLES = "points.csv", "bd-rate.md", "bd-rate-of-ncodec.md"


def render(report: Report) -> str:
    """The whole page, with its libraries, data and pictures inside."""
    environment = Environment(loader=PackageLoader("ncodec.eval", TEMPLATES), autoescape=True)
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False
    }  # what is not finite is not JSON either
    folder = files("ncodec.eval") / TEMPLATES
    return environment.get_template("report.html").render(
        report=report,
        samples=report.samples,
        data=_data(report),
        style=(folder / "report.css").read_text("utf-8"),
        script=(folder / "report.js").read_text("utf-8"),
        libraries=vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    )


def _data(report: Report) -> dict[str, Any]:
    names = [curve.name for curve in report.curves]
    points = alt.NamedData(charts.POINTS)
    return {
        "metrics": [{"key": m.key, "label": m.label} for m in report.metrics],
        "names": names,
        "measured": [m.codec.name for m in report.measured],
        "points": {m.key: charts.curve_rows(report.curves, m.key) for m in report.metrics},
        "rates": {m.key: report.rate_differences(m.key) for m in report.metrics},
        "speeds": [
            {
                "codec": curve.name,
                "encode_ms": round(1e3 * curve.middle_s[0], 2),
                "decode_ms": round(1e3 * curve.middle_s[1], 2),
            }
            for curve in report.curves
            if curve.middle_s is not None
        ],
        "pictures": report.picture_differences(report.medium.main_metric),
        "samples": [asdict(sample) for sample in report.samples],
        "curveSpec": charts.curve_chart(points, label="", names=names).to_dict(),
        "speedSpec": charts.speed_chart(points, names=names).to_dict(),
    }


def points_csv(report: Report) -> str:
    """Every mean point of every curve, as CSV."""
    stream = io.StringIO()
    keys = [metric.key for metric in report.metrics]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["codec", "published", "quality", "bpp", *keys, "encode_s", "decode_s"])
    for curve in report.curves:
        for point in curve.points:
            values = [f"{point.metrics[key]:.4f}" if key in point.metrics else "" for key in keys]
            times = [
                "" if seconds is None else f"{seconds:.4f}"
                for seconds in (point.encode_s, point.decode_s)
            ]
            row = [
                curve.name,
                int(curve.source is not None),
                f"{point.quality:g}",
                f"{point.bpp:.4f}",
                *values,
                *times,
            ]
            writer.writerow(row)
    return stream.getvalue()


def rates_markdown(report: Report, anchor: str) -> str:
    """BD-rates of every curve against one, a column for each metric, as a Markdown table."""
    tables = [report.rate_differences(metric.key).get(anchor, {}) for metric in report.metrics]
    return _rates_markdown(report, f"BD-rate against {anchor}", tables)


def our_rates_markdown(report: Report) -> str:
    """BD-rates of ncodec against every other curve, a column a metric, in Markdown."""
    return _rates_markdown(
        report, "BD-rate of ncodec against", [report.rates_of_ours(m.key) for m in report.metrics]
    )


def _rates_markdown(report: Report, heading: str, tables: list[dict[str, float | str]]) -> str:
    lines = [
        f"| {heading} | " + " | ".join(m.label for m in report.metrics) + " |",
        "|---" * (1 + len(tables)) + "|",
    ]
    for curve in report.curves:
        cells = [table.get(curve.name, "–") for table in tables]
        if not any(isinstance(value, float) for value in cells):
            continue
        shown = [f"{value:+.1f} %" if isinstance(value, float) else value for value in cells]
        lines.append(f"| {curve.name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def check_figures(folder: Path, *, overwrite: bool = False) -> None:
    """Raise OutputError where the folder holds figures of a report, without `overwrite`."""
    for name in (*TABLES, "curves-*.*"):
        for path in folder.glob(name):
            check_output(path, overwrite=overwrite)


def write_figures(
    report: Report, folder: Path, *, anchor: str, overwrite: bool = False
) -> list[Path]:
    """Write curves as SVG and PNG, points as CSV and rates as Markdown, and return the files.

    Raises OutputError where one exists without `overwrite`; `check_figures` tells so beforehand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = points_csv(report), rates_markdown(report, anchor), our_rates_markdown(report)
    tables = {folder / name: text for name, text in zip(TABLES, texts, strict=True)}
    plots = {
        folder / f"curves-{metric.key}.{suffix}": metric
        for metric in report.metrics
        for suffix in ("svg", "png")
    }
    for path, text in tables.items():
        write_bytes(text.encode(), path, overwrite=overwrite)
    for path, metric in plots.items():
        drawn = charts.draw(charts.static_chart(report, metric), path.suffix)
        write_bytes(drawn, path, overwrite=overwrite)
    return [*tables, *plots]
