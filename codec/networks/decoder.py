"""The decoding half of an image model: symbols → ŷ → pixels."""

import torch
from torch import Tensor, nn

from ncodec.networks.blocks import QpVector
from ncodec.networks.hints import NO_HINTS, Hints
from ncodec.networks.means import Means
from ncodec.networks.synthesis import Synthesis


class Decoding(nn.Module):
    """Symbols to pixels by the means, the gains and the synthesis of a subclass."""

    means: Means
    log_inverse_gain: QpVector
    """logarithm of the step of each channel, in 8-bit levels"""
    synthesis: Synthesis

    def first_half(self, like: Tensor) -> Tensor:
        """Checkerboard of row, column and channel, (latent, h, w), of the type of `like`, (B,
        latent, h, w): 1 where the first pass predicts (their sum is even), else 0."""
        rows = torch.arange(like.shape[2], device=like.device)[:, None]
        columns = torch.arange(like.shape[3], device=like.device)[None, :]
        channels = torch.arange(like.shape[1], device=like.device)[:, None, None]
        return ((rows + columns) % 2 == channels % 2).to(like.dtype)  # (latent, h, w)

    def render(self, y_hat: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """ŷ in units of its step → (B, 3, H, W), unclipped, −½…½."""
        levels = y_hat * self.log_inverse_gain(qp).exp()
        pixels: Tensor = self.synthesis(y_hat, levels, qp, hints)
        return pixels

    def samples(self, y_hat: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """Result of `render` in 8-bit levels about 0, computed in the layout that is fast in ONNX
        Runtime: ŷ in units of its step → (B, H, W, 3), unclipped."""
        levels = y_hat * self.log_inverse_gain(qp).exp()
        return self.synthesis.samples(y_hat, levels, qp, hints)

    def latents(
        self, z_hat: Tensor, residual: Tensor, qp: Tensor, hints: Hints = NO_HINTS
    ) -> Tensor:
        """ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉) and r (B, latent, h, w) → ŷ in units of its step, of the shape
        of r."""
        half = self.first_half(residual)
        features = self.means.features(z_hat, qp, residual, hints.means)
        known = (residual + self.means.pass_one(features)) * half
        mu_second = self.means.pass_two(features, known)
        return torch.where(half > 0, known, residual + mu_second)

    def decode(
        self, z_hat: Tensor, residual: Tensor, qp: Tensor, hints: Hints = NO_HINTS
    ) -> Tensor:
        """ẑ and r → (B, H, W, 3), unclipped, in 8-bit levels about 0."""
        return self.samples(self.latents(z_hat, residual, qp, hints), qp, hints)
