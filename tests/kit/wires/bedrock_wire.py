"""Bedrock's Converse wire on the loopback server: whole answers, event streams with their checksums, refusals."""

from __future__ import annotations

import asyncio
import binascii
import functools
import json
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from loopback import Answer, Loopback, Seen, body
from returns.result import Success

from modelport.adapters.bedrock.model import AmazonBedrockModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

MODEL = "anthropic.claude-sonnet-4-20250514-v1:0"
ACCESS, SECRET = "AKIAPLANTEDACCESSKEY", "planted/secret/access/key+0123456789"
KEYS: dict[str, Any] = {"region_name": "us-east-1", "aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
USAGE = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
HI = Request([Message("user", "hi")])
ID: Any = {"x-amzn-RequestId": "req-1"}


def frame(name: str, payload: Any, **headers: str) -> bytes:
    """An event as it stands on the wire; `payload` is JSON, or bytes as they are."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload, ensure_ascii=False).encode()
    return packed({":event-type": name, ":content-type": "application/json", ":message-type": "event", **headers}, data)


def refusal(name: str, message: str) -> bytes:
    """An exception in a stream."""
    payload = json.dumps({"message": message}).encode()
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return packed(headers, payload)


def packed(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Prelude, headers, payload, and the checksums of the first and of the whole."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    return framed(head, payload)


def framed(head: bytes, payload: bytes = b"") -> bytes:
    """The same for headers that are bytes already."""
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    whole = prelude + struct.pack(">I", binascii.crc32(prelude)) + head + payload
    return whole + struct.pack(">I", binascii.crc32(whole))


def text_delta(text: str, index: int = 0) -> bytes:
    return delta({"text": text}, index)


def delta(said: Mapping[str, Any], index: int = 0) -> bytes:
    return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": said, "p": "abcdefgh"})


def start(said: Mapping[str, Any], index: int = 0) -> bytes:
    return frame("contentBlockStart", {"contentBlockIndex": index, "start": said})


def stop(index: int = 0) -> bytes:
    return frame("contentBlockStop", {"contentBlockIndex": index})


def ending(reason: str = "end_turn", usage: Mapping[str, int] = USAGE, **more: Any) -> tuple[bytes, bytes]:
    return (
        frame("messageStop", {"stopReason": reason, **more}),
        frame("metadata", {"usage": usage, "metrics": {"latencyMs": 5}}),
    )


BEGIN = frame("messageStart", {"role": "assistant"})
STREAM = {"content-type": "application/vnd.amazon.eventstream", **ID}


def streamed(*pieces: bytes, then: str = "end", pause: float = 0.0) -> Answer:
    """A stream of these bytes."""
    return Answer(headers=STREAM, pieces=pieces, then=then, pause=pause)


def whole(
    content: str | Sequence[Mapping[str, Any]] = "Hello!",
    reason: str = "end_turn",
    usage: Mapping[str, int] = USAGE,
    **more: Any,
) -> Answer:
    """A whole answer."""
    blocks = [{"text": content}] if isinstance(content, str) else content
    message = {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": reason}
    return body({**message, "usage": usage, "metrics": {"latencyMs": 5}, **more}, **ID)


def saying(text: str, sizes: Sequence[int] = (3,), reason: str = "end_turn") -> Callable[[Seen], Answer]:
    """Says this text, whole or in pieces of these sizes, as it is asked to."""

    def answer(seen: Seen) -> Answer:
        if not seen.path.endswith("/converse-stream"):
            return whole(text, reason)
        at, pieces, turn = 0, [BEGIN], 0
        while at < len(text):
            size = sizes[turn % len(sizes)]
            pieces.append(text_delta(text[at : at + size]))
            at, turn = at + size, turn + 1
        return streamed(*pieces, stop(), *ending(reason))

    return answer


def error(status: int, code: str, message: str = "no", **headers: str) -> Answer:
    """A refusal in AWS's form."""
    return body({"message": message}, status, x_amzn_ErrorType=code, **ID, **headers)


@functools.cache
def session() -> Any:
    """One for all tests: it takes boto3 a quarter of a second to read what it knows of the service."""
    import boto3

    return boto3.Session()


def model(server: Loopback, model_id: str = MODEL, **fields: Any) -> AmazonBedrockModel:
    address = f"http://127.0.0.1:{server.port}"
    return AmazonBedrockModel(model_id, **{"endpoint_url": address, "session": session(), **KEYS, **fields})


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


def finished(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    *_, last = listen(server, request, **fields)
    assert isinstance(last, Finished), last
    return last.response


def failed(server: Loopback, **fields: Any) -> ModelError:
    found = ask(server, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(server: Loopback, **fields: Any) -> Failed:
    *_, last = listen(server, **fields)
    assert isinstance(last, Failed), last
    return last
