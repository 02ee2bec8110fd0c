"""`ncodec export` writes a folder that works where it lies, and destroys nothing."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")
pytest.importorskip("onnx")

import ncodec
from ncodec.errors import ModelError, NcodecError, OutputError
from ncodec.inference.entry import write_entry
from ncodec.inference.zoo import weights_folder
from ncodec.networks.config import ImageConfig
from ncodec.networks.image import ImageModel
from ncodec.training.cli import export
from ncodec.training.data import patch_statistics


@pytest.fixture
def checkpoint(folder: Path, photo: npt.NDArray[np.uint8]) -> Path:
    """A checkpoint of a run that has learned no more than the statistics of its pictures."""
    torch.manual_seed(0)
    config = ImageConfig(96, 8, 16, 1, 16, 16, 16, 1, 8, 1)
    network = ImageModel(config)
    network.start_from(patch_statistics([photo.copy()], config, crops=50))
    state = {f"model.{name}": value for name, value in network.state_dict().items()}
    path = folder / "runs" / "tiny" / "last.ckpt"
    path.parent.mkdir(parents=True)
    content = {"config": asdict(config), "state_dict": state, "global_step": 7, "spent_s": 60.0}
    torch.save(content, path)
    return path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def refuses(result: Result, kind: type[NcodecError], sentence: str) -> None:
    assert isinstance(result.exception, kind), result.output
    assert sentence in str(result.exception)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_an_export_codes_and_decodes_where_it_is(
    checkpoint: Path, photo: npt.NDArray[np.uint8]
) -> None:
    before = content(weights_folder())
    result = call(checkpoint.relative_to(Path.cwd()))
    assert result.exit_code == 0, result.output
    assert "`ncodec encode --model runs/tiny/export` takes it" in result.stdout
    data = ncodec.encode(photo, quality=10, model="runs/tiny/export")
    assert ncodec.info(data).model == "tiny"
    assert np.asarray(ncodec.decode(data)).shape == photo.shape
    assert content(weights_folder()) == before
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["export", "last.ckpt"]


def test_an_export_replaces_another_on_demand_and_keeps_its_floors(checkpoint: Path) -> None:
    place = Path("mine")
    assert call(checkpoint, "-o", place, "--name", "first").exit_code == 0
    entry = json.loads((place / "model.json").read_text("utf-8"))
    floors = [[0, 20.5], [63, 45.0]]
    write_entry({**entry, "floors": floors}, place)
    refuses(call(checkpoint, "-o", place), OutputError, "mine: exists; -f")
    assert json.loads((place / "model.json").read_text("utf-8"))["name"] == "first"
    assert call(checkpoint, "-o", place, "-f", "--name", "second").exit_code == 0
    entry = json.loads((place / "model.json").read_text("utf-8"))
    assert (entry["name"], entry["floors"]) == ("second", floors)
    assert entry["facts"]["steps"] == 7
    assert not [path for path in Path.cwd().iterdir() if path.name.startswith(".")]


def test_a_folder_with_other_files_is_left_alone(checkpoint: Path) -> None:
    refuses(call(checkpoint, "-f", "-o", "."), OutputError, "got one with other files")
    refuses(call(checkpoint, "-f", "-o", checkpoint), OutputError, "expected a folder")
    refuses(call(checkpoint, "--name", "a/b"), ModelError, "expected a name of letters")
    assert checkpoint.exists()
    assert not (checkpoint.parent / "export").exists()
