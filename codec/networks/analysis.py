"""RGB → y → z: the analysis and the hyper-analysis."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.blocks import (
    Block,
    PatchConv,
    Pointwise,
    QpVector,
    Trunk,
    activate,
    compress_range,
)
from ncodec.networks.config import ImageConfig
from ncodec.networks.hints import plus

TRUNK_LIMIT, TRUNK_STEPS = 150.0, 3.5
"""bound of what the analysis trunk adds to a latent, in 8-bit levels and in steps of its quantizer:
on pictures unlike photographs, such as noise, it would explode; on photographs it stays below"""


class Analysis(nn.Module):
    """RGB → y in 8-bit levels: a linear block transform plus a trunk of depthwise blocks."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        width = config.encoder_width
        self.linear = PatchConv(PATCH, config.latent, bias=False)
        self.embed = PatchConv(PATCH, width, gain=2.0)
        self.quality = QpVector(torch.ones(config.knots, width), qp_count=config.qp_count)
        self.trunk = Trunk(*(Block(width) for _ in range(config.encoder_depth)))
        self.head = Pointwise(width, config.latent, gain=0.0)
        self.step_of = config.step_of

    def forward(self, levels: Tensor, qp: Tensor, hint: Tensor | None = None) -> Tensor:
        """Pixels in 8-bit levels about 0, (B, 3, H, W) in −127.5…127.5, and qp (B,) → y in levels,
        (B, latent, H/16, W/16); H and W are multiples of 16.

        `hint`, (B, encoder_width, H/16, W/16), is added before the trunk, which changes a latent by
        at most 150 levels plus 3.5 quantizer steps.
        """
        y = self.linear(levels)
        embedded = self.quality.scale(self.embed(levels, unit=1 / 255), qp, like=y)
        features = self.trunk(plus(embedded, hint))
        limit = TRUNK_LIMIT + TRUNK_STEPS * self.step_of(qp)[:, None, None, None]
        added = 8 * self.head(features)
        return y + torch.minimum(torch.maximum(added, -limit), limit)  # type: ignore[no-any-return]


class HyperAnalysis(nn.Module):
    """y in units of its step → z before rounding, at a quarter of its resolution."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.enter = Pointwise(config.latent, config.entropy_width)
        self.fine = Block(config.entropy_width)
        self.down = nn.Conv2d(
            config.entropy_width, config.hyper_width, HYPER_CELL, stride=HYPER_CELL
        )
        self.coarse = Block(config.hyper_width, kernel=3)
        # Started small: a hyper-latent that costs much before it helps is slow to shrink.
        self.head = Pointwise(config.hyper_width, config.hyper, gain=0.1)

    def forward(self, y: Tensor) -> Tensor:
        """(B, latent, h, w) → (B, hyper, ⌈h/4⌉, ⌈w/4⌉)."""
        features = self.fine(activate(self.enter(compress_range(y))))
        # A constant pad and a flooring stride give ⌈h/4⌉ with no shape arithmetic in the exported
        # graph.
        features = F.pad(features, (0, HYPER_CELL - 1, 0, HYPER_CELL - 1))
        z: Tensor = self.head(self.coarse(activate(self.down(features))))
        return z
