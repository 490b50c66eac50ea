"""domain/estimate and domain/price: what a call will take, and what it costs."""

import pytest

from modelport import (
    Image,
    Message,
    ModelError,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    as_request,
)
from modelport.domain.machines.estimate import as_estimate, estimated, may_have_worked
from modelport.domain.price import Price


def test_a_token_is_four_bytes_of_text_and_a_message_four_tokens():
    assert estimated(as_request("a" * 400, max_tokens=7)) == Usage(104, 7)
    assert estimated(as_request("가" * 400)) == Usage(304, 500)


def test_every_part_counts():
    parts = [Text("a" * 40), Reasoning("b" * 40), ToolCall("1", "look", "{}" + "c" * 34)]
    result = ToolResult("1", [Text("d" * 40), Image(url="https://example.com/a.png")])
    request = Request([Message("assistant", parts), Message("tool", [result])])
    assert estimated(request).input_tokens == 4 + 10 + 10 + 10 + 4 + 10 + 1000


def test_tools_are_sent_with_every_call():
    tool = Tool("look", "What is there?", {"type": "object", "properties": {}})
    assert estimated(as_request("Hi", tools=[tool])).input_tokens > estimated(as_request("Hi")).input_tokens + 10


def test_an_option_that_is_no_number_says_nothing_of_the_answer():
    assert estimated(as_request("Hi", max_tokens=None)).output_tokens == 500


@pytest.mark.parametrize(
    ("kind", "sent", "worked"),
    [
        ("timeout", "perhaps", True),
        ("timeout", "no", False),
        ("interrupted", "yes", True),
        ("rate_limited", "yes", False),
    ],
)
def test_work_may_have_been_done_without_an_answer(kind, sent, worked):
    assert may_have_worked(ModelError(kind, "no answer", sent=sent)) is worked


def test_an_estimate_is_a_function():
    assert as_estimate(None, "here") is estimated
    with pytest.raises(TypeError, match="here: a function from a request to its Usage, not 500"):
        as_estimate(500, "here")


def test_tokens_of_a_prompt_cache_have_their_own_price():
    usage = Usage(1_000_000, 100_000, cached_tokens=400_000, cache_write_tokens=200_000)
    assert Price(2.5, 10.0).of(usage) == 3.5
    assert Price(2.5, 10.0, cached=1.25, cache_write=5.0).of(usage) == 3.5


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "2.5", True, None])
def test_a_price_is_a_number_of_dollars(wrong):
    with pytest.raises(ValueError, match="input must be dollars for a million tokens"):
        Price(wrong, 1.0)
