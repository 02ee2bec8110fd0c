"""Plan of a picture: exact cells, symbols of the others, and the QP."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.entropy.tables import Tables
from ncodec.exact.choice import Choice, Chooser, could_pay
from ncodec.exact.filling import fill_cells
from ncodec.exact.goal import Goal
from ncodec.exact.layers import Layer
from ncodec.exact.lossless_cost import sum_by_cell
from ncodec.exact.outcome import NetworkOutcome, Outcome, shown_where
from ncodec.grid import CELL, patches_of
from ncodec.hidden import hidden_pixels
from ncodec.image.file import as_delivered
from ncodec.inference.protocol import InitialSymbols
from ncodec.picture import Picture
from ncodec.quality import QP_COUNT

EDGE_WORSE = 1.25
"""ratio of λ·D + R per pixel, partial cells to full ones, above which a whole latent is tried"""
DECIBELS = 0.3
"""about what a step of qp adds to PSNR"""
MOST_FINER, FINER_TRIALS = 20, 3
"""steps of qp that a picture may be coded more finely, and how many qps are tried"""


TINY, TRIED_QPS = 2**12, (*range(0, QP_COUNT, 4), QP_COUNT - 1)
"""pixels of a picture up to which many qps are tried whichever is asked for, and which"""
ENOUGH = 2.0
"""dB beyond the goal up to which a finer plan is taken without trying higher prices of errors"""


@dataclass(frozen=True, eq=False)
class RenderedSymbols(InitialSymbols):
    """Initial symbols, and the pixels that a decoder makes of them."""

    pixels: Pixels
    """(H, W, 3)"""


@dataclass(frozen=True, eq=False)
class Plan:
    """QP, symbols and exact layers of a picture."""

    qp: int
    """QP of the network: above the requested one where that misses the floor, near it if the
    picture is tiny"""
    initial: RenderedSymbols
    layers: tuple[Layer, ...] = ()
    """layers of exact cells"""


class Quantizer(Protocol):
    """Drafts pixels, (H, W, 3), beside `exact` cells; `whole` extends the latent to whole cells."""

    def __call__(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None, whole: bool
    ) -> RenderedSymbols:
        """The initial symbols at a QP."""


@dataclass(frozen=True, eq=False)
class _Network:
    """The network's coding of a picture beside exact cells."""

    qp: int
    initial: RenderedSymbols
    outcome: NetworkOutcome

    @cached_property
    def precise(self) -> Outcome:
        """Its cells, with the bits of its tables."""
        return self.outcome.precisely()

    @property
    def plan(self) -> "_Rated":
        """The plan without exact cells."""
        return _Rated(Plan(self.qp, self.initial), self)


@dataclass(frozen=True, eq=False)
class _Rated:
    """A plan, the network's part in it and, where some cells are exact, the choice of these."""

    plan: Plan
    network: _Network
    choice: Choice | None = None

    @cached_property
    def errors(self) -> float:
        """Squared errors, means of the channels."""
        errors = self.network.outcome.errors
        return (
            float(np.sum(errors))
            if self.choice is None
            else self.choice.errors_beside(self.network.precise)
        )

    def cost(self, price: float) -> float:
        """λ·D + R, blots included."""
        outcome = self.network.precise
        return (
            float(outcome.cost(price).sum())
            if self.choice is None
            else self.choice.cost_beside(outcome, price)
        )


class Planner:
    """Plans one picture for the goals of a model, which are of a qp each."""

    def __init__(
        self, picture: Picture, goals: Callable[[int], Goal], tables: Tables, quantizer: Quantizer
    ) -> None:
        self.picture = picture
        self._goals = goals
        self._tables = tables
        self._quantize = quantizer
        self._hidden = hidden_pixels(picture)
        self._pixels = picture.width * picture.height
        if self._hidden is not None:
            self._pixels -= int(np.count_nonzero(self._hidden))
        self._chooser = Chooser(picture.pixels, goals(0).search, hidden=self._hidden)

    def plan(self, qp: int, *, can_extend: bool) -> Plan:
        """Plan of least λ·D + R at a QP of 0 to 63, if it meets the floor of the goal.

        If it does not, up to three QPs, at most 20 higher, are tried until one meets the floor.
        Where none does, or one by more than 2 dB, exact cells are added at the requested QP, and
        the cheaper plan that meets the floor is taken. `can_extend` allows a latent of whole cells,
        where partial cells cost more than full ones. Pictures of up to 4096 pixels may get any QP.
        Raises BackendError where ONNX Runtime fails.
        """
        goal = self._goals(qp)
        network, cheapest = self._cheapest(qp, can_extend=can_extend)
        if self._lacks(cheapest, goal) <= 0:
            return cheapest.plan
        found, finer = cheapest, qp
        for _ in range(FINER_TRIALS):
            finer += math.ceil(self._lacks(found, goal) / DECIBELS)
            if finer > min(qp + MOST_FINER, QP_COUNT - 1):
                break
            _, found = self._cheapest(finer, can_extend=can_extend)
            if self._lacks(found, goal) <= 0:
                break
        lacking = self._lacks(found, goal)
        if -ENOUGH <= lacking <= 0:
            return found.plan
        dearer = self._with(self._chooser.good_enough(network.precise, goal), network)
        candidates = [dearer, found] if lacking <= 0 else [dearer]
        return min(candidates, key=lambda rated: rated.cost(goal.price)).plan

    def _lacks(self, rated: _Rated, goal: Goal) -> float:
        """dB by which a plan falls short of a goal."""
        return goal.lacks(rated.errors, self._pixels)

    def _cheapest(self, qp: int, *, can_extend: bool) -> tuple[_Network, _Rated]:
        """The network's coding of the picture at a QP, and the plan of least λ·D + R."""
        source, goal = self.picture.pixels, self._goals(qp)
        if self._pixels > TINY:
            network = self._network(source, qp=qp)
        else:
            # Networks are far from even over qps on a picture that is smaller than what they see at
            # once.
            tried = (self._network(source, qp=each) for each in TRIED_QPS)
            network = min(tried, key=lambda each: each.plan.cost(goal.price))
        if not could_pay(source, network.outcome.roughly(), goal):
            return network, network.plan
        if can_extend and _are_edges_worse(network.precise.cost(goal.price), source):
            # Networks saw no cells in training of which only a part is in the picture.
            extended = self._network(source, qp=network.qp, whole=True)
            network = min(network, extended, key=lambda each: each.precise.cost(goal.price).sum())
        choice = self._chooser.cheapest(network.precise, goal)
        return network, min(
            network.plan, self._with(choice, network), key=lambda rated: rated.cost(goal.price)
        )

    def _with(self, choice: Choice, network: _Network) -> _Rated:
        """The plan of chosen exact cells, and perhaps a few more."""
        cells = choice.cells
        if cells.all() or not cells.any():
            return _rated(choice, network)
        beside = self._beside(cells, network)
        # Beside exact cells, of which it knows nothing, the network may do worse than before.
        choice = self._chooser.extend(choice, beside.precise)
        if not np.array_equal(choice.cells, cells) and not choice.cells.all():
            beside = self._beside(choice.cells, network)
        return _rated(choice, beside)

    def _beside(self, exact: BoolArray, network: _Network) -> _Network:
        """The network's coding with these cells exact."""
        is_whole = network.initial.symbols.residual.shape[1:] != patches_of(
            self.picture.height, self.picture.width
        )
        filled = fill_cells(self.picture.pixels, exact)
        return self._network(filled, qp=network.qp, exact=exact, whole=is_whole)

    def _network(
        self, pixels: Pixels, *, qp: int, exact: BoolArray | None = None, whole: bool = False
    ) -> _Network:
        initial = self._quantize(pixels, qp=qp, exact=exact, whole=whole)
        shown = shown_where(
            self._hidden, self.picture.pixels, as_delivered(initial.pixels, grey=self.picture.grey)
        )
        outcome = NetworkOutcome(self.picture.pixels, shown, initial.symbols, self._tables, qp=qp)
        return _Network(qp, initial, outcome)


def _rated(choice: Choice, beside: _Network) -> _Rated:
    """The plan of a choice and of what the network makes beside its cells."""
    return _Rated(Plan(beside.qp, beside.initial, choice.layers), beside, choice)


def _are_edges_worse(costs: FloatArray, source: Pixels) -> bool:
    """Whether partial cells cost `EDGE_WORSE` times full ones per pixel, or none is full."""
    pixels = sum_by_cell(np.ones(source.shape[:2], dtype=np.float32))
    partial = pixels < CELL**2
    if not partial.any() or partial.all():
        return bool(partial.any())
    given = costs / pixels
    return bool(given[partial].mean() > EDGE_WORSE * given[~partial].mean())
