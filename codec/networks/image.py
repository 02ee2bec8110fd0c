"""The image codec's networks: a hyperprior autoencoder whose table choice is integer and whose means are free.

    RGB ─ patches 16×16 ─┬─ linear (PCA) ──┐
                         └─ trunk ─────────┴─ y ─×gain[qp]─┬─ − μ ─ round ─ r
                                                           └─ hyper-encoder ─ round ─ ẑ
    ẑ ─┬─ W·ẑ + b[qp] ─ table index of every r            (integers: nothing else touches the entropy coder)
       └─ hyper-decoder ─ μ of half the latents ─ context ─ μ of the other half
    r + μ = ŷ ─÷gain[qp]─┬─ linear ───────────────┬─ + ─ RGB
                         └─ body ─ renderer at 1/4 ┘

Ballé et al. 2018 (hyperprior), Minnen et al. 2018 (means), He et al. 2021 (checkerboard), PULSE 2026 (patches at 1/16).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.entropy.tables import RESIDUAL_LIMIT, SCALE_MIN, SHIFT, Z_LIMIT
from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.blocks import (
    Block,
    Depthwise,
    GatedFfn,
    PatchConv,
    Pointwise,
    QpVector,
    Trunk,
    activate,
    compress_range,
)
from ncodec.networks.likelihood import SCALE_STEP, noisy_bits, scale_of_index

PATCH_VALUES = 3 * PATCH * PATCH
CODED = 0.5
"""table index from which values are coded: below it they are zero"""
TRUNK_LIMIT, TRUNK_STEPS = 150.0, 3.5
"""bound of what the analysis trunk adds to a latent, in 8-bit levels and in steps of its quantizer: on pictures unlike
photographs, such as noise, it would explode; on photographs it stays below"""


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
        """Lagrangian of λ·255²·MSE + bpp at each qp, log-spaced from `lambda_min` to `lambda_max`."""
        ratio = math.log(self.lambda_max / self.lambda_min)
        return self.lambda_min * torch.exp(qp.float() * (ratio / (self.qp_count - 1)))

    def step_of(self, qp: Tensor) -> Tensor:
        """Step (in 8-bit levels) of a uniform quantizer at the high-rate optimum of λ·255²·MSE + bpp."""
        return torch.sqrt(18 / (math.log(2) * self.lambda_of(qp)))


@dataclass(frozen=True)
class Statistics:
    """What step 0 starts from: the principal components of 16×16 RGB patches, in `patchify` order."""

    basis: Tensor
    """(latent, 768), orthonormal rows"""
    deviations: Tensor
    """(latent,), standard deviation along each row, in 8-bit levels"""


@dataclass(frozen=True)
class Hints:
    """What else is known to both sides, as features that are added inside the networks; a still picture has none."""

    encoder: Tensor | None = None
    """(B, encoder_width, h, w), before the analysis trunk"""
    means: Tensor | None = None
    """(B, entropy_width, h, w), before the means"""
    body: Tensor | None = None
    """(B, body_width, h, w), before the synthesis body"""
    render: Tensor | None = None
    """(B, render_width, 4·h, 4·w), before the renderer"""


NO_HINTS = Hints()


@dataclass(frozen=True)
class Prediction:
    """What training sees of one batch."""

    pixels: Tensor
    """(B, 3, H, W), unclipped, 0…1"""
    y_bits: Tensor
    """(B,) estimated bits of r"""
    z_bits: Tensor
    """(B,) estimated bits of ẑ"""
    idle_bits: Tensor | None = None
    """(B,) bits among these of the noise around values whose table is certain: no file holds them"""
    penalty: Tensor | None = None
    """() what some models add to the loss"""
    quiet: Tensor | None = None
    """(B, 1, h, w) whether r is 0 in all channels"""


def plus(x: Tensor, hint: Tensor | None) -> Tensor:
    """The sum, or x alone where there is no hint: an addition of nothing would stay in the exported graph."""
    return x if hint is None else x + hint


def sum_each(values: Tensor) -> Tensor:
    """(B, …) → (B,)."""
    return values.flatten(1).sum(1)


def round_through(x: Tensor) -> Tensor:
    """Round with the gradient of the identity."""
    return x + (x.round() - x).detach()


class Analysis(nn.Module):
    """RGB → y in 8-bit levels: a linear block transform plus what a trunk of depthwise blocks adds."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        width = config.encoder_width
        self.linear = PatchConv(PATCH, config.latent, bias=False)
        self.embed = PatchConv(PATCH, width, gain=2.0)
        self.quality = QpVector(torch.ones(config.knots, width), qp_count=config.qp_count)
        self.trunk = Trunk(*(Block(width) for _ in range(config.encoder_depth)))
        self.head = Pointwise(width, config.latent, gain=0.0)
        self.step_of = config.step_of

    def forward(self, pixels: Tensor, qp: Tensor, hint: Tensor | None = None) -> Tensor:
        """(B, 3, H, W) in 0…1 → (B, latent, H/16, W/16); H and W multiples of 16."""
        centred = pixels - 0.5
        y = self.linear(centred * 255)
        features = self.trunk(plus(self.embed(centred) * self.quality(qp), hint))
        limit = TRUNK_LIMIT + TRUNK_STEPS * self.step_of(qp)[:, None, None, None]
        added = 8 * self.head(features)
        return y + torch.minimum(torch.maximum(added, -limit), limit)  # type: ignore[no-any-return]


class HyperAnalysis(nn.Module):
    """y in units of its step → z before rounding, at a quarter of its resolution."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.enter = Pointwise(config.latent, config.entropy_width)
        self.fine = Block(config.entropy_width)
        self.down = nn.Conv2d(config.entropy_width, config.hyper_width, HYPER_CELL, stride=HYPER_CELL)
        self.coarse = Block(config.hyper_width, kernel=3)
        # Started small: a hyper-latent that costs much before it helps is slow to shrink.
        self.head = Pointwise(config.hyper_width, config.hyper, gain=0.1)

    def forward(self, y: Tensor) -> Tensor:
        """(B, latent, h, w) → (B, hyper, ⌈h/4⌉, ⌈w/4⌉)."""
        features = self.fine(activate(self.enter(compress_range(y))))
        # A constant pad and a flooring stride give ⌈h/4⌉ with no shape arithmetic in the exported graph.
        features = F.pad(features, (0, HYPER_CELL - 1, 0, HYPER_CELL - 1))
        z: Tensor = self.head(self.coarse(activate(self.down(features))))
        return z


class Means(nn.Module):
    """Predicts μ in two passes over a checkerboard of positions and channels (He et al. 2021).

    Pass 1 sees ẑ only and serves half of the latents; pass 2 also sees those once they are known.
    """

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        width = config.entropy_width
        self.enter = Pointwise(config.hyper, config.hyper_width)
        self.coarse = Block(config.hyper_width, kernel=3)
        self.up = nn.ConvTranspose2d(config.hyper_width, width, HYPER_CELL, stride=HYPER_CELL)
        self.quality = QpVector(torch.ones(config.knots, width), qp_count=config.qp_count)
        self.fine = Block(width)
        self.first = Pointwise(width, config.latent, gain=0.1)
        self.context = Pointwise(config.latent, width)
        self.merge = Block(width)
        self.second = Pointwise(width, config.latent, gain=0.1)

    def features(self, z_hat: Tensor, qp: Tensor, like: Tensor, hint: Tensor | None = None) -> Tensor:
        """(B, hyper, ⌈h/4⌉, ⌈w/4⌉) → (B, entropy_width, h, w), cropped to the size of `like`."""
        up = self.up(self.coarse(self.enter(z_hat)))[:, :, : like.shape[2], : like.shape[3]]
        return self.fine(plus(up * self.quality(qp), hint))  # type: ignore[no-any-return]

    def pass_one(self, features: Tensor) -> Tensor:
        """μ of the first half, (B, latent, h, w)."""
        return self.first(features)  # type: ignore[no-any-return]

    def pass_two(self, features: Tensor, known: Tensor) -> Tensor:
        """μ of the second half, given ŷ of the first half and zeros elsewhere, (B, latent, h, w)."""
        merged = self.merge(features + self.context(compress_range(known)))
        return self.second(merged)  # type: ignore[no-any-return]


class TableIndex(nn.Module):
    """Real-valued table index of each latent, linear in ẑ so that export can make it integer.

    At export W becomes int8 in units of 2⁻⁴ and b becomes int32; the training range is kept inside what int8 holds.
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
        """(B, hyper, ⌈h/4⌉, ⌈w/4⌉) → (B, latent, h, w), unclipped, in table steps."""
        index = F.pixel_shuffle(F.conv2d(z_hat, self.limited_weight()), HYPER_CELL)
        bias: Tensor = self.bias(qp)
        return index[:, :, : like.shape[2], : like.shape[3]] + bias


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
    """ŷ → RGB: the linear inverse transform, corrected on a 1/4 grid by what a body at 1/16 tells a small renderer."""

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
        # Corrections are of the size of the quantization step; the head learns at unit scale for every qp.
        log_size = (config.step_of(knot_qps)[:, None] / 255).log()
        self.log_size = QpVector(log_size, qp_count=config.qp_count)

    def forward(self, y_hat: Tensor, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """ŷ in steps and in 8-bit levels, both (B, latent, h, w) → (B, 3, 16·h, 16·w), unclipped, −½…½."""
        linear = F.pixel_shuffle(self.linear(levels / 255), 4)  # (B, 48, H/4, W/4)
        body = self.body(plus(self.enter(compress_range(y_hat)) * self.quality(qp), hints.body))
        features = F.pixel_shuffle(self.spread(body), 4) + self.look(linear)  # (B, render, H/4, W/4)
        features = plus(features, hints.render)
        correction = self.head(self.render(features)) * self.log_size(qp).exp()
        return F.pixel_shuffle(linear + correction, 4)


class ImageModel(nn.Module):
    """The whole image codec in one trainable module; `ncodec.training.export.onnx` cuts it into its graphs."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        knot_qps = torch.linspace(0, config.qp_count - 1, config.knots)
        log_gain = -config.step_of(knot_qps).log()[:, None].repeat(1, config.latent)  # (K, latent)
        self.analysis = Analysis(config)
        self.log_gain = QpVector(log_gain, qp_count=config.qp_count)
        self.log_inverse_gain = QpVector(-log_gain, qp_count=config.qp_count)
        self.hyper_analysis = HyperAnalysis(config)
        self.means = Means(config)
        self.table_index = TableIndex(config)
        self.z_index = QpVector(torch.full((config.knots, config.hyper), 10.0), qp_count=config.qp_count)
        self.synthesis = Synthesis(config)

    @torch.no_grad()
    def start_from(self, statistics: Statistics) -> None:
        """Make step 0 a working transform codec: PCA both ways, table indices at the PCA deviations."""
        self.analysis.linear.weight.copy_(statistics.basis[:, :, None, None])
        self.synthesis.linear.weight.copy_(statistics.basis.T[:, :, None, None])
        deviations = statistics.deviations.clamp(min=1e-3)[None] * self.log_gain.knots.exp()  # (K, latent)
        # Channels far below the first row would need long to come back when the networks find a use for them.
        index = ((deviations / SCALE_MIN).log() / SCALE_STEP).clamp(min=-2)
        self.table_index.bias.knots.copy_(index)

    def first_half(self, like: Tensor) -> Tensor:
        """1 where pass 1 predicts, 0 where pass 2 does: a checkerboard in row, column and channel."""
        rows = torch.arange(like.shape[2], device=like.device)[:, None]
        columns = torch.arange(like.shape[3], device=like.device)[None, :]
        channels = torch.arange(like.shape[1], device=like.device)[:, None, None]
        return ((rows + columns) % 2 == channels % 2).to(like.dtype)  # (latent, h, w)

    def scaled_latent(self, pixels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """(B, 3, H, W) → y in units of its quantization step, (B, latent, H/16, W/16)."""
        y: Tensor = self.analysis(pixels, qp, hints.encoder)
        gain: Tensor = self.log_gain(qp).exp()
        return y * gain

    def render(self, y_hat: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """ŷ in units of its step → (B, 3, H, W), unclipped, −½…½."""
        levels = y_hat * self.log_inverse_gain(qp).exp()
        pixels: Tensor = self.synthesis(y_hat, levels, qp, hints)
        return pixels

    def encode(self, pixels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) → ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉) and r (B, latent, h, w), whole numbers as float32.

        Both are zero wherever their table is the certain one, so that encoder and decoder predict from the same ŷ.
        """
        z_hat, residual, _ = self.quantize(pixels, qp, hints)
        return z_hat, residual

    def quantize(
        self, pixels: Tensor, qp: Tensor, hints: Hints = NO_HINTS, exact: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """ẑ and r as of `encode`, and ŷ, (B, latent, h, w), as `decode` finds it."""
        y = self.scaled_latent(pixels, qp, hints)
        return self.quantize_latents(y, self.hyper_analysis(y), qp, hints, exact)

    def quantize_latents(
        self, y: Tensor, z: Tensor, qp: Tensor, hints: Hints = NO_HINTS, exact: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """y in units of its step and z → ẑ, r and ŷ; ẑ and r are 0 where `exact`, (B, 1, ⌈h/4⌉, ⌈w/4⌉), is 1."""
        z_coded = (self.z_index(qp) >= CODED).to(y.dtype)
        if exact is not None:
            z_coded = z_coded * (1 - exact)
        z_hat = z.round().clamp(-Z_LIMIT, Z_LIMIT) * z_coded
        coded = (self.table_index(z_hat, qp, y) >= CODED).to(y.dtype)
        if exact is not None:
            coded = coded * (1 - F.interpolate(exact, scale_factor=HYPER_CELL))[:, :, : y.shape[2], : y.shape[3]]
        half = self.first_half(y)
        features = self.means.features(z_hat, qp, y, hints.means)
        mu_first = self.means.pass_one(features)
        first = (y - mu_first).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        known = (first + mu_first) * half
        mu_second = self.means.pass_two(features, known)
        second = (y - mu_second).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        return z_hat, first * half + second * (1 - half), known + (second + mu_second) * (1 - half)

    def settle(
        self, y: Tensor, z_hat: Tensor, residual: Tensor, coded: Tensor, reround: Tensor, qp: Tensor
    ) -> tuple[Tensor, Tensor]:
        """y in units of its step, ẑ and r → r, its second half rounded anew from y where `reround` (1,) is 1, and ŷ."""
        half = self.first_half(residual)
        features = self.means.features(z_hat, qp, residual)
        known = (residual + self.means.pass_one(features)) * half
        mu_second = self.means.pass_two(features, known)
        fresh = (y - mu_second).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        second = residual + reround * (fresh - residual)
        return residual * half + second * (1 - half), known + (second + mu_second) * (1 - half)

    def decode(self, z_hat: Tensor, residual: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """ẑ and r → (B, 3, H, W), unclipped, −½…½."""
        half = self.first_half(residual)
        features = self.means.features(z_hat, qp, residual, hints.means)
        known = (residual + self.means.pass_one(features)) * half
        mu_second = self.means.pass_two(features, known)
        return self.render(known + (residual + mu_second) * (1 - half), qp, hints)

    def forward(self, pixels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Prediction:
        """Training pass: noise prices r and ẑ, everything downstream sees them rounded, straight through.

        Shapes: pixels (B, 3, H, W) in 0…1 with H and W multiples of 64, qp (B,) float.
        """
        y = self.scaled_latent(pixels, qp, hints)
        z = self.hyper_analysis(y)
        z_hat = round_through(z)
        features = self.means.features(z_hat, qp, y, hints.means)
        half = self.first_half(y)
        mu_first = self.means.pass_one(features)
        known = (round_through(y - mu_first) + mu_first) * half
        mu_second = self.means.pass_two(features, known)
        mu = mu_first * half + mu_second * (1 - half)
        residual = y - mu
        y_hat = round_through(residual) + mu
        index, z_index = self.table_index(z_hat, qp, y), self.z_index(qp).expand_as(z)
        y_bits = noisy_bits(residual, scale_of_index(index))  # (B, latent, h, w)
        z_bits = noisy_bits(z, scale_of_index(z_index))
        idle = sum_each(y_bits.detach() * (index < CODED)) + sum_each(z_bits.detach() * (z_index < CODED))
        quiet = ((residual.detach().round() == 0) | (index < CODED)).all(dim=1, keepdim=True)
        pixels = self.render(y_hat, qp, hints) + 0.5
        return Prediction(pixels, sum_each(y_bits), sum_each(z_bits), idle, quiet=quiet)


def halo_of(config: ImageConfig) -> int:
    """Pixels around a tile that its symbols or pixels depend on, rounded up to whole hyper-latents of 64 pixels.

    Encoding: the analysis blocks, one fine block each in the hyper-encoder, the hyper-decoder and the context, one
    coarse block on either side of ẑ. Decoding: one coarse block, the two fine ones, the body, and the renderer's blocks
    at a quarter of a latent each. One cell more for the alignment of the 4×4 latents.
    """
    encode = 2 + math.ceil((config.encoder_depth + 3) / HYPER_CELL)
    decode = 1 + math.ceil((2 + config.body_depth + math.ceil(config.render_depth / 4)) / HYPER_CELL)
    return (1 + max(encode, decode)) * HYPER_CELL * PATCH
