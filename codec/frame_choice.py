"""Which cells of a predicted frame are still or exact instead of coded by the network: those of screens and drawings.

A cell is *still* where its prediction is good enough, coded by its *difference* from the prediction where little of it
changes, or *drawn* anew. Pixels that are near enough to their prediction count as unchanged.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from ncodec.bitstream import PATCH
from ncodec.exact import DIFFERENCE, Layer, code_layers
from ncodec.exact_choice import DRAWN_NOVELTY, Chooser, Outcome, errors_of
from ncodec.frame_cells import FrameCells, no_cells
from ncodec.goal import Goal
from ncodec.lossless_cost import lossless_cost, sum_by_cell
from ncodec.picture import Pixels
from ncodec.scroll import Scroll
from ncodec.tables import BoolArray, FloatArray
from ncodec.tiles import CELL

SCREENED_ROWS = 4
"""of how many rows one is looked at to find cells that are drawn"""
SURE = 0.05
"""bits a pixel up to which a cell is coded without asking what the network would make of it"""
BETTER = 0.9
"""share of the network's cost that another way of coding a cell may take at most"""
STILL, CHANGED, DRAWN = 0, 1, 2
"""ways of coding a cell without the network"""


def is_drawn(frame: Pixels) -> bool:
    """Whether so much of a frame, (H, W, 3), repeats itself that it may be of a screen."""
    cost = lossless_cost(frame, every=SCREENED_ROWS)
    return bool(cost.novel.sum() < DRAWN_NOVELTY * cost.pixels.sum())


def choose_scrolled(source: Pixels, predicted: Pixels, last: Pixels, scroll: Scroll) -> FrameCells:
    """Which blocks of a frame are nearer to the last one moved as one than to their prediction, all (H, W, 3)."""
    moved, given = (_block_errors(source, shown) for shown in (scroll.move(last), predicted))
    nearer = moved < given
    cells = no_cells(*source.shape[:2])
    return replace(cells, scroll=scroll, scrolled=nearer) if nearer.any() else cells


def _block_errors(source: Pixels, shown: Pixels) -> FloatArray:
    """(H/16, W/16) summed squared errors."""
    difference = np.subtract(source, shown, dtype=np.int16)
    squares = np.multiply(difference, difference, dtype=np.int32).reshape(len(source), -1)
    return sum_by_cell(squares, side=PATCH, across=3 * PATCH)


class FrameChooser:
    """Chooses for one frame, (H, W, 3) uint8 with H and W multiples of 16, and its prediction."""

    def __init__(self, source: Pixels, predicted: Pixels, goal: Goal) -> None:
        self.source = source
        self.predicted = predicted
        self.goal = goal

    @cached_property
    def drawings(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells of which enough repeats itself."""
        cost = lossless_cost(self.source, every=SCREENED_ROWS)
        cells: BoolArray = cost.novel < DRAWN_NOVELTY * cost.pixels
        return cells

    @cached_property
    def _target(self) -> Pixels:
        """The frame, but the prediction where that is near enough."""
        distance = np.square(self.source.astype(np.int32) - self.predicted).sum(axis=2)
        near = distance < 2**self.goal.merging
        return np.where(near[:, :, None], self.predicted, self.source)

    @cached_property
    def _costs(self) -> FloatArray:
        """(3, ⌈H/64⌉, ⌈W/64⌉) λ·D + R of each way, about."""
        still, changed = (errors_of(self.source, shown) for shown in (self.predicted, self._target))
        none = np.zeros_like(still[0])
        outcomes = (
            Outcome(still[0], none, still[1]),
            Outcome(changed[0], lossless_cost(self._target - self.predicted).bits(), changed[1]),
            Outcome(none, lossless_cost(self.source).bits()),
        )
        return np.stack([outcome.cost(self.goal.price) for outcome in outcomes])

    def sure(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells among drawings that cost so little that no network could do much better."""
        cells: BoolArray = self.drawings & (self._costs.min(axis=0) <= SURE * CELL**2)
        return cells

    def better(self, network: Outcome) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells among drawings that cost less without the network than with it."""
        cells: BoolArray = self.drawings & (self._costs.min(axis=0) <= BETTER * network.cost(self.goal.price))
        return cells

    def coded(self, cells: BoolArray) -> FrameCells:
        """Cells, each in its cheapest way."""
        ways = np.where(cells, self._costs.argmin(axis=0), -1)
        layers: list[Layer] = []
        if (changed := ways == CHANGED).any():
            layers += code_layers(self._target - self.predicted, changed, step=DIFFERENCE, search=self.goal.search)
        if (drawn := ways == DRAWN).any():
            layers += Chooser(self.source, self.goal.search).draw(drawn, self.goal)
        return FrameCells(ways == STILL, tuple(layers))
