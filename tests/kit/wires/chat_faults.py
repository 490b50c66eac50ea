"""What may go wrong on the wire of chat completions, and the kind of error that each is, whatever adapter reads it."""

from __future__ import annotations

from loopback import DONE, Answer, body, chunk, error, sse, streamed, whole
from openai_calls import PARTIAL

LONG = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
HTML = Answer(502, {"content-type": "text/html"}, b"<html><body>Bad gateway</body></html>")

LARGE = "Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 40000."

REFUSALS: list[tuple[str, Answer, str]] = [
    ("400", error(400), "invalid_request"),
    ("400 context", error(400, "context_length_exceeded"), "context_window"),
    ("400 context in words", error(400, None, LONG), "context_window"),
    ("400 content filter", error(400, "content_filter"), "content_filter"),
    ("400 parameter", error(400, "unsupported_parameter"), "unsupported"),
    ("401", error(401, "invalid_api_key"), "authentication"),
    ("402", error(402), "quota_exhausted"),
    ("403", error(403), "permission"),
    ("404", error(404, "model_not_found"), "not_found"),
    ("408", error(408), "timeout"),
    ("409", error(409), "overloaded"),
    ("413", error(413), "context_window"),
    ("418", error(418), "invalid_request"),
    ("422", body({"detail": [{"msg": "no"}]}, 422), "invalid_request"),
    ("429", error(429, "rate_limit_exceeded"), "rate_limited"),
    ("429 for ever", error(429, "rate_limit_exceeded", LARGE), "context_window"),
    ("413 for ever", error(413, "rate_limit_exceeded", LARGE), "context_window"),
    ("429 quota", error(429, "insufficient_quota"), "quota_exhausted"),
    ("500", error(500), "server"),
    ("502 HTML", HTML, "server"),
    ("503", error(503), "overloaded"),
    ("504", error(504), "timeout"),
    ("529", error(529), "overloaded"),
    ("599", error(599), "server"),
    ("500 empty", Answer(500), "server"),
]

FAULTS: list[tuple[str, Answer, str, str]] = [
    ("reset before the answer", Answer(0, then="reset"), "interrupted", "perhaps"),
    ("cut before the answer", Answer(0, then="cut"), "interrupted", "perhaps"),
    ("reset in the answer", Answer(body=whole().body, then="reset"), "interrupted", "perhaps"),
    ("cut in the answer", Answer(body=whole().body, then="cut"), "interrupted", "perhaps"),
    ("no answer", Answer(0, then="stall"), "timeout", "perhaps"),
    ("half an answer", Answer(body=whole().body, then="stall"), "timeout", "perhaps"),
    ("empty", Answer(), "malformed_response", "yes"),
    ("HTML", Answer(200, {"content-type": "text/html"}, b"<html>hello</html>"), "malformed_response", "yes"),
    ("broken JSON", Answer(200, {"content-type": "application/json"}, b'{"choices": ['), "malformed_response", "yes"),
    ("foreign JSON", body({"hello": "world"}), "malformed_response", "yes"),
    ("a list", body([1]), "malformed_response", "yes"),
    ("null choices", body({"choices": None}), "malformed_response", "yes"),
    ("empty choices", body({"choices": []}), "malformed_response", "yes"),
    ("a number for a choice", body({"choices": [5]}), "malformed_response", "yes"),
    ("a number for content", whole(content=5), "malformed_response", "yes"),
    ("an object for content", whole(content={"a": 1}), "malformed_response", "yes"),
    ("null message", body({"choices": [{"message": None}]}), "malformed_response", "yes"),
    ("an error under 200", body({"error": {"message": "busy", "code": 503}}), "overloaded", "yes"),
]

BROKEN: list[tuple[str, Answer, str]] = [
    ("cut cleanly", streamed(*PARTIAL), "interrupted"),
    ("cut in an event", streamed(*PARTIAL, b'data: {"choices": [{"del'), "interrupted"),
    ("cut", streamed(*PARTIAL, then="cut"), "interrupted"),
    ("reset", streamed(*PARTIAL, then="reset"), "interrupted"),
    ("stalled", streamed(*PARTIAL, then="stall"), "timeout"),
    ("[DONE] without a reason", streamed(*PARTIAL, DONE), "interrupted"),
    ("no JSON", streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
    ("no object", streamed(*PARTIAL, sse([1])), "malformed_response"),
    ("a number for a choice", streamed(*PARTIAL, sse({"choices": [5]})), "malformed_response"),
    ("a number for content", streamed(*PARTIAL, chunk({"content": 5})), "malformed_response"),
    ("an object for content", streamed(*PARTIAL, chunk({"content": {"a": 1}})), "malformed_response"),
    ("an error", streamed(*PARTIAL, sse({"error": {"message": "x", "type": "server_error"}})), "server"),
    ("an error with a number", streamed(*PARTIAL, sse({"error": {"message": "x", "code": 429}})), "rate_limited"),
    ("an error event", streamed(*PARTIAL, b'event: error\ndata: {"message": "x", "type": "overloaded_error"}\n\n'),
     "overloaded"),
]  # fmt: skip
