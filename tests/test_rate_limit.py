"""with_rate_limit: never more in a minute than the rate, in order, over tasks, threads and event loops."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiolimiter import AsyncLimiter

from modelport import Limiter, ModelError, ScriptedModel, VirtualClock, as_request, compose, with_rate_limit, with_retry
from modelport.adapters.scripted import Stall

REQUEST = as_request("Hello!")


def fullest_minute(starts):
    """The most starts in any window of 60 seconds, its end excluded."""
    starts = sorted(round(start, 6) for start in starts)
    return max(sum(first <= start < first + 60 for start in starts) for first in starts)


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


def test_the_application_s_own_aiolimiter_is_taken():
    clock, starts = VirtualClock(), []
    inner = ScriptedModel(lambda _: starts.append(clock.now()) or "Hi", repeat=True)

    async def three():
        model = compose(inner, with_rate_limit(AsyncLimiter(1, 2.0), clock=clock))
        await asyncio.gather(*(model.generate(REQUEST) for _ in range(3)))

    clock.run(three())
    assert starts == pytest.approx([0.0, 2.0, 4.0])


def test_the_repr_shows_the_limit():
    layers = [with_rate_limit(60), with_rate_limit(60, burst=5, max_wait=2), with_rate_limit(AsyncLimiter(1, 1))]
    shown = [repr(layer(ScriptedModel("Hi")).policy) for layer in layers]
    assert shown[:2] == ["RateLimit(60)", "RateLimit(60, burst=5, max_wait=2)"]
    assert shown[2].startswith("RateLimit(<AsyncLimiter")


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
        with_rate_limit("60")
