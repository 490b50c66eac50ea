"""domain/metering and domain/allowance: tokens in any minute, against a plain list of all that was spent."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelport.domain.machines.allowance import Allowance, Left, allowance
from modelport.domain.machines.metering import MINUTE, Meter, admit, correct, earliest, give_back, owe, spend
from modelport.domain.machines.pacing import Pace, Pacing, pause

SECOND = 1_000_000_000
TPM, PACE = 100, Pace(6)


class LimiterMachine(RuleBasedStateMachine):
    """Pace and meter beside a list of (start, tokens) of every call, those to come included."""

    def __init__(self):
        super().__init__()
        self.pacing, self.meter, self.now = Pacing(), Meter(), 0
        self.calls = []  # [start, tokens], in the order of asking
        self.not_before = 0
        self.owing = False

    def to_come(self):
        return [call for call in self.calls if call[0] > self.now]

    @rule(seconds=st.integers(0, 70))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @rule(tokens=st.integers(1, 100))
    def a_call_asks(self, tokens):
        before = [call for call in self.calls if call[0] > self.now - MINUTE]
        self.pacing, self.meter, start = admit(PACE, TPM, self.pacing, self.meter, self.now, tokens)
        assert start >= max(self.now, self.not_before, *(call[0] for call in before), 0)
        assert start == self.soonest(before, start, tokens)
        self.calls.append([start, tokens])

    def soonest(self, before, start, tokens):
        """The first moment at which a plain count lets it through; the starts of the pace are its own test's."""
        moments = {start, *(call[0] + MINUTE for call in before if call[0] + MINUTE <= start)}
        moments |= {max(self.now, self.not_before, *(call[0] for call in before), 0)}
        if before:
            moments.add(max(self.now, self.not_before, before[-1][0] + 10 * SECOND))
        for moment in sorted(moments):
            free = all(moment - call[0] >= 10 * SECOND for call in before) and moment >= max(self.now, self.not_before)
            held = sum(call[1] for call in before if call[0] > moment - MINUTE)
            if free and held + tokens <= TPM:
                return moment
        return start

    @precondition(lambda self: self.to_come())
    @rule(data=st.data())
    def one_that_waits_gives_up(self, data):
        call = data.draw(st.sampled_from(self.to_come()))
        self.calls = [other for other in self.calls if other is not call]
        others = [other[0] for other in self.calls]
        self.pacing, self.meter = give_back(PACE, self.pacing, self.meter, *call, others)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), tokens=st.integers(0, 150))
    def a_call_is_settled(self, data, tokens):
        call = data.draw(st.sampled_from(self.calls))
        if call[0] <= self.now and call[1]:
            self.owing = self.owing or tokens > call[1]
            self.meter = correct(self.meter, call[0], tokens - call[1])
            call[1] = tokens

    @rule(seconds=st.integers(1, 30))
    def the_provider_asks_for_time(self, seconds):
        until = self.now + seconds * SECOND
        begun = [call[0] for call in self.calls if call[0] <= self.now]
        state = pause(self.pacing, self.now, until, begun[-1:])
        if state is not self.pacing:
            self.pacing, self.not_before = state, until
            waiting = self.to_come()
            for start, tokens in waiting:
                self.meter = correct(self.meter, start, -tokens)
            for call in waiting:
                self.pacing, self.meter, call[0] = admit(PACE, TPM, self.pacing, self.meter, self.now, call[1])

    @invariant()
    def no_minute_holds_more(self):
        starts = [call[0] for call in self.calls]
        assert starts == sorted(starts)
        assert self.meter.total == sum(entry[2] for entry in self.meter.log)
        if not self.owing:
            for start in starts:
                assert sum(tokens for other, tokens in self.calls if start <= other < start + MINUTE) <= TPM


LimiterMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLimiter = LimiterMachine.TestCase


def test_ten_minutes_at_full_load_are_used_to_a_thousandth():
    pace, pacing, meter, start, spent = Pace(6000), Pacing(), Meter(), 0, 0
    while start < 10 * MINUTE:
        pacing, meter, start = admit(pace, 6000, pacing, meter, start, 7)
        spent += 7 * (start < 10 * MINUTE)
    assert 59_940 <= spent <= 60_000
    assert len(meter.log) <= 2002


def test_what_is_more_than_a_minute_waits_until_nothing_else_is_in_it():
    meter = spend(Meter(), 0, 10, 0)
    assert earliest(100, meter, 5 * SECOND, 200) == MINUTE


def test_what_has_left_the_minute_is_not_corrected():
    meter = spend(Meter(), 5 * SECOND, 10, 0)
    assert correct(meter, 4 * SECOND, 50) is meter
    assert correct(meter, 6 * SECOND, 50) is meter


def test_what_somebody_else_has_spent_comes_back_with_the_provider_s_reset():
    meter = owe(100, spend(Meter(), 0, 30, 0), 0, 20, 10 * SECOND)
    assert meter.total == 80
    assert (earliest(100, meter, 0, 20), earliest(100, meter, 0, 21)) == (0, 10 * SECOND)
    assert owe(100, meter, 0, 20, 10 * SECOND) is meter


def test_calls_around_what_is_owed_are_still_corrected():
    meter = spend(spend(Meter(), 0, 10, 0), SECOND // 50, 10, 0)
    meter = owe(100, meter, SECOND // 100, 20, SECOND // 100 + MINUTE)
    assert (meter.total, correct(meter, 0, 5).total, correct(meter, SECOND // 50, -5).total) == (80, 85, 75)


def headers(**named):
    return {f"x-ratelimit-{name.replace('_', '-')}": value for name, value in named.items()}


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ({}, None),
        ({"limit_requests": "60"}, None),
        ({"remaining_requests": "59", "limit_requests": "60", "reset_requests": "1s"}, Left(59, 60, 1.0)),
        ({"remaining_requests": "0", "reset_requests": "1h2m3.5s"}, Left(0, None, 3723.5)),
        ({"remaining_requests": "0", "reset_requests": "120ms"}, Left(0, None, 0.12)),
        ({"remaining_requests": "0", "reset_requests": "12"}, Left(0, None, 12.0)),
        ({"remaining_requests": "0", "reset_requests": "-1"}, Left(0, None, None)),
        ({"remaining_requests": "0", "reset_requests": "soon"}, Left(0, None, None)),
        ({"remaining_requests": "0", "reset_requests": "1s soon"}, Left(0, None, None)),
        ({"remaining_requests": "0", "reset_requests": "1741305600"}, Left(0, None, None)),
        ({"remaining_requests": "inf"}, None),
    ],
)
def test_headers_are_read_and_what_they_do_not_say_is_not_guessed(said, heard):
    assert allowance(headers(**said)) == (None if heard is None else Allowance(requests=heard))


def test_tokens_have_headers_of_their_own():
    said = {"X-RateLimit-Remaining-Tokens": "149984", "X-RateLimit-Reset-Tokens": "6m0s", "Date": "today"}
    assert allowance(said) == Allowance(tokens=Left(149984, None, 360.0))


@pytest.mark.parametrize(
    ("left", "pause"),
    [(Left(1, 60, 59.0), 0.0), (Left(0, 60, 60.0), 1.0), (Left(0, None, 7.0), 7.0), (Left(0, 60, None), 0.0)],
)
def test_one_more_is_there_after_its_share_of_the_reset(left, pause):
    assert left.pause == pause
