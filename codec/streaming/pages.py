"""Pages beside a stream: a player, and a report."""

import html
import json
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from ncodec.streaming.layout import MANIFEST, MASTER, PAGE, RECORD, REPORT
from ncodec.streaming.work import write_file

_BESIDE = ("hls.min.js", "hls.LICENSE", "player.css", "player.js", "menu.js", "panel.js")
_LABELS = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}
_LINKS = {REPORT: "Report", MASTER: "HLS", MANIFEST: "DASH", RECORD: "Data"}
"""words by files of the stream"""
_CHARTS = ("altair", "vl_convert", "jinja2")
"""modules that the report needs"""


def can_report() -> bool:
    """Whether the modules of the report are installed."""
    return all(find_spec(name) is not None for name in _CHARTS)


def write_pages(record: Mapping[str, Any], folder: Path) -> None:
    """Write index.html with a player, which needs no network beyond its folder, and report.html
    where its modules are installed; `record` is that of stream.json."""
    player = files("ncodec.streaming") / "player"
    for name in _BESIDE:
        write_file(folder / "player" / name, (player / name).read_bytes())
    if can_report():
        from ncodec.streaming.report import render_report

        write_file(folder / REPORT, render_report(record).encode())
    write_file(folder / PAGE, _page(record, folder).encode())


def _page(record: Mapping[str, Any], folder: Path) -> str:
    top = max(record["renditions"], key=lambda rendition: int(rendition["height"]))
    links = "".join(
        f'<li><a href="{name}">{word}</a></li>'
        for name, word in _LINKS.items()
        if name != REPORT or can_report()
    )
    stream = _stream(record, folder)
    template = files("ncodec.streaming") / "player" / "index.html"
    return Template(template.read_text("utf-8")).substitute(
        title=html.escape(record["source"]),
        poster="poster.jpg",
        width=top["width"],
        height=top["height"],
        master=stream["codecs"][0]["master"],
        # "</script>" in a name would end the element.
        stream=json.dumps(stream, ensure_ascii=False).replace("<", "\\u003c"),
        links=links,
    )


def _stream(record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    codecs = [
        {
            "label": _LABELS[kind],
            "master": f"{kind}.m3u8",
            "rungs": [
                {
                    "width": rendition["width"],
                    "height": rendition["height"],
                    "kbits": rendition["average_bandwidth"] / 1000,
                    "codec": rendition["codec"],
                }
                for rendition in renditions
            ],
        }
        for kind, renditions in groupby(record["renditions"], key=lambda found: found["kind"])
    ]
    return {
        "duration": record["seconds"],
        "rate": record["frame_rate"],
        "codecs": codecs,
        "thumbnails": "thumbnails.vtt" if (folder / "thumbnails.vtt").exists() else None,
    }
