"""SOAP: Adam in the slowly turning eigenbasis of Shampoo's preconditioner."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.distributed.optim import ZeroRedundancyOptimizer

REFRESH = 20
"""steps between turns of the bases"""
MAX_SIDE = 512
"""sides of a matrix longer than this keep their own axes; with sides up to 768 a step takes 1.8
times as long"""


class Soap(torch.optim.Optimizer):
    """SOAP of Vyas et al. 2024, with the sides of a matrix that are longer than `max_side` left in
    their own axes.

    Tensors of more than two dimensions count as matrices of shape (first, rest); vectors get plain
    Adam. Where `found_inf` is set, as for PyTorch's fused optimizers, a step leaves everything as
    it is.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        max_side: int = MAX_SIDE,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "max_side": max_side})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found_inf = getattr(self, "found_inf", None)
        if found_inf is not None and found_inf.item():
            return loss
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        gradient = as_matrix(parameter.grad)  # type: ignore[arg-type]
        if not state:
            _start(state, gradient, group["max_side"])
        state["step"] += 1
        count = int(state["step"])
        beta1, beta2 = group["betas"]
        _follow(state, gradient, beta2)
        if count == 1 or count % REFRESH == 0:
            _turn(state, first=count == 1)
        turned = _rotate(gradient, state)
        state["mean"].lerp_(turned, 1 - beta1)
        state["square"].lerp_(turned.square(), 1 - beta2)
        size = (state["square"] / (1 - beta2**count)).sqrt_().add_(group["eps"])
        change = _rotate_back(state["mean"] / size, state)
        parameter.sub_(change.view_as(parameter), alpha=group["lr"] / (1 - beta1**count))


def spread_soap(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Soap whose rate is set later; where several processes train together, each computes and holds
    its share of it."""
    if not torch.distributed.is_initialized():
        return Soap(groups, lr=0.0)
    return ZeroRedundancyOptimizer(groups, Soap, lr=0.0)


def as_matrix(value: Tensor) -> Tensor:
    """(A, …) → (A, rest), a vector → (1, A)."""
    return value[None] if value.ndim < 2 else value.reshape(len(value), -1)


def _start(state: dict[str, Any], gradient: Tensor, max_side: int) -> None:
    state["step"] = torch.zeros(())
    state["mean"] = torch.zeros_like(gradient)
    state["square"] = torch.zeros_like(gradient)
    for side, length in zip(("left", "right"), gradient.shape, strict=True):
        if min(gradient.shape) > 1 and length <= max_side:
            state[side] = gradient.new_zeros(length, length)
            state[f"{side}_basis"] = torch.eye(length, dtype=gradient.dtype, device=gradient.device)


def _follow(state: dict[str, Any], gradient: Tensor, beta: float) -> None:
    """Running second moments of the gradient's rows and columns."""
    if "left" in state:
        state["left"].addmm_(gradient, gradient.T, beta=beta, alpha=1 - beta)
    if "right" in state:
        state["right"].addmm_(gradient.T, gradient, beta=beta, alpha=1 - beta)


def _turn(state: dict[str, Any], *, first: bool) -> None:
    """Turn the bases towards the eigenvectors: one step of power iteration after the first."""
    mean = _rotate_back(state["mean"], state)
    for axis, side in enumerate(("left", "right")):
        if side not in state:
            continue
        moment, basis = state[side], state[f"{side}_basis"]
        if first:
            basis = torch.linalg.eigh(moment)[1].flip(1)
        else:
            moved = moment @ basis
            order = (basis * moved).sum(0).argsort(descending=True)
            state["square"] = state["square"].index_select(axis, order)
            basis = torch.linalg.qr(moved[:, order])[0]
        state[f"{side}_basis"] = basis
    state["mean"] = _rotate(mean, state)


def _rotate(value: Tensor, state: dict[str, Any]) -> Tensor:
    if "left" in state:
        value = state["left_basis"].T @ value
    return value @ state["right_basis"] if "right" in state else value


def _rotate_back(value: Tensor, state: dict[str, Any]) -> Tensor:
    if "left" in state:
        value = state["left_basis"] @ value
    return value @ state["right_basis"].T if "right" in state else value
