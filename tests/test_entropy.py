from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.entropy import latents as entropy
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.contexts import Activity
from ncodec.entropy.latents import (
    SymbolContext,
    Symbols,
    next_context,
    pack_symbols,
    pop_symbols,
    push_symbols,
    unpack_symbols,
    zero_certain,
)
from ncodec.entropy.tables import Tables
from ncodec.errors import FormatError

TOTAL = 2**24
LOW_ROWS_QP = 40
"""from which on both channels of z are coded, by low rows"""


def gaussian_row(limit: int) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-limit, limit + 1) / (limit / 3)) ** 2)
    counts = np.maximum(
        1, (np.append(weights, 1e-4) / (weights.sum() + 1e-4) * TOTAL).astype(np.int64)
    )
    counts[limit] += TOTAL - counts.sum()
    return counts.astype(np.uint32)


def small_tables() -> Tables:
    """Three channels of y, two of z: small enough that a plain reference coder can follow."""
    rng = np.random.default_rng(7)
    return Tables(
        counts=tuple(gaussian_row(2 + row) for row in range(64)),
        weight=rng.integers(-40, 41, (48, 2)).astype(np.int8),
        bias=rng.integers(0, 16 * 40, (64, 3)).astype(np.int32),
        z_rows=np.repeat(
            np.array([[20, 0], [9, 4]], dtype=np.uint8), (LOW_ROWS_QP, 64 - LOW_ROWS_QP), axis=0
        ),
        shift=4,
    )


TABLES = small_tables()


def frame_tables() -> Tables:
    """Tables of frames: tables after others, and other tables in every context."""
    rng = np.random.default_rng(8)
    of_z, of_r = (rng.integers(1, known, (known, 16)).astype(np.uint8) for known in (66, 64))
    of_z[0] = of_r[0] = 0
    return replace(TABLES, after=(gaussian_row(9), gaussian_row(12)), still=6, adapted=(of_z, of_r))


FRAME_TABLES = frame_tables()
RATIOS = [128, 169, 223, 294, 388, 512, 676, 891, 1176, 1552, 2048, 2702, 3566, 4705, 6208]


def random_hyper(high: int, wide: int, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(rng.normal(0, 5, (2, -(-high // 4), -(-wide // 4)))), -127, 127).astype(
        np.int8
    )


def random_symbols(high: int, wide: int, *, seed: int, spread: float = 4) -> Symbols:
    rng = np.random.default_rng(seed)
    z_hat = random_hyper(high, wide, rng)
    residual = np.rint(rng.normal(0, spread, (3, high, wide))).astype(np.int16)
    symbols = Symbols(z_hat, residual)
    zero_certain(symbols, TABLES, qp=11)
    return symbols


def reference_words(
    symbols: Symbols, tables: Tables, *, qp: int, before: SymbolContext | None = None
) -> tuple[list[int], list[tuple[int, int]]]:
    """FORMAT.md's arithmetic in plain Python: the words of a one-band picture without escapes, and
    (row, value)s."""
    z_hat, residual = symbols.z_hat.astype(int), symbols.residual.astype(int)
    known = None if before is None else before.z_hat
    of_z = {at: hyper_row(int(z_hat[at]), known, at, qp) for at in np.ndindex(z_hat.shape)}
    of_r = {
        at: (residual_row(z_hat, *at, qp), int(residual[at])) for at in np.ndindex(residual.shape)
    }
    if tables.adapted is None:
        parts = [list(of_z.values()), list(of_r.values())]
    else:
        parts = [
            part
            for kind, coded in enumerate((of_z, of_r))
            for part in reference_parts(coded, tables, kind, before and before.activity[kind])
        ]
    # Sorting is stable, and positions are in raster order.
    sequence = [
        pair for part in parts for pair in sorted(part, key=lambda pair: pair[0]) if pair[0]
    ]
    bank = [*tables.counts, *tables.after]
    state, words = 0, []
    for row, value in reversed(sequence):
        counts = bank[row].astype(int).tolist()
        symbol = value + len(counts) // 2 - 1
        left, count = sum(counts[:symbol]), counts[symbol]
        if state >> 40 >= count:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        state = (state // count) * TOTAL + left + state % count
    while state:
        words.append(state & 0xFFFFFFFF)
        state >>= 32
    return words, sequence


def reference_parts(
    coded: dict[tuple[int, ...], tuple[int, int]],
    tables: Tables,
    kind: int,
    context: Activity | None,
) -> Iterator[list[tuple[int, int]]]:
    """Rows and values by parts, rows as the activity of their places changes them."""
    assert tables.adapted is not None
    places = {at[1:] for at in coded}
    found = {p: 0 if context is None else int(context.found[p]) // 2 for p in places}
    expected = {p: 0 if context is None else int(context.expected[p]) // 2 for p in places}
    for part in range(4):
        here = {at: pair for at, pair in coded.items() if at[0] % 4 == part}
        context = {
            p: sum(r * (expected[p] + 1024) <= (found[p] + 1024) * 1024 for r in RATIOS)
            for p in places
        }
        yield [
            (int(tables.adapted[kind][row, context[at[1:]]]), value)
            for at, (row, value) in here.items()
        ]
        for at, (row, value) in here.items():
            if row:
                found[at[1:]] += 4096 * min(abs(value), 15)
                expected[at[1:]] += expected_size(tables, row)


def expected_size(tables: Tables, row: int) -> int:
    counts = [*tables.counts, *tables.after][row].astype(int).tolist()
    limit = len(counts) // 2 - 1
    sizes = [*(abs(v) for v in range(-limit, limit + 1)), limit + 1]
    return sum(min(size, 15) * count for size, count in zip(sizes, counts, strict=True)) // 4096


def hyper_row(
    value: int, before: np.ndarray | None, at: tuple[int, ...], qp: int
) -> tuple[int, int]:
    """Table of a hyper-latent, 64 and 65 being those after others, and what is coded with it."""
    row = int(TABLES.z_rows[qp, at[0]])
    if row == 0 or before is None:
        return row, value
    known = int(before[at])
    if known == 0:
        return max(row - FRAME_TABLES.still, 1), value
    return 63 + min(abs(known), 2), (value if known > 0 else -value) - abs(known)


def residual_row(z_hat: np.ndarray, c: int, i: int, j: int, qp: int) -> int:
    weights = TABLES.weight[16 * c + 4 * (i % 4) + j % 4].astype(int)
    index = (int(weights @ z_hat[:, i // 4, j // 4]) + int(TABLES.bias[qp, c])) >> TABLES.shift
    return min(max(index, 0), 63)


@settings(max_examples=40, deadline=None)
@given(
    high=st.integers(1, 21),
    wide=st.integers(1, 21),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0, 4, 500]),
)
def test_round_trip_of_any_size(high: int, wide: int, seed: int, spread: float) -> None:
    symbols = random_symbols(high, wide, seed=seed, spread=spread)
    decoded = unpack_symbols(
        pack_symbols(symbols, TABLES, qp=11), TABLES, qp=11, height=high, width=wide
    )
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


def test_words_are_those_of_the_specification() -> None:
    symbols = random_symbols(9, 10, seed=1, spread=0.4)
    words, sequence = reference_words(symbols, TABLES, qp=11)
    assert all(abs(value) < len(TABLES.counts[row]) // 2 for row, value in sequence), (
        "the example must not escape"
    )
    assert pack_symbols(symbols, TABLES, qp=11) == b"\0" + np.array(
        words, dtype="<u4"
    ).tobytes().rstrip(b"\0")


def quiet_past(z_hat: np.ndarray, high: int, wide: int) -> SymbolContext:
    """A frame of which only ẑ is known."""
    return SymbolContext(z_hat, (Activity.none(*z_hat.shape[1:]), Activity.none(high, wide)))


def busy_past(z_hat: np.ndarray, high: int, wide: int, rng: np.random.Generator) -> SymbolContext:
    """A frame that was more active than expected in some places, and less in others."""
    pairs = [rng.integers(0, 2**17, (2, *shape)) for shape in (z_hat.shape[1:], (high, wide))]
    return SymbolContext(z_hat, (Activity(*pairs[0]), Activity(*pairs[1])))


@pytest.mark.parametrize("first", [True, False])
def test_words_of_frames_are_those_of_the_specification(first: bool) -> None:
    rng = np.random.default_rng(4)
    before = rng.choice(np.array([0, 0, 1, -1, 2, -2, 5], dtype=np.int8), (2, 3, 3))
    z_hat = (before + rng.integers(-1, 2, before.shape)).astype(np.int8)
    if first:
        z_hat = np.sign(z_hat)
    symbols = Symbols(z_hat, np.rint(rng.normal(0, 0.7, (3, 9, 10))).astype(np.int16))
    zero_certain(symbols, TABLES, qp=LOW_ROWS_QP)
    context = None if first else busy_past(before, 9, 10, rng)
    words, sequence = reference_words(symbols, FRAME_TABLES, qp=LOW_ROWS_QP, before=context)
    bank = [*FRAME_TABLES.counts, *FRAME_TABLES.after]
    assert all(abs(value) < len(bank[row]) // 2 for row, value in sequence), (
        "the example must not escape"
    )
    assert len({row for row, _ in sequence}) > 25, "the example must use what it is for"
    packed = push_symbols(symbols, FRAME_TABLES, qp=LOW_ROWS_QP, before=context).payload()
    assert packed == b"\0" + np.array(words, dtype="<u4").tobytes().rstrip(b"\0")


def test_what_one_frame_tells_of_the_next_is_as_specified() -> None:
    symbols, rng = random_symbols(9, 10, seed=6), np.random.default_rng(6)
    before = busy_past(random_hyper(9, 10, rng), 9, 10, rng)
    told = next_context(symbols, FRAME_TABLES, qp=11, before=before)
    of_r = {
        at: (residual_row(symbols.z_hat.astype(int), *at, 11), int(v))
        for at, v in np.ndenumerate(symbols.residual)
    }
    of_z = {at: hyper_row(int(v), before.z_hat, at, 11) for at, v in np.ndenumerate(symbols.z_hat)}
    for kind, coded in enumerate((of_z, of_r)):
        found, expected = before.activity[kind].found // 2, before.activity[kind].expected // 2
        for at, (row, value) in coded.items():
            if row:
                found[at[1:]] += 4096 * min(abs(value), 15)
                expected[at[1:]] += expected_size(FRAME_TABLES, row)
        np.testing.assert_array_equal(told.activity[kind].found, found)
        np.testing.assert_array_equal(told.activity[kind].expected, expected)
    np.testing.assert_array_equal(told.z_hat, symbols.z_hat)


@settings(max_examples=40, deadline=None)
@given(
    high=st.integers(1, 70),
    wide=st.integers(1, 21),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0, 1, 60]),
)
def test_any_frame_round_trips_after_any_other(
    high: int, wide: int, seed: int, spread: float
) -> None:
    symbols = random_symbols(high, wide, seed=seed)
    rng = np.random.default_rng(seed)
    z_hat = np.clip(symbols.z_hat + rng.normal(0, spread, symbols.z_hat.shape), -127, 127).astype(
        np.int8
    )
    before = busy_past(z_hat, high, wide, rng)
    last = [(TABLES.bank[5], np.array([1, 0, -1], dtype=np.int32))]
    packed = push_symbols(symbols, FRAME_TABLES, qp=11, before=before, last=last).payload()
    unpacker = Unpacker(packed)
    decoded = pop_symbols(unpacker, FRAME_TABLES, qp=11, height=high, width=wide, before=before)
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)
    assert unpacker.values(TABLES.bank[5], 3).tolist() == [1, 0, -1]
    unpacker.finish()


def test_bands_of_a_frame_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "BAND_CELLS", 8)
    symbols, rng = random_symbols(37, 19, seed=3), np.random.default_rng(3)
    before = busy_past(random_hyper(37, 19, rng), 37, 19, rng)
    packed = push_symbols(symbols, FRAME_TABLES, qp=11, before=before).payload()
    decoded = pop_symbols(Unpacker(packed), FRAME_TABLES, qp=11, height=37, width=19, before=before)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)
    whole = next_context(symbols, FRAME_TABLES, qp=11, before=before)
    monkeypatch.undo()
    again = next_context(symbols, FRAME_TABLES, qp=11, before=before)
    np.testing.assert_array_equal(whole.activity[1].found, again.activity[1].found)


def test_hyper_latents_beyond_their_range_are_refused() -> None:
    symbols = random_symbols(4, 4, seed=1, spread=0)
    high = np.full_like(symbols.z_hat, 127)
    other = replace(symbols, z_hat=np.full_like(high, 7))
    packed = push_symbols(other, FRAME_TABLES, qp=11, before=quiet_past(high - 125, 4, 4)).payload()
    with pytest.raises(FormatError, match="expected symbols of at most ±127"):
        pop_symbols(
            Unpacker(packed), FRAME_TABLES, qp=11, height=4, width=4, before=quiet_past(high, 4, 4)
        )


def test_bands_of_a_wide_picture_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "BAND_CELLS", 8)
    symbols = random_symbols(37, 19, seed=3)
    decoded = unpack_symbols(
        pack_symbols(symbols, TABLES, qp=11), TABLES, qp=11, height=37, width=19
    )
    np.testing.assert_array_equal(decoded.residual, symbols.residual)
