"""with_budget: what might cost more than is left is refused unsent, and every attempt is paid for."""

import asyncio
import copy
import math
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest
from laws import LAWS
from subjects import Scripted

from modelport import (
    OMIT,
    Break,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    Usage,
    VirtualClock,
    Workload,
    as_request,
    bounds,
    compose,
    describe,
    from_function,
    lint,
    simulate,
    with_cache,
    with_defaults,
    with_fallback,
    with_hedge,
    with_retry,
)
from modelport.adapters.prices import as_prices
from modelport.adapters.process import deadline
from modelport.composition.layers.budget import Purse, with_budget
from modelport.domain.machines.budget import Cost, Spending, picodollars
from modelport.domain.price import Price

REQUEST = as_request("a" * 384, max_tokens=100)  # guessed: 100 tokens read, 100 written
CHEAP = Price(1.0, 2.0)  # so that this costs 300 millionths of a dollar
STOP = "lower max_tokens, raise the budget, or stop here"
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


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_budget(usd=1000, tokens=10**9, prices={"*": CHEAP})))


def test_what_might_take_more_than_is_left_is_refused_unsent():
    model = ScriptedModel(said(90, 60), repeat=True)
    results = ask(compose(model, with_budget(tokens=500)), 4)
    assert kinds(results) == ["answered", "answered", "answered", "budget_exceeded"]
    error = results[3].failure()
    assert (error.message, error.sent, error.scope, error.attempts, len(model.requests)) == (
        f"the call may take 200 tokens, and 50 of 500 are left: 450 spent; {STOP}",
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
    assert (
        results[4]
        .failure()
        .message.startswith(
            "the call may cost $0.0003, and $0.0002 of $0.001 are left: $0.0008 spent; lower max_tokens"
        )
    )
    assert (purse.spent_usd, purse.spent_tokens) == (0.0008, 600)


def test_what_was_spent_beyond_the_guess_is_owed():
    purse = Purse(tokens=300)
    results = ask(compose(ScriptedModel(said(400, 400), repeat=True), with_budget(purse)), 2)
    assert kinds(results) == ["answered", "budget_exceeded"]
    assert (
        results[1].failure().message.startswith("the call may take 200 tokens, and 0 of 300 are left: 800 spent; lower")
    )
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
    assert policy.arguments()["usd"].arguments() == {"usd": None, "tokens": 5, "max_wait": None}


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


# The options in effect

HELLO = as_request("Hi")  # guessed: 4 tokens read, and what may be written


def writes(most=None, model_id="small", says="Hi", **price):
    """A model whose answers have so many tokens at most, as it was made."""
    options = {} if most is None else {"max_tokens": most}
    return from_function(lambda messages, max_tokens=0: says, model_id=model_id, **options)


def guess(*layers, model=None, request=HELLO):
    """The tokens that are set aside for a call of this stack."""
    purse = Purse(tokens=1)
    error = asyncio.run(compose(model or writes(5), *layers, with_budget(purse)).generate(request)).failure()
    return int(error.message.split()[4])


@pytest.mark.parametrize(
    ("layers", "request_options", "tokens"),
    [
        ([], {}, 9),
        ([with_defaults(max_tokens=7)], {}, 11),
        ([with_defaults(max_tokens=7), with_defaults(max_completion_tokens=8)], {}, 12),
        ([with_defaults(max_tokens=7)], {"max_tokens": 2}, 6),
        ([with_defaults(max_tokens=OMIT)], {}, 504),
        ([with_fallback(writes(50))], {}, 54),
        ([with_fallback(writes(50)), with_retry()], {"max_tokens": 6}, 10),
    ],
)
def test_the_guess_is_made_with_the_options_in_effect_of_who_would_take_the_most(layers, request_options, tokens):
    assert guess(*layers, request=as_request("Hi", **request_options)) == tokens


def test_defaults_over_the_budget_count_too_and_a_guess_of_the_callers_own_sees_them_all():
    seen = []

    def estimate(request):
        seen.append(dict(request.options))
        return Usage(1)

    ask(compose(writes(5), with_budget(tokens=9, estimate=estimate), with_defaults(temperature=0)))
    assert seen == [{"max_tokens": 100, "temperature": 0}]


def test_an_option_of_a_model_that_is_not_ours_may_mean_anything():
    model = ScriptedModel("Hi")
    foreign = type("Foreign", (), {"options": {"max_tokens": "many"}, "capabilities": model.capabilities})()
    foreign.generate, foreign.stream = model.generate, model.stream
    assert guess(model=foreign) == 504


def test_the_dearest_model_is_the_one_that_costs_the_most_with_its_own_options():
    purse = Purse(usd=1.0)
    prices = {"dear": Price(0.0, 100.0), "cheap": Price(0.0, 1.0)}
    stack = compose(writes(5, "dear"), with_fallback(writes(5000, "cheap")), with_budget(purse, prices=prices))
    assert stack.policy._guessed(HELLO)[1] == Cost(5004, picodollars(0.005))


def test_an_attempt_that_does_not_say_costs_what_its_own_model_was_guessed_to_take():
    purse = Purse(tokens=10_000)
    broken = ModelError("interrupted", "cut", sent="yes")
    first = from_function(lambda messages, max_tokens: broken, model_id="first", max_tokens=5)
    asyncio.run(compose(first, with_fallback(writes(50, "second")), with_budget(purse)).generate(HELLO))
    assert purse.spent_tokens == 9 + 54


def test_a_job_that_costs_a_tenth_of_the_budget_is_done_at_once():
    purse = Purse(tokens=20_000)
    stack = compose(writes(5), with_budget(purse))

    async def main():
        return await asyncio.gather(*(stack.generate(as_request(f"{row}")) for row in range(200)))

    assert kinds(asyncio.run(main())) == ["answered"] * 200
    assert purse.spent_tokens == 1800


# Under a cache


@pytest.mark.parametrize("outside", [False, True], ids=["budget outside", "cache outside"])
def test_an_answer_from_a_cache_reserves_nothing_in_either_order(outside):
    layers = [with_cache(), with_budget(tokens=250)]
    stack = compose(ScriptedModel(said(200, 0)), *(reversed(layers) if outside else layers))
    assert kinds(ask(stack, 3)) == ["answered"] * 3
    assert kinds([asyncio.run(stack.generate(HELLO))]) == ["budget_exceeded"]


def test_calls_that_share_one_in_flight_reserve_once():
    clock, purse = VirtualClock(), Purse(tokens=200)
    model = ScriptedModel(Stall(said(5, 5), seconds=1), sleep=clock.sleep)
    stack = compose(model, with_cache(clock=clock), with_budget(purse, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(5)))

    assert (kinds(clock.run(main())), purse.spent_tokens) == (["answered"] * 5, 10)


def test_a_candidate_beside_a_cache_reserves_for_itself():
    purse = Purse(tokens=1000)
    first = compose(ScriptedModel(SERVER, said(1, 1), model_id="first"), with_cache())
    spare = ScriptedModel(said(30, 0), model_id="spare")
    stack = compose(first, with_fallback(spare), with_budget(purse))
    assert kinds(ask(stack, 3)) == ["answered"] * 3
    assert purse.spent_tokens == 32


def test_a_gate_under_a_cache_is_not_seen():
    stack = compose(ScriptedModel("Hi"), with_cache(), with_retry(2), with_budget(tokens=9, max_wait=4))
    assert describe(stack) == (
        "Budget(tokens=9, max_wait=4)\n└─ Retry(attempts=2)\n   └─ Cache()\n      └─ ScriptedModel"
    )
    assert lint(stack) == ()
    assert bounds(stack).waiting >= 2 * 4
    assert simulate(stack, Workload(calls=3, request=lambda n: as_request(f"{n}"))).errors == {"budget_exceeded": 3}


# Models on this machine


class Local(ScriptedModel):
    """A model that runs here."""

    is_local = True


def test_a_local_model_costs_nothing():
    purse = Purse(usd=0.1)
    ask(compose(Local(said(10**9, 10**9), model_id="here"), with_budget(purse)))
    assert (purse.spent_usd, purse.spent_tokens) == (0.0, 2 * 10**9)


@pytest.mark.parametrize("prices", [{"here": Price(1.0, 1.0)}, lambda model_id, usage: 1.0], ids=["named", "function"])
def test_a_local_model_costs_what_is_said(prices):
    purse = Purse(usd=10.0)
    ask(compose(Local(said(10**6, 0), model_id="here"), with_budget(purse, prices=prices)))
    assert purse.spent_usd == 1.0


def test_the_price_of_every_other_is_not_that_of_a_local_model():
    purse = Purse(usd=10.0)
    remote = ScriptedModel(SERVER, said(10**6, 0), model_id="there")
    stack = compose(remote, with_fallback(Local(said(10**6, 0), model_id="here")))
    ask(compose(stack, with_budget(purse, prices={"*": Price(1.0, 1.0)})), 2)
    assert purse.spent_usd == 1.0


def test_a_local_model_by_the_name_of_a_paid_one_has_its_price():
    stack = compose(ScriptedModel("Hi", model_id="m"), with_fallback(Local("Hi", model_id="m")))
    policy = compose(stack, with_budget(usd=1, prices={"*": Price(1.0, 1.0)})).policy
    assert policy.money("m", Usage(10**6)) == 10**12


def test_a_function_of_prices_that_knows_no_price_leaves_a_local_model_free():
    policy = compose(Local("Hi", model_id="m"), with_budget(usd=1, prices=lambda model_id, usage: None)).policy
    assert policy.money("m", Usage(10**6)) == 0


# Waiting


def waiting(purse, seconds=1.0, answer=None):
    """A stack whose calls are guessed to take 200 tokens, take 10, and last so long; and its clock."""
    clock = VirtualClock()
    model = ScriptedModel(Stall(answer or said(5, 5), seconds=seconds), repeat=True, sleep=clock.sleep)
    return compose(model, with_budget(purse, clock=clock)), clock


def test_a_call_waits_for_what_is_set_aside_and_its_ledger_says_so():
    purse = Purse(tokens=450, max_wait=5)
    stack, clock = waiting(purse)

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(5)))

    results = [result.unwrap() for result in clock.run(main())]
    waits = [[(wait.reason, wait.seconds) for wait in result.attempts[0].waits] for result in results]
    assert waits == [[], [], [("budget", 1.0)], [("budget", 1.0)], [("budget", 2.0)]]
    assert (purse.spent_tokens, clock.now()) == (50, 3.0)


def test_who_waits_first_goes_first_and_is_not_passed_by_a_smaller_call():
    purse = Purse(tokens=400, max_wait=50)
    stack, clock = waiting(purse)
    ended = []

    async def call(name, most, after):
        await asyncio.sleep(after)
        await stack.generate(as_request("a" * 384, max_tokens=most))
        ended.append(name)

    async def main():
        calls = [("first", 100, 0), ("second", 100, 0.1), ("large", 290, 0.2), ("small", 50, 0.3)]
        await asyncio.gather(*(call(*each) for each in calls))

    clock.run(main())
    assert ended == ["first", "second", "large", "small"]


def test_a_wait_ends_with_its_time():
    purse = Purse(tokens=250, max_wait=2)
    stack, clock = waiting(purse, seconds=10)

    async def main():
        return await asyncio.gather(stack.generate(REQUEST), stack.generate(REQUEST))

    _, result = clock.run(main())
    error = result.failure()
    assert (error.kind, error.attempts) == ("budget_exceeded", ())
    assert error.message.startswith(
        "after a wait of 2 s, the call may take 200 tokens, and 50 of 250 are left: 0 spent, "
        "200 set aside by 1 call in flight"
    )
    assert purse._spending == Spending(10, tickets=1)


def test_a_wait_ends_with_the_deadline():
    stack, clock = waiting(Purse(tokens=250, max_wait=math.inf), seconds=10)

    async def hurried():
        with deadline.within(3, clock):
            return await stack.generate(REQUEST), clock.now()

    async def main():
        return await asyncio.gather(stack.generate(REQUEST), hurried())

    _, (result, when) = clock.run(main())
    assert (result.failure().kind, when) == ("deadline_exceeded", 3.0)
    assert result.failure().message.startswith("not enough of the budget was free before the deadline: the call may")


def test_who_waits_without_an_end_has_no_timer():
    purse = Purse(tokens=250, max_wait=math.inf)
    stack, clock = waiting(purse, seconds=10)

    async def main():
        return await asyncio.gather(stack.generate(REQUEST), stack.generate(REQUEST))

    assert (kinds(clock.run(main())), clock.now()) == (["answered"] * 2, 20.0)


def test_who_can_t_be_paid_for_any_more_is_refused_at_once():
    purse = Purse(tokens=250, max_wait=100)
    stack, clock = waiting(purse, answer=said(100, 100))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(3)))

    results = clock.run(main())
    assert (kinds(results), clock.now()) == (["answered", "budget_exceeded", "budget_exceeded"], 1.0)
    assert results[2].failure().message.startswith("after a wait of 1 s, the call may take 200 tokens, and 50 of 250")
    again = clock.run(stack.generate(REQUEST))
    assert (again.failure().message[:32], clock.now()) == ("the call may take 200 tokens, an", 1.0)


def test_a_wait_that_is_cancelled_lets_the_next_one_in():
    purse = Purse(tokens=450, max_wait=100)
    stack, clock = waiting(purse, seconds=10)

    async def main():
        calls = [asyncio.create_task(stack.generate(REQUEST)) for _ in range(2)]
        await asyncio.sleep(1)
        large = asyncio.create_task(stack.generate(as_request("a" * 384, max_tokens=300)))
        await asyncio.sleep(1)
        small = asyncio.create_task(stack.generate(as_request("Hi", max_tokens=10)))
        await asyncio.sleep(1)
        large.cancel()
        await asyncio.gather(*calls, small, large, return_exceptions=True)
        return small.result()

    (attempt,) = clock.run(main()).unwrap().attempts
    assert ([wait.seconds for wait in attempt.waits], purse._spending) == ([1.0], Spending(30, tickets=2))


def test_a_wait_that_is_cancelled_in_the_instant_in_which_it_is_let_in_holds_nothing():
    purse = Purse(tokens=250, max_wait=100)

    async def main():
        await purse.take(Cost(tokens=200))
        waits = asyncio.create_task(purse.take(Cost(tokens=200)))
        await asyncio.sleep(0)
        purse.settle(Cost(tokens=200), Cost(tokens=10))
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits

    asyncio.run(main())
    assert purse._spending == Spending(10, tickets=1)


def test_a_wait_whose_time_is_over_in_the_instant_in_which_it_is_let_in_is_let_in():
    purse, clock = Purse(tokens=250, max_wait=3), VirtualClock()

    async def main():
        await purse.take(Cost(tokens=200), clock)
        waits = asyncio.create_task(purse.take(Cost(tokens=200), clock))
        await asyncio.sleep(0)
        (waiting,) = purse._waiting.values()
        waiting.woken.set_result(None)  # by its timer
        purse.settle(Cost(tokens=200), Cost(tokens=10))
        return await waits

    assert clock.run(main()) == 0.0
    assert purse._spending == Spending(10, 0, 200, calls=1, tickets=1)


def test_who_waited_on_a_loop_that_has_closed_is_passed_over():
    purse = Purse(tokens=250, max_wait=math.inf)
    loop = asyncio.new_event_loop()

    async def begin():
        await purse.take(Cost(tokens=200))
        task = asyncio.ensure_future(purse.take(Cost(tokens=200)))
        task._log_destroy_pending = False
        await asyncio.sleep(0)
        return task

    left = loop.run_until_complete(begin())
    loop.close()
    purse.settle(Cost(tokens=200), Cost(tokens=10))
    assert (purse._spending, left.done()) == (Spending(10, tickets=1), False)
    left.get_coro().close()


def test_who_waits_on_a_loop_that_has_closed_and_can_t_be_paid_for_is_passed_over():
    purse = Purse(tokens=250, max_wait=math.inf)
    loop = asyncio.new_event_loop()

    async def begin():
        await purse.take(Cost(tokens=200))
        task = asyncio.ensure_future(purse.take(Cost(tokens=200)))
        task._log_destroy_pending = False
        await asyncio.sleep(0)
        return task

    left = loop.run_until_complete(begin())
    loop.close()
    purse.settle(Cost(tokens=200), Cost(tokens=100))
    assert purse._spending == Spending(100, tickets=1)
    left.get_coro().close()


def test_calls_on_many_loops_share_a_purse_and_all_are_paid():
    purse = Purse(tokens=450, max_wait=100)
    stack = compose(ScriptedModel(Stall(said(1, 1), seconds=0.001), repeat=True), with_budget(purse))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(10)))

    with ThreadPoolExecutor(4) as threads:
        results = [call.result() for call in [threads.submit(asyncio.run, main()) for _ in range(4)]]
    assert [kinds(each) for each in results] == [["answered"] * 10] * 4
    assert (purse.spent_tokens, purse._spending.calls, purse._spending.waiting) == (80, 0, ())


def test_what_is_settled_while_this_thread_holds_the_lock_is_settled_after():
    purse = Purse(tokens=250)
    purse.reserve(Cost(tokens=200))
    with purse._lock:  # as when a garbage collection closes a stream just then
        purse.settle(Cost(tokens=200), Cost(tokens=50))
    assert purse.reserve(Cost(tokens=500)).kind == "budget_exceeded"
    assert purse.spent_tokens == 50


def test_what_another_thread_has_settled_meanwhile_is_settled_once():
    class Emptied:
        """A lock that is had when another thread has just settled all there was."""

        released = False

        def __init__(self, over):
            self.over = over

        def acquire(self, blocking):
            self.over.clear()
            return True

        def release(self):
            self.released = True

    purse = Purse(tokens=250)
    purse._lock = lock = Emptied(purse._over)
    purse.settle(Cost(tokens=200), Cost(tokens=50))
    assert (lock.released, purse.spent_tokens) == (True, 0)


def test_a_wait_is_a_number_of_seconds_and_belongs_to_the_purse():
    for wrong in (-1, math.nan, "5"):
        with pytest.raises((TypeError, ValueError), match="with_budget: max_wait must be at least 0 seconds"):
            with_budget(tokens=1, max_wait=wrong)
    with pytest.raises(TypeError, match="tokens and max_wait belong to the Purse"):
        with_budget(Purse(tokens=1), max_wait=1)
    assert bounds(compose(ScriptedModel("Hi"), with_budget(tokens=1, max_wait=3))).waiting == 3
    assert repr(Purse(tokens=5, max_wait=1.0)) == "Purse(tokens=5, max_wait=1)"
