"""Answers in the making."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.answer_builder import AnswerBuilder, trimmed
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta, gather
from modelport.domain.message import Image, Message, Part, Reasoning, Role, Text, ToolCall
from modelport.domain.response import FinishReason, Response
from modelport.domain.stop import as_stops, cut
from modelport.domain.usage import Usage

many_stops = st.lists(st.text("ab", min_size=1, max_size=4), max_size=3).map(as_stops)
pieces = st.lists(
    st.tuples(st.just("text"), st.text("abc", max_size=4))
    | st.tuples(st.just("reasoning"), st.text("abc", max_size=2))
    | st.tuples(st.just("call"), st.integers(0, 9)),
    max_size=8,
)


def drafted(script: list[tuple[str, Any]], stops: tuple[str, ...]) -> tuple[list[Event], Response, AnswerBuilder]:
    builder = AnswerBuilder(stops)
    events: list[Event] = []
    for number, (kind, what) in enumerate(script):
        match kind:
            case "text":
                events += builder.text(what)
            case "reasoning":
                events += builder.reasoning(what)
            case _:
                events += builder.tool_call(number, f"id{number}", "f", str(what))
    events += builder.close()
    return events, builder.finish(FinishReason.LENGTH).response, builder


def said(script: list[tuple[str, Any]]) -> str:
    return "".join(what for kind, what in script if kind == "text")


@given(pieces, many_stops)
def test_a_draft_gives_the_cut_of_the_whole_text(script: list[tuple[str, Any]], stops: tuple[str, ...]) -> None:
    """The text is that of the whole, cut, however it came; the stop that ended it is named and is the reason."""
    events, response, _ = drafted(script, stops)
    text, stop = cut(said(script), stops)
    assert (response.content, response.stopped_by) == (text, stop)
    assert response.finish_reason is (FinishReason.LENGTH if stop is None else FinishReason.STOP)
    assert not any(found in response.content for found in stops)
    assert gather(events) == response.message


@given(pieces, many_stops)
def test_no_event_is_empty(script: list[tuple[str, Any]], stops: tuple[str, ...]) -> None:
    """Every delta says something."""
    events, _, builder = drafted(script, stops)
    assert all(event.text for event in events if isinstance(event, (TextDelta, ReasoningDelta)))
    assert builder.gathered() == gather(events)


@given(pieces, many_stops)
def test_streamed_and_whole_answers_are_cut_alike(script: list[tuple[str, Any]], stops: tuple[str, ...]) -> None:
    """A stream and a whole answer with the same parts in the same order come to the same parts."""
    parts: list[Part] = []
    script = [step for step in script if step[0] != "reasoning"]  # which a whole answer has in front
    for number, (kind, what) in enumerate(script):
        if kind == "text" and what:
            parts.append(Text(what))
        elif kind == "call":
            parts.append(ToolCall(f"id{number}", "f", str(what)))
    whole = trimmed(Response(Message(Role.ASSISTANT, parts), FinishReason.LENGTH), stops)
    _, response, _ = drafted(script, stops)
    assert (whole.content, whole.stopped_by, whole.finish_reason) == (
        response.content, response.stopped_by, response.finish_reason,
    )  # fmt: skip
    assert whole.tool_calls == response.tool_calls


def test_a_call_waits_for_the_text_before_it() -> None:
    """A stop may span a tool call: the call is shown once it is sure that the text goes on."""
    builder = AnswerBuilder(("bc",))
    assert builder.text("ab") == [TextDelta("a")]
    assert builder.tool_call(0, "1", "f") == []
    assert builder.text("d") == [TextDelta("bd"), ToolCallDelta(0, "1", "f")]


def test_a_call_after_the_stop_is_dropped() -> None:
    """A call in the middle of what turns out to be a stop comes after the end of the text."""
    builder = AnswerBuilder(("bc",))
    events = [
        *builder.text("ab"),
        *builder.tool_call(0, "1", "f"),
        *builder.text("c"),
        *builder.tool_call(1),
        *builder.reasoning("x"),
    ]
    assert [*events, *builder.close()] == [TextDelta("a")]
    assert builder.stopped_by == "bc"
    assert builder.finish(FinishReason.TOOL_CALLS) == Finished(Response.of("a", stopped_by="bc"))


def test_a_call_waits_no_longer_than_it_must() -> None:
    """Calls are shown as soon as the text before each is, and the rest at the end."""
    builder = AnswerBuilder(("aab",))
    events = [
        builder.text("a"),
        builder.tool_call(0),
        builder.text("a"),
        builder.tool_call(1),
        builder.text("a"),
        builder.close(),
    ]
    assert events == [[], [], [], [], [TextDelta("a"), ToolCallDelta(0)], [TextDelta("aa"), ToolCallDelta(1)]]


def test_what_the_provider_says_is_kept() -> None:
    """The last event holds usage, ids and a stop that the provider named."""
    builder = AnswerBuilder(("x",))
    builder.text("hi")
    usage = Usage(1, 2)
    finished = builder.finish(FinishReason.STOP, stopped_by="x", usage=usage, model_id="m", response_id="r")
    assert finished.response == Response.of("hi", stopped_by="x", usage=usage, model_id="m", response_id="r")


def test_a_given_message_is_cut_too() -> None:
    """A message that stands for the gathered one keeps its metadata and loses what comes after the stop."""
    builder = AnswerBuilder(("x",))
    builder.text("hi x there")
    message = Message(
        Role.ASSISTANT, [Reasoning("r", metadata={"p": {"s": 1}}), Text("hi x there"), ToolCall("1", "f")]
    )
    response = builder.finish(FinishReason.STOP, message=message).response
    assert response.message == Message(Role.ASSISTANT, [Reasoning("r", metadata={"p": {"s": 1}}), Text("hi ")])


def test_a_broken_stream_tells_how_far_it_came() -> None:
    """A failure holds what was shown, and nothing where nothing was."""
    error = ModelError(ErrorKind.CONNECTION, "reset", model_id="m")
    assert AnswerBuilder().fail(error) == Failed(error)
    builder = AnswerBuilder(("ab",))
    builder.text("xa")
    partial = Response.of("x", finish_reason=FinishReason.OTHER, model_id="m")
    assert builder.fail(error) == Failed(error, partial)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Text("a;b")], [Text("a")]),
        ([Text(";b")], []),
        ([Text("a", metadata={"p": 1}), Image(b"x"), Text(";")], [Text("a", metadata={"p": 1}), Image(b"x")]),
        ([Text("ab;"), Image(b"x")], [Text("ab")]),
    ],
)
def test_trimmed(parts: list[Part], expected: list[Part]) -> None:
    """A whole answer keeps the parts before the stop, each as it was."""
    response = trimmed(Response(Message(Role.ASSISTANT, parts), FinishReason.LENGTH, usage=Usage(1)), (";",))
    assert response == Response(Message(Role.ASSISTANT, expected), FinishReason.STOP, ";", Usage(1))


def test_an_answer_without_a_stop_is_left_as_it_is() -> None:
    """The very same answer comes back."""
    response = Response.of("abc")
    assert all(trimmed(response, stops) is response for stops in itertools.chain([()], [("x",)]))
