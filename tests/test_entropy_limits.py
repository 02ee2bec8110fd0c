"""Limits of the entropy coder: escapes, certain and damaged symbols, tables."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ncodec.entropy.ans import Packer, Unpacker
from ncodec.entropy.latents import (
    Symbols,
    estimate_bits,
    pack_symbols,
    pop_symbols,
    push_symbols,
    unpack_symbols,
    zero_certain,
)
from ncodec.errors import FormatError
from ncodec.inference.zoo import load_model

TOTAL = 2**24
LOW_ROWS_QP = 40
"""from which on both channels of z are coded, by low rows"""


from test_entropy import FRAME_TABLES, TABLES, gaussian_row, random_symbols


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
        TABLES,
        weight=np.zeros_like(TABLES.weight),
        bias=np.zeros_like(TABLES.bias),
        z_rows=TABLES.z_rows * 0,
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


@pytest.mark.parametrize(("row", "value"), [(0, 1), (3, 0), (3, 64)])
def test_tables_of_contexts_are_checked(row: int, value: int) -> None:
    FRAME_TABLES.validate()
    of_z, of_r = (rows.copy() for rows in FRAME_TABLES.adapted or ())
    of_r[row, 5] = value
    with pytest.raises(ValueError, match=r"expected rows of \(64, 16\)"):
        replace(FRAME_TABLES, adapted=(of_z, of_r)).validate()


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
    payloads = [
        pack_symbols(random_symbols(5, 6, seed=seed, spread=4), TABLES, qp=11) for seed in range(40)
    ]
    assert not any(payload.endswith(b"\0") for payload in payloads)
    assert {(len(payload) - 1) % 4 for payload in payloads} == {0, 1, 2, 3}
    with pytest.raises(
        FormatError, match="expected coded symbols, got bytes that no encoder ends with"
    ):
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
