"""with_cache: a good answer is asked for once, whole or streamed, by tasks, threads and event loops at once."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing

import attrs
import laws
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success
from subjects import Scripted

from modelport import (
    Break,
    Capabilities,
    Failed,
    Finished,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    TextDelta,
    Usage,
    VirtualClock,
    as_request,
    compose,
    describe,
    from_function,
    settle,
    with_defaults,
    with_fallback,
    with_hedge,
    with_retry,
    with_timeout,
)
from modelport.adapters import OpenAIModel
from modelport.adapters.process import deadline
from modelport.composition.layers.cache import Cache, bypass_cache, with_cache
from modelport.composition.layers.coalescing import CoalescedCalls
from modelport.composition.layers.stores import DiskStore, MemoryStore
from modelport.composition.stack.journal import Journal, journaled, keeping

REQUEST, OTHER = as_request("Hello!"), as_request("Good bye!")


class Forgetful:
    """A store that keeps nothing, so that each call is made anew."""

    async def get(self, key, /):
        return None

    async def put(self, key, response, ttl, /):
        return None


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("store", [None, Forgetful()], ids=["memory", "forgetful"])
def test_the_law_is_kept(law, store):
    law(Scripted(lambda _: with_cache(store, name="it")))


def ask(model, *requests):
    """The results of these requests, one after the other."""

    async def main():
        return [await model.generate(request) for request in requests]

    return asyncio.run(main())


def texts(results):
    return [result.unwrap().content for result in results]


def test_what_was_asked_before_is_not_asked_again():
    model = ScriptedModel("one", "two")
    assert texts(ask(compose(model, with_cache()), REQUEST, OTHER, REQUEST, OTHER)) == ["one", "two", "one", "two"]
    assert len(model.requests) == 2


def test_an_answer_from_the_cache_has_an_empty_ledger_and_keeps_the_rest():
    said = Response.of("Hi", usage=Usage(3, 1), model_id="m", response_id="r", raw=object())
    asked, kept = ask(compose(ScriptedModel(said), with_cache()), REQUEST, REQUEST)
    assert [len(asked.unwrap().attempts), len(kept.unwrap().attempts)] == [1, 0]
    assert kept.unwrap() == said
    assert kept.unwrap().raw is None


@pytest.mark.parametrize(
    "bad",
    [ModelError("invalid_request", "no"), *(Response.of("a", finish_reason=x) for x in ("length", "content_filter"))],
    ids=["failed", "cut off", "filtered"],
)
def test_only_good_answers_are_kept(bad):
    model = ScriptedModel(bad, "good", "never asked for")
    results = ask(compose(model, with_cache()), REQUEST, REQUEST, REQUEST)
    assert texts(results[1:]) == ["good", "good"]


def test_an_answer_is_good_for_its_time_to_live():
    clock = VirtualClock()
    stack = compose(ScriptedModel("one", "two"), with_cache(ttl=60, clock=clock))
    said = []
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        said += texts([clock.run(stack.generate(REQUEST))])
    assert said == ["one", "one", "two"]


def test_what_was_not_used_for_longest_makes_room():
    model = ScriptedModel(lambda request: request.messages[0].text * 20, repeat=True)
    a, b, c = (as_request(letter) for letter in "abc")
    store = MemoryStore(300)
    ask(compose(model, with_cache(store)), a, b, a, c, a, b)
    assert [request.messages[0].text for request in model.requests] == ["a", "b", "c", "b"]


@given(sizes=st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 400)), max_size=30))
def test_no_store_ever_holds_more_than_it_may(sizes):
    store = MemoryStore(400)

    async def main():
        for key, size in sizes:
            await store.put(key, Response.of("x" * size), None)
            assert store._size <= 400
            assert store._size == sum(kept[1] for kept in store._kept.values())

    asyncio.run(main())


def test_what_no_json_can_hold_is_not_kept():
    odd = Response(attrs.evolve(Response.of("Hi").message, metadata={"x": {"y": object()}}))
    stack = compose(ScriptedModel(odd, "two"), with_cache())
    assert texts(ask(stack, REQUEST, REQUEST)) == ["Hi", "two"]


def test_a_request_without_a_fingerprint_goes_by_the_cache():
    odd = as_request("Hello!", logits_processor=print)
    assert texts(ask(compose(ScriptedModel("one", "two"), with_cache()), odd, odd)) == ["one", "two"]


def test_calls_go_by_it_on_request():
    model = ScriptedModel("one", "two", "three")
    stack = compose(model, with_cache())
    assert stack("Hello!").content == "one"
    with bypass_cache():
        assert stack("Hello!").content == "two"
        with bypass_cache(refresh=True):
            assert stack("Hello!").content == "three"
    assert stack("Hello!").content == "three"


def test_a_stream_goes_by_it_too():
    stack = compose(ScriptedModel("one", "two", chunk=9), with_cache())

    async def main():
        first = await laws.listen(stack, REQUEST)
        with bypass_cache():
            return first, await laws.listen(stack, REQUEST)

    assert [events[0].text for events in asyncio.run(main())] == ["one", "two"]


def test_streams_and_whole_calls_share_what_is_kept():
    model = ScriptedModel("one two three", "Good night!", chunk=4)
    stack = compose(model, with_cache())

    async def main():
        asked, kept = [await laws.listen(stack, REQUEST) for _ in range(2)]
        whole = await stack.generate(REQUEST)
        await stack.generate(OTHER)
        return asked, kept, whole.unwrap().content, (await laws.listen(stack, OTHER))[0]

    asked, kept, whole, replayed = asyncio.run(main())
    assert ([type(event).__name__ for event in asked], len(kept)) == (["TextDelta"] * 4 + ["Finished"], 2)
    assert (kept[0], whole, replayed) == (TextDelta("one two three"), "one two three", TextDelta("Good night!"))
    assert len(model.requests) == 2


# Calls in flight


def late(answer="Hi", seconds=10.0, after=0):
    """A model whose answers take their time, on a clock of its own."""
    clock = VirtualClock()
    return ScriptedModel(Stall(answer, after, seconds), repeat=True, sleep=clock.sleep, chunk=1), clock


def test_identical_calls_in_flight_are_one_call_and_one_of_them_shows_its_ledger():
    model, clock = late()
    stack = compose(model, with_cache(clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(5)), laws.listen(stack, REQUEST))

    *whole, streamed = clock.run(main())
    assert texts(whole) == ["Hi"] * 5
    assert [type(event).__name__ for event in streamed] == ["TextDelta", "Finished"]
    assert sum(len(result.unwrap().attempts) for result in (*whole, Success(streamed[-1].response))) == 1
    assert (len(model.requests), clock.now()) == (1, 10.0)


def test_those_who_ask_during_a_stream_see_all_of_it():
    model, clock = late("Hello", after=2)
    stack = compose(model, with_cache(clock=clock))

    async def later():
        await asyncio.sleep(5)
        return await laws.listen(stack, REQUEST), await stack.generate(REQUEST)

    async def main():
        return await asyncio.gather(laws.listen(stack, REQUEST), later())

    first, (second, whole) = clock.run(main())
    assert first[:-1] == second[:-1] == [TextDelta(letter) for letter in "Hello"]
    assert (whole.unwrap().content, len(model.requests)) == ("Hello", 1)


def test_the_ledger_is_shown_to_who_asked_first_and_still_waits():
    clock = VirtualClock()
    stack = compose(ScriptedModel(Stall("Hi!", seconds=5), sleep=clock.sleep), with_cache(clock=clock))

    async def main():
        asked = [asyncio.create_task(stack.generate(REQUEST)) for _ in range(20)]
        await asyncio.sleep(1)
        asked[0].cancel()
        return [len((await each).unwrap().attempts) for each in asked[1:]]

    assert clock.run(main()) == [1] + [0] * 18


@pytest.mark.parametrize("streamed", [False, True])
def test_a_shared_call_that_is_cut_short_is_in_the_ledger_of_the_last_who_waited(streamed):
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi!", after=1, seconds=60), chunk=1, sleep=clock.sleep)
    stack = compose(model, with_cache(clock=clock), with_timeout(total=5, clock=clock))

    async def ask(after):
        await asyncio.sleep(after)
        return settle(await laws.listen(stack, REQUEST)) if streamed else await stack.generate(REQUEST)

    async def main():
        return await asyncio.gather(ask(0), ask(0), ask(1))

    errors = [result.failure() for result in clock.run(main())]
    assert [error.kind for error in errors] == ["deadline_exceeded"] * 3
    assert [[attempt.outcome for attempt in error.attempts] for error in errors] == [[], [], ["deadline_exceeded"]]
    assert (len(model.requests), clock.now()) == (1, 6.0)


def test_a_call_that_lands_as_the_time_of_those_who_wait_runs_out_is_in_the_ledger_of_one_of_them():
    model, clock = late(after=1, seconds=5.0)
    stack = compose(model, with_cache(clock=clock), with_timeout(total=5, clock=clock))

    async def main():
        return await asyncio.gather(laws.listen(stack, REQUEST), laws.listen(stack, REQUEST))

    errors = [events[-1].error for events in clock.run(main())]
    assert [error.kind for error in errors] == ["deadline_exceeded"] * 2
    assert [attempt.outcome for error in errors for attempt in error.attempts] == ["answered"]
    assert (len(model.requests), clock.now()) == (1, 5.0)


@pytest.mark.parametrize("seconds", [5.0 - 1e-9, 5.0, 5.0 + 1e-9])
@pytest.mark.parametrize("callers", [1, 3])
def test_a_whole_call_that_lands_in_the_instant_in_which_all_give_up_is_in_one_ledger(callers, seconds):
    model, clock = late(seconds=seconds)
    stack = compose(model, with_cache(clock=clock), with_timeout(total=5, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(callers)))

    said = [result.value_or(None) or result.failure() for result in clock.run(main())]
    assert sum(len(each.attempts) for each in said) == len(model.requests) == 1


def test_a_hedge_over_a_cache_shows_the_call_that_both_its_requests_shared_as_the_winner_s():
    model, clock = late("Hello", seconds=2.0)
    stack = compose(model, with_cache(clock=clock), with_hedge(delay=1, share=1.0, clock=clock))
    *_, last = clock.run(laws.listen(stack, REQUEST))
    assert [(attempt.outcome, attempt.discarded) for attempt in last.response.attempts] == [("answered", False)]
    assert len(model.requests) == 1


@pytest.mark.parametrize(("kept", "seen"), [(Journal(), 0), (None, 1)])
def test_a_call_that_lands_as_its_first_asker_is_cancelled_is_in_the_journal_of_who_cancels_or_in_the_next_ledger(
    kept, seen
):
    askers = []

    async def reply(request):
        await asyncio.sleep(0)  # both have asked
        askers[0].cancel()
        return "Hi!"

    clock = VirtualClock()
    stack = journaled(compose(from_function(reply), with_cache(clock=clock)), clock)

    async def first():
        with keeping(kept):
            await stack.generate(REQUEST)

    async def main():
        askers.extend((asyncio.create_task(first()), asyncio.create_task(stack.generate(REQUEST))))
        return await asyncio.gather(*askers, return_exceptions=True)

    cancelled, second = clock.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert len(second.unwrap().attempts) == seen
    assert kept is None or [attempt.outcome for attempt in kept.attempts] == ["answered"]


def test_a_stream_that_is_closed_before_its_landed_end_is_seen_is_in_the_ledger_of_the_layer_that_closed_it():
    model, clock = late("Hello", after=4, seconds=0.0)
    stack = compose(model, with_cache(clock=clock))
    journal = Journal()

    async def main():
        async with aclosing(journaled(stack, clock).stream(REQUEST)) as events:
            await anext(events)
            await asyncio.sleep(1)

    with keeping(journal):
        clock.run(main())
    assert [attempt.outcome for attempt in journal.attempts] == ["answered"]


def test_an_error_in_flight_is_everybody_s_and_in_one_ledger():
    model, clock = late(ModelError("invalid_request", "no"))
    stack = compose(model, with_cache(clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(3)), laws.listen(stack, REQUEST))

    *whole, (last,) = clock.run(main())
    errors = [*(result.failure() for result in whole), last.error]
    assert [error.kind for error in errors] == ["invalid_request"] * 4
    assert sum(len(error.attempts) for error in errors) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_the_call_survives_the_cancellation_of_the_first_asker(streamed):
    model, clock = late("Hi", after=1)
    stack = compose(model, with_cache(clock=clock))

    async def main():
        first = asyncio.create_task(laws.listen(stack, REQUEST) if streamed else stack.generate(REQUEST))
        await asyncio.sleep(1)
        others = [asyncio.create_task(stack.generate(REQUEST)) for _ in range(2)]
        await asyncio.sleep(1)
        first.cancel()
        return await asyncio.gather(first, *others, return_exceptions=True)

    cancelled, *others = clock.run(main())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert texts(others) == ["Hi", "Hi"]
    assert (len(model.requests), clock.now(), model.open) == (1, 10.0, 0)


def test_a_call_that_nobody_waits_for_any_more_is_cancelled():
    model, clock = late(seconds=None)
    stack = compose(model, with_cache(clock=clock))

    async def main():
        tasks = [asyncio.create_task(stack.generate(REQUEST)) for _ in range(3)]
        await asyncio.sleep(1)
        held = model.open
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return held, model.open

    assert clock.run(main()) == (1, 0)


def test_a_call_that_is_cancelled_before_it_begins_lands_too():
    stack = compose(ScriptedModel("one"), with_cache())

    async def main():
        task = asyncio.create_task(stack.generate(REQUEST))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return await stack.generate(REQUEST)

    assert asyncio.run(main()).unwrap().content == "one"


def test_what_the_model_raises_is_raised_to_all_who_ask():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi", seconds=1), sleep=clock.sleep)
    stack = compose(model, with_cache(clock=clock))

    async def main():
        await stack.generate(REQUEST)
        return await asyncio.gather(*(stack.generate(OTHER) for _ in range(2)), return_exceptions=True)

    assert [type(error) for error in clock.run(main())] == [ValueError, ValueError]


def test_who_waits_for_another_s_call_waits_until_the_deadline():
    model, clock = late(seconds=10)
    stack = compose(model, with_cache(clock=clock))

    async def hurried(call):
        await asyncio.sleep(1)
        with deadline.within(4, clock):
            return await call, clock.now()

    async def main():
        calls = hurried(stack.generate(REQUEST)), hurried(laws.listen(stack, REQUEST))
        return await asyncio.gather(stack.generate(REQUEST), *calls)

    patient, (whole, when), ((streamed,), _) = clock.run(main())
    assert (patient.unwrap().content, whole.failure().kind, when) == ("Hi", "deadline_exceeded", 5.0)
    assert (streamed.error.kind, streamed.error.sent, len(model.requests)) == ("deadline_exceeded", "no", 1)


def test_the_deadline_of_the_first_is_not_that_of_the_others():
    clock, answers = VirtualClock(), iter([ModelError("deadline_exceeded", "over", sent="no"), "Hi"])
    model = ScriptedModel(Stall(lambda _: next(answers), seconds=1), repeat=True, sleep=clock.sleep)
    stack = compose(model, with_cache(clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(3)))

    hurried, *patient = clock.run(main())
    assert (hurried.failure().kind, texts(patient), len(model.requests)) == ("deadline_exceeded", ["Hi", "Hi"], 2)


async def until(condition):
    """Let others run, on other threads too, until it is so."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("what should have happened never will")


class Gate:
    """A model that answers when it is let to; `entered` is set once it is asked."""

    capabilities = Capabilities()

    def __init__(self):
        self.asked = 0
        self.entered, self.open = threading.Event(), threading.Event()

    async def generate(self, request):
        self.asked += 1
        self.entered.set()
        await until(self.open.is_set)
        return Success(Response.of("Hi"))

    async def stream(self, request):
        self.asked += 1
        yield TextDelta("H")
        self.entered.set()
        await until(self.open.is_set)
        yield TextDelta("i")
        yield Finished(Response.of("Hi"))


async def until_callers(stack, number):
    """Let others run until so many wait for the one call in flight."""
    calls = stack.policy.calls._open
    await until(lambda: sum(len(call.callers) for call in list(calls.values())) == number)


@pytest.mark.parametrize("streamed", [False, True])
def test_threads_and_their_event_loops_share_one_call(streamed):
    model = Gate()
    stack = compose(model, with_cache())

    async def one():
        return laws.settle(await laws.listen(stack, REQUEST)) if streamed else await stack.generate(REQUEST)

    async def opener():
        await until_callers(stack, 8)
        model.open.set()

    with ThreadPoolExecutor(9) as threads:
        calls = [threads.submit(asyncio.run, one()) for _ in range(8)]
        threads.submit(asyncio.run, opener()).result(20)
        assert texts(call.result(20) for call in calls) == ["Hi"] * 8
    assert model.asked == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_whose_loop_has_gone_is_asked_anew_by_those_who_wait(streamed):
    """Unless a part of it was shown: then it is a failure, since nothing is repeated."""
    model = Gate()
    stack = compose(model, with_cache())
    loop = asyncio.new_event_loop()

    async def begin():
        call = asyncio.create_task(laws.listen(stack, REQUEST) if streamed else stack.generate(REQUEST))
        await asyncio.to_thread(model.entered.wait, 20)
        second.append(threads.submit(asyncio.run, follow()))
        await until_callers(stack, 2)
        await asyncio.sleep(0.01)
        return call

    async def follow():
        return laws.settle(await laws.listen(stack, REQUEST)) if streamed else await stack.generate(REQUEST)

    second = []
    with ThreadPoolExecutor(2) as threads:
        left = loop.run_until_complete(begin())
        model.open.set()
        result = second[0].result(20)
    left.cancel()
    loop.run_until_complete(asyncio.gather(left, return_exceptions=True))
    loop.close()
    if streamed:
        assert (result.failure().kind, model.asked) == ("interrupted", 1)
    else:
        assert (result.unwrap().content, model.asked) == ("Hi", 2)


def test_the_last_to_leave_cancels_a_call_on_another_loop():
    model = Gate()
    stack = compose(model, with_cache())
    first_left = threading.Event()

    async def first():
        task = asyncio.create_task(stack.generate(REQUEST))
        await until_callers(stack, 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        first_left.set()
        await until_callers(stack, 0)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    async def second():
        await asyncio.to_thread(model.entered.wait, 20)
        task = asyncio.create_task(stack.generate(REQUEST))
        await asyncio.to_thread(first_left.wait, 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(asyncio.run, each()) for each in (first, second)]
        assert calls[0].result(20) == []
        calls[1].result(20)
    assert model.asked == 1


def test_who_waits_last_for_a_call_on_a_closed_loop_just_leaves():
    calls, loop = CoalescedCalls(), asyncio.new_event_loop()

    async def begin():
        return calls.join("key", lambda _: asyncio.Event().wait())[0]

    call = loop.run_until_complete(begin())
    call.task._log_destroy_pending = False
    loop.close()
    asyncio.run(calls.leave(call, 0, VirtualClock()))
    assert (call.callers, calls._open) == ({}, {})


def test_who_waits_on_another_loop_is_woken_without_an_error_there():
    calls, said = CoalescedCalls(), []

    async def waits(call):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
        await call.more(0, VirtualClock())
        return list(call.events)

    async def main():
        call, number = calls.join("key", lambda _: asyncio.Event().wait())
        waiting = asyncio.ensure_future(asyncio.to_thread(asyncio.run, waits(call)))
        await until(lambda: call._waiting)
        call.tell(TextDelta("Hi"))
        await calls.leave(call, number, VirtualClock())
        return await waiting

    assert (asyncio.run(main()), said) == ([TextDelta("Hi")], [])


def test_who_waited_on_a_loop_that_has_closed_is_left_out():
    calls = CoalescedCalls()

    async def waits(call):
        asyncio.ensure_future(call.more(0, VirtualClock()))._log_destroy_pending = False
        await asyncio.sleep(0)

    async def main():
        call, _ = calls.join("key", lambda _: asyncio.Event().wait())
        loop = asyncio.new_event_loop()
        await asyncio.to_thread(loop.run_until_complete, waits(call))
        loop.close()
        call.tell(TextDelta("Hi"))
        await call.more(0, VirtualClock())
        await calls.leave(call, 0, VirtualClock())
        return call.events

    assert asyncio.run(main()) == [TextDelta("Hi")]


def test_a_copy_of_a_stack_begins_with_an_empty_cache():
    stack = compose(OpenAIModel("m", base_url="http://127.0.0.1:1/v1"), with_cache())
    for again in (copy.copy(stack.policy.kept), pickle.loads(pickle.dumps(stack.policy.kept))):
        assert repr(again) == "MemoryStore(67108864)"
    assert isinstance(pickle.loads(pickle.dumps(stack)).policy, Cache)


# Whose answers


def test_one_store_tells_models_apart():
    store = MemoryStore()
    one, other = (compose(OpenAIModel(name, base_url="http://127.0.0.1:1/v1"), with_cache(store)) for name in "ab")
    same = compose(OpenAIModel("a", base_url="http://127.0.0.1:1/v1"), with_cache(store))
    assert one.policy.prefix != other.policy.prefix
    assert one.policy.prefix == same.policy.prefix


def test_options_layers_and_candidates_below_count():
    def prefix(model, *layers):
        return compose(model, *layers, with_cache()).policy.prefix

    bare, warm = OpenAIModel("a", api_key="none"), OpenAIModel("a", api_key="none", temperature=1)
    prefixes = [prefix(bare), prefix(warm), prefix(bare, with_fallback(warm)), prefix(bare, with_retry(2))]
    assert len(set(prefixes)) == 4


def test_a_layer_s_function_is_told_apart_by_its_name_and_not_by_where_it_lies_in_memory():
    def prefix():
        model = OpenAIModel("a", api_key="none")
        return compose(model, with_retry(on=lambda error: True), with_cache()).policy.prefix

    prefixes = [prefix() for _ in range(3)]
    assert prefixes[0] == prefixes[1] == prefixes[2]
    assert "<lambda>" in prefixes[0]


def test_a_layer_s_options_count_whatever_is_written_in_them():
    model = OpenAIModel("a", api_key="none")
    one, other = (compose(model, with_defaults(user=user), with_cache()).policy.prefix for user in ("<one>", "<other>"))
    assert one != other


def test_models_that_can_t_be_described_never_share():
    layer = with_cache()
    one, other = (compose(from_function(lambda _, says=says: says), layer) for says in ("one", "other"))
    assert texts(ask(one, REQUEST) + ask(other, REQUEST) + ask(one, REQUEST)) == ["one", "other", "one"]


def test_a_store_that_outlasts_the_process_wants_a_name_for_them(tmp_path):
    model = from_function(lambda _: "Hi")
    with pytest.raises(ValueError, match=r"give its answers a name of their own: with_cache\(\.\.\., name='\.\.\.'\)"):
        compose(model, with_cache(tmp_path / "answers.db"))
    assert compose(model, with_cache(tmp_path / "answers.db", name="mine")).policy.prefix == "mine"


# The file


def disk(tmp_path, *answers, **how):
    model = ScriptedModel(*answers)
    return compose(model, with_cache(tmp_path / "deep" / "answers.db", name="m", **how)), model


def ask_and_write(stack, *requests):
    """The results of these requests, which are on the disk then."""
    results = ask(stack, *requests)
    stack.policy.kept.close()
    return results


def test_a_file_keeps_answers_for_the_next_process(tmp_path):
    said = Response.of("이것은 😀 \ud800", usage=Usage(1, 2), response_id="r")
    ask(disk(tmp_path, said)[0], REQUEST)
    stack, model = disk(tmp_path, "never asked")
    (kept,) = ask(stack, REQUEST)
    assert (kept.unwrap(), model.requests) == (said, ())


@pytest.mark.skipif(os.name == "nt", reason="this platform has other permissions")
def test_only_its_owner_can_read_the_file(tmp_path):
    ask_and_write(disk(tmp_path, "Hi")[0], REQUEST)
    assert (tmp_path / "deep" / "answers.db").stat().st_mode & 0o777 == 0o600


def test_the_file_holds_json_and_no_pickles(tmp_path):
    ask_and_write(disk(tmp_path, "Hi")[0], REQUEST)
    with closing(sqlite3.connect(tmp_path / "deep" / "answers.db")) as file:
        ((key, answer),) = file.execute("SELECT key, answer FROM answers_1")
    assert key.startswith("m|v1:")
    assert answer == (
        '{"type":"response","message":{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}]}}'
    )


@attrs.define
class Calendar:
    """The seconds of the calendar, as they are told."""

    time: float = 1.7e9

    def __call__(self):
        return self.time


def test_a_file_keeps_to_the_time_to_live_and_to_its_size(tmp_path):
    calendar = Calendar()
    store = DiskStore(tmp_path / "a.db", 300, calendar)

    async def main():
        for key in "abc":
            calendar.time += 100
            await store.put(key, Response.of("x" * 30), None)
            store.flush()
            calendar.time += 100
            await store.get("a")
            store.flush()
        await store.put("huge", Response.of("x" * 300), None)
        full = [await store.get(key) is not None for key in ("a", "b", "c", "huge")]
        await store.put("d", Response.of(""), 60)
        short = await store.get("d")
        calendar.time += 60
        return full, short, await store.get("d")

    full, short, gone = asyncio.run(main())
    assert full == [True, False, True, False]
    assert (short, gone) == (Response.of(""), None)


@pytest.mark.parametrize(
    "answer",
    [
        "not json",
        '{"type":"text","text":"a"}',
        '{"type":"os.system"}',
        '{"type":"response","message":5}',
        "[" * 100_000,
    ],
    ids=["words", "text", "code", "number", "depth"],
)
def test_an_entry_that_can_t_be_read_is_no_entry(tmp_path, answer):
    stack, _ = disk(tmp_path, "one", "two")
    ask_and_write(stack, REQUEST)
    with closing(sqlite3.connect(tmp_path / "deep" / "answers.db")) as file, file:
        file.execute("UPDATE answers_1 SET answer = ?", (answer,))
    assert texts(ask(stack, REQUEST)) == ["two"]


def test_a_file_that_can_t_be_used_is_left_out_and_said_so(tmp_path, caplog):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "answers.db").write_text("this is no database, and it is long enough to be seen as none")
    stack, _ = disk(tmp_path, "one", "two")
    assert texts(ask_and_write(stack, REQUEST) + ask_and_write(stack, REQUEST)) == ["one", "two"]
    assert caplog.text.count("answers.db: it is left out: file is not a database") == 1
    assert "answers.db: an answer can't be written: file is not a database" in caplog.text


class Slow(Forgetful):
    """A store that has the answer only at the second look: another process has just put it there."""

    looks = 0

    async def get(self, key, /):
        self.looks += 1
        return Response.of("Hi") if self.looks == 2 else None


def test_an_answer_that_comes_since_the_first_look_is_taken():
    model = ScriptedModel("never asked")

    async def main():
        whole = await compose(model, with_cache(Slow(), name="m")).generate(REQUEST)
        return whole.unwrap().content, await laws.listen(compose(model, with_cache(Slow(), name="m")), REQUEST)

    whole, streamed = asyncio.run(main())
    assert (whole, streamed[0], model.requests) == ("Hi", TextDelta("Hi"), ())


# The layer


def test_the_repr_shows_what_differs_from_the_defaults():
    layers = [with_cache(), with_cache("a.db", max_bytes=9, ttl=60, name="m")]
    shown = [describe(compose(ScriptedModel("Hi"), layer)).splitlines()[0] for layer in layers]
    assert shown == ["Cache()", "Cache(store='a.db', max_bytes=9, ttl=60, name='m')"]


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"ttl": 0}, ValueError, "ttl must be more than 0 seconds, not 0"),
        ({"ttl": "1"}, TypeError, "ttl is a number of seconds, not '1'"),
        ({"max_bytes": 0}, ValueError, "max_bytes must be at least 1, not 0"),
        ({"max_bytes": 1.5}, TypeError, "max_bytes is a whole number of bytes, not 1.5"),
        ({"store": 5}, TypeError, "store is a path or has get and put, as DiskStore has, not 5"),
        ({"store": MemoryStore(), "max_bytes": 9}, TypeError, "max_bytes belongs to the store"),
    ],
)
def test_a_setting_that_makes_no_sense_is_an_error_at_once(how, error, said):
    with pytest.raises(error, match=said):
        with_cache(**how)


def test_a_stream_that_breaks_is_not_kept():
    stack = compose(ScriptedModel(Break("one", after=1), "two", chunk=1), with_cache())

    async def main():
        return [(await laws.listen(stack, REQUEST))[-1] for _ in range(2)]

    broken, whole = asyncio.run(main())
    assert (type(broken), broken.partial.content, whole.response.content) == (Failed, "o", "two")


def test_closing_a_stream_that_others_read_leaves_it_to_them():
    model, clock = late("Hello", after=2)
    stack = compose(model, with_cache(clock=clock))

    async def leaves():
        async with aclosing(stack.stream(REQUEST)) as events:
            return await anext(events)

    async def main():
        return await asyncio.gather(leaves(), stack.generate(REQUEST))

    first, result = clock.run(main())
    assert (first, result.unwrap().content, len(model.requests)) == (TextDelta("H"), "Hello", 1)
    assert not isinstance(result, Failure)
