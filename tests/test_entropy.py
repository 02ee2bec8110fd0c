from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec import entropy
from ncodec.entropy import (
    Packer,
    Symbols,
    Tables,
    Unpacker,
    estimate_bits,
    pack_symbols,
    pop_symbols,
    push_symbols,
    unpack_symbols,
    zero_certain,
)
from ncodec.errors import FormatError
from ncodec.zoo import load_model

TOTAL = 2**24
LOW_ROWS_QP = 40
"""from which on both channels of z are coded, by low rows"""


def gaussian_row(limit: int) -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-limit, limit + 1) / (limit / 3)) ** 2)
    counts = np.maximum(1, (np.append(weights, 1e-4) / (weights.sum() + 1e-4) * TOTAL).astype(np.int64))
    counts[limit] += TOTAL - counts.sum()
    return counts.astype(np.uint32)


def small_tables() -> Tables:
    """Three channels of y, two of z: small enough that a plain reference coder can follow."""
    rng = np.random.default_rng(7)
    return Tables(
        counts=tuple(gaussian_row(2 + row) for row in range(64)),
        weight=rng.integers(-40, 41, (48, 2)).astype(np.int8),
        bias=rng.integers(0, 16 * 40, (64, 3)).astype(np.int32),
        z_rows=np.repeat(np.array([[20, 0], [9, 4]], dtype=np.uint8), (LOW_ROWS_QP, 64 - LOW_ROWS_QP), axis=0),
        shift=4,
    )


TABLES = small_tables()
FRAME_TABLES = replace(TABLES, after=(gaussian_row(9), gaussian_row(12)), still=6)


def random_hyper(high: int, wide: int, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(rng.normal(0, 5, (2, -(-high // 4), -(-wide // 4)))), -127, 127).astype(np.int8)


def random_symbols(high: int, wide: int, *, seed: int, spread: float = 4) -> Symbols:
    rng = np.random.default_rng(seed)
    z_hat = random_hyper(high, wide, rng)
    residual = np.rint(rng.normal(0, spread, (3, high, wide))).astype(np.int16)
    symbols = Symbols(z_hat, residual)
    zero_certain(symbols, TABLES, qp=11)
    return symbols


def reference_words(
    symbols: Symbols, *, qp: int, before: np.ndarray | None = None
) -> tuple[list[int], list[tuple[int, int]]]:
    """FORMAT.md's arithmetic in plain Python: the words of a one-band picture without escapes, and (row, value)s."""
    z_hat, residual = symbols.z_hat.astype(int), symbols.residual.astype(int)
    of_z = {at: hyper_row(int(z_hat[at]), before, at, qp) for at in np.ndindex(z_hat.shape)}
    of_r = {at: (residual_row(z_hat, *at, qp), int(residual[at])) for at in np.ndindex(residual.shape)}
    # Sorting is stable, and positions are in raster order.
    sequence = [pair for part in (of_z, of_r) for pair in sorted(part.values(), key=lambda pair: pair[0]) if pair[0]]
    bank = [*FRAME_TABLES.counts, *FRAME_TABLES.after]
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


def hyper_row(value: int, before: np.ndarray | None, at: tuple[int, ...], qp: int) -> tuple[int, int]:
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
    decoded = unpack_symbols(pack_symbols(symbols, TABLES, qp=11), TABLES, qp=11, height=high, width=wide)
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


def test_words_are_those_of_the_specification() -> None:
    symbols = random_symbols(9, 10, seed=1, spread=0.4)
    words, sequence = reference_words(symbols, qp=11)
    assert all(abs(value) < len(TABLES.counts[row]) // 2 for row, value in sequence), "the example must not escape"
    assert pack_symbols(symbols, TABLES, qp=11) == b"\0" + np.array(words, dtype="<u4").tobytes().rstrip(b"\0")


def test_words_after_another_frame_are_those_of_the_specification() -> None:
    rng = np.random.default_rng(4)
    before = rng.choice(np.array([0, 0, 1, -1, 2, -2, 5], dtype=np.int8), (2, 3, 3))
    symbols = Symbols((before + rng.integers(-1, 2, before.shape)).astype(np.int8), np.zeros((3, 9, 10), np.int16))
    words, sequence = reference_words(symbols, qp=LOW_ROWS_QP, before=before)
    bank = [*FRAME_TABLES.counts, *FRAME_TABLES.after]
    assert all(abs(value) < len(bank[row]) // 2 for row, value in sequence), "the example must not escape"
    assert {1, 3, 64, 65} <= {row for row, _ in sequence}, "the example must use what it is for"
    packed = push_symbols(symbols, FRAME_TABLES, qp=LOW_ROWS_QP, before=before).payload()
    assert packed == b"\0" + np.array(words, dtype="<u4").tobytes().rstrip(b"\0")


@settings(max_examples=40, deadline=None)
@given(
    high=st.integers(1, 70), wide=st.integers(1, 21), seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([0, 1, 60])
)
def test_any_frame_round_trips_after_any_other(high: int, wide: int, seed: int, spread: float) -> None:
    symbols = random_symbols(high, wide, seed=seed)
    rng = np.random.default_rng(seed)
    before = np.clip(symbols.z_hat + rng.normal(0, spread, symbols.z_hat.shape), -127, 127).astype(np.int8)
    packed = push_symbols(symbols, FRAME_TABLES, qp=11, before=before).payload()
    decoded = pop_symbols(Unpacker(packed), FRAME_TABLES, qp=11, height=high, width=wide, before=before)
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


def test_hyper_latents_beyond_their_range_are_refused() -> None:
    symbols = random_symbols(4, 4, seed=1, spread=0)
    high = np.full_like(symbols.z_hat, 127)
    other = replace(symbols, z_hat=np.full_like(high, 7))
    packed = push_symbols(other, FRAME_TABLES, qp=11, before=high - 125).payload()
    with pytest.raises(FormatError, match="expected symbols of at most ±127"):
        pop_symbols(Unpacker(packed), FRAME_TABLES, qp=11, height=4, width=4, before=high)


def test_bands_of_a_wide_picture_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entropy, "BAND_CELLS", 8)
    symbols = random_symbols(37, 19, seed=3)
    decoded = unpack_symbols(pack_symbols(symbols, TABLES, qp=11), TABLES, qp=11, height=37, width=19)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


@pytest.mark.parametrize("extreme", [-32767, 32767, 41, -41])
def test_rare_large_values_escape(extreme: int) -> None:
    symbols = random_symbols(8, 8, seed=5)
    rows = TABLES.residual_rows(symbols.z_hat, qp=11, height=8, width=8)
    at = tuple(np.argwhere(rows > 0)[0])
    symbols.residual[at] = extreme
    decoded = unpack_symbols(pack_symbols(symbols, TABLES, qp=11), TABLES, qp=11, height=8, width=8)
    assert decoded.residual[at] == extreme


def test_the_estimate_is_what_the_bytes_are() -> None:
    symbols = random_symbols(60, 60, seed=9)
    size = len(pack_symbols(symbols, TABLES, qp=11))
    assert abs(size - estimate_bits(symbols, TABLES, qp=11) / 8) <= 12


def test_certain_symbols_cost_nothing() -> None:
    silent = replace(
        TABLES, weight=np.zeros_like(TABLES.weight), bias=np.zeros_like(TABLES.bias), z_rows=TABLES.z_rows * 0
    )
    symbols = Symbols(np.zeros((2, 8, 8), np.int8), np.zeros((3, 32, 32), np.int16))
    assert pack_symbols(symbols, silent, qp=0) == b"\0"


def test_symbols_that_disagree_with_a_certain_table_become_zero() -> None:
    cleaned = Symbols(np.full((2, 4, 4), 3, np.int8), np.ones((3, 16, 16), np.int16))
    zero_certain(cleaned, TABLES, qp=11)
    rows = TABLES.residual_rows(cleaned.z_hat, qp=11, height=16, width=16)
    assert (cleaned.z_hat[1] == 0).all()
    assert (cleaned.residual[rows == 0] == 0).all()
    assert (cleaned.residual[rows > 0] == 1).all()


@pytest.mark.parametrize("still", [-1, 64])
def test_tables_of_frames_are_checked(still: int) -> None:
    with pytest.raises(ValueError, match="expected at most 127 tables after others and a row"):
        replace(FRAME_TABLES, still=still).validate()
    with pytest.raises(ValueError, match="expected at most 127 tables after others and a row"):
        replace(TABLES, still=1).validate()
    with pytest.raises(ValueError, match="in row 64"):
        replace(FRAME_TABLES, after=(gaussian_row(3) // 2,)).validate()


def test_what_comes_first_is_read_first() -> None:
    symbols = random_symbols(9, 10, seed=5, spread=60)
    values = np.array([0, 3, -90, 1], dtype=np.int32)
    packer = push_symbols(symbols, TABLES, qp=11)
    packer.push([(TABLES.bank[7], values)])
    packed = packer.payload()
    unpacker = Unpacker(packed)
    np.testing.assert_array_equal(unpacker.values(TABLES.bank[7], 4), values)
    decoded = pop_symbols(unpacker, TABLES, qp=11, height=9, width=10)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)
    alone = Packer()
    alone.push([(TABLES.bank[7], values)])
    assert len(packed) < len(alone.payload()) + len(pack_symbols(symbols, TABLES, qp=11))


def test_the_last_bytes_are_left_out_where_they_are_zero() -> None:
    payloads = [pack_symbols(random_symbols(5, 6, seed=seed, spread=4), TABLES, qp=11) for seed in range(40)]
    assert not any(payload.endswith(b"\0") for payload in payloads)
    assert {(len(payload) - 1) % 4 for payload in payloads} == {0, 1, 2, 3}
    with pytest.raises(FormatError, match="expected coded symbols, got bytes that no encoder ends with"):
        unpack_symbols(payloads[0] + b"\0", TABLES, qp=11, height=5, width=6)


PACKED = pack_symbols(random_symbols(12, 9, seed=2, spread=60), TABLES, qp=11)


def test_truncated_payloads_are_refused() -> None:
    for length in range(len(PACKED)):
        with pytest.raises(FormatError):
            unpack_symbols(PACKED[:length], TABLES, qp=11, height=12, width=9)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_a_crafted_payload_decodes_or_is_refused(payload: bytes) -> None:
    with suppress(FormatError):
        unpack_symbols(payload, TABLES, qp=11, height=12, width=9)


def test_a_payload_of_another_size_is_refused() -> None:
    with pytest.raises(FormatError):
        unpack_symbols(PACKED, TABLES, qp=11, height=11, width=9)


@pytest.mark.parametrize("rows", [63, 65])
def test_tables_need_sixty_four_rows(rows: int) -> None:
    with pytest.raises(ValueError, match="expected 64 tables"):
        replace(TABLES, counts=tuple(gaussian_row(2) for _ in range(rows))).validate()


def test_tables_beyond_the_exact_range_of_float32_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \|W·ẑ \+ b\| < 2²⁴"):
        replace(TABLES, bias=np.full((64, 3), 2**24, np.int32)).validate()


def test_float32_products_are_exact_at_the_extremes_of_the_shipped_model() -> None:
    tables = load_model().tables
    rng = np.random.default_rng(0)
    z_hat = rng.choice(np.array([-127, 127], np.int8), (tables.z_rows.shape[1], 5, 7))
    exact = tables.weight.astype(np.int64) @ z_hat.reshape(len(z_hat), -1).astype(np.int64)
    index = np.clip((exact + np.repeat(tables.bias[63], 16)[:, None]) >> tables.shift, 0, 63)
    grid = index.reshape(-1, 4, 4, 5, 7).transpose(0, 3, 1, 4, 2).reshape(-1, 20, 28)
    np.testing.assert_array_equal(tables.residual_rows(z_hat, qp=63, height=20, width=28), grid)
