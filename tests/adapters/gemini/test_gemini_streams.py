"""Streams in the bytes that Google's servers send fold to the right response, however they are cut."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from gemini_wire import finished
from hypothesis import given
from hypothesis import strategies as st
from loopback import streamed

from modelport import (
    Finished,
    Image,
    Message,
    Reasoning,
    ReasoningDelta,
    Request,
    Response,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from modelport.adapters.bedrock.request import encode as bedrock
from modelport.adapters.chat.request import wire_messages
from modelport.adapters.gemini.answer import Arriving, NoAnswer
from modelport.adapters.gemini.contents import contents
from modelport.adapters.gemini.stream import Reader
from modelport.adapters.gemini.usage import usage_of

HEAD = '"modelVersion": "gemini-3-flash-preview","responseId": "g6bnaYSOCJSxjuMPuJSl0Ao"}\r\n\r\n'


def event(parts: str, more: str = "", usage: str = "") -> bytes:
    """An event as Google writes it: with CRLF, and blanks after colons alone."""
    counted = f'"usageMetadata": {{{usage}}},' if usage else ""
    content = f'"content": {{"parts": [{parts}],"role": "model"}}' if parts else '"content": {"role": "model"}'
    return f'data: {{"candidates": [{{{content},{more}"index": 0}}],{counted}{HEAD}'.encode()


STOP = '"finishReason": "STOP",'
PROMPT = (
    '"promptTokenCount": 391,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 391}],"serviceTier": "standard"'
)
SIGNED: Any = {"gemini": {"thoughtSignature": "EvwDCvkDAQw51sd="}}

STREAMS: dict[str, tuple[bytes, Message, str, Usage]] = {
    "texts": (
        event('{"text": "**Hello Kitty 凯蒂猫** "}', usage=f'{PROMPT},"candidatesTokenCount": 4,"totalTokenCount": 395')
        + event('{"text": "是"}', usage=f'{PROMPT},"candidatesTokenCount": 5,"totalTokenCount": 396')
        + event('{"text": ""}', STOP, usage=f'{PROMPT},"candidatesTokenCount": 6,"totalTokenCount": 397'),
        Message("assistant", "**Hello Kitty 凯蒂猫** 是"),
        "stop",
        Usage(391, 6),
    ),
    "thoughts, whose count vanishes": (
        event(
            '{"text": "**Dates**\\n\\n","thought": true}',
            usage=f'{PROMPT},"thoughtsTokenCount": 72,"totalTokenCount": 463',
        )
        + event('{"text": "Now.","thought": true}', usage=f'{PROMPT},"thoughtsTokenCount": 90,"totalTokenCount": 481')
        + event('{"text": "Yesterday."}', usage=f'{PROMPT},"candidatesTokenCount": 3')
        + event("", STOP, usage=f'{PROMPT},"candidatesTokenCount": 4,"totalTokenCount": 485'),
        Message("assistant", [Reasoning("**Dates**\n\nNow."), Text("Yesterday.")]),
        "stop",
        Usage(391, 94, reasoning_tokens=90),
    ),
    "a cache, which is counted in the first chunks alone": (
        event('{"text": "Hi"}', usage='"cachedContentTokenCount": 380,"trafficType": "ON_DEMAND"')
        + event('{"text": "!"}', STOP, usage=f'{PROMPT},"candidatesTokenCount": 2,"totalTokenCount": 393'),
        Message("assistant", "Hi!"),
        "stop",
        Usage(391, 2, cached_tokens=380),
    ),
    "a signed call": (
        event(
            '{"functionCall": {"name": "bash","args": {"command": "ls -R"},"id": "flveizpn"},'
            '"thoughtSignature": "EvwDCvkDAQw51sd="}',
            usage=f'{PROMPT},"candidatesTokenCount": 16,"thoughtsTokenCount": 60,"totalTokenCount": 467',
        )
        + event('{"text": ""}', STOP, usage=f'{PROMPT},"candidatesTokenCount": 16,"totalTokenCount": 467'),
        Message("assistant", ToolCall("flveizpn", "bash", '{"command":"ls -R"}', metadata=SIGNED)),
        "tool_calls",
        Usage(391, 76, reasoning_tokens=60),
    ),
    "parallel calls without ids": (
        event('{"text": "Let me look."}')
        + event(
            '{"functionCall": {"name": "weather","args": {"city": "서울"}},"thoughtSignature": "EvwDCvkDAQw51sd="},'
            '{"functionCall": {"name": "clock"}}',
            STOP,
            usage=f'{PROMPT},"candidatesTokenCount": 9',
        ),
        Message(
            "assistant",
            [
                Text("Let me look."),
                ToolCall(
                    "call_0",
                    "weather",
                    '{"city":"서울"}',
                    metadata={"gemini": {"madeUpId": True, "thoughtSignature": "EvwDCvkDAQw51sd="}},
                ),
                ToolCall("call_1", "clock", "{}", metadata={"gemini": {"madeUpId": True}}),
            ],
        ),
        "tool_calls",
        Usage(391, 9),
    ),
    "a signature after the text, in a part of its own": (
        event('{"text": "Hello "}')
        + event('{"text": "there."}')
        + event('{"text": "","thoughtSignature": "EvwDCvkDAQw51sd="}', STOP, usage=PROMPT),
        Message(
            "assistant",
            [
                Text("Hello there."),
                Reasoning("", metadata={"gemini": {"part": {"text": "", "thoughtSignature": "EvwDCvkDAQw51sd="}}}),
            ],
        ),
        "stop",
        Usage(391, 0),
    ),
    "a signature without a text": (
        event('{"text": "Hello."}')
        + event('{"thoughtSignature": "EvwDCvkDAQw51sd="}', STOP, usage=f'{PROMPT},"totalTokenCount": 400'),
        Message("assistant", [Text("Hello."), Reasoning("", metadata={"gemini": {"part": SIGNED["gemini"]}})]),
        "stop",
        Usage(391, 9),
    ),
    "signed texts, which are never joined": (
        event('{"text": "One.","thoughtSignature": "EvwDCvkDAQw51sd="}')
        + event('{"text": "Two.","thoughtSignature": "EvwDCvkDAQw51sd="}')
        + event('{"text": "Three."}')
        + event('{"text": "Four.","thoughtSignature": ""}', STOP, usage=PROMPT),
        Message(
            "assistant", [Text("One.", metadata=SIGNED), Text("Two.", metadata=SIGNED), Text("Three."), Text("Four.")]
        ),
        "stop",
        Usage(391, 0),
    ),
    "a search that Google made": (
        event(
            '{"thoughtSignature": "c2ln",'
            '"toolCall": {"toolType": "GOOGLE_SEARCH_WEB","args": {"queries": ["F1"]},"id": "n"}},'
            '{"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB","response": {"search_suggestions": "<p>"},"id": "n"}}'
        )
        + event('{"text": "Norris won."}', usage=f'{PROMPT},"toolUsePromptTokenCount": 50,"candidatesTokenCount": 3')
        + event("", f'{STOP}"groundingMetadata": {{"webSearchQueries": ["F1"]}},'),
        Message(
            "assistant",
            [
                Reasoning(
                    "",
                    metadata={
                        "gemini": {
                            "part": {
                                "thoughtSignature": "c2ln",
                                "toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["F1"]}, "id": "n"},
                            }
                        }
                    },
                ),
                Reasoning(
                    "",
                    metadata={
                        "gemini": {
                            "part": {
                                "toolResponse": {
                                    "toolType": "GOOGLE_SEARCH_WEB",
                                    "response": {"search_suggestions": "<p>"},
                                    "id": "n",
                                }
                            }
                        }
                    },
                ),
                Text("Norris won."),
            ],
        ),
        "stop",
        Usage(441, 3),
    ),
    "a picture": (
        event('{"text": "Here."}')
        + event('{"inlineData": {"mimeType": "image/png","data": "iVBORw=="},"thoughtSignature": "EvwDCvkDAQw51sd="}')
        + event("", STOP, usage=f'{PROMPT},"candidatesTokenCount": 1290'),
        Message("assistant", [Text("Here."), Image(b"\x89PNG", media_type="image/png", metadata=SIGNED)]),
        "stop",
        Usage(391, 1290),
    ),
    "a length": (
        event('{"text": "Once upon"}')
        + event("", '"finishReason": "MAX_TOKENS",', usage=f'{PROMPT},"candidatesTokenCount": 2'),
        Message("assistant", "Once upon"),
        "length",
        Usage(391, 2),
    ),
    "a reason in each chunk, as the first models sent it": (
        event('{"text": "Hi"}', STOP, usage=PROMPT)
        + event('{"text": "!"}', STOP, usage=f'{PROMPT},"candidatesTokenCount": 2'),
        Message("assistant", "Hi!"),
        "stop",
        Usage(391, 2),
    ),
    "a gateway's last event": (
        event('{"text": "Hi"}') + event("", STOP, usage=PROMPT) + b": alive\n\ndata:\n\ndata: [DONE]\n\n",
        Message("assistant", "Hi"),
        "stop",
        Usage(391, 0),
    ),
}


def folded(pieces: list[bytes], stops: tuple[str, ...] = ()) -> tuple[list[Any], Response]:
    """The deltas and the response of these bytes."""
    arriving = Arriving(stops)
    reader = Reader(arriving)
    events: list[Any] = []
    for piece in pieces:
        events += reader.read(piece)
        if arriving.draft.stopped_by is not None:
            break
    else:
        events += reader.end()
    *more, last = arriving.finish()
    assert isinstance(last, Finished)
    return [*events, *more], last.response


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1
    return pieces


@pytest.mark.parametrize("thought", ["1", '"true"', "{}"])
def test_what_is_not_marked_with_true_is_no_thought(thought: str) -> None:
    deltas, response = folded([event(f'{{"text": "Hi.","thought": {thought}}}', STOP)])
    assert (deltas, response.content, response.reasoning) == ([TextDelta("Hi.")], "Hi.", "")


@pytest.mark.parametrize("thought", ["", ',"thought": true'])
def test_a_character_that_is_cut_in_two_is_joined(thought: str) -> None:
    """As servers in JavaScript cut a text; a half that is left over is no character."""
    pieces = [f'{{"text": "{text}"{thought}}}' for text in ("a \\ud83d", "\\ude42 b", "c \\ud83d")]
    deltas, response = folded([*map(event, pieces), event("", STOP)])
    assert (response.reasoning if thought else response.content) == "a 🙂 bc \ufffd"
    assert "".join(delta.text for delta in deltas) == "a 🙂 bc \ufffd"


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_comes_to_this(name: str) -> None:
    data, message, reason, usage = STREAMS[name]
    deltas, response = folded([data])
    assert (response.message, response.finish_reason, response.usage) == (message, reason, usage)
    assert (response.model_id, response.response_id) == ("gemini-3-flash-preview", "g6bnaYSOCJSxjuMPuJSl0Ao")
    shown = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))
    thought = "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta))
    calls = [(delta.id, delta.name, delta.arguments) for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert (shown, thought) == (response.content, response.reasoning)
    assert calls == [(call.id, call.name, call.arguments) for call in message.tool_calls]


@pytest.mark.parametrize("name", STREAMS)
@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_any_chunking_comes_to_the_same(name: str, sizes: list[int]) -> None:
    data, message, *_ = STREAMS[name]
    whole, pieces = folded([data]), folded(cut(data, sizes))
    assert pieces[0] == whole[0]
    assert attrs.astuple(pieces[1], recurse=False) == attrs.astuple(whole[1], recurse=False)
    assert whole[1].message == message


@pytest.mark.parametrize("name", STREAMS)
def test_it_goes_back_as_it_came_and_to_others_without_what_is_gemini_s(name: str) -> None:
    """Signatures are Gemini's alone; an empty thought that keeps a part of Gemini's is sent to nobody else."""
    said = (Message("user", "Hi"), STREAMS[name][1])
    sent = contents(said, False)[1]
    signatures = [it["thoughtSignature"] for turn in sent for it in turn["parts"] if "thoughtSignature" in it]
    came = STREAMS[name][0].decode()
    assert len(signatures) == came.count('"thoughtSignature": "E') + came.count('"thoughtSignature": "c')
    for others in (wire_messages(said), bedrock(Request(said), "amazon.nova-lite-v1:0", {})):
        assert not {"thoughtSignature", "toolCall", "madeUpId"} & set(repr(others).split("'"))


@pytest.mark.parametrize("name", STREAMS)
def test_it_is_the_same_over_a_connection(name: str) -> None:
    data, message, reason, usage = STREAMS[name]
    response = finished(streamed(*cut(data, [97])))
    assert (response.message, response.finish_reason, response.usage) == (message, reason, usage)


def test_what_has_no_word_is_in_raw() -> None:
    """Of a stream as of a whole answer."""
    _, response = folded([STREAMS["a search that Google made"][0]])
    (candidate,) = response.raw["candidates"]
    assert candidate["groundingMetadata"] == {"webSearchQueries": ["F1"]}
    assert [*candidate["content"]["parts"][0]] == ["thoughtSignature", "toolCall"]
    assert candidate["content"]["parts"][2] == {"text": "Norris won."}
    assert response.raw["usageMetadata"]["toolUsePromptTokenCount"] == 50
    assert response.raw["modelVersion"] == "gemini-3-flash-preview"


@pytest.mark.parametrize(
    "blob", ['{"mimeType": "video/mp4","data": "AAAA"}', '{"data": "AAAA"}', '{"mimeType": "image/png"}']
)
def test_what_is_no_picture_and_no_sound_is_kept_as_it_came(blob: str) -> None:
    data = event(f'{{}},{{"inlineData": {blob}}}', STOP)
    (part,) = folded([data])[1].message.content
    assert part.metadata["gemini"]["part"] == {"inlineData": json.loads(blob)}


def test_log_probabilities_go_on_where_they_ended() -> None:
    likely = '"logprobsResult": {"chosenCandidates": [{"token": "%s"}],"topCandidates": [{"candidates": []}]},'
    data = event('{"text": "a"}', likely % "a") + event('{"text": "b"}', STOP + likely % "b")
    result = folded([data])[1].raw["candidates"][0]["logprobsResult"]
    assert result["chosenCandidates"] == [{"token": "a"}, {"token": "b"}]
    assert len(result["topCandidates"]) == 2


def test_what_a_stop_cuts_off_says_what_it_cost() -> None:
    """As far as it has come in the same bytes; what can't be read there does no harm."""
    late = event('{"text": " more"}', STOP, usage=f'{PROMPT},"candidatesTokenCount": 7') + b"data: what?\r\n\r\n"
    deltas, response = folded([event('{"text": "Hi END"}') + late], ("END",))
    assert (response.content, response.stopped_by, response.usage) == ("Hi ", "END", Usage(391, 7))
    assert deltas == [TextDelta("Hi ")]


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        ({}, None),
        ({"trafficType": "ON_DEMAND"}, None),
        ({"promptTokenCount": True}, None),
        ({"promptTokenCount": -1}, None),
        ({"promptTokenCount": 7}, Usage(7, 0)),
        ({"promptTokenCount": 7, "totalTokenCount": 5}, Usage(7, 0)),
        ({"promptTokenCount": 7, "totalTokenCount": 30, "thoughtsTokenCount": 20}, Usage(7, 23, reasoning_tokens=20)),
    ],
)
def test_usage_is_read_as_far_as_it_goes(said: dict[str, Any], counted: Usage | None) -> None:
    assert usage_of(said) == counted


def test_made_up_ids_go_on_where_the_conversation_is() -> None:
    history = [Message("user", "Hi"), Message("assistant", [ToolCall("call_0", "f"), ToolCall("call_1", "f")])]
    data = event('{"functionCall": {"name": "clock"}}', STOP)
    assert finished(streamed(data), Request(history)).tool_calls[0].id == "call_2"


def test_a_failure_has_what_was_shown() -> None:
    with pytest.raises(NoAnswer, match="MALFORMED_FUNCTION_CALL: print"):
        folded([event("", '"finishReason": "MALFORMED_FUNCTION_CALL","finishMessage": "print(1)",')])
