"""The model of batches on many workers agrees with arithmetic, and with what it is given."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ncodec.errors import InputError
from ncodec.eval.scale import (
    Assumptions,
    Items,
    expected_losses,
    expected_repeats,
    figures_of,
    hourly_losses,
    no_reclaim_chance,
)
from ncodec.eval.scale_model import simulate

FREE = Assumptions(workers_per_machine=1, worker_start=0, supervisor=0, latency=0, read_rate=1e12,
                   write_rate=1e12, bandwidth=1e15)  # fmt: skip
"""nothing but work on items, each worker on a machine of its own"""


def equal_items(count: int, *, seconds: float = 1.0, size: float = 0.0) -> Items:
    """Items that last equally long, of as many bytes on both sides, of a megapixel."""
    return Items((seconds,) * count, (size,) * count, (size,) * count, (1e6,) * count)


def mixed_items(count: int) -> Items:
    seconds = tuple(0.2 + (n * 7919 % 100) / 50 for n in range(count))
    return Items(seconds, (2e6,) * count, (1e5,) * count, (1e6,) * count)


def test_one_worker_takes_the_sum_of_all_times() -> None:
    items = mixed_items(300)
    assumptions = replace(FREE, worker_start=1.5, machine_start=20, supervisor=0.01, latency=0.05,
                          reads=2, bandwidth=1e7)  # fmt: skip
    outcome = simulate(items, assumptions, workers=1)
    parts = {
        "coding_s": sum(items.seconds),
        "supervisor_s": 300 * 0.01,
        "store_s": 300 * 3 * 0.05,
        "network_s": 300 * 2.1e6 / 1e7,
    }
    for name, seconds in parts.items():
        assert getattr(outcome, name) == pytest.approx(seconds), name
    assert outcome.wall_s == pytest.approx(21.5 + sum(parts.values()))
    assert (outcome.done, outcome.pixels) == (300, 300e6)


@pytest.mark.parametrize("workers", [2, 10, 250])
def test_workers_that_share_nothing_take_a_part_of_the_time_each(workers: int) -> None:
    assert simulate(equal_items(1000), FREE, workers=workers).wall_s == pytest.approx(
        1000 / workers
    )


def test_more_workers_than_items_take_as_long_as_the_longest() -> None:
    items = mixed_items(50)
    assert simulate(items, FREE, workers=80).wall_s == pytest.approx(max(items.seconds))


@pytest.mark.parametrize(
    ("limit", "rate"),
    [
        ({"write_rate": 50.0}, 50),
        ({"read_rate": 50.0, "reads": 2}, 25),
        ({"supervisor": 0.025}, 40),
        ({"bandwidth": 1e7}, 10 * 4),
    ],
    ids=lambda value: str(value),
)
def test_what_workers_share_caps_their_rate(limit: dict[str, Any], rate: float) -> None:
    items = equal_items(4000, seconds=0.1, size=1e6)
    outcome = simulate(items, replace(FREE, workers_per_machine=25, **limit), workers=100)
    assert outcome.done / outcome.wall_s == pytest.approx(rate, rel=0.02)
    waits = {
        "supervisor": outcome.supervisor_s, "store": outcome.store_s, "network": outcome.network_s
    }  # fmt: skip
    cause = {"write_rate": "store", "read_rate": "store", "bandwidth": "network"}
    longest = max(waits, key=lambda name: waits[name])
    assert longest == cause.get(next(iter(limit)), "supervisor")


def test_latency_is_hidden_by_no_other_work_of_its_worker() -> None:
    outcome = simulate(equal_items(1000), replace(FREE, latency=0.25), workers=10)
    assert outcome.wall_s == pytest.approx(100 * 1.5)


@pytest.mark.parametrize(("workers", "factor"), [(1, 1.0), (2, 1.2), (4, 1.6), (8, 1.6)])
def test_workers_of_a_machine_slow_each_other_in_proportion(workers: int, factor: float) -> None:
    assumptions = replace(FREE, workers_per_machine=4, shared=1.6)
    outcome = simulate(mixed_items(4000), assumptions, workers=workers)
    alone = simulate(mixed_items(4000), FREE, workers=1)
    assert outcome.coding_s / alone.coding_s == pytest.approx(factor, rel=0.01)


def test_reclaims_cost_what_arithmetic_says() -> None:
    items = equal_items(20_000, seconds=30)
    assumptions = replace(FREE, workers_per_machine=2, reclaims=20)
    outcome = simulate(items, assumptions, workers=8)
    expected = expected_losses(items.seconds, reclaims=20)
    assert expected.items == pytest.approx(20_000 * math.expm1(30 * 20 / 3600))
    assert outcome.done == 20_000
    assert outcome.reclaimed == pytest.approx(expected.items, rel=0.08)
    assert outcome.reclaimed_s == pytest.approx(expected.seconds, rel=0.1)
    assert outcome.reclaims == pytest.approx(20 * 4 * outcome.wall_s / 3600, rel=0.1)
    hours = outcome.wall_s / 3600
    hourly = hourly_losses([30.0], workers=8, reclaims=20)
    assert outcome.reclaimed / hours == pytest.approx(hourly.items, rel=0.08)
    assert outcome.reclaimed_s / hours == pytest.approx(hourly.seconds, rel=0.1)


def test_reclaims_meet_long_items_more_often() -> None:
    items = Items((10.0, 90.0) * 10_000, *(((0.0,) * 20_000,) * 3))
    outcome = simulate(items, replace(FREE, reclaims=4), workers=8)
    hourly = hourly_losses(items.seconds, workers=8, reclaims=4)
    assert hourly.seconds / hourly.items == pytest.approx((10**2 + 90**2) / (2 * (10 + 90)))
    assert outcome.reclaimed_s / outcome.reclaimed == pytest.approx(41, rel=0.1)


def test_a_machine_that_was_taken_away_works_again_after_its_start() -> None:
    items = equal_items(2000, seconds=9)
    assumptions = replace(FREE, reclaims=10, machine_start=120, worker_start=5)
    outcome = simulate(items, assumptions, workers=1)
    own = outcome.coding_s + outcome.reclaimed_s
    assert outcome.reclaims > 20
    assert outcome.wall_s == pytest.approx(own + 125 * (1 + outcome.reclaims), rel=0.01)


def test_a_machine_that_comes_back_is_as_fast_as_before() -> None:
    assumptions = replace(FREE, workers_per_machine=4, shared=1.6, reclaims=60)
    outcome = simulate(equal_items(4000), assumptions, workers=4)
    assert outcome.reclaims > 20
    assert outcome.coding_s == pytest.approx(4000 * 1.6, rel=0.01)


def test_items_that_were_not_given_yet_are_not_lost() -> None:
    assumptions = replace(FREE, supervisor=1, reclaims=10)
    outcome = simulate(equal_items(2000, seconds=0.01), assumptions, workers=100)
    assert outcome.reclaims > 200
    assert outcome.reclaimed <= 5
    assert outcome.done == 2000


def test_an_item_that_was_lost_is_done_by_a_worker_that_was_idle() -> None:
    items = Items((100.0,), (0.0,), (0.0,), (0.0,))
    assumptions = replace(FREE, reclaims=20, machine_start=10_000)
    outcomes = [simulate(items, assumptions, workers=50, seed=seed) for seed in range(20)]
    lost = [outcome for outcome in outcomes if outcome.reclaimed]
    assert lost
    assert all(outcome.wall_s < 20_000 for outcome in lost)


def test_crashed_items_come_last_and_alone_on_one_machine() -> None:
    items, crashes = equal_items(1000), 100_000.0
    one = replace(FREE, workers_per_machine=8, crashes=crashes, worker_start=0)
    outcome = simulate(items, one, workers=8)
    assert outcome.done + outcome.failed == 1000
    assert outcome.crashed == pytest.approx(110, abs=35)
    assert outcome.failed == pytest.approx(10, abs=9)
    tries = outcome.crashed - outcome.failed
    crashed_s = outcome.crashed_s / outcome.crashed
    assert crashed_s == pytest.approx(0.5, abs=0.1)
    first = (1000 - tries + tries * crashed_s) / 8
    alone = tries - outcome.failed * (1 - crashed_s)
    assert outcome.wall_s == pytest.approx(first + alone, rel=0.03)
    cluster = simulate(items, replace(one, workers_per_machine=4), workers=8)
    assert cluster.wall_s == pytest.approx((cluster.coding_s + cluster.crashed_s) / 8, rel=0.05)


def test_an_item_that_always_crashes_is_given_up_after_two_tries() -> None:
    outcome = simulate(equal_items(20), replace(FREE, crashes=1e6), workers=3)
    assert (outcome.done, outcome.failed, outcome.crashed) == (0, 20, 40)


def test_one_seed_gives_one_result() -> None:
    assumptions = replace(Assumptions(), reclaims=30, crashes=2000, machine_start=20)
    first, again, other = (
        simulate(mixed_items(2000), assumptions, workers=40, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
    items = mixed_items(100)
    assert items.resampled(500, seed=3) == items.resampled(500, seed=3)
    assert items.resampled(500, seed=3) != items.resampled(500, seed=4)


def test_values_of_an_item_stay_together_when_items_are_drawn() -> None:
    values = tuple(float(n) for n in range(1, 50))
    drawn = Items(values, values, values, values).resampled(1000, seed=0)
    assert drawn.seconds == drawn.source_bytes == drawn.bytes == drawn.pixels
    assert set(drawn.seconds) == set(values)


@pytest.mark.parametrize(
    ("reclaims", "items"), [(1e4, equal_items(10)), (500, equal_items(10, seconds=400))]
)
def test_reclaims_that_let_nothing_be_done_are_refused(reclaims: float, items: Items) -> None:
    with pytest.raises(InputError, match="last long enough"):
        simulate(items, replace(FREE, reclaims=reclaims, worker_start=60), workers=4)


@pytest.mark.parametrize(("items", "workers"), [(equal_items(1), 0), (equal_items(0), 1)])
def test_a_model_needs_a_worker_and_an_item(items: Items, workers: int) -> None:
    with pytest.raises(InputError, match="at least one worker and one item"):
        simulate(items, FREE, workers=workers)


def test_arithmetic_of_failures() -> None:
    assert expected_repeats(3600, reclaims=1) == pytest.approx(math.e - 1)
    assert expected_repeats(36, reclaims=1) == pytest.approx(0.01, rel=0.01)
    assert expected_repeats(1e9, reclaims=1000) == math.inf
    assert expected_repeats(10, reclaims=0) == 0
    losses = expected_losses([3600.0, 3600.0], reclaims=1)
    assert losses.items == pytest.approx(2 * (math.e - 1))
    assert losses.seconds == pytest.approx(2 * 3600 * (math.e - 2))
    assert expected_losses([10.0], reclaims=0).seconds == 0
    hourly = hourly_losses([30.0], workers=1000, reclaims=0.05)
    assert (hourly.items, hourly.seconds) == pytest.approx((50, 50 * 15))
    assert no_reclaim_chance(2, machines=10, reclaims=0.05) == pytest.approx(math.exp(-1))
    assert no_reclaim_chance(2, machines=10, reclaims=0) == 1


def test_figures_are_ratios_of_what_happened() -> None:
    items = equal_items(1200)
    assumptions = replace(FREE, workers_per_machine=8, worker_start=30, price=0.5)
    single, outcome = (simulate(items, assumptions, workers=n) for n in (1, 12))
    found = figures_of(outcome, single=single, items=items, assumptions=assumptions)
    assert found.machines == 2
    assert found.wall_s == pytest.approx(130)
    assert found.items_per_s == found.megapixels_per_s == pytest.approx(1200 / 130)
    assert found.speedup == pytest.approx(1230 / 130)
    assert found.efficiency == pytest.approx(1230 / 130 / 12)
    assert found.busy == pytest.approx(100 / 130)
    assert found.idle == pytest.approx(30 / 130)
    assert found.core_hours == pytest.approx(12 * 130 / 3600)
    assert found.cost == pytest.approx(found.core_hours * 0.5 / 1200 * 1e6)
    unknown = figures_of(replace(outcome, pixels=0.0), single=single, items=items,
                         assumptions=assumptions)  # fmt: skip
    assert unknown.cost is None
