"""A request is written for the Messages wire as it must be, and what can't be is refused by its place."""

from __future__ import annotations

import base64
import gc
import json
from itertools import pairwise
from typing import Any

import pytest
from conformance import PICTURE
from hypothesis import given
from hypothesis import strategies as st
from loopback import Loopback
from messages_wire import HI, failed, sent, whole

from modelport import (
    OMIT,
    Audio,
    Document,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Reasoning,
    Regex,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from modelport.adapters.anthropic.request import encode, version_of
from modelport.domain.capability import Unsupported

MARK = {"cache_control": {"type": "ephemeral"}}


def own(**fields: Any) -> dict[str, Any]:
    return {"anthropic": fields}


def body(*messages: Message, options: dict[str, Any] | None = None, **fields: Any) -> Any:
    return json.loads(encode(Request(messages or HI.messages, **fields), "m", options or {}))


def contents(*messages: Message) -> list[Any]:
    return [turn["content"] for turn in body(*messages)["messages"]]


def text(words: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **fields}


def test_results_come_first_in_their_turn() -> None:
    """The API refuses a result that comes after words."""
    said = [
        Message("user", "Go!"),
        Message("assistant", [ToolCall("a", "f"), ToolCall("b", "f")]),
        Message("user", "By the way:"),
        Message("tool", ToolResult("a", "1")),
        Message("user", [Text("And"), ToolResult("b", "2")]),
    ]
    assert [block["type"] for block in contents(*said)[2]] == ["tool_result", "tool_result", "text", "text"]


def test_turns_alternate_whatever_comes() -> None:
    said = [
        Message("user", "a"),
        Message("user", "b"),
        Message("assistant", "c"),
        Message("assistant", "d"),
        Message("system", "e"),
        Message("assistant", "f"),
        Message("user", "g"),
    ]
    sides = [(turn["role"], len(turn["content"])) for turn in body(*said)["messages"]]
    assert sides == [("user", 2), ("assistant", 3), ("user", 1)]


def test_system_messages_go_to_the_system_field_wherever_they_stand() -> None:
    said = [Message("user", "a"), Message("system", "b"), Message("user", "c"), Message("system", "d")]
    assert body(*said)["system"] == [text("b"), text("d")]


def test_blank_texts_and_empty_messages_are_left_out() -> None:
    said = [Message("system", " "), Message("user", [Text("\n"), Text("a")]), Message("assistant", "")]
    assert body(*said) == {"model": "m", "messages": [{"role": "user", "content": [text("a")]}], "max_tokens": 16_000}


def test_thoughts_of_others_are_left_out() -> None:
    said = Message("assistant", [Reasoning("Hm.", metadata={"bedrock": {"signature": "c2ln"}}), Text("Hi")])
    assert contents(Message("user", "a"), said)[1] == [text("Hi")]


@pytest.mark.parametrize(
    ("id_", "written"),
    [
        ("toolu_01-A", "toolu_01-A"),
        ("a" * 64, "a" * 64),
        ("call.1", "e8b7b7b3793f991dd79d37cbf2fd785d18c946a18a1f1cd92454fd4a5958ef14"),
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ],
)
def test_an_id_that_the_api_would_not_take_becomes_its_hash(id_: str, written: str) -> None:
    said = [Message("user", "a"), Message("assistant", ToolCall(id_, "f")), Message("tool", ToolResult(id_, "1"))]
    _, calls, results = contents(*said)
    assert (calls[0]["id"], results[0]["tool_use_id"]) == (written, written)


def test_broken_arguments_are_made_an_object() -> None:
    assert contents(Message("assistant", ToolCall("a", "f", '{"x": ')))[0][0]["input"] == {"arguments": '{"x": '}


def test_calls_of_before_are_declared_where_no_tool_is() -> None:
    said = [Message("user", "a"), Message("assistant", [ToolCall("a", "f"), ToolCall("b", "g"), ToolCall("c", "f")])]
    written = body(*said)
    assert written["tools"] == [{"name": name, "input_schema": {"type": "object"}} for name in ("f", "g")]
    assert written["tool_choice"] == {"type": "none"}


def test_no_parallel_calls_go_with_a_choice_and_not_without_tools() -> None:
    one = {"parallel_tool_calls": False}
    fields: dict[str, Any] = {"tools": [Tool("f")], "tool_choice": "required"}
    assert body(options=one, **fields)["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert body(options=one, tools=[Tool("f")], tool_choice="none")["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in body(options=one)
    assert "tool_choice" not in body(options={"parallel_tool_calls": True}, tools=[Tool("f")])


# Markers


def marked(content: Any) -> list[str]:
    """The texts that are marked, in the order in which they are sent."""
    found = [*content.get("system", ()), *(block for turn in content["messages"] for block in turn["content"])]
    return [block.get("text", block["type"]) for block in found if "cache_control" in block]


def test_the_last_four_markers_are_sent() -> None:
    said = [Message("system", "s", metadata=MARK)]
    said += [Message("user" if at % 2 else "assistant", [Text(f"{at}a", metadata=MARK), Text(f"{at}b", metadata=MARK)])
             for at in range(3)]  # fmt: skip
    assert marked(body(*said)) == ["1a", "1b", "2a", "2b"]
    assert marked(body(*said[:3])) == ["0a", "0b", "1a", "1b"]
    assert marked(body(*said[:2])) == ["s", "0a", "0b"]


def test_a_marker_of_the_whole_takes_one_of_the_four() -> None:
    said = [Message("user", [Text(str(at), metadata=MARK) for at in range(5)])]
    assert marked(body(*said, options={"cache_control": {"type": "ephemeral"}})) == ["2", "3", "4"]


def test_a_conversation_that_lost_its_markers_has_them_again_when_it_is_short() -> None:
    said = [Message("user", Text(str(at), metadata=MARK)) for at in range(5)]
    assert marked(body(*said)) == ["1", "2", "3", "4"]
    assert marked(body(said[0])) == ["0"]


def test_thoughts_take_no_marker() -> None:
    thought = Reasoning("Hm.", metadata={**own(signature="c2ln"), **MARK})
    assert marked(body(Message("assistant", [Text("a"), thought], metadata=MARK))) == ["a"]
    assert marked(body(Message("assistant", thought, metadata=MARK))) == []


def test_a_marker_inside_a_result_is_the_result_s() -> None:
    result = ToolResult("a", (Text("1", metadata=MARK), Text("2")))
    written = contents(Message("tool", result))[0][0]
    assert written["cache_control"] == MARK["cache_control"]
    assert written["content"] == [text("1"), text("2")]


def test_a_marker_of_a_message_of_results_is_the_last_one_s() -> None:
    said = Message("tool", [ToolResult("a", "1"), ToolResult("b", "2")], metadata=MARK)
    assert ["cache_control" in block for block in contents(said)[0]] == [False, True]


# Media

SEEN = {"type": "base64", "media_type": "image/gif", "data": base64.b64encode(PICTURE.data or b"").decode()}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (PICTURE, SEEN),
        (Image(url=f"data:image/gif;base64,{SEEN['data']}"), SEEN),
        (Image(b"x", media_type="image/JPG; q=1"), {"type": "base64", "media_type": "image/jpeg", "data": "eA=="}),
        (Image(url="https://a/b.png"), {"type": "url", "url": "https://a/b.png"}),
        (Image(b"", metadata=own(source={"type": "file", "file_id": "f"})), {"type": "file", "file_id": "f"}),
        (Document(b"%PDF-"), PDF),
        (Document(url="HTTPS://a/b.pdf"), {"type": "url", "url": "HTTPS://a/b.pdf"}),
        (Document("가".encode(), media_type="text/csv"), {"type": "text", "media_type": "text/plain", "data": "가"}),
    ],
)
def test_a_picture_or_a_document_has_this_source(part: Any, source: dict[str, str]) -> None:
    assert contents(Message("user", part))[0] == [{"type": type(part).__name__.lower(), "source": source}]


def test_a_document_brings_its_title_and_what_is_said_of_it() -> None:
    part = Document(b"%PDF-", name="Q3", metadata=own(citations={"enabled": True}, context="c", title="The third", x=1))
    assert contents(Message("user", part))[0] == [
        {"type": "document", "source": PDF, "title": "The third", "context": "c", "citations": {"enabled": True}}
    ]


def test_citations_go_back_in_the_model_s_own_message_alone() -> None:
    cited = Text("Green.", metadata=own(citations=[{"type": "char_location"}]))
    assert contents(Message("assistant", cited))[0] == [text("Green.", citations=[{"type": "char_location"}])]
    assert contents(Message("user", cited))[0] == [text("Green.")]


def test_a_result_holds_text_and_pictures_and_says_that_it_is_an_error() -> None:
    result = ToolResult("a", (Text("See:"), Text(" "), PICTURE), is_error=True)
    assert contents(Message("tool", [result, ToolResult("b")]))[0] == [
        {
            "type": "tool_result",
            "tool_use_id": "a",
            "content": [text("See:"), {"type": "image", "source": SEEN}],
            "is_error": True,
        },
        {"type": "tool_result", "tool_use_id": "b"},
    ]


def test_a_tool_says_what_it_is_for_and_whether_it_is_strict() -> None:
    tools = [Tool("f", "For x.", {"type": "object"}, strict=True), Tool("g")]
    written = body(tools=tools, tool_choice="g")
    assert written["tools"] == [
        {
            "name": "f",
            "description": "For x.",
            "strict": True,
            "input_schema": {"type": "object"},
        },
        {"name": "g", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert written["tool_choice"] == {"type": "tool", "name": "g"}
    assert body(tools=tools, tool_choice="auto")["tool_choice"] == {"type": "auto"}


BOUNDED = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}


def test_a_form_and_a_strict_tool_are_told_in_anthropic_s_dialect() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}}
    told = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    tools = [Tool("f", "", schema, strict=True), Tool("g", "", schema)]
    written = sent(Request(HI.messages, tools=tools, response_format=JsonSchema(schema)))
    assert written["output_config"]["format"] == {"type": "json_schema", "schema": told}
    assert [tool["input_schema"] for tool in written["tools"]] == [told, schema]


def test_what_the_dialect_can_not_say_is_refused_with_its_place_before_it_is_sent() -> None:
    with Loopback(whole()) as server:
        form = failed(server, Request(HI.messages, response_format=JsonSchema(BOUNDED)))
        tool = failed(server, Request(HI.messages, tools=[Tool("f", "", BOUNDED, strict=True)]))
        assert server.requests == []
    assert (form.kind, form.sent, tool.kind) == ("unsupported", "no", "unsupported")
    assert form.message.startswith("response_format: properties.n.minimum: ")
    assert tool.message.startswith("tools[0].parameters: properties.n.minimum: ")


def test_where_nobody_asks_for_a_guarantee_a_bound_is_left_to_a_check() -> None:
    written = sent(Request(HI.messages, response_format=JsonSchema(BOUNDED, strict=False)))
    assert written["output_config"]["format"]["schema"]["properties"] == {"n": {"type": "integer"}}


# What can't be sent

NO_TEXT = Document(b"\xff\xfe", media_type="text/plain")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Message("user", Audio(b"x")), "messages[0].content[0]: the Messages API takes no Audio"),
        (Message("tool", ToolResult("a", (Audio(b"x"),))), "messages[0].content[0].content[0]: the Messages API takes"),
        (Message("system", PICTURE), "messages[0].content[0]: the system field takes text, and no Image"),
        (Message("assistant", [Text("a"), PICTURE]), "messages[0].content[1]: an assistant's message takes no Image"),
        (Message("assistant", Document(b"x")), "messages[0].content[0]: an assistant's message takes no Document"),
        (Message("user", Image(b"x", media_type="image/tiff")), "image/webp, and no image/tiff"),
        (Message("user", Image(url="s3://a/b.png")), "this provider fetches no 's3://a/b.png'"),
        (
            Message("user", Document(b"x", media_type="application/msword")),
            "takes PDFs and text, and no application/ms",
        ),
        (Message("user", Document(url="https://a/b.csv", media_type="text/csv")), "fetches PDFs alone; pass the bytes"),
        (Message("user", NO_TEXT), "messages[0].content[0]: the Messages API takes text in UTF-8, which this isn't"),
    ],
)
def test_what_has_no_place_is_refused_with_its_own(message: Message, words: str) -> None:
    with pytest.raises(Unsupported) as refused:
        body(message)
    assert words in str(refused.value)


@pytest.mark.parametrize("form", [JsonObject(), Regex("a+")])
def test_a_form_that_the_api_does_not_have_is_refused(form: Any) -> None:
    with pytest.raises(Unsupported, match=f"the Messages API has no {type(form).__name__}"):
        body(response_format=form)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output_config": "low"}, "options: output_config is a dict, not 'low'"),
        ({"extra_body": {"model": "other"}}, "extra_body: 'model' is set by the call itself"),
        ({"extra_body": {"tools": "all"}}, "extra_body: tools is a list, not 'all'"),
        ({"extra_body": {"x": object()}}, "the options or tools can't be written as JSON"),
    ],
)
def test_an_option_that_can_not_be_sent_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        encode(HI, "m", options)


def test_metadata_that_is_no_json_is_refused_with_its_place() -> None:
    said = Message("assistant", Text("", metadata=own(block={"type": "x", "y": object()})))
    with pytest.raises(ValueError, match=r"messages\[0\] can't be written as JSON"):
        body(said)


# Options


@pytest.mark.parametrize(
    ("model", "options", "most"),
    [
        ("claude-sonnet-5-5", {}, 16_000),
        ("claude-3-haiku-20240307", {}, 4096),
        ("claude-3-5-sonnet@20241022", {}, 8192),
        ("claude-sonnet-5-5", {"max_tokens": 5}, 5),
        ("claude-sonnet-5-5", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, 17_024),
        ("claude-sonnet-5-5", {"thinking": {"type": "adaptive"}}, 16_000),
        ("claude-sonnet-5-5", {"thinking": None}, 16_000),
    ],
)
def test_an_answer_may_get_this_long(model: str, options: dict[str, Any], most: int) -> None:
    assert json.loads(encode(HI, model, options))["max_tokens"] == most


def test_the_base_model_says_how_long_an_answer_may_get() -> None:
    assert json.loads(encode(HI, "mine", {}, base_model="claude-3-haiku"))["max_tokens"] == 4096
    assert sent(base_model="claude-3-haiku")["max_tokens"] == 4096


@pytest.mark.parametrize("option", ["temperature", "top_p", "top_k"])
def test_a_call_with_sampling_is_one_of_the_version_before(option: str) -> None:
    assert (version_of({option: 1}), version_of({"max_tokens": 1})) == ("2023-06-01", "2026-10-21")


def test_an_effort_is_part_of_the_output_s_configuration() -> None:
    options = {"output_config": {"effort": "low", "x": 1}, "reasoning_effort": "high"}
    assert body(options=options)["output_config"] == {"effort": "high", "x": 1}


def test_tools_of_extra_body_stand_after_the_call_s_and_what_is_omitted_is_not_sent() -> None:
    own_tool = {"type": "web_search_20250305", "name": "web_search"}
    written = body(options={"extra_body": {"tools": [own_tool], "x": OMIT}}, tools=[Tool("f")])
    assert [tool["name"] for tool in written["tools"]] == ["f", "web_search"]
    assert "x" not in written
    assert body(options={"extra_body": {"tools": (own_tool,)}})["tools"] == [own_tool]


def test_blank_stops_are_not_sent_nor_more_than_the_capability_says() -> None:
    request = Request(HI.messages, ["\n", "a", "b"])
    assert json.loads(encode(request, "m", {}))["stop_sequences"] == ["a", "b"]
    assert json.loads(encode(request, "m", {}, max_stops=1))["stop_sequences"] == ["a"]
    assert "stop_sequences" not in json.loads(encode(request, "m", {}, max_stops=0))


def test_a_message_is_forgotten_with_its_last_user() -> None:
    from modelport.adapters.anthropic import request as written

    gc.collect()
    before = len(written._memory)
    said = Message("user", "something that nobody else says")
    assert body(said) == body(said)
    assert len(written._memory) == before + 1
    del said
    gc.collect()
    assert len(written._memory) == before


SAID = st.text("ab \n", max_size=3)
PARTS = {
    "user": SAID.map(Text),
    "system": SAID.map(Text),
    "assistant": st.one_of(SAID.map(Text), SAID.map(Reasoning), st.builds(ToolCall, SAID, st.just("f"))),
    "tool": st.builds(ToolResult, SAID, SAID),
}
TURNS = st.sampled_from(sorted(PARTS)).flatmap(
    lambda role: st.builds(Message, st.just(role), st.lists(PARTS[role], max_size=3))
)


@given(st.lists(TURNS, min_size=1, max_size=6))
def test_any_conversation_is_one_that_the_api_takes(said: list[Message]) -> None:
    """Strict turns, none of them empty, results first, no blank text, legal ids."""
    turns = body(*said)["messages"]
    sides = [turn["role"] for turn in turns]
    assert all(one != other for one, other in pairwise(sides))
    for turn in turns:
        kinds = [block["type"] for block in turn["content"]]
        assert kinds
        assert "tool_result" not in kinds[kinds.count("tool_result") :]
        for block in turn["content"]:
            assert block.get("text", "x").strip()
            assert block.get("id", block.get("tool_use_id", "x")).replace("-", "_").replace("_", "x").isalnum()
