"""Lines that commands print: failures of printing, and characters that names may hold."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, PngImagePlugin
from test_cli import call, fails

from ncodec.cli.console import printable

Photo = npt.NDArray[np.uint8]


@pytest.fixture
def files(folder: Path, photo: Photo) -> list[str]:
    names = [f"{letter}.png" for letter in "abcd"]
    for name in names:
        Image.fromarray(photo[:32, :32]).save(name)
    return names


def start(*arguments: str, stdout: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ncodec", *arguments], stdout=stdout, stderr=subprocess.PIPE
    )


def test_a_reader_that_leaves_is_no_failure(files: list[str]) -> None:
    command = start("encode", *files, "--effort", "0", stdout=subprocess.PIPE)
    assert command.stdout is not None
    command.stdout.close()
    _, said = command.communicate(timeout=120)
    assert (command.returncode, said) == (0, b"")
    assert all(Path(name).with_suffix(".nci").stat().st_size > 0 for name in files)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_report_that_cannot_be_printed_is_said_once(files: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        command = start("encode", *files, "--effort", "0", stdout=full.fileno())
        _, said = command.communicate(timeout=120)
    assert command.returncode == 1
    assert said.decode() == "ncodec: the report cannot be printed: No space left on device\n"
    assert all(Path(name).with_suffix(".nci").stat().st_size > 0 for name in files)


def with_author(photo: Photo, author: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt(author, "x")
    Image.fromarray(photo[:96, :96]).save("named.png", pnginfo=text)


def test_notices_are_printed_listed_and_strict(folder: Path, photo: Photo) -> None:
    with_author(photo, "Author")
    notice = "texts were left out: Author"
    result = call("encode", "named.png", "--json")
    assert result.stderr == f"ncodec: named.png: {notice}\n"
    assert json.loads(result.stdout)["notices"] == [notice]
    fails(
        call("encode", "named.png", "-o", "strict.nci", "--strict"), "expected nothing to be lost"
    )
    assert not Path("strict.nci").exists()
    result = call("decode", "named.nci", "-o", "out.gif", "--json")
    (changed,) = json.loads(result.stdout)["notices"]
    assert changed.startswith("GIF changed the decoded picture")
    fails(call("decode", "named.nci", "-o", "strict.gif", "--strict"), changed)
    assert not Path("strict.gif").exists()


def test_names_out_of_files_steer_no_terminal(folder: Path, photo: Photo) -> None:
    with_author(photo, "\x1b[31mred\x07")
    said = call("encode", "named.png").stderr
    assert said == "ncodec: named.png: texts were left out: \\x1b[31mred\\x07\n"
    with_author(photo, "Aut\x85hor")
    fields = json.loads(call("encode", "named.png", "-f", "--json").stdout)
    assert fields["notices"] == ["texts were left out: Aut\x85hor"]
    assert printable("a\u202eb\x9b") == "a\\u202eb\\x9b"
    assert printable("Übung → 😀 x") == "Übung → 😀 x"


def test_a_bomb_is_told_what_would_be_taken(folder: Path) -> None:
    image = bytearray()
    Image.new("P", (8, 8)).save("bomb.gif")
    image += Path("bomb.gif").read_bytes()
    image[6:10] = b"\xff\xff\xff\xff"
    Path("bomb.gif").write_bytes(image)
    fails(call("encode", "bomb.gif"), "takes it if no side is beyond 16384 pixels")
    large = call("encode", "bomb.gif", "--allow-large")
    fails(large, "expected sides of 1 to 16384 pixels, got 65535×65535")
    assert "--allow-large" not in large.stderr


def test_a_run_is_not_overwritten_by_another(folder: Path) -> None:
    out = Path("out")
    out.mkdir()
    (out / "last.ckpt").write_bytes(b"trained")
    sentence = "exists; --resume it, choose another --out, or -f overwrites it"
    intra = ["--intra", str(out / "last.ckpt")]
    Path("other.ckpt").write_bytes(b"other")
    for kind, more in (
        ("image", []),
        ("image", ["--cuda-graph"]),
        ("image", ["--resume", "other.ckpt"]),
        ("video", intra),
    ):
        result = call("train", kind, "--data", ".", "--out", "out", *more)
        assert result.exit_code == 1
        assert sentence in str(result.exception)
    assert (out / "last.ckpt").read_bytes() == b"trained"
    resumed = call("train", "image", "--data", ".", "--out", "out", "--resume", "out/last.ckpt")
    assert sentence not in str(resumed.exception), "the run itself may go on"
