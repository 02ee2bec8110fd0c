"""The report of a stream: what it says, of any record, and how it looks in a real browser."""

import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from places import require_browser

pytest.importorskip("altair")
pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")

from ncodec.streaming.report import render_report
from ncodec.streaming.report_figures import MOST_STEPS, rate_difference

Record = dict[str, Any]

SIZES = ((640, 360), (426, 240), (320, 180))
GAP = "\N{NO-BREAK SPACE}"


def rendition(kind: str, number: int, *, share: float = 1.0) -> Record:
    width, height = SIZES[number - 1]
    rate = round(1_600_000 * share / 3 ** (number - 1))
    name = f"{kind}-{number}-{height}p"
    return {
        "name": name, "codec": f"{kind}.x", "kind": kind, "width": width, "height": height,
        "bits": 8, "crf": 20.5 + number, "target_bitrate": None, "bandwidth": round(1.2 * rate),
        "average_bandwidth": rate, "bytes": rate // 2, "video_range": "SDR",
        "playlist": f"video/{name}/media.m3u8", "expected_quality": None,
        "segment_bytes": [rate * 3 // 10, rate // 5],
        "measured": {"vmaf": 93.4 - 9 * number, "neg": 90.0, "psnr": 38.1234, "ms_ssim": 0.98765},
    }  # fmt: skip


def probes(kind: str, *, share: float = 1.0) -> Record:
    def point(number: int, crf: float) -> Record:
        height = SIZES[number - 1][1]
        rate = 1_600_000 * share / 3 ** (number - 1) * 2 ** ((21 - crf) / 6)
        return {"height": height, "crf": crf, "bitrate": round(rate), "quality": 115 - crf - number}

    found = [point(number, crf) for number in (1, 2, 3) for crf in (23.0, 33.0, 43.0)]
    fixed = {"height": 360, "bitrate": 6e5, "quality": 80.0, "hull_bitrate": 4.6e5}
    return {
        "codec": kind, "probes": found, "fixed": [fixed], "saving_over_fixed": 0.2345,
        "hull": sorted(deepcopy(found), key=lambda one: one["bitrate"]), "top_quality": 93.16,
        "rungs": [point(number, 21.0) for number in (1, 2, 3)],
    }  # fmt: skip


def full_record(*kinds: str) -> Record:
    shares = {"h264": 1.0, "hevc": 0.7, "av1": 0.5}
    return {
        "ncodec": "0.1.0", "source": "clip.mkv", "seconds": 4.0, "frames": 100,
        "frame_rate": 24000 / 1001, "is_constant_rate": True, "shots": 2, "segments": 2,
        "segment_starts": [0.0, 2.0], "metric": "VMAF", "target": 93.0,
        "renditions": [
            rendition(kind, number, share=shares[kind]) for kind in kinds for number in (1, 2, 3)
        ],
        "probes": [probes(kind, share=shares[kind]) for kind in kinds],
        "notices": ["subtitles were left out: dvb"],
        "masters": ["master.m3u8", *(f"{kind}.m3u8" for kind in kinds)],
        "manifest": "manifest.mpd",
        "sounds": [
            {
                "name": "aac-1", "codec": "mp4a.40.2", "language": "eng", "title": "Stereo",
                "channels": 2, "bandwidth": 130_000, "average_bandwidth": 128_000,
                "playlist": "audio/aac-1/media.m3u8",
            }
        ],
        "texts": [
            {
                "language": "deu", "title": None, "path": "text/1.vtt", "is_default": True,
                "is_forced": False,
            }
        ],
    }  # fmt: skip


def without_probes(record: Record) -> Record:
    rows = [{**one, "crf": None, "target_bitrate": 90_000} for one in record["renditions"]]
    return {**record, "renditions": rows, "probes": []}


def without_measures(record: Record) -> Record:
    return {**record, "renditions": [{**one, "measured": None} for one in record["renditions"]]}


def live(record: Record) -> Record:
    """As `live_record` makes them."""
    kept = (
        "ncodec", "source", "seconds", "frames", "frame_rate", "segments", "notices", "masters",
        "manifest", "sounds", "texts",
    )  # fmt: skip
    gone = {"expected_quality", "segment_bytes", "measured"}
    rows = [{k: v for k, v in one.items() if k not in gone} for one in record["renditions"]]
    return {**{key: record[key] for key in kept}, "renditions": rows}


def in_xpsnr(record: Record) -> Record:
    rows = [{**one, "measured": {"xpsnr": 37.456}} for one in record["renditions"]]
    return {**record, "metric": "XPSNR", "target": 38.0, "renditions": rows}


def of_one_segment(record: Record) -> Record:
    rows = [{**one, "segment_bytes": [one["bytes"]]} for one in record["renditions"]]
    return {**record, "segments": 1, "segment_starts": [0.0], "renditions": rows}


def of_one_rendition(record: Record) -> Record:
    found = {**record, "renditions": record["renditions"][:1]}
    own = deepcopy(record["probes"][0])
    found["probes"] = [{**own, "rungs": own["rungs"][:1], "fixed": [], "saving_over_fixed": None}]
    return found


FULL = full_record("h264", "av1")
RECORDS = {
    "full": FULL,
    "one codec": full_record("h264"),
    "three codecs": full_record("h264", "hevc", "av1"),
    "no probes": without_probes(FULL),
    "no measures": without_measures(FULL),
    "neither": without_measures(without_probes(FULL)),
    "live": live(FULL),
    "XPSNR": in_xpsnr(FULL),
    "one segment": of_one_segment(FULL),
    "one rendition": of_one_rendition(full_record("h264")),
    "one bare rendition": of_one_rendition(without_measures(full_record("h264"))),
}


class Reader(HTMLParser):
    """Text of a page, the addresses that it asks for, and whether its elements are closed."""

    EMPTY = ("meta", "link", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def lead(page: str) -> str:
    found = re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    assert found
    return found[1].replace(GAP, " ")


def test_the_sentence_says_what_was_chosen_and_why() -> None:
    assert lead(render_report(without_measures(full_record("h264")))) == (
        "The top rung reaches VMAF 93.2, wanted 93; 3 rungs of H.264 from 1.60 Mbit/s to "
        "178 kbit/s; the hull needs 23 % fewer bits than the fixed ladder at equal quality."
    )
    assert lead(render_report(FULL)) == (
        "The top rungs reach VMAF 84.4 (H.264) and 84.4 (AV1), wanted 93; 3 rungs of H.264 from "
        "1.60 Mbit/s to 178 kbit/s and 3 rungs of AV1 from 800 kbit/s to 89 kbit/s; the hulls "
        "need 23 % (H.264) and 23 % (AV1) fewer bits than the fixed ladder at equal quality."
    )


def test_a_record_is_shown_whole() -> None:
    page = render_report(FULL)
    found = Reader(page)
    for words in (
        "clip.mkv", "4 s", "100 frames", "23.976 frames/s", "2 shots", "2 segments",
        "640 × 360", "h264.x", "CRF 21.5", "1,600", "1,920", "800,000", "84.4", "38.12", "0.9877",
        "VMAF NEG", "aac-1", "Stereo", "deu", "default", "subtitles were left out: dvb",
        "ffplay master.m3u8", "python -m http.server", "−23 %", "8.6 below the 93 wanted",
        "BANDWIDTH", "Made by ncodec 0.1.0",
    ):  # fmt: skip
        assert words in found.text, words
    assert {"./index.html", "./master.m3u8", "./manifest.mpd", "./stream.json", "./av1.m3u8"} < set(
        found.addresses
    )
    assert page.count('role="img"') == 4, "two charts of each codec"
    assert found.tags.count("details") == 6, "tables behind the charts, and chosen beside coded"
    assert "fixed ladder, 360p: 600 kbit/s, VMAF 80.0</title>" in page.replace(GAP, " "), (
        "tooltips of points"
    )


def test_codecs_are_compared_at_equal_quality() -> None:
    tiles = render_report(full_record("h264", "hevc")).replace(GAP, " ")
    assert re.search(r'−30 %</dd><dd class="more">beside H.264', tiles)
    line = [(1e6, 50.0), (2e6, 60.0)]
    assert rate_difference([(5e5, 50.0), (1e6, 60.0)], line) == pytest.approx(0.5)
    assert rate_difference([(5e5, 70.0), (1e6, 80.0)], line) is None, "no quality in common"
    assert rate_difference(line, line[:1]) is None


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_record_makes_a_page_that_asks_for_nothing(record: Record) -> None:
    page = render_report(record)
    found = Reader(page)
    assert "//" not in page.replace("*//", "")
    assert all(one.startswith("./") or one == "data:," for one in found.addresses)
    assert "script" not in found.tags
    assert not re.search(r"url\(|@import|\bid=\"clip", page)
    for word in ("None", "NaN", "nan", "undefined", "Infinity"):
        assert word not in found.text
    assert page == render_report(record), "equal streams have equal reports"


def test_what_is_missing_is_left_out() -> None:
    bare = render_report(RECORDS["neither"])
    assert 'id="quality"' not in bare
    assert 'id="steps"' not in bare
    assert "90.0" in bare, "the bit rate that was stated, in kbit/s"
    assert lead(bare).endswith("; sizes and rates are those of a given ladder, without probes.")
    measured = render_report(RECORDS["no probes"])
    assert 'id="quality"' in measured
    assert "wanted" not in measured
    assert "hull" not in Reader(measured).text
    quiet = render_report({**FULL, "sounds": [], "texts": [], "notices": []})
    assert not re.search('id="(tracks|notices)"', quiet)


def test_a_live_record_has_neither_probes_nor_segments() -> None:
    page = render_report(RECORDS["live"])
    assert lead(page).startswith("Coded live; 3 rungs of H.264 from ")
    assert not re.search('id="(quality|rates|steps)"', page)


def test_xpsnr_is_in_decibels() -> None:
    page = render_report(RECORDS["XPSNR"])
    assert lead(page).startswith("The top rungs reach XPSNR 37.5 (H.264) and 37.5 (AV1), wanted 38")
    assert "0.5 below the 38 wanted" in page
    assert "VMAF" not in page


def test_names_of_strangers_stay_text() -> None:
    evil = '<script>alert("1")</script>&\'"'
    record = deepcopy(FULL)
    record["source"], record["notices"], record["ncodec"] = evil, [evil], evil
    record["sounds"][0] |= {"name": evil, "codec": evil, "language": evil, "title": evil}
    record["texts"][0] |= {"language": evil, "title": evil, "path": f"javascript:{evil}"}
    record["masters"].append("javascript:alert(1)//")
    for one in record["renditions"]:
        one |= {"name": evil, "codec": evil, "playlist": f"javascript:{evil}"}
    found = Reader(render_report(record))
    assert "script" not in found.tags
    assert evil in " ".join(found.words)
    assert all(one.startswith("./") or one == "data:," for one in found.addresses)


def test_a_long_film_has_a_page_of_modest_size() -> None:
    record, count = deepcopy(FULL), 5000
    record["segment_starts"] = [4.0 * place for place in range(count)]
    for one in record["renditions"]:
        one["segment_bytes"] = [one["average_bandwidth"] // 2] * count
    record |= {"seconds": 4.0 * count, "frames": 100 * count, "segments": count}
    page = render_report(record)
    assert "5:33:20 h" in Reader(page).text
    assert "mean of 42 segments" in page
    assert page.count("<tr>") < 2 * MOST_STEPS + 100
    assert len(page) < 700_000


def test_a_portrait_clip_is_named_by_its_shorter_side() -> None:
    record = deepcopy(FULL)
    for one in record["renditions"]:
        one["width"], one["height"] = one["height"], one["width"]
    for own in record["probes"]:
        for row in [*own["probes"], *own["hull"], *own["rungs"]]:
            row["height"] = {360: 640, 240: 426, 180: 320}[row["height"]]
    text = Reader(render_report(record)).text
    assert "360p, probes" in text
    assert "640p" not in text


def test_importing_streaming_loads_no_charts() -> None:
    script = (
        "import sys, ncodec.api.ladder, ncodec.streaming.report\n"
        "loaded = {'altair', 'vl_convert', 'jinja2'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    require_browser()
    pytest.importorskip("selenium")
    from players.browsers import Chromium

    browser = Chromium()
    yield browser
    browser.close()


CONTRAST = """(() => {
  const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const parse = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const paper = light(parse(getComputedStyle(document.querySelector("section")).backgroundColor));
  const ratio = text => { const own = light(parse(text)); return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05); };
  const texts = [...document.querySelectorAll("h2, th, td, summary, a, li, .note, svg text")];
  return {
    texts: Math.min(...texts.map(e => ratio(getComputedStyle(e)[e.ownerSVGElement ? "fill" : "color"]))),
    marks: Math.min(...[...document.querySelectorAll("svg circle")].map(e => getComputedStyle(e).fill)
      .filter(fill => fill != "none").map(ratio)),
  };
})()"""  # noqa: E501


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every record's page, with a name that breaks nowhere."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {folder / f"{name}.html": record for name, record in RECORDS.items()}
    for path, record in paths.items():
        path.write_text(render_report({**record, "source": "x" * 300}), "utf-8")
    return list(paths)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_quiet_legible_and_no_wider_than_a_phone(
    chromium: Any, pages: list[Path], dark: bool
) -> None:
    for path in pages:
        for width in (1200, 360):
            chromium.emulate(width=width, height=800, dark=dark)
            chromium.open(path.as_uri())
            chromium.run("document.querySelectorAll('details').forEach(e => { e.open = true })")
            beyond = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"
            assert chromium.run(beyond) == 0, f"{path.stem} at {width} pixels"
            shown = "[...document.querySelectorAll('.chart')].map(e => [...e.children].filter("
            shown += "c => c.getBoundingClientRect().width > 250).length)"
            assert set(chromium.run(shown)) <= {1}, "one chart for each width"
            paper = chromium.run("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(255, 255, 255)") != dark
            contrast = chromium.run(CONTRAST)
            assert contrast["texts"] >= 4.5
            assert (contrast["marks"] or 9) >= 3
            assert chromium.complaints() == []
