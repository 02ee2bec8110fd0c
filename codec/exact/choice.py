"""Choice of exact cells, and how nearly exact, by true λ·D + R.

A cell is left to the network, *drawn* (lossless pixels, rare colours of which are merged into
frequent ones near them) or *sampled* (lossless samples in coarse steps).
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, Pixels
from ncodec.exact.goal import STEPS, Goal
from ncodec.exact.layers import Layer
from ncodec.exact.lossless_cost import LosslessCost, lossless_cost
from ncodec.exact.outcome import Outcome
from ncodec.exact.trials import DRAWN, DRAWN_NOVELTY, NETWORK, SAMPLED, CellTrials, Coded, sampled
from ncodec.exact.vp8l import Search

EVERY_WAY = (NETWORK, DRAWN, SAMPLED)
TRIED = 1.3
"""times the cost of the best choice up to which another one is looked into"""
SCREENED_ROWS = 8
"""one row in so many is inspected to rule out exact cells"""
HOPE_DRAWN, HOPE_SAMPLED = 0.5, 0.85
"""shares of the estimated bits that lossless coding may turn out to take"""
SMALL = 2**14
"""pixels of a picture that is coded exactly for a trial, whatever it is"""
LEAST_SAVED = 0.01
"""share of the cost of a picture below which exact cells are not looked into"""
BOOST = 1.5
"""by which λ grows until a picture is as good as its quality promises"""
MAX_BOOSTS = 28
MARGIN = 0.5
"""dB above the promise that a picture is brought to which fell short of it"""

Ways = npt.NDArray[np.uint8]
"""(⌈H/64⌉, ⌈W/64⌉) of the ways above"""


def could_pay(source: Pixels, network: Outcome, goal: Goal) -> bool:
    """Whether exact cells are worth a trial in (H, W, 3) pixels, from one row in eight.

    True for at most 2¹⁴ pixels, for pictures that mostly repeat themselves, and where an
    optimistic estimate saves more than 1 % of the cost of `network`, the network's outcome.
    """
    cost = lossless_cost(source, every=SCREENED_ROWS)
    hoped_sampled = (
        HOPE_SAMPLED * cost.sampled_bits(goal.step) + goal.price * goal.step**2 / 12 * cost.pixels
    )
    repeating = cost.novel < DRAWN_NOVELTY * cost.pixels
    hoped = np.minimum(np.where(repeating, HOPE_DRAWN, 1) * cost.drawn_bits, hoped_sampled)
    given = network.cost(goal.price)
    saved = np.maximum(given - hoped, 0).sum()
    return bool(
        _is_drawing(cost) or max(saved, given.sum() - hoped.sum()) > LEAST_SAVED * given.sum()
    )


def _is_drawing(cost: LosslessCost) -> bool:
    """Whether a picture is small or has so much that repeats itself that only a lossless coder
    tells what it takes."""
    return bool(cost.pixels.sum() <= SMALL or cost.novel.sum() < DRAWN_NOVELTY * cost.pixels.sum())


@dataclass(frozen=True, eq=False)
class Choice:
    """Way of coding of each cell, and the coded exact cells."""

    ways: Ways
    coded: dict[tuple[int, int], Coded]
    """exact cells, by way and by step or merging"""
    goal: Goal
    """goal of the choice, whose λ may be higher than the quality's"""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers of all exact cells."""
        return tuple(layer for coded in self.coded.values() for layer in coded.layers)

    @property
    def cells(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) that are exact, or nearly so."""
        cells: BoolArray = self.ways != NETWORK
        return cells

    def errors_beside(self, network: Outcome) -> float:
        """Squared errors of the whole picture, means of the channels, summed over pixels.

        `network` is the network's outcome, for cells that are not exact.
        """
        return sum(coded.errors for coded in self.coded.values()) + float(
            network.errors[~self.cells].sum()
        )

    def cost_beside(self, network: Outcome, price: float) -> float:
        """Bits λ·D + R of the whole picture, blots included, with λ = `price`.

        `network` is the network's outcome, for cells that are not exact.
        """
        exact = sum(coded.cost(price) for coded in self.coded.values())
        return exact + float(network.cost(price)[~self.cells].sum())


class Chooser:
    """Chooses among the ways of coding the cells of one picture, (H, W, 3), at any λ."""

    def __init__(self, source: Pixels, search: Search, *, hidden: BoolArray | None = None) -> None:
        """`hidden`, (H, W), are pixels whose errors do not count because their alpha is 0."""
        self.trials = CellTrials(source, search, hidden=hidden)
        self._ratios = {DRAWN: 1.0, SAMPLED: 1.0}
        """bits that each way took over those that were estimated"""

    def good_enough(self, network: Outcome, goal: Goal) -> Choice:
        """Choice whose PSNR is to reach the goal's floor, and 0.5 dB more, where `cheapest` fails.

        The cheaper one of two by the goal's λ: `cheapest` at the first of up to 28 higher λ that
        reaches it, and the whole picture sampled in the coarsest step that does.
        """
        goal = replace(goal, floor=goal.floor + MARGIN)
        enough = self._just_enough(goal)
        first = int(np.floor(np.log(goal.price) / np.log(BOOST))) + 1
        for power in range(first, first + MAX_BOOSTS):
            # The same prices at every quality, so that a higher one finds no worse picture.
            choice = self.cheapest(network, replace(goal, price=BOOST**power))
            if goal.lacks(choice.errors_beside(network), self.trials.pixels) <= 0:
                break
        return min(enough, choice, key=lambda each: each.cost_beside(network, goal.price))

    def extend(self, choice: Choice, network: Outcome) -> Choice:
        """Choice with more exact cells, where `network`, a new outcome, is dearer than these.

        Cells that are exact stay so in their way. Returns the choice itself where none is added.
        """
        outcomes = self._outcomes(network.without(choice.cells), choice.goal)
        ways = np.where(choice.cells, choice.ways, self._ways(outcomes, choice.goal, EVERY_WAY))
        if np.array_equal(ways, choice.ways):
            return choice
        return self._finished(self._tried_ways(ways, outcomes, choice.goal))

    def _just_enough(self, goal: Goal) -> Choice:
        """All cells sampled in the coarsest steps that a goal allows."""
        ways = np.full_like(self.trials.drawable, SAMPLED, dtype=np.uint8)
        for step in reversed(STEPS.tolist()):
            errors, _ = self.trials.errors_of(sampled(self.trials.source, step))
            if goal.lacks(float(errors.sum()), self.trials.pixels) <= 0:
                break
        tried = self.trials.hasty(SAMPLED, step, ways == SAMPLED)
        return self._finished(Choice(ways, {(SAMPLED, step): tried}, goal))

    def cheapest(self, network: Outcome, goal: Goal) -> Choice:
        """Choice of least λ·D + R at the goal's λ; its floor is ignored.

        Compares no exact cells, the estimated best way of each cell, all cells drawn or sampled,
        and all drawn. `network` is the outcome of coding all cells by the network.
        """
        outcomes = self._outcomes(network, goal)
        plain = Choice(np.zeros_like(self.trials.drawable, dtype=np.uint8), {}, goal)
        rough = self._ways(outcomes, goal, EVERY_WAY)
        self._learn(rough, outcomes, goal)
        chosen = self._ways(outcomes, goal, EVERY_WAY)
        options = [plain, self._tried_ways(chosen, outcomes, goal)]
        is_unknown = _is_drawing(self.trials.cost)
        for allowed in ((DRAWN, SAMPLED), (DRAWN,)):
            ways = self._ways(outcomes, goal, allowed)
            expected = sum(
                float(self._expected(outcomes, way).cost(goal.price)[ways == way].sum())
                for way in allowed
            )
            is_new = not any(np.array_equal(ways, option.ways) for option in options)
            best = min(each.cost_beside(network, goal.price) for each in options)
            if is_new and (is_unknown or expected < TRIED * best):
                options.append(self._tried_ways(ways, outcomes, goal))
        exact = min(options[1:], key=lambda option: option.cost_beside(network, goal.price))
        finished = [plain, self._finished(exact)]
        return min(
            finished,
            key=lambda option: (
                option.cost_beside(network, goal.price),
                option.errors_beside(network),
            ),
        )

    def _outcomes(self, network: Outcome, goal: Goal) -> list[Outcome]:
        """Outcome of each way of coding: the network's exact, the others' estimated."""
        merged = self.trials.merged(self.trials.drawable, goal.merging)
        errors, blots = self.trials.errors_of(merged)
        drawn = Outcome(errors, lossless_cost(merged).bits(), blots)
        rounded = np.float32(goal.step**2 / 12 if goal.step > 1 else 0) * self.trials.cost.pixels
        return [network, drawn, Outcome(rounded, self.trials.cost.bits(goal.step))]

    def _expected(self, outcomes: list[Outcome], way: int) -> Outcome:
        """An outcome as estimates turned out so far."""
        return replace(
            outcomes[way], bits=outcomes[way].bits * np.float32(self._ratios.get(way, 1.0))
        )

    def _ways(self, outcomes: list[Outcome], goal: Goal, allowed: tuple[int, ...]) -> Ways:
        """The cheapest way of each cell among those that are allowed, by estimate."""
        costs = np.stack([self._expected(outcomes, way).cost(goal.price) for way in allowed])
        ways: Ways = np.array(allowed, dtype=np.uint8)[costs.argmin(axis=0)]
        return ways

    def _learn(self, ways: Ways, outcomes: list[Outcome], goal: Goal) -> None:
        """Note how far estimates are off for cells that are coded in these ways."""
        for way, fineness in ((DRAWN, goal.merging), (SAMPLED, goal.step)):
            if (cells := ways == way).any():
                bits = self.trials.hasty(way, fineness, cells).bits
                self._ratios[way] = float(
                    np.clip(bits / max(outcomes[way].bits[cells].sum(), 1), 0.05, 4)
                )

    def _tried_ways(self, ways: Ways, outcomes: list[Outcome], goal: Goal) -> Choice:
        """The choice of given ways, with its cells coded by the hasty search."""
        coded = {}
        for way in (DRAWN, SAMPLED):
            cells = ways == way
            if cells.any():
                fineness = goal.step if way == SAMPLED else self.trials.best_merging(cells, goal)
                coded[way, fineness] = self.trials.hasty(way, fineness, cells)
        return Choice(ways, coded, goal)

    def _finished(self, choice: Choice) -> Choice:
        """The choice with its cells coded by the full search."""
        coded = {key: self.trials.final(tried, *key) for key, tried in choice.coded.items()}
        return replace(choice, coded=coded)
