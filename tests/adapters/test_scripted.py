"""`ScriptedModel` says what it is told, records what it was asked, and fails, stalls and breaks off on cue."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import pytest
from laws import listen

from modelport import (
    Attempt,
    Break,
    Capabilities,
    Event,
    Failed,
    Finished,
    Message,
    ModelError,
    ModelFailure,
    Reasoning,
    ReasoningDelta,
    Request,
    Response,
    ScriptedModel,
    Stall,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    VirtualClock,
    as_request,
)

ASK = as_request("Hi")


def texts(events: list[Event]) -> list[str]:
    """The pieces of text among these events."""
    return [event.text for event in events if isinstance(event, TextDelta)]


def test_it_gives_its_answers_in_order() -> None:
    model = ScriptedModel("one", Response.of("two", usage=Usage(1, 2)), lambda request: request.messages[0].text)
    assert [model(word).content for word in ("a", "b", "c")] == ["one", "two", "c"]


def test_a_call_after_the_last_answer_says_how_many_there_were() -> None:
    model = ScriptedModel("one", "two")
    model("a"), model("b")
    with pytest.raises(ValueError, match="has 2 answers and this is call number 3"):
        model("c")


def test_the_last_answer_repeats_when_it_is_told_to() -> None:
    model = ScriptedModel("one", "two", repeat=True)
    assert [model("a").content for _ in range(4)] == ["one", "two", "two", "two"]


def test_it_records_what_it_was_asked() -> None:
    model = ScriptedModel("one", "two")
    model("a", stop_sequences=["x"], seed=1)
    asyncio.run(listen(model, ASK))
    assert model.requests == (as_request("a", ["x"], seed=1), ASK)


def test_an_error_is_returned_and_streamed() -> None:
    error = ModelError("rate_limited", "slow down", retry_after=3)
    model = ScriptedModel(error, repeat=True)
    made = asyncio.run(model.generate(ASK)).failure()
    assert made == error.after(*made.attempts)
    assert asyncio.run(listen(model, ASK)) == [Failed(made)]
    with pytest.raises(ModelFailure, match="slow down"):
        model("a")


@pytest.mark.parametrize(
    ("chunk", "pieces"),
    [(4, ["abcd", "efgh", "i"]), ([1, 2], ["a", "bc", "d", "ef", "g", "hi"]), (100, ["abcdefghi"])],
)
def test_pieces_have_the_sizes_that_were_set(chunk: int | list[int], pieces: list[str]) -> None:
    assert texts(asyncio.run(listen(ScriptedModel("abcdefghi", chunk=chunk), ASK))) == pieces


def test_a_response_is_streamed_as_reasoning_text_and_calls() -> None:
    call = ToolCall("1", "look", {"at": "sky"})
    response = Response(Message("assistant", [Reasoning("hm"), Text("ok"), call]), "tool_calls", usage=Usage(1, 2))
    *deltas, last = asyncio.run(listen(ScriptedModel(response), ASK))
    assert deltas == [ReasoningDelta("hm"), TextDelta("ok"), ToolCallDelta(0, "1", "look", '{"at":"sky"}')]
    assert isinstance(last, Finished)
    assert last.response == response.after(*last.response.attempts)


def test_events_are_streamed_as_they_are() -> None:
    events = [TextDelta("a"), TextDelta("bc"), Finished(Response.of("abc", attempts=(Attempt("a", "m", "answered"),)))]
    assert asyncio.run(listen(ScriptedModel(events), ASK)) == events


def test_a_list_of_events_without_an_end_was_cut() -> None:
    events = asyncio.run(listen(ScriptedModel([TextDelta("a")]), ASK))
    assert events[0] == TextDelta("a")
    assert isinstance(events[-1], Failed)
    assert events[-1].error.kind == "interrupted"
    assert events[-1].partial is not None
    assert events[-1].partial.content == "a"


def test_events_are_cut_at_a_stop() -> None:
    events = [TextDelta("one t"), TextDelta("wo three"), Failed(ModelError("server", "late"))]
    shown = asyncio.run(listen(ScriptedModel(events), as_request("Hi", ["two"])))
    assert texts(shown) == ["one "]
    assert isinstance(shown[-1], Finished)
    assert shown[-1].response.stopped_by == "two"


def test_an_only_finished_is_streamed_whole() -> None:
    events = asyncio.run(listen(ScriptedModel([Finished(Response.of("abc"))]), ASK))
    assert texts(events) == ["abc"]


def test_a_stream_breaks_after_so_many_events() -> None:
    error = ModelError("server", "gone")
    model = ScriptedModel(Break("abcdef", after=2, error=error), chunk=2, repeat=True)
    events = asyncio.run(listen(model, ASK))
    assert texts(events) == ["ab", "cd"]
    assert isinstance(events[-1], Failed)
    assert events[-1].error.message == "gone"
    assert events[-1].partial is not None
    assert events[-1].partial.content == "abcd"
    assert asyncio.run(model.generate(ASK)).failure().message == "gone"


def test_a_break_after_more_than_there_is_comes_at_the_end() -> None:
    events = asyncio.run(listen(ScriptedModel(Break("ab", after=9)), ASK))
    assert texts(events) == ["ab"]
    assert isinstance(events[-1], Failed)


def test_a_stall_of_some_seconds_takes_them_in_virtual_time() -> None:
    clock = VirtualClock()
    model = ScriptedModel(Stall("late", seconds=30), Stall("ab", after=1, seconds=5))

    async def main() -> list[Event]:
        assert (await model.generate(ASK)).unwrap().content == "late"
        assert clock.now() == 30
        return await listen(model, ASK)

    assert texts(clock.run(main())) == ["ab"]
    assert clock.now() == 35


def test_it_sleeps_as_it_is_told() -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    assert ScriptedModel(Stall("late", seconds=30), sleep=sleep)("Hi").content == "late"
    assert slept == [30]


def test_a_stall_may_stand_before_a_break() -> None:
    clock = VirtualClock()
    model = ScriptedModel(Stall(Break("abcd", after=1), after=1, seconds=2), chunk=2)
    events = clock.run(listen(model, ASK))
    assert (texts(events), type(events[-1]), clock.now()) == (["ab"], Failed, 2)


def test_a_break_may_stand_before_a_stall() -> None:
    clock = VirtualClock()
    model = ScriptedModel(Break(Stall("abcd", after=1, seconds=2), after=1), chunk=2)
    events = clock.run(listen(model, ASK))
    assert (texts(events), type(events[-1]), clock.now()) == (["ab"], Failed, 2)


def test_it_counts_what_is_open() -> None:
    model = ScriptedModel(Stall("abc", after=1), "abc", chunk=1)

    async def main() -> None:
        stream = model.stream(ASK)
        assert model.open == 0
        await anext(stream)
        assert model.open == 1
        await stream.aclose()
        assert model.open == 0
        async with aclosing(model.stream(ASK)) as other:
            await anext(other)
            assert model.open == 1
        assert model.open == 0

    asyncio.run(main())


def test_a_request_beyond_its_capabilities_is_unsupported_and_takes_no_answer() -> None:
    model = ScriptedModel("a", capabilities=Capabilities())
    error = asyncio.run(model.generate(as_request("Hi", response_format={"type": "json_object"}))).failure()
    assert (error.kind, error.sent, "json_object" in error.message) == ("unsupported", "no", True)
    assert model("Hi").content == "a"


def test_threads_share_its_script() -> None:
    model = ScriptedModel(*map(str, range(200)))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: asyncio.run(model.generate(ASK)).unwrap().content, range(200)))
    assert sorted(answers, key=int) == [str(number) for number in range(200)]
    assert len(model.requests) == 200


def test_a_function_may_give_any_answer() -> None:
    def say(request: Request) -> ModelError:
        return ModelError("server", request.messages[0].text)

    assert asyncio.run(ScriptedModel(say).generate(ASK)).failure().message == "Hi"


def test_what_is_no_answer_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"answers\[1\]: 3 is not a text"):
        ScriptedModel("a", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"answers\[0\]\.answer\[0\]: 'a' is not an event"):
        ScriptedModel(Stall(["a"]))  # type: ignore[list-item]
    with pytest.raises(TypeError, match="the answer that the function gave: 3 is not"):
        ScriptedModel(lambda request: 3)("Hi")  # type: ignore[arg-type, return-value]


def test_an_empty_script_and_empty_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="the script is empty"):
        ScriptedModel()
    with pytest.raises(ValueError, match="at least one character, so it can't be 0"):
        ScriptedModel("a", chunk=0)
    with pytest.raises(ValueError, match=r"at least one character, so it can't be \[\]"):
        ScriptedModel("a", chunk=[])


def test_its_repr_says_who_it_is() -> None:
    assert repr(ScriptedModel("a", "b")) == "ScriptedModel(2 answers)"
    assert repr(ScriptedModel("a", model_id="m")) == "ScriptedModel('m', 1 answers)"
