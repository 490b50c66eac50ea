"""Gemini's generateContent on the loopback server: whole answers, streams, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from laws import listen
from loopback import Answer, Loopback, Seen, body, sse, streamed
from returns.result import Success

from modelport.adapters.gemini.model import GeminiModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

MODEL = "gemini-2.5-flash"
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
HEAD = {"modelVersion": MODEL, "responseId": "r1"}
HI = Request([Message("user", "hi")])


def answer(
    *parts: Mapping[str, Any] | str, finish: str | None = "STOP", usage: Any = USAGE, **more: Any
) -> dict[str, Any]:
    """A whole answer, or a chunk of a stream; `more` are members of the candidate."""
    said = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": said}, "index": 0, **more}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **({"usageMetadata": usage} if usage is not None else {}), **HEAD}


def whole(*parts: Mapping[str, Any] | str, **more: Any) -> Answer:
    """A whole answer."""
    return body(answer(*parts, **more))


def chunk(*parts: Mapping[str, Any] | str, finish: str | None = None, **more: Any) -> bytes:
    """One event of a stream."""
    return sse(answer(*parts, finish=finish, **more))


def refusal(status: int, word: str, message: str = "no", details: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A refusal in Google's form."""
    said = {"code": status, "message": message, "status": word}
    return {"error": {**said, **({"details": list(details)} if details else {})}}


def error(status: int, word: str, message: str = "no", *details: Mapping[str, Any], **headers: str) -> Answer:
    """The same as an answer."""
    return body(refusal(status, word, message, details), status, **headers)


def streams(seen: Seen) -> bool:
    """Whether a stream was asked for."""
    return ":streamGenerateContent?" in seen.path


def saying(text: str, sizes: Sequence[int] = (3,), finish: str = "STOP") -> Callable[[Seen], Answer]:
    """Says this text, whole or in pieces of these sizes, as it is asked to."""

    def say(seen: Seen) -> Answer:
        if not streams(seen):
            return whole(text, finish=finish)
        at, pieces, turn = 0, list[bytes](), 0
        while at < len(text):
            size = sizes[turn % len(sizes)]
            pieces.append(chunk(text[at : at + size]))
            at, turn = at + size, turn + 1
        return streamed(*pieces, chunk("", finish=finish))

    return say


def model(server: Loopback, model_id: str = MODEL, **fields: Any) -> GeminiModel:
    return GeminiModel(model_id, **{"base_url": f"http://127.0.0.1:{server.port}", "api_key": "none", **fields})


def ask(script: Any, request: Request = HI, **fields: Any) -> Response | ModelError:
    """What comes back, whole."""
    with Loopback(script) as server:
        result = asyncio.run(model(server, **fields).generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


def hear(script: Any, request: Request = HI, **fields: Any) -> list[Event]:
    """What comes back, streamed."""
    with Loopback(script) as server:
        return asyncio.run(listen(model(server, **fields), request))


def answered(script: Any, request: Request = HI, **fields: Any) -> Response:
    found = ask(script, request, **fields)
    assert isinstance(found, Response), found
    return found


def finished(script: Any, request: Request = HI, **fields: Any) -> Response:
    *_, last = hear(script, request, **fields)
    assert isinstance(last, Finished), last
    return last.response


def failed(script: Any, request: Request = HI, **fields: Any) -> ModelError:
    found = ask(script, request, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(script: Any, request: Request = HI, **fields: Any) -> Failed:
    *_, last = hear(script, request, **fields)
    assert isinstance(last, Failed), last
    return last
