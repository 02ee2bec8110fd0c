"""SOAP over stacks of equally shaped matrices: few large operations for a CUDA graph."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ncodec.training.optim.soap import as_matrix

MAX_SIDE = 768
"""sides of a matrix longer than this keep their own axes"""
BETA1, BETA2 = 0.95, 0.95
EPSILON = 1e-8
LARGEST_CHANGE = 4.0
"""largest change of a coordinate in a step, in units of the rate: after a turn, squares may be far
too small"""
RIDGE = 1e-6
"""ridge in mean eigenvalues, so that parameters without a gradient have eigenvectors"""
REST = 20
"""steps between a turn of the bases and the moments that decide the next"""
WORKERS = 12


@dataclass(frozen=True, eq=False)
class Moment:
    """Running second moment of the gradients along one side of a stack, and its eigenvectors."""

    value: Tensor
    """(n, length, length)"""
    basis: Tensor
    """(n, length, length)"""


class Stack:
    """Parameters of one shape and one factor of the rate, as n matrices of rows × columns."""

    def __init__(self, parameters: list[nn.Parameter], *, factor: float, turned: bool) -> None:
        """`turned` says whether the matrices have bases; others get plain Adam."""
        self.parameters = parameters
        self.factor = factor
        self.shape = (
            as_matrix(parameters[0]).shape if turned else torch.Size([1, parameters[0].numel()])
        )
        like = parameters[0].new_zeros(len(parameters), *self.shape)
        self.mean, self.square = like.clone(), like.clone()
        self.sides: dict[int, Moment] = {}
        """axis, 0 for rows and 1 for columns, → moment"""
        if turned and min(self.shape) > 1:
            self.sides = {
                axis: _moment(like, side)
                for axis, side in enumerate(self.shape)
                if side <= MAX_SIDE
            }

    def rotate(self, value: Tensor) -> Tensor:
        """(n, rows, columns) → (n, rows, columns) in the bases."""
        if 0 in self.sides:
            value = self.sides[0].basis.mT @ value
        return value @ self.sides[1].basis if 1 in self.sides else value

    def rotate_back(self, value: Tensor) -> Tensor:
        """(n, rows, columns) in the bases → (n, rows, columns) in the parameters' own axes."""
        if 0 in self.sides:
            value = self.sides[0].basis @ value
        return value @ self.sides[1].basis.mT if 1 in self.sides else value

    def update(
        self, gradients: list[Tensor], *, rate: Tensor, scale: Tensor, keep: Tensor, count: Tensor
    ) -> None:
        """One step with gradients that are multiplied by `scale`, or none where `keep` is 0 instead
        of 1.

        `count` is that of the step, from 1.
        """
        gradient = torch.stack([g.reshape(self.shape) for g in gradients]) * scale
        gradient = torch.where(gradient.isfinite(), gradient, 0.0)
        if 0 in self.sides:
            self.sides[0].value.lerp_(gradient @ gradient.mT, keep * (1 - BETA2))
        if 1 in self.sides:
            self.sides[1].value.lerp_(gradient.mT @ gradient, keep * (1 - BETA2))
        turned = self.rotate(gradient)
        self.mean.lerp_(turned, keep * (1 - BETA1))
        self.square.lerp_(turned.square(), keep * (1 - BETA2))
        size = (self.square / (1 - BETA2**count)).sqrt() + EPSILON
        change = (self.mean / (1 - BETA1**count) / size).clamp(-LARGEST_CHANGE, LARGEST_CHANGE)
        changes = (self.rotate_back(change) * (rate * keep * self.factor)).unbind(0)
        values = [p.data for p in self.parameters]
        torch._foreach_sub_(values, [c.view(v.shape) for c, v in zip(changes, values, strict=True)])

    def turn(self, bases: dict[int, Tensor]) -> None:
        """Take new bases, axis → (n, length, length): means follow them, squares as if coordinates
        were independent."""
        mean = self.rotate_back(self.mean)
        for axis, basis in bases.items():
            overlap = (self.sides[axis].basis.mT @ basis).square()
            overlap /= overlap.sum(1, keepdim=True)
            self.square.copy_(overlap.mT @ self.square if axis == 0 else self.square @ overlap)
            self.sides[axis].basis.copy_(basis)
        self.mean.copy_(self.rotate(mean))
        self.square.copy_(torch.maximum(self.square, self.mean.square()))

    def forget(self) -> None:
        """Begin with means and squares of nothing, in the bases as they are."""
        self.mean.zero_()
        self.square.zero_()


def _moment(like: Tensor, side: int) -> Moment:
    return Moment(
        like.new_zeros(len(like), side, side),
        torch.eye(side, device=like.device).repeat(len(like), 1, 1),
    )


class StackedSoap:
    """SOAP of Vyas et al. 2024 whose bases are found on the host while steps go on, as often as it
    manages to."""

    def __init__(self, parameters: Iterable[tuple[nn.Parameter, float, bool]]) -> None:
        """Parameters, each with a factor of the rate and whether it is a matrix that has bases."""
        self._all = list(parameters)
        groups: dict[tuple[float, bool, torch.Size], list[nn.Parameter]] = {}
        for parameter, factor, turned in self._all:
            groups.setdefault((factor, turned, parameter.shape), []).append(parameter)
        self.stacks = [Stack(found, factor=key[0], turned=key[1]) for key, found in groups.items()]
        self.count = torch.zeros((), device=self._all[0][0].device)
        self.turns = 0
        self._pool = ThreadPoolExecutor(WORKERS)
        self._search: _Search | None = None
        self._steps = 0

    @torch.no_grad()
    def update(
        self, gradients: dict[nn.Parameter, Tensor], *, rate: Tensor, scale: Tensor, keep: Tensor
    ) -> None:
        """Take one step with a gradient for each parameter, without waiting for the device.

        `rate`, `scale`, which multiplies gradients, and `keep`, 1 or 0 to change nothing, are
        scalars on the device.
        """
        self.count += keep
        count = self.count.clamp(min=1)
        for stack in self.stacks:
            found = [gradients[p] for p in stack.parameters]
            stack.update(found, rate=rate, scale=scale, keep=keep, count=count)

    def after_step(self) -> None:
        """Take new bases once the host's threads have found them; 20 steps later start the next
        search.

        Called after each step. Raises what a thread raised.
        """
        self._steps += 1
        if self._search is None and self._steps >= REST:
            self._search = _Search(self.stacks, self._pool)
        elif self._search is not None and self._search.done:
            self._take(self._search)
            self._search = None
            self._steps = 0

    @torch.no_grad()
    def begin(self) -> None:
        """Take the bases of the moments so far, and set means, squares and the count of steps to 0.

        Waits until the bases are found; the moments stay.
        """
        self._take(_Search(self.stacks, self._pool))
        for stack in self.stacks:
            stack.forget()
        self.count.zero_()

    @torch.no_grad()
    def _take(self, search: "_Search") -> None:
        for stack, found in zip(self.stacks, search.bases(), strict=True):
            if found:
                stack.turn(found)
        self.turns += 1


@dataclass(frozen=True, eq=False)
class Bases:
    """Eigenvectors of a stack of moments."""

    value: Tensor
    """(n, length, length), orthonormal columns by descending eigenvalue"""
    found: Tensor
    """(n, 1, 1) whether a matrix has eigenvectors: false for zeros and nonfinite values"""

    def over(self, old: Tensor) -> Tensor:
        """These eigenvectors, (n, length, length), on the device of `old`, which stays where none
        was found."""
        # From pinned memory, or the host would wait for all steps before.
        value, found = (t.pin_memory() if old.is_cuda else t for t in (self.value, self.found))
        return torch.where(
            found.to(old.device, non_blocking=True), value.to(old.device, non_blocking=True), old
        )


class _Search:
    """Eigenvectors of all moments as they are now, looked for in threads of the host."""

    def __init__(self, stacks: list[Stack], pool: ThreadPoolExecutor) -> None:
        self._stacks = stacks
        copies = [
            {axis: _to_host(side.value) for axis, side in stack.sides.items()} for stack in stacks
        ]
        copied = torch.cuda.Event() if stacks[0].mean.is_cuda else None  # type: ignore[no-untyped-call]
        if copied is not None:
            copied.record()

        def look(values: Tensor) -> Bases:
            if copied is not None:
                copied.synchronize()
            return eigenvectors(values)

        self._found = [
            {axis: pool.submit(look, values) for axis, values in c.items()} for c in copies
        ]

    @property
    def done(self) -> bool:
        """Whether they are found."""
        return all(future.done() for found in self._found for future in found.values())

    def bases(self) -> list[dict[int, Tensor]]:
        """For each stack, axis → (n, length, length); where none was found, the old one. Raises
        what a thread did."""
        return [
            {axis: future.result().over(stack.sides[axis].basis) for axis, future in found.items()}
            for stack, found in zip(self._stacks, self._found, strict=True)
        ]


def _to_host(value: Tensor) -> Tensor:
    if not value.is_cuda:
        return value.clone()
    return torch.empty(value.shape, pin_memory=True).copy_(value, non_blocking=True)


def eigenvectors(moments: Tensor) -> Bases:
    """Eigenvectors of symmetric float32 matrices, (n, length, length), on the CPU, by descending
    eigenvalue.

    None is found for matrices that are zero, hold nonfinite values, or whose result is not
    orthonormal in float64 either. All are solved in one call, because many would block Python.
    """
    size = moments.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    found = moments.isfinite().flatten(1).all(1)[:, None, None] & (size > 0)
    identity = torch.eye(moments.shape[-1])
    scaled = torch.where(found, moments / size + RIDGE * identity, identity)
    value = _orthonormal(scaled)
    for i in (
        _wrong(value).nonzero().flatten().tolist()
    ):  # in float32 it fails at times, without saying so
        value[i] = _orthonormal(scaled[i : i + 1].double())[0]
    return Bases(value, found & ~_wrong(value)[:, None, None])


def _orthonormal(matrices: Tensor) -> Tensor:
    """(n, length, length), or zeros where the library gives up."""
    try:
        basis: Tensor = torch.linalg.eigh(matrices)[1].flip(2).float()
    except RuntimeError:
        return torch.zeros_like(matrices, dtype=torch.float32)
    return basis


def _wrong(bases: Tensor) -> Tensor:
    """(n,) whether columns are not orthonormal."""
    return ~((bases.mT @ bases - torch.eye(bases.shape[-1])).abs().amax((1, 2)) < 1e-3)
