"""Cells of a picture coded exactly or nearly so, to compare ways and degrees of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ncodec.arrays import BoolArray, FloatArray, Pixels
from ncodec.exact.colours import (
    Colours,
    Indices,
    Palette,
    count_colours,
    make_palette,
    merge_colours,
)
from ncodec.exact.goal import COARSEST, FINEST, Goal
from ncodec.exact.layers import Layer, by_pixel, code_layers, pack_layers
from ncodec.exact.lossless_cost import LosslessCost, lossless_cost, novel_pixels
from ncodec.exact.outcome import errors_of, shown_where
from ncodec.exact.vp8l import Search

NETWORK, DRAWN, SAMPLED = 0, 1, 2
"""ways of coding a cell"""
HASTY = Search(method=2, quality=50)
"""fast search of the lossless coder, for comparisons"""
LARGE = 2**18
"""pixels of a picture from which trials are spared"""
PATIENCE, LARGE_PATIENCE = 3, 1
"""mergings in a row that may be worse than the best one before a search ends, and the first one of
a large picture"""
LAYER_BITS = 8 * 12
"""bits of a layer beside its pixels: chunk, map and lengths"""
MAX_COLOURS, PIXELS_PER_COLOUR = 2**14, 3
"""most colours, and fewest pixels of each on average, of a drawing whose colours merge"""
DRAWN_NOVELTY = 0.5
"""share of the pixels of a cell or a picture that may be novel, below which it is a drawing anyway
"""


@dataclass(frozen=True, eq=False)
class Coded:
    """Layers of some cells coded in one way, with the sums of their squared errors and blots."""

    layers: tuple[Layer, ...]
    errors: float
    blots: float

    @property
    def bits(self) -> int:
        """Bits of the layers in a file."""
        return 8 * len(pack_layers(self.layers)) + LAYER_BITS

    def cost(self, price: float) -> float:
        """Bits λ·(D + blots) + R of all these cells, with λ = `price`."""
        return price * (self.errors + self.blots) + self.bits


class CellTrials:
    """Codes cells of one picture, (H, W, 3), drawn or sampled; hasty trials are kept for reuse.

    `search` is that of the lossless coder in `draw` and `final`.
    """

    def __init__(self, source: Pixels, search: Search, *, hidden: BoolArray | None = None) -> None:
        """`hidden`, (H, W), are pixels whose errors do not count because their alpha is 0."""
        self.source = source
        self.search = search
        self._hidden = hidden
        self._tried: dict[tuple[int, int, bytes], Coded] = {}
        """by way, merging or step, and cells"""
        self._counted: dict[bytes, Colours] = {}
        """by cells"""
        self._lean, self._patience = 0, PATIENCE if self.pixels <= LARGE else LARGE_PATIENCE
        """colour merging search: its start minus `goal.merging`, and worse trials in a row that it
        bears"""

    @cached_property
    def _novel(self) -> BoolArray:
        return novel_pixels(self.source)

    @cached_property
    def cost(self) -> LosslessCost:
        """Estimated lossless cost of every cell."""
        return lossless_cost(self.source)

    @cached_property
    def drawable(self) -> BoolArray:
        """(⌈H/64⌉, ⌈W/64⌉) cells whose colours may be merged.

        More than half of their pixels repeat a neighbour, or they are no dearer as a drawing than
        as a photograph by estimate.
        """
        cost = self.cost
        drawable: BoolArray = (cost.drawn_bits <= cost.bits()) | (
            cost.novel < DRAWN_NOVELTY * cost.pixels
        )
        return drawable

    @property
    def pixels(self) -> int:
        """Number of pixels that are not transparent."""
        height, width, _ = self.source.shape
        return int(height * width - (0 if self._hidden is None else np.count_nonzero(self._hidden)))

    def errors_of(self, shown: Pixels) -> tuple[FloatArray, FloatArray]:
        """Squared errors and blot penalties of each cell for `shown`, (H, W, 3); hidden pixels
        have none.

        Both are (⌈H/64⌉, ⌈W/64⌉), as of `ncodec.exact.outcome.errors_of`.
        """
        return errors_of(self.source, shown_where(self._hidden, self.source, shown))

    def draw(self, cells: BoolArray, goal: Goal) -> tuple[Layer, ...]:
        """Layers of drawn cells, (⌈H/64⌉, ⌈W/64⌉), with colours merged as `goal.merging` says.

        Coded with the full search.
        """
        return self._code(DRAWN, goal.merging, cells, self.search).layers

    def best_merging(self, cells: BoolArray, goal: Goal) -> int:
        """Merging distance of least λ·D + R for drawn cells, (⌈H/64⌉, ⌈W/64⌉): log₂ of the squared
        RGB distance below which their colours merge, `FINEST` to `COARSEST`.

        `FINEST`, no merging, where the cells have too many colours or one. Searched in both
        directions from `goal.merging`, shifted as the last search was; remembers its own shift for
        the next.
        """
        if not self._can_merge(cells):
            return FINEST
        costs: dict[int, tuple[float, float]] = {}
        best = (np.inf, np.inf)
        start = int(np.clip(goal.merging + self._lean, FINEST, COARSEST))
        for direction in (-1, 1):
            merging, worse = start, 0
            while FINEST <= merging <= COARSEST and worse <= self._patience:
                coded = self.hasty(DRAWN, merging, cells)
                costs[merging] = coded.cost(goal.price), coded.errors
                worse = 0 if costs[merging] < best else worse + 1
                best = min(best, costs[merging])
                merging += direction
        cheapest = min(costs, key=lambda merging: costs[merging])
        self._lean = cheapest - goal.merging
        self._patience = PATIENCE if self.pixels <= LARGE else 0
        return cheapest

    def _can_merge(self, cells: BoolArray) -> bool:
        """Whether so many pixels share so few colours, two at least, that some may be merged."""
        colours = self._colours(cells)
        return 1 < colours.number <= min(MAX_COLOURS, int(colours.held.sum()) // PIXELS_PER_COLOUR)

    def hasty(self, way: int, fineness: int, cells: BoolArray) -> Coded:
        """Cells, (⌈H/64⌉, ⌈W/64⌉), coded by a fast search; once for the same arguments.

        `way` is DRAWN or SAMPLED; `fineness` is the merging distance (log₂) of the first, the step
        of the second.
        """
        key = (way, fineness, cells.tobytes())
        if key not in self._tried:
            self._tried[key] = self._code(way, fineness, cells, HASTY)
        return self._tried[key]

    def final(self, tried: Coded, way: int, fineness: int) -> Coded:
        """Trial coded anew by the full search, or `tried` itself where that is no larger.

        `way` and `fineness` are those of the trial, as in `hasty`.
        """
        cells = np.logical_or.reduce([layer.cells for layer in tried.layers])
        return min(
            tried, self._code(way, fineness, cells, self.search), key=lambda coded: coded.bits
        )

    def _code(self, way: int, fineness: int, cells: BoolArray, search: Search) -> Coded:
        if way == SAMPLED:
            layers = code_layers(self.source, cells, step=fineness, search=search)
            shown = sampled(self.source, fineness)
        else:
            shown = self.merged(cells, fineness)
            layers = code_layers(shown, cells, search=search)
        errors, blots = (float(each[cells].sum()) for each in self.errors_of(shown))
        return Coded(tuple(layers), errors, blots)

    def merged(self, cells: BoolArray, merging: int) -> Pixels:
        """The picture, (H, W, 3), with colours merged in the drawable ones of the given cells.

        `merging` is log₂ of the squared RGB distance below which colours merge, 0 for none. The
        source itself is returned where none merge, as with one colour, more than 2¹⁴ or too many
        for the pixels.
        """
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
        places = np.flatnonzero(by_pixel(self.drawable, *self.source.shape[:2]))
        return places, make_palette(
            self.source.reshape(-1, 3)[places], self._novel.reshape(-1)[places]
        )

    def _colours(self, cells: BoolArray) -> Colours:
        """Colours of the drawable pixels in cells."""
        key = cells.tobytes()
        if key not in self._counted:
            places, palette = self._palette
            held = by_pixel(cells, *self.source.shape[:2]).reshape(-1)[places]
            self._counted[key] = count_colours(palette, held)
        return self._counted[key]


def sampled(pixels: Pixels, step: int) -> Pixels:
    """Pixels whose samples are rounded to multiples of `step` (halves to even), at most 255.

    What a decoder shows of cells sampled in this step; the pixels themselves with a step of 1.
    """
    return (
        pixels
        if step == 1
        else np.minimum(np.rint(pixels / np.float32(step)) * step, 255).astype(np.uint8)
    )
