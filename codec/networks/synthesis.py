"""ŷ → RGB: a linear transform, corrected on a finer grid."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.grid import PATCH
from ncodec.networks.blocks import (
    Block,
    Depthwise,
    GatedFfn,
    Pointwise,
    QpVector,
    Trunk,
    compress_range,
    keep_layout,
    known_bias,
    shuffle,
)
from ncodec.networks.config import ImageConfig
from ncodec.networks.hints import NO_HINTS, Hints, plus

PATCH_VALUES = 3 * PATCH * PATCH


class RenderBlock(nn.Module):
    """x + dw₃ₓ₃(x), then a gated feed-forward part: the cheap block of the 1/4 grid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = Depthwise(channels)
        self.ffn = GatedFfn(channels, hidden=3 * channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        y: Tensor = self.ffn(x + self.depthwise(x))
        return y


class Synthesis(nn.Module):
    """ŷ → RGB: the linear inverse transform, corrected on a 1/4 grid by what a body at 1/16 tells a
    small renderer."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        width, render = config.body_width, config.render_width
        knot_qps = torch.linspace(0, config.qp_count - 1, config.knots)
        self.linear = nn.Conv2d(config.latent, PATCH_VALUES, 1, bias=False)
        self.enter = Pointwise(config.latent, width)
        self.quality = QpVector(torch.ones(config.knots, width), qp_count=config.qp_count)
        self.body = Trunk(*(Block(width) for _ in range(config.body_depth)))
        self.spread = Pointwise(width, 16 * render)
        self.look = Pointwise(48, render, gain=2.0)
        self.render = Trunk(*(RenderBlock(render) for _ in range(config.render_depth)))
        self.head = Pointwise(render, 48, gain=0.0)
        # Corrections are of the size of the quantization step; the head learns at unit scale for
        # every qp.
        log_size = (config.step_of(knot_qps)[:, None] / 255).log()
        self.log_size = QpVector(log_size, qp_count=config.qp_count)

    def forward(self, y_hat: Tensor, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """ŷ in steps and in 8-bit levels, both (B, latent, h, w) → (B, 3, 16·h, 16·w), unclipped,
        −½…½."""
        linear = F.pixel_shuffle(self.linear(levels / 255), 4)  # (B, 48, H/4, W/4)
        body = self.body(plus(self.enter(compress_range(y_hat)) * self.quality(qp), hints.body))
        features = F.pixel_shuffle(self.spread(body), 4) + self.look(
            linear
        )  # (B, render, H/4, W/4)
        features = plus(features, hints.render)
        correction = self.head(self.render(features)) * self.log_size(qp).exp()
        return F.pixel_shuffle(linear + correction, 4)

    def samples(self, y_hat: Tensor, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """Result of `forward` in 8-bit levels about 0, computed in the layout that is fast in ONNX
        Runtime: ŷ in steps and in levels, (B, latent, h, w) → (B, 16·h, 16·w, 3), unclipped.

        Values of a pixel lie side by side from the last products at 1/16 on, so that whole cells of
        pixels move.
        """
        (high, wide), render = y_hat.shape[2:], self.look.out_channels
        basis = self.linear.weight.view(3, 16, 16, -1).permute(2, 1, 0, 3).flatten(1, 2)
        linear = shuffle(levels, basis, None, side=4, like=y_hat)  # (B, H/4, W/4, 48)
        entered = self.quality.scale(self.enter(compress_range(y_hat)), qp, like=y_hat)
        body, weight, bias = self.spread.product(self.body(plus(entered, hints.body)))
        spread_weight = weight.view(render, 16, -1).transpose(0, 1)
        spread_bias = known_bias(bias, body, 16 * render).view(render, 16).t()
        spread = shuffle(body, spread_weight, spread_bias, side=4, like=y_hat)
        look = self.look.weight.view(render, 3, 16).transpose(1, 2).reshape(render, 48, 1, 1)
        features = keep_layout(spread.permute(0, 3, 1, 2), render)
        features = features + F.conv2d(linear.permute(0, 3, 1, 2), look / 255, self.look.bias)
        rendered, weight, bias = self.head.product(self.render(plus(features, hints.render)))
        head = weight.view(3, 16, -1).transpose(0, 1).reshape(48, -1, 1, 1)
        head_bias = known_bias(bias, rendered, 48).view(3, 16).t().reshape(48)
        correction = F.conv2d(rendered, head, head_bias).permute(0, 2, 3, 1)
        cells: Tensor = linear + correction * (self.log_size(qp).exp() * 255)
        rows = cells.reshape(-1, 4 * high, 4 * wide, 4, 12).transpose(2, 3)
        return rows.reshape(-1, 16 * high, 16 * wide, 3)
