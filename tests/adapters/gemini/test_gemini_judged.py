"""Google's own SDK as the judge: it asks the same question in the same words, and reads the answers as we do."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Iterator
from typing import Any

import pytest
from gemini_wire import chunk, model, whole
from laws import listen
from loopback import Loopback, streamed

from modelport import (
    Audio,
    Document,
    Finished,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Reasoning,
    Request,
    Response,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from modelport.adapters.gemini.answer import FAILURES, FINISH_REASONS
from modelport.adapters.gemini.options import IN_CONFIG, MEMBERS, NAMED

genai: Any = pytest.importorskip("google.genai", reason="Google's SDK isn't installed here: pip install google-genai")
types = genai.types

PNG, WAV, PDF = b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", b"RIFF\x00\x00\x00\x00WAVE", b"%PDF-1.7 "
SIGNATURE = base64.b64encode(b"a signature?>").decode()
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("weather", "Tells the weather.", CITY)
THEIR_WEATHER = {"name": "weather", "description": "Tells the weather.", "parameters_json_schema": CITY}
THEIR_TOOLS = [{"function_declarations": [THEIR_WEATHER]}]


def user(*parts: Any) -> Any:
    return types.Content(role="user", parts=[types.Part(text=it) if isinstance(it, str) else it for it in parts])


def said(*parts: Any) -> Any:
    return types.Content(role="model", parts=[types.Part(text=it) if isinstance(it, str) else it for it in parts])


def call(name: str, args: dict[str, Any], id: str | None = None, signature: str | None = None) -> Any:
    signed = None if signature is None else base64.b64decode(signature)
    return types.Part(function_call=types.FunctionCall(id=id, name=name, args=args), thought_signature=signed)


def result(name: str, response: dict[str, Any], id: str | None = None, parts: Any = None) -> Any:
    given = types.FunctionResponse(id=id, name=name, response=response, parts=parts)
    return types.Part(function_response=given)


def own(**members: Any) -> dict[str, Any]:
    return {"gemini": members}


HI = Message("user", "Hi")
ASKED = Message("user", "How is the weather?")
CALLED = Message("assistant", ToolCall("c1", "weather", {"city": "서울"}))
CALLED_TWICE = Message(
    "assistant", [ToolCall("c1", "weather", {"city": "Bern"}), ToolCall("c2", "weather", {"city": "Rome"})]
)
OLD, NEW = "gemini-2.5-flash", "gemini-3-pro-preview"
SKIPPED = "skip_thought_signature_validator"
PICTURE_PART = types.FunctionResponsePart(inline_data=types.FunctionResponseBlob(mime_type="image/png", data=PNG))

# A name, our request, the SDK's contents and config, and the model where it matters.
CONVERSATIONS: dict[str, tuple[Any, ...]] = {
    "a word": (Request([HI]), "Hi", {}),
    "a long conversation": (
        Request([HI, Message("assistant", "Hello!"), Message("user", "Bye")]),
        [user("Hi"), said("Hello!"), user("Bye")],
        {},
    ),
    "a system message": (Request([Message("system", "Be brief."), HI]), "Hi", {"system_instruction": "Be brief."}),
    "system messages anywhere": (
        Request([Message("system", "Be brief."), HI, Message("system", "Be kind.")]),
        "Hi",
        {"system_instruction": ["Be brief.", "Be kind."]},
    ),
    "several parts": (Request([Message("user", [Text("One"), Text("Two")])]), [user("One", "Two")], {}),
    "messages of one side": (Request([HI, Message("user", "Again")]), [user("Hi", "Again")], {}),
    "an empty text": (Request([Message("user", [Text(""), Text("Hi")])]), "Hi", {}),
    "letters of all kinds": (Request([Message("user", "좋아! 🙂 \u2028")]), "좋아! 🙂 \u2028", {}),
    "a picture": (
        Request([Message("user", [Text("What?"), Image(PNG)])]),
        [user("What?", types.Part.from_bytes(data=PNG, mime_type="image/png"))],
        {},
    ),
    "a picture in an address": (
        Request([Message("user", Image(url="data:image/gif;base64,R0lG"))]),
        [user(types.Part.from_bytes(data=b"GIF", mime_type="image/gif"))],
        {},
    ),
    "a sound": (
        Request([Message("user", Audio(WAV))]),
        [user(types.Part.from_bytes(data=WAV, mime_type="audio/wav"))],
        {},
    ),
    "a document": (
        Request([Message("user", Document(PDF, name="a.pdf"))]),
        [user(types.Part.from_bytes(data=PDF, mime_type="application/pdf"))],
        {},
    ),
    "a file in a bucket": (
        Request([Message("user", Document(url="gs://bucket/a.pdf"))]),
        [user(types.Part.from_uri(file_uri="gs://bucket/a.pdf"))],
        {},
    ),
    "a file of the Files API": (
        Request([Message("user", Image(url="https://x.example/v1beta/files/abc", media_type="image/webp"))]),
        [user(types.Part.from_uri(file_uri="https://x.example/v1beta/files/abc", mime_type="image/webp"))],
        {},
    ),
    "a file whose type Google knows": (
        Request([Message("user", Image(url="https://generativelanguage.googleapis.com/v1/files/abc"))]),
        [user(types.Part(file_data={"file_uri": "https://generativelanguage.googleapis.com/v1/files/abc"}))],
        {},
    ),
    "a picture by its address": (
        Request([Message("user", Image(url="https://x.example/a.jpg?size=2"))]),
        [user(types.Part.from_uri(file_uri="https://x.example/a.jpg?size=2", mime_type="image/jpeg"))],
        {},
    ),
    "a film's speed": (
        Request([Message("user", Document(url="gs://b/a.mp4", metadata=own(videoMetadata={"fps": 1})))]),
        [
            user(
                types.Part(
                    file_data=types.FileData(file_uri="gs://b/a.mp4", mime_type="video/mp4"),
                    video_metadata=types.VideoMetadata(fps=1),
                )
            )
        ],
        {},
    ),
    "a tool": (Request([ASKED], tools=[WEATHER]), "How is the weather?", {"tools": THEIR_TOOLS}),
    "a tool that takes nothing": (
        Request([ASKED], tools=[Tool("clock")]),
        "How is the weather?",
        {"tools": [{"function_declarations": [{"name": "clock"}]}]},
    ),
    **{
        f"tool choice: {choice}": (
            Request([ASKED], tools=[WEATHER], tool_choice=choice),
            "How is the weather?",
            {"tools": THEIR_TOOLS, "tool_config": {"function_calling_config": config}},
        )
        for choice, config in (
            ("auto", {"mode": "AUTO"}),
            ("none", {"mode": "NONE"}),
            ("required", {"mode": "ANY"}),
            ("weather", {"mode": "ANY", "allowed_function_names": ["weather"]}),
        )
    },
    "a strict tool": (
        Request([ASKED], tools=[Tool("weather", "Tells the weather.", CITY, strict=True)]),
        "How is the weather?",
        {"tools": THEIR_TOOLS, "tool_config": {"function_calling_config": {"mode": "VALIDATED"}}},
    ),
    "a call and its result": (
        Request([ASKED, CALLED, Message("tool", ToolResult("c1", "sunny"))], tools=[WEATHER]),
        [
            user("How is the weather?"),
            said(call("weather", {"city": "서울"}, "c1")),
            user(result("weather", {"output": "sunny"}, "c1")),
        ],
        {"tools": THEIR_TOOLS},
    ),
    "parallel calls": (
        Request([ASKED, CALLED_TWICE, *(Message("tool", ToolResult(each, "sunny")) for each in ("c1", "c2")), HI]),
        [
            user("How is the weather?"),
            said(call("weather", {"city": "Bern"}, "c1"), call("weather", {"city": "Rome"}, "c2")),
            user(result("weather", {"output": "sunny"}, "c1"), result("weather", {"output": "sunny"}, "c2"), "Hi"),
        ],
        {},
    ),
    "a call without an id": (
        Request(
            [
                ASKED,
                Message("assistant", ToolCall("call_0", "weather", "{}", metadata=own(madeUpId=True))),
                Message("tool", ToolResult("call_0", "sunny")),
            ]
        ),
        [user("How is the weather?"), said(call("weather", {})), user(result("weather", {"output": "sunny"}))],
        {},
    ),
    "a tool that failed": (
        Request([ASKED, CALLED, Message("tool", ToolResult("c1", "no network", is_error=True))]),
        [
            user("How is the weather?"),
            said(call("weather", {"city": "서울"}, "c1")),
            user(result("weather", {"error": "no network"}, "c1")),
        ],
        {},
    ),
    "a signed call": (
        Request([ASKED, Message("assistant", ToolCall("c1", "weather", metadata=own(thoughtSignature=SIGNATURE)))]),
        [user("How is the weather?"), said(call("weather", {}, "c1", SIGNATURE))],
        {},
        NEW,
    ),
    "the calls of another model": (
        Request([ASKED, CALLED_TWICE]),
        [
            user("How is the weather?"),
            said(
                call("weather", {"city": "Bern"}, "c1", SKIPPED.replace("_", "/")),
                call("weather", {"city": "Rome"}, "c2"),
            ),
        ],
        {},
        NEW,
    ),
    "a picture that a tool gave": (
        Request([ASKED, CALLED, Message("tool", ToolResult("c1", [Text("look"), Image(PNG)]))]),
        [
            user("How is the weather?"),
            said(call("weather", {"city": "서울"}, "c1", SKIPPED.replace("_", "/"))),
            user(result("weather", {"output": "look"}, "c1", [PICTURE_PART])),
        ],
        {},
        NEW,
    ),
    "a picture that a tool gave an older model": (
        Request([ASKED, CALLED, Message("tool", ToolResult("c1", [Text("look"), Image(PNG)])), HI]),
        [
            user("How is the weather?"),
            said(call("weather", {"city": "서울"}, "c1")),
            user(
                result("weather", {"output": "look"}, "c1"),
                types.Part.from_bytes(data=PNG, mime_type="image/png"),
                "Hi",
            ),
        ],
        {},
    ),
    "a signed thought and a signed text": (
        Request(
            [
                HI,
                Message(
                    "assistant",
                    [
                        Reasoning("Hm.", metadata=own(thoughtSignature=SIGNATURE)),
                        Text("Hello!", metadata=own(thoughtSignature=SIGNATURE)),
                    ],
                ),
                HI,
            ]
        ),
        [
            user("Hi"),
            said(
                types.Part(text="Hm.", thought=True, thought_signature=base64.b64decode(SIGNATURE)),
                types.Part(text="Hello!", thought_signature=base64.b64decode(SIGNATURE)),
            ),
            user("Hi"),
        ],
        {},
    ),
    "a signature after the text": (
        Request(
            [
                HI,
                Message(
                    "assistant",
                    [
                        Text("Hello!"),
                        Reasoning("", metadata=own(part={"text": "", "thoughtSignature": SIGNATURE})),
                    ],
                ),
            ]
        ),
        [user("Hi"), said("Hello!", types.Part(text="", thought_signature=base64.b64decode(SIGNATURE)))],
        {},
    ),
    "a thought of another model": (
        Request([HI, Message("assistant", [Reasoning("Hm."), Text("Hello!")])]),
        [user("Hi"), said("Hello!")],
        {},
    ),
    "numbers": (
        Request(
            [HI],
            ["\n\n", "END"],
            options={
                "max_tokens": 20,
                "temperature": 0.5,
                "top_p": 0.9,
                "top_k": 40,
                "seed": 7,
                "presence_penalty": 0.25,
                "frequency_penalty": 0.5,
                "logprobs": True,
                "top_logprobs": 3,
            },
        ),
        "Hi",
        {
            "stop_sequences": ["\n\n", "END"],
            "max_output_tokens": 20,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "seed": 7,
            "presence_penalty": 0.25,
            "frequency_penalty": 0.5,
            "response_logprobs": True,
            "logprobs": 3,
        },
    ),
    "a thinking budget": (
        Request([HI], options={"thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True}}),
        "Hi",
        {"thinking_config": {"thinking_budget": 512, "include_thoughts": True}},
    ),
    "an effort": (
        Request([HI], options={"reasoning_effort": "high"}),
        "Hi",
        {"thinking_config": {"thinking_level": "HIGH"}},
        NEW,
    ),
    "safety settings": (
        Request(
            [HI],
            options={"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
        ),
        "Hi",
        {"safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
    ),
    "cached content": (
        Request([HI], options={"cachedContent": "cachedContents/abc"}),
        "Hi",
        {"cached_content": "cachedContents/abc"},
    ),
    "a picture as an answer": (
        Request([HI], options={"responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "1:1"}}),
        "Hi",
        {"response_modalities": ["TEXT", "IMAGE"], "image_config": {"aspect_ratio": "1:1"}},
    ),
    "some JSON": (Request([HI], response_format=JsonObject()), "Hi", {"response_mime_type": "application/json"}),
    "a schema": (
        Request([HI], response_format=JsonSchema(CITY)),
        "Hi",
        {"response_mime_type": "application/json", "response_json_schema": CITY},
    ),
    "a search of Google's": (
        Request([HI], tools=[WEATHER], options={"extra_body": {"tools": [{"googleSearch": {}}]}}),
        "Hi",
        {"tools": [*THEIR_TOOLS, {"google_search": {}}]},
    ),
}


def camel(name: str) -> str:
    """The SDK spells some members as Python does, which Google reads too."""
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def normal(value: Any) -> Any:
    """JSON without what doesn't count: the alphabet of base64, the role of a system instruction, the order of tools."""
    if isinstance(value, dict):
        changed = {camel(name): normal(each) for name, each in value.items()}
        if changed.get("generationConfig") == {}:
            del changed["generationConfig"]
        for name in ("data", "thoughtSignature"):
            if isinstance(changed.get(name), str):
                changed[name] = changed[name].replace("-", "+").replace("_", "/")
        if "systemInstruction" in changed:
            changed["systemInstruction"].pop("role", None)
        if "tools" in changed:
            changed["tools"] = sorted(changed["tools"], key=str)
        return changed
    return [normal(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(whole("Hi")) as server:
        yield server


@pytest.fixture(scope="module")
def sdk(server: Loopback) -> Iterator[Any]:
    """Its client, which takes a while to make."""
    with genai.Client(api_key="none", http_options={"base_url": f"http://127.0.0.1:{server.port}"}) as client:
        yield client.models


def test_there_are_forty() -> None:
    assert len(CONVERSATIONS) >= 40


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_sdk_asks_in_the_same_words(name: str, stream: bool, server: Loopback, sdk: Any) -> None:
    request, contents, config, model_id, *_ = (*CONVERSATIONS[name], OLD)
    server.script = [streamed(chunk("Hi", finish="STOP")) if stream else whole("Hi")]
    before, ours = len(server.requests), model(server, model_id)
    if stream:
        asyncio.run(listen(ours, request))
        list(sdk.generate_content_stream(model=model_id, contents=contents, config=config))
    else:
        assert asyncio.run(ours.generate(request)).unwrap().content == "Hi"
        sdk.generate_content(model=model_id, contents=contents, config=config)
    mine, theirs = server.requests[before:]
    assert normal(mine.json) == normal(theirs.json)
    assert (mine.method, mine.path) == (theirs.method, theirs.path)
    assert mine.headers["x-goog-api-key"] == theirs.headers["x-goog-api-key"] == "none"


SIGNED_CALL = {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "서울"}}, "thoughtSignature": SIGNATURE}
THOUGHT = {"text": "Hm.", "thought": True}
USED = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20, "totalTokenCount": 33}
ANSWERS: dict[str, tuple[Any, ...]] = {
    "a text": ("Hello!",),
    "a thought and a text": (THOUGHT, "Hello!"),
    "calls": (SIGNED_CALL, {"functionCall": {"name": "clock", "args": {}}}),
    "a picture": ("Here:", {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}),
    "nothing": (),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_sdk_reads_the_same_answer(name: str, stream: bool, server: Loopback, sdk: Any) -> None:
    parts = ANSWERS[name]
    pieces = [chunk(part) for part in parts]
    server.script = [streamed(*pieces, chunk(finish="STOP", usage=USED)) if stream else whole(*parts, usage=USED)]
    if stream:
        chunks = list(sdk.generate_content_stream(model=OLD, contents="Hi"))
        last, theirs = chunks[-1], [part for each in chunks for part in each.parts or ()]
    else:
        last = sdk.generate_content(model=OLD, contents="Hi")
        theirs = list(last.parts or ())
    ours = asyncio.run(_asked(model(server), stream))
    assert ours.content == "".join(part.text or "" for part in theirs if not part.thought)
    assert ours.reasoning == "".join(part.text or "" for part in theirs if part.thought)
    made = [part.function_call for part in theirs if part.function_call]
    assert [(call.name, call.input) for call in ours.tool_calls] == [(call.name, call.args) for call in made]
    pictures = [part for part in ours.message.content if isinstance(part, Image)]
    assert [part.data for part in pictures] == [part.inline_data.data for part in theirs if part.inline_data]
    counted = last.usage_metadata
    assert ours.usage is not None
    assert ours.usage.input_tokens == counted.prompt_token_count
    assert ours.usage.output_tokens == counted.candidates_token_count + counted.thoughts_token_count
    assert (ours.model_id, ours.response_id) == (last.model_version, last.response_id)


async def _asked(ours: Any, stream: bool) -> Response:
    if not stream:
        return (await ours.generate(Request([HI]))).unwrap()  # type: ignore[no-any-return]
    *_, last = await listen(ours, Request([HI]))
    assert isinstance(last, Finished)
    return last.response


@pytest.mark.parametrize("model_id", [OLD, "meta/llama-4", "publishers/google/models/gemini-2.5-flash"])
@pytest.mark.parametrize("location", ["global", "europe-west1"])
def test_vertex_is_asked_in_the_same_words_at_the_same_address(model_id: str, location: str, server: Loopback) -> None:
    from google.oauth2.credentials import Credentials

    server.script, before = [whole("Hi")], len(server.requests)
    place = {"project": "p", "location": location}
    ours = model(server, model_id, api_key=None, token="of-mine", **place)
    assert ours([{"role": "user", "content": "Hi"}], temperature=0.5, thinkingConfig={"thinkingBudget": 0}).text == "Hi"
    options = {"base_url": f"http://127.0.0.1:{server.port}"}
    config = {"temperature": 0.5, "thinking_config": {"thinking_budget": 0}}
    with genai.Client(enterprise=True, credentials=Credentials("of-mine"), http_options=options, **place) as client:
        client.models.generate_content(model=model_id, contents="Hi", config=config)
    mine, theirs = server.requests[before:]
    assert (normal(mine.json), mine.path) == (normal(theirs.json), theirs.path)
    assert mine.headers["authorization"] == theirs.headers["authorization"] == "Bearer of-mine"


def test_every_reason_of_the_sdk_is_known() -> None:
    assert {reason.value for reason in types.FinishReason} == FINISH_REASONS.keys() | FAILURES.keys()


def test_every_option_of_the_sdk_is_known_or_said_otherwise() -> None:
    """Under the wire's name; some are of the SDK itself, of the request, or make another kind of answer."""
    own = {"http_options", "should_return_http_response", "automatic_function_calling", "automatic_continuation"}
    asked = {"system_instruction", "tools", "stop_sequences", "response_mime_type", "response_schema"}
    asked |= {"response_json_schema", "candidate_count", "continuation_token"}
    elsewhere = {"routing_config", "model_selection_config", "generation_output_config", "audio_transcription_config"}
    names = {camel(name) for name in {*types.GenerateContentConfig.model_fields} - own - asked - elsewhere}
    assert names <= MEMBERS | IN_CONFIG | {*NAMED.values()}
