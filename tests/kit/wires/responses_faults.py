"""What may go wrong on the Responses wire, and the kind of error that each is; its refusals are those of chat."""

from __future__ import annotations

import responses_wire as wire
from loopback import DONE, Answer, body, sse, streamed

WHOLE = wire.whole().body
PARTIAL = (wire.event("response.created", response=wire.response(status="queued")), wire.delta("Hel"), wire.delta("lo"))


def _failed(code: str | None, **fields: object) -> bytes:
    error = None if code is None else {"code": code, "message": "no"}
    return wire.event("response.failed", response=wire.response(status="failed", error=error, **fields))


FAULTS: list[tuple[str, Answer, str, str]] = [
    ("reset before the answer", Answer(0, then="reset"), "interrupted", "perhaps"),
    ("cut before the answer", Answer(0, then="cut"), "interrupted", "perhaps"),
    ("reset in the answer", Answer(body=WHOLE, then="reset"), "interrupted", "perhaps"),
    ("cut in the answer", Answer(body=WHOLE, then="cut"), "interrupted", "perhaps"),
    ("no answer", Answer(0, then="stall"), "timeout", "perhaps"),
    ("half an answer", Answer(body=WHOLE, then="stall"), "timeout", "perhaps"),
    ("empty", Answer(), "malformed_response", "yes"),
    ("HTML", Answer(200, {"content-type": "text/html"}, b"<html>hello</html>"), "malformed_response", "yes"),
    ("broken JSON", Answer(200, {"content-type": "application/json"}, b'{"output": ['), "malformed_response", "yes"),
    ("foreign JSON", body({"hello": "world"}), "malformed_response", "yes"),
    ("a list", body([1]), "malformed_response", "yes"),
    ("null output", body(wire.response(output=None)), "malformed_response", "yes"),
    ("an answer of chat completions", body({"choices": []}), "malformed_response", "yes"),
    ("not there yet", body(wire.response(status="queued")), "malformed_response", "yes"),
    ("an error under 200", body({"error": {"message": "busy", "code": 503}}), "overloaded", "yes"),
    ("failed", body(wire.response(status="failed", error={"code": "server_error", "message": "no"})), "server", "yes"),
    ("failed without a word", body(wire.response(status="failed")), "server", "yes"),
    ("cancelled", body(wire.response(status="cancelled")), "interrupted", "yes"),
]

BROKEN: list[tuple[str, Answer, str]] = [
    ("cut cleanly", streamed(*PARTIAL), "interrupted"),
    ("cut in an event", streamed(*PARTIAL, b'event: response.output_text.delta\ndata: {"type": "resp'), "interrupted"),
    ("cut", streamed(*PARTIAL, then="cut"), "interrupted"),
    ("reset", streamed(*PARTIAL, then="reset"), "interrupted"),
    ("stalled", streamed(*PARTIAL, then="stall"), "timeout"),
    ("[DONE] without an end", streamed(*PARTIAL, DONE), "interrupted"),
    ("no JSON", streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
    ("no object", streamed(*PARTIAL, sse([1])), "malformed_response"),
    ("an end without a response", streamed(*PARTIAL, wire.event("response.completed")), "malformed_response"),
    ("failed", streamed(*PARTIAL, _failed("server_error")), "server"),
    ("failed for its rate", streamed(*PARTIAL, _failed("rate_limit_exceeded")), "rate_limited"),
    ("failed for its picture", streamed(*PARTIAL, _failed("invalid_image_url")), "invalid_request"),
    ("failed for its words", streamed(*PARTIAL, _failed("invalid_prompt")), "content_filter"),
    ("failed for its length", streamed(*PARTIAL, _failed("context_length_exceeded")), "context_window"),
    ("failed without a word", streamed(*PARTIAL, _failed(None)), "server"),
    ("cancelled", streamed(*PARTIAL, wire.event("response.cancelled", response=wire.response())), "interrupted"),
    ("an error, flat", streamed(*PARTIAL, wire.event("error", code="rate_limit_exceeded", message="no", param=None)),
     "rate_limited"),
    ("an error, flat and without a code", streamed(*PARTIAL, wire.event("error", code=None, message="no")), "server"),
    ("an error, nested", streamed(*PARTIAL, wire.event("error", error={"code": "insufficient_quota", "message": "x"})),
     "quota_exhausted"),
    ("an error without an event's name", streamed(*PARTIAL, sse({"type": "error", "code": "overloaded"})),
     "overloaded"),
    ("an error, bare", streamed(*PARTIAL, sse({"error": {"message": "x", "code": 429}})), "rate_limited"),
]  # fmt: skip
