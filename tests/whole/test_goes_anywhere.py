"""A conversation goes anywhere: what one wire's `decode` gives, every other wire's `encode` takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport import Message, Reasoning, Request, Response, Text, ToolCall, ToolResult
from modelport.adapters.anthropic import answer as anthropic_answer
from modelport.adapters.anthropic import request as anthropic_request
from modelport.adapters.bedrock import answer as bedrock_answer
from modelport.adapters.bedrock import request as bedrock_request
from modelport.adapters.chat import answer as chat_answer
from modelport.adapters.chat import request as chat_request
from modelport.adapters.gemini import answer as gemini_answer
from modelport.adapters.gemini import request as gemini_request

SECRET = "c2lnbmVk"  # a signature, and base64 as Bedrock's must be
BROKEN = ['{"city": "Se', "Seoul", "[1]", "null", '{"x": NaN}', ""]
ARGUMENTS = st.sampled_from([*BROKEN, "{}", '{"city": "Seoul"}'])
IDS = st.one_of(
    st.sampled_from(["call_1", "functions.look:0", "a|b/c+d==", "안녕", "x" * 300]), st.text("aZ9_.:|-", min_size=1)
)
CALLS = st.lists(st.tuples(IDS, ARGUMENTS), max_size=3, unique_by=lambda call: call[0])
WORDS = st.sampled_from(["", " ", "\n", "Hello.", "안녕 🙂"])


@attrs.frozen
class Said:
    """What an answer is to say, on whatever wire."""

    thought: str
    words: str
    calls: list[tuple[str, str]]


ANSWERS = st.builds(Said, WORDS, WORDS, CALLS)


def _value(arguments: str) -> Any:
    """The arguments as wires have them that send no text: a value where it is JSON, and else the text."""
    try:
        return json.loads(arguments, parse_constant=lambda _: arguments)
    except ValueError:
        return arguments


def from_chat(said: Said) -> Response:
    calls = [
        {"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}}
        for id_, arguments in said.calls
    ]
    details = [{"type": "reasoning.encrypted", "data": SECRET}]
    message = {"content": said.words, "reasoning": said.thought, "reasoning_details": details, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return chat_answer.decode(json.dumps({"choices": [choice]}).encode())


def from_anthropic(said: Said) -> Response:
    content: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": said.thought, "signature": SECRET},
        {"type": "redacted_thinking", "data": SECRET},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": SECRET}},
        {"type": "text", "text": said.words},
    ]
    content += [
        {"type": "tool_use", "id": id_, "name": "look", "input": _value(arguments)} for id_, arguments in said.calls
    ]
    return anthropic_answer.decode(json.dumps({"content": content, "stop_reason": "end_turn"}).encode())


def from_bedrock(said: Said) -> Response:
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": said.thought, "signature": SECRET}}},
        {"reasoningContent": {"redactedContent": SECRET}},
        {"text": said.words},
    ]
    content += [
        {"toolUse": {"toolUseId": id_, "name": "look", "input": _value(arguments)}} for id_, arguments in said.calls
    ]
    return bedrock_answer.decode({"output": {"message": {"content": content}}, "stopReason": "end_turn"})


def from_gemini(said: Said) -> Response:
    parts: list[dict[str, Any]] = [
        {"text": said.thought, "thought": True},
        {"executableCode": {"language": "PYTHON", "code": SECRET}},
        {"text": said.words, "thoughtSignature": SECRET},
    ]
    parts += [
        {"functionCall": {"id": id_, "name": "look", "args": _value(arguments)}, "thoughtSignature": SECRET}
        for id_, arguments in said.calls
    ]
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    return gemini_answer.decode(json.dumps({"candidates": [candidate]}).encode())


def check_chat(request: Request) -> str:
    sent = chat_request.encode(request, "m", {}).decode()
    open_calls: list[str] = []
    for message in json.loads(sent)["messages"]:
        if message["role"] == "tool":
            open_calls.remove(message["tool_call_id"])
            continue
        assert open_calls == []
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"], parse_constant=pytest.fail), dict)
            open_calls.append(call["id"])
        content = message["content"]
        assert not isinstance(content, list) or all(part["text"] for part in content)
    assert open_calls == []
    return sent


def _turns(turns: list[dict[str, Any]], other_side: str) -> Iterator[tuple[bool, dict[str, Any]]]:
    """The turns, which alternate and begin with the user's, with whether each is the model's."""
    for at, turn in enumerate(turns):
        assert turn["role"] == ("user", other_side)[at % 2]
        yield bool(at % 2), turn


def check_anthropic(request: Request) -> str:
    sent = anthropic_request.encode(request, "claude-x", {}).decode()
    open_calls: list[str] = []
    for _, turn in _turns(json.loads(sent)["messages"], "assistant"):
        blocks = turn["content"] if isinstance(turn["content"], list) else [{"type": "text", "text": turn["content"]}]
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert answered == open_calls
        calls = [block for block in blocks if block["type"] == "tool_use"]
        assert all(isinstance(call["input"], dict) for call in calls)
        open_calls = [call["id"] for call in calls]
        assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", id_) for id_ in open_calls)
        assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    assert open_calls == []
    return sent


def check_bedrock(request: Request) -> str:
    body = bedrock_request.encode(request, "m", {})
    open_calls: list[str] = []
    for _, turn in _turns(body["messages"], "assistant"):
        blocks = turn["content"]
        assert [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block] == open_calls
        calls = [block["toolUse"] for block in blocks if "toolUse" in block]
        assert all(isinstance(call["input"], dict) for call in calls)
        open_calls = [call["toolUseId"] for call in calls]
        assert all(re.fullmatch("[a-zA-Z0-9_.:-]{1,64}", id_) for id_ in open_calls)
        assert all(block["text"].strip() for block in blocks if "text" in block)
    assert open_calls == []
    return repr(body)


def check_gemini(request: Request) -> str:
    sent = gemini_request.encode(request, "gemini-3-pro", {}).decode()
    open_calls: list[tuple[str, str]] = []
    for _, turn in _turns(json.loads(sent)["contents"], "model"):
        results = [part["functionResponse"] for part in turn["parts"] if "functionResponse" in part]
        assert [(result["id"], result["name"]) for result in results] == open_calls
        calls = [part["functionCall"] for part in turn["parts"] if "functionCall" in part]
        assert all(isinstance(call["args"], dict) for call in calls)
        open_calls = [(call["id"], call["name"]) for call in calls]
        assert all(part["text"] for part in turn["parts"] if "text" in part)
    assert open_calls == []
    return sent


# A wire is one row: how it says an answer, and what it takes.
WIRES: dict[str, tuple[Callable[[Said], Response], Callable[[Request], str]]] = {
    "anthropic": (from_anthropic, check_anthropic),
    "bedrock": (from_bedrock, check_bedrock),
    "chat": (from_chat, check_chat),
    "gemini": (from_gemini, check_gemini),
}
PAIRS = [(source, target) for source in WIRES for target in WIRES if source != target]


def conversation(answers: list[Response]) -> Request:
    """These answers, each after a question, and each call in them with its result."""
    messages: list[Message] = []
    for answer in answers:
        messages += [Message("user", "Where?"), answer.message]
        messages += [Message("tool", [ToolResult(call.id, "Here.")]) for call in answer.message.tool_calls]
    return Request([*messages, Message("user", "Go on.")])


@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=40)
@given(said=st.lists(ANSWERS, min_size=1, max_size=3))
def test_every_wire_takes_what_another_has_answered(source: str, target: str, said: list[Said]) -> None:
    say, check = WIRES[source][0], WIRES[target][1]
    assert SECRET not in check(conversation([say(each) for each in said]))


@pytest.mark.parametrize("arguments", BROKEN[:-1])
def test_broken_arguments_reach_chat_completions_as_an_object(arguments: str) -> None:
    request = Request([Message("assistant", [ToolCall("c", "look", arguments)]), Message("tool", [ToolResult("c")])])
    call = json.loads(chat_request.encode(request, "m", {}))["messages"][0]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"arguments": arguments}


def test_an_empty_text_of_another_wire_is_no_part_on_chat_completions() -> None:
    block = Text("", metadata={"anthropic": {"block": {"type": "server_tool_use"}}})
    request = Request([Message("assistant", [Reasoning("Hm."), block, Text("Hello.")])])
    assert json.loads(chat_request.encode(request, "m", {}))["messages"][0]["content"] == "Hello."
