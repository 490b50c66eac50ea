"""Answers and what they cost."""

import pytest
from domain_values import usages
from hypothesis import given

from modelport.domain.attempt import Attempt, Wait
from modelport.domain.message import Message, Reasoning, Text, ToolCall
from modelport.domain.response import FinishReason, Response
from modelport.domain.usage import Usage


def test_an_answer_gives_its_parts() -> None:
    """Text, reasoning and tool calls are read from the message."""
    call = ToolCall("1", "f")
    response = Response(
        Message("assistant", [Reasoning("h"), Reasoning("m"), Text("a"), call, Text("b")]), "tool_calls"
    )
    assert (response.content, response.reasoning, response.tool_calls) == ("ab", "hm", (call,))
    assert response.finish_reason is FinishReason.TOOL_CALLS


def test_raw_is_not_compared() -> None:
    """Two answers are equal whatever the provider's own answer is, and it isn't printed."""
    assert Response.of("a", raw=[1]) == Response.of("a", raw=[2])
    assert hash(Response.of("a", raw=[1])) == hash(Response.of("a"))
    assert "raw" not in repr(Response.of("a", raw=[1]))


def test_an_unknown_finish_reason_is_refused() -> None:
    """The finish reasons are a closed set."""
    with pytest.raises(ValueError, match="bored"):
        Response.of("a", finish_reason="bored")


def test_the_ledger_grows_at_its_front() -> None:
    """What was tried before comes first, and the first attempt is the one that waited."""
    first, second, wait = Attempt("a", "m", "server"), Attempt("b", "m", "answered"), Wait("rate_limit", 2)
    response = Response.of("x", attempts=(second,)).after(first).waited(wait)
    assert response.attempts == (Attempt("a", "m", "server", waits=(wait,)), second)


@given(usages, usages, usages)
def test_usage_adds_up(a: Usage, b: Usage, c: Usage) -> None:
    """Addition is associative and commutative, and nothing is its zero."""
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Usage() == a
    assert (a + b).total_tokens == a.total_tokens + b.total_tokens
