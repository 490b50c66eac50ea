"""What Bedrock answers, whole and in events, becomes the same response, and goes back as it came."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from bedrock_wire import (
    BEGIN,
    MODEL,
    USAGE,
    answered,
    delta,
    ending,
    finished,
    frame,
    listen,
    start,
    stop,
    streamed,
    text_delta,
    whole,
)
from loopback import Answer, Loopback, Seen

from modelport.adapters.bedrock.answer import BLOCKS as KNOWN
from modelport.adapters.bedrock.answer import FINISH_REASONS, Malformed, decode
from modelport.domain.event import ReasoningDelta, TextDelta, ToolCallDelta
from modelport.domain.message import Audio, Document, Image, Message, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.response import Response
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

SIGNATURE = "c2lnbmVkIGJ5IENsYXVkZQ=="
SECRET = base64.b64encode(b"what nobody may read").decode()
THOUGHT: dict[str, Any] = {
    "reasoningContent": {"reasoningText": {"text": "Two cities, so two calls.", "signature": SIGNATURE}}
}
REDACTED: dict[str, Any] = {"reasoningContent": {"redactedContent": SECRET}}
SEOUL: dict[str, Any] = {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "서울"}}}
BUSAN: dict[str, Any] = {"toolUse": {"toolUseId": "c2", "name": "weather", "input": {"city": "Busan"}}}
BLOCKS: list[dict[str, Any]] = [THOUGHT, REDACTED, {"text": "Let me look."}, SEOUL, BUSAN]
EVENTS = (
    BEGIN,
    delta({"reasoningContent": {"text": "Two cities, "}}),
    delta({"reasoningContent": {"text": "so two calls."}}),
    delta({"reasoningContent": {"signature": SIGNATURE}}),
    stop(),
    delta({"reasoningContent": {"redactedContent": SECRET}}, 1),
    stop(1),
    text_delta("Let me ", 2),
    text_delta("look.", 2),
    stop(2),
    start({"toolUse": {"toolUseId": "c1", "name": "weather"}}, 3),
    delta({"toolUse": {"input": ""}}, 3),
    delta({"toolUse": {"input": '{"city":'}}, 3),
    delta({"toolUse": {"input": '"서울"}'}}, 3),
    stop(3),
    start({"toolUse": {"toolUseId": "c2", "name": "weather"}}, 4),
    delta({"toolUse": {"input": '{"city":"Busan"}'}}, 4),
    stop(4),
    *ending("tool_use"),
)
WEATHER = Tool("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


def saying(blocks: list[dict[str, Any]], events: tuple[bytes, ...], reason: str = "end_turn") -> Any:
    def answer(seen: Seen) -> Answer:
        return streamed(*events) if seen.path.endswith("/converse-stream") else whole(blocks, reason)

    return answer


def both(blocks: list[dict[str, Any]], *events: bytes, reason: str = "end_turn") -> Response:
    """The answer, which is the same whole and streamed."""
    with Loopback(saying(blocks, (BEGIN, *events, *ending(reason)), reason)) as server:
        one, other = answered(server), finished(server)
    assert one == other
    return one


def test_thoughts_text_and_parallel_calls_are_read_whole_and_streamed() -> None:
    with Loopback(saying(BLOCKS, EVENTS, "tool_use")) as server:
        response, events = answered(server), listen(server)
        assert finished(server) == response
    assert response.message == Message(
        "assistant",
        [
            Reasoning("Two cities, so two calls.", metadata={"bedrock": {"signature": SIGNATURE}}),
            Reasoning("", metadata={"bedrock": {"redactedContent": SECRET}}),
            Text("Let me look."),
            ToolCall("c1", "weather", '{"city":"서울"}'),
            ToolCall("c2", "weather", '{"city":"Busan"}'),
        ],
    )
    assert (response.finish_reason, response.model_id, response.response_id) == ("tool_calls", MODEL, "req-1")
    assert events[:-1] == [
        ReasoningDelta("Two cities, "),
        ReasoningDelta("so two calls."),
        TextDelta("Let me "),
        TextDelta("look."),
        ToolCallDelta(0, "c1", "weather"),
        ToolCallDelta(0, arguments='{"city":'),
        ToolCallDelta(0, arguments='"서울"}'),
        ToolCallDelta(1, "c2", "weather"),
        ToolCallDelta(1, arguments='{"city":"Busan"}'),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_round_without_a_loss(stream: bool) -> None:
    """Two parallel calls, their results, signed and redacted thoughts, an image, a document and a cache point."""
    question = Message(
        "user",
        [
            Text("What is the weather there?"),
            Image(b"\xff\xd8\xff a picture", media_type="image/jpeg"),
            Document(b"%PDF-1.7 a page", name="cities.pdf", metadata={"cache_control": {"type": "ephemeral"}}),
        ],
    )
    with Loopback(saying(BLOCKS, EVENTS, "tool_use")) as server:
        said = (finished if stream else answered)(server, Request([question], tools=[WEATHER])).message
        results = [
            Message("tool", ToolResult("c1", "sunny")),
            Message("tool", ToolResult("c2", "rain", metadata={"bedrock": {"cachePoint": {"type": "default"}}})),
        ]
        answered(server, Request([question, said, *results], tools=[WEATHER]))
        first, second = server.requests[0].json, server.requests[-1].json
    assert (
        first["messages"]
        == second["messages"][:1]
        == [
            {
                "role": "user",
                "content": [
                    {"text": "What is the weather there?"},
                    {
                        "image": {
                            "format": "jpeg",
                            "source": {"bytes": base64.b64encode(b"\xff\xd8\xff a picture").decode()},
                        }
                    },
                    {
                        "document": {
                            "format": "pdf",
                            "name": "cities",
                            "source": {"bytes": base64.b64encode(b"%PDF-1.7 a page").decode()},
                        }
                    },
                    {"cachePoint": {"type": "default"}},
                ],
            }
        ]
    )
    assert second["messages"][1:] == [
        {"role": "assistant", "content": BLOCKS},
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "sunny"}]}},
                {"toolResult": {"toolUseId": "c2", "content": [{"text": "rain"}]}},
                {"cachePoint": {"type": "default"}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "other"),
        ("malformed_tool_use", "other"),
        ("a_word_of_tomorrow", "other"),
    ],
)
def test_every_stop_reason_is_understood(word: str, expected: str) -> None:
    assert both([{"text": "Hi"}], text_delta("Hi"), stop(), reason=word).finish_reason == expected


def test_the_table_has_every_stop_reason_that_botocore_knows() -> None:
    import botocore.session

    shape = botocore.session.get_session().get_service_model("bedrock-runtime").shape_for("StopReason")
    assert set(shape.enum) <= FINISH_REASONS.keys()


def test_cached_tokens_are_a_part_of_those_read() -> None:
    usage = {**USAGE, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 20}
    with Loopback(whole(usage=usage)) as server:
        assert answered(server).usage == Usage(127, 3, 100, 20)
    assert decode({"output": {"message": {"content": []}}, "stopReason": "end_turn"}).usage is None


def test_the_stop_that_the_model_reports_is_named() -> None:
    request = Request([Message("user", "hi")], ["END", "FIN"])
    fields: Any = {"additionalModelResponseFields": {"stop_sequence": "FIN"}}
    with Loopback(whole("One", "stop_sequence", **fields)) as server:
        assert answered(server, request).stopped_by == "FIN"
        server.script = [streamed(BEGIN, text_delta("One"), stop(), *ending("stop_sequence", **fields))]
        assert finished(server, request).stopped_by == "FIN"
        server.script = [whole("One", "stop_sequence")]
        assert answered(server, request).stopped_by is None
        assert answered(server, Request([Message("user", "hi")], ["END"])).stopped_by == "END"


def test_a_stop_that_the_model_ignored_ends_the_text_and_what_comes_after_it() -> None:
    request = Request([Message("user", "hi")], ["END"])
    events = (BEGIN, text_delta("One EN"), text_delta("D two"), stop(), *EVENTS[10:])
    with Loopback(saying([{"text": "One END two"}, SEOUL], events, "tool_use")) as server:
        for response in (answered(server, request), finished(server, request)):
            assert (response.content, response.tool_calls) == ("One ", ())
            assert (response.finish_reason, response.stopped_by) == ("stop", "END")


def test_a_call_without_arguments_has_an_empty_object() -> None:
    block = {"toolUse": {"toolUseId": "c1", "name": "clock", "input": {}}}
    response = both([block], start({"toolUse": {"toolUseId": "c1", "name": "clock"}}), stop(), reason="tool_use")
    assert response.tool_calls == (ToolCall("c1", "clock", "{}"),)


def test_arguments_that_broke_off_are_kept_as_they_are() -> None:
    with Loopback(
        streamed(
            BEGIN,
            start({"toolUse": {"toolUseId": "c1", "name": "clock"}}),
            delta({"toolUse": {"input": '{"at": "no'}}),
            stop(),
            *ending("max_tokens"),
        )
    ) as server:
        response = finished(server)
    assert response.tool_calls == (ToolCall("c1", "clock", '{"at": "no'),)
    assert response.finish_reason == "length"


def test_citations_are_kept_and_go_back_as_they_came() -> None:
    citation = {"title": "A page", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}
    block = {"citationsContent": {"content": [{"text": "It rains."}], "citations": [citation]}}
    response = both([block], text_delta("It rains."), delta({"citation": citation}), stop())
    assert response.content == "It rains."
    with Loopback(whole()) as server:
        answered(server, Request([Message("user", "hi"), response.message, Message("user", "Why?")]))
        assert server.requests[-1].json["messages"][1]["content"] == [block]


def test_a_tool_that_the_service_runs_itself_is_no_call_of_ours() -> None:
    use: dict[str, Any] = {
        "toolUse": {"toolUseId": "s1", "name": "search", "input": {"q": "rain"}, "type": "server_tool_use"}
    }
    with Loopback(whole([use, {"text": "It rains."}])) as server:
        response = answered(server)
        assert (response.content, response.tool_calls) == ("It rains.", ())
        answered(server, Request([Message("user", "hi"), response.message]))
        assert server.requests[-1].json["messages"][1]["content"] == [use, {"text": "It rains."}]


def test_what_the_services_own_tool_and_a_picture_say_in_pieces_is_gathered() -> None:
    found = {"toolResult": {"toolUseId": "s1", "content": [{"text": "rain"}, {"text": "sun"}]}}
    picture = {"image": {"format": "png", "source": {"bytes": "iVBO"}}}
    use = {"toolUse": {"toolUseId": "c1", "name": "clock", "input": {}}}
    response = both(
        [found, picture, use, {"text": "So."}],
        start({"toolResult": {"toolUseId": "s1"}}),
        delta({"toolResult": [{"text": "rain"}]}),
        delta({"toolResult": [{"text": "sun"}]}),
        start({"image": {"format": "png"}}, 1),
        delta({"image": {"source": {"bytes": "iVBO"}}}, 1),
        start({"toolUse": {"toolUseId": "c1"}}, 2),
        start({"toolUse": {"toolUseId": "c1", "name": "clock"}}, 2),  # said again
        stop(2),
        delta({"reasoningContent": {"of tomorrow": 1}}, 4),
        text_delta("So.", 5),
        reason="tool_use",
    )
    assert response.message == Message(
        "assistant",
        [
            Text("", metadata={"bedrock": {"block": found}}),
            Image(b"\x89PN", media_type="image/png"),
            ToolCall("c1", "clock", "{}"),
            Text("So."),
        ],
    )


def test_pictures_and_sounds_that_it_answers_are_parts() -> None:
    picture = {"image": {"format": "png", "source": {"bytes": "iVBO"}}}
    sound = {"audio": {"format": "mp3", "source": {"bytes": "SUQz"}}}
    with Loopback(whole([picture, sound])) as server:
        assert answered(server).message.content == (
            Image(b"\x89PN", media_type="image/png"),
            Audio(b"ID3", media_type="audio/mpeg"),
        )


def test_events_that_nobody_knows_are_stepped_over() -> None:
    with Loopback(
        streamed(
            BEGIN,
            frame("news", {"of": "tomorrow"}),
            delta({"hologram": {"x": 1}}, 1),
            frame("contentBlockDelta", {}),
            text_delta("Hi", 2),
            *ending(),
        )
    ) as server:
        assert finished(server).content == "Hi"


def test_a_block_of_tomorrow_doesnt_keep_the_conversation_from_going_on() -> None:
    """Nobody knows whether the service takes back what it has sent."""
    blocks = [{"hologram": {"x": 1}}, {"text": "Hi"}]
    response = both(blocks, start({"hologram": {"x": 1}}), stop(), text_delta("Hi", 1), stop(1))
    assert response.message == Message("assistant", "Hi")
    assert response.raw["output"]["message"]["content"][0] == {"hologram": {"x": 1}}
    with Loopback(whole("Well.")) as server:
        history = [Message("user", "hi"), response.message, Message("user", "And?")]
        assert answered(server, Request(history)).content == "Well."


def test_the_table_has_every_block_that_botocore_knows() -> None:
    import botocore.session

    shape = botocore.session.get_session().get_service_model("bedrock-runtime").shape_for("ContentBlock")
    assert set(shape.members) == KNOWN


def test_what_it_cost_may_be_said_before_why_it_ended() -> None:
    reason, cost = ending("max_tokens")
    with Loopback(streamed(BEGIN, text_delta("Hi"), cost, reason, pause=0.01)) as server:
        response = finished(server)
    assert (response.finish_reason, response.usage) == ("length", Usage(7, 3))


def test_the_model_that_a_router_chose_is_named() -> None:
    arn = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"
    with Loopback(whole(trace={"promptRouter": {"invokedModelId": arn}})) as server:
        assert answered(server).model_id == arn


def test_the_providers_own_answer_is_kept() -> None:
    with Loopback(saying(BLOCKS, EVENTS, "tool_use")) as server:
        raw = finished(server).raw
    assert raw["stopReason"] == "tool_use"
    assert raw["metrics"] == {"latencyMs": 5}
    content = raw["output"]["message"]["content"]
    assert json.loads(content[-1]["toolUse"]["input"]) == {"city": "Busan"}


@pytest.mark.parametrize("answer", [None, [], {}, {"output": {}}, {"output": {"message": {"content": "Hi"}}}])
def test_what_has_no_message_is_malformed(answer: object) -> None:
    with pytest.raises(Malformed):
        decode(answer)
