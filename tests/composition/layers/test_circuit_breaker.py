"""with_circuit_breaker: a model that fails too often is left alone, then probed; nobody else's mistake counts."""

import asyncio
import copy
import pickle
from contextlib import aclosing

import pytest
from laws import LAWS
from returns.result import Success
from subjects import Scripted

from modelport import (
    Break,
    ModelError,
    ScriptedModel,
    Stall,
    VirtualClock,
    as_request,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.composition.layers.circuit_breaker import COUNTED, Breaker, with_circuit_breaker
from modelport.domain.error import ErrorKind

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke")


def guarded(*answers, clock, **how):
    """A scripted model behind a breaker that opens at its second failure of two, and the model itself."""
    model = ScriptedModel(*answers, sleep=clock.sleep, repeat=True)
    layer = with_circuit_breaker(**{"minimum": 2, "pause": 10.0, "clock": clock, **how})
    return compose(model, layer), model


def kinds(results):
    """What calls came to, in words."""
    return ["answered" if isinstance(result, Success) else result.failure().kind for result in results]


def ask(stack, clock, times):
    """The outcomes of so many calls, one after the other."""

    async def main():
        return [await stack.generate(REQUEST) for _ in range(times)]

    return clock.run(main())


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_circuit_breaker()))


def test_it_opens_when_too_many_fail_and_then_nothing_is_sent():
    clock = VirtualClock()
    stack, model = guarded(SERVER, clock=clock)
    results = ask(stack, clock, 4)
    assert kinds(results) == ["server", "server", "circuit_open", "circuit_open"]
    error = results[2].failure()
    assert (error.sent, error.retry_after, error.attempts, len(model.requests)) == ("no", 10.0, (), 2)


def test_after_its_pause_a_probe_that_goes_well_closes_it():
    clock = VirtualClock()
    stack, _ = guarded(SERVER, SERVER, "Hi", clock=clock)
    ask(stack, clock, 2)
    clock.advance(10)
    assert kinds(ask(stack, clock, 3)) == ["answered", "answered", "answered"]


def test_a_probe_that_fails_opens_it_again():
    clock = VirtualClock()
    stack, model = guarded(SERVER, clock=clock)
    ask(stack, clock, 2)
    clock.advance(10)
    assert kinds(ask(stack, clock, 2)) == ["server", "circuit_open"]
    assert len(model.requests) == 3


def test_while_a_probe_is_on_its_way_nobody_else_is_let_through():
    clock = VirtualClock()
    stack, _ = guarded(SERVER, SERVER, Stall("Hi", seconds=1), "Hi", clock=clock)
    ask(stack, clock, 2)
    clock.advance(10)

    async def together():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(3)))

    first, second, third = clock.run(together())
    assert kinds([first, second, third]) == ["answered", "circuit_open", "circuit_open"]
    assert second.failure().message == "it failed too often lately, and is being tried again"


def test_a_cancelled_probe_makes_room_for_another():
    clock = VirtualClock()
    stack, _ = guarded(SERVER, SERVER, Stall("never"), "Hi", clock=clock)
    ask(stack, clock, 2)
    clock.advance(10)

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await stack.generate(REQUEST)
        return await stack.generate(REQUEST)

    assert clock.run(main()).unwrap().content == "Hi"


def test_a_longer_retry_after_is_the_time_for_which_it_stays_open():
    clock = VirtualClock()
    stack, _ = guarded(ModelError("overloaded", "busy", retry_after=60.0), clock=clock)
    assert ask(stack, clock, 3)[2].failure().retry_after == 60.0


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in COUNTED])
def test_what_is_not_the_model_s_failure_does_not_count(kind):
    clock = VirtualClock()
    stack, _ = guarded(ModelError(kind, "no"), clock=clock)
    assert kinds(ask(stack, clock, 5)) == [kind] * 5


def test_on_says_what_counts():
    clock = VirtualClock()
    stack, _ = guarded(ModelError("rate_limited", "slow"), clock=clock, on="rate_limited")
    assert kinds(ask(stack, clock, 3)) == ["rate_limited", "rate_limited", "circuit_open"]


def test_a_refusal_below_it_does_not_count():
    clock = VirtualClock()
    limit = with_rate_limit(1, max_wait=0, clock=clock)
    stack = compose(ScriptedModel("Hi"), limit, with_circuit_breaker(minimum=1, ratio=0.1, clock=clock))
    assert kinds(ask(stack, clock, 3)) == ["answered", "limiter_full", "limiter_full"]


def test_an_open_circuit_is_not_retried_and_goes_to_the_fallback():
    clock = VirtualClock()
    model = ScriptedModel(SERVER, repeat=True)
    stack = compose(
        model,
        with_circuit_breaker(minimum=2, clock=clock),
        with_retry(attempts=9, base=0, clock=clock),
        with_fallback(ScriptedModel("spare", repeat=True), clock=clock),
    )
    assert [result.unwrap().content for result in ask(stack, clock, 3)] == ["spare"] * 3
    assert len(model.requests) == 2


async def read(stack):
    return [event async for event in stack.stream(REQUEST)]


def test_a_stream_that_breaks_off_counts_as_a_failure():
    clock = VirtualClock()
    stack, model = guarded(Break("one two three", after=1), clock=clock)

    async def main():
        return [(await read(stack))[-1].error.kind for _ in range(3)]

    assert clock.run(main()) == ["interrupted", "interrupted", "circuit_open"]
    assert len(model.requests) == 2


def test_a_stream_closes_the_circuit_with_its_first_content_and_its_end_still_counts():
    clock = VirtualClock()
    breaker = Breaker(minimum=1, pause=10, clock=clock)
    answers = (SERVER, Break("one two three", after=2))
    stack = compose(ScriptedModel(*answers, repeat=True), with_circuit_breaker(breaker, clock=clock))

    async def main():
        await stack.generate(REQUEST)
        clock.advance(10)
        async with aclosing(stack.stream(REQUEST)) as stream:
            await anext(stream)
            begun = breaker.mode
            async for _ in stream:
                pass
        return begun, breaker.mode

    assert clock.run(main()) == ("closed", "open")


def test_one_of_several_probes_counts_once_when_it_is_a_stream():
    clock = VirtualClock()
    breaker = Breaker(minimum=1, pause=10, probes=2, clock=clock)
    stack = compose(ScriptedModel(SERVER, "Hi", repeat=True), with_circuit_breaker(breaker, clock=clock))

    async def main():
        await read(stack)
        clock.advance(10)
        await read(stack)
        after_one = breaker.mode
        await read(stack)
        return after_one, breaker.mode

    assert clock.run(main()) == ("half_open", "closed")


def test_a_stream_that_its_reader_leaves_says_nothing():
    clock = VirtualClock()
    breaker = Breaker(minimum=1, clock=clock)
    stack = compose(ScriptedModel("one two three", repeat=True), with_circuit_breaker(breaker, clock=clock))

    async def main():
        async with aclosing(stack.stream(REQUEST)) as stream:
            await anext(stream)

    clock.run(main())
    assert breaker._circuit.slices == ()


def test_a_breaker_is_isolated_and_reset_by_hand():
    clock = VirtualClock()
    breaker = Breaker(clock=clock)
    stack, _ = guarded("Hi", clock=clock, ratio=breaker, minimum=10, pause=30.0)
    breaker.isolate()
    error = ask(stack, clock, 1)[0].failure()
    assert (error.kind, error.retry_after, breaker.mode) == ("circuit_open", None, "isolated")
    assert breaker.refusal().message == "it is isolated until somebody resets it"
    breaker.reset()
    assert kinds(ask(stack, clock, 1)) == ["answered"]


def test_looking_changes_nothing():
    clock = VirtualClock()
    stack, _ = guarded(SERVER, clock=clock)
    ask(stack, clock, 2)
    clock.advance(9)
    assert stack.policy.refusal().retry_after == 1.0
    clock.advance(1)
    assert (stack.policy.refusal(), stack.policy.breaker.mode) == (None, "open")


def test_each_model_has_a_breaker_of_its_own_unless_one_is_passed():
    layer, shared = with_circuit_breaker(), with_circuit_breaker(Breaker())
    one, other = ScriptedModel("a"), ScriptedModel("b")
    assert layer(one).policy.breaker is not layer(other).policy.breaker
    assert shared(one).policy.breaker is shared(other).policy.breaker


def test_a_copied_breaker_begins_anew():
    clock = VirtualClock()
    breaker = Breaker(0.7, minimum=3, window=9)
    breaker.isolate()
    assert [other.mode for other in (copy.copy(breaker), pickle.loads(pickle.dumps(breaker)))] == ["closed", "closed"]
    assert repr(copy.deepcopy(breaker)) == "Breaker(ratio=0.7, window=9, minimum=3)"
    assert Breaker(clock=clock).clock is clock


def test_the_policy_shows_what_differs_and_has_its_arguments():
    stack = compose(ScriptedModel("Hi"), with_circuit_breaker(minimum=3))
    policy = stack.policy
    assert repr(policy) == "CircuitBreaker(minimum=3)"
    named = policy.arguments()["ratio"].arguments()
    assert [named[name] for name in ("ratio", "window", "minimum", "pause", "probes")] == [0.5, 60.0, 3, 30.0, 1]


def test_what_makes_no_sense_is_an_error_at_once():
    with pytest.raises(ValueError, match="with_circuit_breaker: ratio must be a share above 0 and at most 1, not 3"):
        with_circuit_breaker(3)
    with pytest.raises(TypeError, match="belong to the Breaker"):
        with_circuit_breaker(Breaker(), pause=5)
    with pytest.raises(ValueError, match="an empty set acts on nothing"):
        with_circuit_breaker(on=[])


def test_a_question_that_raises_leaves_no_probe_out():
    clock = VirtualClock()

    def on(error):
        if error.message == "odd":
            raise ZeroDivisionError
        return True

    broken, odd = ModelError("server", "broken"), ModelError("server", "odd")
    layer = with_circuit_breaker(minimum=1, pause=10, on=on, clock=clock)
    stack = compose(ScriptedModel(broken, odd, "Hi"), layer)

    async def main():
        await stack.generate(REQUEST)
        await clock.sleep(10)
        with pytest.raises(ZeroDivisionError):
            await stack.generate(REQUEST)
        return (await stack.generate(REQUEST)).unwrap().content

    assert clock.run(main()) == "Hi"
