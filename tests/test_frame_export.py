"""An exported model of predicted frames codes a frame on either backend, to the same symbols and
pixels."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from ncodec.entropy.latents import pack_symbols, unpack_symbols
from ncodec.errors import ModelError
from ncodec.image import tiles
from ncodec.image.codec import ImageCodec
from ncodec.inference.backend import open_backend
from ncodec.inference.model import FRAME, Model
from ncodec.inference.zoo import load_model
from ncodec.training.export import calibrate as calibration
from ncodec.training.export import onnx as export
from ncodec.video.motion.compensate import compensate
from ncodec.video.motion.search import MotionSearch

Photo = npt.NDArray[np.uint8]
QP = 50


@pytest.fixture(scope="module")
def pair(photo: Photo) -> tuple[Photo, Photo]:
    frame, last = photo[:144, 4:180], photo[:144, 0:176]
    return np.ascontiguousarray(frame), compensate(
        np.ascontiguousarray(last), MotionSearch(frame, last).motion(qp=32)
    )


def test_both_backends_code_the_same_frame(frame_model: Model, pair: tuple[Photo, Photo]) -> None:
    assert frame_model.kind == FRAME
    frame, predicted = pair
    ours, theirs = (
        ImageCodec(frame_model, open_backend(frame_model, name)) for name in ("onnx", "torch")
    )
    symbols = ours.analyze(frame, qp=QP, predicted=predicted)
    again = theirs.analyze(frame, qp=QP, predicted=predicted)
    assert (symbols.residual != again.residual).mean() < 1e-3
    data = pack_symbols(symbols, frame_model.tables, qp=QP)
    read = unpack_symbols(data, frame_model.tables, qp=QP, height=9, width=11)
    np.testing.assert_array_equal(read.residual, symbols.residual)
    samples = [c.render(read, qp=QP, predicted=predicted) for c in (ours, theirs)]
    assert samples[0].shape == (144, 176, 3)
    np.testing.assert_allclose(*samples, atol=1e-3)


@pytest.mark.parametrize("name", ["onnx", "torch"])
def test_an_encoder_sees_what_a_decoder_will(
    frame_model: Model, pair: tuple[Photo, Photo], name: str
) -> None:
    frame, predicted = pair
    codec = ImageCodec(frame_model, open_backend(frame_model, name))
    symbols, samples = codec.code(frame, qp=QP, predicted=predicted)
    again = codec.analyze(frame, qp=QP, predicted=predicted)
    np.testing.assert_array_equal(symbols.z_hat, again.z_hat)
    np.testing.assert_array_equal(symbols.residual, again.residual)
    np.testing.assert_allclose(
        samples, codec.render(symbols, qp=QP, predicted=predicted), atol=1e-3
    )


def test_tiles_change_nothing(
    frame_model: Model, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = np.ascontiguousarray(np.tile(photo, (4, 5, 1))[:592, :880])
    predicted = np.roll(frame, 1, axis=1)
    codec = ImageCodec(frame_model, open_backend(frame_model))
    whole = codec.analyze(frame, qp=QP, predicted=predicted)
    monkeypatch.setattr(tiles, "_counts", lambda *_: (5, 7))
    assert len(list(tiles.tiles(592, 880, codec.model.halo))) == 35
    tiled = codec.analyze(frame, qp=QP, predicted=predicted)
    np.testing.assert_array_equal(tiled.z_hat, whole.z_hat)
    np.testing.assert_array_equal(tiled.residual, whole.residual)
    coded, seen = codec.code(frame, qp=QP, predicted=predicted)
    np.testing.assert_array_equal(coded.residual, whole.residual)
    samples = codec.render(whole, qp=QP, predicted=predicted)
    np.testing.assert_array_equal(seen, samples)
    monkeypatch.undo()
    np.testing.assert_allclose(samples, codec.render(whole, qp=QP, predicted=predicted), atol=1e-3)


def test_a_model_of_frames_is_never_taken_for_one_of_pictures() -> None:
    assert load_model().kind != FRAME
    assert load_model(kind=FRAME).kind == FRAME
    with pytest.raises(ModelError, match="not installed"):
        load_model("base", kind=FRAME)


def test_tables_of_hyper_latents_after_others_are_fitted_and_decide_the_id(
    frame_model: Model,
) -> None:
    tables = frame_model.tables
    assert len(tables.after) == calibration.AFTER
    assert all(
        counts.argmax() in (calibration.REACH - 1, calibration.REACH) for counts in tables.after
    )
    others = (replace(tables, still=tables.still + 1), replace(tables, after=tables.after[::-1]))
    weights = frame_model.path("image.safetensors")
    assert len({export.model_id(t, weights) for t in (tables, *others)}) == 3


def test_counting_follows_the_sign_of_the_frame_before() -> None:
    empty = [
        np.zeros(shape, dtype=np.int64)
        for shape in ((64, calibration.REACH + 2), (3, 2 * calibration.REACH + 2))
    ]
    counted = calibration.Counted([], *empty)
    before = np.array([[[0, 1, -1, 2, -9, 0, 5]]], dtype=np.int8)
    z_hat = np.array([[[3, 0, -2, -127, -9, 0, 0]]], dtype=np.int8)
    rows = np.array([[[7, 7, 7, 7, 7, 7, 0]]], dtype=np.uint8)
    counted.add_hyper(z_hat, before, rows)
    assert np.argwhere(counted.still).tolist() == [[7, 0], [7, 3]]
    middle, other = calibration.REACH, 2 * calibration.REACH + 1
    assert np.argwhere(counted.after).tolist() == [
        [0, middle - 1],
        [0, middle + 1],
        [1, other],
        [2, middle],
    ]
