"""A bit rate is met by frames whose cost follows their qp roughly, whatever kind they are."""

import numpy as np
import pytest

from ncodec.container.records import Tag
from ncodec.errors import InputError
from ncodec.video.rate_control import (
    LARGEST_STEP,
    LEAST_BELOW,
    MOST_BELOW,
    AverageRate,
    ConstantQuality,
    steps_above,
)

GOP = 50
PIXELS = 640 * 360


def spent(
    control: AverageRate,
    *,
    frames: int,
    intra_over_predicted: float,
    slope: float,
    known: bool = True,
) -> float:
    """Bits a frame of a source whose frames vary by a third."""
    noise = np.random.default_rng(1)
    total = 0
    for n in range(frames):
        tag = Tag.INTRA if n % GOP == 0 else Tag.PREDICTED
        left = GOP - n % GOP
        qp = control.qp(tag, left=min(left, frames - n) if known else left)
        cost = (
            5000
            * 2 ** (slope * qp)
            * (intra_over_predicted if tag == Tag.INTRA else 1)
            * noise.uniform(0.7, 1.3)
        )
        control.spend(tag, qp, int(cost))
        total += int(cost)
    return total / frames


@pytest.mark.parametrize("wanted", [10000, 20000, 60000])
@pytest.mark.parametrize("intra_over_predicted", [1.2, 4, 12])
@pytest.mark.parametrize("slope", [0.06, 0.09])
def test_five_seconds_meet_their_rate_within_three_percent(
    wanted: float, intra_over_predicted: float, slope: float
) -> None:
    control = AverageRate(wanted, PIXELS)
    found = spent(control, frames=125, intra_over_predicted=intra_over_predicted, slope=slope)
    assert found == pytest.approx(wanted, rel=0.03)


def test_a_length_that_is_not_known_costs_little() -> None:
    control = AverageRate(20000, PIXELS)
    found = spent(control, frames=260, intra_over_predicted=4, slope=0.075, known=False)
    assert found == pytest.approx(20000, rel=0.06)


def test_quality_moves_in_small_steps() -> None:
    control = AverageRate(20000, PIXELS)
    last = None
    for n in range(60):
        qp = control.qp(Tag.PREDICTED, left=60 - n)
        control.spend(Tag.PREDICTED, qp, 90000 if n == 20 else 2000 * 2 ** (0.07 * qp))
        assert last is None or abs(qp - last) <= LARGEST_STEP
        last = qp


def test_repeated_frames_leave_their_bits_to_others() -> None:
    control = AverageRate(10000, PIXELS)
    before = control.qp(Tag.PREDICTED, left=20)
    control.spend(Tag.PREDICTED, before, 10000)
    for n in range(15):
        control.qp(Tag.DUPLICATE, left=19 - n)
        control.spend(Tag.DUPLICATE, 0, 60)
    assert control.qp(Tag.PREDICTED, left=4) > before


def test_constant_quality_is_constant() -> None:
    control = ConstantQuality(30)
    assert [control.qp(tag, left=1) for tag in (Tag.INTRA, Tag.PREDICTED, Tag.INTRA)] == [
        30,
        13,
        30,
    ]
    assert ConstantQuality(3).qp(Tag.PREDICTED, left=1) == 0


def test_the_best_quality_is_that_of_predicted_frames_too() -> None:
    best = ConstantQuality(63)
    assert [
        best.qp(Tag.INTRA, left=1),
        best.qp(Tag.INTRA, left=9),
        best.qp(Tag.PREDICTED, left=8),
    ] == [63, 63, 59]
    levels = [ConstantQuality(level) for level in range(64)]
    for tag in (Tag.INTRA, Tag.PREDICTED):
        qps = [control.qp(tag, left=2) for control in levels]
        assert qps == sorted(qps)


@pytest.mark.parametrize("intra", [16, 24, 30, 36, 40, 48])
def test_predicted_frames_are_further_below_intra_frames_at_higher_qps(intra: int) -> None:
    predicted = ConstantQuality(intra).qp(Tag.PREDICTED, left=1)
    assert LEAST_BELOW <= intra - predicted <= MOST_BELOW
    assert predicted + steps_above(predicted) == pytest.approx(intra, abs=1)
    assert predicted < ConstantQuality(intra + 2).qp(Tag.PREDICTED, left=1)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_rates_that_mean_nothing_are_refused(rate: float) -> None:
    with pytest.raises(InputError, match="expected a positive bit rate"):
        AverageRate(rate, PIXELS)
