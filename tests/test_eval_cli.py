"""Outputs of `ncodec bench` are checked first; nothing is overwritten without -f."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

from ncodec.eval.commands.bench import bench

Photo = npt.NDArray[np.uint8]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("a.png", "a.png: exists; -f overwrites it"),
        ("beside.xyz", "expected a name that ends in .png, got beside.xyz"),
        ("no/beside.png", "no/beside.png: its folder does not exist"),
    ],
)
def test_what_cannot_be_written_is_said_first(
    folder: Path, photo: Photo, output: str, sentence: str
) -> None:
    Image.fromarray(photo[:64, :64]).save("a.png")
    before = Path("a.png").read_bytes()
    result = CliRunner().invoke(bench, ["compare", "a.png", "-o", output])
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert Path("a.png").read_bytes() == before


def test_files_are_overwritten_if_asked(folder: Path, photo: Photo) -> None:
    Image.fromarray(photo[:64, :64]).save("a.png")
    Path("beside.png").write_bytes(b"")
    result = CliRunner().invoke(bench, ["compare", "a.png", "-o", "beside.png", "-f"])
    assert result.exit_code == 0, result.output
    assert Image.open("beside.png").height >= 64
