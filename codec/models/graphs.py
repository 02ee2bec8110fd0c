"""The two graphs that ship: bytes to symbols and symbols to bytes, everything between in one network each."""

import torch
from torch import Tensor, nn

from ncodec.entropy import RESIDUAL_LIMIT
from ncodec.models.image import ImageModel


class EncoderGraph(nn.Module):
    """(H, W, 3) uint8, qp (1,) → ẑ (C_z, ⌈h/4⌉, ⌈w/4⌉) int8 and r (C_y, h, w) int16; H and W multiples of 16."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor, qp: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        unit = pixels.permute(2, 0, 1)[None].float() / 255
        z_hat, residual = self.model.encode(unit, qp)
        return z_hat[0].to(torch.int8), residual[0].clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT).to(torch.int16)


class DecoderGraph(nn.Module):
    """ẑ int8, r int16, qp (1,) → (16·h, 16·w, 3) uint8."""

    def __init__(self, model: ImageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, z_hat: Tensor, residual: Tensor, qp: Tensor) -> Tensor:
        """See the class."""
        unit = self.model.decode(z_hat[None].float(), residual[None].float(), qp)
        return (unit[0].permute(1, 2, 0) * 255).round().clamp(0, 255).to(torch.uint8)
