"""What of a picture is coded exactly, what the network makes of the rest, and at which qp."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ncodec.backends import Draft
from ncodec.bitstream import QP_COUNT
from ncodec.exact import Layer
from ncodec.exact_choice import Chooser, NetworkOutcome, Outcome, could_pay
from ncodec.filling import fill_cells
from ncodec.goal import Goal
from ncodec.lossless_cost import sum_by_cell
from ncodec.picture import Picture, Pixels
from ncodec.picture_file import as_delivered
from ncodec.tables import BoolArray, FloatArray, Tables
from ncodec.tiles import CELL

EDGE_WORSE = 1.25
"""times the cost of other cells from which cells at the edge make the encoder try a latent of whole cells"""
DECIBELS = 0.3
"""about what a step of qp adds to PSNR"""
MOST_STEPS, STEP_TRIALS = 20, 2
"""of qp that a picture may be coded more finely, and how many qps are tried"""


@dataclass(frozen=True, eq=False)
class ShownDraft(Draft):
    """A draft, and what a decoder makes of it."""

    pixels: Pixels
    """(H, W, 3)"""


@dataclass(frozen=True, eq=False)
class Plan:
    """How a picture is coded."""

    qp: int
    """of the network: larger than asked for where the picture would be worse than promised"""
    draft: ShownDraft
    layers: tuple[Layer, ...] = ()
    """of exact cells"""


class Drafter(Protocol):
    """Makes drafts of pixels, (H, W, 3), with cells that are `exact` and a latent of `whole` cells or not."""

    def __call__(self, pixels: Pixels, *, qp: int, exact: BoolArray | None, whole: bool) -> ShownDraft:
        """The draft at a qp."""


class Planner:
    """Plans one picture for one goal."""

    def __init__(self, picture: Picture, goal: Goal, tables: Tables, drafter: Drafter) -> None:
        self.picture = picture
        self.goal = goal
        self._tables = tables
        self._draft = drafter

    def plan(self, qp: int, *, can_extend: bool) -> Plan:
        """The cheapest plan that meets the goal; the picture may be extended to whole cells where it `can_extend`."""
        source, price = self.picture.pixels, self.goal.price
        draft, whole = self._draft(source, qp=qp, exact=None, whole=False), False
        coded = self._outcome(draft, qp=qp)
        is_met, is_promising = self._is_met(coded), could_pay(source, coded.roughly(), self.goal)
        if is_met and not is_promising:
            return Plan(qp, draft)
        finer = None if is_met else self._finer(coded, qp=qp)
        if finer is not None and not is_promising:
            return finer
        plain = coded.precisely()
        if can_extend and _are_edges_worse(plain.cost(price), source):
            # Networks saw no cells in training of which only a part is in the picture.
            extended = self._draft(source, qp=qp, exact=None, whole=True)
            other = self._outcome(extended, qp=qp).precisely()
            if other.cost(price).sum() < plain.cost(price).sum():
                draft, plain, whole = extended, other, True
        chooser = Chooser(source, self.goal.search)
        choice, network = chooser.choose(plain, self.goal), plain
        cells = choice.cells
        if cells.any() and not cells.all():
            redraft, network = self._beside(cells, qp=qp, whole=whole)
            # Beside exact cells, of which it knows nothing, the network may do worse than before.
            choice = chooser.extend(choice, network)
            if not np.array_equal(choice.cells, cells) and not choice.cells.all():
                redraft, network = self._beside(choice.cells, qp=qp, whole=whole)
            if self._is_met(plain) and plain.cost(price).sum() <= choice.cost_beside(network, price):
                return Plan(qp, draft)
            draft = redraft
        if finer is not None:
            cost = self._outcome(finer.draft, qp=finer.qp).precisely().cost(price).sum()
            if cost < choice.cost_beside(network, price):
                return finer
        return Plan(qp, draft, choice.layers)

    def _beside(self, exact: BoolArray, *, qp: int, whole: bool) -> tuple[ShownDraft, Outcome]:
        """The draft of what is left beside exact cells, and what comes out of it."""
        draft = self._draft(fill_cells(self.picture.pixels, exact), qp=qp, exact=exact, whole=whole)
        return draft, self._outcome(draft, qp=qp).precisely()

    def _finer(self, coded: NetworkOutcome, *, qp: int) -> Plan | None:
        """The network alone at a higher qp where the goal is met, if one is found."""
        best = qp
        for _ in range(STEP_TRIALS):
            best += math.ceil(max(self.goal.lacks(float(coded.errors.sum()), self._pixels) / DECIBELS, 1))
            if best > min(qp + MOST_STEPS, QP_COUNT - 1):
                return None
            draft = self._draft(self.picture.pixels, qp=best, exact=None, whole=False)
            coded = self._outcome(draft, qp=best)
            if self._is_met(coded):
                return Plan(best, draft)
        return None

    def _outcome(self, draft: ShownDraft, *, qp: int) -> NetworkOutcome:
        """What the network makes of each cell."""
        shown = as_delivered(draft.pixels, grey=self.picture.grey)
        return NetworkOutcome(self.picture.pixels, shown, draft.symbols, self._tables, qp=qp)

    def _is_met(self, outcome: NetworkOutcome | Outcome) -> bool:
        return self.goal.is_met(float(outcome.errors.sum()), self._pixels)

    @property
    def _pixels(self) -> int:
        return self.picture.width * self.picture.height


def _are_edges_worse(costs: FloatArray, source: Pixels) -> bool:
    """Whether cells that (H, W, 3) fills only in part cost more for each pixel than others, or are all there are."""
    pixels = sum_by_cell(np.ones(source.shape[:2], dtype=np.float32))
    partial = pixels < CELL**2
    if not partial.any() or partial.all():
        return bool(partial.any())
    given = costs / pixels
    return bool(given[partial].mean() > EDGE_WORSE * given[~partial].mean())
