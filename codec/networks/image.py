"""The image codec's networks: a hyperprior autoencoder whose table choice is integer and whose
means are free.

    RGB ─ patches 16×16 ─┬─ linear (PCA) ──┐
                         └─ trunk ─────────┴─ y ─×gain[qp]─┬─ − μ ─ round ─ r
                                                           └─ hyper-encoder ─ round ─ ẑ
    ẑ ─┬─ W·ẑ + b[qp] ─ table index of every r            (integers: nothing else touches the
    entropy coder)
       └─ hyper-decoder ─ μ of half the latents ─ context ─ μ of the other half
    r + μ = ŷ ─÷gain[qp]─┬─ linear ───────────────┬─ + ─ RGB
                         └─ body ─ renderer at 1/4 ┘

Ballé et al. 2018 (hyperprior), Minnen et al. 2018 (means), He et al. 2021 (checkerboard), PULSE
2026 (patches at 1/16).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ncodec.entropy.tables import RESIDUAL_LIMIT, SCALE_MIN, Z_LIMIT
from ncodec.grid import HYPER_CELL, PATCH
from ncodec.networks.analysis import Analysis, HyperAnalysis
from ncodec.networks.blocks import RENDER_PATCH, QpVector
from ncodec.networks.config import ImageConfig
from ncodec.networks.decoder import Decoding
from ncodec.networks.hints import NO_HINTS, Hints
from ncodec.networks.likelihood import SCALE_STEP, noisy_bits, scale_of_index
from ncodec.networks.means import Means, TableIndex
from ncodec.networks.synthesis import Synthesis

CODED = 0.5
"""table index from which values are coded: below it they are zero"""


@dataclass(frozen=True)
class Statistics:
    """Start of training: the principal components of 16×16 RGB patches, in `patchify` order."""

    basis: Tensor
    """(latent, 768), orthonormal rows"""
    deviations: Tensor
    """(latent,), standard deviation along each row, in 8-bit levels"""


@dataclass(frozen=True)
class Prediction:
    """Pixels, bits and masks of one batch in training."""

    pixels: Tensor
    """(B, 3, H, W), unclipped, 0…1"""
    y_bits: Tensor
    """(B,) estimated bits of r"""
    z_bits: Tensor
    """(B,) estimated bits of ẑ"""
    zero_bin_bits: Tensor | None = None
    """(B,) bits among these of the noise around values whose table is certain: no file holds them
    """
    penalty: Tensor | None = None
    """() what some models add to the loss"""
    zero_bins: Tensor | None = None
    """(B, 1, h, w) whether r is 0 in all channels"""


def sum_each(values: Tensor) -> Tensor:
    """(B, …) → (B,)."""
    return values.flatten(1).sum(1)


def round_through(x: Tensor) -> Tensor:
    """Round with the gradient of the identity."""
    return x + (x.round() - x).detach()


class ImageModel(Decoding):
    """The whole image codec in one trainable module; `ncodec.training.export.onnx` cuts it into its
    graphs."""

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
        self.z_index = QpVector(
            torch.full((config.knots, config.hyper), 10.0), qp_count=config.qp_count
        )
        self.synthesis = Synthesis(config)

    @torch.no_grad()
    def start_from(self, statistics: Statistics) -> None:
        """Make step 0 a working transform codec: PCA both ways, table indices at the PCA
        deviations."""
        self.analysis.linear.weight.copy_(statistics.basis[:, :, None, None])
        self.synthesis.linear.weight.copy_(statistics.basis.T[:, :, None, None])
        deviations = (
            statistics.deviations.clamp(min=1e-3)[None] * self.log_gain.knots.exp()
        )  # (K, latent)
        # Channels far below the first row would need long to come back when the networks find a use
        # for them.
        index = ((deviations / SCALE_MIN).log() / SCALE_STEP).clamp(min=-2)
        self.table_index.bias.knots.copy_(index)

    def scaled_latent(self, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Tensor:
        """Pixels in 8-bit levels about 0, (B, 3, H, W) in −127.5…127.5 → y in units of its
        quantization step, (B, latent, H/16, W/16)."""
        y: Tensor = self.analysis(levels, qp, hints.encoder)
        gain: Tensor = self.log_gain(qp).exp()
        return y * gain

    def encode(self, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> tuple[Tensor, Tensor]:
        """Pixels in 8-bit levels about 0, (B, 3, H, W), H and W multiples of 16, and qp (B,) → ẑ
        (B, hyper, ⌈h/4⌉, ⌈w/4⌉) and r (B, latent, h, w), whole numbers as float32.

        Both are zero wherever their table is the certain one, so that encoder and decoder predict
        from equal ŷ.
        """
        z_hat, residual, _ = self.quantize(levels, qp, hints)
        return z_hat, residual

    def quantize(
        self, levels: Tensor, qp: Tensor, hints: Hints = NO_HINTS, exact: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels in 8-bit levels about 0, (B, 3, H, W), and qp (B,) → ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉), r
        and ŷ, both (B, latent, h, w), ŷ as `decode` finds it.

        `exact`, (B, 1, ⌈h/4⌉, ⌈w/4⌉) float32, is 1 in exact cells, where ẑ and r become 0, and 0
        elsewhere; None stands for no exact cells.
        """
        y = self.scaled_latent(levels, qp, hints)
        return self.quantize_latents(y, self.hyper_analysis(y), qp, hints, exact)

    def quantize_latents(
        self, y: Tensor, z: Tensor, qp: Tensor, hints: Hints = NO_HINTS, exact: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """y in units of its step, (B, latent, h, w), z, (B, hyper, ⌈h/4⌉, ⌈w/4⌉), and qp (B,) → ẑ,
        of the shape of z, and r and ŷ, of the shape of y.

        ẑ is clipped to ±127, r to ±32767. Both are 0 where their table is certain, and where
        `exact`, (B, 1, ⌈h/4⌉, ⌈w/4⌉) float32, is 1; None stands for no exact cells.
        """
        z_coded = (self.z_index(qp) >= CODED).to(y.dtype)
        if exact is not None:
            z_coded = z_coded * (1 - exact)
        z_hat = z.round().clamp(-Z_LIMIT, Z_LIMIT) * z_coded
        coded = (self.table_index(z_hat, qp, y) >= CODED).to(y.dtype)
        if exact is not None:
            coded = (
                coded
                * (1 - F.interpolate(exact, scale_factor=HYPER_CELL))[
                    :, :, : y.shape[2], : y.shape[3]
                ]
            )
        half = self.first_half(y)
        features = self.means.features(z_hat, qp, y, hints.means)
        mu_first = self.means.pass_one(features)
        first = (y - mu_first).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        known = (first + mu_first) * half
        mu_second = self.means.pass_two(features, known)
        second = (y - mu_second).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        return z_hat, first * half + second * (1 - half), known + (second + mu_second) * (1 - half)

    def requantize(
        self,
        y: Tensor,
        z_hat: Tensor,
        residual: Tensor,
        coded: Tensor,
        is_requantized: Tensor,
        qp: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Recompute ŷ after the search changed r; returns r and ŷ, both (B, latent, h, w).

        Shapes: y in units of its step, r and `coded` (B, latent, h, w); ẑ (B, hyper, ⌈h/4⌉, ⌈w/4⌉);
        qp (1,). Where `is_requantized`, (1,), is 1, the second half of r is replaced by y − μ,
        rounded, with μ from the first half as it now is, and by 0 where `coded` is 0. Where it is
        0, r comes back as it was.
        """
        half = self.first_half(residual)
        features = self.means.features(z_hat, qp, residual)
        known = (residual + self.means.pass_one(features)) * half
        mu_second = self.means.pass_two(features, known)
        fresh = (y - mu_second).round().clamp(-RESIDUAL_LIMIT, RESIDUAL_LIMIT) * coded
        second = residual + is_requantized * (fresh - residual)
        return residual * half + second * (1 - half), known + (second + mu_second) * (1 - half)

    def forward(self, pixels: Tensor, qp: Tensor, hints: Hints = NO_HINTS) -> Prediction:
        """Training pass: noise prices r and ẑ, everything downstream sees them rounded, straight
        through.

        Shapes: pixels (B, 3, H, W) in 0…1 with H and W multiples of 64, qp (B,) float.
        """
        y = self.scaled_latent((pixels - 0.5) * 255, qp, hints)
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
        zero_bin = sum_each(y_bits.detach() * (index < CODED)) + sum_each(
            z_bits.detach() * (z_index < CODED)
        )
        zero_bins = ((residual.detach().round() == 0) | (index < CODED)).all(dim=1, keepdim=True)
        pixels = self.render(y_hat, qp, hints) + 0.5
        return Prediction(pixels, sum_each(y_bits), sum_each(z_bits), zero_bin, zero_bins=zero_bins)


def halo_of(config: ImageConfig) -> int:
    """Width, in pixels, of the halo that a tile of whole hyper-latents needs for its symbols,
    rounded up to hyper-latents of 64 pixels; at least `decode_halo_of`.

    Encoding: the analysis blocks, one fine block each in the hyper-encoder, the hyper-decoder and
    the context, one coarse block on either side of ẑ. One cell more for the alignment of the 4×4
    latents.
    """
    encode = 3 + math.ceil((config.encoder_depth + 3) / HYPER_CELL)
    return max(encode * HYPER_CELL * PATCH, decode_halo_of(config))


def decode_halo_of(config: ImageConfig) -> int:
    """Width, in pixels, of the halo that a tile of whole hyper-latents needs for its pixels, given
    the symbols, rounded up to hyper-latents of 64 pixels: the latents of `rendered_latents`, and
    one hyper-latent for the coarse block."""
    return (1 + math.ceil(rendered_latents(config) / HYPER_CELL)) * HYPER_CELL * PATCH


def rendered_latents(config: ImageConfig) -> int:
    """Latents around its own that a decoded pixel depends on: one for each of the two fine blocks
    of the means, for each block of the body and for each four blocks of the renderer."""
    return 2 + config.body_depth + math.ceil(config.render_depth / RENDER_PATCH)
