"""Symbols move where that promises most, within their tables, and only where they may."""

import numpy as np
import numpy.typing as npt
import pytest

from ncodec.api.codecs import open_codec
from ncodec.entropy.latents import Symbols
from ncodec.image.effort import Search
from ncodec.image.error_weights import RGB
from ncodec.image.rdoq import FIRST_GAIN, SECOND_GAIN, no_progress, refine
from ncodec.inference.protocol import InitialSymbols, RdGradient

SHAPE = (320, 4, 4)
QP = 30
TABLES = open_codec().model.tables
Z_HAT = np.zeros((96, 1, 1), dtype=np.int8)
ROWS = TABLES.residual_rows(Z_HAT, qp=QP, height=4, width=4)
CHANNELS, HIGH, WIDE = np.indices(SHAPE)
FIRST = (HIGH + WIDE) % 2 == CHANNELS % 2


class Slope:
    """A backend for which moving a symbol up costs what it is told."""

    def __init__(self, gradient: npt.NDArray[np.float32], curvature: float = 0) -> None:
        self.gradient, self.curvature = gradient, np.full(SHAPE[0], curvature, dtype=np.float32)
        self.improvement = 1e9
        """of the cost of errors, by all moves together"""

    def rd_gradient(
        self, pixels: object, initial: InitialSymbols, *_: object, **__: object
    ) -> RdGradient:
        return RdGradient(
            initial.symbols.residual,
            self.gradient,
            self.curvature,
            cost=np.full((4, 4), self.improvement / 16),
        )

    def cost(self, *_: object, **__: object) -> npt.NDArray[np.float64]:
        return np.zeros((4, 4))


def refined(
    backend: Slope, search: Search, residual: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    initial = InitialSymbols(Symbols(Z_HAT, residual), np.zeros(SHAPE, dtype=np.float32))
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    found = refine(
        pixels, initial, TABLES, backend, search, qp=QP, error_weights=RGB, progress=no_progress
    )  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.z_hat, Z_HAT)
    return found.residual


def zeros() -> npt.NDArray[np.int16]:
    return np.zeros(SHAPE, dtype=np.int16)


@pytest.mark.parametrize("sign", [1, -1])
def test_symbols_move_downhill_but_not_beyond_what_they_cost(sign: int) -> None:
    gradient = np.full(SHAPE, -100 * sign, dtype=np.float32)
    moved = refined(Slope(gradient), Search(first=1, second=1, most=320), zeros())
    np.testing.assert_array_equal(moved, sign * (ROWS > 0))
    unmoved = refined(Slope(gradient, curvature=250), Search(first=1, second=1, most=320), zeros())
    assert not unmoved.any()


@pytest.mark.parametrize(("gain", "half"), [(FIRST_GAIN, FIRST), (SECOND_GAIN, ~FIRST)])
def test_a_move_has_to_save_enough(gain: float, half: npt.NDArray[np.bool_]) -> None:
    cost = TABLES.prices.of(ROWS, zeros() + 1) - TABLES.prices.of(ROWS, zeros())
    search = Search(first=1, second=1, most=320)
    barely, hardly = (
        refined(Slope(np.where(half, -(cost + gain + more), 0).astype(np.float32)), search, zeros())
        for more in (0.01, -0.01)
    )
    np.testing.assert_array_equal(barely, half & (ROWS > 0))
    assert not hardly.any()


def test_the_best_move_first_and_no_more_than_are_allowed_at_a_place() -> None:
    cost = TABLES.prices.of(ROWS, zeros() + 1) - TABLES.prices.of(ROWS, zeros())
    worth = np.random.default_rng(0).permutation(SHAPE[0])[:, None, None] + 10
    gradient = np.where(ROWS > 0, -(cost + worth), 0).astype(np.float32)
    moved = refined(Slope(gradient), Search(first=0, second=1, most=2), zeros())
    assert (moved.sum(axis=0) == 2).all()
    worth = np.where((ROWS > 0) & ~FIRST, worth, 0)
    for place in np.ndindex(4, 4):
        assert set(np.flatnonzero(moved[:, *place])) == set(np.argsort(worth[:, *place])[-2:])


def test_halves_are_looked_at_one_after_the_other() -> None:
    gradient = np.full(SHAPE, -100, dtype=np.float32)
    only = refined(Slope(gradient), Search(first=0, second=1, most=320), zeros())
    np.testing.assert_array_equal(only, ~FIRST & (ROWS > 0))
    twice = refined(Slope(gradient), Search(first=2, second=1, most=320), zeros())
    np.testing.assert_array_equal(twice[~FIRST], only[~FIRST])
    np.testing.assert_array_equal(twice.max(axis=0), 2)


def test_later_looks_move_less() -> None:
    updates = [Search(first=3, second=4, most=5).updates(number) for number in range(7)]
    assert updates == [5, 3, 1, 5, 4, 2, 1]
    gradient = np.full(SHAPE, -1000, dtype=np.float32)
    moved = [
        refined(Slope(gradient), Search(first=0, second=second, most=5), zeros())
        for second in (1, 2, 3)
    ]
    assert [int(np.abs(symbols[:, 0, 0]).sum()) for symbols in moved] == [5, 6, 9]


@pytest.mark.parametrize("beyond", [0, 64])
def test_an_escape_costs_what_it_takes(beyond: int) -> None:
    values = TABLES.prices.limits[ROWS].astype(np.int16) + np.int16(beyond) * (ROWS > 0)
    taken = TABLES.prices.of(ROWS, values + 1) - TABLES.prices.of(ROWS, values)
    gains = np.where(FIRST, FIRST_GAIN, SECOND_GAIN)
    search = Search(first=1, second=1, most=320)
    barely, hardly = (
        refined(Slope(-(taken + gains + more).astype(np.float32)), search, values.copy())
        for more in (0.01, -0.01)
    )
    np.testing.assert_array_equal(barely, values + (ROWS > 0))
    assert not (hardly > values).any()


def test_symbols_stay_where_moves_together_do_not_save_what_each_promises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ncodec.image.rdoq.find_copies", lambda *_, **__: "some cells")
    backend = Slope(np.full(SHAPE, -100, dtype=np.float32))
    search = Search(first=1, second=1, most=320)
    updates = refined(backend, search, zeros())
    spent = float(
        (TABLES.prices.of(ROWS, updates) - TABLES.prices.of(ROWS, zeros())).sum(dtype=np.float64)
    )
    backend.improvement = spent - 1
    assert not refined(backend, search, zeros()).any()
    backend.improvement = spent + 1
    np.testing.assert_array_equal(refined(backend, search, zeros()), updates)


def test_prices_are_those_of_the_tables() -> None:
    row = int(ROWS.max())
    table = TABLES.bank[row]
    values = np.array([-table.limit - 1, -table.limit, 0, 1, table.limit, table.limit + 65])
    prices = TABLES.prices.of(np.full(len(values), row, dtype=np.uint8), values)
    expected = -np.log2(table.counts[values[1:-1] + table.limit] / 2**24)
    np.testing.assert_allclose(prices[1:-1], expected, atol=1e-5)
    escape = -np.log2(table.counts[-1] / 2**24)
    np.testing.assert_allclose(prices[[0, -1]], [escape + 8, escape + 16], atol=1e-5)
    nothing = TABLES.prices.of(np.zeros(1, dtype=np.uint8), np.zeros(1, dtype=np.int16))
    assert nothing[0] < 1e-6
