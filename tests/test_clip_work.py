"""A clip coded in parts, by jobs in any order and process, is the clip coded at once."""

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image
from stream_clips import shots, turned, varying

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import Frame, Record, Tag
from ncodec.errors import InputError

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

SETTINGS = ncodec.EncodeVideoSettings(quality=20, threads=1)
SHOTS = [0.6, 0.8, 0.6]
CUTS = [15, 35]
"""frames that begin the second and third shot"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds and three shots, with sound."""
    return shots(tmp_path_factory.mktemp("clip") / "clip.mp4", SHOTS)


def in_parts(clip: Path, folder: Path, *, seconds: float = 0.7, seed: int = 1) -> bytes:
    """The stream of jobs that run in an order of chance, each by work that is opened anew."""
    jobs = list(ncodec.open_clip_work(clip, folder, seconds=seconds, settings=SETTINGS).jobs)
    random.Random(seed).shuffle(jobs)
    for job in jobs:
        ncodec.open_clip_work(clip, folder, seconds=seconds, settings=SETTINGS).run(job)
    work = ncodec.open_clip_work(clip, folder, seconds=seconds, settings=SETTINGS)
    work.finish(folder / "joined.ncv")
    return (folder / "joined.ncv").read_bytes()


def whole(clip: Path, folder: Path) -> bytes:
    ncodec.encode_video(clip, folder / "whole.ncv", settings=SETTINGS)
    return (folder / "whole.ncv").read_bytes()


def records(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return list(StreamReader(file).records())


@pytest.mark.parametrize("kind", ["plain", "turned", "varying"])
def test_one_part_is_the_clip_coded_at_once(clip: Path, kind: str, tmp_path: Path) -> None:
    if kind == "turned":
        clip = turned(clip, tmp_path / "turned.mp4", degrees=90)
    if kind == "varying":
        times = [Fraction(number * number, 40) for number in range(6)]
        clip = varying(tmp_path / "varying.mp4", times)
    assert in_parts(clip, tmp_path / "work", seconds=60) == whole(clip, tmp_path)


def test_jobs_in_any_order_make_one_stream(clip: Path, tmp_path: Path) -> None:
    first, second = (in_parts(clip, tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert first == second


def test_parts_begin_at_cuts_with_intra_frames_and_sound_is_kept(
    clip: Path, tmp_path: Path
) -> None:
    in_parts(clip, tmp_path / "work")
    whole(clip, tmp_path)
    joined, expected = records(tmp_path / "work" / "joined.ncv"), records(tmp_path / "whole.ncv")
    frames = [record for record in joined if isinstance(record, Frame)]
    assert [frames[number].tag for number in (0, *CUTS)] == [Tag.INTRA] * 3
    work = ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.7, settings=SETTINGS)
    assert [job.first for job in work.jobs] == [0, *CUTS]
    # All but coded frames and the index, in their places.
    kept = (
        [record.pts if isinstance(record, Frame) else record for record in found[:-2]]
        for found in (joined, expected)
    )
    assert next(kept) == next(kept)


def test_join_gives_the_frames_of_the_stream(clip: Path, tmp_path: Path) -> None:
    in_parts(clip, tmp_path / "work")
    work = ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.7, settings=SETTINGS)
    ncodec.join_videos([work.run(job) for job in work.jobs], tmp_path / "by-join.ncv")
    frames = [
        [record for record in records(path) if isinstance(record, Frame)]
        for path in (tmp_path / "by-join.ncv", tmp_path / "work" / "joined.ncv")
    ]
    assert frames[0] == frames[1]


def test_stats_are_those_of_the_whole(clip: Path, tmp_path: Path) -> None:
    work = ncodec.open_clip_work(clip, tmp_path / "work", seconds=60, settings=SETTINGS)
    work.run(work.jobs[0], measure=True)
    stats = work.finish(tmp_path / "joined.ncv")
    expected = ncodec.encode_video(clip, tmp_path / "whole.ncv", settings=SETTINGS, measure=True)
    assert stats == replace(expected, psnr=pytest.approx(expected.psnr))


def test_another_source_or_setting_is_planned_anew(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    work = ncodec.open_clip_work(clip, folder, seconds=0.7, settings=SETTINGS)
    work.run(work.jobs[0])
    other = replace(SETTINGS, quality=21)
    work = ncodec.open_clip_work(clip, folder, seconds=0.7, settings=other)
    assert not work.is_done(work.jobs[0])
    with pytest.raises(InputError, match=r"no such part: run job 1 of 3 first"):
        work.finish(tmp_path / "out.ncv")
    assert not (tmp_path / "out.ncv").exists()


def test_a_clip_that_cannot_be_cut_is_refused(clip: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), (value, 0, 0)) for value in (0, 90, 250)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    data = bytearray(clip.read_bytes())
    start = data.index(b"mdat") + len(data) // 3
    data[start : start + 200] = bytes(200)
    (tmp_path / "damaged.mp4").write_bytes(data)
    for name in ("a.gif", "damaged.mp4"):
        with pytest.raises(InputError, match="encode it as a whole"):
            ncodec.open_clip_work(tmp_path / name, tmp_path / "work", seconds=1)


@pytest.mark.parametrize(
    ("seconds", "options", "message"),
    [
        (0.1, {}, "expected parts of at least 0.5 seconds, got 0.1"),
        (float("nan"), {}, "got nan"),
        (1, {"size": 1000}, "a size is of a whole clip"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    clip: Path, tmp_path: Path, seconds: float, options: dict[str, int], message: str
) -> None:
    settings = ncodec.EncodeVideoSettings(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        ncodec.open_clip_work(clip, tmp_path / "work", seconds=seconds, settings=settings)
    assert not (tmp_path / "work").exists()
