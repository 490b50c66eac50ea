"""What once broke the layers and the blocking twin: cancellation, forks, deadlines, bad numbers and bad endings."""

import asyncio
import contextvars
import gc
import os
import pickle
import subprocess
import sys
import threading
from queue import SimpleQueue

import pytest
from tenacity import stop_after_delay, stop_before_delay, wait_fixed

from modelport import (
    Capabilities,
    Finished,
    Limiter,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    TextDelta,
    VirtualClock,
    as_request,
    blocking,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters.process import background
from modelport.composition.stack.blocking import _AHEAD, _Queue

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke")
LATE = Stall("a long answer that stalls", after=2)


def run_python(code):
    """What a script printed; it fails the test when it hangs or complains."""
    prelude = """
import logging
logging.getLogger("asyncio").setLevel("ERROR")  # on a busy machine everything is slow, and it says so
from modelport import ScriptedModel, Stall, as_request, blocking, compose
request, late = as_request("Hi"), Stall("a long answer that stalls", after=2)
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", prelude + code], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout.strip(), done.stderr


# The background loop and the blocking twin


def test_a_stream_left_open_does_not_keep_the_interpreter_from_ending():
    assert run_python("stream = blocking(ScriptedModel(late)).stream(request); print(next(stream).text)") == (
        0,
        "a long a",
        "",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork")
def test_a_forked_child_may_leave_its_parent_s_stream():
    code = """
import os, sys
for event in blocking(ScriptedModel(late)).stream(request):
    child = os.fork()
    if not child:
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    break
"""
    assert run_python(code)[:2] == (0, "3")


def test_a_model_that_exits_takes_only_its_own_caller_along():
    def leave(_):
        sys.exit(3)

    with pytest.raises(SystemExit):
        compose(ScriptedModel(leave))("Hi")
    assert compose(ScriptedModel("still here"))("Hi").content == "still here"


def test_a_blocking_stream_inside_a_model_is_an_error_not_a_hang():
    inner = blocking(ScriptedModel("Hi"))
    with pytest.raises(RuntimeError, match="would wait for ever"):
        compose(ScriptedModel(lambda _: list(inner.stream(REQUEST)) and "never"))("Hi")


def test_a_stream_collected_on_the_background_thread_ends_there():
    inner = ScriptedModel(LATE)
    stream = blocking(inner).stream(REQUEST)
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
    del stream, cycle
    assert compose(ScriptedModel(lambda _: f"{gc.collect() > 0}"))("Hi").content == "True"


def test_a_garbage_collection_never_waits_for_a_stream():
    """It runs on any thread, whatever locks that holds: the loop may be waiting for one of them."""
    stream = blocking(ScriptedModel(LATE)).stream(REQUEST)
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
    held_up, go_on = threading.Event(), threading.Event()
    background.loop().call_soon_threadsafe(lambda: held_up.set() or go_on.wait())
    held_up.wait()
    del stream, cycle
    collecting = threading.Thread(target=gc.collect)
    collecting.start()
    collecting.join(10)
    waiting = collecting.is_alive()
    go_on.set()
    collecting.join()
    assert not waiting


def test_a_stream_that_was_never_read_or_has_ended_may_be_closed_and_read_again():
    model = ScriptedModel("Hi")
    unread = blocking(model).stream(REQUEST)
    unread.close()
    assert (list(unread), model.requests) == ([], ())
    read = blocking(model).stream(REQUEST)
    assert len(list(read)) == 2
    read.close()
    assert list(read) == []


def test_an_error_that_is_thrown_into_a_stream_ends_its_call():
    model = Endless()
    stream = blocking(model).stream(REQUEST)
    assert stream.send(None) == TextDelta("a")
    with pytest.raises(KeyError):
        stream.throw(KeyError("x"))
    assert list(stream) == []


def test_work_that_is_ended_before_it_begins_still_ends():
    gate, ended = threading.Event(), threading.Event()

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    loop = background.loop()
    loop.call_soon_threadsafe(gate.wait)
    future = background.submit(work())
    assert background.end(future, loop)
    gate.set()
    assert ended.wait(10)


# Retries, deadlines and fallbacks


def retried(*answers, **how):
    clock = VirtualClock()
    model = ScriptedModel(*answers, sleep=clock.sleep, repeat=True)
    result = clock.run(compose(model, with_retry(clock=clock, **how)).generate(REQUEST))
    return result, clock.now(), len(model.requests)


def test_a_retry_after_that_is_no_number_is_none():
    refused = ModelError("rate_limited", "slow", retry_after=float("nan"))
    assert retried(refused, "Hi", wait=wait_fixed(2))[1:] == (2.0, 2)


def test_tenacity_s_stop_sees_the_wait_that_is_to_come():
    assert retried(SERVER, attempts=9, wait=wait_fixed(2), stop=stop_before_delay(5))[1:] == (4.0, 3)


def test_tenacity_s_stop_counts_the_first_call_s_own_time():
    slow = Stall(SERVER, seconds=4)
    assert retried(slow, attempts=9, wait=wait_fixed(0), stop=stop_after_delay(5))[1:] == (8.0, 2)


@pytest.mark.parametrize("how", [{"wait": 2}, {"stop": 3}, {"base": "1"}, {"max_wait": None}, {"on": 5}])
def test_what_is_no_strategy_is_an_error_at_once(how):
    with pytest.raises(TypeError, match=f"with_retry: {next(iter(how))}"):
        with_retry(**how)


def test_a_retry_policy_can_be_pickled():
    policy = compose(ScriptedModel("Hi"), with_retry()).policy
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_no_candidate_is_asked_after_the_deadline():
    clock, spare = VirtualClock(), ScriptedModel("late")
    slow = ScriptedModel(Stall(SERVER, seconds=10), sleep=clock.sleep)
    stack = compose(slow, with_fallback(spare), with_retry(deadline=5, clock=clock))
    error = clock.run(stack.generate(REQUEST)).failure()
    assert (error.kind, error.causes[0].kind, len(error.attempts)) == ("deadline_exceeded", "server", 1)
    assert spare.requests == ()


def test_an_inner_deadline_does_not_outlast_an_outer_one():
    clock = VirtualClock()
    stack = compose(
        ScriptedModel(SERVER, repeat=True),
        with_retry(deadline=60, attempts=9, wait=wait_fixed(3), clock=clock),
        with_retry(attempts=1, deadline=5, clock=clock),
    )
    clock.run(stack.generate(REQUEST))
    assert clock.now() == 3.0


def test_a_call_with_a_deadline_may_be_closed_in_another_context():
    call = compose(ScriptedModel(Stall("Hi")), with_retry(deadline=5)).generate(REQUEST)

    async def begin():
        call.send(None)

    contextvars.copy_context().run(asyncio.run, begin())
    call.close()


def test_refusals_everywhere_leave_the_ledger_empty():
    clock = VirtualClock()
    limiter = Limiter(1, max_wait=1, clock=clock)
    stack = compose(
        ScriptedModel("a"),
        with_rate_limit(limiter),
        with_fallback(compose(ScriptedModel("b"), with_rate_limit(limiter))),
        with_retry(clock=clock),
    )

    async def main():
        await limiter.acquire()
        return (await stack.generate(REQUEST)).failure(), [event async for event in stack.stream(REQUEST)]

    error, (failed,) = clock.run(main())
    assert (error.kind, error.attempts, failed.error.attempts) == ("exhausted", (), ())


def test_all_is_freed_before_the_last_event_is_seen():
    model = ScriptedModel("Hi", chunk=1)

    async def main():
        stream = compose(model, with_retry()).stream(REQUEST)
        seen = [await anext(stream), await anext(stream), await anext(stream)]
        return type(seen[-1]).__name__, model.open, await stream.aclose()

    assert asyncio.run(main()) == ("Finished", 0, None)


class Unruly:
    """A custom model that answers with plain values, as the port doesn't allow."""

    capabilities = Capabilities()

    async def generate(self, request):
        return Response.of("Hi")

    async def stream(self, request):
        return []


class Iterating(Unruly):
    """A custom model whose stream can't be closed."""

    def stream(self, request):
        return iter(())


def test_a_custom_model_that_gives_a_plain_response_is_named():
    with pytest.raises(TypeError, match=r"Unruly.generate gave Response, not Success\(Response\) or Failure"):
        compose(Unruly(), with_retry())("Hi")


@pytest.mark.parametrize("model", [Unruly(), Iterating()])
def test_a_custom_model_whose_stream_is_no_generator_is_named(model):
    with pytest.raises(TypeError, match=f"{type(model).__name__}.stream gave .*, not an asynchronous generator"):
        list(blocking(compose(model, with_retry())).stream(REQUEST))


class Endless:
    """A custom model that never stops talking; `said` counts how often it has spoken."""

    capabilities = Capabilities()
    said = 0

    async def generate(self, request):
        raise NotImplementedError

    async def stream(self, request):
        while True:
            self.said += 1
            yield TextDelta("a")
            await asyncio.sleep(0)


def test_a_stream_runs_only_so_far_ahead_of_its_reader():
    model = Endless()
    stream = blocking(model).stream(REQUEST)
    for _ in range(1000):
        next(stream)

    async def settled():
        before = -1
        while before != model.said:
            before = model.said
            await asyncio.sleep(0.02)

    background.run(settled())
    stream.close()
    assert 1000 <= model.said <= 1300


class ReadMeanwhile(SimpleQueue):
    """Somebody reads all of it as soon as its size was seen."""

    def qsize(self):
        size = super().qsize()
        while not self.empty():
            self.get()
        return size


def test_a_writer_whose_reader_has_read_all_meanwhile_does_not_wait():
    queue = _Queue()
    queue._arrived = ReadMeanwhile()
    for _ in range(_AHEAD):
        queue._arrived.put(TextDelta("a"))
    asyncio.run(asyncio.wait_for(queue.put(TextDelta("a")), 10))


def test_a_reader_that_keeps_up_with_a_long_stream_gets_all_of_it():
    deltas = [TextDelta("a")] * 5000
    events = list(blocking(ScriptedModel([*deltas, Finished(Response.of("a" * 5000))])).stream(REQUEST))
    assert len(events) == 5001
