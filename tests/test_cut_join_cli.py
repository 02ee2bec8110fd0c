"""`ncodec cut` and `ncodec join`: lines, pipes, and one sentence for what does not fit together."""

import io
import json
import os
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from made_streams import (
    GOLDEN,
    HEADER,
    cut,
    intra,
    join,
    made,
    of_kind,
    predicted,
    sound,
)
from test_cli import call, fails, ncodec_command

import ncodec
from ncodec.container.clip_metadata import ClipMetadata
from ncodec.container.records import (
    Colour,
    Tracks,
)
from ncodec.errors import FormatError, InputError, NcodecError, NcodecWarning, OutputError
from ncodec.errors import TruncatedError as Truncated


@pytest.fixture
def clip(folder: Path, sounding: bytes) -> Path:
    Path("clip.ncv").write_bytes(sounding)
    return folder / "clip.ncv"


@pytest.fixture(scope="module")
def tracks(sounding: bytes) -> Tracks:
    return of_kind(Tracks, sounding)[0]


def test_the_command_says_what_it_took(clip: Path) -> None:
    result = call("cut", "clip.ncv", "-o", "part.ncv", "--from", "0.2s", "--to", "0:00.25")
    assert result.exit_code == 0, result.stderr
    size = Path("part.ncv").stat().st_size
    assert result.stdout == (
        f"clip.ncv → part.ncv  frames 3 to 8  0.120 s to 0.360 s  {size:,} bytes\n"
    )
    assert result.stderr.splitlines() == [
        f"ncodec: clip.ncv: the part {moved}"
        for moved in (
            "begins with the intra frame at 0.120 s, 2 frames before 0.200 s",
            "ends before the intra frame at 0.360 s, 2 frames after 0.250 s",
        )
    ]
    exact = call("cut", "clip.ncv", "-o", "b.ncv", "--from", "0.12", "--to", "0.36", "--json")
    fields = json.loads(exact.stdout)
    assert exact.stderr == ""
    assert (fields["first"], fields["frames"], fields["notices"]) == (3, 6, [])
    assert (fields["start"], fields["end"]) == (0.12, 0.36)
    assert fields["duration"] == pytest.approx(0.24)
    assert Path("b.ncv").read_bytes() == Path("part.ncv").read_bytes()


def test_the_command_joins(clip: Path) -> None:
    for i, (start, end) in enumerate([("0", "0.12"), ("0.12", "0.24"), ("0.24", "9")]):
        assert (
            call("cut", "clip.ncv", "-o", f"{i}.ncv", "--from", start, "--to", end).exit_code == 0
        )
    result = call("join", "[0-9].ncv", "-o", "all.ncv")
    assert result.exit_code == 0, result.stderr
    size = Path("all.ncv").stat().st_size
    assert result.stdout == (f"0.ncv, 1.ncv, 2.ncv → all.ncv  10 frames  0.400 s  {size:,} bytes\n")
    fields = json.loads(call("join", "0.ncv", "1.ncv", "-o", "all.ncv", "-f", "--json").stdout)
    assert fields["inputs"] == ["0.ncv", "1.ncv"]
    assert (fields["frames"], fields["starts"]) == (6, [0, 0.12])


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"width": 32}, "expected frames of 64×48, as in stream 1, got 32×48; scale its source"),
        ({"pixel_aspect": Fraction(2)}, "expected pixels of the aspect 1, as in stream 1, got 2"),
        ({"colour": Colour(1, 1, 1, True)}, "got 1/1/1 (ITU-T H.273), full range"),
        ({"picture_model": 7}, "expected the picture model 00000001, as in stream 1, got 00000007"),
        ({"frame_model": 7}, "take the models of one release and encode it again"),
    ],
)
def test_streams_that_differ_are_refused(
    folder: Path, header: dict[str, object], sentence: str
) -> None:
    other = made([intra(0)], replace(HEADER, **header))  # type: ignore[arg-type]
    with pytest.raises(InputError) as raised:
        join(made([intra(0)]), other)
    assert sentence in str(raised.value)
    assert str(raised.value).startswith("stream 2: ")
    assert not Path("joined.ncv").exists()


def test_other_sound_is_refused(folder: Path, tracks: Tracks) -> None:
    silent, sounding = made([intra(0)]), made([tracks, intra(0)])
    with pytest.raises(InputError, match=r"expected sound and subtitles \(none\), as in stream 1"):
        join(silent, sounding)
    film = of_kind(Tracks, (GOLDEN / "film.ncv").read_bytes())[0]
    with pytest.raises(
        InputError, match=r"got \(audio flac of 2 × 8000 Hz in 1/\d+ s, subtitle .*\); give"
    ):
        join(sounding, made([film, intra(0)]))


def test_sound_for_decoders_that_are_set_up_otherwise_is_refused(
    folder: Path, tracks: Tracks
) -> None:
    setup = b"\x11\x90V\xe5\x00"  # of AAC
    assert tracks.template.count(setup) == 1
    other = replace(tracks, template=tracks.template.replace(setup, b"\x11\x90V\xe5\x01"))
    with pytest.raises(
        InputError, match="stream 2: expected decoders of sound and subtitles to be"
    ):
        join(made([tracks, intra(0)]), made([other, intra(0)]))


@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (made([]), InputError, "expected frames, got none"),
        (made([predicted(0)]), FormatError, "expected an intra frame first"),
        (
            made([sound(0), intra(0)]),
            FormatError,
            "expected packets of 0 tracks, got one of track 0",
        ),
        (made([intra(0)])[:-1], Truncated, "the file is truncated"),
        (b"no stream", FormatError, "expected an ncodec video"),
    ],
)
def test_what_is_no_whole_stream_is_refused(
    folder: Path, data: bytes, error: type[NcodecError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        ncodec.cut_video(data, "a.ncv", end=1)
    with pytest.raises(error, match=f"^stream 2: .*{sentence}"):
        ncodec.join_videos([made([intra(0)]), data], "a.ncv")
    assert list(folder.iterdir()) == []


def test_every_flipped_byte_is_refused(folder: Path, tracks: Tracks) -> None:
    small = replace(tracks, template=b"template")
    data = made([small, ClipMetadata(tags=(("a", "b"),)), intra(0), sound(0), predicted(40)])
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        for act in (
            lambda bad: ncodec.cut_video(bad, "a.ncv", end=1),
            lambda bad: ncodec.join_videos([bad], "a.ncv"),
            ncodec.video_index,
        ):
            with pytest.raises(FormatError):
                act(bytes(damaged))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        (0.08, None, "expected a start inside the clip, got 0.080 s: it ends at 0.080 s"),
        (None, 0.03, "expected an end inside the clip, got 0.030 s: it begins at 0.040 s"),
        (0.02, 0.02, "expected an end after 0.02 s, where the part begins, got 0.02 s"),
        (-1, None, "expected a start of 0 to 1000000000 s, got -1"),
        (None, float("nan"), "expected an end of 0 to 1000000000 s, got nan"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    folder: Path, start: float | None, end: float | None, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        ncodec.cut_video(made([intra(40)]), "a.ncv", start=start, end=end)


def test_files_are_never_overwritten_unasked_nor_by_themselves(clip: Path, sounding: bytes) -> None:
    Path("there.ncv").write_bytes(b"there")
    exists = "there.ncv: exists; -f (overwrite=True) overwrites it"
    fails(call("cut", "clip.ncv", "-o", "there.ncv", "--to", "1"), exists)
    fails(call("join", "clip.ncv", "clip.ncv", "-o", "there.ncv"), exists)
    assert Path("there.ncv").read_bytes() == b"there"
    fails(call("cut", "clip.ncv", "-o", "clip.ncv", "-f", "--to", "1"), "is the input itself")
    with pytest.raises(OutputError, match="is the input itself"):
        ncodec.join_videos([sounding, clip], clip, overwrite=True)
    assert clip.read_bytes() == sounding


def test_failures_name_the_file(clip: Path, sounding: bytes) -> None:
    Path("bad.ncv").write_bytes(sounding[:-20])
    fails(call("cut", "bad.ncv", "-o", "a.ncv", "--to", "1"), "ncodec: bad.ncv: expected ")
    for names in (["clip.ncv", "bad.ncv"], ["bad.ncv", "clip.ncv"]):
        result = call("join", *names, "-o", "a.ncv", "--json")
        fails(result, "ncodec: bad.ncv: expected ")
        assert "clip.ncv" not in result.stderr
        assert json.loads(result.stdout)["error"].startswith("bad.ncv: expected ")
    fails(call("join", "clip.ncv", "gone.ncv", "-o", "a.ncv"), "ncodec: gone.ncv: no such file")
    assert not Path("a.ncv").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["cut", "clip.ncv", "-o", "a.ncv"], "expected --from, --to or both"),
        (["cut", "clip.ncv", "--to", "1"], "expected a name for the output"),
        (["cut", "clip.ncv", "--to", "1", "--from", "1", "-o", "a.ncv"], "a --to after 1 s"),
        (["cut", "clip.ncv", "--to", "noon", "-o", "a.ncv"], "expected a time such as 12.5s"),
        (["cut", "clip.ncv", "--to", "1", "-o", "a.mp4"], "streams are .ncv files, got a.mp4"),
        (["join", "clip.ncv"], "expected a name for the output"),
        (["join", "clip.ncv", "-o", "a.mkv"], "streams are .ncv files, got a.mkv"),
        (["join", "-", "-", "-o", "a.ncv"], "- is standard input, which can be joined once"),
        (["join", "x*.ncv", "-o", "a.ncv"], "no file matches x*.ncv"),
        (["info", "clip.ncv", "a.nci", "--index"], "--index is for clips"),
    ],
)
def test_wrong_command_lines_exit_2(clip: Path, arguments: list[str], sentence: str) -> None:
    fails(call(*arguments), sentence, code=2)


def test_sources_that_are_none_are_refused(folder: Path) -> None:
    for sources in ([], "a.ncv", b"a"):
        with pytest.raises(InputError, match="expected a list of streams, got"):
            ncodec.join_videos(sources, "a.ncv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="standard input, -, once"):
        ncodec.join_videos(["-", "-"], "a.ncv")


def test_pipes(clip: Path, sounding: bytes) -> None:
    part = ncodec_command("cut", "-", "--from", "0.12", "--to", "0.24", stdin=sounding)
    assert part.returncode == 0, part.stderr
    assert part.stdout == cut(sounding, 0.12, 0.24)
    assert b"frames 3 to 5" in part.stderr
    Path("last.ncv").write_bytes(cut(sounding, 0.24, None))
    joined = ncodec_command("join", "-", "last.ncv", "-o", "-", stdin=part.stdout)
    assert joined.stdout == join(part.stdout, Path("last.ncv").read_bytes())
    broken = ncodec_command("cut", "-", "--to", "1", stdin=sounding[:-1])
    assert (broken.returncode, broken.stdout) == (1, b"")
    assert b"ncodec: standard input: expected" in broken.stderr
    assert b"frame 9  0.360 s" in ncodec_command("info", "-", "--index", stdin=sounding).stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_can_be_read_once_is_opened_once(clip: Path, sounding: bytes) -> None:
    os.mkfifo("pipe.ncv")
    writer = threading.Thread(target=Path("pipe.ncv").write_bytes, args=(sounding,))
    writer.start()
    with pytest.warns(NcodecWarning, match="2 packets of sound"):
        ncodec.join_videos(["pipe.ncv", clip], "a.ncv")
    writer.join()
    with pytest.warns(NcodecWarning, match="2 packets of sound"):
        assert Path("a.ncv").read_bytes() == join(sounding, sounding)


def test_open_files_are_read_from_where_they_are(clip: Path, sounding: bytes) -> None:
    stream = io.BytesIO(b"before" + sounding)
    stream.seek(6)
    ncodec.cut_video(stream, "a.ncv", end=0.12)
    assert Path("a.ncv").read_bytes() == cut(sounding, None, 0.12)
    assert not stream.closed
