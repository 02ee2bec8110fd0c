"""Parameters of a model, with the factors of their learning rates, and the optimizer of them."""

from collections.abc import Iterator

import torch

from ncodec.errors import InputError
from ncodec.training.optim.soap import MAX_SIDE, spread_soap

RATE_FACTORS = {
    "synthesis.linear": 0.03,
    "analysis.linear": 0.03,
    "table_index.weight": 4.0,
    "table_index.bias": 20.0,
    "z_index": 20.0,
    "quantiles": 10.0,
}
"""Learning rates of parts whose natural unit is not one: a basis vector's 768 weights are near 0.04
and see pixels of one sign, so Adam's equal steps add up to a hundred levels; a table step is an
eighth of the logarithm of σ."""


def rated_parameters(model: torch.nn.Module) -> Iterator[tuple[torch.nn.Parameter, float, bool]]:
    """Every parameter, the factor of its rate, and whether it is a matrix for SOAP."""
    for name, parameter in model.named_parameters():
        factor = next((f for part, f in RATE_FACTORS.items() if part in name), 1.0)
        yield parameter, factor, name.endswith(".weight")


def clipped_parameters(model: torch.nn.Module) -> list[torch.nn.Parameter]:
    """Parameters whose gradients are clipped together: all but quantiles.

    Quantiles have gradients of hundreds, which would leave the networks with none.
    """
    return [p for name, p in model.named_parameters() if not name.endswith("quantiles")]


def open_optimizer(
    model: torch.nn.Module, name: str, *, fused: bool, xla: bool
) -> torch.optim.Optimizer:
    """The optimizer of all parameters, "soap" or "adamw", the parts of `RATE_FACTORS` at their own
    rates.

    `fused` is whether it can skip a step, `xla` whether the device is one of XLA. Raises InputError
    for SOAP without `fused`.
    """
    groups: dict[tuple[float, bool], list[torch.nn.Parameter]] = {}
    for parameter, factor, matrix in rated_parameters(model):
        groups.setdefault((factor, matrix), []).append(parameter)
    if name == "soap":
        if not fused:
            msg = (
                "SOAP runs on whole matrices, on a GPU or CPU: take --optimizer.name adamw for "
                "fsdp or a TPU"
            )
            raise InputError(msg)
        return spread_soap(
            [
                {"params": parameters, "factor": factor, "max_side": MAX_SIDE if matrix else 0}
                for (factor, matrix), parameters in groups.items()
            ]
        )
    parts = [{"params": parameters, "factor": factor} for (factor, _), parameters in groups.items()]
    # On an XLA device the count of steps has to live there too, or each step is another program.
    kind = {"fused": True} if fused else {"capturable": xla}
    return torch.optim.AdamW(parts, lr=0.0, weight_decay=0.0, betas=(0.9, 0.99), **kind)
