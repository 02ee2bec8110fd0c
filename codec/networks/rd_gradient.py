"""Gradient of the errors' cost by the latents: the synthesis backwards, layer by layer.

Written out, and not left to autograd, because a graph of ONNX has no gradients; a test holds it to
autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.networks.blocks import LEAK, Block, GatedFfn, Trunk, activate, compress_range
from ncodec.networks.image import ImageModel
from ncodec.networks.synthesis import RenderBlock, Synthesis

Pull = Callable[[Tensor], Tensor]
"""gradient with respect to what was made → gradient with respect to what it was made of"""
_LINEAR_SHARE = 0.7
"""share of the linear path's curvature that the whole synthesis has"""


def _back(conv: nn.Conv2d, gradient: Tensor) -> Tensor:
    """Through a 1×1 convolution."""
    return F.conv2d(gradient, conv.weight.transpose(0, 1))


def _back_depthwise(conv: nn.Conv2d, gradient: Tensor) -> Tensor:
    return F.conv2d(
        gradient, conv.weight.flip(2, 3), padding=conv.kernel_size[0] // 2, groups=conv.groups
    )


def _ffn(ffn: GatedFfn, x: Tensor) -> tuple[Tensor, Pull]:
    a, b = ffn.expand.halves(x)
    gate = F.hardsigmoid(b)

    def pull(gradient: Tensor) -> Tensor:
        hidden = _back(ffn.project, gradient)
        to_a, to_b = (part.transpose(0, 1) for part in ffn.expand.weight.chunk(2))
        opening = ((b > -3) & (b < 3)).to(gradient.dtype) / 6
        return gradient + F.conv2d(hidden * gate, to_a) + F.conv2d(hidden * a * opening, to_b)

    return x + ffn.project(a * gate), pull


def _block(block: Block, x: Tensor) -> tuple[Tensor, Pull]:
    entered = block.enter(x)
    made, pull_ffn = _ffn(block.ffn, x + block.leave(block.depthwise(activate(entered))))

    def pull(gradient: Tensor) -> Tensor:
        gradient = pull_ffn(gradient)
        mixed = _back_depthwise(block.depthwise, _back(block.leave, gradient))
        leak = torch.where(entered > 0, 1.0, LEAK)
        return gradient + _back(block.enter, mixed * leak)

    return made, pull


def _render_block(block: RenderBlock, x: Tensor) -> tuple[Tensor, Pull]:
    made, pull_ffn = _ffn(block.ffn, x + block.depthwise(x))

    def pull(gradient: Tensor) -> Tensor:
        gradient = pull_ffn(gradient)
        return gradient + _back_depthwise(block.depthwise, gradient)

    return made, pull


def _trunk(
    step: Callable[[Any, Tensor], tuple[Tensor, Pull]], trunk: Trunk, x: Tensor
) -> tuple[Tensor, Pull]:
    pulls: list[Pull] = []
    for block in trunk:
        x, pull_block = step(block, x)
        pulls.append(pull_block)

    def pull(gradient: Tensor) -> Tensor:
        for pull_block in reversed(pulls):
            gradient = pull_block(gradient)
        return gradient

    return x, pull


def _synthesis(
    part: Synthesis, y_hat: Tensor, inverse_gain: Tensor, qp: Tensor
) -> tuple[Tensor, Pull]:
    """Output and activations of `Synthesis` for ŷ in units of its step, (B, latent, h, w) → (B, 48,
    4·h, 4·w)."""
    linear = F.pixel_shuffle(part.linear(y_hat * inverse_gain / 255), 4)  # (B, 48, H/4, W/4)
    quality, size = part.quality(qp), part.log_size(qp).exp()
    body, pull_body = _trunk(_block, part.body, part.enter(compress_range(y_hat)) * quality)
    features = F.pixel_shuffle(part.spread(body), 4) + part.look(linear)  # (B, render, H/4, W/4)
    rendered, pull_render = _trunk(_render_block, part.render, features)

    def pull(cells: Tensor) -> Tensor:
        to_features = pull_render(_back(part.head, cells * size))
        to_linear = F.pixel_unshuffle(cells + _back(part.look, to_features), 4)  # (B, 768, h, w)
        to_body = pull_body(_back(part.spread, F.pixel_unshuffle(to_features, 4))) * quality
        root = torch.sqrt(1 + y_hat.abs())
        straight = _back(part.enter, to_body) * (1 + y_hat.abs() / 2) / root**3
        return straight + _back(part.linear, to_linear) * inverse_gain / 255

    return linear + part.head(rendered) * size, pull


@dataclass(frozen=True)
class Gradient:
    """Gradient and curvature of the errors' cost, λ·255²·MSE in bits of the picture, by latent."""

    gradient: Tensor
    """(B, latent, h, w), its first derivative"""
    curvature: Tensor
    """(B, latent, 1, 1), about its second one"""
    cost: Tensor
    """(B, h, w), of the errors under each latent"""


def rd_gradient(
    model: ImageModel, y_hat: Tensor, unit: Tensor, error_weights: Tensor, qp: Tensor
) -> Gradient:
    """Gradient, curvature and value of the errors' cost λ·255²·MSE, in bits: ŷ in units of its
    step, (B, latent, h, w), the source `unit`, (B, 3, 16·h, 16·w) in 0…1, and qp (B,).

    `error_weights`, (48, 48) and symmetric, says what of the errors of 4×4 pixels counts, as in
    `ncodec.image.error_weights`. Derivatives are by ŷ, in quantizer steps.
    """
    part, inverse_gain = model.synthesis, model.log_inverse_gain(qp).exp()
    made, pull = _synthesis(part, y_hat, inverse_gain, qp)
    price = 2 * model.config.lambda_of(qp)[:, None, None, None] * 255**2
    matrix = error_weights[:, :, None, None]
    patches = F.pixel_shuffle(
        part.linear.weight[:, :, 0, 0].T[:, :, None, None], 4
    )  # (latent, 48, 4, 4)
    size = (patches * F.conv2d(patches, matrix)).sum(dim=(1, 2, 3))[None, :, None, None]
    error = made + 0.5 - F.pixel_unshuffle(unit, 4)  # (B, 48, H/4, W/4)
    weighed = F.conv2d(error, matrix) * price
    curvature = _LINEAR_SHARE * price * size * (inverse_gain / 255) ** 2
    cost = F.avg_pool2d((error * weighed).sum(dim=1, keepdim=True), 4) * 8
    return Gradient(pull(weighed), curvature, cost[:, 0])
