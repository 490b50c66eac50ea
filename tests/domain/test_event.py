"""Streams, folded and unfolded."""

from collections.abc import Iterable

from domain_values import errors, messages, responses
from hypothesis import given
from hypothesis import strategies as st
from returns.result import Failure, Success

from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import (
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    cut_off,
    gather,
    replay,
    settle,
)
from modelport.domain.message import Message, Reasoning, Role, Text, ToolCall
from modelport.domain.response import Response

deltas = st.lists(
    st.one_of(
        st.builds(TextDelta, st.text(min_size=1)),
        st.builds(ReasoningDelta, st.text(min_size=1)),
        st.builds(ToolCallDelta, st.integers(0, 2), st.none() | st.text(), st.none() | st.text(), st.text()),
    ),
    max_size=8,
)


@given(responses)
def test_settle_undoes_replay(response: Response) -> None:
    """An answer that is unfolded and folded is the answer."""
    assert settle(replay(response)) == Success(response)


@given(responses)
def test_replay_is_a_lawful_stream(response: Response) -> None:
    """No delta is empty, the last event alone is final, and the deltas add up to the answer."""
    *deltas, last = replay(response)
    assert last == Finished(response)
    assert not any(isinstance(delta, (Finished, Failed)) for delta in deltas)
    assert all(delta.text for delta in deltas if isinstance(delta, (TextDelta, ReasoningDelta)))
    whole = Response(gather(deltas))
    assert (whole.content, whole.reasoning) == (response.content, response.reasoning)
    assert [(c.id, c.name, c.arguments) for c in whole.tool_calls] == [
        (c.id, c.name, c.arguments) for c in response.tool_calls
    ]


@given(deltas, errors, st.none() | messages.map(Response))
def test_a_failed_stream_settles_to_its_error(deltas: list[Event], error: ModelError, partial: Response | None) -> None:
    """A stream that broke comes to why it broke."""
    assert settle([*deltas, Failed(error, partial)]) == Failure(error)


@given(deltas)
def test_a_stream_that_just_ends_is_interrupted(deltas: list[Event]) -> None:
    """An end without a last event is a failure, of which the provider perhaps has done the work."""
    error = settle(iter(deltas)).failure()
    assert (error.kind, error.sent) == (ErrorKind.INTERRUPTED, Sent.YES)
    broken = cut_off(deltas, "openai", "gpt-4o")
    assert (broken.error.provider, broken.error.model_id) == ("openai", "gpt-4o")
    assert (broken.partial.message if broken.partial else Message("assistant", "")) == gather(deltas)


@given(deltas)
def test_gather_joins(deltas: list[Event]) -> None:
    """Reasoning comes first, then text, then the tool calls by their numbers."""
    order = {Reasoning: 0, Text: 1, ToolCall: 2}
    kinds = [order[type(part)] for part in gather(deltas).content]  # type: ignore[index]
    assert kinds == sorted(kinds)
    assert gather(deltas).text == "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@given(deltas, responses)
def test_gather_takes_a_whole_stream(deltas: list[Event], response: Response) -> None:
    """The last event adds nothing to the deltas."""
    assert gather([*deltas, Finished(response)]) == gather(deltas)


def test_gather_keeps_an_id_that_is_repeated() -> None:
    """Some servers repeat the id and the name with every piece of a call; calls are in order of their numbers."""
    pieces: Iterable[Event] = [
        ToolCallDelta(1, "b", "g", "{}"),
        ToolCallDelta(0, "a", "f", '{"x"'),
        ToolCallDelta(0, "a", "f", ":1}"),
        ToolCallDelta(0, None, None, ""),
    ]
    assert gather(pieces) == Message(Role.ASSISTANT, [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}")])
