"""The gradient of the error by a latent is that of autograd, on every backend."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ncodec.api.codecs import open_codec
from ncodec.arrays import FloatArray
from ncodec.image import error_weights as distortion
from ncodec.image.codec import ImageCodec
from ncodec.image.error_weights import RGB, SUBSAMPLED
from ncodec.inference.protocol import InitialSymbols, RdGradient

Photo = npt.NDArray[np.uint8]


def found_by(
    codec: ImageCodec,
    pixels: Photo,
    *,
    qp: int,
    error_weights: FloatArray = RGB,
    requantize: bool = False,
    change: int = 0,
) -> tuple[InitialSymbols, RdGradient]:
    initial, _ = codec.backend.quantize(pixels, qp=qp)
    high, wide = initial.latent.shape[1:]
    coded = (
        codec.model.tables.residual_rows(initial.symbols.z_hat, qp=qp, height=high, width=wide) > 0
    )
    initial.symbols.residual[...] += (change * coded).astype(np.int16)
    return initial, codec.backend.rd_gradient(
        pixels, initial, coded, qp=qp, error_weights=error_weights, requantize=requantize
    )


@pytest.mark.parametrize("name", ["RGB", "SUBSAMPLED"])
@pytest.mark.parametrize("qp", [0, 17, 40, 63])
def test_slopes_are_those_of_autograd(photo: Photo, qp: int, name: str) -> None:
    torch = pytest.importorskip("torch")
    from ncodec.inference.torch import TorchBackend
    from ncodec.networks.rd_gradient import rd_gradient
    from ncodec.training.losses import mean_square, mean_square_420

    pixels = torch.tensor(photo[:80, :112]).permute(2, 0, 1)[None] / 255
    backend = open_codec(backend="torch").backend
    assert isinstance(backend, TorchBackend)
    model, step = backend.picture, torch.tensor([float(qp)])
    with torch.no_grad():
        _, _, y_hat = model.quantize(pixels, step)
    leaf = y_hat.clone().requires_grad_()
    mean = {"RGB": mean_square, "SUBSAMPLED": mean_square_420}[name]
    error = mean(model.render(leaf, step) + 0.5 - pixels) * pixels[0, 0].numel()
    cost = model.config.lambda_of(step) * 255**2 * error
    (gradient,) = torch.autograd.grad(cost, leaf)
    with torch.no_grad():
        found = rd_gradient(model, y_hat, pixels, torch.from_numpy(getattr(distortion, name)), step)
    torch.testing.assert_close(
        found.gradient, gradient, rtol=1e-4, atol=1e-4 * float(gradient.abs().max())
    )
    torch.testing.assert_close(found.cost.sum(), cost[0], rtol=1e-4, atol=0)
    assert found.cost.shape == (1, 5, 7)
    assert found.curvature.shape == (1, y_hat.shape[1], 1, 1)
    assert found.curvature.min() > 0


@pytest.mark.parametrize("options", [{"requantize": True}, {"error_weights": SUBSAMPLED}])
def test_backends_find_the_same(photo: Photo, options: dict[str, Any]) -> None:
    pytest.importorskip("torch")
    pixels = np.ascontiguousarray(photo[:96, :144])
    (_, onnx), (_, torch) = (
        found_by(open_codec(backend=name), pixels, qp=33, change=1, **options)
        for name in ("onnx", "torch")
    )
    np.testing.assert_array_equal(onnx.residual, torch.residual)
    np.testing.assert_allclose(
        onnx.gradient, torch.gradient, atol=1e-3 * np.abs(torch.gradient).max()
    )
    np.testing.assert_allclose(onnx.curvature, torch.curvature, rtol=1e-4)
    np.testing.assert_allclose(onnx.cost, torch.cost, rtol=1e-3)


def test_what_was_made_in_one_pass_is_settled(photo: Photo) -> None:
    initial, found = found_by(
        open_codec(), np.ascontiguousarray(photo[:80, :80]), qp=30, requantize=True
    )
    np.testing.assert_array_equal(found.residual, initial.symbols.residual)


def test_half_of_the_symbols_is_rounded_anew_only_if_asked(photo: Photo) -> None:
    pixels = np.ascontiguousarray(photo[:80, :80])
    initial, kept = found_by(open_codec(), pixels, qp=30, change=1)
    np.testing.assert_array_equal(kept.residual, initial.symbols.residual)
    channels, rows, columns = np.indices(initial.latent.shape)
    first = (rows + columns) % 2 == channels % 2
    _, fresh = found_by(open_codec(), pixels, qp=30, requantize=True, change=1)
    np.testing.assert_array_equal(fresh.residual[first], initial.symbols.residual[first])
    changed = fresh.residual[~first] != initial.symbols.residual[~first]
    coded = initial.symbols.residual[~first] != 0
    assert changed[coded].mean() > 0.3
