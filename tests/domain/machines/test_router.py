"""domain/router: each strategy's order, against plain models of what it has seen."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelport.domain.machines.router import By, Routing, Situation, Traffic, answered, began, ended, level, order

COUNT = 3


class RouterMachine(RuleBasedStateMachine):
    """Traffic beside a plain list of the calls that are on their way and of the answers that have come."""

    busiest = Routing(By.LEAST_BUSY, COUNT)
    quickest = Routing(By.LOWEST_LATENCY, COUNT, percentile=0.5, window=20.0)
    turns = Routing(By.ROUND_ROBIN, COUNT)

    def __init__(self):
        super().__init__()
        self.traffic, self.now, self.turn = Traffic.of(COUNT), 0.0, 0
        self.calls, self.answers = [], []

    @rule(seconds=st.integers(0, 15))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(at=st.integers(0, COUNT - 1))
    def a_call_begins(self, at):
        self.traffic = began(self.traffic, at)
        self.calls.append(at)

    @precondition(lambda self: self.calls)
    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, math.inf]), data=st.data())
    def a_call_ends(self, seconds, data):
        at = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self.traffic = ended(answered(self.traffic, at, self.now, seconds), at)
        self.answers.append((at, self.now, seconds))

    @rule()
    def it_is_somebody_s_turn(self):
        self.traffic, chosen = order(self.turns, self.traffic, Situation())
        assert chosen == tuple((self.turn + at) % COUNT for at in range(COUNT))
        self.turn += 1

    @rule()
    def the_least_busy_goes_first(self):
        self.traffic, chosen = order(self.busiest, self.traffic, Situation())
        busy = [self.calls.count(at) for at in chosen]
        assert busy == sorted(busy)
        idle = [at for at in range(COUNT) if self.calls.count(at) == busy[0]]
        assert chosen[0] == next(at for at in ((self.turn + i) % COUNT for i in range(COUNT)) if at in idle)
        self.turn += 1

    @rule()
    def the_quickest_goes_first(self):
        _, chosen = order(self.quickest, self.traffic, Situation(now=self.now))
        levels = []
        for at in chosen:
            seen = [(moment, seconds) for who, moment, seconds in self.answers if who == at][-16:]
            recent = sorted(seconds for moment, seconds in seen if moment > self.now - 20)
            levels.append(recent[math.ceil(len(recent) / 2) - 1] if recent else 0.0)
        assert levels == sorted(levels)

    @invariant()
    def both_agree(self):
        assert self.traffic.busy == tuple(self.calls.count(at) for at in range(COUNT))
        assert all(len(times) <= 16 for times in self.traffic.times)


RouterMachine.TestCase.settings = settings(max_examples=100, deadline=None)
TestRouter = RouterMachine.TestCase


def first(routing, **asked):
    return order(routing, Traffic.of(routing.count), Situation(**asked))[1]


@given(
    st.sampled_from([strategy for strategy in By if strategy not in (By.WEIGHTED, By.CANARY)]),
    st.floats(0, 1, exclude_max=True),
    st.text(),
)
def test_every_order_has_every_candidate_once(by, chance, key):
    chosen = first(Routing(by, 4), chance=chance, key=key, costs=(4.0, 2.0, math.inf, 2.0))
    assert sorted(chosen) == [0, 1, 2, 3]


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=6).filter(lambda w: sum(w) > 0), st.floats(0, 1, exclude_max=True)
)
def test_a_draw_has_every_candidate_once_and_those_without_weight_last(weights, chance):
    chosen = first(Routing(By.WEIGHTED, len(weights), weights), chance=chance)
    assert sorted(chosen) == list(range(len(weights)))
    heavy = [weights[at] > 0 for at in chosen]
    assert heavy == sorted(heavy, reverse=True)


def test_weights_are_shares_of_the_calls_and_of_those_that_are_left():
    orders = [first(Routing(By.WEIGHTED, 3, (5, 3, 2)), chance=(at + 0.5) / 1000) for at in range(1000)]
    assert [sum(chosen[0] == at for chosen in orders) for at in range(3)] == [500, 300, 200]
    after_the_first = [chosen[1] for chosen in orders if chosen[0] == 0]
    assert [after_the_first.count(at) for at in (1, 2)] == [300, 200]


def test_the_cheapest_goes_first():
    assert first(Routing(By.LOWEST_COST, 3), costs=(0.3, 0.1, 0.2)) == (1, 2, 0)


def test_the_smallest_that_holds_it_goes_first():
    assert first(Routing(By.PROMPT_SIZE, 3, sizes=(None, 8000, 100))) == (2, 1, 0)


def test_a_key_sticks_to_its_candidate_whoever_else_comes_or_goes():
    keys = [f"key {at}" for at in range(300)]
    with_three = [first(Routing(By.STICKY, 3), key=key) for key in keys]
    with_four = [first(Routing(By.STICKY, 4), key=key) for key in keys]
    assert all(80 < sum(chosen[0] == at for chosen in with_three) < 120 for at in range(3))
    for three, four in zip(with_three, with_four, strict=True):
        assert tuple(at for at in four if at != 3) == three


def test_the_canary_gets_its_share():
    routing = Routing(By.CANARY, 3, share=0.1)
    assert first(routing, chance=0.0999) == (2, 0, 1)
    assert first(routing, chance=0.1) == (0, 1, 2)


def test_the_level_is_the_nearest_rank():
    routing = Routing(By.LOWEST_LATENCY, 1, percentile=0.9, window=100)
    times = tuple((50.0, float(seconds)) for seconds in range(1, 11))
    assert (level(routing, times, 60.0), level(routing, times[:1], 60.0), level(routing, times, 150.0)) == (
        9.0,
        1.0,
        None,
    )
    assert level(Routing(By.LOWEST_LATENCY, 1, percentile=0), times, 60.0) == 1.0


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"by": By.WEIGHTED}, "weights must be a number for each of the 2 candidates, not None"),
        ({"by": By.WEIGHTED, "weights": (1,)}, "weights must be a number for each of the 2"),
        ({"by": By.WEIGHTED, "weights": (1, -1)}, "weights must be a number for each of the 2"),
        ({"by": By.WEIGHTED, "weights": "12"}, "weights must be a number for each of the 2"),
        ({"by": By.WEIGHTED, "weights": (0, 0)}, "weights must add up to a number above 0"),
        ({"by": By.STICKY, "weights": (1, 1)}, "weights goes with by='weighted', not with by='sticky'"),
        ({"by": By.PROMPT_SIZE, "sizes": (0, None)}, "sizes must be a number for each of the 2"),
        ({"by": By.CANARY}, "share must be what share of calls the last candidate gets"),
        ({"by": By.CANARY, "share": 1.5}, "share must be .* not 1.5"),
        ({"by": By.CAPABILITY, "percentile": 90}, "percentile must be a number from 0 to 1, not 90"),
        ({"by": By.CAPABILITY, "window": -1}, "window must be a number of seconds of at least 0, not -1"),
    ],
)
def test_what_a_strategy_lacks_or_does_not_use_is_an_error(how, said):
    with pytest.raises(ValueError, match=said):
        Routing(count=2, **how)
