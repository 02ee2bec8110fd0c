"""Widths and ranges of the networks."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageConfig:
    """Widths and ranges of an image model; everything that a checkpoint's shape depends on."""

    latent: int = 320
    """channels of y, at 1/16"""
    hyper: int = 96
    """channels of z, at 1/64"""
    encoder_width: int = 256
    encoder_depth: int = 8
    entropy_width: int = 96
    """channels of the hyper and context networks at 1/16"""
    hyper_width: int = 192
    """channels of the hyper networks at 1/64"""
    body_width: int = 192
    body_depth: int = 2
    render_width: int = 32
    """channels of the renderer at 1/4"""
    render_depth: int = 2
    qp_count: int = 64
    knots: int = 8
    lambda_min: float = 0.0004
    lambda_max: float = 0.5

    def lambda_of(self, qp: Tensor) -> Tensor:
        """λ at each QP, log-spaced from `lambda_min` at QP 0 to `lambda_max` at the last one, in
        the shape of `qp`.

        It is the Lagrangian of λ·MSE + bpp, with the mean squared error in squared 8-bit levels.
        """
        ratio = math.log(self.lambda_max / self.lambda_min)
        return self.lambda_min * torch.exp(qp.float() * (ratio / (self.qp_count - 1)))

    def step_of(self, qp: Tensor) -> Tensor:
        """Step (in 8-bit levels) of a uniform quantizer at the high-rate optimum of λ·255²·MSE +
        bpp."""
        return torch.sqrt(18 / (math.log(2) * self.lambda_of(qp)))
