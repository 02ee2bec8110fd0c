"""Layers as products of two smaller ones: truncated singular value decomposition.

Directions are chosen by what they carry of a layer's output on examples, not by the weights alone:
W·C^½ is decomposed, C being the second moment of the layer's inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ncodec.errors import InputError
from ncodec.networks.blocks import Pointwise
from ncodec.networks.complexity import decoder_kmac
from ncodec.networks.shrunk import Factored, ShrunkDecoder, replace_layer
from ncodec.training.shrink.examples import Examples, run_with_hooks

PARTS = ("synthesis.enter", "synthesis.body", "synthesis.spread", "synthesis.render")
"""parts whose 1×1 convolutions are decomposed"""
MEASURED = 64
"""examples that second moments are taken from"""
RIDGE = 1e-6
"""share of the mean of C's diagonal that is added to it"""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A layer's output in directions of falling share."""

    left: Tensor
    """(C', k), orthonormal columns"""
    right: Tensor
    """(k, C): `left` @ `right` is the weight"""
    shares: Tensor
    """(k,) shares of the energy of the output, falling, of sum 1"""

    @property
    def widths(self) -> tuple[int, int]:
        """(C', C)."""
        return self.left.shape[0], self.right.shape[1]

    @property
    def least_gain(self) -> int:
        """Rank from which two products take more than one."""
        outer, inner = self.widths
        return -(-outer * inner // (outer + inner))


def spectra_of(decoder: ShrunkDecoder, examples: Examples) -> dict[str, Spectrum]:
    """Layer → its spectrum on examples, of every 1×1 convolution that can be decomposed."""
    names = [
        name
        for name, module in decoder.named_modules()
        if isinstance(module, Pointwise)
        and name.startswith(PARTS)
        and not name.endswith((".layer", ".reduce", ".restore"))
    ]
    moments = _moments(decoder, names, examples)
    return {name: _spectrum(decoder.get_submodule(name), moments[name]) for name in names}


def _moments(decoder: ShrunkDecoder, names: list[str], examples: Examples) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            flat = inputs[0].movedim(1, -1).flatten(0, 2)
            sums[name] = sums.get(name, torch.zeros(())) + flat.T @ flat

        return hook

    hooks = [decoder.get_submodule(name).register_forward_pre_hook(keep(name)) for name in names]
    run_with_hooks(decoder, examples, hooks, most=MEASURED)
    return sums


def _spectrum(layer: nn.Module, moment: Tensor) -> Spectrum:
    weight = layer.weight.detach()[:, :, 0, 0].double()  # type: ignore[operator]
    known = moment.double() + RIDGE * moment.diagonal().mean() * torch.eye(len(moment))
    values, vectors = torch.linalg.eigh(known)
    root = vectors * values.clamp(min=1e-12).sqrt()
    left, singular, _ = torch.linalg.svd(weight @ root, full_matrices=False)
    energy = singular.square()
    return Spectrum(left.float(), (left.T @ weight).float(), (energy / energy.sum()).float())


def decompose(decoder: ShrunkDecoder, examples: Examples, *, kmac: float) -> None:
    """Factor layers in place until the decoder takes at most `kmac` thousand multiply–accumulates
    a pixel.

    Every layer drops directions below one share of its output's energy, and stays as it is where
    factors would take more. Raises InputError where even rank 1 everywhere is too much.
    """
    spectra = spectra_of(decoder, examples)
    if decoder_kmac(decoder) <= kmac:
        return
    shares = torch.cat([s.shares for s in spectra.values()]).sort().values
    low, high = 0, len(shares) - 1
    layers = {name: decoder.get_submodule(name) for name in spectra}
    while low < high:  # least threshold that is enough
        middle = (low + high) // 2
        _factor(decoder, layers, spectra, shares[middle])
        if decoder_kmac(decoder) <= kmac:
            high = middle
        else:
            low = middle + 1
    _factor(decoder, layers, spectra, shares[high])
    if (reached := decoder_kmac(decoder)) > kmac:
        for name, layer in layers.items():
            replace_layer(decoder, name, layer)
        msg = f"expected at least {reached:.2f} kMAC/px, which layers of rank 1 take, got {kmac:g}"
        raise InputError(msg)


def _factor(
    decoder: ShrunkDecoder,
    layers: dict[str, nn.Module],
    spectra: dict[str, Spectrum],
    least: Tensor,
) -> None:
    """Give every layer the rank of its shares from `least` on."""
    for name, spectrum in spectra.items():
        rank = max(int((spectrum.shares >= least).sum()), 1)
        if rank >= spectrum.least_gain:
            replace_layer(decoder, name, layers[name])
        else:
            replace_layer(decoder, name, _factored(layers[name], spectrum, rank))


def _factored(layer: nn.Module, spectrum: Spectrum, rank: int) -> Factored:
    outer, inner = spectrum.widths
    made = Factored(inner, rank, outer, bias=layer.bias is not None)
    with torch.no_grad():
        made.reduce.weight.copy_(spectrum.right[:rank, :, None, None])
        made.restore.weight.copy_(spectrum.left[:, :rank, None, None])
        if made.restore.bias is not None:
            made.restore.bias.copy_(layer.bias)  # type: ignore[arg-type]
    return made
