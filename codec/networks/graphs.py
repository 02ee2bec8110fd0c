"""The graphs that ship: pixels to symbols, symbols to 8-bit levels, and of pictures what moving a
symbol would do."""

import torch
from torch import Tensor, nn

from ncodec.networks.decoder import Decoding
from ncodec.networks.frame import FrameModel
from ncodec.networks.image import ImageModel
from ncodec.networks.rd_gradient import rd_gradient


class EncoderGraph(nn.Module):
    """Graph of the encoder of pictures: pixels, exact cells and QP → ẑ, r, y and the decoder's
    samples.

    Pixels are (H, W, 3) uint8 with H = 16·h and W = 16·w, exact cells (⌈h/4⌉, ⌈w/4⌉) bool, qp (1,)
    float32. ẑ is (hyper, ⌈h/4⌉, ⌈w/4⌉) int8, r (latent, h, w) int16, both 0 in exact cells; y,
    (latent, h, w) in units of its step, and the samples, (H, W, 3) in 8-bit levels, unclipped, are
    float32.
    """

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, pixels: Tensor, exact: Tensor, qp: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pixels uint8, exact cells bool and qp → ẑ int8, r int16, y and samples float32; shapes
        are those of the class."""
        y = self.model.scaled_latent(_to_levels(pixels), qp)
        z = self.model.hyper_analysis(y)
        z_hat, residual, y_hat = self.model.quantize_latents(
            y, z, qp, exact=exact[None, None].float()
        )
        return (
            *_as_symbols(z_hat, residual),
            y[0],
            self.model.samples(y_hat, qp)[0] + 127.5,
        )


class DecoderGraph(nn.Module):
    """ẑ int8, r int16, qp (1,) → levels, (16·h, 16·w, 3) float32."""

    def __init__(self, model: Decoding) -> None:
        super().__init__()
        self.model = model

    def forward(self, z_hat: Tensor, residual: Tensor, qp: Tensor) -> Tensor:
        """ẑ int8, r int16 and qp (1,) → samples, (16·h, 16·w, 3) float32 in 8-bit levels,
        unclipped."""
        return self.model.decode(z_hat[None].float(), residual[None].float(), qp)[0] + 127.5


class RdGradientGraph(nn.Module):
    """Graph of RDOQ: symbols that are to be coded → requantized r, and the gradient of the errors'
    cost by ŷ.

    In: pixels (16·h, 16·w, 3) uint8; y (latent, h, w) float32; ẑ (hyper, ⌈h/4⌉, ⌈w/4⌉) int8; r
    (latent, h, w) int16; `coded` (latent, h, w) bool, where r may be other than 0; `is_requantized`
    (1,) bool, whether the second half of r is rounded anew, because the first has changed;
    `error_weights` (48, 48) float32; qp (1,) float32. Out: r int16; gradient (latent, h, w) and
    curvature (latent,) float32, in bits a quantizer step and a squared one; cost of the errors
    under each latent, (h, w) float32, in bits.
    """

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        pixels: Tensor,
        latent: Tensor,
        z_hat: Tensor,
        residual: Tensor,
        coded: Tensor,
        is_requantized: Tensor,
        error_weights: Tensor,
        qp: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pixels, y, symbols, masks, error weights and qp → r int16, gradient, curvature and cost
        float32; shapes and units are those of the class."""
        requantized, y_hat = self.model.requantize(
            latent[None],
            z_hat[None].float(),
            residual[None].float(),
            coded[None].float(),
            is_requantized.float(),
            qp,
        )
        found = rd_gradient(self.model, y_hat, to_unit(pixels), error_weights, qp)
        return (
            requantized[0].to(torch.int16),
            found.gradient[0],
            found.curvature[0, :, 0, 0],
            found.cost[0],
        )


class FrameEncoderGraph(nn.Module):
    """Pixels and their prediction, exact cells and qp (1,) → ẑ int8, r int16 and the decoder's
    levels, float32.

    Pixels and prediction are (H, W, 3) uint8; other shapes are those of `EncoderGraph` and
    `FrameDecoderGraph`. What the prediction tells is computed once for both.
    """

    def __init__(self, model: FrameModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, pixels: Tensor, predicted: Tensor, exact: Tensor, qp: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels and prediction (H, W, 3) uint8, exact cells bool and qp (1,) → ẑ int8, r int16,
        and float32 samples of the decoded frame less its prediction, (H, W, 3) in 8-bit levels."""
        known = exact[None, None].float()
        z_hat, residual, samples = self.model.code(
            _to_levels(pixels), _to_levels(predicted), qp, known
        )
        return *_as_symbols(z_hat, residual), samples[0]


class FrameDecoderGraph(nn.Module):
    """ẑ, r, prediction and qp → levels of frame − prediction, (16·h, 16·w, 3) float32.

    The prediction is left to be added in whole numbers, because small differences have small
    errors.
    """

    def __init__(self, model: FrameModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, z_hat: Tensor, residual: Tensor, predicted: Tensor, qp: Tensor) -> Tensor:
        """ẑ int8, r int16, prediction (16·h, 16·w, 3) uint8 and qp (1,) → samples of the frame less
        its prediction, (16·h, 16·w, 3) float32 in 8-bit levels, unclipped."""
        symbols = z_hat[None].float(), residual[None].float()
        return self.model.decode(*symbols, _to_levels(predicted), qp)[0]


def _to_levels(pixels: Tensor) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, H, W) in 8-bit levels about 0."""
    return pixels.permute(2, 0, 1)[None].float() - 127.5


def to_unit(pixels: Tensor) -> Tensor:
    """(H, W, 3) uint8 → (1, 3, H, W) in 0…1."""
    return pixels.permute(2, 0, 1)[None].float() / 255


def _as_symbols(z_hat: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """ẑ and r of one picture, float32, → int8 and int16."""
    return z_hat[0].to(torch.int8), residual[0].to(torch.int16)
