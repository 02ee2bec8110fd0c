"""Clips at the command: names, streams, pictures out of clips, and one sentence for everything that
goes wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from test_cli import call, fails, ncodec_command
from test_demux import write

import ncodec
from ncodec.errors import OutputError

Photo = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def frames(photo: Photo) -> list[Photo]:
    return [np.ascontiguousarray(photo[:64, 2 * i : 2 * i + 96]) for i in range(6)]


@pytest.fixture
def clip(folder: Path, frames: list[Photo]) -> Path:
    return write(folder / "clip.mp4", frames, sound=True)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory, frames: list[Photo]) -> bytes:
    path = write(tmp_path_factory.mktemp("stream") / "clip.mp4", frames, sound=True)
    assert call("encode", str(path), "--gop", "3").exit_code == 0
    return path.with_suffix(".ncv").read_bytes()


def test_a_clip_goes_there_and_back(clip: Path) -> None:
    encoded = call("encode", "clip.mp4", "-q", "60")
    assert encoded.exit_code == 0, encoded.stderr
    size = Path("clip.ncv").stat().st_size
    assert encoded.stdout.startswith(f"clip.mp4 → clip.ncv  96×64  6 frames  {size:,} bytes  ")
    assert " kbit/s  " in encoded.stdout
    fails(call("decode", "clip.ncv"), "clip.mp4: exists; -f (overwrite=True) overwrites it")
    assert call("decode", "clip.ncv", "-o", "back.mkv").exit_code == 0
    with av.open("back.mkv") as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
        assert sum(1 for _ in container.decode(video=0)) == 6


def test_json_says_the_same(clip: Path) -> None:
    fields = json.loads(
        call("encode", "clip.mp4", "--json", "--bitrate", "400k", "--measure").stdout
    )
    assert 25 < fields["psnr"] < 60
    assert (fields["frames"], fields["size"]) == (6, Path("clip.ncv").stat().st_size)
    assert fields["duration"] == pytest.approx(0.24)
    info = json.loads(call("info", "clip.ncv", "--json", "--verify").stdout)
    assert info["frames"] == info["intra"] + info["predicted"] + info["duplicates"] == 6
    assert info["media_size"] > 0
    assert info["duration"] == pytest.approx(fields["duration"])
    assert info["verified"]


def test_equal_clips_become_equal_streams(clip: Path) -> None:
    for name in ("a.ncv", "b.ncv"):
        assert call("encode", "clip.mp4", "-o", name).exit_code == 0
    assert Path("a.ncv").read_bytes() == Path("b.ncv").read_bytes()


def test_a_size_is_kept(clip: Path) -> None:
    assert call("encode", "clip.mp4", "--size", "30k").exit_code == 0
    assert Path("clip.ncv").stat().st_size <= 30000
    fails(
        call("encode", "clip.mp4", "-f", "--size", "500"),
        "expected a size that 6 frames and their sound fit into",
    )


def test_a_rate_that_no_frame_fits_into_is_a_sentence(clip: Path) -> None:
    fails(
        call("encode", "clip.mp4", "--bitrate", "1k"),
        "expected more than 2400 bits a second for 25 frames, got 1000",
    )
    assert not Path("clip.ncv").exists()


def test_a_size_needs_files(clip: Path) -> None:
    fails(
        call("encode", "clip.mp4", "--size", "20000", "-o", "-"),
        "a size needs an input and an output that are files",
    )
    Path("empty.y4m").write_bytes(b"YUV4MPEG2 W64 H64 F25:1\n")
    fails(call("encode", "empty.y4m", "--size", "20000"), "empty.y4m: ")


def test_the_last_frame_lasts(clip: Path) -> None:
    assert call("encode", "clip.mp4").exit_code == 0
    assert call("decode", "clip.ncv", "--at", "0.23", "-o", "last.png").exit_code == 0
    fails(
        call("decode", "clip.ncv", "--at", "0.24", "-o", "beyond.png"),
        "its last frame is at 0.200 s",
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_can_be_read_once_is_opened_once(folder: Path, stream: bytes, coded: bytes) -> None:
    for name, data, sentence in (("a.ncv", stream, "6 frames"), ("b.nci", coded, "200×152")):
        os.mkfifo(name)
        writer = threading.Thread(target=Path(name).write_bytes, args=(data,))
        writer.start()
        result = call("info", name)
        writer.join()
        assert sentence in result.stdout, result.stderr


def test_streams(clip: Path) -> None:
    encoded = ncodec_command(
        "encode", "-", "-o", "-", stdin=write(Path("a.mkv"), [frame(0), frame(9)]).read_bytes()
    )
    assert encoded.returncode == 0, encoded.stderr
    assert b" fps" in encoded.stderr
    decoded = ncodec_command("decode", "-", "-o", "-", stdin=encoded.stdout)
    assert decoded.stdout.startswith(b"YUV4MPEG2 W96 H64 F25:1")
    again = ncodec_command("encode", "-", "-o", "again.ncv", stdin=decoded.stdout)
    assert again.returncode == 0, again.stderr
    assert b"2 frames" in ncodec_command("info", "-", stdin=encoded.stdout).stdout


def frame(shade: int) -> Photo:
    return np.full((64, 96, 3), 90 + shade, dtype=np.uint8)


def test_large_frames_are_taken_if_asked(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    fails(call("encode", "clip.mp4"), "--allow-large (allow_large=True) takes them")
    assert call("encode", "clip.mp4", "--allow-large").exit_code == 0


def test_large_frames_and_pictures_are_verified_if_asked(
    folder: Path, stream: bytes, coded: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name, data in (("clip.ncv", stream), ("picture.nci", coded)):
        Path(name).write_bytes(data)
        assert call("info", name).exit_code == 0
        fails(call("info", name, "--verify"), "--allow-large (allow_large=True) takes them")
        assert call("info", name, "--verify", "--allow-large").exit_code == 0


def test_animations_are_clips_when_a_stream_is_wanted(folder: Path, frames: list[Photo]) -> None:
    first, *others = (Image.fromarray(pixels) for pixels in frames)
    first.save("a.gif", save_all=True, append_images=others, duration=40)
    fails(call("encode", "a.gif"), "expected a still picture, got 6 frames; name the output .ncv")
    assert call("encode", "a.gif", "-o", "a.ncv").exit_code == 0
    assert json.loads(call("info", "a.ncv", "--json").stdout)["frames"] == 6


def test_lossless_output_is_what_was_decoded(folder: Path, stream: bytes) -> None:
    Path("clip.ncv").write_bytes(stream)
    assert call("decode", "clip.ncv", "--lossless", "-o", "a.mkv").exit_code == 0
    assert call("decode", "clip.ncv", "-o", "%d.png").exit_code == 0
    with av.open("a.mkv") as container:
        for number, found in enumerate(container.decode(video=0), start=1):
            np.testing.assert_array_equal(
                found.to_ndarray(format="rgb24"), np.asarray(Image.open(f"{number}.png"))
            )


@pytest.mark.skipif(sys.platform != "linux", reason="needs env of GNU coreutils")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_wait_ends_at_once_and_leaves_nothing(
    folder: Path, stream: bytes, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "ncodec", "decode", "-", "-o", "out.mkv"]
    # Where the tests themselves run in the background, their shell has made them deaf to it.
    command = ["env", "--default-signal=INT,TERM,HUP", *command]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        process.stdin.write(stream[: len(stream) // 2])
        while not list(folder.glob(".ncodec-*")):
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert list(folder.iterdir()) == []


def test_a_cut_file_is_decoded_up_to_the_cut_and_fails(folder: Path, stream: bytes) -> None:
    Path("cut.ncv").write_bytes(stream[: len(stream) // 2])
    result = call("decode", "cut.ncv", "-o", "cut.mkv")
    assert result.exit_code == 1
    assert "the file is truncated; what stands before that was decoded" in result.stderr
    with av.open("cut.mkv") as container:
        assert 1 <= sum(1 for _ in container.decode(video=0)) < 6
    fails(call("info", "cut.ncv"), "truncated")


def test_damage_fails_or_is_passed_over(folder: Path, stream: bytes) -> None:
    damaged = bytearray(stream)
    damaged[stream.index(b"\x9dNCK") + 60] ^= 0xFF
    Path("bad.ncv").write_bytes(damaged)
    fails(call("decode", "bad.ncv", "-o", "bad.mkv"), "the file is damaged")
    assert not Path("bad.mkv").exists()
    result = call("decode", "bad.ncv", "-o", "bad.mkv", "--conceal")
    assert result.exit_code == 0
    assert "bad.ncv: skipped to the next intra frame" in result.stderr
    assert "6 frames" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["encode", "a.png", "--bitrate", "1M"], "--bitrate is for clips"),
        (["encode", "a.png", "--gop", "3"], "--gop is for clips"),
        (["encode", "a.png", "--intra-only"], "--intra-only is for clips"),
        (["encode", "a.mp4", "--bpp", "1"], "--bpp is for pictures"),
        (["encode", "a.mp4", "--tune", "ssim"], "--tune is for pictures"),
        (
            ["encode", "a.mp4", "-q", "5", "--bitrate", "1M"],
            "-q, --bitrate and --size exclude each other",
        ),
        (
            ["encode", "a.mp4", "--gop", "3", "--intra-only"],
            "--intra-only and --gop exclude each other",
        ),
        (["encode", "a.mp4", "--bitrate", "fast"], "expected a number such as 800k"),
        (["encode", "a.mp4", "--bitrate", "-3"], "expected a number such as"),
        (["encode", "a.mp4", "--bitrate", "800kM"], "expected a number such as"),
        (["encode", "a.mp4", "-q", "nan"], "expected a number for -q"),
        (["decode", "a.nci", "--at", "3"], "--at is for clips"),
        (["decode", "clip.ncv", "-o", "x.jpg"], "--at or a numbered name"),
        (["decode", "clip.ncv", "--to", "wmv"], "expected an output suffix among .mp4"),
        (["decode", "clip.ncv", "--at", "noon"], "expected a time such as 12.5s"),
        (["decode", "clip.ncv", "--at", "1:-1"], "expected a time such as 12.5s"),
        (["decode", "clip.ncv", "-o", "x-%0999999999d.png"], "--at or a numbered name"),
        (
            ["decode", "clip.ncv", "--at", "0", "--lossless", "-o", "x.png"],
            "--lossless is for clips",
        ),
        (["decode", "clip.ncv", "--lossless", "-o", "x.y4m"], "y4m, which cannot hold RGB"),
        (
            ["decode", "clip.ncv", "-o", "-", "--to", "mp4"],
            "expected y4m or mkv for standard output",
        ),
        (["encode", "a.mp4", "-o", "a.nci"], "clips become .ncv files"),
        (["encode", "a.mp4", "--fps", "3"], "--fps is for numbered pictures"),
    ],
)
def test_wrong_command_lines_exit_2(
    folder: Path, stream: bytes, arguments: list[str], sentence: str
) -> None:
    Path("clip.ncv").write_bytes(stream)
    fails(call(*arguments), sentence, code=2)


def test_a_clip_is_never_written_over_itself(clip: Path, stream: bytes) -> None:
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="is the input itself"):
        ncodec.encode_video(clip, clip, overwrite=True)
    assert clip.read_bytes() == before
    Path("coded.mkv").write_bytes(stream)
    with pytest.raises(OutputError, match="is the input itself"):
        ncodec.decode_video("coded.mkv", "coded.mkv", overwrite=True)
    assert Path("coded.mkv").read_bytes() == stream


def test_a_bit_rate_that_no_quality_has_is_said(folder: Path, frames: list[Photo]) -> None:
    write(folder / "long.mp4", frames * 10)
    result = call("encode", "long.mp4", "--bitrate", "30M")
    assert result.exit_code == 0
    assert "kbit/s instead of 30000.0: no quality suits that rate" in result.stderr
    facts = ncodec.encode_video("long.mp4", "again.ncv", bitrate=50_000)
    assert facts.notices == ()


def test_options_that_are_none_are_refused(folder: Path, stream: bytes) -> None:
    Path("clip.ncv").write_bytes(stream)
    with pytest.raises(TypeError, match="unexpected keyword argument 'concealed'"):
        ncodec.decode_video("clip.ncv", "x.mkv", concealed=True)  # type: ignore[call-arg]


def test_a_machine_without_threads_left_is_a_sentence(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", start)
    fails(call("encode", clip.name, "-f"), "not enough memory")


def test_what_is_no_clip_is_a_sentence(folder: Path, stream: bytes) -> None:
    Path("text.mp4").write_text("no clip")
    fails(call("encode", "text.mp4"), "text.mp4: cannot be read: Invalid data")
    fails(call("encode", "missing.mp4"), "missing.mp4: no such file")
    with av.open("empty.mp4", "w") as container:
        video = container.add_stream("libx264", rate=Fraction(25))
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    fails(call("encode", "empty.mp4"), "empty.mp4: ")
    assert not Path("empty.ncv").exists()
    huge = bytearray(stream)
    Path("other.ncv").write_bytes(huge[:5] + b"\x01\x02\x03\x04" + huge[9:])
    fails(call("decode", "other.ncv", "-o", "x.mkv"), "the file is damaged")


def test_what_is_named_like_a_stream_is_refused_as_one(folder: Path, coded: bytes) -> None:
    Path("noise.ncv").write_bytes(bytes(range(100)))
    for arguments in (["decode", "noise.ncv", "-o", "a.mp4"], ["info", "noise.ncv"]):
        fails(
            call(*arguments), "expected an ncodec video starting with 9d 4e 43 56, got 00 01 02 03"
        )
    Path("picture.ncv").write_bytes(coded)
    assert call("decode", "picture.ncv", "-o", "a.png").exit_code == 0, (
        "but what it starts with counts more"
    )


def test_options_of_pictures_are_refused_for_clips_and_defaults_are_not(clip: Path) -> None:
    fails_as_usage = call("encode", "clip.mp4", "--effort", "0")
    assert fails_as_usage.exit_code == 2
    assert "--effort is for pictures" in fails_as_usage.stderr
    assert call("encode", "clip.mp4", "--tune", "psnr").exit_code == 0
