"""What once broke the limiter: cancellation, pauses, lateness, and numbers that are none."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport import (
    Limiter,
    ModelError,
    ScriptedModel,
    VirtualClock,
    as_request,
    blocking,
    compose,
    with_rate_limit,
    with_retry,
)
from modelport.domain.machines.pacing import Pacing, release

REQUEST = as_request("Hello!")


def test_a_limiter_that_never_waits_lets_the_first_call_through_at_once():
    response = blocking(compose(ScriptedModel("Hi"), with_rate_limit(60, max_wait=0))).generate(REQUEST).unwrap()
    assert response.attempts[0].waits == ()


def test_who_gives_up_waiting_gives_the_permit_back():
    clock = VirtualClock()
    limiter = Limiter(6, clock=clock)

    async def give_up():
        await limiter.acquire()
        for _ in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await limiter.acquire()
        return await limiter.acquire()

    assert clock.run(give_up()) == pytest.approx(9.8)


def test_those_who_still_wait_move_up_when_others_give_up():
    clock, starts = VirtualClock(), []
    limiter = Limiter(6, clock=clock)

    async def call():
        await limiter.acquire()
        starts.append(clock.now())

    async def main():
        calls = [asyncio.create_task(call()) for _ in range(12)]
        await asyncio.sleep(2.5)
        for impatient in calls[1:10]:
            impatient.cancel()
        await asyncio.sleep(2)
        await asyncio.gather(*calls, call(), return_exceptions=True)

    clock.run(main())
    assert starts == pytest.approx([0.0, 10.0, 20.0, 30.0])


def test_a_permit_given_back_too_late_is_used_up():
    assert release(Pacing((5,)), 5, 6) == Pacing((5,))


def test_a_permit_given_back_whose_time_has_passed_is_not_handed_out():
    clock = VirtualClock()
    limiter = Limiter(60, clock=clock)

    async def main():
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(5)
        return await limiter.acquire(), await limiter.acquire()

    assert clock.run(main()) == pytest.approx((0.0, 1.0))


def test_after_a_pause_those_who_waited_go_before_newcomers():
    clock, order = VirtualClock(), []
    limiter = Limiter(60, clock=clock)

    async def call(name):
        await limiter.acquire()
        order.append(name)

    async def main():
        early = [asyncio.create_task(call(at)) for at in range(10)]
        await asyncio.sleep(0.5)
        limiter.hold_back(3)
        await asyncio.sleep(1)
        await asyncio.gather(*early, call("late"))

    clock.run(main())
    assert order == [*range(10), "late"]


def test_a_short_pause_lets_nobody_start_early():
    clock = VirtualClock()
    limiter = Limiter(6, clock=clock)

    async def main():
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(1)
        limiter.hold_back(1)
        await waiting
        return clock.now()

    assert clock.run(main()) == pytest.approx(10.0)


def test_a_pause_that_makes_the_wait_too_long_refuses_those_who_wait():
    clock = VirtualClock()
    limiter = Limiter(60, max_wait=5, clock=clock)

    async def main():
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        limiter.hold_back(60)
        return await waiting

    assert clock.run(main()).kind == "limiter_full"


@pytest.mark.parametrize("seconds", [float("nan"), -5.0, 0.0])
def test_a_pause_that_is_no_time_is_none(seconds):
    clock = VirtualClock()
    limiter = Limiter(60, clock=clock)
    limiter.hold_back(seconds)
    assert clock.run(limiter.acquire()) == 0.0


@pytest.mark.parametrize("seconds", [float("inf"), 1e300])
def test_an_endless_pause_is_a_refusal_not_a_crash(seconds):
    asked = ModelError("rate_limited", "never again", retry_after=seconds)
    model = blocking(compose(ScriptedModel(asked, "Hi"), with_rate_limit(60, max_wait=5)))
    assert [model.generate(REQUEST).failure().kind for _ in range(2)] == ["rate_limited", "limiter_full"]


def test_a_clock_may_begin_anywhere():
    for begin in (-1e6, 1e9):
        assert VirtualClock(begin).run(Limiter(60, clock=VirtualClock(begin)).acquire()) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["call", "call", "call", "impatient", "hold"]), st.floats(0, 9)),
        max_size=40,
    ),
)
def test_no_pause_and_no_cancellation_makes_the_pace_uneven(burst, script):
    clock, starts = VirtualClock(), []
    limiter = Limiter(60, burst=burst, clock=clock)

    async def call(patience):
        try:
            async with asyncio.timeout(patience):
                await limiter.acquire()
        except TimeoutError:
            return
        starts.append(clock.now())

    async def main():
        async with asyncio.TaskGroup() as group:
            for gap, what, seconds in script:
                await asyncio.sleep(gap)
                if what == "hold":
                    limiter.hold_back(seconds)
                else:
                    group.create_task(call(seconds if what == "impatient" else None))

    clock.run(main())
    window = limiter.pace.window / 1e9
    assert all(late - early > window - 1e-6 for early, late in zip(starts, starts[burst:], strict=False))


@pytest.mark.needs("aiolimiter")
def test_an_application_s_limiter_does_not_wait_past_the_deadline():
    from aiolimiter import AsyncLimiter

    clock = VirtualClock()

    async def main():
        limiter = AsyncLimiter(1, 60)
        await limiter.acquire()
        model = ScriptedModel("Hi")
        stack = compose(model, with_rate_limit(limiter, clock=clock), with_retry(deadline=5, clock=clock))
        return await stack.generate(REQUEST), model.requests

    result, asked = clock.run(main())
    assert (result.failure().kind, clock.now(), asked) == ("deadline_exceeded", 5.0, ())


@pytest.mark.needs("aiolimiter")
def test_an_application_s_limiter_within_the_deadline_is_waited_for():
    from aiolimiter import AsyncLimiter

    clock = VirtualClock()

    async def main():
        limiter = AsyncLimiter(1, 2)
        await limiter.acquire()
        stack = compose(ScriptedModel("Hi"), with_rate_limit(limiter, clock=clock), with_retry(deadline=5, clock=clock))
        return await stack.generate(REQUEST)

    assert clock.run(main()).unwrap().attempts[0].waits[0].seconds == pytest.approx(2.0)


def test_calls_that_start_late_do_not_bunch_up():
    clock, starts = VirtualClock(), []
    limiter = Limiter(60, clock=clock)

    async def call():
        waited = await limiter.acquire()
        starts.append((clock.now(), waited))

    async def main():
        calls = [asyncio.create_task(call()) for _ in range(6)]
        await asyncio.sleep(1.5)
        clock.advance(2.3)  # something else keeps the loop busy
        await asyncio.gather(*calls)

    clock.run(main())
    assert [start for start, _ in starts] == pytest.approx([0.0, 1.0, 3.8, 4.8, 5.8, 6.8])
    assert [waited for _, waited in starts] == pytest.approx([0.0, 1.0, 3.8, 4.8, 5.8, 6.8])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads
@pytest.mark.parametrize("tpm", [None, 600])
def test_a_forked_child_waits_for_nobody_who_waits_in_its_parent(tpm):
    clock = VirtualClock()
    limiter = Limiter(60, tpm=tpm, clock=clock)

    async def main():
        waiting = [asyncio.create_task(limiter.acquire(10)) for _ in range(5)]
        await asyncio.sleep(0)
        with limiter._lock:
            child = os.fork()
            if not child:
                permit = limiter.refusal(1.0)
                os._exit(0 if permit is None else 1)
        assert limiter.refusal(1.0).kind == "limiter_full"
        await asyncio.gather(*waiting)
        return child

    child = clock.run(main())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("seconds", [1e308, 9_999_999.0, 3601.0])
def test_no_word_of_a_provider_holds_calls_back_for_years(seconds, caplog):
    """H3: a Retry-After of 1e308, a date in the year 9999, a reset that is months away."""
    clock = VirtualClock()
    limiter = Limiter(60, clock=clock)
    with caplog.at_level("WARNING", "modelport.limiter"):
        limiter.heard(ModelError("rate_limited", "busy", retry_after=seconds))
    assert clock.run(limiter.acquire()) == 3600.0
    assert "calls wait for max_pause=3600" in caplog.text


def test_the_bound_of_a_pause_is_an_argument_and_a_shorter_pause_is_made_in_full(caplog):
    clock = VirtualClock()
    limiter = Limiter(60, max_pause=10, clock=clock)
    limiter.hold_back(10)
    assert clock.run(limiter.acquire()) == 10.0
    assert caplog.text == ""
    assert limiter.arguments()["max_pause"] == 10
    with pytest.raises(ValueError, match="max_pause must be a number of seconds above 0, not 0"):
        Limiter(60, max_pause=0)
