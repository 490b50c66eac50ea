"""The Messages wire on the loopback: whole answers, events and refusals, as platform.claude.com/docs shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from loopback import Answer, Loopback, Seen, body, streamed
from returns.result import Success

from modelport.adapters.anthropic.model import AnthropicModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

KEY = "sk-ant-secret-0123456789"
HI = Request([Message("user", "hi")])
USAGE = {"input_tokens": 7, "output_tokens": 3}


def event(name: str, **fields: Any) -> bytes:
    """One event of a stream."""
    data = json.dumps({"type": name, **fields}, ensure_ascii=False)
    return f"event: {name}\ndata: {data}\n\n".encode()


def begin(usage: Mapping[str, Any] | None = None, **fields: Any) -> bytes:
    """The first event."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "m-1",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 1} if usage is None else usage,
        **fields,
    }
    return event("message_start", message=message)


BEGIN = begin()
PING = event("ping")
END = event("message_stop")


def start(block: Mapping[str, Any], at: int = 0) -> bytes:
    return event("content_block_start", index=at, content_block=block)


def delta(kind: str, at: int = 0, **fields: Any) -> bytes:
    return event("content_block_delta", index=at, delta={"type": kind, **fields})


def stop(at: int = 0) -> bytes:
    return event("content_block_stop", index=at)


def text(piece: str, at: int = 0) -> bytes:
    return delta("text_delta", at, text=piece)


def ending(reason: str | None = "end_turn", usage: Mapping[str, Any] | None = None, **fields: Any) -> tuple[bytes, ...]:
    """The last two events."""
    said = {"stop_reason": reason, "stop_sequence": None, **fields}
    return event("message_delta", delta=said, usage={"output_tokens": 3} if usage is None else usage), END


def whole(
    content: str | Sequence[Mapping[str, Any]] = "Hello!", reason: str | None = "end_turn", **fields: Any
) -> Answer:
    """A whole answer."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1"}
    said = {"content": blocks, "stop_reason": reason, "stop_sequence": None, "usage": USAGE}
    return body({**head, **said, **fields})


def error(status: int, kind: str = "invalid_request_error", message: str = "no", **headers: str) -> Answer:
    """A refusal."""
    said = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return body(said, status, **headers)


def saying(words: str, sizes: Sequence[int] = (3,)) -> Callable[[Seen], Answer]:
    """Says this text, whole or in pieces of these sizes, as it is asked to."""

    def answer(seen: Seen) -> Answer:
        if not seen.json.get("stream"):
            return whole(words)
        at, pieces, turn = 0, [BEGIN, start({"type": "text", "text": ""}), PING], 0
        while at < len(words):
            size = sizes[turn % len(sizes)]
            pieces.append(text(words[at : at + size]))
            at, turn = at + size, turn + 1
        return streamed(*pieces, stop(), *ending())

    return answer


def model(server: Loopback, model_id: str = "claude-sonnet-5-5", **fields: Any) -> AnthropicModel:
    return AnthropicModel(model_id, base_url=server.url, **{"api_key": KEY, **fields})


async def heard(stream: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in stream]


def ask(server: Loopback, request: Request = HI, **fields: Any) -> Response | ModelError:
    result = asyncio.run(model(server, **fields).generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


def answered(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    found = ask(server, request, **fields)
    assert isinstance(found, Response), found
    return found


def listen(server: Loopback, request: Request = HI, **fields: Any) -> list[Event]:
    return asyncio.run(heard(model(server, **fields).stream(request)))


def failed(server: Loopback, request: Request = HI, **fields: Any) -> ModelError:
    found = ask(server, request, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(server: Loopback, **fields: Any) -> Failed:
    *_, last = listen(server, **fields)
    assert isinstance(last, Failed), last
    return last


def sent(request: Request = HI, **fields: Any) -> Any:
    """The body that is sent for a request."""
    with Loopback(whole()) as server:
        answered(server, request, **fields)
    return server.requests[0].json
