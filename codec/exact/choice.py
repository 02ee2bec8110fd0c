"""Which cells of a picture are coded exactly, and how nearly, by true cost: λ·D + R of what comes out either way.

A cell is left to the network, *drawn* (lossless pixels, rare colours of which are merged into frequent ones near them)
or *sampled* (lossless samples in coarse steps).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.exact.colours import Colours, Indices, Palette, count_colours, make_palette, merge_colours
from ncodec.exact.goal import COARSEST, FINEST, STEPS, Goal
from ncodec.exact.layers import Layer, by_pixel, code_layers, pack_layers
from ncodec.exact.lossless_cost import LosslessCost, lossless_cost, novel_pixels
from ncodec.exact.outcome import Outcome, errors_of, shown_where
from ncodec.exact.vp8l import Search

NETWORK, DRAWN, SAMPLED = 0, 1, 2
"""ways of coding a cell"""
EVERY_WAY = (NETWORK, DRAWN, SAMPLED)
HASTY = Search(method=2, quality=50)
"""of the lossless coder, to compare"""
TRIED = 1.3
"""times the cost of the best choice up to which another one is looked into"""
SCREENED_ROWS = 8
"""of how many rows one is looked at to rule out exact cells"""
HOPE_DRAWN, HOPE_SAMPLED = 0.5, 0.85
"""shares of the estimated bits that lossless coding may turn out to take"""
LARGE = 2**18
"""pixels of a picture from which trials are spared"""
PATIENCE, LARGE_PATIENCE = 3, 1
"""mergings in a row that may be worse than the best one before a search ends, and the first one of a large picture"""
LAYER_BITS = 8 * 12
"""of a layer beside its pixels: chunk, map and lengths"""
MAX_COLOURS, PIXELS_PER_COLOUR = 2**14, 3
"""most colours, and fewest pixels of each on average, of a drawing whose colours merge"""
DRAWN_NOVELTY = 0.5
"""share of the pixels of a cell or a picture that may be novel, below which it is a drawing anyway"""
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
    """Whether some cells of (H, W, 3), or all of them, could be cheaper when coded exactly than by the network."""
    cost = lossless_cost(source, every=SCREENED_ROWS)
    sampled = HOPE_SAMPLED * cost.sampled_bits(goal.step) + goal.price * goal.step**2 / 12 * cost.pixels
    repeating = cost.novel < DRAWN_NOVELTY * cost.pixels
    hoped = np.minimum(np.where(repeating, HOPE_DRAWN, 1) * cost.drawn_bits, sampled)
    given = network.cost(goal.price)
    saved = np.maximum(given - hoped, 0).sum()
    return bool(_is_drawing(cost) or max(saved, given.sum() - hoped.sum()) > LEAST_SAVED * given.sum())


def _is_drawing(cost: LosslessCost) -> bool:
    """Whether a picture is small or has so much that repeats itself that only a lossless coder tells what it takes."""
    return bool(cost.pixels.sum() <= SMALL or cost.novel.sum() < DRAWN_NOVELTY * cost.pixels.sum())


@dataclass(frozen=True, eq=False)
class Coded:
    """Some cells in one way."""

    layers: tuple[Layer, ...]
    errors: float
    blots: float

    @property
    def bits(self) -> int:
        """Of the layers in a file."""
        return 8 * len(pack_layers(self.layers)) + LAYER_BITS

    def cost(self, price: float) -> float:
        """λ·D + R."""
        return price * (self.errors + self.blots) + self.bits


@dataclass(frozen=True, eq=False)
class Choice:
    """How each cell is coded, and what is known of those that are exact."""

    ways: Ways
    coded: dict[tuple[int, int], Coded]
    """exact cells, by way and by step or merging"""
    goal: Goal
    """which may have a higher price than was asked for"""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Of exact cells."""
        return tuple(layer for coded in self.coded.values() for layer in coded.layers)

    @property
    def cells(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) that are exact, or nearly so."""
        cells: BoolArray = self.ways != NETWORK
        return cells

    def errors_beside(self, network: Outcome) -> float:
        """Squared errors of the whole picture."""
        return sum(coded.errors for coded in self.coded.values()) + float(network.errors[~self.cells].sum())

    def cost_beside(self, network: Outcome, price: float) -> float:
        """λ·D + R of the whole picture."""
        exact = sum(coded.cost(price) for coded in self.coded.values())
        return exact + float(network.cost(price)[~self.cells].sum())


class Chooser:
    """Chooses among the ways of coding the cells of one picture, (H, W, 3), at any price of errors."""

    def __init__(self, source: Pixels, search: Search, *, hidden: BoolArray | None = None) -> None:
        self.source = source
        self.search = search
        self._hidden = hidden
        """(H, W) pixels that nobody sees, if there are any: their errors do not count"""
        self._ratios = {DRAWN: 1.0, SAMPLED: 1.0}
        """bits that each way took over those that were estimated"""
        self._tried: dict[tuple[int, int, bytes], Coded] = {}
        """by way, merging or step, and cells"""
        self._counted: dict[bytes, Colours] = {}
        """by cells"""
        self._lean, self._patience = 0, PATIENCE if self._pixels <= LARGE else LARGE_PATIENCE
        """colour merging search: its start minus `goal.merging`, and worse trials in a row that it bears"""

    @cached_property
    def _novel(self) -> BoolArray:
        return novel_pixels(self.source)

    @cached_property
    def _cost(self) -> LosslessCost:
        return lossless_cost(self.source)

    @cached_property
    def _drawable(self) -> BoolArray:
        """Cells whose colours can be merged."""
        cost = self._cost
        drawable: BoolArray = (cost.drawn_bits <= cost.bits()) | (cost.novel < DRAWN_NOVELTY * cost.pixels)
        return drawable

    def good_enough(self, network: Outcome, goal: Goal) -> Choice:
        """A choice that meets the goal's PSNR, where `cheapest` does not.

        Errors become dearer until it is met, or the whole picture is sampled just finely enough, whichever is cheaper.
        """
        goal = replace(goal, floor=goal.floor + MARGIN)
        enough = self._just_enough(goal)
        first = int(np.floor(np.log(goal.price) / np.log(BOOST))) + 1
        for power in range(first, first + MAX_BOOSTS):
            # The same prices at every quality, so that a higher one finds no worse picture.
            choice = self.cheapest(network, replace(goal, price=BOOST**power))
            if goal.lacks(choice.errors_beside(network), self._pixels) <= 0:
                break
        return min(enough, choice, key=lambda each: each.cost_beside(network, goal.price))

    def extend(self, choice: Choice, network: Outcome) -> Choice:
        """The choice, plus cells that the network's new outcome makes dearer than exact coding."""
        outcomes = self._outcomes(network.without(choice.cells), choice.goal)
        ways = np.where(choice.cells, choice.ways, self._ways(outcomes, choice.goal, EVERY_WAY))
        if np.array_equal(ways, choice.ways):
            return choice
        return self._finished(self._tried_ways(ways, outcomes, choice.goal))

    @property
    def _pixels(self) -> int:
        """That are seen."""
        height, width, _ = self.source.shape
        return int(height * width - (0 if self._hidden is None else np.count_nonzero(self._hidden)))

    def _errors_of(self, shown: Pixels) -> tuple[FloatArray, FloatArray]:
        """Squared errors and blot penalties of cells, as of `errors_of`."""
        return errors_of(self.source, shown_where(self._hidden, self.source, shown))

    def _just_enough(self, goal: Goal) -> Choice:
        """All cells sampled in the coarsest steps that a goal allows."""
        ways = np.full_like(self._drawable, SAMPLED, dtype=np.uint8)
        for step in reversed(STEPS.tolist()):
            if goal.lacks(float(self._errors_of(_sampled(self.source, step))[0].sum()), self._pixels) <= 0:
                break
        tried = self._try(SAMPLED, step, ways == SAMPLED)
        return self._finished(Choice(ways, {(SAMPLED, step): tried}, goal))

    def cheapest(self, network: Outcome, goal: Goal) -> Choice:
        """The choice of least λ·D + R: all network, chosen by cell, all drawn or sampled, all drawn."""
        outcomes = self._outcomes(network, goal)
        plain = Choice(np.zeros_like(self._drawable, dtype=np.uint8), {}, goal)
        rough = self._ways(outcomes, goal, EVERY_WAY)
        self._learn(rough, outcomes, goal)
        chosen = self._ways(outcomes, goal, EVERY_WAY)
        options = [plain, self._tried_ways(chosen, outcomes, goal)]
        is_unknown = _is_drawing(self._cost)
        for allowed in ((DRAWN, SAMPLED), (DRAWN,)):
            ways = self._ways(outcomes, goal, allowed)
            expected = sum(float(self._expected(outcomes, way).cost(goal.price)[ways == way].sum()) for way in allowed)
            is_new = not any(np.array_equal(ways, option.ways) for option in options)
            best = min(each.cost_beside(network, goal.price) for each in options)
            if is_new and (is_unknown or expected < TRIED * best):
                options.append(self._tried_ways(ways, outcomes, goal))
        exact = min(options[1:], key=lambda option: option.cost_beside(network, goal.price))
        finished = [plain, self._finished(exact)]
        return min(
            finished, key=lambda option: (option.cost_beside(network, goal.price), option.errors_beside(network))
        )

    def _outcomes(self, network: Outcome, goal: Goal) -> list[Outcome]:
        """Of each way, by estimate but for the network's."""
        merged = self._merged(self._drawable, goal.merging)
        errors, blots = self._errors_of(merged)
        drawn = Outcome(errors, lossless_cost(merged).bits(), blots)
        rounded = np.float32(goal.step**2 / 12 if goal.step > 1 else 0) * self._cost.pixels
        return [network, drawn, Outcome(rounded, self._cost.bits(goal.step))]

    def _expected(self, outcomes: list[Outcome], way: int) -> Outcome:
        """An outcome as estimates turned out so far."""
        return replace(outcomes[way], bits=outcomes[way].bits * np.float32(self._ratios.get(way, 1.0)))

    def _ways(self, outcomes: list[Outcome], goal: Goal, allowed: tuple[int, ...]) -> Ways:
        """The cheapest way of each cell among those that are allowed, by estimate."""
        costs = np.stack([self._expected(outcomes, way).cost(goal.price) for way in allowed])
        ways: Ways = np.array(allowed, dtype=np.uint8)[costs.argmin(axis=0)]
        return ways

    def _learn(self, ways: Ways, outcomes: list[Outcome], goal: Goal) -> None:
        """Note how far estimates are off for cells that are coded in these ways."""
        for way, fineness in ((DRAWN, goal.merging), (SAMPLED, goal.step)):
            if (cells := ways == way).any():
                bits = self._try(way, fineness, cells).bits
                self._ratios[way] = float(np.clip(bits / max(outcomes[way].bits[cells].sum(), 1), 0.05, 4))

    def _tried_ways(self, ways: Ways, outcomes: list[Outcome], goal: Goal) -> Choice:
        """What ways come to when their cells are coded in haste."""
        coded = {}
        for way in (DRAWN, SAMPLED):
            cells = ways == way
            if cells.any():
                fineness = goal.step if way == SAMPLED else self._best_merging(cells, goal)
                coded[way, fineness] = self._try(way, fineness, cells)
        return Choice(ways, coded, goal)

    def _finished(self, choice: Choice) -> Choice:
        """The same choice, coded as well as is wished for."""
        coded = {key: self._final(tried, *key) for key, tried in choice.coded.items()}
        return replace(choice, coded=coded)

    def draw(self, cells: BoolArray, goal: Goal) -> tuple[Layer, ...]:
        """Layers of drawn cells, with as many merged colours as are likely to be cheapest."""
        return self._code(DRAWN, goal.merging, cells, self.search).layers

    def _best_merging(self, cells: BoolArray, goal: Goal) -> int:
        """With how many merged colours drawn cells are cheapest: downhill from the best of the last search."""
        if not self._can_merge(cells):
            return FINEST
        costs: dict[int, tuple[float, float]] = {}
        best = (np.inf, np.inf)
        start = int(np.clip(goal.merging + self._lean, FINEST, COARSEST))
        for direction in (-1, 1):
            merging, worse = start, 0
            while FINEST <= merging <= COARSEST and worse <= self._patience:
                coded = self._try(DRAWN, merging, cells)
                costs[merging] = coded.cost(goal.price), coded.errors
                worse = 0 if costs[merging] < best else worse + 1
                best = min(best, costs[merging])
                merging += direction
        cheapest = min(costs, key=lambda merging: costs[merging])
        self._lean = cheapest - goal.merging
        self._patience = PATIENCE if self._pixels <= LARGE else 0
        return cheapest

    def _can_merge(self, cells: BoolArray) -> bool:
        """Whether so many pixels share so few colours, two at least, that some may be merged."""
        colours = self._colours(cells)
        return 1 < colours.number <= min(MAX_COLOURS, int(colours.held.sum()) // PIXELS_PER_COLOUR)

    def _try(self, way: int, fineness: int, cells: BoolArray) -> Coded:
        """Cells coded in a way, in haste."""
        key = (way, fineness, cells.tobytes())
        if key not in self._tried:
            self._tried[key] = self._code(way, fineness, cells, HASTY)
        return self._tried[key]

    def _final(self, tried: Coded, way: int, fineness: int) -> Coded:
        """The same cells as well as is wished for."""
        cells = np.logical_or.reduce([layer.cells for layer in tried.layers])
        return min(tried, self._code(way, fineness, cells, self.search), key=lambda coded: coded.bits)

    def _code(self, way: int, fineness: int, cells: BoolArray, search: Search) -> Coded:
        if way == SAMPLED:
            layers = code_layers(self.source, cells, step=fineness, search=search)
            shown = _sampled(self.source, fineness)
        else:
            shown = self._merged(cells, fineness)
            layers = code_layers(shown, cells, search=search)
        errors, blots = (float(each[cells].sum()) for each in self._errors_of(shown))
        return Coded(tuple(layers), errors, blots)

    def _merged(self, cells: BoolArray, merging: int) -> Pixels:
        """The picture with merged colours in cells."""
        if merging == FINEST:
            return self.source
        if not self._can_merge(cells):
            return self.source
        colours, (places, _) = self._colours(cells), self._palette
        merged = self.source.copy()
        merged.reshape(-1, 3)[places[colours.held]] = merge_colours(colours, distance=2.0**merging)
        return merged

    @cached_property
    def _palette(self) -> tuple[Indices, Palette]:
        """Places of drawable pixels in the picture, (P,), and their colours."""
        places = np.flatnonzero(by_pixel(self._drawable, *self.source.shape[:2]))
        return places, make_palette(self.source.reshape(-1, 3)[places], self._novel.reshape(-1)[places])

    def _colours(self, cells: BoolArray) -> Colours:
        """Of drawable pixels in cells."""
        key = cells.tobytes()
        if key not in self._counted:
            places, palette = self._palette
            held = by_pixel(cells, *self.source.shape[:2]).reshape(-1)[places]
            self._counted[key] = count_colours(palette, held)
        return self._counted[key]


def _sampled(pixels: Pixels, step: int) -> Pixels:
    """Pixels as they come back from samples in steps."""
    return pixels if step == 1 else np.minimum(np.rint(pixels / np.float32(step)) * step, 255).astype(np.uint8)
