"""The laws of the port, written once, for whatever claims to be a model.

A `Subject` sets up the situations that the laws speak of: a model that answers, one that fails, one that never ends.
Each law is a function of a subject; `LAWS` lists them all.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from typing import Any, Protocol

import attrs
from returns.result import Failure, Result, Success

from modelport import (
    Event,
    Failed,
    Finished,
    Model,
    ModelError,
    ReasoningDelta,
    Request,
    Response,
    TextDelta,
    ToolCallDelta,
    as_request,
    cut,
    settle,
)


@attrs.frozen
class Case:
    """A model in a situation: how many calls hold something now, and how many its provider has seen."""

    model: Model
    open: Callable[[], int]
    asked: Callable[[], int]
    options: dict[str, Any] = attrs.field(factory=dict)
    patience: float = 20.0  # seconds after which what should have happened never will

    async def until_open(self, number: int) -> None:
        """Let others run until so many calls hold something."""
        deadline = asyncio.get_running_loop().time() + self.patience
        while self.open() != number:
            assert asyncio.get_running_loop().time() < deadline, f"{self.open()} calls hold something, not {number}"
            await asyncio.sleep(0.005)

    def request(self, stops: Sequence[str] = ()) -> Request:
        """A question with these stops."""
        return as_request("What is there to say?", stops, **self.options)


class Subject(Protocol):
    """Makes models for the situations."""

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        """One that says this text each time, in pieces of these sizes; one with a will of its own says anything."""
        ...

    def failing(self) -> Case:
        """One whose provider fails."""
        ...

    def stalling(self) -> Case:
        """One that begins to answer, and doesn't end for as long as anybody waits."""
        ...

    def breaking(self, after: int) -> Case:
        """One that breaks off what `answering(TEXT)` says: after so many pieces, or in the midst of a whole answer."""
        ...


TEXT = "One two three. Four five six. Seven eight nine."


async def listen(model: Model, request: Request) -> list[Event]:
    """All events of a stream, which is closed afterwards."""
    async with aclosing(model.stream(request)) as stream:
        return [event async for event in stream]


def bare(result: Result[Response, ModelError]) -> object:
    """A result without what may differ between two calls: ids and timings."""
    if isinstance(result, Success):
        response = result.unwrap()
        return (response.message, response.finish_reason, response.stopped_by, response.model_id, response.usage)
    error = result.failure()
    said = (error.kind, error.scope, error.status, error.code, error.retry_after, error.sent)
    return (*said, error.provider, error.model_id)


def failures_are_values(subject: Subject) -> None:
    """Law 1: it never raises for what a provider does."""

    async def main() -> None:
        case = subject.failing()
        result = await case.model.generate(case.request())
        assert isinstance(result, Failure), result
        assert isinstance(result.failure(), ModelError)
        events = await listen(case.model, case.request())
        assert isinstance(events[-1], Failed), events

    asyncio.run(main())


def a_break_at_each_point_is_a_failure(subject: Subject) -> None:
    """Laws 1, 2, 5: an answer that breaks off is a failure with what was shown as its partial, and holds nothing."""

    async def main() -> None:
        case = subject.answering(TEXT)
        does_as_told = (await case.model.generate(case.request())).unwrap().content == TEXT
        for after in (0, 1, 3, 6):
            case = subject.breaking(after)
            whole = await case.model.generate(case.request())
            assert isinstance(whole, Failure), (after, whole)
            *shown, last = await listen(case.model, case.request())
            assert isinstance(last, Failed), (after, last)
            assert not any(isinstance(event, (Finished, Failed)) for event in shown)
            text = "".join(event.text for event in shown if isinstance(event, TextDelta))
            assert TEXT.startswith(text) or not does_as_told, (after, text)
            assert (last.partial.content if last.partial is not None else "") == text
            await case.until_open(0)

    asyncio.run(main())


def a_stream_ends_once(subject: Subject) -> None:
    """Law 2: a stream ends in exactly one `Finished` or `Failed`, and shows no empty pieces."""

    async def main() -> None:
        for case in (subject.answering(TEXT), subject.answering(""), subject.failing()):
            events = await listen(case.model, case.request())
            assert [isinstance(event, (Finished, Failed)) for event in events] == [False] * (len(events) - 1) + [True]
            for event in events[:-1]:
                assert isinstance(event, ToolCallDelta) or (
                    isinstance(event, (TextDelta, ReasoningDelta)) and event.text
                )

    asyncio.run(main())


def the_stream_comes_to_the_whole(subject: Subject) -> None:
    """Law 3: folding the stream gives what `generate` gives, and its pieces join to the text."""

    async def main() -> None:
        for make in (lambda: subject.answering(TEXT), subject.failing):
            case = make()
            whole = await case.model.generate(case.request())
            events = await listen(case.model, case.request())
            assert bare(settle(events)) == bare(whole)
            if isinstance(whole, Success):
                assert "".join(e.text for e in events if isinstance(e, TextDelta)) == whole.unwrap().content

    asyncio.run(main())


def no_stop_is_shown(
    subject: Subject,
    text: str = TEXT,
    stops: Sequence[str] | None = None,
    sizes: Sequence[int] = (8,),
) -> None:
    """Law 4: the text ends before the first stop, whole and streamed, and `stopped_by` names it."""

    async def main() -> None:
        case = subject.answering(text, sizes)
        free = (await case.model.generate(case.request())).unwrap().content
        middle = len(free) // 2
        sought = tuple(stops) if stops is not None else (free[middle : middle + 3] or "x", "never said")
        shown, stop = cut(free, sought)
        whole = (await case.model.generate(case.request(sought))).unwrap()
        assert (whole.content, whole.stopped_by) == (shown, stop)
        events = await listen(case.model, case.request(sought))
        last = events[-1]
        assert isinstance(last, Finished), last
        assert (last.response.content, last.response.stopped_by) == (shown, stop)
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == shown
        if stop is not None:
            assert last.response.finish_reason == whole.finish_reason == "stop"

    asyncio.run(main())


def closing_a_stream_frees_everything(subject: Subject) -> None:
    """Law 5: a stream that is closed early holds nothing any more."""

    async def main() -> None:
        case = subject.stalling()
        stream = case.model.stream(case.request())
        first = await asyncio.wait_for(anext(stream), case.patience)
        assert isinstance(first, TextDelta), first
        assert case.open() == 1
        await stream.aclose()
        await case.until_open(0)

    asyncio.run(main())


def closing_at_any_point_harms_nothing(subject: Subject) -> None:
    """Law 5: wherever a stream is closed, nothing is held, and the next call is answered as ever."""

    async def main() -> None:
        case = subject.answering(TEXT)
        expected = bare(await case.model.generate(case.request()))
        for after in (1, 2, 5):
            async with aclosing(case.model.stream(case.request())) as stream:
                for _ in range(after):
                    await anext(stream, None)
            await case.until_open(0)
            assert bare(await case.model.generate(case.request())) == expected

    asyncio.run(main())


def cancelling_frees_everything(subject: Subject) -> None:
    """Law 5: a cancelled call, whole or streamed, lets the cancellation through and holds nothing any more."""

    async def main() -> None:
        case = subject.stalling()
        for call in (case.model.generate, partial(listen, case.model)):
            task: asyncio.Task[object] = asyncio.ensure_future(call(case.request()))
            await case.until_open(1)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(outcome, asyncio.CancelledError), outcome
            await case.until_open(0)

    asyncio.run(main())


def a_stream_that_nobody_reads_costs_nothing(subject: Subject) -> None:
    """Law 5: asking for a stream does nothing until it is read."""

    async def main() -> None:
        case = subject.answering(TEXT)
        stream = case.model.stream(case.request())
        await stream.aclose()
        assert (case.open(), case.asked()) == (0, 0)

    asyncio.run(main())


def nothing_passed_in_is_changed(subject: Subject) -> None:
    """Law 6: the caller's messages, stops and options are as they were."""
    case = subject.answering(TEXT)
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is there to say?"}]}]
    stops = ["never said"]
    before = copy.deepcopy((messages, stops, case.options))
    request = as_request(messages, stops, **case.options)
    same = as_request(messages, stops, **case.options)

    async def main() -> None:
        await case.model.generate(request)
        await listen(case.model, request)

    asyncio.run(main())
    assert (messages, stops, case.options) == before
    assert request == same


def one_model_serves_many(subject: Subject) -> None:
    """Law 7: one model is used from tasks at once, from loops one after the other, and from threads at once.

    What is asked at once isn't the same: each gets the answer to its own question.
    """
    case = subject.answering(TEXT)
    free = asyncio.run(case.model.generate(case.request())).unwrap().content
    stop = free[len(free) // 2 :][:3]

    async def both() -> list[object]:
        whole, events, cut_whole, cut_events = await asyncio.gather(
            case.model.generate(case.request()),
            listen(case.model, case.request()),
            case.model.generate(case.request([stop])),
            listen(case.model, case.request([stop])),
        )
        for answer in (cut_whole, settle(cut_events)):
            assert (answer.unwrap().content, answer.unwrap().stopped_by) == cut(free, (stop,))
        return [bare(whole), bare(settle(events))]

    expected = asyncio.run(both())
    assert expected[0] == expected[1]
    assert asyncio.run(both()) == expected
    together = threading.Barrier(3)

    def in_a_thread() -> list[object]:
        together.wait(case.patience)
        return asyncio.run(both())

    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(in_a_thread) for _ in range(3)]
        assert [answer.result(case.patience * 3) for answer in answers] == [expected] * 3
    asyncio.run(case.until_open(0))


def one_call_is_one_attempt(subject: Subject) -> None:
    """Law 8: a failing provider sees each call once; only layers try again."""

    async def main() -> None:
        case = subject.failing()
        await case.model.generate(case.request())
        assert case.asked() == 1
        await listen(case.model, case.request())
        assert case.asked() == 2

    asyncio.run(main())


LAWS: tuple[Callable[[Subject], None], ...] = (
    failures_are_values,
    a_break_at_each_point_is_a_failure,
    a_stream_ends_once,
    the_stream_comes_to_the_whole,
    no_stop_is_shown,
    closing_a_stream_frees_everything,
    closing_at_any_point_harms_nothing,
    cancelling_frees_everything,
    a_stream_that_nobody_reads_costs_nothing,
    nothing_passed_in_is_changed,
    one_model_serves_many,
    one_call_is_one_attempt,
)
