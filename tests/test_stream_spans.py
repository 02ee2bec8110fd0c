"""Spans of segments: cuts begin them, lengths are near the wanted one, every frame is in one."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ncodec.streaming.spans import Span, range_of, spans_of

RATE = 25


def even(count: int, rate: int = RATE) -> tuple[list[Fraction], Fraction]:
    return [Fraction(number, rate) for number in range(count)], Fraction(count, rate)


def lengths(spans: tuple[Span, ...], times: list[Fraction], end: Fraction) -> list[Fraction]:
    starts = [times[span.first] for span in spans]
    return [after - before for before, after in pairwise([*starts, end])]


def test_without_cuts_segments_have_the_wanted_length() -> None:
    times, end = even(250)
    spans = spans_of(times, end, cuts=[], seconds=Fraction(2))
    assert [(span.number, span.first, span.frames) for span in spans] == [
        (1, 0, 50), (2, 50, 50), (3, 100, 50), (4, 150, 50), (5, 200, 50)
    ]  # fmt: skip
    assert all(span.keys == () for span in spans)


def test_what_is_left_is_half_as_long_again_at_most() -> None:
    for count in (50, 51, 74, 75):
        assert len(spans_of(*even(count), cuts=[], seconds=Fraction(2))) == 1
    first, second = spans_of(*even(76), cuts=[], seconds=Fraction(2))
    assert (first.frames, second.frames) == (50, 26)


def test_a_segment_begins_at_the_cut_that_is_nearest() -> None:
    times, end = even(200)
    spans = spans_of(times, end, cuts=[30, 44, 60, 72, 120], seconds=Fraction(2))
    assert [span.first for span in spans] == [0, 44, 72, 120, 170]


def test_cuts_out_of_reach_begin_no_segment() -> None:
    times, end = even(150)
    spans = spans_of(times, end, cuts=[24, 76], seconds=Fraction(2))
    assert [span.first for span in spans] == [0, 50, 76], "1 to 3 seconds behind a start"
    spans = spans_of(*even(120), cuts=[25], seconds=Fraction(2))
    assert [span.first for span in spans] == [0, 25, 75]
    spans = spans_of(*even(120), cuts=[75], seconds=Fraction(2))
    assert [span.first for span in spans] == [0, 75]


def test_a_cut_near_the_end_leaves_no_short_segment() -> None:
    times, end = even(76)
    spans = spans_of(times, end, cuts=[74], seconds=Fraction(2))
    assert min(lengths(spans, times, end)) >= 1


def test_other_cuts_are_key_frames_half_a_second_apart() -> None:
    times, end = even(75)
    (span,) = spans_of(times, end, cuts=[12, 13, 20, 26, 40, 62, 63], seconds=Fraction(2))
    assert span.keys == (13, 26, 40, 62)
    (span,) = spans_of(times, end, cuts=[13, 63], seconds=Fraction(2))
    assert span.keys == (13,), "not less than half a second before the end"


def test_one_frame_is_one_span() -> None:
    assert spans_of([Fraction(0)], Fraction(1, 25), cuts=[], seconds=Fraction(4)) == (
        Span(1, 0, 1),
    )
    long_one = spans_of([Fraction(0)], Fraction(100), cuts=[], seconds=Fraction(4))
    assert long_one == (Span(1, 0, 1),)


def test_gaps_make_long_segments_and_no_empty_ones() -> None:
    times = [Fraction(second) for second in (0, 1, 100, 101, 300)]
    spans = spans_of(times, Fraction(301), cuts=[2], seconds=Fraction(2))
    assert [(span.first, span.frames) for span in spans] == [(0, 2), (2, 2), (4, 1)]


def test_a_range_holds_both_of_its_ends() -> None:
    times, _ = even(10)
    assert range_of(times, Fraction(2, 25), Fraction(5, 25)) == range(2, 6)
    assert range_of(times, Fraction(3, 50), Fraction(9, 50)) == range(2, 5)


@st.composite
def clips(draw: st.DrawFn) -> tuple[list[Fraction], Fraction, list[int], Fraction]:
    """Times of frames, the end, cuts, and the wanted seconds; distances reach from milliseconds to
    half a minute."""
    unit = draw(st.sampled_from([Fraction(1, 1000), Fraction(1, 30), Fraction(1, 2)]))
    steps = draw(st.lists(st.integers(1, 60), min_size=1, max_size=300))
    times = [Fraction(0)]
    for step in steps[:-1]:
        times.append(times[-1] + step * unit)
    cuts = sorted(draw(st.sets(st.integers(1, len(times)), max_size=20)))
    seconds = Fraction(draw(st.integers(500, 30_000)), 1000)
    return times, times[-1] + steps[-1] * unit, [cut for cut in cuts if cut < len(times)], seconds


@given(clips())
def test_every_frame_is_in_one_span(
    clip: tuple[list[Fraction], Fraction, list[int], Fraction],
) -> None:
    times, end, cuts, seconds = clip
    spans = spans_of(times, end, cuts=cuts, seconds=seconds)
    covered = [number for span in spans for number in range(span.first, span.last)]
    assert covered == list(range(len(times)))
    assert [span.number for span in spans] == list(range(1, len(spans) + 1))
    assert all(span.frames > 0 for span in spans)
    for span in spans:
        assert all(0 < key < span.frames and span.first + key in cuts for key in span.keys)
        assert list(span.keys) == sorted(set(span.keys))


@given(clips())
def test_spans_are_between_half_and_one_and_a_half_of_the_wanted_length(
    clip: tuple[list[Fraction], Fraction, list[int], Fraction],
) -> None:
    """But for the distance of two frames, and for the last one, which may be shorter by that."""
    times, end, cuts, seconds = clip
    spans = spans_of(times, end, cuts=cuts, seconds=seconds)
    gap = max(after - before for before, after in pairwise([*times, end]))
    for length in lengths(spans, times, end)[:-1]:
        assert seconds / 2 <= length <= max(Fraction(3, 2) * seconds, seconds + gap)
    last = lengths(spans, times, end)[-1]
    assert last <= max(Fraction(3, 2) * seconds, seconds + gap)
    assert len(spans) == 1 or last >= seconds / 2 - gap


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(50)])
def test_rates_that_are_no_whole_numbers_make_whole_frames(rate: Fraction) -> None:
    times = [number / rate for number in range(500)]
    spans = spans_of(times, 500 / rate, cuts=[], seconds=Fraction(2))
    assert {span.frames for span in spans[:-1]} <= {-(-2 * rate // 1), 2 * rate // 1}
