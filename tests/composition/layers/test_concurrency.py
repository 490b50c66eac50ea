"""with_concurrency: never more in progress than there are slots, over tasks, threads and loops; none is ever lost."""

import asyncio
import gc
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from laws import LAWS
from subjects import Scripted

from modelport import (
    Failed,
    Finished,
    ModelError,
    ScriptedModel,
    Stall,
    VirtualClock,
    as_request,
    blocking,
    compose,
    with_fallback,
    with_retry,
)
from modelport.adapters.process import deadline
from modelport.composition.layers.concurrency import Slot, Slots, with_concurrency
from modelport.domain.machines.concurrency import Admission, Crowd, Room, arrive, give_up, leave

REQUEST = as_request("Hello!")


def ask(number):
    return as_request(str(number))


def slow(clock, *, seconds=1.0):
    """A model that takes its time, and when its calls started."""
    starts = []

    def answer(request):
        starts.append((request.messages[0].text, clock.now()))
        return Stall("Hi", seconds=seconds)

    return ScriptedModel(answer, repeat=True, sleep=clock.sleep), starts


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_concurrency(4)))


def test_so_many_are_in_progress_and_the_others_wait_in_order():
    clock = VirtualClock()
    model, starts = slow(clock)
    stack = compose(model, with_concurrency(2, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(ask(number)) for number in range(5)))

    results = clock.run(main())
    assert starts == [("0", 0.0), ("1", 0.0), ("2", 1.0), ("3", 1.0), ("4", 2.0)]
    waits = [[(wait.reason, wait.seconds) for wait in result.unwrap().attempts[0].waits] for result in results]
    assert waits == [[], [], [("concurrency", 1.0)], [("concurrency", 1.0)], [("concurrency", 2.0)]]


def test_the_highest_priority_goes_first_and_equals_keep_their_order():
    clock = VirtualClock()
    model, starts = slow(clock)
    urgent = {"c": 1.0, "e": 5.0, "f": 1.0}
    stack = compose(model, with_concurrency(1, priority=lambda request: urgent.get(request.messages[0].text, 0)))

    async def main():
        await asyncio.gather(*(stack.generate(ask(name)) for name in "abcdef"))

    clock.run(main())
    assert [name for name, _ in starts] == ["a", "e", "c", "f", "b", "d"]


def test_a_full_queue_refuses_without_a_call():
    clock = VirtualClock()
    model, starts = slow(clock)
    stack = compose(model, with_concurrency(1, max_queue=1, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(ask(number)) for number in range(3)))

    error = clock.run(main())[2].failure()
    assert (error.kind, error.scope, error.sent, error.attempts) == ("limiter_full", "model", "no", ())
    assert error.message == "1 calls are in progress and 1 wait already"
    assert [name for name, _ in starts] == ["0", "1"]


def test_a_refused_call_goes_to_the_fallback():
    clock = VirtualClock()
    model, _ = slow(clock)
    stack = compose(model, with_concurrency(1, max_queue=0), with_fallback(ScriptedModel("spare")))

    async def main():
        return [
            result.unwrap().content for result in await asyncio.gather(stack.generate(REQUEST), stack.generate(REQUEST))
        ]

    assert clock.run(main()) == ["Hi", "spare"]


def test_nobody_waits_past_the_deadline_and_the_slot_is_not_lost():
    clock = VirtualClock()
    model, starts = slow(clock, seconds=10)
    slots = Slots(1, clock=clock)
    stack = compose(model, with_concurrency(slots, clock=clock))

    async def hurried():
        with deadline.within(3, clock):
            return await stack.generate(ask("hurried")), clock.now()

    async def main():
        first = asyncio.create_task(stack.generate(ask("first")))
        await asyncio.sleep(0)
        result, when = await hurried()
        await first
        return result.failure(), when, await stack.generate(ask("later"))

    error, when, _ = clock.run(main())
    assert (error.kind, error.sent, error.attempts, when) == ("deadline_exceeded", "no", (), 3.0)
    assert starts == [("first", 0.0), ("later", 10.0)]
    assert (slots.taken, slots.waiting) == (0, 0)


def test_a_slot_that_comes_before_the_deadline_is_taken():
    clock = VirtualClock()
    model, starts = slow(clock)
    stack = compose(model, with_concurrency(1, clock=clock))

    async def main():
        with deadline.within(30, clock):
            return await asyncio.gather(stack.generate(ask("a")), stack.generate(ask("b")))

    clock.run(main())
    assert starts == [("a", 0.0), ("b", 1.0)]


def test_a_stream_holds_its_slot_until_its_end_is_seen():
    slots = Slots(1)
    stack = compose(ScriptedModel("Hello", chunk=3), with_concurrency(slots))

    async def main():
        return [(type(event).__name__, slots.taken) async for event in stack.stream(REQUEST)]

    assert asyncio.run(main()) == [("TextDelta", 1), ("TextDelta", 1), ("Finished", 0)]


def test_the_wait_of_a_stream_is_in_its_ledger():
    clock = VirtualClock()
    model, _ = slow(clock)
    stack = compose(model, with_concurrency(1, clock=clock))

    async def listened():
        return [event async for event in stack.stream(REQUEST)][-1]

    async def main():
        return await asyncio.gather(listened(), listened())

    assert [wait.seconds for wait in clock.run(main())[1].response.attempts[0].waits] == [1.0]


def test_a_stream_may_be_closed_on_another_task_and_on_another_thread():
    slots = Slots(1)
    stack = compose(ScriptedModel("Hello", repeat=True, chunk=3), with_concurrency(slots))

    async def opened():
        stream = stack.stream(REQUEST)
        await anext(stream)
        return stream

    async def main():
        first = await asyncio.create_task(opened())
        second = asyncio.create_task(opened())
        await asyncio.sleep(0)
        assert (slots.taken, slots.waiting) == (1, 1)
        await asyncio.create_task(first.aclose())
        stream = await second
        third = asyncio.create_task(opened())
        await asyncio.sleep(0)
        await asyncio.to_thread(asyncio.run, stream.aclose())
        await (await third).aclose()

    asyncio.run(main())
    assert (slots.taken, slots.waiting) == (0, 0)


@pytest.mark.parametrize("when", ["while it waits", "just as its slot comes"])
def test_one_who_is_cancelled_gives_its_place_to_the_next(when):
    slots = Slots(1)

    async def main():
        mine = await slots.take()
        tasks = [asyncio.create_task(slots.take()) for _ in range(2)]
        await asyncio.sleep(0)
        if when == "just as its slot comes":
            mine.release()
            await asyncio.sleep(0)  # it has been told, and hasn't run
        tasks[0].cancel()
        if when == "while it waits":
            await asyncio.sleep(0)
            mine.release()
        cancelled, slot = await asyncio.gather(*tasks, return_exceptions=True)
        return type(cancelled).__name__, type(slot).__name__, slots.taken, slots.waiting

    assert asyncio.run(main()) == ("CancelledError", "Slot", 1, 0)


def test_failures_and_retries_give_their_slots_back():
    clock, slots = VirtualClock(), Slots(1)
    broken = ModelError("server", "it broke")
    stack = compose(ScriptedModel(broken, repeat=True), with_concurrency(slots), with_retry(clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(5)))

    assert [len(result.failure().attempts) for result in clock.run(main())] == [4] * 5
    assert (slots.taken, slots.waiting) == (0, 0)


def test_a_programmer_s_mistake_below_gives_its_slot_back():
    slots = Slots(1)
    model = ScriptedModel("only one answer")
    stack = compose(model, with_concurrency(slots))
    blocking(stack).generate(REQUEST)
    with pytest.raises(ValueError, match="the script has 1 answers"):
        blocking(stack).generate(REQUEST)
    assert slots.taken == 0


class Crowded:
    """A model that knows how many it is asked by at once; it takes a moment."""

    def __init__(self):
        self.now = self.most = self.calls = 0
        self.lock = threading.Lock()

    def __call__(self, request):
        with self.lock:
            self.now += 1
            self.calls += 1
            self.most = max(self.most, self.now)
        return Stall("Hi", seconds=0.001)

    async def sleep(self, seconds):
        try:
            await asyncio.sleep(0)
        finally:
            with self.lock:
                self.now -= 1


def test_one_limit_holds_over_tasks_threads_and_loops():
    crowd, slots = Crowded(), Slots(3)
    layer = with_concurrency(slots)
    models = [compose(ScriptedModel(crowd, repeat=True, sleep=crowd.sleep), layer) for _ in range(2)]

    async def heard(model):
        return [event async for event in model.stream(REQUEST)][-1]

    async def many():
        whole = (models[number % 2].generate(REQUEST) for number in range(20))
        streams = (heard(models[number % 2]) for number in range(20))
        cancelled = [asyncio.create_task(models[0].generate(REQUEST)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in cancelled:
            task.cancel()
        return await asyncio.gather(*whole, *streams)

    def two_loops(_):
        return asyncio.run(many()) + asyncio.run(many())

    with ThreadPoolExecutor(6) as threads:
        results = [result for several in threads.map(two_loops, range(6)) for result in several]
    assert len(results) == 480
    assert crowd.most <= 3
    assert (slots.taken, slots.waiting) == (0, 0)


def test_one_who_waits_on_a_loop_that_is_gone_is_passed_over():
    slots = Slots(1)
    gone = asyncio.new_event_loop()

    async def take():
        return await slots.take()

    mine = asyncio.run(take())
    abandoned = take()
    gone.call_soon(lambda: (abandoned.send(None), gone.stop()))
    gone.run_forever()
    gone.close()
    assert slots.waiting == 1

    async def main():
        next_one = asyncio.create_task(slots.take())
        await asyncio.sleep(0)
        mine.release()
        return await next_one

    asyncio.run(main()).release()
    abandoned.close()
    assert slots.waiting == 0


def test_a_call_that_is_collected_while_it_waits_leaves_the_queue():
    slots = Slots(1)

    async def main():
        mine = await slots.take()
        waiting = slots.take()
        waiting.send(None)
        seen = slots.waiting
        del waiting
        gc.collect()
        mine.release()
        return seen, slots.taken, slots.waiting

    assert asyncio.run(main()) == (1, 0, 0)


def test_a_slot_given_back_while_the_lock_is_held_is_free_afterwards():
    """A garbage collection may close a call on the very thread that is taking a slot."""
    slots = Slots(2)

    async def main():
        first = await slots.take()
        with slots._lock:
            first.release()
            held = slots.taken
        second = await slots.take()
        return held, slots.taken, second.release(), slots.taken

    assert asyncio.run(main()) == (1, 1, None, 0)


def test_another_thread_may_have_settled_it():
    class Emptied:
        """A lock that is won just after the other thread has done the work."""

        def __init__(self, back):
            self.back = back

        def acquire(self, blocking):
            self.back.clear()
            return True

        def release(self):
            self.released = True

    slots = Slots(1)
    slots._lock = lock = Emptied(slots._back)
    slots.give_back(1)
    assert lock.released


def test_slots_say_how_full_they_are():
    slots = Slots(1, max_queue=0)
    assert (slots.full, repr(slots), repr(Slots(3))) == (False, "Slots(1, max_queue=0)", "Slots(3)")
    asyncio.run(slots.take())
    assert slots.full


def test_who_asks_learns_of_a_refusal_before_a_call():
    policy = with_concurrency(1, max_queue=0)(ScriptedModel("Hi")).policy
    assert policy.refusal() is None
    asyncio.run(policy.slots.take())
    assert policy.refusal(5.0).kind == "limiter_full"


def test_the_repr_shows_what_was_said():
    layers = [with_concurrency(8), with_concurrency(Slots(8, max_queue=2)), with_concurrency(8, priority=len)]
    assert [repr(layer(ScriptedModel("Hi")).policy) for layer in layers] == [
        "Concurrency(8)",
        "Concurrency(8, max_queue=2)",
        "Concurrency(8, priority=<built-in function len>)",
    ]


def test_a_copy_in_another_process_begins_with_free_slots():
    slots = Slots(1, max_queue=3)
    asyncio.run(slots.take())
    copy = pickle.loads(pickle.dumps(slots))
    assert (copy.taken, repr(copy)) == (0, "Slots(1, max_queue=3)")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork")
def test_a_forked_child_has_all_slots_though_its_parent_was_using_them():
    slots = Slots(1)
    mine = asyncio.run(slots.take())
    with slots._lock:
        child = os.fork()
        if not child:
            mine.release()
            theirs = asyncio.run(slots.take())
            os._exit(10 + slots.taken if isinstance(theirs, Slot) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 11
    mine.release()
    assert slots.taken == 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"n": 0}, ValueError, "n, the calls in progress at once, must be a whole number of at least 1, not 0"),
        ({"n": True}, ValueError, "at least 1, not True"),
        ({"n": 1.5}, ValueError, "at least 1, not 1.5"),
        ({"n": 1, "max_queue": -1}, ValueError, "max_queue must be a whole number of at least 0, not -1"),
        ({"n": Slots(1), "max_queue": 1}, TypeError, "max_queue belongs to the Slots that were passed"),
        ({"n": 1, "priority": 3}, TypeError, "priority must be a function of the request, not 3"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(arguments, error, said):
    with pytest.raises(error, match=said):
        with_concurrency(**arguments)


@pytest.mark.parametrize("wrong", ["high", float("nan")])
def test_a_priority_that_is_no_number_is_an_error(wrong):
    stack = compose(ScriptedModel("Hi"), with_concurrency(1, priority=lambda _: wrong))
    with pytest.raises(TypeError, match="must give a number"):
        blocking(stack).generate(REQUEST)


ENDS = st.sampled_from(["answered", "failed", "closed", "cancelled"])


@settings(deadline=None)
@given(st.lists(st.tuples(ENDS, st.integers(0, 3), st.integers(0, 20)), max_size=12), st.integers(1, 3))
def test_every_slot_comes_back_however_calls_end(calls, n):
    clock, slots = VirtualClock(), Slots(n)

    async def one(end, priority, tenths):
        await clock.sleep(tenths / 10)
        answer = ModelError("server", "it broke") if end == "failed" else "Hello"
        inner = ScriptedModel(Stall(answer, after=1, seconds=1), sleep=clock.sleep, chunk=1)
        model = compose(inner, with_concurrency(slots, priority=lambda _: priority))
        stream = model.stream(REQUEST)
        if end == "cancelled":
            task = asyncio.ensure_future(model.generate(REQUEST))
            await clock.sleep(0.5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif end == "closed":
            await anext(stream)
            await stream.aclose()
        else:
            assert isinstance([event async for event in stream][-1], Failed if end == "failed" else Finished)
        assert slots.taken <= n

    async def main():
        await asyncio.gather(*(one(*call) for call in calls))

    clock.run(main())
    assert (slots.taken, slots.waiting) == (0, 0)


class AgainstAPlainQueue(RuleBasedStateMachine):
    """The steps against lists that are sorted anew each time."""

    tickets = Bundle("tickets")

    def __init__(self):
        super().__init__()
        self.room, self.crowd = Room(2, 3), Crowd()
        self.inside, self.line = set(), []

    @rule(target=tickets, priority=st.integers(0, 2))
    def somebody_arrives(self, priority):
        self.crowd, admission = arrive(self.room, self.crowd, priority)
        ticket = self.crowd.tickets
        if len(self.inside) < 2:
            assert admission is Admission.IN
            self.inside.add(ticket)
        elif len(self.line) < 3:
            assert admission is Admission.WAIT
            self.line.append((ticket, priority))
        else:
            assert admission is Admission.FULL
        return ticket

    @rule(ticket=consumes(tickets))
    def somebody_leaves(self, ticket):
        if ticket in self.inside:
            self.inside.remove(ticket)
            self.crowd, next_in = leave(self.crowd)
            best = min(self.line, key=lambda one: (-one[1], one[0]), default=None)
            assert next_in == (best[0] if best else None)
            if best:
                self.line.remove(best)
                self.inside.add(best[0])
        elif any(one[0] == ticket for one in self.line):
            self.crowd = give_up(self.crowd, ticket)
            self.line = [one for one in self.line if one[0] != ticket]

    @invariant()
    def both_agree(self):
        assert self.crowd.inside == len(self.inside) <= 2
        assert [ticket for _, ticket in self.crowd.waiting] == [
            one[0] for one in sorted(self.line, key=lambda one: (-one[1], one[0]))
        ]


TestTheSteps = AgainstAPlainQueue.TestCase
