"""The Responses API on the loopback: its answers and its events, as its reference describes them.

developers.openai.com/api/reference/resources/responses/streaming-events
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from loopback import Answer, Seen, body, streamed

USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 10,
}


def response(*output: Mapping[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A response, as it stands alone or in an event."""
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "m-1",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE if status in ("completed", "incomplete") else None,
        **fields,
    }


def message(text: str, *, id: str | None = "msg_1", **fields: Any) -> dict[str, Any]:
    """A message of one text."""
    piece = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    known = {} if id is None else {"id": id}
    return {**known, "type": "message", "role": "assistant", "status": "completed", "content": [piece], **fields}


def refusal(text: str) -> dict[str, Any]:
    """A message that says why there is no answer."""
    return message("") | {"content": [{"type": "refusal", "refusal": text}]}


def reasoning(*summary: str, encrypted: str | None = None, id: str = "rs_1") -> dict[str, Any]:
    """Reasoning, with a summary of these paragraphs."""
    paragraphs = [{"type": "summary_text", "text": text} for text in summary]
    own = {} if encrypted is None else {"encrypted_content": encrypted}
    return {"id": id, "type": "reasoning", "summary": paragraphs, **own}


def call(name: str, arguments: str, *, call_id: str = "call_1", id: str | None = "fc_1") -> dict[str, Any]:
    """A call of a function."""
    known = {} if id is None else {"id": id}
    return {
        **known,
        "type": "function_call",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


def whole(text: str = "Hello!") -> Answer:
    """A whole answer."""
    return body(response(message(text)))


def event(kind: str, number: int = 0, **fields: Any) -> bytes:
    """One event, with its name before it."""
    data = json.dumps({"type": kind, "sequence_number": number, **fields}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n".encode()


def delta(text: str, index: int = 0) -> bytes:
    """A piece of text."""
    at = {"item_id": f"msg_{index}", "output_index": index, "content_index": 0}
    return event("response.output_text.delta", delta=text, logprobs=[], **at)


def events(whole: Mapping[str, Any], sizes: Sequence[int] = (3,)) -> list[bytes]:
    """The events that come to this response, its words in pieces of these sizes."""
    number = count()
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    out = [
        event("response.created", next(number), response=begun),
        event("response.in_progress", next(number), response=begun),
    ]
    for at, item in enumerate(whole["output"]):
        out += (event(kind, next(number), output_index=at, **fields) for kind, fields in _of_item(item, sizes))
    out.append(event(f"response.{whole['status']}", next(number), response=whole))
    return out


_Event = tuple[str, dict[str, Any]]


def _of_item(item: Mapping[str, Any], sizes: Sequence[int]) -> Iterator[_Event]:
    id_ = {"item_id": item.get("id")}
    match item["type"]:
        case "message":
            yield "response.output_item.added", {"item": {**item, "status": "in_progress", "content": []}}
            for index, piece in enumerate(item["content"]):
                yield from _of_piece(piece, {**id_, "content_index": index}, sizes)
        case "reasoning":
            yield "response.output_item.added", {"item": {**item, "summary": [], "encrypted_content": "begun"}}
            for index, paragraph in enumerate(item["summary"]):
                at = {**id_, "summary_index": index}
                empty = {"type": "summary_text", "text": ""}
                yield "response.reasoning_summary_part.added", {**at, "part": empty}
                for piece in _pieces(paragraph["text"], sizes):
                    yield "response.reasoning_summary_text.delta", {**at, "delta": piece}
                yield "response.reasoning_summary_text.done", {**at, "text": paragraph["text"]}
                yield "response.reasoning_summary_part.done", {**at, "part": paragraph}
        case "function_call":
            yield "response.output_item.added", {"item": {**item, "status": "in_progress", "arguments": ""}}
            for piece in _pieces(item["arguments"], sizes):
                yield "response.function_call_arguments.delta", {**id_, "delta": piece}
            yield "response.function_call_arguments.done", {**id_, "arguments": item["arguments"]}
        case "custom_tool_call":
            yield "response.output_item.added", {"item": {**item, "input": ""}}
            for piece in _pieces(item["input"], sizes):
                yield "response.custom_tool_call_input.delta", {**id_, "delta": piece}
            yield "response.custom_tool_call_input.done", {**id_, "input": item["input"]}
        case kind:
            yield "response.output_item.added", {"item": {**item, "status": "in_progress"}}
            yield f"response.{kind}.in_progress", id_
            yield f"response.{kind}.completed", id_
    yield "response.output_item.done", {"item": item}


def _of_piece(piece: Mapping[str, Any], at: Mapping[str, Any], sizes: Sequence[int]) -> Iterator[_Event]:
    said = "refusal" if piece["type"] == "refusal" else "text"
    name = "response.refusal" if said == "refusal" else "response.output_text"
    more = {} if said == "refusal" else {"logprobs": []}
    yield "response.content_part.added", {**at, "part": {**piece, said: ""}}
    for part in _pieces(piece[said], sizes):
        yield f"{name}.delta", {**at, "delta": part, **more}
    for index, annotation in enumerate(piece.get("annotations") or ()):
        added = "response.output_text.annotation.added"
        yield added, {**at, "annotation_index": index, "annotation": annotation}
    yield f"{name}.done", {**at, said: piece[said], **more}
    yield "response.content_part.done", {**at, "part": piece}


def _pieces(text: str, sizes: Sequence[int]) -> Iterator[str]:
    at = turn = 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        yield text[at : at + size]
        at, turn = at + size, turn + 1


def replying(answer: Mapping[str, Any], sizes: Sequence[int] = (8,)) -> Callable[[Seen], Answer]:
    """Answers with this response, whole or streamed, as it is asked to."""

    def reply(seen: Seen) -> Answer:
        return streamed(*events(answer, sizes)) if seen.json.get("stream") else body(answer)

    return reply


def saying(text: str, sizes: Sequence[int] = (3,)) -> Callable[[Seen], Answer]:
    """Says this text."""
    return replying(response(message(text)), sizes)
