from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from ncodec.api.codecs import open_codec
from ncodec.container.nci import unpack
from ncodec.errors import BackendError
from ncodec.image.file import Encoded, read_symbols
from ncodec.inference.backend import open_backend
from ncodec.inference.zoo import load_model
from ncodec.picture import from_array

Photo = npt.NDArray[np.uint8]

VARIANTS: list[dict[str, object]] = [
    {"backend": "onnx", "threads": 1},
    {"backend": "onnx", "threads": 2},
    {"backend": "torch", "threads": 1},
    {"backend": "torch", "threads": 2},
    {"backend": "torch", "precision": "bfloat16"},
]


def assert_same_symbols_and_near_pixels(
    encoded: Encoded, options: dict[str, object], reference: Photo
) -> None:
    codec = open_codec(**options)  # type: ignore[arg-type]
    read = read_symbols(unpack(encoded.data), codec.model)
    np.testing.assert_array_equal(read.z_hat, encoded.symbols.z_hat)
    np.testing.assert_array_equal(read.residual, encoded.symbols.residual)
    assert np.abs(codec.decode(encoded.data).pixels.astype(int) - reference).max() <= 1


@pytest.mark.parametrize("options", VARIANTS, ids=lambda o: " ".join(map(str, o.values())))
@pytest.mark.parametrize("qp", [3, 30, 60])
@pytest.mark.parametrize("writer", ["onnx", "torch"])
def test_any_backend_reads_what_any_other_wrote(
    photo: Photo, options: dict[str, object], qp: int, writer: str
) -> None:
    pytest.importorskip("torch")
    encoded = open_codec(backend=writer).encode(from_array(photo), qp=qp)
    reference = open_codec().decode(encoded.data).pixels
    assert_same_symbols_and_near_pixels(encoded, options, reference)


@pytest.mark.slow
def test_real_pictures_agree(kodak: list[Path]) -> None:
    pytest.importorskip("torch")
    for path in kodak[:2]:
        pixels = np.asarray(Image.open(path).convert("RGB"))
        encoded = open_codec().encode(from_array(pixels), qp=40)
        reference = open_codec().decode(encoded.data).pixels
        for options in VARIANTS:
            assert_same_symbols_and_near_pixels(encoded, options, reference)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(BackendError, match="expected a backend among onnx, torch, got 'abacus'"):
        open_backend(load_model(), "abacus")


@pytest.mark.parametrize("options", [{"precision": "bfloat16"}, {"device": "cuda"}])
def test_the_onnx_backend_refuses_what_it_cannot_do(options: dict[str, str]) -> None:
    with pytest.raises(BackendError, match="float32 on the CPU"):
        open_backend(load_model(), "onnx", **options)


def test_an_unknown_precision_is_refused() -> None:
    pytest.importorskip("torch")
    with pytest.raises(BackendError, match="expected a precision"):
        open_backend(load_model(), "torch", precision="int3")


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there_is_a_sentence(device: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises(
        BackendError, match=f"expected a device that PyTorch has here, such as cpu, got {device}"
    ):
        open_backend(load_model(), "torch", device=device)


def test_a_missing_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ncodec.inference.backend.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"pip install 'ncodec\[torch\]'"):
        open_backend(load_model(), "torch")
