"""The networks of a predicted frame: the image codec on what motion leaves over, told what the
prediction looks like.

    prediction ─ patches 16×16 ─ trunk ─ context ─┬─ analysis, means, synthesis body
               └ patches 4×4 ──────────────────── renderer
    frame − prediction ─ image codec, with these hints ─ + prediction ─ frame

With its hints silent it is the image codec coding the difference, which is where training starts.
Tables follow from ẑ alone, as in a picture, so every symbol of a stream decodes without a network.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.blocks import RENDER_PATCH, Block, PatchConv, Pointwise, QpVector, Trunk
from ncodec.networks.config import ImageConfig
from ncodec.networks.hints import Hints
from ncodec.networks.image import (
    ImageModel,
    Prediction,
    decode_halo_of,
    halo_of,
    rendered_latents,
)


@dataclass(frozen=True)
class FrameConfig:
    """Widths of a model of predicted frames."""

    codec: ImageConfig = field(default_factory=lambda: ImageConfig(latent=256, encoder_depth=4))
    """the image codec inside it: less is left over of a frame than of a picture, and it has less
    time"""
    context_width: int = 192
    """channels of the prediction's features, at 1/16"""
    context_depth: int = 2

    @property
    def qp_count(self) -> int:
        """Steps of quality."""
        return self.codec.qp_count

    def lambda_of(self, qp: Tensor) -> Tensor:
        """Lagrangian of λ·255²·MSE + bpp at each qp."""
        return self.codec.lambda_of(qp)


def frame_config(fields: dict[str, Any]) -> FrameConfig:
    """Inverse of `dataclasses.asdict` for a configuration."""
    return FrameConfig(**{**fields, "codec": ImageConfig(**fields["codec"])})


def halo_of_frame(config: FrameConfig) -> int:
    """Width, in pixels, of the halo around a tile that its symbols or pixels depend on: that of the
    image codec inside and of the context's blocks, a multiple of 64."""
    return halo_of(config.codec) + math.ceil(config.context_depth / HYPER_CELL) * HYPER_CELL * PATCH


def decode_halo_of_frame(config: FrameConfig) -> int:
    """Width, in pixels, of the halo that a tile of whole hyper-latents needs for its pixels, given
    the symbols and the prediction; a multiple of 64."""
    seen = rendered_latents(config.codec) + config.context_depth
    return max(decode_halo_of(config.codec), math.ceil(seen / HYPER_CELL) * HYPER_CELL * PATCH)


class Context(nn.Module):
    """Prediction → hints for every part of the image codec; all of them silent at first."""

    def __init__(self, config: FrameConfig) -> None:
        super().__init__()
        width, codec = config.context_width, config.codec
        self.embed = PatchConv(PATCH, width, gain=2.0)
        self.quality = QpVector(torch.ones(codec.knots, width), qp_count=codec.qp_count)
        self.trunk = Trunk(*(Block(width) for _ in range(config.context_depth)))
        self.to_encoder = Pointwise(width, codec.encoder_width, gain=0.0)
        self.to_means = Pointwise(width, codec.entropy_width, gain=0.0)
        self.to_body = Pointwise(width, codec.body_width, gain=0.0)
        self.to_render = PatchConv(RENDER_PATCH, codec.render_width, gain=0.0)

    def forward(self, predicted: Tensor, qp: Tensor) -> Hints:
        """(B, 3, H, W) in 8-bit levels about 0, H and W multiples of 16 → hints."""
        embedded = self.embed(predicted, unit=1 / 255)  # (B, width, H/16, W/16)
        like = predicted[:, :, ::PATCH, ::PATCH]
        features = self.trunk(self.quality.scale(embedded, qp, like=like))
        return Hints(
            self.to_encoder(features),
            self.to_means(features),
            self.to_body(features),
            self.to_render(predicted, unit=1 / 255),
        )


class FrameModel(nn.Module):
    """A predicted frame in one trainable module; λ, qp and tables are those of the image codec
    inside."""

    def __init__(self, config: FrameConfig) -> None:
        super().__init__()
        self.config = config
        self.codec = ImageModel(config.codec)
        self.context = Context(config)

    def encode(self, pixels: Tensor, predicted: Tensor, qp: Tensor) -> tuple[Tensor, Tensor]:
        """Frame and prediction in 8-bit levels about 0, (B, 3, H, W), and qp (B,) → ẑ (B, hyper,
        ⌈h/4⌉, ⌈w/4⌉) and r (B, latent, h, w), whole numbers as float32.

        H and W are multiples of 16, h = H/16, w = W/16.
        """
        return self.codec.encode(pixels - predicted, qp, self.context(predicted, qp))

    def code(
        self, pixels: Tensor, predicted: Tensor, qp: Tensor, exact: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Frame and prediction in 8-bit levels about 0, (B, 3, H, W), and qp (B,) → ẑ and r of
        `encode`, and what `decode` makes of them, but for rounding errors.

        `exact`, (B, 1, ⌈h/4⌉, ⌈w/4⌉) float32, is 1 in exact cells, where ẑ and r become 0, and 0
        elsewhere; None stands for no exact cells.
        """
        hints = self.context(predicted, qp)
        z_hat, residual, y_hat = self.codec.quantize(pixels - predicted, qp, hints, exact)
        return z_hat, residual, self.codec.samples(y_hat, qp, hints)

    def decode(self, z_hat: Tensor, residual: Tensor, predicted: Tensor, qp: Tensor) -> Tensor:
        """ẑ, r and prediction, (B, 3, H, W) in 8-bit levels about 0 → frame less prediction, (B, H,
        W, 3) in levels, unclipped."""
        return self.codec.decode(z_hat, residual, qp, self.context(predicted, qp))

    def forward(self, pixels: Tensor, predicted: Tensor, qp: Tensor) -> Prediction:
        """Training pass over frames and predictions, (B, 3, H, W) in 0…1 with H and W multiples of
        64."""
        hints = self.context((predicted - 0.5) * 255, qp)
        seen: Prediction = self.codec(pixels - predicted + 0.5, qp, hints)
        made = seen.pixels - 0.5 + predicted
        if seen.zero_bins is not None:
            made = keep_nearer(made, pixels, predicted, seen.zero_bins)
        return Prediction(made, seen.y_bits, seen.z_bits, seen.zero_bin_bits)


def keep_nearer(made: Tensor, pixels: Tensor, predicted: Tensor, zero_bins: Tensor) -> Tensor:
    """Decoded frames `made`, but the prediction in cells that can be skip blocks: r is 0
    throughout, and the prediction is no farther from the source `pixels` than `made` is.

    All are (B, 3, H, W) in 0…1, H and W multiples of 64; `zero_bins`, (B, 1, H/16, W/16) bool, says
    where r is 0 in all channels. Gradients are those of `made` everywhere, or it would never learn
    to be nearer.
    """
    cell = HYPER_CELL * PATCH
    possible = F.max_pool2d((~zero_bins).float(), HYPER_CELL) == 0  # (B, 1, H/64, W/64)
    lack, left = (
        F.avg_pool2d((pixels - x).square().mean(1, keepdim=True), cell)
        for x in (predicted, made.detach())
    )
    kept = F.interpolate((possible & (lack <= left)).float(), scale_factor=cell)  # (B, 1, H, W)
    return made + (kept * (predicted - made)).detach()


def picture_codec(model: ImageModel | FrameModel) -> ImageModel:
    """The image codec inside a model of frames, or the image model itself."""
    return model.codec if isinstance(model, FrameModel) else model
