"""domain/pacing: the pure step behind every limiter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.machines.pacing import Pace, Pacing, nanoseconds, pause, reserve

MINUTE = nanoseconds(60)


@given(
    rpm=st.integers(1, 2000),
    data=st.data(),
    gaps=st.lists(st.integers(0, 90_000_000_000), min_size=1, max_size=80),
)
def test_no_minute_ever_holds_more_than_the_rate(rpm, data, gaps):
    pace = Pace(rpm, data.draw(st.integers(1, min(rpm, 40))))
    state, now, starts = Pacing(), 0, []
    for gap in gaps:
        now += gap
        state, start = reserve(pace, state, now)
        starts.append(start)
        assert start >= now
    assert starts == sorted(starts)
    assert all(sum(s <= t < s + MINUTE for t in starts) <= rpm for s in starts)


@pytest.mark.parametrize("burst", [1, 7, 50, 300, 500])
def test_ten_minutes_at_full_load_are_used_to_the_last_permit(burst):
    pace, state, start, count = Pace(500, burst), Pacing(), 0, 0
    while start < 10 * MINUTE:
        state, start = reserve(pace, state, 0)
        count += 1
    assert count - 1 == 5000


def test_nothing_starts_before_the_end_of_a_pause():
    state = pause(Pacing(), 0, nanoseconds(5), ())
    assert reserve(Pace(60), state, 0)[1] == nanoseconds(5)


def test_a_pause_voids_the_starts_that_are_still_to_come():
    pace, state = Pace(60), Pacing()
    for _ in range(3):
        state, _ = reserve(pace, state, 0)
    state = pause(state, 0, nanoseconds(1), [0])
    assert reserve(pace, state, 0)[1] == nanoseconds(1)


def test_a_pause_that_changes_nothing_voids_nothing():
    state = pause(Pacing(), 0, nanoseconds(5), ())
    assert pause(state, nanoseconds(1), nanoseconds(3), ()) is state


@pytest.mark.parametrize("rpm", [0, -1, float("nan"), "60"])
def test_a_rate_is_a_number_above_zero(rpm):
    with pytest.raises(ValueError, match="above 0"):
        Pace(rpm)
