"""Streams are the same bytes on any number of threads, and after any number of kills."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stream_clips import FAST, shots
from stream_reading import tree
from test_cli import call, fails

import ncodec

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

KILLS = int(os.environ.get("NCODEC_KILLS", "12")) // 2
OPTIONS = ["--ladder", "fixed", "--rungs", "2", "--speed", "fast", "--segment", "0.5",
           "--codecs", "h264,hevc,av1", "--jobs", "2"]  # fmt: skip
SETTINGS = {**FAST, "rungs": 2, "segment": 0.5, "codecs": ["h264", "hevc", "av1"]}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shots(tmp_path_factory.mktemp("resume") / "clip.mp4", [1.2, 0.7, 0.9])


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of an undisturbed run on one thread."""
    folder = tmp_path_factory.mktemp("whole") / "stream"
    ncodec.stream(clip, folder, **SETTINGS)
    return tree(folder)


def differing(found: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    return [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_threads_change_no_byte(
    clip: Path, whole: dict[str, bytes], tmp_path: Path, jobs: int
) -> None:
    ncodec.stream(clip, tmp_path / "out", **{**SETTINGS, "jobs": jobs})
    assert differing(tree(tmp_path / "out"), whole) == []


def begin(clip: Path, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "ncodec", "stream", str(clip), "-o", str(folder), *OPTIONS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_at(clip: Path, folder: Path, segments: int, *, delay: float = 0) -> bool:
    """Kill a command `delay` seconds after it has written so many segments; whether it was still
    at work."""
    with begin(clip, folder) as process:
        deadline = time.monotonic() + 120
        while process.poll() is None and len(list(folder.rglob("*.m4s"))) < segments:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_command_goes_on_to_the_same_files(
    clip: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """Killed several times in one folder, at random moments of its work."""
    folder, chance = tmp_path / "out", random.Random(5)
    reached = 0
    for _ in range(KILLS):
        if not kill_at(clip, folder, reached + chance.randrange(6), delay=chance.uniform(0, 0.2)):
            break
        for name, data in tree(folder).items():
            if name.endswith(".m4s"):
                assert data == whole[name], f"{name}, whole under its name"
        reached = len(list(folder.rglob("*.m4s")))
    with begin(clip, folder) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
    if process.returncode:  # the last kill came when all was done
        assert "holds a complete stream; -f" in said
    assert differing(tree(folder), whole) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_temporary_files_of_a_killed_command_are_removed(
    clip: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert kill_at(clip, folder, 2)
    place = next(path.parent for path in folder.rglob("*.m4s"))
    for beside in (place, folder):  # as a kill while it writes leaves them
        (beside / ".ncodec-0123456789abcdef.tmp").write_bytes(b"half")
    ncodec.stream(clip, folder, **SETTINGS)
    assert differing(tree(folder), whole) == []


def unfinished(clip: Path, folder: Path) -> set[Path]:
    """A stream that was stopped after some segments, and these."""

    class StopWorkError(Exception):
        pass

    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "encode" and total is not None and done > total / 2:
            raise StopWorkError

    with pytest.raises(StopWorkError):
        ncodec.stream(clip, folder, **SETTINGS, progress=stop)
    return set(folder.rglob("*.m4s"))


def test_work_that_was_stopped_is_not_done_twice(
    clip: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    there = {path: path.stat().st_mtime_ns for path in unfinished(clip, folder)}
    assert 0 < len(there) < 36
    stages: list[str] = []
    ncodec.stream(
        clip, folder, **{**SETTINGS, "jobs": 2}, progress=lambda *step: stages.append(step[0])
    )
    assert set(stages) == {"encode"}, "neither the survey nor the choice is made again"
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert differing(tree(folder), whole) == []


@pytest.mark.parametrize(
    "change", [{"segment": 1}, {"codecs": ["h264"]}, {"rungs": 1}, {"speed": "medium"},
               {"audio": ["aac"]}, {"max_height": 100}]
)  # fmt: skip
def test_an_unfinished_stream_of_other_settings_is_not_mixed(
    clip: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".plan.json").write_bytes(plan_of(clip))
    before = tree(folder)
    with pytest.raises(ncodec.NcodecError, match="unfinished stream of other input or settings"):
        ncodec.stream(clip, folder, **{**SETTINGS, **change})
    assert tree(folder) == before


_PLANS: dict[Path, bytes] = {}


def plan_of(clip: Path) -> bytes:
    """State that a stopped command keeps of the clip."""
    if clip not in _PLANS:
        folder = clip.with_name("stopped")
        unfinished(clip, folder)
        _PLANS[clip] = (folder / ".plan.json").read_bytes()
    return _PLANS[clip]


def test_the_command_says_so_too_and_force_begins_anew(
    clip: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    unfinished(clip, folder)
    other = [*OPTIONS[:-4], "--codecs", "h264", "--jobs", "1"]
    result = call("stream", str(clip), "-o", str(folder), *other)
    fails(result, "holds an unfinished stream of other input or settings; -f")
    assert call("stream", str(clip), "-o", str(folder), "-f", *OPTIONS).exit_code == 0
    assert differing(tree(folder), whole) == []


@pytest.mark.parametrize("damage", [b"", b"{", b'{"plan": {}, "sheets": {}, "poster": 0}', b"[]"])
def test_a_plan_that_cannot_be_read_is_no_traceback(
    clip: Path, tmp_path: Path, damage: bytes
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".plan.json").write_bytes(damage)
    with pytest.raises(ncodec.NcodecError, match=r"holds .*; -f"):
        ncodec.stream(clip, folder, **SETTINGS)


def test_a_segment_that_is_damaged_is_said(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    damaged = min(unfinished(clip, folder))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(ncodec.NcodecError, match="expected a box"):
        ncodec.stream(clip, folder, **SETTINGS)


def test_another_clip_under_the_same_name_is_not_mixed(clip: Path, tmp_path: Path) -> None:
    folder, own = tmp_path / "out", tmp_path / "clip.mp4"
    own.write_bytes(clip.read_bytes())
    unfinished(own, folder)
    shots(own, [0.8, 0.7, 0.9])
    with pytest.raises(ncodec.NcodecError, match="of other input or settings"):
        ncodec.stream(own, folder, **SETTINGS)
