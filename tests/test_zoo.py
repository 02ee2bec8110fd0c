import shutil
from pathlib import Path

import pytest

from ncodec.errors import ModelError
from ncodec.inference import zoo
from ncodec.inference.model import FRAME
from ncodec.inference.zoo import list_models, load_model, load_model_folder, weights_folder


def test_the_default_model_is_the_first_that_is_listed() -> None:
    assert load_model().name == list_models()[0]["name"]


def test_a_model_is_found_by_name_and_by_id() -> None:
    first = list_models()[0]
    assert load_model(first["name"]).id == load_model(int(first["id"], 16)).id


def test_an_unknown_model_is_named_beside_those_installed() -> None:
    with pytest.raises(
        ModelError,
        match=f"this needs model deadbeef, which is not installed; installed: {load_model().name}",
    ) as of_file:
        load_model(0xDEADBEEF)
    assert "`ncodec models add FILE|FOLDER|URL` adds one" in str(of_file.value)
    with pytest.raises(ModelError, match="this needs model nonesuch"):
        load_model("nonesuch")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(weights_folder() / "base", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    "file", ["decoder.onnx", "encoder.onnx", "image.safetensors", "slopes.onnx", "tables.npz"]
)
def test_a_changed_file_is_refused(copy: Path, file: str) -> None:
    data = bytearray((copy / file).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / file).write_bytes(data)
    with pytest.raises(ModelError, match=f"expected SHA-256 .* of {file}"):
        load_model_folder(copy, packaged=True)


def test_a_missing_file_is_said(copy: Path) -> None:
    (copy / "decoder.onnx").unlink()
    with pytest.raises(ModelError, match=r"is incomplete.*reinstall ncodec"):
        load_model_folder(copy, packaged=True)


def test_weights_stay_small_and_carry_their_facts() -> None:
    for entry in list_models():
        assert sum(entry["bytes"].values()) < 40e6
        facts = entry["facts"]
        assert facts["encode_kmac_per_pixel"] <= 25
        assert facts["decode_kmac_per_pixel"] <= (25 if entry["kind"] == FRAME else 6)
        assert entry["kind"] == FRAME or facts["rate_distortion"], (
            "measured points belong to a shipped model"
        )


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{" * 9999, '{"format": 1}', '{"format": true}', "9" * 9999]
)
def test_a_damaged_entry_is_a_sentence(
    text: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "model.json").write_text(text)
    monkeypatch.setattr(zoo, "weights_folder", lambda: copy.parent)
    zoo._packaged.cache_clear()
    try:
        with pytest.raises(ModelError, match=r"model.json: cannot be used: .*; reinstall ncodec"):
            zoo.list_models()
    finally:
        zoo._packaged.cache_clear()
