"""SOAP is Adam where it keeps the axes, does not care how a matrix is turned, and leaves bad steps
out."""

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor

from ncodec.training.optim.soap import Soap


def steps(start: Tensor, gradients: list[Tensor], *, max_side: int = 64) -> Tensor:
    parameter = torch.nn.Parameter(start.clone())
    optimizer = Soap([parameter], lr=1e-2, max_side=max_side)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


def test_without_turned_axes_it_is_adam() -> None:
    torch.manual_seed(1)
    for shape in ((7,), (5, 3), (4, 2, 3, 3)):
        start, gradients = torch.randn(shape), [torch.randn(shape) for _ in range(30)]
        parameter = torch.nn.Parameter(start.clone())
        adam = torch.optim.Adam([parameter], lr=1e-2, betas=(0.95, 0.95))
        for gradient in gradients:
            parameter.grad = gradient
            adam.step()
        torch.testing.assert_close(
            steps(start, gradients, max_side=0), parameter.detach(), rtol=1e-4, atol=1e-5
        )


def test_turning_rows_and_columns_turns_the_update() -> None:
    torch.manual_seed(2)
    left, right = (torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0] for _ in range(2))
    scales = torch.logspace(0, 2, 6, dtype=torch.float64)[:, None]
    gradients = [torch.randn(6, 6, dtype=torch.float64) * scales for _ in range(45)]
    start = torch.zeros(6, 6, dtype=torch.float64)
    turned = steps(start, [left @ g @ right.T for g in gradients])
    torch.testing.assert_close(
        turned, left @ steps(start, gradients) @ right.T, rtol=1e-5, atol=1e-7
    )


def test_a_side_beyond_the_limit_keeps_its_axes() -> None:
    parameter = torch.nn.Parameter(torch.zeros(4, 9))
    optimizer = Soap([parameter], max_side=4)
    parameter.grad = torch.randn(4, 9)
    optimizer.step()
    state = optimizer.state[parameter]
    assert "left_basis" in state
    assert "right_basis" not in state


def test_it_learns_from_correlated_inputs_faster_than_adam() -> None:
    torch.manual_seed(3)
    mix = torch.randn(24, 24) @ torch.diag(torch.logspace(-2, 0, 24)) @ torch.randn(24, 24) / 24
    truth = torch.randn(12, 24)
    inputs = [torch.randn(32, 24) @ mix for _ in range(300)]

    def learn(optimizer: torch.optim.Optimizer, weight: torch.nn.Parameter) -> float:
        for x in inputs:
            optimizer.zero_grad()
            (x @ (weight - truth).T).square().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return ((weight - truth).detach() @ mix.T).square().mean().item()

    ours, theirs = (torch.nn.Parameter(torch.zeros(12, 24)) for _ in range(2))
    soap = learn(Soap([ours], lr=2e-2), ours)
    assert soap < 0.5 * learn(torch.optim.Adam([theirs], lr=2e-2, betas=(0.95, 0.95)), theirs)


def test_a_step_without_a_finite_gradient_changes_nothing() -> None:
    parameter = torch.nn.Parameter(torch.ones(3, 3))
    optimizer = Soap([parameter])
    parameter.grad = torch.randn(3, 3)
    optimizer.step()
    before, kept = parameter.detach().clone(), optimizer.state[parameter]["square"].clone()
    parameter.grad = torch.full((3, 3), float("nan"))
    optimizer.found_inf = torch.ones(())  # type: ignore[attr-defined]
    optimizer.step()
    assert torch.equal(parameter, before)
    assert torch.equal(optimizer.state[parameter]["square"], kept)
    parameter.grad = torch.ones(3, 3)
    optimizer.found_inf = torch.zeros(())  # type: ignore[attr-defined]
    optimizer.step()
    assert not torch.equal(parameter, before)


def test_a_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    torch.manual_seed(4)
    gradients = [torch.randn(5, 8) for _ in range(60)]
    whole = steps(torch.zeros(5, 8), gradients)
    parameter = torch.nn.Parameter(torch.zeros(5, 8))
    first = Soap([parameter], lr=1e-2, max_side=64)
    for gradient in gradients[:33]:
        parameter.grad = gradient
        first.step()
    second = Soap([parameter], lr=1e-2, max_side=64)
    second.load_state_dict(first.state_dict())
    for gradient in gradients[33:]:
        parameter.grad = gradient
        second.step()
    torch.testing.assert_close(parameter.detach(), whole)
