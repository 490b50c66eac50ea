"""What is asked of Bedrock: each request stands as it should, and botocore's own model of the service admits it."""

from __future__ import annotations

import base64
import contextlib
import copy
import gc
import json
from itertools import pairwise
from typing import Any

import domain_values as values
import pytest
from bedrock_checks import sent, service, validated
from bedrock_wire import MODEL
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.bedrock import request as bedrock_request
from modelport.adapters.bedrock.request import Unwritable, encode
from modelport.adapters.bedrock.rest_json import written
from modelport.domain.capability import Unsupported
from modelport.domain.message import Audio, Document, Image, Message, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.options.option import resolve
from modelport.domain.request import Request
from modelport.domain.tool import Tool

PNG, PDF = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7"
WEATHER = Tool("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


marks = st.sampled_from(
    [
        {},
        {"cache_control": {"type": "ephemeral"}},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"bedrock": {"cachePoint": {"type": "default"}}},
        {"bedrock": {"signature": "c2ln"}},
        {"bedrock": {"redactedContent": "c2VjcmV0"}},
        {"bedrock": {"guardContent": True}},
        {"bedrock": {"guardContent": {"qualifiers": ["grounding_source"]}}},
    ]
)
parts = st.one_of(
    st.builds(Text, values.texts, metadata=marks),
    st.builds(Reasoning, values.texts, metadata=marks),
    st.builds(Image, st.just(PNG), media_type=st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/gif"])),
    st.builds(Image, url=st.sampled_from(["s3://bucket/a.png", "data:image/png;base64,iVBORw0KGgo="])),
    st.builds(Document, st.just(PDF), name=st.none() | values.texts, metadata=marks),
    st.builds(Audio, st.just(b"RIFF"), media_type=st.sampled_from(["audio/wav", "audio/mpeg"])),
    values.calls,
    st.builds(ToolResult, values.words, st.lists(st.builds(Text, values.texts), max_size=2), is_error=st.booleans()),
)
conversations = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant", "tool"]), st.lists(parts, max_size=4), metadata=marks)
    | st.builds(Message, st.just("system"), st.builds(Text, values.texts), metadata=marks),
    min_size=1,
    max_size=6,
)
options = st.fixed_dictionaries(
    {},
    optional={
        "max_tokens": st.integers(1, 9),
        "temperature": st.none() | st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "thinking": values.objects,
        "extra_body": values.objects,
        "guardrailConfig": st.just(
            {"guardrailIdentifier": "g1", "guardrailVersion": "DRAFT", "streamProcessingMode": "async"}
        ),
        "requestMetadata": st.just({"team": "a"}),
        "performanceConfig": st.just({"latency": "optimized"}),
        "serviceTier": st.just({"type": "flex"}),
        "inferenceConfig": st.just({"temperature": 0.5}),
        "toolConfig": st.just({"tools": [{"cachePoint": {"type": "default"}}]}),
        "additionalModelRequestFields": values.objects,
        "additionalModelResponseFieldPaths": st.just(["/stop_sequence"]),
    },
)
choices = st.sampled_from([None, "auto", "none"])
requests = st.builds(Request, conversations, values.stops, values.tools, choices, options=options)


@given(values.requests | requests, st.booleans(), st.sampled_from([0, 1, 4, None]))
def test_botocore_admits_every_request(request: Request, stream: bool, max_stops: int | None) -> None:
    before = copy.deepcopy(request)
    with contextlib.suppress(Unsupported, Unwritable):
        arguments = encode(request, MODEL, resolve(request.options), max_stops=max_stops, stream=stream)
        body = validated(arguments, stream)
        assert all(one["role"] != other["role"] for one, other in pairwise(body.get("messages", ())))
        stops = body.get("inferenceConfig", {}).get("stopSequences", ())
        assert max_stops is None or len(stops) <= max_stops
    assert request == before


def botocores(arguments: dict[str, Any], stream: bool) -> tuple[str, Any]:
    """The path and the body that botocore makes of the arguments."""
    operation = service().operation_model("ConverseStream" if stream else "Converse")
    made = create_serializer("rest-json", False).serialize_to_request(arguments, operation)
    return made["url_path"], json.loads(made["body"])


@given(values.requests | requests, st.booleans(), st.text(max_size=20).map("m{}".format))
def test_a_request_is_written_as_botocore_writes_it(request: Request, stream: bool, model_id: str) -> None:
    with contextlib.suppress(Unsupported, Unwritable):
        arguments = encode(request, model_id, resolve(request.options), stream=stream)
        path, body = written(arguments, stream=stream)
        assert (path, json.loads(body)) == botocores(arguments, stream)


def test_numbers_of_any_size_and_names_that_are_numbers_are_written_too() -> None:
    options = {"extra_body": {"seed": 2**70, "logit_bias": {50256: -100}}}
    _, body = written(encode(Request([Message("user", "좋아")]), MODEL, options), stream=False)
    fields = json.loads(body)["additionalModelRequestFields"]
    assert fields == {"seed": 2**70, "logit_bias": {"50256": -100}}
    assert "좋아" in json.loads(body)["messages"][0]["content"][0]["text"]


@given(values.requests | requests)
def test_a_request_is_encoded_the_same_each_time(request: Request) -> None:
    """What was remembered of the first time hasn't been changed by it."""
    try:
        first = copy.deepcopy(encode(request, MODEL, resolve(request.options)))
    except (Unsupported, Unwritable):
        return
    assert encode(request, MODEL, resolve(request.options)) == first


def test_what_was_remembered_of_a_message_is_forgotten_with_it() -> None:
    before = len(bedrock_request._memory)
    encode(Request([Message("user", "Hi")], tools=[Tool("clock", "The time.")]), MODEL, {})
    gc.collect()
    assert len(bedrock_request._memory) <= before


def test_system_messages_go_into_their_own_field_wherever_they_stand() -> None:
    body = sent(Message("system", "Be brief."), Message("user", "Hi"), Message("system", "And kind."))
    assert body == {
        "system": [{"text": "Be brief."}, {"text": "And kind."}],
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
    }


def test_messages_of_one_side_become_one_turn_and_lose_nothing() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    body = sent(
        Message("user", "One", metadata=marked),
        Message("user", [Text("Two"), Image(PNG)]),
        Message("assistant", [Text("Let me look."), ToolCall("c1", "weather", '{"city": "서울"}')]),
        Message("tool", ToolResult("c1", "sunny")),
        Message("tool", ToolResult("c2", "no such city", is_error=True)),
        Message("user", "Well?"),
    )
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                {"text": "One"},
                {"cachePoint": {"type": "default"}},
                {"text": "Two"},
                {"image": {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"text": "Let me look."},
                {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "서울"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "sunny"}]}},
                {"toolResult": {"toolUseId": "c2", "content": [{"text": "no such city"}], "status": "error"}},
                {"text": "Well?"},
            ],
        },
    ]


def test_blank_messages_are_left_out_because_they_are_refused() -> None:
    said = [Message("assistant", ""), Message("assistant", " \n"), Message("user", [Text(""), Text("\n")])]
    body = sent(Message("user", "Hi"), *said, Message("user", "Hm?"))
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hi"}, {"text": "Hm?"}]}]


def test_options_go_to_their_places() -> None:
    body = sent(
        Message("user", "Hi"),
        options={
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": None,
            "top_k": 3,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "extra_body": {"seed": 7},
            "inferenceConfig": {"topP": 0.9},
            "requestMetadata": {"team": "a"},
            "guardrailConfig": {
                "guardrailIdentifier": "g1",
                "guardrailVersion": "1",
                "streamProcessingMode": "async",
            },
        },
    )
    del body["messages"]
    assert body == {
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9},
        "additionalModelRequestFields": {
            "top_k": 3,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "seed": 7,
        },
        "requestMetadata": {"team": "a"},
        "guardrailConfig": {"guardrailIdentifier": "g1", "guardrailVersion": "1"},
    }


def test_how_a_stream_is_guarded_is_said_only_of_a_stream() -> None:
    guard = {"guardrailIdentifier": "g1", "guardrailVersion": "1", "streamProcessingMode": "async"}
    body = sent(Message("user", "Hi"), stream=True, options={"guardrailConfig": guard})
    assert body["guardrailConfig"] == guard


@pytest.mark.parametrize(
    ("model_id", "expected"),
    [
        ("us.amazon.nova-pro-v1:0", {"inferenceConfig": {"topK": 5}}),
        ("cohere.command-r-v1:0", {"k": 5}),
        ("anthropic.claude-3-haiku-20240307-v1:0", {"top_k": 5}),
    ],
)
def test_top_k_goes_where_each_maker_wants_it(model_id: str, expected: dict[str, Any]) -> None:
    body = encode(Request([Message("user", "Hi")]), model_id, {"top_k": 5})
    assert body["additionalModelRequestFields"] == expected


def test_as_many_stops_are_sent_as_the_model_takes_and_no_blank_one() -> None:
    body = sent(Message("user", "Hi"), stop_sequences=["\n\n", "a", "b", "c"], max_stops=2)
    assert body["inferenceConfig"] == {"stopSequences": ["a", "b"]}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    one = sent(Message("user", "Hi"), stop_sequences=["\n\n", "a"])
    assert one["inferenceConfig"] == {"stopSequences": ["a"]}
    assert one["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert "inferenceConfig" not in sent(Message("user", "Hi"), stop_sequences=["a"], max_stops=0)
    assert sent(Message("user", "Hi"), stop_sequences=["a"], max_stops=None)["inferenceConfig"] == {
        "stopSequences": ["a"]
    }


def test_a_failed_tools_result_is_never_empty() -> None:
    failed, done = (ToolResult(f"c{number}", "", is_error=number == 1) for number in (1, 2))
    assert sent(Message("tool", failed), Message("tool", done))["messages"][0]["content"] == [
        {"toolResult": {"toolUseId": "c1", "content": [{"text": "error"}], "status": "error"}},
        {"toolResult": {"toolUseId": "c2", "content": []}},
    ]


def test_blank_words_of_a_tools_result_are_left_out() -> None:
    result = ToolResult("c1", [Text(" "), Text("sunny")])
    assert sent(Message("tool", result))["messages"][0]["content"] == [
        {"toolResult": {"toolUseId": "c1", "content": [{"text": "sunny"}]}}
    ]


def test_a_strict_tool_is_declared_so() -> None:
    tool = Tool("clock", "", {"type": "object"}, strict=True)
    spec = {"name": "clock", "inputSchema": {"json": {"type": "object"}}, "strict": True}
    assert sent(Message("user", "Hi"), tools=[tool])["toolConfig"] == {"tools": [{"toolSpec": spec}]}


def test_tools_and_what_to_do_with_them() -> None:
    spec = {
        "toolSpec": {
            "name": "weather",
            "description": "The weather.",
            "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
        }
    }

    def config(choice: str | None, **more: Any) -> Any:
        return sent(Message("user", "Hi"), tools=[WEATHER], tool_choice=choice, **more).get("toolConfig")

    assert config(None) == {"tools": [spec]}
    assert config("auto") == {"tools": [spec], "toolChoice": {"auto": {}}}
    assert config("required") == {"tools": [spec], "toolChoice": {"any": {}}}
    assert config("weather") == {"tools": [spec], "toolChoice": {"tool": {"name": "weather"}}}
    assert config("none") is None
    point = {"cachePoint": {"type": "default"}}
    assert config(None, options={"toolConfig": {"tools": [point]}}) == {"tools": [spec, point]}


def test_a_history_of_calls_declares_their_names_where_no_tool_is_offered() -> None:
    said = (Message("assistant", ToolCall("c1", "weather")), Message("tool", ToolResult("c1", "sunny")))
    declared = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]}
    assert sent(*said)["toolConfig"] == declared
    assert sent(*said, tools=[WEATHER], tool_choice="none")["toolConfig"] == declared


def test_a_cache_point_for_tools_is_left_out_where_there_are_none() -> None:
    config = {"toolConfig": {"tools": [{"cachePoint": {"type": "default"}}]}}
    assert "toolConfig" not in sent(Message("user", "Hi"), options=config)
    said = (Message("assistant", ToolCall("c1", "weather")), Message("tool", ToolResult("c1", "sunny")))
    declared = {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}]}
    assert sent(*said, options=config)["toolConfig"] == declared


def test_the_id_of_a_call_that_converse_wouldnt_take_is_another_for_the_call_and_its_result() -> None:
    """As another provider may have made it."""
    ids = ["functions.weather:0", "", "a/b", "long" * 20 + "1", "long" * 20 + "2"]
    said = [Message("assistant", [ToolCall(id_, "weather") for id_ in ids])]
    said += [Message("tool", ToolResult(id_, "sunny")) for id_ in ids]
    calls, results = (message["content"] for message in sent(*said)["messages"])
    found = [block["toolUse"]["toolUseId"] for block in calls]
    assert found == [block["toolResult"]["toolUseId"] for block in results]
    assert found[0] == "functions.weather:0"
    assert len(set(found)) == 5
    assert all(id_.isalnum() and len(id_) == 64 for id_ in found[1:])


@pytest.mark.parametrize("arguments", ['{"city": "Seo', "[1]", '{"a": NaN}', '{"a": 1e999}', '{"a":' * 9999])
def test_arguments_that_are_no_object_are_shown_as_they_stand(arguments: str) -> None:
    body = sent(Message("assistant", ToolCall("c1", "weather", arguments)))
    assert body["messages"][0]["content"][0]["toolUse"]["input"] == {"arguments": arguments}


def test_a_schema_goes_to_the_providers_own_mode() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "colour", "schema": {"type": "object"}, "strict": True}}
    text_format = {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "colour"}},
    }
    assert sent(Message("user", "Hi"), response_format=form)["outputConfig"] == {"textFormat": text_format}
    form["json_schema"]["description"] = "Of a car."  # type: ignore[index]
    text_format["structure"]["jsonSchema"]["description"] = "Of a car."  # type: ignore[index]
    request = Request([Message("user", "Hi")], response_format=form)
    body = encode(request, MODEL, {"outputConfig": {"effort": "low"}})  # which botocore hasn't always known
    assert body["outputConfig"] == {"effort": "low", "textFormat": text_format}


@pytest.mark.parametrize("words", ["", " \n"])
def test_a_question_without_a_word_is_refused_here_since_the_service_takes_none(words: str) -> None:
    with pytest.raises(Unwritable) as refused:
        encode(Request([Message("user", words)]), MODEL, {})
    assert str(refused.value) == "messages: Bedrock takes no question without a word in it, and here is none"


def test_a_prompt_that_the_service_keeps_has_words_of_its_own() -> None:
    kept = "arn:aws:bedrock:us-east-1:1:prompt/A1:2"
    assert encode(Request([Message("user", "")]), kept, {}) == {"modelId": kept, "messages": []}
