"""What may go wrong on the Messages wire, and the kind of error that each is."""

from __future__ import annotations

from typing import Any

from loopback import Answer, body, sse, streamed
from messages_wire import BEGIN, END, error, event, start, text, whole

HTML = Answer(502, {"content-type": "text/html"}, b"<html><body>Bad gateway</body></html>")
PARTIAL = (BEGIN, start({"type": "text", "text": ""}), text("Hel"), text("lo"))


def refused(status: int, message: str, kind: str = "invalid_request_error", code: str | None = None) -> Answer:
    """A refusal with these words, and the code of its details."""
    details = {} if code is None else {"details": {"error_code": code}}
    return body({"type": "error", "error": {"type": kind, "message": message, **details}}, status)


# platform.claude.com/docs/en/api/errors, and what Anthropic says in words
REFUSALS: list[tuple[str, Answer, str]] = [
    ("400", error(400), "invalid_request"),
    ("400 too long", refused(400, "prompt is too long: 200001 tokens > 200000 maximum"), "context_window"),
    (
        "400 too long with the answer",
        refused(400, "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        "context_window",
    ),
    ("400 temperature", refused(400, "temperature: Extra inputs are not permitted"), "unsupported"),
    ("400 temperature, of newer models", refused(400, "`temperature` is deprecated for this model."), "unsupported"),
    ("400 no prefill", refused(400, "Prefilling assistant messages is not supported for this model."), "unsupported"),
    ("400 no credit", refused(400, "Your credit balance is too low to access the Anthropic API."), "quota_exhausted"),
    (
        "400 a limit of one's own",
        refused(400, "You have reached your specified API usage limits. You will regain access on 2026-12-01."),
        "quota_exhausted",
    ),
    ("400 filtered", refused(400, "Output blocked by content filtering policy"), "content_filter"),
    ("401", error(401, "authentication_error", "invalid x-api-key"), "authentication"),
    ("402", error(402, "billing_error"), "quota_exhausted"),
    ("403", error(403, "permission_error"), "permission"),
    ("403 on hold", refused(403, "no", "permission_error", "organization_on_hold"), "permission"),
    ("404", error(404, "not_found_error", "model: claude-9"), "not_found"),
    ("409", error(409, "conflict_error"), "overloaded"),
    ("413", error(413, "request_too_large"), "context_window"),
    ("418", error(418, "teapot"), "invalid_request"),
    ("429", error(429, "rate_limit_error"), "rate_limited"),
    ("429 spent", refused(429, "no", "rate_limit_error", "enforced_spend_limit_reached"), "quota_exhausted"),
    ("429 too steep", refused(429, "no", "rate_limit_error", "ramp_limit_exceeded"), "rate_limited"),
    ("500", error(500, "api_error"), "server"),
    ("502 HTML", HTML, "server"),
    ("503", error(503, "overloaded_error"), "overloaded"),
    ("504", error(504, "timeout_error"), "timeout"),
    ("529", error(529, "overloaded_error", "Overloaded"), "overloaded"),
    ("599", error(599, "api_error"), "server"),
    ("500 empty", Answer(500), "server"),
    ("400 in words", Answer(400, {"content-type": "text/plain"}, b"no way"), "invalid_request"),
    ("429 of a gateway", body({"detail": "slow down"}, 429), "rate_limited"),
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
    ("broken JSON", Answer(200, {"content-type": "application/json"}, b'{"content": ['), "malformed_response", "yes"),
    ("foreign JSON", body({"hello": "world"}), "malformed_response", "yes"),
    ("a list", body([1]), "malformed_response", "yes"),
    ("null content", body({"content": None}), "malformed_response", "yes"),
    ("a block of nothing", whole([None]), "malformed_response", "yes"),  # type: ignore[list-item]
    ("a text of nothing", whole([{"type": "text", "text": None}]), "malformed_response", "yes"),
    ("a call without a name", whole([{"type": "tool_use", "id": "a"}]), "malformed_response", "yes"),
    ("an error under 200", body({"type": "error", "error": {"type": "overloaded_error"}}), "overloaded", "yes"),
    ("an error without a type", body({"error": {"message": "busy", "type": "api_error"}}), "server", "yes"),
]


def said(**fields: Any) -> bytes:
    """An error in a stream."""
    return event("error", error={"message": "no", **fields})


BROKEN: list[tuple[str, Answer, str]] = [
    ("cut cleanly", streamed(*PARTIAL), "interrupted"),
    ("cut in an event", streamed(*PARTIAL, b'event: content_block_delta\ndata: {"type": "cont'), "interrupted"),
    ("cut", streamed(*PARTIAL, then="cut"), "interrupted"),
    ("reset", streamed(*PARTIAL, then="reset"), "interrupted"),
    ("stalled", streamed(*PARTIAL, then="stall"), "timeout"),
    ("an end without a reason", streamed(*PARTIAL, END), "interrupted"),
    ("an end whose reason is null", streamed(*PARTIAL, event("message_delta", delta={"stop_reason": None}), END),
     "interrupted"),
    ("no JSON", streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
    ("no object", streamed(*PARTIAL, sse([1])), "malformed_response"),
    ("overloaded", streamed(*PARTIAL, said(type="overloaded_error")), "overloaded"),
    ("too many", streamed(*PARTIAL, said(type="rate_limit_error")), "rate_limited"),
    ("broken down", streamed(*PARTIAL, said(type="api_error")), "server"),
    ("too slow", streamed(*PARTIAL, said(type="timeout_error")), "timeout"),
    ("not paid", streamed(*PARTIAL, said(type="billing_error")), "quota_exhausted"),
    ("not allowed", streamed(*PARTIAL, said(type="permission_error")), "permission"),
    ("an unknown key", streamed(*PARTIAL, said(type="authentication_error")), "authentication"),
    ("not there", streamed(*PARTIAL, said(type="not_found_error")), "not_found"),
    ("wrong", streamed(*PARTIAL, said(type="invalid_request_error")), "invalid_request"),
    ("spent", streamed(*PARTIAL, said(type="rate_limit_error", details={"error_code": "contract_spend_limit_reached"})),
     "quota_exhausted"),
    ("something new", streamed(*PARTIAL, said(type="new_error")), "server"),
]  # fmt: skip
