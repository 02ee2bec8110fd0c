"""Live streams: segments while the clip is written, a sliding window, clocks that jump."""

import json
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from stream_clips import ffmpeg, flashing, picture, plain, tone
from stream_reading import attributes, beeps, flashes, frames_of, playlist

import ncodec
from ncodec.errors import InputError

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

RUNG = "video/h264-1-180p"
OPTIONS = ("--live", "--codecs", "h264", "--rungs", "1", "--speed", "fast", "--segment", "1")


def live(data: bytes, folder: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """`ncodec stream - --live` with standard input from memory."""
    return subprocess.run(
        [sys.executable, "-m", "ncodec", "stream", "-", "-o", str(folder), *OPTIONS, *options],
        input=data, capture_output=True, check=False, timeout=120,
    )  # fmt: skip


def transport_stream(clip: Path) -> bytes:
    return ffmpeg("-i", clip, "-c", "copy", clip.with_suffix(".ts")).read_bytes()


def test_a_pipe_becomes_a_complete_stream_with_sound_in_step(tmp_path: Path) -> None:
    data = transport_stream(flashing(tmp_path / "clip.mp4"))
    done = live(data, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    fields = json.loads(done.stdout)
    frames = frames_of(tmp_path / "out" / RUNG)
    assert len(frames) == fields["frames"] == 100
    assert [float(one.time) for one in frames] == pytest.approx(
        [n / 25 for n in range(100)], abs=1e-4
    )
    found = playlist(tmp_path / "out" / RUNG / "media.m3u8")
    assert found.is_endlist
    assert [segment.duration for segment in found.segments] == pytest.approx([1] * 4, abs=0.05)
    seen = flashes(tmp_path / "out" / RUNG)
    assert beeps(tmp_path / "out" / "audio" / "aac-1") == pytest.approx(seen, abs=0.02)
    assert (tmp_path / "out" / "index.html").is_file()


def test_the_window_slides_and_old_segments_go(tmp_path: Path) -> None:
    done = live(
        transport_stream(plain(tmp_path / "clip.mp4", 15)), tmp_path / "out", "--window", "6"
    )
    assert done.returncode == 0, done.stderr
    found = playlist(tmp_path / "out" / RUNG / "media.m3u8")
    assert [segment.uri for segment in found.segments] == [f"{n:05d}.m4s" for n in range(10, 16)]
    assert found.media_sequence == 10
    kept = sorted(path.name for path in (tmp_path / "out" / RUNG).glob("*.m4s"))
    assert kept == [f"{number:05d}.m4s" for number in range(1, 16)], "as many and three more stay"
    assert float(frames_of(tmp_path / "out" / RUNG)[0].time) == 9
    timeline = ElementTree.parse(tmp_path / "out" / "manifest.mpd").find(".//{*}SegmentTemplate")
    assert timeline is not None
    assert timeline.get("presentationTimeOffset") == str(9 * 90000)
    assert timeline.get("startNumber") == "10"


def test_segments_appear_before_the_clip_has_ended(tmp_path: Path) -> None:
    data = transport_stream(plain(tmp_path / "clip.mp4", 6))
    with subprocess.Popen(
        [sys.executable, "-m", "ncodec", "stream", "-", "-o", str(tmp_path / "out"), *OPTIONS],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(data[: len(data) * 2 // 3])
        process.stdin.flush()
        place = tmp_path / "out" / "h264.m3u8"
        until = time.monotonic() + 60
        while not place.is_file() and time.monotonic() < until:
            time.sleep(0.05)
        text = (tmp_path / "out" / RUNG / "media.m3u8").read_text("utf-8")
        manifest = ElementTree.parse(tmp_path / "out" / "manifest.mpd").getroot()
        process.stdin.write(data[len(data) * 2 // 3 :])
        process.stdin.close()
        assert process.wait(60) == 0
    assert "#EXTINF" in text
    assert "#EXT-X-ENDLIST" not in text
    assert manifest.get("type") == "dynamic"
    assert manifest.get("availabilityStartTime")
    (stated,) = attributes(tmp_path / "out" / "h264.m3u8", "EXT-X-STREAM-INF")
    assert int(stated["BANDWIDTH"]) > int(stated["AVERAGE-BANDWIDTH"])


def test_a_clock_that_jumps_goes_on(tmp_path: Path) -> None:
    clip = flashing(tmp_path / "clip.mp4")
    later = ffmpeg("-i", clip, "-c", "copy", "-output_ts_offset", "5000", tmp_path / "later.ts")
    data = transport_stream(clip) + later.read_bytes()
    done = live(data, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    times = [float(one.time) for one in frames_of(tmp_path / "out" / RUNG)]
    assert times == pytest.approx([n / 25 for n in range(200)], abs=1e-3)


def test_late_sound_and_no_sound_do_not_stop_the_video(tmp_path: Path) -> None:
    clip = ffmpeg(
        *picture(6), *tone(2), "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac",
        "-pix_fmt", "yuv420p", tmp_path / "clip.ts",
    )  # fmt: skip
    done = live(clip.read_bytes(), tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(frames_of(tmp_path / "out" / RUNG)) == 150


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"", "cannot be read"), (b"no clip at all " * 99, "cannot be read")]
)
def test_input_that_is_no_clip_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    done = live(data, tmp_path / "out")
    assert done.returncode == 1
    assert sentence in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_live_clip_has_no_jobs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no jobs"):
        ncodec.open_stream_work(
            tmp_path / "clip.ts", tmp_path / "out", settings=ncodec.StreamSettings(live=True)
        )


def test_a_window_needs_a_live_clip() -> None:
    with pytest.raises(InputError, match="of a live clip"):
        ncodec.StreamSettings(window=10)


def test_a_window_holds_three_segments_of_the_longest_kind() -> None:
    assert ncodec.StreamSettings(live=True, segment=4, window=18).window == 18
    with pytest.raises(InputError, match=r"expected a window of at least 18 s .* got 17"):
        ncodec.StreamSettings(live=True, segment=4, window=17)
