"""`ncodec stream`: options, exit codes, the folder that it writes into, standard input."""

import json
from pathlib import Path

import pytest
from stream_clips import plain, shots, sounding
from stream_reading import frames_of, media_folders, tree
from test_cli import call, fails, ncodec_command

import ncodec

pytest.importorskip("imageio_ffmpeg", reason="clips are made by FFmpeg's command")

FAST = ["--ladder", "fixed", "--rungs", "1", "--speed", "fast", "--segment", "2",
        "--codecs", "h264", "--jobs", "1"]  # fmt: skip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounding(tmp_path_factory.mktemp("cli") / "clip.mp4", 1)


@pytest.fixture
def silent(folder: Path, clip: Path) -> Path:
    """The clip in an empty current folder."""
    (folder / "clip.mp4").write_bytes(clip.read_bytes())
    return folder


def test_a_line_says_what_was_made(silent: Path) -> None:
    result = call("stream", "clip.mp4", "-o", "out", *FAST)
    assert result.exit_code == 0
    assert result.stdout.startswith("clip.mp4 → out  25 frames  1.0")
    assert "1 segment  h264 180 at " in result.stdout
    assert result.stderr == ""
    assert len(frames_of(silent / "out" / "video" / "h264-1-180p")) == 25


def test_a_cut_clip_is_streamed_and_fails(silent: Path) -> None:
    """As `ncodec encode` does: scripts that delete originals can rely on it."""
    data = shots(silent / "whole.mkv", [2, 2], sound=False).read_bytes()
    Path("clip.mkv").write_bytes(data[: len(data) * 2 // 3])
    result = call("stream", "clip.mkv", "-o", "out", *FAST)
    assert result.exit_code == 1
    assert result.stdout.startswith("clip.mkv → out")
    assert "may be cut" in result.stderr
    assert "what could be read was coded" in result.stderr
    assert "may be cut" in json.loads(Path("out/stream.json").read_text("utf-8"))["damage"]


def test_json_is_one_object(silent: Path) -> None:
    result = call("stream", "clip.mp4", "-o", "out", *FAST, "--json")
    fields = json.loads(result.stdout)
    assert (fields["input"], fields["output"], fields["frames"]) == ("clip.mp4", "out", 25)
    assert fields["size"] == sum(path.stat().st_size for path in Path("out").rglob("*.m4s"))
    assert [one["name"] for one in fields["renditions"]] == ["h264-1-180p"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--codecs", "vp9"], "expected codecs among h264, hevc, av1"),
        (["--codecs", ","], "expected at least one codec"),
        (["--audio", "mp3"], "expected sound in aac or opus"),
        (["--rungs", "0"], "'--rungs'"),
        (["--rungs", "13"], "'--rungs'"),
        (["--segment", "0.1"], "'--segment'"),
        (["--segment", "nan"], "segment"),
        (["--speed", "slowest"], "'--speed'"),
        (["--target-vmaf", "5"], "'--target-vmaf'"),
        (["--max-height", "1"], "'--max-height'"),
        (["--grain", "51"], "'--grain'"),
        (["--jobs", "0"], "'--jobs'"),
        (["--what"], "No such option"),
    ],
)
def test_wrong_options_are_usage_errors(options: list[str], sentence: str, silent: Path) -> None:
    result = call("stream", "clip.mp4", "-o", "out", *options)
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("Usage: ")
    assert not Path("out").exists()


def test_a_folder_is_asked_for(silent: Path) -> None:
    assert call("stream", "clip.mp4").exit_code == 2
    assert call("stream", "-o", "out").exit_code == 2


def test_bad_inputs_are_failures_of_one_sentence(silent: Path) -> None:
    Path("empty.mp4").touch()
    Path("text.mp4").write_text("text")
    for name, sentence in (
        ("none.mp4", "none.mp4: no such file"),
        ("empty.mp4", "empty.mp4: cannot be read"),
        ("text.mp4", "text.mp4: cannot be read"),
        (".", "expected a file"),
    ):
        fails(call("stream", name, "-o", "out", *FAST), sentence)
        assert not Path("out").exists(), "and nothing is left"
    fails(call("stream", "clip.mp4", "-o", "out", "--ladder", "no.yaml"), "ladder in YAML")


def test_an_output_that_is_a_file_is_refused_and_stays(silent: Path) -> None:
    Path("file").write_text("mine")
    for force in ([], ["-f"]):
        fails(call("stream", "clip.mp4", "-o", "file", *force, *FAST), "expected a folder")
        fails(call("stream", "clip.mp4", "-o", "file/in", *force, *FAST), "cannot be written")
        fails(call("stream", "clip.mp4", "-o", "clip.mp4", *force, *FAST), "expected a folder")
    assert Path("file").read_text() == "mine"


def test_a_folder_with_files_needs_force(silent: Path) -> None:
    Path("out").mkdir()
    Path("out/mine.txt").write_text("mine")
    fails(call("stream", "clip.mp4", "-o", "out", *FAST), "out: holds files; -f")
    assert [path.name for path in Path("out").iterdir()] == ["mine.txt"]
    assert call("stream", "clip.mp4", "-o", "out", "-f", *FAST).exit_code == 0
    assert Path("out/mine.txt").read_text() == "mine"
    assert Path("out/master.m3u8").is_file()


def test_an_empty_folder_needs_no_force(silent: Path) -> None:
    Path("out").mkdir()
    assert call("stream", "clip.mp4", "-o", "out", *FAST).exit_code == 0


def test_a_finished_stream_needs_force_and_is_replaced_whole(silent: Path) -> None:
    both = [*FAST[:-4], "--codecs", "h264,hevc", "--jobs", "1"]
    assert call("stream", "clip.mp4", "-o", "out", *both).exit_code == 0
    before = tree(Path("out"))
    fails(call("stream", "clip.mp4", "-o", "out", *both), "out: holds a complete stream; -f")
    assert tree(Path("out")) == before
    assert call("stream", "clip.mp4", "-o", "out", "-f", *FAST).exit_code == 0
    assert [one.name for one in media_folders(Path("out"))] == ["h264-1-180p"]
    assert not Path("out/hevc.m3u8").exists()
    assert call("stream", "clip.mp4", "-o", "new", *FAST).exit_code == 0
    assert tree(Path("out")) == tree(Path("new"))


def test_force_removes_files_of_streams_and_no_others(silent: Path) -> None:
    """In folders of the same names too: somebody's films may lie in "video"."""
    mine = ["video/mine.txt", "video/film.mp4", "audio/song.mp3", "text/notes/a.txt",
            "thumbnails/mine.jpg", "mine.m3u8", "poster.png", "poster.psd"]  # fmt: skip
    assert call("stream", "clip.mp4", "-o", "out", *FAST).exit_code == 0
    for name in mine:
        path = Path("out") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert call("stream", "clip.mp4", "-o", "out", "-f", *FAST).exit_code == 0
    left = [name for name in mine if (Path("out") / name).is_file()]
    assert left == mine


def test_force_does_not_remove_the_input(silent: Path) -> None:
    Path("video").mkdir()
    Path("clip.mp4").rename("video/clip.mp4")
    before = Path("video/clip.mp4").read_bytes()
    call("stream", "video/clip.mp4", "-o", ".", "-f", *FAST)
    assert Path("video/clip.mp4").read_bytes() == before


def test_standard_input_is_a_clip(silent: Path) -> None:
    assert call("stream", "clip.mp4", "-o", "out", *FAST).exit_code == 0
    done = ncodec_command("stream", "-", "-o", "piped", *FAST, stdin=Path("clip.mp4").read_bytes())
    assert done.returncode == 0, done.stderr
    expected, found = tree(Path("out")), tree(Path("piped"))
    assert json.loads(found["stream.json"])["source"] == "standard input"
    for name in ("stream.json", "report.html", "index.html"):  # which name the clip
        del expected[name], found[name]
    assert [name for name in {*found, *expected} if found.get(name) != expected.get(name)] == []


@pytest.mark.parametrize("data", [b"", b"no clip at all" * 100])
def test_standard_input_that_is_no_clip_leaves_nothing(silent: Path, data: bytes) -> None:
    done = ncodec_command("stream", "-", "-o", "out", *FAST, stdin=data)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert ".source" not in done.stderr.decode()
    assert not tree(silent / "out")


def test_notices_are_failures_if_strict(silent: Path) -> None:
    from stream_clips import ffmpeg, picture

    ffmpeg(*picture(0.4), "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "ten.mp4")
    fails(call("stream", "ten.mp4", "-o", "strict", "--strict", *FAST), "reduced to 8 in H.264")
    assert not list(Path("strict").rglob("*.m4s")), "before anything is coded"
    result = call("stream", "ten.mp4", "-o", "out", *FAST)
    assert result.exit_code == 0
    notice = "samples of more than 8 bits were reduced to 8 in H.264"
    assert result.stderr == f"ncodec: ten.mp4: {notice}\n"


def test_names_of_languages_and_titles_cannot_break_a_playlist(folder: Path) -> None:
    from stream_clips import ffmpeg, picture, tone

    title = 'a "quoted",NAME=b\nline <b>&'
    ffmpeg(*picture(0.4), *tone(1), "-metadata:s:a:0", f"title={title}", "clip.mkv")
    assert call("stream", "clip.mkv", "-o", "out", *FAST).exit_code == 0
    text = Path("out/master.m3u8").read_text("utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("#EXT-X-MEDIA"))
    assert "NAME=\"a 'quoted',NAME=b line <b>&\"" in line
    from xml.etree.ElementTree import fromstring

    assert 'a "quoted"' in "".join(fromstring(Path("out/manifest.mpd").read_text()).itertext())


def test_progress_is_told_of_every_stage(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    made = ncodec.stream(
        plain(tmp_path / "clip.mp4", 1), tmp_path / "out", ladder="fixed", rungs=2, speed="fast",
        codecs=["h264"], progress=lambda *step: told.append(step),
    )  # fmt: skip
    assert {stage for stage, _, _ in told} == {"survey", "encode"}
    for stage in ("survey", "encode"):
        done = [step[1] for step in told if step[0] == stage]
        assert done == sorted(done)
        last = next(step for step in reversed(told) if step[0] == stage)
        assert last[1] == last[2]
    assert made.frames == 25
