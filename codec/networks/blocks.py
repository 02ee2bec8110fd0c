"""Building blocks shared by the networks: local, per-pixel or depthwise, with no look at the whole
picture."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.grid import PATCH

RENDER_PATCH = 4
"""side, in pixels, of what the renderer works on"""
LEAK = 0.1


def activate(x: Tensor) -> Tensor:
    """LeakyReLU, the one activation used: cheap in float and in int8."""
    return F.leaky_relu(x, LEAK)


def compress_range(x: Tensor) -> Tensor:
    """Map values of any scale to a unit-like scale, linear near zero and a signed square root far
    away.

    Latents in units of their quantization step span ±300 at high quality; networks that see them
    raw learn slowly.
    """
    return x / torch.sqrt(1 + x.abs())


def patchify(x: Tensor, side: int = PATCH) -> Tensor:
    """(B, 3, H, W) → (B, 3·side², H/side, W/side), patches of pixels as channels; `side`, 4 or 16,
    divides H and W.

    The order of channels is R, G, B, then row and column in a cell of 4×4 pixels, then row and
    column of the cell in the patch.
    """
    return F.pixel_unshuffle(F.pixel_unshuffle(x, RENDER_PATCH), side // RENDER_PATCH)


class Pointwise(nn.Conv2d):
    """1×1 convolution; `gain` scales the initial weights, 0 starts a branch silent."""

    def __init__(
        self, in_channels: int, out_channels: int, *, gain: float = 1.0, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size=1, bias=bias)
        with torch.no_grad():
            self.weight.normal_(std=gain * in_channels**-0.5)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C', h, w)."""
        if not self.training:
            return super().forward(x)
        # A matrix product over channels last: in eager PyTorch on a CPU a training step is a third
        # faster with it.
        y = F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias)  # (B, h, w, C')
        return y.permute(0, 3, 1, 2)

    def product(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Factors of the last matrix product of `forward`: its input (B, C, h, w), its weight (C',
        C, 1, 1) and its bias, (C',) or None."""
        return x, self.weight, self.bias

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) → the first and the second half of the output channels, each (B, C'/2, h,
        w)."""
        if self.training:
            first, second = self(x).chunk(2, dim=1)
            return first, second
        # Two convolutions: ONNX Runtime keeps channels in its blocks of eight only up to where an
        # array is cut.
        biases = (None, None) if self.bias is None else self.bias.chunk(2)
        first, second = (
            F.conv2d(x, *part) for part in zip(self.weight.chunk(2), biases, strict=True)
        )
        return first, second


def known_bias(bias: Tensor | None, like: Tensor, count: int) -> Tensor:
    """(count,), zeros of the type of `like` where a convolution has no bias."""
    return like.new_zeros(count) if bias is None else bias


class PatchConv(Pointwise):
    """1×1 convolution over patches of 4×4 or 16×16 RGB pixels, their values in the order of
    `patchify`."""

    def __init__(
        self, side: int, out_channels: int, *, gain: float = 1.0, bias: bool = True
    ) -> None:
        super().__init__(3 * side * side, out_channels, gain=gain, bias=bias)
        self.side = side

    def forward(self, x: Tensor, *, unit: float = 1.0) -> Tensor:
        """(B, 3, H, W) → (B, C', H/side, W/side); the input is multiplied by `unit` first."""
        if self.training:
            return super().forward(patchify(x, self.side) * unit)
        # One convolution over pixels: moving them takes ONNX Runtime longer than the products.
        cells = self.weight.view(
            -1, 3, RENDER_PATCH, RENDER_PATCH, self.side // RENDER_PATCH, self.side // RENDER_PATCH
        )
        kernel = cells.permute(0, 1, 4, 2, 5, 3).reshape(-1, 3, self.side, self.side)
        return F.conv2d(x, kernel * unit, self.bias, stride=self.side)


def shuffle(x: Tensor, weight: Tensor, bias: Tensor | None, *, side: int, like: Tensor) -> Tensor:
    """1×1 convolution whose channels become side × side positions of C' channels each: (B, C, h, w)
    → (B, side·h, side·w, C'), channels last.

    `weight` is (side², C', C) and `bias` (side², C') or None, row by row of positions. `like` is
    any tensor of x's height and width.
    """
    cells, channels, _ = weight.shape
    high, wide = like.shape[2:]
    biases = None if bias is None else bias.reshape(cells * channels)
    flat = F.conv2d(x, weight.reshape(cells * channels, -1, 1, 1), biases)
    rows = flat.permute(0, 2, 3, 1).reshape(-1, high, wide, side, side * channels)
    # Rows of whole positions move, not single values, which takes a fifth of the time.
    return rows.transpose(2, 3).reshape(-1, side * high, side * wide, channels)


class Lift(nn.ConvTranspose2d):
    """Transposed convolution whose kernels, `side` × `side`, do not overlap."""

    def __init__(self, in_channels: int, out_channels: int, *, side: int) -> None:
        super().__init__(in_channels, out_channels, side, stride=side)
        self.side = side

    def forward(self, x: Tensor, *, under: Tensor, like: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C, ⌈h/side⌉, ⌈w/side⌉) → (B, C', h, w), cropped.

        `under` is any tensor of x's height and width, `like` any of h and w.
        """
        high, wide = like.shape[2:]
        if self.training:
            return super().forward(x)[:, :, :high, :wide]
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 1)
        bias = torch.cat(self.side**2 * [known_bias(self.bias, x, self.out_channels)])
        up = shuffle(x, weight, bias, side=self.side, like=under)
        return keep_layout(up[:, :high, :wide].permute(0, 3, 1, 2), self.out_channels)


def keep_layout(x: Tensor, channels: int) -> Tensor:
    """Identity, (B, C, h, w), as a depthwise convolution by ones: ONNX Runtime keeps the layout of
    a convolution's result through sums and products."""
    return F.conv2d(x, x.new_ones((channels, 1, 1, 1)), groups=channels)


class GatedFfn(nn.Module):
    """Residual x + W₂(a·g(b)) with (a, b) = W₁x and g a hard sigmoid: two 1×1 convolutions and a
    bounded gate.

    An unbounded gate squares its input at every block, and without normalization that diverges at
    useful rates.
    """

    def __init__(self, channels: int, *, hidden: int) -> None:
        super().__init__()
        self.expand = Pointwise(channels, 2 * hidden)
        self.project = Pointwise(hidden, channels, gain=0.3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        a, b = self.expand.halves(x)  # each (B, hidden, h, w)
        gated: Tensor = self.project(a * F.hardsigmoid(b))
        return x + gated


class Depthwise(nn.Conv2d):
    """Convolution of each channel by itself, over sides that are odd; the size stays."""

    shifted = False

    def __init__(self, channels: int, *, kernel: int = 3) -> None:
        super().__init__(channels, channels, kernel, padding=kernel // 2, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        if not self.shifted:
            return super().forward(x)
        side, (high, wide) = self.kernel_size[0], x.shape[2:]
        bordered = F.pad(x, (side // 2,) * 4)
        weight = self.weight.to(x.dtype)
        y = x.new_zeros(()) if self.bias is None else self.bias.to(x.dtype)[None, :, None, None]
        for row in range(side):
            for column in range(side):
                shifted = bordered[:, :, row : row + high, column : column + wide]
                y = y + shifted * weight[:, 0, row, column][None, :, None, None]
        return y


def use_shifts(network: nn.Module, enabled: bool) -> None:
    """Choose how every `Depthwise` of a network is computed, to equal results but for rounding: if
    `enabled`, as a sum of shifted products, which makes a compiled training step faster."""
    for module in network.modules():
        if isinstance(module, Depthwise):
            module.shifted = enabled


class Block(nn.Module):
    """Depthwise block of DCVC-RT and PULSE: x + 1×1(dw(act(1×1 x))), then a gated feed-forward
    part.

    8·C² + kernel²·C multiply–accumulates a position at the default expansion of 2.
    """

    def __init__(self, channels: int, *, kernel: int = 3, expansion: float = 2.0) -> None:
        super().__init__()
        self.enter = Pointwise(channels, channels)
        self.depthwise = Depthwise(channels, kernel=kernel)
        self.leave = Pointwise(channels, channels, gain=0.3)
        self.ffn = GatedFfn(channels, hidden=round(expansion * channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        mixed = self.leave(self.depthwise(activate(self.enter(x))))
        y: Tensor = self.ffn(x + mixed)
        return y


class Trunk(nn.Sequential):
    """Blocks in a row, in bfloat16 where `use_bfloat16` asked for it; input and output stay
    float32."""

    in_bfloat16 = False

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C, h, w)."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.in_bfloat16):
            y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return y.float()


def use_bfloat16(network: nn.Module, enabled: bool) -> None:
    """Choose the precision of every trunk; latents, means, likelihoods and the linear paths stay
    float32."""
    for module in network.modules():
        if isinstance(module, Trunk):
            module.in_bfloat16 = enabled


class QpVector(nn.Module):
    """Per-channel values that vary smoothly with qp: learned at a few knots, linear between them.

    Few knots instead of one row per qp, so that every row is trained by every batch.
    """

    def __init__(self, knots: Tensor, *, qp_count: int) -> None:
        """`knots` is the initial (K, C) table; knot k sits at qp k·(qp_count - 1)/(K - 1)."""
        super().__init__()
        self.knots = nn.Parameter(knots)
        self.step = (qp_count - 1) / (knots.shape[0] - 1)

    def forward(self, qp: Tensor) -> Tensor:
        """(B,) float qp → (B, C, 1, 1)."""
        return (self._weights(qp) @ self.knots.float())[:, :, None, None]

    def scale(self, x: Tensor, qp: Tensor, *, like: Tensor) -> Tensor:
        """(B, C, h, w) and (B,) float qp → (B, C, h, w), each channel times its value.

        `like` is any tensor of x's height and width.
        """
        factors: Tensor
        if self.training:
            factors = self(qp)
            return x * factors
        # Both factors are results of convolutions of one shape: ONNX Runtime leaves its blocks of
        # channels for the product with a vector, and for sums after it.
        ones = like.new_ones((1, 1, *like.shape[2:]))
        weights = self._weights(qp)[:, :, None, None] * ones
        factors = F.conv2d(weights, self.knots.t()[:, :, None, None])
        return x * factors

    def _weights(self, qp: Tensor) -> Tensor:
        """(B,) float qp → (B, K), the weight of each knot."""
        positions = torch.arange(self.knots.shape[0], device=qp.device, dtype=torch.float32)
        away: Tensor = (qp.float()[:, None] / self.step - positions).abs()
        return (1 - away).clamp(min=0)
