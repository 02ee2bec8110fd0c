"""Models are found where they lie, and come and go by one command."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from other_model import ENCODER, field, make_model, rewrite
from PIL import Image
from test_cli import call, fails

import ncodec
import ncodec.pillow_plugin
from ncodec.errors import ModelError, NcodecError
from ncodec.inference import places, store, zoo
from ncodec.inference.zoo import find_model, load_model, weights_folder

Photo = npt.NDArray[np.uint8]
FILES = ["decoder.onnx", "encoder.onnx", "image.safetensors", "model.json", "tables.npz"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that no test changes."""
    return make_model(tmp_path_factory.mktemp("mine") / "export")


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, empty, and nothing named beside it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("NCODEC_MODELS", raising=False)
    monkeypatch.setattr(zoo, "_by_place", {})
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data" / "ncodec" / "models"


def id_of(folder: Path) -> str:
    return str(json.loads((folder / "model.json").read_text("utf-8"))["id"])


def refuses(arguments: list[str], sentence: str) -> None:
    """The command ends with an error of one sentence, as which `main` prints it."""
    result = call(*arguments)
    assert isinstance(result.exception, NcodecError), result.output
    assert sentence in str(result.exception)
    assert len(str(result.exception).splitlines()) == 1


def in_another_process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ncodec", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_model_is_found_in_the_variable_and_in_the_users_folder(
    mine: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match="this needs model mine"):
        load_model("mine")
    shutil.copytree(mine, own / "anything")
    assert load_model("mine").folder == own / "anything"
    shutil.copytree(mine, tmp_path / "named" / "other")
    for named in (tmp_path / "named", tmp_path / "named" / "other"):
        monkeypatch.setenv("NCODEC_MODELS", os.pathsep.join(["", "missing", str(named)]))
        monkeypatch.setattr(zoo, "_by_place", {})
        assert load_model("mine").folder == tmp_path / "named" / "other", "the variable is first"
        assert load_model(int(id_of(mine), 16)).name == "mine"


def test_a_default_model_is_always_the_packages(own: Path, tmp_path: Path) -> None:
    shipped = load_model().id
    make_model(own / "other", name="base")
    assert load_model().id == load_model("base").id == shipped
    assert load_model(id_of(own / "other")).name == "base"


def test_a_name_never_is_a_folder_here(mine: Path, tmp_path: Path) -> None:
    shutil.copytree(mine, tmp_path / "base")
    assert load_model("base").id == load_model().id
    assert load_model("./base").name == "mine"
    shutil.copytree(mine, tmp_path / "export")
    with pytest.raises(ModelError, match=r"the folder here is called \./export"):
        load_model("export")


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_model_by_its_path_codes_and_decodes(
    mine: Path, photo: Photo, tmp_path: Path, is_packed: bool
) -> None:
    place = mine
    if is_packed:
        place = tmp_path / "it.ncmodel"
        assert call("models", "pack", str(mine), "-o", str(place)).exit_code == 0
    data = ncodec.encode(photo, quality=30, model=place)
    assert ncodec.info(data).model_id == id_of(mine)
    assert ncodec.info(data).model == "mine"
    assert np.asarray(ncodec.decode(data)).shape == photo.shape
    Image.fromarray(photo).save("a.png")
    result = call("encode", "a.png", "-q", "30", "--model", str(place), "--measure")
    assert " dB " in result.stdout
    assert Path("a.nci").read_bytes() == data
    Image.fromarray(photo).save("b.nci", quality=30, model=place)
    assert Path("b.nci").read_bytes() == data


def test_pack_and_add_elsewhere(mine: Path, photo: Photo, tmp_path: Path) -> None:
    ncodec.encode(photo, "a.nci", quality=30, model=mine)
    elsewhere = {"XDG_DATA_HOME": str(tmp_path / "elsewhere")}
    refused = in_another_process("decode", "a.nci", **elsewhere)
    assert refused.returncode == 1
    assert f"this needs model {id_of(mine)}, which is not installed" in refused.stderr
    assert "`ncodec models add FILE|FOLDER|URL`" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    said = call("models", "pack", str(mine), "-o", "it.ncmodel").stdout
    digest = hashlib.sha256(Path("it.ncmodel").read_bytes()).hexdigest()
    assert digest in said
    added = in_another_process("models", "add", "it.ncmodel", "--sha256", digest, **elsewhere)
    assert added.returncode == 0, added.stderr
    assert in_another_process("decode", "a.nci", **elsewhere).returncode == 0
    np.testing.assert_array_equal(
        np.asarray(Image.open("a.png")), np.asarray(ncodec.decode("a.nci"))
    )
    folder = tmp_path / "elsewhere" / "ncodec" / "models" / id_of(mine)
    assert f"mine ({id_of(mine)})" in added.stdout
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "nothing is left over"


def test_packing_gives_equal_bytes_and_overwrites_nothing(mine: Path, tmp_path: Path) -> None:
    again = shutil.copytree(mine, tmp_path / "again", copy_function=shutil.copyfile)
    (again / "image.safetensors").chmod(0o600)
    for source, name in ((mine, "a.ncmodel"), (again, "b.ncmodel")):
        assert call("models", "pack", str(source), "-o", name).exit_code == 0
    assert Path("a.ncmodel").read_bytes() == Path("b.ncmodel").read_bytes()
    refuses(["models", "pack", "base", "-o", "a.ncmodel"], "a.ncmodel: exists; -f")
    assert Path("a.ncmodel").read_bytes() == Path("b.ncmodel").read_bytes()
    assert call("models", "pack", "base", "-f", "-o", "a.ncmodel").exit_code == 0
    assert find_model("./a.ncmodel").entry["name"] == "base"
    refuses(["models", "pack", "base", "-o", "a.zip"], "expected a file of the suffix .ncmodel")


def test_add_list_and_remove(mine: Path, own: Path) -> None:
    for _ in range(2):  # the second time nothing is to do
        assert call("models", "add", str(mine)).exit_code == 0
    place = own / id_of(mine)
    assert last_words(call("models").stdout, id_of(mine)) == [str(place)]
    entries = json.loads(call("models", "--json").stdout)
    assert [entry["place"] for entry in entries] == ["package"] * 3 + [str(place)]
    assert call("models", "remove", "mine").exit_code == 0
    assert not list(own.iterdir())
    refuses(["models", "remove", "mine"], "this needs model mine, which is not installed")
    assert mine.is_dir()


def last_words(table: str, start: str) -> list[str]:
    """Last words of a table's lines that start so."""
    return [line.split()[-1] for line in table.splitlines() if line.startswith(start)]


def test_only_the_users_models_are_removed(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses(["models", "remove", "ssim"], "model ssim is part of the package")
    monkeypatch.setenv("NCODEC_MODELS", str(mine))
    refuses(["models", "remove", "mine"], f"model mine lies in {mine}: remove that folder")
    assert (weights_folder() / "ssim" / "tables.npz").exists()


def test_verify_names_what_is_damaged(mine: Path, own: Path) -> None:
    assert call("models", "add", str(mine)).exit_code == 0
    result = call("models", "verify")
    assert result.exit_code == 0
    assert result.stdout.count("  whole  ") == 4
    path = own / id_of(mine) / "decoder.onnx"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    result = call("models", "verify")
    fails(result, "expected SHA-256")
    assert result.stdout.count("  whole  ") == 3
    refuses(["models", "add", str(mine)], "is there with other files; -f replaces it")
    assert call("models", "add", "-f", str(mine)).exit_code == 0
    assert call("models", "verify").exit_code == 0


def test_two_models_of_one_id_with_other_files(mine: Path, own: Path, tmp_path: Path) -> None:
    # The encoder's file of the second is another, its decoder is the same.
    shutil.copytree(mine, own / "a")
    other = shutil.copytree(mine, tmp_path / "other")
    path = other / "encoder.onnx"
    path.write_bytes(path.read_bytes() + field(3, b"another producer"))
    assert rewrite(other)["id"] == id_of(mine)
    shutil.copytree(other, own / "b")
    fails(call("models", "verify"), f"its id {id_of(mine)} is that of other files in {own / 'a'}")
    with pytest.raises(ModelError, match=r"expected one model mine.*: name a folder, or remove"):
        load_model("mine")
    assert load_model(int(id_of(mine), 16)).name == "mine", "either decodes"
    made = make_model(tmp_path / "made", part=ENCODER)
    assert id_of(made) == id_of(weights_folder() / "ssim"), "an encoder has no part in the id"
    refuses(["models", "add", str(made)], "is the package's already")


def test_two_models_of_one_name(mine: Path, own: Path) -> None:
    make_model(own / "x", by=0.5)
    shutil.copytree(mine, own / "y")
    with pytest.raises(ModelError, match=f"expected one model mine, got .* and {id_of(mine)}"):
        load_model("mine")
    refuses(["models", "remove", "mine"], "name the id of one")
    assert call("models", "remove", id_of(mine)).exit_code == 0
    assert load_model("mine").folder == own / "x"


@pytest.fixture
def broken(mine: Path, own: Path) -> Path:
    return shutil.copytree(mine, own / id_of(mine))


def test_a_model_of_a_newer_format_is_said_where_it_lies(broken: Path, photo: Photo) -> None:
    data = ncodec.encode(photo, quality=10, model=broken)
    rewrite(broken, format=3)
    zoo._by_place.clear()
    with pytest.raises(ModelError, match="format 3, this release reads 2: update ncodec"):
        ncodec.decode(data)
    result = call("models")
    assert result.exit_code == 0
    assert result.stderr.count("format 3") == 1
    fails(call("models", "verify"), "format 3")
    assert call("models", "remove", id_of(broken)).exit_code == 0


@pytest.mark.parametrize(
    ("file", "sentence"),
    [("tables.npz", "is incomplete"), ("model.json", "without model.json")],
)
def test_a_missing_file_is_a_sentence(broken: Path, file: str, sentence: str) -> None:
    (broken / file).unlink()
    for key in (str(broken), *(["mine"] * (file != "model.json"))):
        with pytest.raises(ModelError, match=sentence):
            load_model(key)


def test_a_claimed_id_is_compared(broken: Path) -> None:
    rewrite(broken, id="01020304")
    with pytest.raises(ModelError, match=r"decoder weights have the id .*, not 01020304"):
        load_model("mine")


def test_links_are_no_files_of_a_model(broken: Path, tmp_path: Path) -> None:
    entry = rewrite(broken)
    (broken / "tables.npz").rename(tmp_path / "tables.npz")
    (broken / "tables.npz").symlink_to(tmp_path / "tables.npz")
    sizes = {**entry["bytes"], "tables.npz": len(str(tmp_path / "tables.npz"))}
    (broken / "model.json").write_text(json.dumps({**entry, "bytes": sizes}), "utf-8")
    with pytest.raises(ModelError, match=r"expected tables\.npz of model mine to be a file"):
        load_model("mine")


def test_a_changed_model_is_read_anew(mine: Path, tmp_path: Path) -> None:
    place = shutil.copytree(mine, tmp_path / "place")
    assert load_model(place).name == "mine"
    rewrite(place, name="yours")
    os.utime(place / "model.json", ns=(1, 1))
    assert load_model(place).name == "yours"


def test_a_hash_is_of_a_file(mine: Path) -> None:
    call("models", "pack", str(mine), "-o", "it.ncmodel")
    refuses(["models", "add", "it.ncmodel", "--sha256", "00" * 32], "expected SHA-256 0000")
    refuses(["models", "add", str(mine), "--sha256", "00" * 32], "got a folder")
    refuses(["models", "add", "missing"], "missing: expected a model's folder or a .ncmodel file")
    assert not list(places.other_folders())


def test_a_model_comes_from_a_url(mine: Path, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    call("models", "pack", str(mine), "-o", "it.ncmodel")
    with fsspec.open("memory://it.ncmodel", "wb") as stream:
        stream.write(Path("it.ncmodel").read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(store, "LARGEST_MODEL", 2**20)
        refuses(["models", "add", "memory://it.ncmodel"], "expected a model of at most 1,048,576")
    assert call("models", "add", "memory://it.ncmodel").exit_code == 0
    assert load_model("mine").folder == own / id_of(mine)
    refuses(["models", "add", "memory://other.ncmodel"], "memory://other.ncmodel: cannot be read")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refuses(["models", "add", "memory://it.ncmodel"], "pip install 'ncodec[urls]'")


def test_without_a_place_to_write(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    refuses(["models", "add", str(mine)], "cannot be written")
    assert call("models").exit_code == 0
    with pytest.raises(ModelError, match="not installed"):
        load_model("mine")
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: Path("~/share"))
    refuses(["models", "add", str(mine)], "set HOME, or name folders in NCODEC_MODELS")
    assert call("models").exit_code == 0
    monkeypatch.setenv("NCODEC_MODELS", str(mine))
    assert load_model("mine").folder == mine
    assert not Path("~").exists()


def test_coding_by_the_package_looks_nowhere_else(own: Path) -> None:
    script = (
        "import sys, numpy, ncodec\n"
        "ncodec.decode(ncodec.encode(numpy.eye(64, dtype='uint8') * 99, quality=10))\n"
        "assert not {'platformdirs', 'fsspec', 'ncodec.api.models'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
