"""A clip coded in parts, by jobs in any order and process, is the clip coded at once."""

import io
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image, ImageCms
from stream_clips import X264, ffmpeg, picture, shots, turned, varying

import ncodec
from ncodec.container.ncv import StreamReader
from ncodec.container.records import Frame, Record, Tag
from ncodec.errors import FormatError, InputError

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


def test_files_of_others_in_the_folder_are_left_alone(clip: Path, tmp_path: Path) -> None:
    names = {"part-1.mp4", "plan.json", "skeleton.ncv", "part-00001.ncv"}
    for name in names:
        (tmp_path / name).write_text(name)
    for quality in (20, 21):
        settings = replace(SETTINGS, quality=quality)
        ncodec.open_clip_work(clip, tmp_path, seconds=0.7, settings=settings)
    assert all((tmp_path / name).read_text() == name for name in names)


def test_parts_of_another_plan_are_not_taken(clip: Path, tmp_path: Path) -> None:
    first = ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.7, settings=SETTINGS)
    other = replace(SETTINGS, quality=70)
    second = ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.7, settings=other)
    for job in first.jobs:
        first.run(job)
    assert not any(second.is_done(job) for job in second.jobs)


def test_frames_with_an_icc_profile_are_cut(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with av.open(str(tmp_path / "clip.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        for number in range(40):
            picture = io.BytesIO()
            Image.new("RGB", (64, 48), (number, 90, 20)).save(picture, "PNG", icc_profile=profile)
            packet = av.Packet(picture.getvalue())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.is_keyframe = Fraction(1, 25), True
            container.mux(packet)
    with pytest.warns(ncodec.NcodecWarning, match="the ICC profile of the frames was left out"):
        joined = in_parts(tmp_path / "clip.mov", tmp_path / "work", seconds=60)
    with pytest.warns(ncodec.NcodecWarning, match="the ICC profile of the frames was left out"):
        expected = whole(tmp_path / "clip.mov", tmp_path)
    assert joined == expected


def test_a_clip_that_is_read_from_its_start_alone_is_cut(tmp_path: Path) -> None:
    """AVI has no time stamps, and MPEG-4 with B-frames none that can be looked for."""
    clip = ffmpeg(*picture(2, size=(64, 48)), "-c:v", "mpeg4", "-bf", "2", tmp_path / "clip.avi")
    work = ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.7, settings=SETTINGS)
    assert len(work.jobs) > 1
    for job in work.jobs:
        work.run(job)
    assert work.finish(tmp_path / "out.ncv").frames == 50


def test_a_clip_without_key_frames_is_not_cut(tmp_path: Path) -> None:
    """Each part would decode all before it."""
    clip = ffmpeg(*picture(6, size=(64, 48)), *X264, "-g", "1000", tmp_path / "clip.mp4")
    with pytest.raises(InputError, match="encode it as a whole"):
        ncodec.open_clip_work(clip, tmp_path / "work", seconds=0.5, settings=SETTINGS)


def test_a_damaged_part_is_named(clip: Path, tmp_path: Path) -> None:
    work = ncodec.open_clip_work(clip, tmp_path / "work", seconds=60, settings=SETTINGS)
    part = work.run(work.jobs[0])
    part.write_bytes(part.read_bytes()[:-400])
    with pytest.raises(FormatError, match=rf"{part.name}: .*remove it and run job 1 again"):
        work.finish(tmp_path / "out.ncv")
    assert not (tmp_path / "out.ncv").exists()
