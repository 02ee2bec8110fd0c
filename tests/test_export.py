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

import onnx

import ncodec
from ncodec.errors import ModelError, NcodecError, OutputError
from ncodec.inference.entry import read_entry, write_entry
from ncodec.inference.zoo import load_model, load_model_folder, weights_folder
from ncodec.networks.config import ImageConfig
from ncodec.networks.image import ImageModel
from ncodec.training.cli import export
from ncodec.training.data import patch_statistics
from ncodec.training.export.folder import export_folder
from ncodec.training.export.shapes import axes_of, shapes_at


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
    assert "`ncodec models add runs/tiny/export` lets this machine decode" in result.stdout
    modes = {path.stat().st_mode for path in Path("runs/tiny/export").iterdir()}
    assert len(modes) == 1, "files of one model are readable alike"
    data = ncodec.encode(photo, quality=10, model="runs/tiny/export")
    assert ncodec.info(data).model == "tiny"
    assert np.asarray(ncodec.decode(data)).shape == photo.shape
    assert content(weights_folder()) == before
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["export", "last.ckpt"]


def test_a_model_gets_graphs_of_this_release_and_stays_itself(checkpoint: Path) -> None:
    assert call(checkpoint, "-o", "mine").exit_code == 0
    before, entry = content(Path("mine")), read_entry(Path("mine"))
    old = {field: value for field, value in entry.items() if field != "decode_halo"}
    write_entry({**old, "floors": [[0, 20.5]]}, Path("mine"))
    refuses(call("mine"), OutputError, "mine: exists; -f")
    assert call("mine", "-f", "--name", "other").exit_code == 2
    assert call("mine", "-o", "new").exit_code == 0
    assert read_entry(Path("new")) == {**entry, "floors": [[0, 20.5]]}
    for path, data in before.items():
        assert path.endswith("model.json") or Path("new", Path(path).name).read_bytes() == data
    assert call("mine", "-f").exit_code == 0
    assert content(Path("mine")).keys() == before.keys()


def test_models_of_any_width_are_loaded_again(folder: Path) -> None:
    network = ImageModel(ImageConfig(96, 8, 16, 1, 16, 16, 16, 1, render_width=72, render_depth=1))
    export_folder(network.eval(), Path("wide"), name="wide", facts={})
    assert load_model_folder(Path("wide")).architecture["render_width"] == 72


@pytest.mark.parametrize("kind", ["picture", "frame"])
def test_graphs_state_the_shapes_that_arrays_have(kind: str) -> None:
    model = load_model(kind=kind)
    size = axes_of(6, 11)
    for path in sorted(model.folder.glob("*.onnx")):
        proto = onnx.load(path)
        shapes = shapes_at(proto, size)
        stated = [value for value in proto.graph.value_info if value.name in shapes]
        assert len(stated) > 100
        for value in stated:
            dims = value.type.tensor_type.shape.dim
            kind_, shape = shapes[value.name]
            assert value.type.tensor_type.elem_type == kind_
            for dim, length in zip(dims, shape, strict=True):
                assert size.get(dim.dim_param, dim.dim_value or length) == length, value.name


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
