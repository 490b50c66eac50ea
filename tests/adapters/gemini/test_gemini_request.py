"""What is refused before it is sent, and what of a conversation isn't."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest
from gemini_wire import HI as ASKED
from gemini_wire import failed, model, whole
from loopback import Loopback

from modelport import (
    OMIT,
    Capabilities,
    Document,
    Grammar,
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
from modelport.adapters.gemini import contents as conversation
from modelport.adapters.gemini.contents import contents
from modelport.adapters.gemini.request import encode, wire_body
from modelport.domain.capability import Unsupported

HI = Message("user", "Hi")
OLD, NEW = "gemini-2.5-flash", "gemini-3-pro-preview"
CITY = Tool("weather", "", {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}}})

REFUSED: dict[str, tuple[Request, str, str]] = {
    "a picture in the system message": (
        Request([Message("system", [Text("Look."), Image(b"x")]), HI]),
        "unsupported",
        "messages[0].content[1]: Gemini's system instruction takes text, and no Image",
    ),
    "a result of nobody's call": (
        Request([HI, Message("tool", ToolResult("c9", "sunny"))]),
        "invalid_request",
        "messages[1].content[0]: no call before it has the id 'c9'",
    ),
    "min_p": (Request([HI], options={"min_p": 0.1}), "unsupported", "options: Gemini has no min_p"),
    "an unknown effort": (
        Request([HI], options={"reasoning_effort": "xhigh"}),
        "invalid_request",
        "options: reasoning_effort is one of none, minimal, low, medium, high for this model, not 'xhigh'",
    ),
    "an effort and a budget": (
        Request([HI], options={"reasoning_effort": "low", "thinkingConfig": {"thinkingBudget": 1}}),
        "invalid_request",
        "options: reasoning_effort and thinkingConfig are one thing",
    ),
    "a cache and a system message": (
        Request([Message("system", "Be brief."), HI], options={"cachedContent": "cachedContents/a"}),
        "invalid_request",
        "options: cachedContent brings its own system instruction and tools, and Gemini refuses systemInstruction",
    ),
    "a cache and a tool": (
        Request([HI], tools=[CITY], options={"cachedContent": "cachedContents/a"}),
        "invalid_request",
        "options: cachedContent brings its own system instruction and tools, and Gemini refuses tools",
    ),
    "a cache and a tool of Google's": (
        Request([HI], options={"cachedContent": "c", "extra_body": {"tools": [{"googleSearch": {}}]}}),
        "invalid_request",
        "options: cachedContent brings its own",
    ),
    "arguments in pieces": (
        Request([HI], options={"toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": True}}}),
        "invalid_request",
        "options: toolConfig: streamFunctionCallArguments isn't read here",
    ),
    "several answers": (
        Request([HI], options={"generationConfig": {"candidateCount": 2}}),
        "invalid_request",
        "options: generationConfig: a call has one answer",
    ),
    "a number said twice": (
        Request([HI], options={"temperature": 1, "extra_body": {"generationConfig": {"temperature": 0}}}),
        "invalid_request",
        "extra_body: 'generationConfig' is set by the call itself",
    ),
    "the conversation said twice": (
        Request([HI], options={"extra_body": {"contents": []}}),
        "invalid_request",
        "extra_body: 'contents' is set by the call itself",
    ),
    "what JSON can't hold": (
        Request([HI], options={"labels": {"a": object()}}),
        "invalid_request",
        "the options, the tools or the metadata can't be written as JSON",
    ),
    "a schema": (
        Request([HI], response_format=JsonSchema({"type": "string", "pattern": "a"})),
        "unsupported",
        "response_format: pattern: it is no part of the dialect",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_place_before_it_is_sent(name: str) -> None:
    request, kind, words = REFUSED[name]
    with Loopback(whole()) as server:
        found = asyncio.run(model(server).generate(request)).failure()
    assert (found.kind, found.sent, server.requests) == (kind, "no", [])
    assert found.message.startswith(words)


@pytest.mark.parametrize("form", [Regex("a+"), Grammar('root ::= "a"', "ebnf")])
def test_a_form_that_gemini_has_not_is_refused(form: Regex | Grammar) -> None:
    with pytest.raises(Unsupported, match=f"response_format: Gemini has no {type(form).__name__}"):
        wire_body(Request([HI], response_format=form), OLD, {})


def body(request: Request, model_id: str = OLD, **options: Any) -> Any:
    return json.loads(encode(request, model_id, {**request.options, **options}))


def test_a_result_may_name_its_tool_itself() -> None:
    (turn,) = body(Request([Message("tool", ToolResult("c9", "sunny", name="weather"))]))["contents"]
    assert turn["parts"] == [{"functionResponse": {"id": "c9", "name": "weather", "response": {"output": "sunny"}}}]


def test_the_last_call_of_an_id_is_the_one_that_is_answered() -> None:
    """Ids that were made up may come again."""
    said = [part for name in ("one", "two") for part in _round(name)]
    turns = body(Request([HI, *said]))["contents"]
    assert [turn["parts"][0]["functionResponse"]["name"] for turn in turns[2::2]] == ["one", "two"]


def _round(name: str) -> list[Message]:
    return [Message("assistant", ToolCall("call_0", name)), Message("tool", ToolResult("call_0", "done"))]


def test_arguments_that_are_no_object_are_sent_as_they_stand() -> None:
    (_, turn) = body(Request([HI, Message("assistant", ToolCall("c1", "weather", '{"city": "Se'))]))["contents"]
    assert turn["parts"][0]["functionCall"]["args"] == {"arguments": '{"city": "Se'}


def test_what_other_providers_left_is_not_sent() -> None:
    text = Text("Hello!", metadata={"openai": {"x": 1}, "gemini": "odd", "cache_control": {"type": "ephemeral"}})
    thought = Reasoning("Hm.", metadata={"bedrock": {"signature": "s"}})
    (_, turn) = body(Request([HI, Message("assistant", [thought, text], name="bot")]))["contents"]
    assert turn == {"role": "model", "parts": [{"text": "Hello!"}]}


def test_a_message_that_says_nothing_is_left_out() -> None:
    assert body(Request([HI, Message("assistant", [Text(""), Reasoning("Hm.")])]))["contents"] == [
        {"role": "user", "parts": [{"text": "Hi"}]}
    ]


@pytest.mark.parametrize("last", [None, HI, Message("assistant", "Nice."), Message("system", "Be brief.")])
def test_pictures_of_results_follow_the_last_of_them(last: Message | None) -> None:
    """For a model that takes none within a result."""
    calls = Message("assistant", [ToolCall("c1", "look"), ToolCall("c2", "look")])
    results = [Message("tool", ToolResult(id_, [Text(id_), Image(b"x")])) for id_ in ("c1", "c2")]
    turn = body(Request([HI, calls, *results, *([last] if last else [])]))["contents"][2]
    assert [*turn["parts"][0], *turn["parts"][1]] == ["functionResponse", "functionResponse"]
    assert ["inlineData" in part for part in turn["parts"][2:4]] == [True, True]


def test_options_go_to_their_places() -> None:
    sent = body(
        Request([HI], response_format=JsonObject()),
        max_tokens=5,
        temperature=None,
        labels={"team": "red"},
        serviceTier=None,
        generationConfig={"modelConfig": {"featureSelectionPreference": "BALANCED"}},
        speechConfig={"languageCode": "ko"},
        thinkingConfig=None,
        extra_body={"generationConfig": {"newField": 1}, "newMember": 2, "store": OMIT},
        extra_headers={"x": "y"},
        timeout=3,
    )
    del sent["contents"]
    assert sent == {
        "generationConfig": {
            "maxOutputTokens": 5,
            "speechConfig": {"languageCode": "ko"},
            "responseMimeType": "application/json",
            "modelConfig": {"featureSelectionPreference": "BALANCED"},
            "newField": 1,
        },
        "labels": {"team": "red"},
        "newMember": 2,
    }


@pytest.mark.parametrize(("effort", "tokens"), [("none", 0), ("minimal", 1024), ("LOW", 1024), ("high", 24576)])
def test_an_effort_is_a_budget_where_there_are_no_levels(effort: str, tokens: int) -> None:
    config = body(Request([HI]), reasoning_effort=effort)["generationConfig"]
    assert config == {"thinkingConfig": {"thinkingBudget": tokens}}


def test_a_tool_config_goes_beside_the_choice() -> None:
    place = {"retrievalConfig": {"languageCode": "ko"}}
    sent = body(Request([HI], tools=[CITY], tool_choice="required"), toolConfig=place)
    assert sent["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}, **place}


def test_the_description_of_a_schema_goes_into_it() -> None:
    form = JsonSchema({"type": "string"}, description="A colour.")
    config = body(Request([HI], response_format=form))["generationConfig"]
    assert config["responseJsonSchema"] == {"description": "A colour.", "type": "string"}


def test_only_as_many_stops_are_sent_as_are_taken() -> None:
    stops = [str(at) for at in range(7)]
    request = Request([HI], stops)
    assert wire_body(request, OLD, {})["generationConfig"]["stopSequences"] == tuple(stops[:5])
    assert wire_body(request, OLD, {}, max_stops=None)["generationConfig"]["stopSequences"] == tuple(stops)
    assert "generationConfig" not in wire_body(request, OLD, {}, max_stops=0)


def test_a_call_of_gemini_s_own_is_signed_by_nobody_else() -> None:
    """The second of parallel calls has no signature, and wants none."""
    calls = [ToolCall("a", "f", metadata={"gemini": {"thoughtSignature": "c2ln"}}), ToolCall("b", "f")]
    (_, turn) = body(Request([HI, Message("assistant", [Text("Look."), *calls])]), NEW)["contents"]
    assert [part.get("thoughtSignature") for part in turn["parts"]] == [None, "c2ln", None]
    (_, turn) = body(Request([HI, Message("assistant", [Text("Look."), *calls[1:]])]), NEW)["contents"]
    assert [part.get("thoughtSignature") for part in turn["parts"]] == [None, "skip_thought_signature_validator"]


def test_a_signature_that_came_over_openai_s_wire_is_gemini_s_still() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    call = ToolCall("a", "f", metadata={"openai": extra, "bedrock": {"x": 1}})
    (_, turn) = body(Request([HI, Message("assistant", call)]), NEW)["contents"]
    assert turn["parts"][0]["thoughtSignature"] == "c2ln"


def test_a_message_is_written_once_for_each_kind_of_model_and_forgotten_with_it() -> None:
    message = Message("assistant", ToolCall("c1", "f"))
    first = contents((message,), True)[1][0]["parts"][0]
    assert contents((message,), True)[1][0]["parts"][0] is first
    assert "thoughtSignature" not in contents((message,), False)[1][0]["parts"][0]
    key = object.__hash__(message)
    assert key in conversation._remembered[True]
    del message, first
    gc.collect()
    assert key not in conversation._remembered[True]


def test_nothing_passed_in_is_changed_by_a_call() -> None:
    part: dict[str, Any] = {"text": "", "thoughtSignature": "c2ln"}
    request = Request([HI, Message("assistant", Reasoning("", metadata={"gemini": {"part": part}}))])
    first = body(request)
    assert body(request) == first
    assert part == {"text": "", "thoughtSignature": "c2ln"}


def test_a_file_in_an_address_of_data_keeps_its_type() -> None:
    (turn,) = body(Request([Message("user", Document(url="data:text/csv,a;b"))]))["contents"]
    assert turn["parts"] == [{"inlineData": {"mimeType": "text/csv", "data": "YTti"}}]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("gs://bucket/a.PNG", "image/png"),
        ("https://x.example/a.jpg?size=2#top", "image/jpeg"),
        ("gs://bucket/a.mp3", "audio/mpeg"),
        ("gs://bucket/a.mov", "video/quicktime"),
        ("gs://bucket/a.md", "text/markdown"),
        ("gs://bucket/a", "application/pdf"),
    ],
)
def test_an_address_is_of_the_type_of_its_ending(address: str, kind: str) -> None:
    (turn,) = body(Request([Message("user", Document(url=address))]))["contents"]
    assert turn["parts"] == [{"fileData": {"mimeType": kind, "fileUri": address}}]


def test_an_address_without_an_ending_has_the_part_s_own_type() -> None:
    (turn,) = body(Request([Message("user", Document(url="https://youtu.be/abc", media_type="video/mp4"))]))["contents"]
    assert turn["parts"] == [{"fileData": {"mimeType": "video/mp4", "fileUri": "https://youtu.be/abc"}}]


def test_what_it_does_not_declare_is_refused() -> None:
    error = failed(whole(), Request([ASKED.messages[0]], tools=[CITY]), capabilities=Capabilities())
    assert (error.kind, error.sent) == ("unsupported", "no")
