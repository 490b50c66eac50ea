"""domain/breaker: the automaton, against a plain model that remembers every call."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelport.domain.machines.breaker import Circuit, Judgement, Mode, Tolerance, ask, isolate, report, reset, wait

TOLERANCE = Tolerance(ratio=0.5, window=10.0, minimum=4, pause=5.0, probes=2)
GOOD, BAD, NEITHER = Judgement


class BreakerMachine(RuleBasedStateMachine):
    """The breaker beside a list of everything that has happened since its mode last changed."""

    def __init__(self):
        super().__init__()
        self.circuit, self.now = Circuit(), 0.0
        self.mode, self.until = "closed", 0.0
        self.seen = []  # closed: (time, bad)
        self.good = 0  # half open
        self.calls = []  # on their way: (era, in which life of the model they began)
        self.life = 0

    def enter(self, mode, until=0.0):
        self.mode, self.until, self.seen, self.good = mode, until, [], 0
        self.life += 1

    def probes_out(self):
        return sum(life == self.life for _, life in self.calls)

    @rule(seconds=st.integers(0, 12))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def somebody_asks(self):
        self.circuit, allowed = ask(TOLERANCE, self.circuit, self.now)
        if self.mode == "open" and self.now >= self.until:
            self.enter("half_open")
        room = self.mode == "half_open" and self.probes_out() + self.good < 2
        assert allowed is (self.mode == "closed" or room)
        if allowed:
            self.calls.append((self.circuit.era, self.life))

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), judgement=st.sampled_from(Judgement), asked=st.sampled_from([None, 0, 3, 20]))
    def a_call_ends(self, data, judgement, asked):
        era, life = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        self.circuit = report(TOLERANCE, self.circuit, era, judgement, self.now, asked)
        until = self.now + max(5.0, asked or 0)
        if life != self.life:
            if self.mode == "open" and judgement is BAD and asked == 20:
                self.until = max(self.until, until)
        elif self.mode == "half_open" and judgement is BAD:
            self.enter("open", until)
        elif self.mode == "half_open" and judgement is GOOD:
            self.good += 1
            if self.good == 2:
                self.enter("closed")
        elif self.mode == "closed" and judgement is not NEITHER:
            self.seen.append((self.now, judgement is BAD))
            recent = [bad for time, bad in self.seen if int(time) > int(self.now) - 10]
            if judgement is BAD and len(recent) >= 4 and sum(recent) * 2 >= len(recent):
                self.enter("open", until)

    @rule()
    def it_is_isolated(self):
        self.circuit = isolate(self.circuit)
        self.enter("isolated")

    @rule()
    def it_is_reset(self):
        self.circuit = reset(self.circuit)
        self.enter("closed")

    @invariant()
    def both_agree(self):
        assert self.circuit.mode == self.mode
        assert wait(self.circuit, self.now) == (max(0.0, self.until - self.now) if self.mode == "open" else None)
        assert len(self.circuit.slices) <= 10
        if self.mode == "half_open":
            assert (self.circuit.out, self.circuit.good) == (self.probes_out(), self.good)


BreakerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestBreaker = BreakerMachine.TestCase


def after(*verdicts, tolerance=TOLERANCE, every=0.0):
    """The state after calls that went so."""
    circuit = Circuit()
    for at, judgement in enumerate(verdicts):
        circuit = report(tolerance, circuit, circuit.era, judgement, at * every)
    return circuit


def test_fewer_calls_than_the_minimum_open_nothing():
    assert after(BAD, BAD, BAD).mode is Mode.CLOSED
    assert after(BAD, BAD, BAD, BAD).mode is Mode.OPEN


def test_what_has_left_the_window_is_forgotten():
    assert after(BAD, BAD, BAD, BAD, every=3.0).mode is Mode.OPEN
    assert after(BAD, BAD, BAD, BAD, every=3.5).mode is Mode.CLOSED


def test_a_call_that_says_nothing_of_the_model_is_no_call():
    assert after(BAD, NEITHER, NEITHER, BAD) == Circuit(slices=((0, 2, 2),))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ratio": 0}, "ratio must be a share above 0 and at most 1, not 0"),
        ({"ratio": 1.5}, "ratio must be a share above 0 and at most 1, not 1.5"),
        ({"window": float("inf")}, "window must be a number of seconds above 0, not inf"),
        ({"pause": 0}, "pause must be a number of seconds above 0, not 0"),
        ({"minimum": 0}, "minimum must be a whole number of at least 1, not 0"),
        ({"probes": True}, "probes must be a whole number of at least 1, not True"),
    ],
)
def test_a_number_that_makes_no_sense_is_an_error(wrong, said):
    with pytest.raises(ValueError, match=said):
        Tolerance(**wrong)


def test_who_was_not_let_through_has_nothing_to_report():
    opened = after(BAD, BAD, BAD, BAD)
    assert report(TOLERANCE, opened, opened.era, BAD, 1.0) is opened
