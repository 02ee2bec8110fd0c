"""An exported model of predicted frames codes a frame on either backend, to the same symbols and pixels."""

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import torch

from ncodec.backends import open_backend
from ncodec.entropy import pack_symbols, unpack_symbols
from ncodec.errors import ModelError
from ncodec.image import ImageCodec
from ncodec.model import FRAME, Model
from ncodec.models.frame import FrameConfig, FrameModel
from ncodec.models.image import ImageConfig
from ncodec.motion import compensate, estimate
from ncodec.training.export import export_model, write_manifest
from ncodec.zoo import load_model, load_model_folder

Photo = npt.NDArray[np.uint8]
SMALL = ImageConfig(
    latent=48, hyper=8, encoder_width=16, encoder_depth=1, entropy_width=16, hyper_width=16, body_width=16,
    body_depth=1, render_width=8, render_depth=1,
)  # fmt: skip
QP = 50


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch.manual_seed(1)
    network = FrameModel(FrameConfig(SMALL, context_width=16, context_depth=1)).eval()
    for module in (network.context.to_means, network.context.to_body, network.context.to_encoder):
        module.weight.data.normal_(std=0.02)
    network.codec.table_index.bias.knots.data.fill_(30.0)
    folder = tmp_path_factory.mktemp("weights")
    entry = export_model(network, folder / "tiny", name="tiny", facts={})
    write_manifest(entry, folder)
    return load_model_folder(entry, folder / "tiny")


@pytest.fixture(scope="module")
def pair(photo: Photo) -> tuple[Photo, Photo]:
    frame, last = photo[:144, 4:180], photo[:144, 0:176]
    return np.ascontiguousarray(frame), compensate(np.ascontiguousarray(last), estimate(frame, last))


def test_both_backends_code_the_same_frame(model: Model, pair: tuple[Photo, Photo]) -> None:
    assert model.kind == FRAME
    frame, predicted = pair
    ours, theirs = (ImageCodec(model, open_backend(model, name)) for name in ("onnx", "torch"))
    symbols = ours.analyze(frame, qp=QP, predicted=predicted)
    again = theirs.analyze(frame, qp=QP, predicted=predicted)
    assert (symbols.residual != again.residual).mean() < 1e-3
    data = pack_symbols(symbols, model.tables, qp=QP)
    read = unpack_symbols(data, model.tables, qp=QP, height=9, width=11)
    np.testing.assert_array_equal(read.residual, symbols.residual)
    pixels = [c.synthesize(read, qp=QP, height=144, width=176, predicted=predicted) for c in (ours, theirs)]
    assert np.abs(pixels[0].astype(int) - pixels[1]).max() <= 1


def test_tiles_change_nothing(model: Model, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = np.ascontiguousarray(np.tile(photo, (3, 4, 1))[:400, :720])
    predicted = np.roll(frame, 1, axis=1)
    codec = ImageCodec(model, open_backend(model))
    whole = codec.analyze(frame, qp=QP, predicted=predicted)
    monkeypatch.setattr("ncodec.image.TILE", 128)
    tiled = codec.analyze(frame, qp=QP, predicted=predicted)
    np.testing.assert_array_equal(tiled.z_hat, whole.z_hat)
    np.testing.assert_array_equal(tiled.residual, whole.residual)
    pixels = codec.synthesize(whole, qp=QP, height=400, width=720, predicted=predicted)
    monkeypatch.undo()
    untiled = codec.synthesize(whole, qp=QP, height=400, width=720, predicted=predicted)
    assert np.abs(pixels.astype(int) - untiled).max() <= 1


def test_a_model_of_frames_is_never_taken_for_one_of_pictures() -> None:
    assert load_model().kind != FRAME
    with pytest.raises(ModelError, match="not installed"):
        load_model(kind=FRAME)
