"""The command as a user meets it: real processes for streams and exit codes, in-process calls for
the rest."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import ncodec
from ncodec.cli.main import cli
from ncodec.cli.parameters import Bytes
from ncodec.errors import BackendError
from ncodec.image.codec import ImageCodec

Photo = npt.NDArray[np.uint8]


def ncodec_command(
    *arguments: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "ncodec", *arguments], input=stdin, capture_output=True, check=False
    )


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.fixture
def files(folder: Path, photo: Photo) -> Path:
    Image.fromarray(photo).save("a.png")
    Image.fromarray(photo[::-1]).save("b.jpg")
    return folder


def fails(result: Result, sentence: str, *, code: int = 1) -> None:
    """The result is one sentence on stderr, the exit code, and nothing else."""
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output + result.stderr
    if code == 1:
        assert len(result.stderr.strip().splitlines()) == 1


def test_encode_and_decode_name_outputs_after_inputs(files: Path) -> None:
    result = call("encode", "a.png", "b.jpg", "-q", "30")
    assert result.exit_code == 0
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [
        "a.png → a.nci",
        "b.jpg → b.nci",
    ]
    assert call("decode", "a.nci", "--to", "bmp").exit_code == 0
    assert Image.open("a.bmp").size == (200, 152)


def test_one_line_says_what_was_done(files: Path) -> None:
    line = call("encode", "a.png", "--measure").stdout
    size = Path("a.nci").stat().st_size
    assert f"200×152  {size:,} bytes" in line
    assert " bpp  q " in line
    assert " dB  " in line
    assert line.endswith(" s\n")


def test_json_says_the_same(files: Path) -> None:
    fields = json.loads(call("encode", "a.png", "--json", "--measure", "--size", "3k").stdout)
    assert fields["bytes"] == Path("a.nci").stat().st_size <= 3000
    assert fields["bpp"] == pytest.approx(fields["bytes"] * 8 / (200 * 152))
    assert fields["psnr"] > 20
    info = json.loads(call("info", "a.nci", "--json", "--verify").stdout)
    assert (info["width"], info["height"], info["qp"], info["verified"]) == (
        200,
        152,
        fields["qp"],
        True,
    )


def test_lossless_says_so(files: Path) -> None:
    assert "  lossless  exact  " in call("encode", "a.png", "--lossless", "--measure").stdout
    said = call("info", "a.nci").stdout
    assert "  lossless" in said
    assert "  no model" in said
    fields = json.loads(
        call("encode", "a.png", "-f", "--lossless", "--strip", "metadata", "--json").stdout
    )
    assert (fields["lossless"], fields["exact"]) == (True, 1.0)
    call("decode", "a.nci", "-o", "again.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open("again.png")), np.asarray(Image.open("a.png"))
    )


def test_streams(files: Path) -> None:
    encoded = ncodec_command("encode", "-", "-o", "-", stdin=Path("a.png").read_bytes())
    assert encoded.returncode == 0
    assert b" bpp " in encoded.stderr
    decoded = ncodec_command("decode", "-", "-o", "-", stdin=encoded.stdout)
    assert Image.open(io.BytesIO(decoded.stdout)).size == (200, 152)
    assert os.listdir() in (["a.png", "b.jpg"], ["b.jpg", "a.png"])


def test_globs_and_folders(files: Path) -> None:
    Path("out").mkdir()
    assert call("encode", "*.png", "b.*", "-o", "out", "-q", "10").exit_code == 0
    assert sorted(os.listdir("out")) == ["a.nci", "b.nci"]
    assert "no file matches" in call("encode", "*.gif").stderr


def test_nothing_is_overwritten_without_force(files: Path) -> None:
    Path("a.nci").write_bytes(b"mine")
    fails(call("encode", "a.png"), "a.nci: exists; -f (overwrite=True) overwrites it")
    assert Path("a.nci").read_bytes() == b"mine"
    assert call("encode", "a.png", "-f").exit_code == 0
    assert ncodec.info("a.nci").width == 200


def test_the_rest_goes_on_after_a_failure(files: Path) -> None:
    Path("c.png").write_bytes(b"broken")
    result = call("encode", "a.png", "c.png", "b.jpg")
    assert result.exit_code == 1
    assert Path("a.nci").exists()
    assert Path("b.nci").exists()
    assert not Path("c.nci").exists()
    assert "1 of 3 files failed" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["encode"], "Missing argument"),
        (["encode", "a.png", "-q", "30", "--bpp", "1"], "exclude each other"),
        (["encode", "a.png", "--psnr", "30", "--size", "9"], "exclude each other"),
        (["encode", "a.png", "--lossless", "--size", "9"], "exclude each other"),
        (["encode", "clip.mkv", "--lossless"], "--lossless"),
        (["encode", "a.png", "--strip", "everything"], "is not one of"),
        (["encode", "a.png", "-q", "101"], "0<=x<=100"),
        (["encode", "a.png", "--size", "0.5"], "expected at least 1 byte"),
        (["encode", "a.png", "--size", "1e999999999M"], "above 0 and below 10¹²"),
        (["encode", "a.png", "--size", "20kB"], "expected a number such as 800k"),
        (["encode", "a.png", "--threads", "0"], "1<=x<=256"),
        (["encode", "a.png", "--backend", "abacus"], "is not one of"),
        (["encode", "a.png", "b.jpg", "-o", "one.nci"], "several inputs need a folder"),
        (["encode", "a.png", "a.jpg"], "both be written to a.nci"),
        (["encode", "a.png", "./a.jpg"], "both be written to ./a.nci"),
        (["encode", "a.png", "-o", "nowhere/"], "there is no folder nowhere/"),
        (["encode", "-", "a.png"], "- beside other inputs"),
        (["encode", "a.png", "--bpp", "inf"], "expected a finite bpp of 0 or more, got inf"),
        (["encode", "a.png", "-q", "nan"], "expected a quality"),
        (["encode", "a.png", "--tune", "vmaf"], "is not one of"),
        (
            ["encode", "a.png", "--tune", "ssim", "--effort", "1"],
            "expected no effort, which is made for PSNR",
        ),
        (["decode", "a.nci", "-o", "x.nothing"], "expected an output suffix"),
        (["decode", "a.nci", "--to", "../x/png"], "expected an output suffix"),
        (["transmogrify"], "No such command"),
    ],
)
def test_wrong_command_lines_exit_2(files: Path, arguments: list[str], sentence: str) -> None:
    fails(call(*arguments), sentence, code=2)
    assert not Path("a.nci").exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.nci", b"", "got no bytes"),
        ("magic.nci", b"\x89PNG\r\n\x1a\n" * 9, "expected an ncodec picture"),
        ("future.nci", b"\x9dNCI\x03" + bytes(30), "this file needs a newer ncodec"),
    ],
)
def test_files_that_cannot_be_decoded(
    files: Path, name: str, content: bytes, sentence: str
) -> None:
    Path(name).write_bytes(content)
    for command in ("decode", "info"):
        fails(
            call(command, name),
            f"{name}: expected" if sentence.startswith("expected") else sentence,
        )
    assert not Path(name).with_suffix(".png").exists()


def test_damage_anywhere_is_detected(files: Path, coded: bytes) -> None:
    for position in range(0, len(coded), 97):
        damaged = bytearray(coded)
        damaged[position] ^= 0x10
        Path("x.nci").write_bytes(damaged)
        assert call("info", "x.nci").exit_code == 1
    Path("x.nci").write_bytes(coded + b"tail")
    fails(call("decode", "x.nci"), "expected the file to end after its picture, got 4 more bytes")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["encode", "missing.png"], "missing.png: no such file"),
        (["encode", "."], "expected a file, got a directory"),
        (["encode", "a.png", "-o", "no/where.nci"], "its folder does not exist"),
        (["encode", "a.png", "--size", "10"], "expected a limit of at least"),
        (
            ["encode", "a.png", "--model", "nonesuch"],
            "this needs model nonesuch, which is not installed; installed: ",
        ),
        (["decode", "a.png"], "expected an ncodec picture"),
        (["encode", "a.png", "-f", "-o", "a.png"], "a.png: is the input itself"),
        (["encode", "z" * 300 + ".png"], "File name too long"),
    ],
)
def test_failures_are_one_sentence(
    files: Path, coded: bytes, arguments: list[str], sentence: str
) -> None:
    Path("good.nci").write_bytes(coded)
    before = set(os.listdir())
    fails(call(*arguments), sentence)
    assert set(os.listdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("target", ["/dev/full", "-"])
def test_a_full_disk_exits_1(files: Path, target: str) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        result = subprocess.run(
            [sys.executable, "-m", "ncodec", "encode", "a.png", "-o", target, "-q", "100"],
            stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert result.returncode == 1
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


def test_failures_are_json_too(files: Path) -> None:
    result = call("encode", "missing.png", "--json")
    assert json.loads(result.stdout) == {
        "input": "missing.png",
        "error": "missing.png: no such file",
    }
    assert result.exit_code == 1


def test_names_and_arrows_survive_a_narrow_terminal(files: Path) -> None:
    Path("b.jpg").rename("ö.jpg")
    result = subprocess.run(
        [sys.executable, "-m", "ncodec", "encode", "a.png", "ö.jpg"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert Path("ö.nci").exists()


def test_only_the_start_of_a_foreign_file_is_read(files: Path) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("needs an endless file")
    fails(call("info", "/dev/zero"), "expected an ncodec picture")


def test_conversions_are_said(files: Path) -> None:
    Image.new("CMYK", (20, 20)).save("c.jpg")
    result = call("encode", "c.jpg")
    assert result.exit_code == 0
    assert "CMYK was converted to RGB" in result.stderr


def test_models_lists_complexity_and_measured_quality() -> None:
    table = call("models").stdout
    assert "kMAC/px" in table
    assert re.search(r"\d\d\.\d dB at 0\.\d\d bpp, kodak", table)
    entries = json.loads(call("models", "--json").stdout)
    assert entries[0]["id"] in table


def test_help_names_every_command_and_the_exit_codes() -> None:
    text = call("--help").stdout
    for name in ("encode", "decode", "info", "models", "train", "export", "bench", "Exit codes"):
        assert name in text


def test_help_loads_neither_numpy_nor_pillow() -> None:
    script = (
        "import sys; sys.argv = ['ncodec', '--help']\n"
        "from ncodec.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'PIL', 'onnxruntime', 'torch', 'rich', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("text", "number"), [("20k", 20_000), ("1.001k", 1001), ("1.5M", 1_500_000), ("2.9", 2), (7, 7)]
)
def test_sizes_have_units(text: object, number: int) -> None:
    assert Bytes().convert(text, None, None) == number


def test_a_backend_that_fails_stops_no_other_file(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        msg = "the graph is damaged"
        raise BackendError(msg)

    monkeypatch.setattr(ImageCodec, "refine", broken)
    result = call("encode", "a.png", "b.jpg", "-o", ".", "--json")
    assert result.exit_code == 1
    said = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["error"] for entry in said] == [
        f"{name}: the graph is damaged" for name in ("a.png", "b.jpg")
    ]


def test_coded_pictures_are_not_named_as_others(folder: Path, photo: Photo) -> None:
    Image.fromarray(photo).save("photo.png")
    result = CliRunner().invoke(cli, ["encode", "photo.png", "-o", "out.jpg"])
    assert result.exit_code == 2
    assert "pictures become .nci files, got out.jpg as -o" in result.output
    assert not Path("out.jpg").exists()
