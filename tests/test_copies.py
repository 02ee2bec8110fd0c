"""Cells like the one beside or above them cost next to nothing, and copies that lead nowhere are
refused."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ncodec
from ncodec.entropy.ans import Unpacker
from ncodec.entropy.contexts import Activity
from ncodec.entropy.copies import ABOVE, CODED, LEFT, find_copies, pack_copy_map, unpack_copy_map
from ncodec.entropy.latents import (
    SymbolContext,
    Symbols,
    _push,
    estimate_bits,
    pack_symbols,
    pop_symbols,
    push_symbols,
    unpack_symbols,
    zero_certain,
)
from ncodec.errors import FormatError
from ncodec.inference.model import FRAME, PICTURE
from ncodec.inference.zoo import load_model

QP = 32


def plain_symbols(
    high: int, wide: int, *, seed: int, copy_map: int = 3, kind: str = PICTURE
) -> Symbols:
    """Symbols of a shipped model made of a few cells, in random places."""
    tables = load_model(kind=kind).tables
    rng = np.random.default_rng(seed)
    z_cells = rng.integers(-3, 4, (copy_map, tables.z_rows.shape[1])).astype(np.int8)
    r_cells = rng.integers(-2, 3, (copy_map, tables.bias.shape[1], 4, 4)).astype(np.int16)
    places = np.repeat(rng.integers(0, copy_map, (-(-high // 4), 1)), -(-wide // 4), axis=1)
    places[:, -1] = rng.integers(0, copy_map, len(places))
    residual = (
        r_cells[places].transpose(2, 0, 3, 1, 4).reshape(tables.bias.shape[1], 4 * len(places), -1)
    )
    symbols = Symbols(
        np.ascontiguousarray(z_cells[places].transpose(2, 0, 1)),
        np.ascontiguousarray(residual[:, :high, :wide]),
    )
    zero_certain(symbols, tables, qp=QP)
    return symbols


@settings(max_examples=25, deadline=None)
@given(high=st.integers(1, 21), wide=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_round_trip_of_any_size(high: int, wide: int, seed: int) -> None:
    symbols, tables = plain_symbols(high, wide, seed=seed), load_model().tables
    decoded = unpack_symbols(
        pack_symbols(symbols, tables, qp=QP), tables, qp=QP, height=high, width=wide
    )
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


def test_repeats_are_found_beside_and_above() -> None:
    symbols = plain_symbols(14, 22, seed=3, copy_map=1)
    copy_map = find_copies(symbols.z_hat, symbols.residual, side=4)
    assert copy_map is not None
    assert copy_map.shape == (4, 6)
    assert copy_map[0, 0] == CODED
    assert (copy_map[:, 1:] == LEFT).all()
    assert (copy_map[1:, 0] == ABOVE).all()
    symbols.residual[5, 13, 21] += 1  # the last place, in a cell that the picture holds a part of
    changed = find_copies(symbols.z_hat, symbols.residual, side=4)
    assert changed is not None
    assert changed[3, 5] == CODED
    np.testing.assert_array_equal(changed.reshape(-1)[:-1], copy_map.reshape(-1)[:-1])


def test_a_thousand_equal_cells_cost_little_more_than_one() -> None:
    tables = load_model().tables
    one, many = plain_symbols(4, 4, seed=1, copy_map=1), plain_symbols(128, 128, seed=1, copy_map=1)
    sizes = [len(pack_symbols(symbols, tables, qp=QP)) for symbols in (one, many)]
    assert sizes[1] < sizes[0] + 60
    assert estimate_bits(many, tables, qp=QP) / 8 == pytest.approx(sizes[1], abs=16)


def test_bands_repeat_those_above_them() -> None:
    tables = load_model().tables
    symbols = plain_symbols(200, 130, seed=4)  # 50 rows of 33 cells, of which a band has 31
    packed = pack_symbols(symbols, tables, qp=QP)
    decoded = unpack_symbols(packed, tables, qp=QP, height=200, width=130)
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)
    assert len(packed) < 150_000, (
        "50 rows of at most two different cells of 1.3 kB, where 33 are 43 kB"
    )


def test_a_picture_of_one_colour_is_small_and_right() -> None:
    pixels = np.full((720, 1280, 3), (37, 99, 180), dtype=np.uint8)
    data = ncodec.encode(pixels, quality=50)
    assert len(data) < 1500
    assert np.abs(np.asarray(ncodec.decode(data)).astype(int) - pixels).mean() < 1


def past(z_hat: np.ndarray) -> SymbolContext:
    """A frame of which only ẑ, of whole cells, is known."""
    _, high, wide = z_hat.shape
    return SymbolContext(z_hat, (Activity.none(high, wide), Activity.none(4 * high, 4 * wide)))


def test_a_frame_after_another_repeats_no_cell() -> None:
    symbols, tables = plain_symbols(16, 16, seed=2, copy_map=1), load_model().tables
    packed = push_symbols(
        symbols, tables, qp=QP, before=past(np.zeros_like(symbols.z_hat))
    ).payload()
    assert len(packed) > len(pack_symbols(symbols, tables, qp=QP))


def test_a_reader_takes_repeats_after_another_frame() -> None:
    symbols, tables = (
        plain_symbols(16, 16, seed=2, copy_map=1, kind=FRAME),
        load_model(kind=FRAME).tables,
    )
    zero_certain(symbols, tables, qp=QP)
    before = past(np.ones_like(symbols.z_hat))
    copy_map = find_copies(symbols.z_hat, symbols.residual, side=4)
    payload = _push(symbols, tables, copy_map, qp=QP, before=before, last=[]).payload()
    decoded = pop_symbols(Unpacker(payload), tables, qp=QP, height=16, width=16, before=before)
    np.testing.assert_array_equal(decoded.z_hat, symbols.z_hat)
    np.testing.assert_array_equal(decoded.residual, symbols.residual)


@pytest.mark.parametrize(
    "copy_map",
    [
        np.full((2, 3), LEFT, dtype=np.uint8),
        np.full((2, 3), ABOVE, dtype=np.uint8),
        np.full((2, 3), 3, dtype=np.uint8),
        np.zeros((3, 3), dtype=np.uint8),
        np.zeros((1, 3), dtype=np.uint8),
    ],
)
def test_repeats_of_nothing_are_refused(copy_map: np.ndarray) -> None:
    with pytest.raises(FormatError, match="expected"):
        unpack_copy_map(pack_copy_map(copy_map), 2, 3)


@pytest.mark.parametrize(
    "payload", [b"", b"nothing", zlib.compress(bytes(6)) + b"more", zlib.compress(bytes(6))[:-1]]
)
def test_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(FormatError, match="expected"):
        unpack_copy_map(payload, 2, 3)


def test_a_stream_that_unfolds_without_end_is_refused_at_once() -> None:
    with pytest.raises(FormatError, match="expected for 6 cells"):
        unpack_copy_map(zlib.compress(bytes(2**26), 9), 2, 3)
