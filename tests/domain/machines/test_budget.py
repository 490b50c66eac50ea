"""domain/machines/budget: nothing is let through beyond the limits, and who waits is let in in the order of asking."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelport.domain.machines.budget import (
    Cost,
    Limits,
    Spending,
    Verdict,
    admit,
    ask,
    give_up,
    picodollars,
    refusal,
    settle,
)

STOP = "lower max_tokens, raise the budget, or stop here"
WAIT = "max_wait= lets a call wait until they give back what they don't need"
FLIGHT = "by 2 calls in flight"
LIMITS = Limits(usd=1.0, tokens=1000)
COSTS = st.builds(lambda tokens, cents: Cost(tokens, picodollars(cents / 100)), st.integers(0, 600), st.integers(0, 60))


def total(costs):
    return Cost(sum(cost.tokens for cost in costs), sum(cost.money for cost in costs))


def within(costs):
    of = total(costs)
    return of.tokens <= 1000 and of.money <= 10**12


class BudgetMachine(RuleBasedStateMachine):
    """The budget beside a list of what was spent, one of what is set aside, and one of who waits."""

    def __init__(self):
        super().__init__()
        self.spending = Spending()
        self.spent, self.aside, self.waiting = [], [], []

    @rule(cost=COSTS, waits=st.booleans())
    def a_call_asks(self, cost, waits):
        before = self.spending
        self.spending, verdict = ask(LIMITS, self.spending, cost, waits=waits)
        if within([*self.spent, *self.aside, cost]) and not self.waiting:
            assert verdict is Verdict.IN
            self.aside.append(cost)
        elif waits and within([*self.spent, cost]):
            assert verdict is Verdict.WAIT
            self.waiting.append((self.spending.tickets, cost))
        else:
            assert verdict is Verdict.REFUSED
            assert self.spending is before
            assert refusal(LIMITS, before, cost)

    @precondition(lambda self: self.aside)
    @rule(data=st.data(), spent=COSTS)
    def a_call_is_over(self, data, spent):
        reserved = self.aside.pop(data.draw(st.integers(0, len(self.aside) - 1)))
        self.spending = settle(self.spending, reserved, spent)
        self.spent.append(spent)
        self.who_need_not_wait_are_heard()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def one_gives_up(self, data):
        ticket, _ = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        self.spending = give_up(self.spending, ticket)
        self.who_need_not_wait_are_heard()

    def who_need_not_wait_are_heard(self):
        self.spending, heard = admit(LIMITS, self.spending)
        for ticket, reserved in heard:
            first, cost = self.waiting.pop(0)
            assert ticket == first
            assert reserved is within([*self.spent, *self.aside, cost])
            assert reserved or not within([*self.spent, cost])
            if reserved:
                self.aside.append(cost)
        if self.waiting:
            first = self.waiting[0][1]
            assert not within([*self.spent, *self.aside, first])
            assert within([*self.spent, first])

    @invariant()
    def both_agree(self):
        spent, aside = total(self.spent), total(self.aside)
        assert self.spending == Spending(
            spent.tokens,
            spent.money,
            aside.tokens,
            aside.money,
            len(self.aside),
            tuple(self.waiting),
            self.spending.tickets,
        )


BudgetMachine.TestCase.settings = settings(max_examples=100, deadline=None)
TestBudget = BudgetMachine.TestCase


@pytest.mark.parametrize(
    ("spending", "cost", "said"),
    [
        (
            Spending(tokens=900),
            Cost(tokens=200),
            f"the call may take 200 tokens, and 100 of 1000 are left: 900 spent; {STOP}",
        ),
        (
            Spending(tokens=9, reserved_tokens=901, calls=2),
            Cost(tokens=91),
            f"the call may take 91 tokens, and 90 of 1000 are left: 9 spent, 901 set aside {FLIGHT}; {WAIT}",
        ),
        (
            Spending(money=picodollars(0.4), reserved_money=picodollars(0.5), calls=1),
            Cost(money=picodollars(0.25)),
            f"the call may cost $0.25, and $0.1 of $1 are left: $0.4 spent, $0.5 set aside by 1 call in flight; {WAIT}",
        ),
        (Spending(waiting=((1, Cost(5)),)), Cost(tokens=1), "what is left is wanted by 1 call that asked earlier"),
    ],
)
def test_a_refusal_says_what_is_spent_what_is_set_aside_by_whom_and_what_can_be_done(spending, cost, said):
    assert refusal(LIMITS, spending, cost) == said
