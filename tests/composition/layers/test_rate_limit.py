"""with_rate_limit: never more in a minute than the rate, in order, over tasks, threads and event loops."""

import asyncio
import contextvars
import copy
import threading
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor

import pytest
from laws import LAWS
from subjects import Scripted

from modelport import (
    Limiter,
    ModelError,
    Response,
    ScriptedModel,
    Usage,
    VirtualClock,
    as_request,
    blocking,
    compose,
    from_function,
    with_defaults,
    with_rate_limit,
    with_retry,
)
from modelport.adapters.http import rate_headers
from modelport.adapters.scripted import Stall

REQUEST = as_request("Hello!")


def fullest_minute(starts):
    """The most starts in any window of 60 seconds, its end excluded."""
    starts = sorted(round(start * 1_000_000) for start in starts)
    return max(bisect_left(starts, first + 60_000_000) - at for at, first in enumerate(starts))


async def ten_minutes_of(model, clock):
    """When each call of a queue that is never empty started."""
    starts = []

    async def ask():
        while True:
            response = (await model.generate(REQUEST)).unwrap()
            starts.append(response.attempts[0].started)

    queue = [asyncio.create_task(ask()) for _ in range(5)]
    await clock.sleep(599.9999)
    for task in queue:
        task.cancel()
    return starts


@pytest.mark.parametrize(("rpm", "burst"), [(500, 1), (333, 1), (500, 50), (500, 7), (500, 300), (60, 60)])
def test_ten_minutes_hold_the_rate_to_a_thousandth_and_no_minute_more(rpm, burst):
    clock = VirtualClock()
    model = compose(ScriptedModel("Hi!", repeat=True), with_rate_limit(rpm, burst=burst, clock=clock))
    starts = clock.run(ten_minutes_of(model, clock))
    assert 9.99 * rpm <= len(starts) <= 10 * rpm
    assert fullest_minute(starts) == rpm


def test_ten_minutes_hold_the_tokens_to_a_thousandth_and_no_minute_more():
    clock = VirtualClock()
    answer = Response.of("Hi!", usage=Usage(input_tokens=10, output_tokens=30))
    limit = with_rate_limit(6000, tpm=6000, estimate=lambda request: Usage(40), clock=clock)
    starts = clock.run(ten_minutes_of(compose(ScriptedModel(answer, repeat=True), limit), clock))
    assert 9.99 * 6000 <= 40 * len(starts) <= 10 * 6000
    assert fullest_minute(starts) * 40 == 6000


@pytest.mark.parametrize(
    ("own", "over", "starts"),
    [({"max_tokens": 40}, {}, [0.0, 0.01, 60.0]), ({"max_tokens": 900}, {"max_tokens": 40}, [0.0, 0.01, 60.0])],
    ids=["the model's", "those of with_defaults"],
)
def test_tokens_a_minute_are_guessed_with_the_options_in_effect(own, over, starts):
    clock, began = VirtualClock(), []

    def answer(messages, max_tokens):
        began.append(clock.now())
        return Response.of("Hi", usage=Usage(4, 40))

    async def model(messages, max_tokens):
        return answer(messages, max_tokens)

    stack = compose(from_function(model, **own), with_defaults(**over), with_rate_limit(6000, tpm=100, clock=clock))

    async def main():
        await asyncio.gather(*(stack.generate(as_request("Hi")) for _ in range(3)))

    clock.run(main())
    assert began == pytest.approx(starts, abs=0.1)


class SharedClock:
    """Virtual time for threads: each task has a time of its own, which its waits move; `starts` collects calls."""

    def __init__(self):
        self.times = threading.local()

    def now(self):
        return getattr(self.times, "task", {}).get(asyncio.current_task(), 0.0)

    async def sleep(self, seconds):
        times = self.times.__dict__.setdefault("task", {})
        times[asyncio.current_task()] = self.now() + seconds
        await asyncio.sleep(0)


def test_calls_start_evenly():
    clock, starts = VirtualClock(), []
    model = compose(
        ScriptedModel(lambda _: starts.append(clock.now()) or "Hi", repeat=True), with_rate_limit(60, clock=clock)
    )

    async def three():
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(3)))

    clock.run(three())
    assert starts == pytest.approx([0.0, 1.0, 2.0])


def test_threads_tasks_and_loops_share_one_limit_retries_included():
    clock, starts, lock = SharedClock(), [], threading.Lock()

    def answer(_):
        with lock:
            starts.append(clock.now())
            return ModelError("server", "again") if len(starts) % 3 == 0 else "Hi"

    model = compose(
        ScriptedModel(answer, repeat=True),
        with_rate_limit(600, clock=clock),
        with_retry(clock=clock, base=0, chance=lambda: 0.0),
    )

    async def hundred_tasks():
        return await asyncio.gather(*(model.generate(REQUEST) for _ in range(100)))

    def two_loops(_):
        return asyncio.run(hundred_tasks()) + asyncio.run(hundred_tasks())

    with ThreadPoolExecutor(8) as threads:
        results = [result for several in threads.map(two_loops, range(8)) for result in several]
    assert len(results) == 1600
    assert len(starts) > 1600
    assert fullest_minute(starts) <= 600


def test_a_burst_starts_at_once_and_the_minute_still_holds_no_more():
    clock, starts = VirtualClock(), []
    model = compose(
        ScriptedModel(lambda _: starts.append(clock.now()) or "Hi", repeat=True),
        with_rate_limit(60, burst=20, clock=clock),
    )

    async def many():
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(150)))

    clock.run(many())
    assert starts[:21] == pytest.approx([0.0] * 20 + [20.0])
    assert fullest_minute(starts) == 60


def test_the_wait_is_in_the_ledger():
    clock = VirtualClock()
    model = compose(ScriptedModel("a", "b"), with_rate_limit(60, clock=clock))

    async def two():
        await model.generate(REQUEST)
        return await model.generate(REQUEST)

    (attempt,) = clock.run(two()).unwrap().attempts
    assert [(wait.reason, wait.seconds) for wait in attempt.waits] == [("rate_limit", pytest.approx(1.0))]


def test_a_wait_beyond_max_wait_is_refused_without_a_call():
    clock, inner = VirtualClock(), ScriptedModel("a", "b")
    model = compose(inner, with_rate_limit(6, max_wait=5, clock=clock))

    async def two():
        await model.generate(REQUEST)
        return await model.generate(REQUEST)

    error = clock.run(two()).failure()
    assert (error.kind, error.sent, error.retry_after, error.attempts) == ("limiter_full", "no", 10.0, ())
    assert len(inner.requests) == 1


def test_a_refusal_takes_no_permit():
    clock = VirtualClock()
    limiter = Limiter(60, max_wait=1.5, clock=clock)

    async def four():
        return [await asyncio.gather(*(limiter.acquire() for _ in range(4))), await limiter.acquire()]

    (first, second, *refused), later = clock.run(four())
    assert [first, second, later] == pytest.approx([0.0, 1.0, 1.0])
    assert {error.kind for error in refused} == {"limiter_full"}


def test_retry_after_holds_back_every_caller_of_the_limiter():
    clock, starts = VirtualClock(), []
    limiter = Limiter(60, clock=clock)

    def note(answer):
        return lambda _: starts.append(clock.now()) or answer

    refusal = Stall(ModelError("rate_limited", "slow", retry_after=10.0), seconds=0.5)
    busy = compose(ScriptedModel(note(refusal), sleep=clock.sleep), with_rate_limit(limiter))
    sibling = compose(ScriptedModel(note("a"), note("b")), with_rate_limit(limiter))

    async def together():
        await asyncio.gather(busy.generate(REQUEST), sibling.generate(REQUEST), sibling.generate(REQUEST))

    clock.run(together())
    assert starts == pytest.approx([0.0, 10.5, 11.5])


def test_a_stream_takes_one_permit():
    clock = VirtualClock()
    model = compose(ScriptedModel("Hi", "there"), with_rate_limit(60, clock=clock))

    async def two():
        both = [[event async for event in model.stream(REQUEST)] for _ in range(2)]
        return [events[-1] for events in both]

    first, second = clock.run(two())
    assert [wait.seconds for wait in second.response.attempts[0].waits] == [pytest.approx(1.0)]
    assert first.response.attempts[0].waits == ()


@pytest.mark.needs("aiolimiter")
def test_the_application_s_own_aiolimiter_is_taken():
    from aiolimiter import AsyncLimiter

    clock, starts = VirtualClock(), []
    inner = ScriptedModel(lambda _: starts.append(clock.now()) or "Hi", repeat=True)

    async def three():
        model = compose(inner, with_rate_limit(AsyncLimiter(1, 2.0), clock=clock))
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(3)))

    clock.run(three())
    assert starts == pytest.approx([0.0, 2.0, 4.0])


def test_the_repr_shows_the_limit():
    layers = [with_rate_limit(60), with_rate_limit(60, burst=5, max_wait=2)]
    shown = [repr(layer(ScriptedModel("Hi")).policy) for layer in layers]
    assert shown == ["RateLimit(60)", "RateLimit(60, burst=5, max_wait=2)"]


@pytest.mark.needs("aiolimiter")
def test_the_application_s_own_limiter_is_shown_and_never_refuses():
    from aiolimiter import AsyncLimiter

    policy = compose(ScriptedModel("Hi"), with_rate_limit(AsyncLimiter(1, 1))).policy
    assert repr(policy).startswith("RateLimit(<AsyncLimiter")
    assert policy.refusal() is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rpm": 0}, "above 0, not 0"),
        ({"rpm": -5}, "above 0, not -5"),
        ({"rpm": float("inf")}, "above 0, not inf"),
        ({"rpm": 60, "burst": 0}, "burst must be a whole number of at least 1, not 0"),
        ({"rpm": 60, "burst": 61}, "a burst of 61 is more than the 60"),
        ({"rpm": 60, "max_wait": -1}, "max_wait must be at least 0 seconds, not -1"),
    ],
)
def test_a_rate_that_lets_nothing_through_is_an_error_at_once(arguments, said):
    with pytest.raises(ValueError, match=said):
        with_rate_limit(**arguments)


def test_a_limiter_keeps_its_own_burst():
    with pytest.raises(TypeError, match="belong to the limiter"):
        with_rate_limit(Limiter(60), burst=2)


def test_what_is_no_limiter_is_an_error():
    with pytest.raises(TypeError, match="limiter with acquire"):
        with_rate_limit("60", burst=2)


# Tokens


def spending(tokens, *, seconds=0.0, clock=None, starts=None):
    """A model whose answers take so many tokens, and so many seconds."""

    def answer(_):
        if starts is not None:
            starts.append(clock.now())
        response = Response.of("Hi", usage=Usage(tokens, 0))
        return Stall(response, seconds=seconds) if seconds else response

    return ScriptedModel(answer, repeat=True, sleep=clock.sleep if clock else asyncio.sleep)


def guess(tokens):
    return lambda _: Usage(tokens)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept_with_tokens(law):
    law(Scripted(lambda _: with_rate_limit(6_000_000, tpm=10**9)))


def test_tokens_are_paced_too():
    clock, starts = VirtualClock(), []
    model = compose(
        spending(40, clock=clock, starts=starts), with_rate_limit(6000, tpm=100, estimate=guess(40), clock=clock)
    )

    async def five():
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(5)))

    clock.run(five())
    assert starts == pytest.approx([0.0, 0.01, 60.01, 60.02, 120.02])


def test_what_was_not_taken_is_handed_out_again_and_what_was_more_is_owed():
    clock = VirtualClock()
    limiter = Limiter(6000, tpm=100, clock=clock)

    async def main():
        cheap = compose(spending(10), with_rate_limit(limiter, estimate=guess(80)))
        dear = compose(spending(90), with_rate_limit(limiter, estimate=guess(80)))
        for model in (cheap, dear, cheap):
            await model.generate(REQUEST)
        return clock.now()

    assert clock.run(main()) == pytest.approx(60.01)


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (ModelError("server", "it broke"), 0.01),
        (ModelError("timeout", "no answer", sent="perhaps"), 60.0),
        ("an answer that doesn't say", 60.0),
    ],
)
def test_a_failure_gives_its_tokens_back_unless_the_work_may_have_been_done(answer, after):
    clock = VirtualClock()
    layer = with_rate_limit(6000, tpm=100, estimate=guess(80), clock=clock)
    model = compose(ScriptedModel(answer, repeat=True), layer)

    async def two():
        await model.generate(REQUEST)
        await model.generate(REQUEST)
        return clock.now()

    assert clock.run(two()) == pytest.approx(after)


def test_a_stream_is_settled_at_its_end():
    clock = VirtualClock()
    model = compose(spending(5), with_rate_limit(6000, tpm=100, estimate=guess(80), clock=clock))

    async def three():
        for _ in range(3):
            async for _ in model.stream(REQUEST):
                pass
        return clock.now()

    assert clock.run(three()) == pytest.approx(0.02)


def test_who_gives_up_waiting_gives_the_tokens_back():
    clock = VirtualClock()
    limiter = Limiter(6000, tpm=100, clock=clock)

    async def main():
        await limiter.admit(60)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await limiter.admit(60)
        return await limiter.acquire(40)

    assert clock.run(main()) == 0.0


def test_after_a_pause_tokens_and_order_are_as_before():
    clock, starts = VirtualClock(), []
    limiter = Limiter(6000, tpm=100, clock=clock)

    async def call(tokens):
        await limiter.admit(tokens)
        starts.append((clock.now(), tokens))

    async def main():
        calls = [asyncio.create_task(call(tokens)) for tokens in (50, 60, 40)]
        await asyncio.sleep(1)
        limiter.hold_back(70)
        await asyncio.gather(*calls)

    clock.run(main())
    assert starts == [(0.0, 50), (pytest.approx(71.0), 60), (pytest.approx(71.01), 40)]


def test_a_request_of_more_than_a_minute_is_let_through_alone():
    clock = VirtualClock()
    limiter = Limiter(6000, tpm=100, clock=clock)

    async def main():
        return [await limiter.acquire(tokens) for tokens in (10, 500, 10)]

    assert clock.run(main()) == pytest.approx([0.0, 60.0, 60.0])


# What the provider says is left


def saying(clock=None, **headers):
    """A model whose provider says so in the headers of its answer."""
    told = {f"x-ratelimit-{name.replace('_', '-')}": value for name, value in headers.items()}
    return ScriptedModel(lambda _: rate_headers.heard(told) or "Hi", repeat=True)


def waits(model, clock, times=2):
    async def main():
        for _ in range(times):
            await model.generate(REQUEST)
        return clock.now()

    return clock.run(main())


def test_when_no_request_is_left_the_next_one_waits_for_its_share_of_the_reset():
    clock = VirtualClock()
    model = saying(remaining_requests="0", limit_requests="60", reset_requests="3m0s")
    assert waits(compose(model, with_rate_limit(6000, clock=clock)), clock) == pytest.approx(3.0)


def test_when_no_token_is_left_a_limiter_that_counts_none_waits():
    clock = VirtualClock()
    model = saying(remaining_tokens="0", reset_tokens="7s", remaining_requests="59")
    assert waits(compose(model, with_rate_limit(6000, clock=clock)), clock) == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("reset", "after"), [({"reset_tokens": "20s"}, 20.0), ({"reset_tokens": "9m"}, 60.0), ({}, 60.0)]
)
def test_tokens_that_somebody_else_has_spent_are_waited_for(reset, after):
    clock = VirtualClock()
    model = saying(remaining_tokens="10", **reset)
    layer = with_rate_limit(6000, tpm=100, estimate=guess(30), clock=clock)
    assert waits(compose(model, layer), clock) == pytest.approx(after)


def test_headers_that_say_nothing_change_nothing_and_nobody_has_to_listen():
    clock = VirtualClock()
    model = saying(limit_requests="1")
    assert waits(compose(model, with_rate_limit(6000, clock=clock)), clock) == pytest.approx(0.01)
    assert blocking(saying(remaining_requests="0")).generate(REQUEST).unwrap().content == "Hi"


def test_a_call_that_is_listened_to_may_be_closed_in_another_context():
    call = compose(ScriptedModel(Stall("Hi")), with_rate_limit(6000)).generate(REQUEST)

    async def begin():
        call.send(None)

    contextvars.copy_context().run(asyncio.run, begin())
    call.close()


def test_looking_takes_no_permit():
    clock = VirtualClock()
    policy = compose(ScriptedModel("Hi"), with_rate_limit(60, tpm=100, max_wait=5, clock=clock)).policy
    clock.run(policy.limiter.acquire(100))
    assert [policy.refusal().kind for _ in range(3)] == ["limiter_full"] * 3
    clock.advance(60)
    assert (policy.refusal(), policy.refusal(0.0)) == (None, None)


def test_the_repr_and_a_copy_have_the_tokens():
    limiter = Limiter(60, tpm=1000)
    assert (repr(limiter), repr(copy.copy(limiter))) == ("Limiter(60, tpm=1000)",) * 2


@pytest.mark.parametrize("tpm", [0, -5, float("nan"), float("inf"), "1000", True])
def test_tokens_a_minute_are_a_number(tpm):
    with pytest.raises(ValueError, match="tokens per minute must be a number of at least 1"):
        with_rate_limit(60, tpm=tpm)


def test_an_estimate_is_a_function():
    with pytest.raises(TypeError, match="with_rate_limit: estimate: a function"):
        with_rate_limit(60, estimate=5)


def test_those_who_wait_start_sooner_when_tokens_come_back():
    clock, starts = VirtualClock(), []
    model = compose(
        spending(10, seconds=0.5, clock=clock, starts=starts),
        with_rate_limit(6000, tpm=100, estimate=guess(50), clock=clock),
    )

    async def twelve():
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(12)))

    clock.run(twelve())
    assert len(starts) == 12
    assert starts == sorted(starts)
    assert starts[5] < 10 < 60 <= starts[6]  # six have taken ten tokens each; what is left is less than a guess
    for start in starts:
        assert sum(start <= other < start + 60 for other in starts) <= 10


def test_a_shorter_pause_within_a_longer_one_changes_nothing():
    clock = VirtualClock()
    limiter = Limiter(60, clock=clock)
    limiter.hold_back(9)
    limiter.hold_back(3)
    assert clock.run(limiter.acquire()) == 9.0


def test_who_is_thought_to_take_nothing_is_settled_too():
    clock = VirtualClock()
    answer = Response.of("Hi!", usage=Usage(900))
    limit = with_rate_limit(6000, tpm=1000, estimate=lambda request: Usage(), clock=clock)
    model = compose(ScriptedModel(answer, repeat=True), limit)

    async def main():
        return [(await model.generate(REQUEST)).unwrap().attempts[0].started for _ in range(4)]

    assert clock.run(main()) == pytest.approx([0.0, 0.01, 60.01, 60.02])
