"""Tables are fitted to counted symbols."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("pytorch_lightning")


from ncodec.inference.zoo import load_model
from ncodec.training.export.calibrate import (
    REACH,
    fitted_after,
    fitted_row,
    fitted_still,
)
from ncodec.training.export.freeze import gaussian_counts

Photo = npt.NDArray[np.uint8]


def test_fitted_rows_follow_what_was_counted() -> None:
    gaussian = gaussian_counts(1.0)
    limit = len(gaussian) // 2 - 1
    counted = np.zeros(limit + 2, dtype=np.int64)
    np.testing.assert_allclose(fitted_row(gaussian, counted), gaussian, atol=2)
    counted[[0, 3, -1]] = 500_000, 400_000, 100_000
    fitted = fitted_row(gaussian, counted).astype(np.int64)
    assert fitted.sum() == 2**24
    assert fitted.min() >= 1
    np.testing.assert_array_equal(fitted[:-1], fitted[-2::-1])
    for position, share in (
        (limit, 0.5),
        (limit + 3, 0.2),
        (limit - 3, 0.2),
        (len(fitted) - 1, 0.1),
    ):
        assert fitted[position] / 2**24 == pytest.approx(share, rel=0.01)


def test_tables_after_others_follow_what_was_counted() -> None:
    counted = np.zeros(2 * REACH + 2, dtype=np.int64)
    counted[[REACH, REACH - 1, -1]] = 700_000, 250_000, 50_000
    fitted = fitted_after(counted).astype(np.int64)
    assert fitted.sum() == 2**24
    assert fitted.min() >= 1
    for position, share in ((REACH, 0.7), (REACH - 1, 0.25), (2 * REACH + 1, 0.05)):
        assert fitted[position] / 2**24 == pytest.approx(share, rel=0.01)


@pytest.mark.parametrize(("lower", "scale"), [(0, 1.0), (9, 0.33)])
def test_hyper_latents_that_stay_zero_have_a_lower_table(lower: int, scale: float) -> None:
    scales = np.geomspace(0.11, 256, 64)
    tables = replace(load_model().tables, counts=tuple(gaussian_counts(float(s)) for s in scales))
    row = int(np.searchsorted(scales, 1.0))
    counted = np.zeros((64, REACH + 2), dtype=np.int64)
    drawn = np.abs(np.random.default_rng(1).normal(0, scale, 20_000).round()).astype(int)
    counted[row] = np.bincount(drawn, minlength=REACH + 2)
    assert fitted_still(tables, counted) == pytest.approx(lower, abs=1)


@pytest.mark.parametrize("scale", [0.11, 0.5, 3.0, 40.0, 256.0])
def test_gaussian_tables_are_exact_and_near_the_gaussian(scale: float) -> None:
    counts = gaussian_counts(scale).astype(np.int64)
    assert counts.sum() == 2**24
    assert counts.min() >= 1
    inside = counts[:-1]
    np.testing.assert_array_equal(inside, inside[::-1])
    values = np.arange(len(inside)) - len(inside) // 2
    variance = (inside * values**2).sum() / inside.sum()
    assert variance == pytest.approx(scale**2 + 1 / 12, rel=0.05) or scale < 0.5
