"""Activity of places, and the tables that are fitted to it."""

from dataclasses import replace

import numpy as np
import pytest

from ncodec.entropy.contexts import CONTEXTS, UNIT, Activity, measure
from ncodec.entropy.latents import Symbols, push_symbols
from ncodec.entropy.tables import ROWS
from ncodec.inference.model import FRAME
from ncodec.inference.zoo import load_model


def test_as_much_as_expected_is_the_context_in_the_middle() -> None:
    expected = np.array([[0, UNIT, 40 * UNIT]])
    for factor, context in ((1.0, 8), (1.16, 9), (0.86, 7), (7.0, 15), (0.02, 0)):
        found = np.rint(factor * (expected + UNIT // 4)).astype(np.int64) - UNIT // 4
        assert Activity(np.maximum(found, 0), expected).contexts()[0, 2] == context
    assert Activity.none(1, 2).contexts().tolist() == [[8, 8]]


def test_certain_symbols_and_large_ones_count_no_more_than_they_tell() -> None:
    values = np.array([[[3, -400]], [[2, 0]]], dtype=np.int16)
    rows = np.array([[[5, 5]], [[0, 9]]], dtype=np.uint8)
    seen = measure(values, rows, np.arange(64))
    assert seen.found.tolist() == [[3 * UNIT, 15 * UNIT]]
    assert seen.expected.tolist() == [[5, 14]]


def test_contexts_of_the_shipped_model_save_bits_where_places_differ() -> None:
    """Moving places among still ones, whose hyper-latents say nothing of it."""
    tables = load_model(kind=FRAME).tables
    rng = np.random.default_rng(1)
    z_hat = np.zeros((tables.z_rows.shape[1], 3, 3), dtype=np.int8)
    rows = tables.residual_rows(z_hat, qp=40, height=12, width=12)
    scale = np.where(np.arange(12) < 3, 0.6, 0.03)
    residual = np.rint(rng.laplace(0, scale, rows.shape) * (rows > 0)).astype(np.int16)
    sizes = [
        len(push_symbols(Symbols(z_hat, residual), t, qp=40).payload())
        for t in (tables, replace(tables, adapted=None))
    ]
    assert sizes[0] < 0.95 * sizes[1]


def test_what_is_fitted_lets_active_places_have_wider_tables() -> None:
    pytest.importorskip("torch")
    from ncodec.training.export.contexts import Coded, fitted_adapted

    tables = load_model(kind=FRAME).tables
    rng = np.random.default_rng(2)
    sequences = []
    for _ in range(6):
        z_hat = np.zeros((tables.z_rows.shape[1], 4, 4), dtype=np.int8)
        rows = tables.residual_rows(z_hat, qp=40, height=16, width=16)
        scale = np.exp(rng.normal(-1, 1.5, (1, 16, 16)))
        residual = np.rint(rng.laplace(0, scale, rows.shape) * (rows > 0)).astype(np.int16)
        sequences.append([Coded(Symbols(z_hat, residual), 40)])
    of_z, of_r = fitted_adapted(sequences, tables)
    assert of_z.shape == (ROWS + len(tables.after), CONTEXTS)
    assert not of_r[0].any()
    assert of_r[1:].all()
    used, counts = np.unique(rows[rows > 0], return_counts=True)
    common = used[counts.argmax()]
    assert of_r[common, -1] > of_r[common, 0] + 5
    fitted = replace(tables, adapted=(of_z, of_r))
    fitted.validate()
    after = [
        len(push_symbols(sequences[0][0].symbols, t, qp=40).payload())
        for t in (fitted, replace(tables, adapted=None))
    ]
    assert after[0] < after[1]
