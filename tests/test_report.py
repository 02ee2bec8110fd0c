"""A report over two small pictures: what it measures, keeps, shows, and survives."""

import json
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from PIL import Image

pytest.importorskip("altair")
pytest.importorskip("skimage")
pytest.importorskip("vl_convert")

from ncodec.errors import InputError, NcodecError
from ncodec.eval import measure, metrics, report
from ncodec.eval.codecs import registry as codecs
from ncodec.eval.codecs.ncodec import runtime_files
from ncodec.eval.codecs.registry import CODECS, JPEG_420, NCODEC
from ncodec.eval.commands.report import report as command
from ncodec.eval.curves import MeanCurve, MeanPoint, mean_curve, published_curves, rate_difference
from ncodec.eval.measure import load_sources, measure_point
from ncodec.eval.media import PICTURES, Source, picture_key
from ncodec.eval.memory import measure_memory
from ncodec.eval.samples import encode_within
from ncodec.eval.store import Failure, Point, Store

Photo = npt.NDArray[np.uint8]
OPTIONS = ("--quick", "--jobs", "1", "--codec", "ncodec", "--codec", "JPEG 4:2:0")


@pytest.fixture
def pictures(folder: Path, photo: Photo) -> Path:
    flat = np.full((64, 80, 3), 90, np.uint8)
    for place, pixels in (
        ("pictures/a.png", photo),
        ("pictures/b.png", flat),
        ("more/a.png", photo[40:, :101]),
    ):
        (folder / place).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / place)
    return folder


def call(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--cache", "cache"])


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>',
        page.read_text("utf-8"),
        re.DOTALL,
    )
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.mark.slow
def test_a_report_is_one_page_with_everything_inside(pictures: Path) -> None:
    (pictures / "pictures" / "cut.png").write_bytes(
        (pictures / "pictures" / "a.png").read_bytes()[:500]
    )
    result = call("pictures", "pictures/a.png", "-o", "page.html", "--figures", "figures", *OPTIONS)
    assert result.exit_code == 0, result.output
    assert re.search(r"BD-rate +against JPEG 4:2:0 +of ncodec against it\n", result.output)
    (of_ours,) = re.findall(r"ncodec +(-\d\d\.\d %) +–\n", result.output)
    assert re.search(rf"JPEG 4:2:0 +– +{of_ours}\n", result.output)
    page = (pictures / "page.html").read_text("utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.split("<script")[0])
    assert {path.name for path in (pictures / "figures").iterdir()} == {
        "points.csv", "bd-rate.md", "bd-rate-of-ncodec.md", "curves-psnr.svg", "curves-psnr.png",
    }  # fmt: skip
    data = data_of(pictures / "page.html")
    assert data["measured"] == ["ncodec", "JPEG 4:2:0"]
    assert [row["name"] for row in data["pictures"]] == ["a.png", "b.png", "pictures/a.png"]
    assert "cut.png: cannot be read" in page

    again = call("pictures", "pictures/a.png", "-o", "again.html", "--json", *OPTIONS)
    assert data_of(pictures / "again.html")["speeds"] == data["speeds"], (
        "the second run takes no time again"
    )
    assert json.loads(again.stdout)["bd_rate_psnr"]["ncodec"] < 0
    for taken in (["page.html"], ["third.html", "--figures", "figures"]):
        refused = call("pictures", "-o", *taken, *OPTIONS)
        assert refused.exit_code == 1
        assert "exists" in str(refused.exception)
    assert not (pictures / "third.html").exists()


@pytest.mark.parametrize("name", sorted(CODECS))
def test_every_codec_brings_the_picture_back(name: str, photo: Photo) -> None:
    codec = CODECS[name]
    if codec.missing:
        pytest.skip(f"needs {codec.missing}")
    odd = np.ascontiguousarray(photo[:75, :101])
    points = [
        measure_point(codec, odd, quality, ["psnr"])
        for quality in (codec.qualities[0], codec.qualities[-1])
    ]
    small, large = points
    assert isinstance(small, Point), small
    assert isinstance(large, Point), large
    assert small.size < large.size
    assert (small.metrics["psnr"] or 0) < (large.metrics["psnr"] or 0)
    assert (large.metrics["psnr"] or 0) > 35, "a wrong matrix or range would cost ten decibels"


def test_metrics_are_best_for_the_same_picture(photo: Photo) -> None:
    large = np.kron(photo, np.ones((2, 2, 1), np.uint8))
    for metric in metrics.METRICS.values():
        if metric.available:
            same, other = metric.measure(large, large), metric.measure(large, large // 2)
            assert same is not None
            assert other is not None
            assert same > other


def test_a_slow_metric_is_measured_at_four_qualities_spread_from_end_to_end() -> None:
    for count, chosen in (
        (11, [0, 3, 7, 10]),
        (7, [0, 2, 4, 6]),
        (5, [0, 1, 3, 4]),
        (4, [0, 1, 2, 3]),
        (1, [0]),
    ):
        codec = replace(JPEG_420, qualities=tuple(range(count)))
        slow = [
            q
            for q in codec.qualities
            if "ssimulacra2" in measure.due(codec, q, ["psnr", "ssimulacra2"])
        ]
        assert slow == chosen
    assert all("psnr" in measure.due(JPEG_420, quality, ["psnr"]) for quality in JPEG_420.qualities)


def test_a_failure_is_a_sentence_and_leaves_its_quality_out_of_the_mean(
    photo: Photo, tmp_path: Path
) -> None:
    class Picky(codecs.PillowCodec):
        def encode(self, pixels: Photo, quality: float) -> bytes:
            if pixels.shape[1] == 101:
                msg = "too narrow"
                raise OSError(msg)
            return super().encode(pixels, quality)

    picky = Picky(**{**vars(JPEG_420), "name": "picky", "qualities": (10, 90)})
    outcome = measure_point(picky, photo[:75, :101], 10, ["psnr"])
    assert outcome == Failure(10, "OSError: too narrow")
    seen = measure.Measured(
        picky,
        {
            "a": [Point(q, 100 * q, {"psnr": 20.0 + q}, 0.0, 0.0) for q in (10, 90)],
            "b": [outcome, outcome],
        },
    )
    sources = [Source(name, tmp_path, 100, 100, name, alpha=False) for name in "ab"]
    assert mean_curve(seen, sources, ["psnr"]).points == [], "a mean over fewer pictures is no mean"


@pytest.mark.skipif(sys.platform != "linux", reason="not measured there")
def test_memory_is_measured_once_in_processes_of_their_own(pictures: Path, tmp_path: Path) -> None:
    source = load_sources(PICTURES, [pictures / "pictures" / "a.png"])[0][0]
    counted: list[int] = []
    for _ in range(2):
        found = measure_memory(
            PICTURES,
            source,
            [NCODEC, JPEG_420],
            store=Store(tmp_path / "cache"),
            jobs=1,
            advance=counted.append,
        )
        assert 500 > found["ncodec"] > found["JPEG 4:2:0"] >= 0
        assert len(list((tmp_path / "cache").glob("*-memory-*.json"))) == 2
    assert counted == [1] * 4


def test_a_task_that_raises_or_dies_fails_alone() -> None:
    raised = dict(measure.run_in_pool(math.sqrt, [(4.0,), (-1.0,), (9.0,)], 2))
    assert raised[4.0,] == 2
    assert raised[9.0,] == 3
    assert str(raised[-1.0,]).startswith("ValueError")
    died = dict(measure.run_in_pool(os._exit, [(3,)], 1))
    assert died[3,] == "the process of the codec died"


def test_pictures_of_one_name_are_told_apart(pictures: Path) -> None:
    paths = [Path("pictures/a.png"), Path("more/a.png"), Path("pictures/a.png")]
    assert [s.name for s in load_sources(PICTURES, paths)[0]] == [
        "a.png",
        "more/a.png",
        "pictures/a.png",
    ]


def test_a_damaged_cache_is_measured_again(
    photo: Photo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, point = picture_key(photo), Point(5, 10, {"psnr": 20.0}, 0.1, 0.2)
    Store(tmp_path).add(JPEG_420, key, [point])
    assert Store(tmp_path).points(JPEG_420, key, ["psnr"]) == {5: point}
    assert Store(tmp_path).points(JPEG_420, key, ["psnr", "ssim"]) == {}
    whole = Store(tmp_path).path(JPEG_420).read_text()
    for damage in ("", "{", "[]", whole.replace("0.1", "NaN"), whole.replace('"size"', '"length"')):
        Store(tmp_path).path(JPEG_420).write_text(damage)
        assert Store(tmp_path).points(JPEG_420, key, ["psnr"]) == {}
        assert "measured again" in capsys.readouterr().err


def test_other_settings_or_versions_are_other_results(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.path(JPEG_420) != store.path(replace(JPEG_420, settings="baseline"))
    assert store.path(JPEG_420) != store.path(replace(JPEG_420, options={"optimize": True}))
    assert store.path(JPEG_420) == store.path(replace(JPEG_420, qualities=(1, 2)))


def test_other_code_of_ours_gives_other_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"rdoq.py", "onnx.py"} < {path.name for path in runtime_files()}
    code, store = tmp_path / "search.py", Store(tmp_path)
    monkeypatch.setattr("ncodec.eval.codecs.ncodec.runtime_files", lambda: [code])
    code.write_text("a = 1")
    before = store.path(NCODEC)
    assert store.path(NCODEC) == before
    code.write_text("a = 2")
    assert store.path(NCODEC) != before


def test_code_in_a_new_folder_counts_as_ours(tmp_path: Path) -> None:
    for name in (
        "image.py",
        "video/new/motion.py",
        "eval/cli.py",
        "training/run.py",
        "weights/__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a = 1")
    assert runtime_files(tmp_path) == [tmp_path / "image.py", tmp_path / "video/new/motion.py"]


def test_two_runs_at_once_keep_each_others_points(photo: Photo, tmp_path: Path) -> None:
    first, second = Store(tmp_path), Store(tmp_path)
    for store, quality in ((first, 5), (second, 10), (first, 15)):
        store.add(JPEG_420, "a picture", [Point(quality, 10, {"psnr": 20.0}, 0.1, 0.2)])
    assert set(Store(tmp_path).points(JPEG_420, "a picture", ["psnr"])) == {5, 10, 15}


def test_curves_that_share_no_quality_have_no_number() -> None:
    low, high = (
        MeanCurve(name, [MeanPoint(i, 0.1 + i, {"psnr": start + i}, 0, 0) for i in range(3)])
        for name, start in (("low", 20.0), ("high", 40.0))
    )
    assert rate_difference(low, high, "psnr") == "no overlap"
    assert rate_difference(low, high, "ssim") == "too few points"


@pytest.mark.slow
def test_our_anchors_are_those_that_were_published(kodak: list[Path], tmp_path: Path) -> None:
    """Pillow's JPEG over all of Kodak against the curve that CompressAI measured with another
    Pillow."""
    sources, _ = load_sources(PICTURES, kodak)
    (jpeg,) = measure.measure(
        PICTURES,
        sources,
        [JPEG_420],
        metrics=["psnr"],
        store=Store(tmp_path),
        jobs=1,
        advance=lambda count: None,
    )
    theirs = next(curve for curve in published_curves(sources) if curve.name == "JPEG (published)")
    assert published_curves(sources[1:]) == [], "of other pictures"
    difference = rate_difference(theirs, mean_curve(jpeg, sources, ["psnr"]), "psnr")
    assert isinstance(difference, float)
    assert -15 < difference < 2, "ours is progressive and optimized, theirs is not"


def test_a_sample_is_the_largest_file_within_a_rate(photo: Photo) -> None:
    data = encode_within(JPEG_420, photo, 1.0)
    limit = photo.shape[0] * photo.shape[1] / 8
    assert 0.9 * limit < len(data) <= limit
    known = tuple((quality, len(JPEG_420.encode(photo, quality))) for quality in JPEG_420.qualities)
    assert encode_within(JPEG_420, photo, 1.0, known) == data
    smallest = encode_within(JPEG_420, photo, 0.001)
    assert smallest == JPEG_420.encode(photo, JPEG_420.qualities[0])


def test_bad_inputs_are_sentences(pictures: Path) -> None:
    (pictures / "empty").mkdir()
    for arguments, said in (
        (["empty"], "expected pictures or clips in empty, got none"),
        (
            ["pictures", "--codec", "GIF"],
            "expected a codec of pictures among ncodec, ncodec effort 0, ncodec effort 6",
        ),
        (["missing.png"], "missing.png"),
    ):
        result = call(*arguments, "-o", "page.html")
        assert isinstance(result.exception, NcodecError)
        assert said in str(result.exception)
    for arguments, said in (
        (["kodak"], "say with --data which folder"),
        (["kodka", "--data", "pictures"], "--data goes with the name of one data set"),
        (["pictures", "kodak", "--data", "pictures"], "--data goes with the name of one data set"),
    ):
        result = call(*arguments, "-o", "page.html")
        assert result.exit_code == 2
        assert said in result.output
    assert not (pictures / "page.html").exists()


def test_quick_keeps_the_ends_of_the_curve() -> None:
    assert report.thinned(NCODEC).qualities[0] == 0
    assert report.thinned(NCODEC).qualities[-1] == 100
    assert len(report.thinned(NCODEC).qualities) == report.QUICK_POINTS
    with pytest.raises(InputError):
        report.choose_codecs(PICTURES, ["GIF"])
