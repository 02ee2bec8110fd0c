"""Choice of still and exact cells of a predicted frame, for screens and drawings.

A cell is *still* where its prediction is good enough, coded by its *difference* from the prediction
where little of it changes, or *drawn* anew. Differences are in steps, and pixels that are near
enough to their prediction have none.
"""

from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.exact.goal import Goal
from ncodec.exact.layers import MAX_DIFFERENCE_STEP, Layer, add_differences, code_differences
from ncodec.exact.lossless_cost import lossless_cost, sum_by_cell
from ncodec.exact.outcome import Outcome, errors_of
from ncodec.exact.trials import DRAWN_NOVELTY, CellTrials
from ncodec.grid import CELL, PATCH
from ncodec.video.frame_cells import FrameCells, no_cells
from ncodec.video.scroll import Scroll

SCREENED_ROWS = 4
"""one row in so many is inspected to find drawn cells"""
SURE = 0.05
"""bits a pixel up to which a cell is coded without asking what the network would make of it"""
BETTER = 2.0
"""ratio to the network's λ·D + R that other ways may reach, as blur costs bits in later frames"""
DEAD_ZONE = 0.8
"""steps by which some channel of a pixel has to differ from its prediction to be coded"""
STILL, CHANGED, DRAWN = 0, 1, 2
"""ways of coding a cell without the network"""


def is_drawn(frame: Pixels) -> bool:
    """Whether a frame, (H, W, 3) uint8, looks like a screen: less than half of its pixels are
    novel.

    A pixel is novel if it differs from its left, upper and upper left neighbours; every fourth row
    is inspected.
    """
    cost = lossless_cost(frame, every=SCREENED_ROWS)
    return bool(cost.novel.sum() < DRAWN_NOVELTY * cost.pixels.sum())


def choose_scrolled(source: Pixels, predicted: Pixels, last: Pixels, scroll: Scroll) -> FrameCells:
    """Choose the blocks of less squared error from the scrolled last frame than from `predicted`.

    All frames are (H, W, 3) uint8 with H and W multiples of 16. The result has no scroll where no
    block is better.
    """
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

    @property
    def _step(self) -> int:
        """Quantizer step of differences."""
        return min(self.goal.step, MAX_DIFFERENCE_STEP)

    @cached_property
    def _differences(self) -> npt.NDArray[np.int8]:
        """(H, W, 3) from the prediction, in steps; none where it is near enough."""
        step = self._step
        differences = np.subtract(self.source, self.predicted, dtype=np.int16)
        if step == 1:
            far = np.square(differences, dtype=np.int32).sum(axis=2) >= 2**self.goal.merging
            return np.where(far[:, :, None], differences, 0).astype(np.uint8).view(np.int8)
        far = np.abs(differences).max(axis=2) >= DEAD_ZONE * step
        steps = np.clip(np.rint(differences / np.float32(step)), -128, 127)
        return np.where(far[:, :, None], steps, 0).astype(np.int8)

    @cached_property
    def _costs(self) -> FloatArray:
        """(3, ⌈H/64⌉, ⌈W/64⌉) λ·D + R of each way, about."""
        coded = add_differences(self.predicted, self._differences, step=self._step)
        still, changed = (errors_of(self.source, shown) for shown in (self.predicted, coded))
        none = np.zeros_like(still[0])
        outcomes = (
            Outcome(still[0], none, still[1]),
            Outcome(changed[0], lossless_cost(self._differences.view(np.uint8)).bits(), changed[1]),
            Outcome(none, lossless_cost(self.source).bits()),
        )
        return np.stack([outcome.cost(self.goal.price) for outcome in outcomes])

    def sure(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells of `drawings` whose least λ·D + R without the network is at most
        205 bits.

        That is 0.05 bits a pixel, at which the network is not tried.
        """
        cells: BoolArray = self.drawings & (self._costs.min(axis=0) <= SURE * CELL**2)
        return cells

    def better(self, network: Outcome) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells of `drawings` whose least λ·D + R without the network is at most
        twice that of `network`.

        `network` has errors, blots and bits of the network's coding of each cell.
        """
        cells: BoolArray = self.drawings & (
            self._costs.min(axis=0) <= BETTER * network.cost(self.goal.price)
        )
        return cells

    def coded(self, cells: BoolArray) -> FrameCells:
        """Code the given cells, (⌈H/64⌉, ⌈W/64⌉), each as still, difference or drawn, by least
        estimated λ·D + R."""
        ways = np.where(cells, self._costs.argmin(axis=0), -1)
        layers: list[Layer] = []
        if (changed := ways == CHANGED).any():
            layers += code_differences(
                self._differences, changed, step=self._step, search=self.goal.search
            )
        if (drawn := ways == DRAWN).any():
            layers += CellTrials(self.source, self.goal.search).draw(drawn, self.goal)
        return FrameCells(ways == STILL, tuple(layers))
