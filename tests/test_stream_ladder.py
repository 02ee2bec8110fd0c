"""Ladders: rungs on the hull of probes, fixed ones, those of a person, and settings that are
refused."""

from collections.abc import Sequence
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_clips import FAST, plain

import ncodec
from ncodec.errors import InputError, NcodecError
from ncodec.media.scaling import FrameSize
from ncodec.streaming.hull import Curve, Point, Probe, fit_curve, fit_curves, hull_of
from ncodec.streaming.ladder import (
    Rung,
    choose_rungs,
    fixed_rungs,
    read_ladder,
    rendition_of_rung,
    renditions_of,
    sizes_of,
    top_size,
)
from ncodec.streaming.renditions import CRF_RANGES
from ncodec.streaming.settings import StreamSettings

LARGE, MIDDLE, SMALL = (FrameSize(w, h) for w, h in ((1920, 1080), (1280, 720), (960, 540)))
CRFS = (23.0, 33.0, 43.0)


def probes_of(size: FrameSize, *, rate: float, best: float, fall: float) -> list[Probe]:
    """Probes of an encoder that takes `rate` bits a second at CRF 23 and half of it every 6, and
    loses `fall` of its `best` quality from one probe to the next."""
    return [
        Probe(size, crf, rate * 2 ** ((23 - crf) / 6), best - fall * lost)
        for crf, lost in zip(CRFS, (0, 1, 2), strict=True)
    ]


@pytest.fixture(scope="module")
def probes() -> list[Probe]:
    """The large size wins at high rates, the middle one below, the small one at the lowest."""
    return [
        *probes_of(SMALL, rate=1e6, best=75, fall=5),
        *probes_of(LARGE, rate=4e6, best=97, fall=18),
        *probes_of(MIDDLE, rate=2e6, best=88, fall=12),
    ]


def quality_at(curve: Curve, crf: float) -> float:
    return float(np.interp(crf, curve.crfs, curve.qualities))


def test_a_curve_goes_through_its_probes() -> None:
    own = probes_of(LARGE, rate=4e6, best=97, fall=9)
    curve = fit_curve(own[::-1], metric="XPSNR")
    for probe in own:
        assert quality_at(curve, probe.crf) == pytest.approx(probe.quality, abs=0.01)
        place = list(curve.crfs).index(probe.crf)
        assert curve.bitrates[place] == pytest.approx(probe.bitrate, rel=0.001)
    assert all(before >= after for before, after in pairwise(curve.qualities))
    assert all(before >= after for before, after in pairwise(curve.bitrates))


def test_curves_of_vmaf_stay_below_100() -> None:
    own = probes_of(LARGE, rate=4e6, best=99.5, fall=6)
    curve = fit_curve(own, metric="VMAF")
    assert 0 <= min(curve.qualities) <= max(curve.qualities) <= 100
    for probe in own:
        assert quality_at(curve, probe.crf) == pytest.approx(probe.quality, abs=0.01)


def test_one_probe_and_two_are_a_curve_too() -> None:
    own = probes_of(LARGE, rate=4e6, best=97, fall=9)
    assert quality_at(fit_curve(own[:1], metric="XPSNR"), 30) == pytest.approx(97)
    assert quality_at(fit_curve(own[:2], metric="XPSNR"), 28) == pytest.approx(92.5)


def test_the_hull_is_the_best_size_at_every_rate(probes: list[Probe]) -> None:
    curves = fit_curves(probes, metric="XPSNR")
    assert [curve.size for curve in curves] == [LARGE, MIDDLE, SMALL]
    hull = hull_of(curves)
    assert {point.size for point in hull} == {LARGE, MIDDLE, SMALL}
    for point in hull:  # lines cross at 384 kbit/s, the middle one ends at 2.5 Mbit/s
        if not 0.95 < point.bitrate / 384e3 < 1.05 and not 0.95 < point.bitrate / 2.62e6 < 1.05:
            sizes = [SMALL, MIDDLE, LARGE]
            assert point.size == sizes[(point.bitrate > 384e3) + (point.bitrate > 2.62e6)]
    for before, after in pairwise(hull):
        assert before.bitrate < after.bitrate
        assert before.quality < after.quality
    for curve in curves:
        for bitrate, quality in zip(curve.bitrates, curve.qualities, strict=True):
            best = max((p.quality for p in hull if p.bitrate <= bitrate * 1.0001), default=0)
            assert quality <= best + 1e-9, "nothing lies above the hull"


def test_a_size_that_is_never_best_is_not_on_the_hull(probes: list[Probe]) -> None:
    worse = probes_of(FrameSize(640, 360), rate=9e6, best=40, fall=5)
    assert FrameSize(640, 360) not in {
        p.size for p in hull_of(fit_curves([*probes, *worse], metric="XPSNR"))
    }


@pytest.mark.parametrize("target", [70.0, 93.0, 95.5])
def test_the_top_rung_is_the_least_rate_that_reaches_the_target(
    probes: list[Probe], target: float
) -> None:
    hull = hull_of(fit_curves(probes, metric="XPSNR"))
    top, *_ = choose_rungs(hull, target=target, metric="VMAF")
    assert top.quality >= target
    assert all(point.quality < target for point in hull if point.bitrate < top.bitrate)


def test_a_target_out_of_reach_gives_the_best_there_is(probes: list[Probe]) -> None:
    hull = hull_of(fit_curves(probes, metric="XPSNR"))
    top, *_ = choose_rungs(hull, target=200, metric="VMAF")
    assert top == hull[-1]


def good_ladder(rungs: Sequence[Point], *, most: int) -> None:
    assert 1 <= len(rungs) <= most
    for above, below in pairwise(rungs):
        assert above.bitrate > below.bitrate
        assert above.quality > below.quality
        assert above.size.height >= below.size.height


@pytest.mark.parametrize("most", [1, 2, 6, 12])
def test_rungs_descend(probes: list[Probe], most: int) -> None:
    rungs = choose_rungs(
        hull_of(fit_curves(probes, metric="XPSNR")), target=93, metric="VMAF", most=most
    )
    good_ladder(rungs, most=most)
    assert len(rungs) >= min(most, 4)
    steps = [log2(above.bitrate / below.bitrate) for above, below in pairwise(rungs)]
    assert all(step > log2(1.6) * 0.8 for step in steps), "no two rungs are nearly the same"


numbers = st.floats(0.2, 1)


@settings(max_examples=50)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5), numbers)
def test_rungs_of_any_probes_descend(
    sizes: list[tuple[float, float, float]], target: float
) -> None:
    probes = []
    for place, (rate, best, fall) in enumerate(sizes):
        size = FrameSize(1600 >> place, 900 >> place)
        probes += probes_of(size, rate=5e6 * rate / (place + 1), best=100 * best, fall=15 * fall)
    hull = hull_of(fit_curves(probes, metric="XPSNR"))
    good_ladder(choose_rungs(hull, target=100 * target, metric="VMAF"), most=6)


def test_renditions_are_the_rungs(probes: list[Probe]) -> None:
    rungs = choose_rungs(hull_of(fit_curves(probes, metric="XPSNR")), target=93, metric="VMAF")
    for codec in ("h264", "av1", "hevc"):
        found = renditions_of(codec, rungs, speed="fast", grain=7)
        least, most = CRF_RANGES[codec]
        for number, (one, rung) in enumerate(zip(found, rungs, strict=True), 1):
            assert one.crf == pytest.approx(max(least, min(most, rung.crf)), abs=0.13)
            assert (one.size, one.number, one.speed) == (rung.size, number, "fast")
            assert one.grain == (7 if codec == "av1" else 0)
            assert one.peak is not None
            assert one.peak > rung.bitrate
        assert len({one.name for one in found}) == len(found)


def test_sizes_keep_the_shape_and_are_even() -> None:
    top = top_size(1917, 1079, most=None)
    assert (top.width, top.height) == (1916, 1080)
    for size in sizes_of(top):
        assert size.width % 2 == size.height % 2 == 0
        assert size.width / size.height == pytest.approx(1917 / 1079, rel=0.02)
        assert size.height >= 100
    assert top_size(1080, 1920, most=720) == FrameSize(720, 1280), "the shorter side counts"
    assert top_size(320, 180, most=720) == FrameSize(320, 180), "nothing is made larger"
    assert sizes_of(FrameSize(64, 36)) == [FrameSize(64, 36)]


@given(st.integers(2, 8640), st.integers(2, 8640), st.integers(1, 12))
def test_fixed_ladders_descend_from_the_clip_down(width: int, height: int, most: int) -> None:
    top = top_size(width, height, most=None)
    rungs = fixed_rungs(top, most=most)
    assert rungs[0].height == min(top.width, top.height)
    assert 1 <= len(rungs) <= most
    for above, below in pairwise(rungs):
        assert above.height > below.height
        assert (above.bitrate or 0) > (below.bitrate or 0)
    names = [
        rendition_of_rung("h264", rung, top, number=number, speed="fast").name
        for number, rung in enumerate(rungs, 1)
    ]
    assert len(set(names)) == len(names)


def test_a_ladder_in_yaml_is_rungs() -> None:
    text = "# mine\n- {height: 720, bitrate: 2_000_000}\n- height: 360\n  crf: 28.5\n"
    assert read_ladder(text) == [Rung(720, bitrate=2_000_000), Rung(360, crf=28.5)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected a ladder as a list"),
        ("{height: 720, crf: 3}", "expected a ladder as a list"),
        ("[", "expected a ladder in YAML"),
        ("- 720", "expected a rung with height and bitrate or crf, got 720"),
        ("- {bitrate: 720}", "expected a rung with height"),
        ("- {height: 720, crf: 20, name: a}", "expected a rung with height"),
        ("- {height: high, crf: 20}", "expected numbers in a rung"),
        ("- {height: 720}", "expected a bitrate or a crf of each rung"),
        ("- {height: 720, crf: 20, bitrate: 300000}", "expected a bitrate or a crf of each rung"),
        ("- {height: 1, crf: 20}", "height of 2 to 16384 of a rung, got 1"),
        ("- {height: .nan, crf: 20}", "expected"),
        ("- {height: .inf, crf: 20}", "expected"),
        ("- {height: 720, bitrate: .nan}", "expected"),
        ("- {height: 720, bitrate: -5}", "expected"),
        ("- {height: 720, bitrate: 0}", "expected"),
        ("- {height: 720, crf: -1}", "expected"),
        ("- {height: 720, crf: .nan}", "expected"),
        ("- {height: 720, crf: 500}", "expected"),
    ],
)
def test_other_yaml_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        read_ladder(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"codecs": []}, {"codecs": ["vp9"]}, {"codecs": ["ncv"]}, {"codecs": "h264"},
        {"audio": ["mp3"]}, {"speed": "slowest"}, {"rungs": 0}, {"rungs": 13}, {"rungs": 2.5},
        {"max_height": 1}, {"target_vmaf": 101}, {"target_vmaf": float("nan")}, {"segment": 0.4},
        {"segment": 31}, {"segment": float("nan")}, {"segment": "2"}, {"grain": -1}, {"grain": 51},
        {"codecs": ["h264"], "grain": 5}, {"ladder": "fixed", "target_vmaf": 80},
        {"live": True, "target_vmaf": 80},
        {"jobs": 0}, {"ladder": 7}, {"ladder": []}, {"ladder": [3]},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused_with_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"expected .*, got"):
        StreamSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"crf": 3, "bitrate": 4}, {}])
def test_a_rung_has_a_rate_or_a_crf(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected a bitrate or a crf"):
        Rung(720, **wrong)


def test_a_ladder_of_a_person_is_made_as_it_is_written(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "mine.yaml"
    path.write_text("- {height: 900, bitrate: 300000}\n- {height: 90, crf: 30}\n")
    clip = plain(tmp_path / "clip.mp4", 1)
    with pytest.warns(ncodec.NcodecWarning, match="rung of 900 pixels was made 180 high"):
        stats = ncodec.stream(clip, tmp_path / "out", **{**FAST, "ladder": path, "rungs": None})
    sizes = [(one["width"], one["height"]) for one in stats.renditions]
    assert sizes == [(320, 180), (160, 90)], "no rung is larger than the clip"
    assert [(one["target_bitrate"], one["crf"]) for one in stats.renditions] == [
        (300_000, None), (None, 30)
    ]  # fmt: skip


def test_the_first_rungs_of_a_ladder_are_made_if_their_number_is_given(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    rungs = [Rung(120, crf=30), Rung(90, crf=30), Rung(60, crf=30)]
    clip = plain(tmp_path / "clip.mp4", 0.4)
    stats = ncodec.stream(clip, tmp_path / "out", **{**FAST, "ladder": rungs, "rungs": 2})
    assert [one["height"] for one in stats.renditions] == [120, 90]


def test_a_ladder_that_is_no_file_is_said_before_anything_is_written(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    clip = plain(tmp_path / "clip.mp4", 1)
    with pytest.raises(NcodecError, match="expected auto, fixed or a ladder in YAML"):
        ncodec.stream(clip, tmp_path / "out", **{**FAST, "ladder": tmp_path / "none.yaml"})
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_top_rung_of_a_probed_ladder_reaches_its_target(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    clip = plain(tmp_path / "clip.mp4", 1)
    settings = {**FAST, "ladder": "auto", "rungs": 3, "target_vmaf": 80}
    ncodec.stream(clip, tmp_path / "out", **settings)
    record = ncodec_record(tmp_path / "out")
    assert record["metric"] == "VMAF"
    top, *below = record["renditions"]
    assert top["expected_quality"] == pytest.approx(80, abs=3)
    for above, one in pairwise([top, *below]):
        assert above["average_bandwidth"] > one["average_bandwidth"]
        assert above["height"] >= one["height"]
    (probed,) = record["probes"]
    assert len(probed["probes"]) == 3 * len({probe["height"] for probe in probed["probes"]})


def ncodec_record(folder: Path) -> Any:
    import json

    return json.loads((folder / "stream.json").read_text("utf-8"))
