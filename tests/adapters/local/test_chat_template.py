"""A conversation in the dicts that chat templates were written for."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import Audio, Document, Image, Message, Reasoning, Text, Tool, ToolCall, ToolResult, as_messages
from modelport.adapters.local.template import template_messages, template_tools

CALLED = Message("assistant", [Reasoning("Hm."), Text("Let me see."), ToolCall("c1", "weather", {"city": "서울"})])


def written(*messages: Message, with_images: bool = False) -> list[dict[str, Any]]:
    return template_messages(messages, with_images=with_images)[0]


def test_words_are_a_role_and_a_text() -> None:
    assert written(*as_messages([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


def test_several_texts_are_one() -> None:
    assert written(Message("user", [Text("Hi"), Text(" there")])) == [{"role": "user", "content": "Hi there"}]


def test_thoughts_and_calls_of_before_are_told() -> None:
    assert written(CALLED) == [
        {
            "role": "assistant",
            "content": "Let me see.",
            "reasoning_content": "Hm.",
            "tool_calls": [
                {"type": "function", "id": "c1", "function": {"name": "weather", "arguments": {"city": "서울"}}}
            ],
        }
    ]


def test_arguments_that_are_no_json_stay_as_the_model_wrote_them() -> None:
    (message,) = written(Message("assistant", ToolCall("c1", "f", '{"x": ')))
    assert message["tool_calls"][0]["function"]["arguments"] == '{"x": '


def test_results_bear_the_name_of_their_tool() -> None:
    results = Message("tool", [ToolResult("c1", "sunny"), ToolResult("c2", "no", name="clock", is_error=True)])
    assert written(CALLED, results)[1:] == [
        {"role": "tool", "name": "weather", "tool_call_id": "c1", "content": "sunny"},
        {"role": "tool", "name": "clock", "tool_call_id": "c2", "content": "Error: no"},
    ]


def test_a_result_whose_call_is_not_there_has_no_name() -> None:
    assert written(Message("tool", ToolResult("c9", "sunny"))) == [
        {"role": "tool", "tool_call_id": "c9", "content": "sunny"}
    ]


def test_words_beside_results_are_the_user_s() -> None:
    assert [message["role"] for message in written(Message("tool", [ToolResult("c1", "a"), Text("b")]))] == [
        "tool",
        "user",
    ]


def test_images_are_places_in_the_text_and_bytes_in_their_order() -> None:
    messages = (
        Message("user", [Text("What is"), Image(b"one"), Text("this?")]),
        Message("tool", ToolResult("c1", [Image(b"two")])),
        Message("tool", ToolResult("c2", "none", is_error=True)),
    )
    assert template_messages(messages, with_images=True) == (
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "What is"}, {"type": "image"}, {"type": "text", "text": "this?"}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "image"}]},
            {
                "role": "tool",
                "tool_call_id": "c2",
                "content": [{"type": "text", "text": "Error: "}, {"type": "text", "text": "none"}],
            },
        ],
        [b"one", b"two"],
    )


@pytest.mark.parametrize(
    ("part", "with_images", "says"),
    [
        (Image(b"one"), False, r"messages\[0\]\.content\[0\]: this model's template takes no Image"),
        (Audio(b"one"), True, r"messages\[0\]\.content\[0\]: this model's template takes no Audio"),
        (Document(b"one"), True, r"messages\[0\]\.content\[0\]: this model's template takes no Document"),
        (Image(url="http://127.0.0.1/a.png"), True, "an image at an address: pass its bytes"),
    ],
)
def test_what_a_template_has_no_word_for_is_named(part: Any, with_images: bool, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        written(Message("user", part), with_images=with_images)


def test_tools_are_functions_with_their_schemas() -> None:
    assert template_tools((Tool("clock", "The time."),)) == [
        {
            "type": "function",
            "function": {
                "name": "clock",
                "description": "The time.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]
    assert template_tools(()) is None
