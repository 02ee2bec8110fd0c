"""Decoders with narrower, factored or quantized layers, which read the symbols of their model.

Every such decoder is described by its weights alone: widths, depths, ranks and bits are shapes and
names of its tensors.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ncodec.networks.blocks import Depthwise, Lift, Pointwise, QpVector
from ncodec.networks.config import ImageConfig
from ncodec.networks.decoder import Decoding
from ncodec.networks.image import ImageModel
from ncodec.networks.means import Means
from ncodec.networks.synthesis import Synthesis

WEIGHT_PEAK = 63
"""magnitude of quantized weights: products of 8 and 7 bits do not saturate in pairs on processors
without VNNI"""
INPUT_PEAK = 255
LEAST_STEP = 2.0**-14
"""of weights: normal in float16"""
MOST_BLOCKS, MOST_CHANNELS = 64, 2**13
"""of a part, and of a tensor along any axis"""
State = Mapping[str, Tensor]


class Factored(nn.Module):
    """1×1 convolution as the product of two, of a rank below both widths."""

    def __init__(self, in_channels: int, rank: int, out_channels: int, *, bias: bool) -> None:
        super().__init__()
        self.reduce = Pointwise(in_channels, rank, bias=False)
        self.restore = Pointwise(rank, out_channels, bias=bias)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C', h, w)."""
        y: Tensor = self.restore(self.reduce(x))
        return y

    def product(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Factors of the last matrix product, as of `Pointwise.product`."""
        return self.reduce(x), self.restore.weight, self.restore.bias

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) → the first and the second half of the output channels, each (B, C'/2, h,
        w)."""
        return self.restore.halves(self.reduce(x))


class Quantized(nn.Module):
    """Convolution with 8-bit inputs and outputs and 7-bit weights, in float32 that holds them.

    Values are rounded to their grid and gradients pass through (Jacob et al. 2018). Inputs and
    outputs have one scale each, weights one for each output channel.
    """

    ranges: Tensor
    """(2, 2): least and most of inputs, then of outputs"""
    steps: Tensor
    """(C',) steps of the weights of each output channel"""

    def __init__(self, layer: Pointwise | Depthwise) -> None:
        super().__init__()
        self.layer = layer
        self.out_channels = layer.out_channels
        self.register_buffer("ranges", torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))
        self.register_buffer("steps", _steps_of(layer.weight))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → (B, C', h, w)."""
        self._follow()
        known = to_grid(x, self.ranges[0])
        return self._part(known, self.layer.weight, self.layer.bias, self.steps)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) → the first and the second half of the output channels, each (B, C'/2, h,
        w)."""
        self._follow()
        known, layer = to_grid(x, self.ranges[0]), self.layer
        biases = (None, None) if layer.bias is None else layer.bias.chunk(2)
        parts = zip(layer.weight.chunk(2), biases, self.steps.chunk(2), strict=True)
        first, second = (self._part(known, *part) for part in parts)
        return first, second

    def _follow(self) -> None:
        """Let the steps follow the weights while these are trained."""
        if self.training:
            self.steps.copy_(_steps_of(self.layer.weight))

    def _part(self, known: Tensor, weight: Tensor, bias: Tensor | None, steps: Tensor) -> Tensor:
        zeros = torch.zeros(len(weight), dtype=torch.int32)
        kernel = torch.fake_quantize_per_channel_affine(weight, steps, zeros, 0, -128, 127)
        layer = self.layer
        y = F.conv2d(known, kernel, bias, padding=layer.padding, groups=layer.groups)
        return to_grid(y, self.ranges[1])


def to_grid(x: Tensor, ends: Tensor) -> Tensor:
    """Round to 256 values from about the least to about the most of `ends`, (2,), with 0 between
    them, straight through; 0 is among the values."""
    least, most = (float(end) for end in ends)
    scale = max((most - least) / INPUT_PEAK, 1e-9)
    zero = round(-least / scale)
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, INPUT_PEAK)


def _steps_of(weight: Tensor) -> Tensor:
    """(C', C, h, w) → (C',): the largest weight of a channel is `WEIGHT_PEAK` steps."""
    return (weight.detach().flatten(1).abs().amax(1) / WEIGHT_PEAK).clamp(min=LEAST_STEP)


class ShrunkDecoder(Decoding):
    """The decoding half of an image model on its own."""

    def __init__(self, config: ImageConfig) -> None:
        super().__init__()
        self.config = config
        self.means = Means(config)
        self.log_inverse_gain = QpVector(
            torch.zeros(config.knots, config.latent), qp_count=config.qp_count
        )
        self.synthesis = Synthesis(config)


def decoder_of(model: ImageModel) -> ShrunkDecoder:
    """A copy of the decoding half of a model."""
    decoder = ShrunkDecoder(model.config)
    for name in ("means", "log_inverse_gain", "synthesis"):
        setattr(decoder, name, deepcopy(getattr(model, name)))
    return decoder.train(model.training)


def decoder_from(state: State, config: ImageConfig) -> ShrunkDecoder:
    """Decoder of a model of `config` whose tensors are `state`.

    Raises ValueError for tensors that are not of such a decoder.
    """
    _check_sizes(state)
    depths = {f"{part}_depth": _depth(state, f"synthesis.{part}.") for part in ("body", "render")}
    decoder = ShrunkDecoder(replace(config, **depths))
    for name, module in list(decoder.named_modules()):
        if isinstance(module, (Pointwise, Depthwise, Lift)):
            replace_layer(decoder, name, _layer_from(state, name, module))
        elif isinstance(module, QpVector):
            module.knots = nn.Parameter(torch.empty(_tensor(state, f"{name}.knots").shape))
    try:
        decoder.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        msg = f"expected tensors of a decoder, got others: {str(error).splitlines()[-1].strip()}"
        raise ValueError(msg) from error
    return decoder


def _check_sizes(state: State) -> None:
    """Raise ValueError for tensors that no decoder has: nothing is built of them."""
    for name, tensor in state.items():
        numbers = [int(part[:9]) for part in name.split(".") if part.isdecimal()]
        is_deep = any(number >= MOST_BLOCKS for number in numbers)
        sizes = tuple(tensor.shape) if isinstance(tensor, Tensor) else (0,)
        axes = {"weight": (4,), "bias": (1,), "knots": (2,), "ranges": (2,), "steps": (1,)}
        fits = len(sizes) in axes.get(name.rpartition(".")[2], ()) and all(
            1 <= size <= MOST_CHANNELS for size in sizes
        )
        if is_deep or not fits:
            msg = f"expected tensors of a decoder, got {name!r:.80} of {sizes}"
            raise ValueError(msg)


def _depth(state: State, prefix: str) -> int:
    numbers = {int(n) for n in re.findall(rf"{re.escape(prefix)}(\d+)\.", "\n".join(state))}
    return max(numbers, default=-1) + 1


def _tensor(state: State, name: str) -> Tensor:
    if name not in state:
        msg = f"expected the tensor {name} of a decoder, got none"
        raise ValueError(msg)
    return state[name]


def _layer_from(state: State, name: str, layer: nn.Module) -> nn.Module:
    """An empty layer of the form and widths that tensors of its name have."""
    if f"{name}.ranges" in state:
        return Quantized(_plain_from(state, f"{name}.layer", layer))  # type: ignore[arg-type]
    if f"{name}.reduce.weight" in state:
        rank, inner = state[f"{name}.reduce.weight"].shape[:2]
        outer = _tensor(state, f"{name}.restore.weight").shape[0]
        return Factored(inner, rank, outer, bias=f"{name}.restore.bias" in state)
    return _plain_from(state, name, layer)


def _plain_from(state: State, name: str, layer: nn.Module) -> nn.Module:
    shape = _tensor(state, f"{name}.weight").shape
    if isinstance(layer, Depthwise):
        return Depthwise(shape[0], kernel=shape[2])
    if isinstance(layer, Lift):
        return Lift(shape[0], shape[1], side=shape[2])
    return Pointwise(shape[1], shape[0], bias=f"{name}.bias" in state)


def replace_layer(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of the one with a dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, layer)
