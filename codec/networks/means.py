"""ẑ → the means of the latents, and the table of each."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.entropy.tables import SHIFT
from ncodec.grid import HYPER_CELL
from ncodec.networks.blocks import (
    Block,
    Lift,
    Pointwise,
    QpVector,
    compress_range,
    shuffle,
)
from ncodec.networks.config import ImageConfig
from ncodec.networks.hints import plus


class Means(nn.Module):
    """Predicts μ in two passes over a checkerboard of positions and channels (He et al. 2021).

    Pass 1 sees ẑ only and serves half of the latents; pass 2 also sees those once they are known.
    """

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        width = config.entropy_width
        self.enter = Pointwise(config.hyper, config.hyper_width)
        self.coarse = Block(config.hyper_width, kernel=3)
        self.up = Lift(config.hyper_width, width, side=HYPER_CELL)
        self.quality = QpVector(torch.ones(config.knots, width), qp_count=config.qp_count)
        self.fine = Block(width)
        self.first = Pointwise(width, config.latent, gain=0.1)
        self.context = Pointwise(config.latent, width)
        self.merge = Block(width)
        self.second = Pointwise(width, config.latent, gain=0.1)

    def features(
        self, z_hat: Tensor, qp: Tensor, like: Tensor, hint: Tensor | None = None
    ) -> Tensor:
        """ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉) and qp (B,) → features of both passes, (B, entropy_width, h,
        w), h and w those of `like`; `hint` of this shape is added."""
        up = self.up(self.coarse(self.enter(z_hat)), under=z_hat, like=like)
        return self.fine(plus(self.quality.scale(up, qp, like=like), hint))  # type: ignore[no-any-return]

    def pass_one(self, features: Tensor) -> Tensor:
        """μ of the first half, (B, latent, h, w)."""
        return self.first(features)  # type: ignore[no-any-return]

    def pass_two(self, features: Tensor, known: Tensor) -> Tensor:
        """μ for the second half: features, (B, entropy_width, h, w), and `known`, ŷ of the first
        half and 0 elsewhere, (B, latent, h, w), → (B, latent, h, w)."""
        merged = self.merge(features + self.context(compress_range(known)))
        return self.second(merged)  # type: ignore[no-any-return]


class TableIndex(nn.Module):
    """Real-valued table index of each latent, linear in ẑ so that export can make it integer.

    At export W becomes int8 in units of 2⁻⁴ and b becomes int32; the training range is kept inside
    what int8 holds.
    """

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.latent = config.latent
        cells = HYPER_CELL * HYPER_CELL
        self.weight = nn.Parameter(torch.randn(cells * config.latent, config.hyper, 1, 1) * 0.1)
        self.bias = QpVector(torch.zeros(config.knots, config.latent), qp_count=config.qp_count)

    def limited_weight(self) -> Tensor:
        """W held to what int8 can express at `SHIFT`, (16·latent, hyper, 1, 1)."""
        limit = 127 / 2**SHIFT
        return self.weight.clamp(-limit, limit)

    def forward(self, z_hat: Tensor, qp: Tensor, like: Tensor) -> Tensor:
        """ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉) and qp (B,) → table index of each latent, (B, latent, h, w),
        real, unclipped, 1 a row; h and w are those of `like`."""
        bias: Tensor = self.bias(qp)
        high, wide = like.shape[2:]
        weight = self.limited_weight()
        if self.training:
            index = F.pixel_shuffle(F.conv2d(z_hat, weight), HYPER_CELL)
            return index[:, :, :high, :wide] + bias
        cells = weight.view(self.latent, HYPER_CELL**2, -1).transpose(0, 1)
        index = shuffle(z_hat, cells, None, side=HYPER_CELL, like=z_hat)
        return index[:, :high, :wide].permute(0, 3, 1, 2) + bias
