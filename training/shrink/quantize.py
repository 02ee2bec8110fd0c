"""8-bit layers: static ranges of what layers see, and the layers that bear it best."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ncodec.errors import InputError
from ncodec.networks.blocks import Depthwise, Pointwise
from ncodec.networks.shrunk import Quantized, ShrunkDecoder, replace_layer
from ncodec.training.shrink.examples import Examples, run_with_hooks
from ncodec.training.shrink.finetune import decibels_lost

PARTS = ("means.coarse", "means.fine", "means.merge", "synthesis.enter", "synthesis.body")
"""parts whose layers can be quantized; linear path, means and renderer see or make values of many
scales"""
CALIBRATED = 64
"""examples that ranges are taken from"""
PROBED = 8
"""examples of each of three ranges of QPs that layers are tried on"""
CLIPPED = 1e-4
"""share of values beyond each end of a range"""


def quantizable(decoder: ShrunkDecoder) -> list[str]:
    """Names of the layers of a decoder that can be quantized and are not."""
    return [
        name
        for name, module in decoder.named_modules()
        if isinstance(module, Pointwise | Depthwise)
        and name.startswith(PARTS)
        and not name.endswith((".layer", ".reduce", ".restore"))
    ]


def quantize(decoder: ShrunkDecoder, names: Sequence[str], examples: Examples) -> None:
    """Quantize layers of a decoder in place, with the ranges that their inputs and outputs have in
    examples.

    Raises InputError for layers that cannot be quantized.
    """
    known = quantizable(decoder)
    for name in names:
        if name not in known:
            msg = f"expected a layer that can be quantized, among {', '.join(known)}, got {name}"
            raise InputError(msg)
    ranges = _ranges(decoder, names, examples)
    for name in names:
        replace_layer(decoder, name, _quantized(decoder.get_submodule(name), ranges[name]))


def _quantized(layer: nn.Module, ranges: Tensor) -> Quantized:
    quantized = Quantized(layer)  # type: ignore[arg-type]
    quantized.ranges.copy_(ranges)
    return quantized


def _ranges(decoder: ShrunkDecoder, names: Sequence[str], examples: Examples) -> dict[str, Tensor]:
    """Layer → (2, 2) least and most of its inputs and outputs, without a few of either end."""
    seen: dict[str, list[Tensor]] = {name: [] for name in names}
    hooks = [decoder.get_submodule(name).register_forward_hook(_keep(seen[name])) for name in names]
    run_with_hooks(decoder, examples, hooks, most=CALIBRATED)
    return {name: _ends(torch.stack(found)) for name, found in seen.items()}


def _keep(seen: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    share = torch.tensor([CLIPPED, 1 - CLIPPED])

    def hook(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(torch.stack([_quantiles(values, share) for values in (inputs[0], output)]))

    return hook


def _quantiles(values: Tensor, share: Tensor) -> Tensor:
    flat = values.flatten().sort().values
    return flat[(share * (len(flat) - 1)).round().long()]


def _ends(found: Tensor) -> Tensor:
    """(N, 2, 2) ends in each example → (2, 2) that hold nearly all, and 0."""
    least, most = found[..., 0].amin(0), found[..., 1].amax(0)
    return torch.stack([least.clamp(max=0), most.clamp(min=0)], dim=1)


def quantize_within(decoder: ShrunkDecoder, examples: Examples, *, lost_db: float) -> list[str]:
    """Quantize as many layers of a decoder in place as lose at most `lost_db` dB together at any
    of a few QPs, and return their names.

    Layers are tried in the order of what each loses alone.
    """
    names = quantizable(decoder)
    ranges = _ranges(decoder, names, examples)
    known = {name: decoder.get_submodule(name) for name in names}
    probes = _probes(examples)

    def lost(chosen: Sequence[str]) -> float:
        for name in names:
            layer = known[name]
            replace_layer(
                decoder, name, _quantized(layer, ranges[name]) if name in chosen else layer
            )
        return max(decibels_lost(decoder.eval(), probe) for probe in probes)

    before = lost([])
    alone = {name: lost([name]) for name in names}
    chosen: list[str] = []
    for name in sorted(names, key=alone.__getitem__):
        if lost([*chosen, name]) - before <= lost_db:
            chosen.append(name)
    lost(chosen)
    return chosen


def _probes(examples: Examples) -> list[Examples]:
    """A few examples of low, middle and high QPs each."""
    order = examples.qp.argsort()
    thirds = order.tensor_split(3)
    return [examples.at(third[:: max(1, len(third) // PROBED)][:PROBED]) for third in thirds]
