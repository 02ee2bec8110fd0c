"""Work on a stream in jobs, and ncodec's own rendition in a ladder."""

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest
from stream_clips import FAST, shots, varying
from stream_reading import tree

import ncodec
from ncodec.errors import InputError

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

SETTINGS = ncodec.StreamSettings(**{**FAST, "rungs": 2})


def test_jobs_in_any_order_and_process_make_the_stream(tmp_path: Path) -> None:
    clip = shots(tmp_path / "clip.mp4", [1.5, 2, 2.5])
    ncodec.stream(clip, tmp_path / "whole", settings=SETTINGS)
    jobs = list(ncodec.open_stream_work(clip, tmp_path / "jobs", settings=SETTINGS).jobs)
    assert len(jobs) > 1
    random.Random(3).shuffle(jobs)
    for job in jobs:  # each worker opens the work anew
        ncodec.open_stream_work(clip, tmp_path / "jobs", settings=SETTINGS).run(job)
    ncodec.open_stream_work(clip, tmp_path / "jobs", settings=SETTINGS).finish()
    assert tree(tmp_path / "jobs") == tree(tmp_path / "whole")


def test_work_is_not_finished_before_its_jobs_are(tmp_path: Path) -> None:
    clip = shots(tmp_path / "clip.mp4", [1.5, 2, 2.5])
    work = ncodec.open_stream_work(clip, tmp_path / "out", settings=SETTINGS)
    work.run(work.jobs[0])
    with pytest.raises(InputError, match="run its job first"):
        work.finish()


def test_a_job_of_another_stream_is_refused(tmp_path: Path) -> None:
    clip = shots(tmp_path / "clip.mp4", [1.5, 2, 2.5])
    work = ncodec.open_stream_work(clip, tmp_path / "out", settings=SETTINGS)
    job = type(work.jobs[0])(99, work.jobs[0].renditions)
    with pytest.raises(InputError, match="a job of this stream"):
        work.run(job)


@pytest.mark.slow
def test_a_rendition_of_our_own_decodes_from_ranges(tmp_path: Path) -> None:
    clip = varying(tmp_path / "clip.mp4", [Fraction(number, 4) for number in range(10)])
    ncodec.stream(clip, tmp_path / "out", **{**FAST, "codecs": ["h264", "ncv"]})
    record = json.loads((tmp_path / "out" / "stream.json").read_text("utf-8"))
    index = json.loads((tmp_path / "out" / record["ncv"]["index"]).read_text("utf-8"))
    data = (tmp_path / "out" / record["ncv"]["path"]).read_bytes()
    assert len(index["intra"]) > 1
    for entry in index["intra"]:
        part = data[: index["start_size"]] + data[entry["offset"] : entry["offset"] + entry["size"]]
        (tmp_path / "part.ncv").write_bytes(part)
        with ncodec.open_video(tmp_path / "part.ncv") as decoder:
            assert decoder.frame_at(0).pixels.shape == (96, 160, 3)
