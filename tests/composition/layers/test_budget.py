"""with_budget: what might cost more than is left is refused unsent, and every attempt is paid for."""

import asyncio
import copy
import math
import pickle
import sys
from contextlib import aclosing

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from laws import LAWS
from subjects import Scripted

from modelport import (
    Break,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    Usage,
    VirtualClock,
    as_request,
    compose,
    with_fallback,
    with_hedge,
    with_retry,
)
from modelport.adapters.prices import as_prices
from modelport.composition.layers.budget import Purse, with_budget
from modelport.domain.machines.budget import Cost, Limits, Spending, picodollars, reserve, settle
from modelport.domain.price import Price

REQUEST = as_request("a" * 384, max_tokens=100)  # guessed: 100 tokens read, 100 written
CHEAP = Price(1.0, 2.0)  # so that this costs 300 millionths of a dollar
SERVER = ModelError("server", "it broke")


def said(input_tokens, output_tokens):
    """An answer that took so much."""
    return Response.of("Hi", usage=Usage(input_tokens, output_tokens))


def ask(model, times=1):
    """The outcomes of so many calls, one after the other."""

    async def main():
        return [await model.generate(REQUEST) for _ in range(times)]

    return asyncio.run(main())


def kinds(results):
    return [
        getattr(result.failure(), "kind", None) if result.value_or(None) is None else "answered" for result in results
    ]


class BudgetMachine(RuleBasedStateMachine):
    """The budget beside a list of what was spent, and one of what is set aside."""

    limits = Limits(usd=1.0, tokens=1000)

    def __init__(self):
        super().__init__()
        self.spending = Spending()
        self.spent, self.aside = [], []

    @rule(tokens=st.integers(0, 600), cents=st.integers(0, 60))
    def a_call_asks(self, tokens, cents):
        cost = Cost(tokens, picodollars(cents / 100))
        before = self.spending
        self.spending, exceeded = reserve(self.limits, self.spending, cost)
        all_tokens = sum(t for t, _ in (*self.spent, *self.aside, (tokens, cents)))
        all_cents = sum(c for _, c in (*self.spent, *self.aside, (tokens, cents)))
        assert (exceeded is None) is (all_tokens <= 1000 and all_cents <= 100)
        if exceeded is None:
            self.aside.append((tokens, cents))
        else:
            assert self.spending is before

    @precondition(lambda self: self.aside)
    @rule(data=st.data(), tokens=st.integers(0, 900), cents=st.integers(0, 90))
    def a_call_is_over(self, data, tokens, cents):
        held, money = self.aside.pop(data.draw(st.integers(0, len(self.aside) - 1)))
        reserved = Cost(held, picodollars(money / 100))
        self.spending = settle(self.spending, reserved, Cost(tokens, picodollars(cents / 100)))
        self.spent.append((tokens, cents))

    @invariant()
    def both_agree(self):
        assert self.spending == Spending(
            sum(t for t, _ in self.spent),
            sum(c for _, c in self.spent) * 10**10,
            sum(t for t, _ in self.aside),
            sum(c for _, c in self.aside) * 10**10,
        )


BudgetMachine.TestCase.settings = settings(max_examples=100, deadline=None)
TestBudget = BudgetMachine.TestCase


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_budget(usd=1000, tokens=10**9, prices={"*": CHEAP})))


def test_what_might_take_more_than_is_left_is_refused_unsent():
    model = ScriptedModel(said(90, 60), repeat=True)
    results = ask(compose(model, with_budget(tokens=500)), 4)
    assert kinds(results) == ["answered", "answered", "answered", "budget_exceeded"]
    error = results[3].failure()
    assert (error.message, error.sent, error.scope, error.attempts, len(model.requests)) == (
        "the call may take 200 tokens, and 50 of 500 are left",
        "no",
        "account",
        (),
        3,
    )


def test_dollars_are_settled_by_the_price_of_who_answered():
    purse = Purse(usd=0.001)
    model = ScriptedModel(said(100, 50), repeat=True, model_id="small")
    results = ask(compose(model, with_budget(purse, prices={"small": CHEAP})), 5)
    assert kinds(results) == ["answered"] * 4 + ["budget_exceeded"]
    assert results[4].failure().message == "the call may cost $0.0003, and $0.0002 of $0.001 are left"
    assert (purse.spent_usd, purse.spent_tokens) == (0.0008, 600)


def test_what_was_spent_beyond_the_guess_is_owed():
    purse = Purse(tokens=300)
    results = ask(compose(ScriptedModel(said(400, 400), repeat=True), with_budget(purse)), 2)
    assert kinds(results) == ["answered", "budget_exceeded"]
    assert results[1].failure().message == "the call may take 200 tokens, and 0 of 300 are left"
    assert purse.spent_tokens == 800


def test_a_failure_gives_back_what_was_set_aside():
    purse = Purse(tokens=200)
    results = ask(compose(ScriptedModel(SERVER, repeat=True), with_budget(purse)), 3)
    assert (kinds(results), purse.spent_tokens) == (["server"] * 3, 0)


def test_work_without_an_answer_costs_what_was_guessed():
    purse = Purse(tokens=1000)
    ask(compose(ScriptedModel(ModelError("timeout", "slow")), with_budget(purse)))
    assert purse.spent_tokens == 200


def test_an_answer_that_does_not_say_costs_what_was_guessed():
    purse = Purse(tokens=1000)
    ask(compose(ScriptedModel("Hi"), with_budget(purse)))
    assert purse.spent_tokens == 200


def test_a_call_that_was_cut_short_costs_what_was_guessed():
    purse, clock = Purse(tokens=1000), VirtualClock()
    slow = ScriptedModel(Stall("never"), said(5, 5))
    model = compose(slow, with_hedge(delay=1, clock=clock), with_budget(purse, clock=clock))
    clock.run(model.generate(REQUEST))
    assert purse.spent_tokens == 210


def test_every_attempt_is_paid_at_its_own_price():
    purse = Purse(usd=1.0)
    dear = ScriptedModel(ModelError("interrupted", "cut"), SERVER, model_id="dear")
    cheap = ScriptedModel(said(1000, 0), model_id="cheap")
    stack = compose(
        dear,
        with_retry(attempts=2, base=0),
        with_fallback(cheap),
        with_budget(purse, prices={"dear": Price(10.0, 10.0), "cheap": CHEAP}),
    )
    assert stack.policy.paid == ("dear", "cheap")
    ask(stack)
    assert purse.spent_usd == pytest.approx(0.002 + 0.001)


def test_a_model_that_nobody_has_priced_costs_what_the_dearest_does():
    purse = Purse(usd=1.0)
    layer = with_budget(purse, prices={"dear": Price(10.0, 10.0), "cheap": CHEAP})
    policy = layer(
        compose(ScriptedModel("a", model_id="dear"), with_fallback(ScriptedModel("b", model_id="cheap")))
    ).policy
    assert policy.money("another", Usage(1_000_000)) == 10 * 10**12


def test_calls_in_progress_count():
    async def main():
        model = ScriptedModel(Stall(said(1, 1), seconds=0.01), repeat=True)
        stack = compose(model, with_budget(tokens=500))
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(3)))

    assert kinds(asyncio.run(main())) == ["answered", "answered", "budget_exceeded"]


async def read(stack):
    return [event async for event in stack.stream(REQUEST)]


@pytest.mark.parametrize(("answer", "spent"), [(said(7, 8), 15), (Break("one two", 1), 200), (SERVER, 0)])
def test_a_stream_is_settled_at_its_end(answer, spent):
    purse = Purse(tokens=1000)
    asyncio.run(read(compose(ScriptedModel(answer), with_budget(purse))))
    assert purse.spent_tokens == spent


def test_a_stream_that_is_left_costs_what_was_guessed():
    purse = Purse(tokens=1000)
    stack = compose(ScriptedModel("one two three"), with_budget(purse))

    async def leave():
        async with aclosing(stack.stream(REQUEST)) as stream:
            await anext(stream)
            return purse.spent_tokens

    assert (asyncio.run(leave()), purse.spent_tokens) == (0, 200)


def test_a_guess_may_be_the_callers_own():
    results = ask(compose(ScriptedModel("Hi"), with_budget(tokens=10, estimate=lambda _: Usage(11))))
    assert kinds(results) == ["budget_exceeded"]


def test_prices_may_be_a_function():
    purse = Purse(usd=1.0)
    ask(compose(ScriptedModel("Hi"), with_budget(purse, prices=lambda model_id, usage: 0.25)))
    assert purse.spent_usd == 0.25


def test_a_model_without_a_price_is_an_error_when_the_stack_is_made():
    layer = with_budget(usd=1, prices={"small": CHEAP})
    with pytest.raises(
        ValueError, match=r"there is no price for 'a-model-of-ours'; say it: prices=\{'a-model-of-ours'"
    ):
        compose(ScriptedModel("Hi", model_id="a-model-of-ours"), layer)
    with pytest.raises(ValueError, match=r"there is no price for None; say it: prices=\{'\*'"):
        compose(ScriptedModel("Hi"), layer)


def test_the_library_knows_the_prices_that_the_table_does_not():
    pytest.importorskip("genai_prices")
    price_of = as_prices({"ours": CHEAP}, "here")
    assert price_of("ours", Usage(1_000_000)) == 1.0
    assert price_of("gpt-4o", Usage(1_000_000, 100_000, cached_tokens=500_000)) > 1.0
    assert price_of("a model that nobody sells", Usage(1)) is None
    assert "genai_prices" in sys.modules


def test_a_tenth_of_a_dollar_is_exact():
    assert (picodollars(0.1), picodollars(0.2) + picodollars(0.1), picodollars(0.3)) == (10**11, 3 * 10**11, 3 * 10**11)


def test_what_limits_nothing_is_an_error_at_once():
    with pytest.raises(ValueError, match="with_budget: a budget limits dollars, tokens or both"):
        with_budget()
    for wrong in (0, -1, math.nan, math.inf, "5", True):
        with pytest.raises(ValueError, match="usd must be a number of dollars above 0"):
            with_budget(usd=wrong)
    for wrong in (0, 2.5, True):
        with pytest.raises(ValueError, match="tokens must be a whole number of tokens above 0"):
            with_budget(tokens=wrong)
    with pytest.raises(TypeError, match="belong to the Purse"):
        with_budget(Purse(tokens=1), 5)
    with pytest.raises(TypeError, match="a mapping from a model's id to its Price, not 'small': 2.5"):
        with_budget(usd=1, prices={"small": 2.5})
    with pytest.raises(TypeError, match="with_budget: estimate: a function"):
        with_budget(tokens=1, estimate=5)


def test_a_copied_purse_begins_anew_and_the_policy_shows_it():
    purse = Purse(usd=2.5)
    purse.settle(Cost(), Cost(1, 10**12))
    other = pickle.loads(pickle.dumps(purse))
    assert (purse.spent_usd, other.spent_usd, copy.copy(purse).spent_tokens) == (1.0, 0.0, 0)
    assert repr(purse) == "Purse(usd=2.5)"
    policy = compose(ScriptedModel("Hi"), with_budget(tokens=5)).policy
    assert (repr(policy), policy.prices, policy.estimate) == ("Budget(tokens=5)", None, None)
    assert policy.arguments()["usd"].arguments() == {"usd": None, "tokens": 5}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_price_that_raises_when_a_call_is_over_leaves_nothing_set_aside(streamed):
    def prices(model_id, usage):
        if usage.output_tokens == 7:
            raise ZeroDivisionError
        return 0.001

    purse = Purse(usd=1.0)
    model = ScriptedModel(Response.of("Hi", usage=Usage(1, 7)))
    stack = compose(model, with_budget(purse, prices=prices))

    async def read():
        return [event async for event in stack.stream(REQUEST)]

    with pytest.raises(ZeroDivisionError):
        asyncio.run(read() if streamed else stack.generate(REQUEST))
    assert purse.spent_usd == 0.001
    assert purse.reserve(Cost(0, picodollars(0.999))) is None
