"""with_route: who is asked first, who is skipped and why, and who is asked next."""

import asyncio
import copy
import pickle
from collections import Counter
from contextlib import aclosing

import pytest
from laws import LAWS, Case
from subjects import Scripted

from modelport import (
    Break,
    Capabilities,
    Image,
    Message,
    ModelError,
    Request,
    ScriptedModel,
    Stall,
    Text,
    Tool,
    VirtualClock,
    as_request,
    compose,
    from_function,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.composition.layers.circuit_breaker import Breaker, with_circuit_breaker
from modelport.composition.layers.route import beginning, refusal_of, with_route
from modelport.domain.attempt import Skipped
from modelport.domain.capability import missing
from modelport.domain.machines.router import Routing
from modelport.domain.price import Price

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke", sent="yes")


def named(name, *answers, **how):
    return ScriptedModel(*(answers or (name,)), repeat=True, model_id=name, **how)


def ask(stack, *requests, clock=None):
    """The outcomes of these calls, one after the other."""

    async def main():
        return [await stack.generate(request) for request in requests or (REQUEST,)]

    return (clock or VirtualClock()).run(main())


def texts(results):
    return [result.unwrap().content for result in results]


class Routed(Scripted):
    """Two scripted models that say the same, behind a route."""

    def __init__(self, by):
        self.by = by

    def _case(self, model):
        spare = ScriptedModel(*model.answers, repeat=True, chunk=model.chunk)
        stack = compose(model, with_route(spare, by=self.by, on=lambda error: False))
        return Case(stack, lambda: model.open + spare.open, lambda: len(model.requests) + len(spare.requests))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("by", ["round_robin", "least_busy", "lowest_latency", "sticky"])
def test_the_law_is_kept(law, by):
    law(Routed(by))


def test_round_robin_takes_turns():
    stack = compose(named("a"), with_route(named("b"), named("c"), by="round_robin"))
    assert texts(ask(stack, *[REQUEST] * 5)) == ["a", "b", "c", "a", "b"]


def test_models_may_come_as_a_list():
    stack = compose(named("a"), with_route([named("b"), named("c")], by="round_robin"))
    assert texts(ask(stack, *[REQUEST] * 3)) == ["a", "b", "c"]


def test_weights_and_a_canary_go_by_chance():
    chances = iter([0.0, 0.79, 0.8, 0.99])
    stack = compose(named("a"), with_route(named("b"), by="weighted", weights=[8, 2], chance=lambda: next(chances)))
    assert texts(ask(stack, *[REQUEST] * 4)) == ["a", "a", "b", "b"]
    chances = iter([0.049, 0.05])
    stack = compose(named("a"), with_route(named("new"), by="canary", share=0.05, chance=lambda: next(chances)))
    assert texts(ask(stack, *[REQUEST] * 2)) == ["new", "a"]


def test_the_least_busy_is_asked_and_a_stream_is_busy_until_it_is_closed():
    stack = compose(named("a", "one two three"), with_route(named("b", "one two three"), by="least_busy"))

    async def main():
        async with aclosing(stack.stream(REQUEST)) as stream:
            await anext(stream)
            during = stack.policy.router.traffic.busy
            others = [(await stack.generate(REQUEST)).unwrap().attempts[0].model_id for _ in range(3)]
        return during, others, stack.policy.router.traffic.busy

    assert asyncio.run(main()) == ((1, 0), ["b", "b", "b"], (0, 0))


def test_a_cancelled_call_is_busy_no_longer():
    stack = compose(named("a", Stall("never")), with_route(named("b", Stall("never")), by="least_busy"))

    async def main():
        tasks = [asyncio.create_task(stack.generate(REQUEST)) for _ in range(3)]
        await asyncio.sleep(0)
        during = stack.policy.router.traffic.busy
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return during, stack.policy.router.traffic.busy

    assert asyncio.run(main()) == ((2, 1), (0, 0))


def test_the_quickest_is_asked_once_each_is_known_and_forgotten_times_are_tried_again():
    clock = VirtualClock()
    slow = named("slow", Stall("slow", seconds=5), sleep=clock.sleep)
    quick = named("quick", Stall("quick", seconds=1), sleep=clock.sleep)
    stack = compose(slow, with_route(quick, by="lowest_latency", window=60, clock=clock))
    assert texts(ask(stack, *[REQUEST] * 4, clock=clock)) == ["slow", "quick", "quick", "quick"]
    clock.advance(60)
    assert texts(ask(stack, REQUEST, clock=clock)) == ["slow"]


def test_one_that_fails_is_the_slowest():
    clock = VirtualClock()
    down = named("down", SERVER)
    quick = named("quick", Stall("quick", seconds=1), sleep=clock.sleep)
    stack = compose(down, with_route(quick, by="lowest_latency", clock=clock))
    assert texts(ask(stack, *[REQUEST] * 3, clock=clock)) == ["quick"] * 3
    assert len(down.requests) == 1


def test_a_caller_s_mistake_says_nothing_of_its_speed():
    strict = named("strict", ModelError("invalid_request", "no such option"))
    stack = compose(strict, with_route(named("b"), by="lowest_latency"))
    ask(stack, REQUEST, REQUEST)
    assert (len(strict.requests), stack.policy.router.traffic.times) == (2, ((), ()))


def test_the_cheapest_is_asked():
    prices = {"dear": Price(10, 10), "cheap": Price(1, 1)}
    stack = compose(compose(named("dear"), with_retry()), with_route(named("cheap"), by="lowest_cost", prices=prices))
    assert texts(ask(stack)) == ["cheap"]
    with pytest.raises(ValueError, match="with_route: there is no price for 'other'"):
        compose(named("other"), with_route(named("cheap"), by="lowest_cost", prices=prices))


def test_what_a_candidate_costs_is_guessed_with_its_own_options():
    def writes(name, most):
        async def answer(messages, max_tokens):
            return name

        return from_function(answer, model_id=name, max_tokens=most)

    prices = {"terse": Price(0, 2), "wordy": Price(0, 1)}
    stack = compose(writes("wordy", 1000), with_route(writes("terse", 10), by="lowest_cost", prices=prices))
    assert texts(ask(stack)) == ["terse"]


def test_a_candidate_on_this_machine_is_the_cheapest():
    class Local(ScriptedModel):
        is_local = True

    stack = compose(
        named("paid"), with_route(Local("local", model_id="m"), by="lowest_cost", prices={"paid": Price(1, 1)})
    )
    assert texts(ask(stack)) == ["local"]


def test_prices_that_come_to_nothing_for_one_call_put_it_last():
    known = {"a": True}
    stack = compose(
        named("a"),
        with_route(named("b"), by="lowest_cost", prices=lambda name, _: 1.0 if known.get(name, True) else None),
    )
    known["a"] = False
    assert texts(ask(stack)) == ["b"]


def test_a_prompt_goes_to_the_smallest_that_holds_it():
    stack = compose(named("roomy"), with_route(named("small"), by="prompt_size", sizes=[1000, 100]))
    short, long, longest = (as_request("a" * 4 * tokens) for tokens in (50, 500, 5000))
    first, second, third = ask(stack, short, long, longest)
    assert texts([first, second]) == ["small", "roomy"]
    assert second.unwrap().attempts[0].waits == (Skipped("context_window", model_id="small"),)
    error = third.failure()
    assert (error.kind, [cause.kind for cause in error.causes], error.sent) == (
        "exhausted",
        ["context_window"] * 2,
        "no",
    )
    assert error.causes[0].message == "the prompt has about 5004 tokens, 100 at most"


def test_what_a_model_holds_is_its_context_window_unless_sizes_are_said():
    small = named("small", capabilities=Capabilities(context_window=100))
    stack = compose(named("roomy", capabilities=Capabilities()), with_route(small, by="prompt_size"))
    assert texts(ask(stack, REQUEST, as_request("a" * 4000))) == ["small", "roomy"]


def test_a_model_that_lacks_what_is_needed_is_skipped_unpaid():
    blind = named("blind", capabilities=Capabilities())
    stack = compose(blind, with_route(named("seeing"), by="capability"))
    request = Request([Message("user", [Text("What is this?"), Image(url="https://example.com/a.png")])])
    (result,) = ask(stack, request)
    assert (result.unwrap().content, blind.requests) == ("seeing", ())
    assert result.unwrap().attempts[0].waits == (Skipped("unsupported", model_id="blind"),)
    assert missing(request, stack.capabilities) == ()


def test_tools_and_forms_are_needs_too():
    tool = Tool("look", "What is there?", {"type": "object", "properties": {}})
    stack = compose(named("plain", capabilities=Capabilities()), with_route(named("able"), by="capability"))
    needs = (as_request("Look!", tools=[tool]), as_request("As JSON.", response_format={"type": "json_object"}))
    assert texts(ask(stack, REQUEST, *needs)) == ["plain", "able", "able"]


def test_an_open_breaker_and_a_full_limiter_are_skipped_and_the_ledger_says_so():
    clock = VirtualClock()
    breaker = Breaker(clock=clock)
    broken = compose(named("broken"), with_circuit_breaker(breaker))
    full = compose(named("full"), with_rate_limit(1, max_wait=5, clock=clock))
    stack = compose(broken, with_route(full, named("free"), by="capability", clock=clock))
    breaker.isolate()
    first, second = ask(stack, REQUEST, REQUEST, clock=clock)
    assert texts([first, second]) == ["full", "free"]
    assert first.unwrap().attempts[0].waits == (Skipped("circuit_open", model_id="broken"),)
    assert second.unwrap().attempts[0].waits == (
        Skipped("circuit_open", model_id="broken"),
        Skipped("limiter_full", model_id="full"),
    )


def test_a_stream_says_who_was_skipped_too():
    breaker = Breaker()
    stack = compose(compose(named("broken"), with_circuit_breaker(breaker)), with_route(named("free"), by="least_busy"))
    breaker.isolate()

    async def main():
        return [event async for event in stack.stream(REQUEST)]

    assert asyncio.run(main())[-1].response.attempts[0].waits == (Skipped("circuit_open", model_id="broken"),)


def test_a_limiter_that_waits_longer_than_max_wait_is_skipped():
    clock = VirtualClock()
    paced = compose(named("paced"), with_rate_limit(6, clock=clock))
    stack = compose(paced, with_route(named("free"), by="capability", max_wait=2, clock=clock))
    assert texts(ask(stack, REQUEST, REQUEST, clock=clock)) == ["paced", "free"]
    clock.advance(8)
    assert texts(ask(stack, REQUEST, clock=clock)) == ["paced"]


def test_a_candidate_that_falls_back_is_never_skipped_for_its_first_model():
    breaker = Breaker()
    breaker.isolate()
    refusing = compose(named("a"), with_circuit_breaker(breaker))
    assert refusal_of(refusing).kind == "circuit_open"
    assert refusal_of(compose(refusing, with_fallback(named("b")))) is None
    assert refusal_of(compose(named("a"), with_retry())) is None


def test_the_next_is_asked_when_one_fails_and_the_ledger_has_both():
    stack = compose(named("a", SERVER), with_route(named("b"), by="capability"))
    response = ask(stack)[0].unwrap()
    assert [(a.model_id, a.outcome) for a in response.attempts] == [("a", "server"), ("b", "answered")]


def test_an_error_that_nobody_could_mend_is_given_back_with_what_came_before():
    wrong = ModelError("invalid_request", "no such option")
    last = named("last")
    error = ask(compose(named("a", SERVER), with_route(named("b", wrong), last, by="capability")))[0].failure()
    assert (error.kind, error.primary.kind, len(error.attempts), last.requests) == ("invalid_request", "server", 2, ())


def test_on_says_what_goes_on_to_the_next():
    stack = compose(named("a", SERVER), with_route(named("b"), by="capability", on="rate_limited"))
    assert ask(stack)[0].failure().kind == "server"


def test_when_all_fail_the_error_carries_them_all():
    refused = ModelError("limiter_full", "a queue", sent="no", retry_after=3.0)
    error = ask(compose(named("a", SERVER), with_route(named("b", refused), by="capability")))[0].failure()
    assert (error.kind, [cause.kind for cause in error.causes], len(error.attempts), error.retry_after) == (
        "exhausted",
        ["server", "limiter_full"],
        1,
        3.0,
    )


def test_a_refusal_that_nobody_foresaw_is_skipped_too():
    refused = ModelError("limiter_full", "a queue", sent="no")
    response = ask(compose(named("a", refused), with_route(named("b"), by="capability")))[0].unwrap()
    assert response.attempts[0].waits == (Skipped("limiter_full", model_id="a"),)


def test_nobody_is_asked_after_the_deadline():
    clock = VirtualClock()
    slow = named("slow", Stall(SERVER, seconds=10), sleep=clock.sleep)
    spare = named("spare")
    stack = compose(slow, with_route(spare, by="capability", clock=clock), with_retry(deadline=5, clock=clock))
    error = ask(stack, clock=clock)[0].failure()
    assert (error.kind, error.primary.kind, spare.requests) == ("deadline_exceeded", "server", ())


def test_a_stream_is_replaced_before_its_first_content_and_never_after():
    async def kinds(stack):
        return [type(event).__name__ for event in [event async for event in stack.stream(REQUEST)]]

    before = compose(named("a", Break("Hi", 0)), with_route(named("b", "Hi"), by="least_busy"))
    after = compose(named("a", Break("one two three", 1)), with_route(named("b"), by="least_busy"))
    assert asyncio.run(kinds(before)) == ["TextDelta", "Finished"]
    assert asyncio.run(kinds(after)) == ["TextDelta", "Failed"]


def test_the_same_beginning_goes_to_the_same_model():
    stack = compose(named("a"), with_route(named("b"), named("c"), by="sticky"))
    system = {"role": "system", "content": "You are terse."}
    talks = [[system, {"role": "user", "content": f"Question {at}"}] for at in range(60)]
    first = texts(ask(stack, *map(as_request, talks)))
    more = [[*talk, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "Why?"}] for talk in talks]
    assert texts(ask(stack, *map(as_request, more))) == first
    assert min(Counter(first).values()) > 10


def test_a_key_may_be_the_callers_own():
    stack = compose(named("a"), with_route(named("b"), by="sticky", key=lambda request: request.options["user"]))
    users = [as_request(f"Question {at}", user=f"user {at % 2}") for at in range(8)]
    said = texts(ask(stack, *users))
    assert said[::2] == said[:1] * 4
    assert said[1::2] == said[1:2] * 4


def test_tools_are_part_of_the_beginning():
    tool = Tool("look", "What is there?", {"type": "object", "properties": {}})
    assert beginning(as_request("Hi", tools=[tool])) != beginning(REQUEST)
    assert beginning(Request([Message("system", "Hi")])) == beginning(Request([Message("system", "Hi")]))


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"by": "luck"}, ValueError, "with_route: by must be one of weighted, .* not 'luck'"),
        ({"by": "weighted"}, ValueError, "with_route: weights must be a number for each of the 2 candidates"),
        ({"by": "sticky", "prices": {}}, ValueError, "with_route: prices goes with by='lowest_cost'"),
        ({"by": "capability", "key": str}, ValueError, "with_route: key goes with by='sticky'"),
        ({"by": "sticky", "key": "user"}, TypeError, "with_route: key must be a function"),
        ({"by": "capability", "max_wait": -1}, ValueError, "with_route: max_wait must be at least 0"),
        ({"by": "prompt_size", "estimate": 4}, TypeError, "with_route: estimate: a function"),
        ({"by": "capability", "on": []}, ValueError, "with_route: on: an empty set"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(how, error, said):
    with pytest.raises(error, match=said):
        with_route(named("b"), **how)


def test_a_candidate_is_a_model_and_stands_there_once():
    model = named("a")
    with pytest.raises(TypeError, match="route to which model"):
        with_route(by="capability")
    with pytest.raises(TypeError, match="with_route: candidate 1, 'gpt-4o', is not a model"):
        with_route(["gpt-4o"], by="capability")
    with pytest.raises(ValueError, match="stands there twice"):
        with_route(model, model, by="capability")
    with pytest.raises(ValueError, match="is a candidate already"):
        compose(model, with_route(model, by="capability"))


def test_the_repr_shows_what_was_chosen_and_a_copy_begins_anew():
    stack = compose(named("a"), with_route(named("b"), by="weighted", weights=[1, 2], max_wait=3))
    assert repr(stack.policy) == "Route(by='weighted', weights=(1, 2), max_wait=3)"
    router = compose(named("a"), with_route(named("b"), by="round_robin")).policy.router
    assert [other.traffic.turn for other in (copy.copy(router), pickle.loads(pickle.dumps(router)))] == [0, 0]
    assert isinstance(router.routing, Routing)
