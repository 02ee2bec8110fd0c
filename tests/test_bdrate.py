import numpy as np
import pytest

from ncodec.errors import InputError
from ncodec.eval.bdrate import bd_rate

ANCHOR = [(0.25, 28.0), (0.5, 31.0), (1.0, 34.5), (2.0, 38.5)]


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.3])
def test_a_constant_factor_of_the_rate_is_found(factor: float) -> None:
    test = [(rate * factor, quality) for rate, quality in ANCHOR]
    assert bd_rate(ANCHOR, test) == pytest.approx((factor - 1) * 100)


def test_a_known_pair_of_curves() -> None:
    """The figure of PyPI's `bjontegaard` package (method "pchip") for these points."""
    anchor = [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)]
    test = [(893.34, 40.39), (407.8, 37.21), (204.93, 34.17), (112.75, 31.24)]
    assert bd_rate(anchor, test) == pytest.approx(31.37988, abs=1e-4)


def test_order_does_not_matter_and_swapping_inverts() -> None:
    rng = np.random.default_rng(1)
    test = [
        (rate * f, quality)
        for (rate, quality), f in zip(ANCHOR, rng.uniform(0.8, 1.2, 4), strict=True)
    ]
    forward, backward = bd_rate(ANCHOR, test[::-1]), bd_rate(test, ANCHOR)
    assert (1 + forward / 100) * (1 + backward / 100) == pytest.approx(1)


def test_of_points_of_equal_quality_the_cheapest_counts() -> None:
    assert bd_rate(ANCHOR, [*ANCHOR, (3.0, 38.5), (0.3, 28.0)]) == pytest.approx(0)
    with pytest.raises(InputError, match="at least two points"):
        bd_rate(ANCHOR, [(1.0, 30.0), (2.0, 30.0)])


def test_curves_that_share_no_quality_are_refused() -> None:
    with pytest.raises(InputError, match="share a range"):
        bd_rate(ANCHOR, [(rate, quality + 20) for rate, quality in ANCHOR])
    with pytest.raises(InputError, match="at least two points"):
        bd_rate(ANCHOR, ANCHOR[:1])
