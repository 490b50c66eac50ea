"""What may go wrong on Gemini's wire, and the kind of error that each is."""

from __future__ import annotations

import json
from typing import Any

from gemini_wire import answer, chunk, error, refusal, whole
from loopback import Answer, body, sse, streamed

PARTIAL = (chunk("Hel"), chunk("lo"))
HTML = Answer(502, {"content-type": "text/html"}, b"<html><body>Bad gateway</body></html>")
MANY = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
NOT_VALID = "API key not valid. Please pass a valid API key."
NO_CALLS = "Function calling is not enabled for models/gemma-3-27b-it"
NO_MODEL = "models/gemini-9 is not found for API version v1, or is not supported for generateContent."
ABROAD = "User location is not supported for the API use."


def info(reason: str) -> dict[str, Any]:
    """Why, in a word, among the details of an error."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}


def quota(quota_id: str) -> dict[str, Any]:
    """The quota that was met, among the details of an error."""
    violation = {"quotaMetric": "generate_content_free_tier_requests", "quotaId": quota_id, "quotaValue": "250"}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22s"}
A_DAY, A_MINUTE = "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "GenerateRequestsPerMinutePerProjectPerModel"

REFUSALS: list[tuple[str, Answer, str]] = [
    ("400", error(400, "INVALID_ARGUMENT"), "invalid_request"),
    ("400 too long", error(400, "INVALID_ARGUMENT", MANY), "context_window"),
    ("400 key", error(400, "INVALID_ARGUMENT", NOT_VALID), "authentication"),
    ("400 key, by its reason", error(400, "INVALID_ARGUMENT", "no", info("API_KEY_INVALID")), "authentication"),
    ("400 no calls", error(400, "INVALID_ARGUMENT", NO_CALLS), "unsupported"),
    ("400 abroad", error(400, "FAILED_PRECONDITION", ABROAD), "permission"),
    ("400 out of range", error(400, "OUT_OF_RANGE"), "invalid_request"),
    ("401", error(401, "UNAUTHENTICATED"), "authentication"),
    ("401 expired", error(401, "UNAUTHENTICATED", "no", info("ACCESS_TOKEN_EXPIRED")), "authentication"),
    ("403", error(403, "PERMISSION_DENIED"), "permission"),
    ("403 not enabled", error(403, "PERMISSION_DENIED", "no", info("SERVICE_DISABLED")), "permission"),
    ("403 not paid", error(403, "PERMISSION_DENIED", "no", info("BILLING_DISABLED")), "quota_exhausted"),
    ("404", error(404, "NOT_FOUND", NO_MODEL), "not_found"),
    ("409", error(409, "ABORTED"), "overloaded"),
    ("413", Answer(413), "context_window"),
    ("429", error(429, "RESOURCE_EXHAUSTED"), "rate_limited"),
    ("429 of a minute", error(429, "RESOURCE_EXHAUSTED", "no", quota(A_MINUTE), RETRY), "rate_limited"),
    ("429 of a day", error(429, "RESOURCE_EXHAUSTED", "no", quota(A_DAY), RETRY), "quota_exhausted"),
    ("429 none at all", error(429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0"), "quota_exhausted"),
    ("429 odd details", error(429, "RESOURCE_EXHAUSTED", "no", {"violations": [1]}, {"violations": 1}), "rate_limited"),
    ("499", error(499, "CANCELLED"), "interrupted"),
    ("500", error(500, "INTERNAL"), "server"),
    ("501", error(501, "UNIMPLEMENTED"), "unsupported"),
    ("502 HTML", HTML, "server"),
    ("503", error(503, "UNAVAILABLE", "The model is overloaded."), "overloaded"),
    ("504", error(504, "DEADLINE_EXCEEDED"), "timeout"),
    ("a list", body([refusal(429, "RESOURCE_EXHAUSTED")], 429), "rate_limited"),
    ("an unknown word", error(400, "SOME_NEW_WORD"), "invalid_request"),
    ("no word", body({"error": {"code": 503, "message": "busy"}}, 503), "overloaded"),
    ("details that are none", body({"error": {"message": "x", "details": "y"}}, 400), "invalid_request"),
    ("500 empty", Answer(500), "server"),
]

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "?"}}
BLOCKED = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "no"}}
FAULTS: list[tuple[str, Answer, str, str]] = [
    ("reset before the answer", Answer(0, then="reset"), "interrupted", "perhaps"),
    ("cut before the answer", Answer(0, then="cut"), "interrupted", "perhaps"),
    ("reset in the answer", Answer(body=whole().body, then="reset"), "interrupted", "perhaps"),
    ("cut in the answer", Answer(body=whole().body, then="cut"), "interrupted", "perhaps"),
    ("no answer", Answer(0, then="stall"), "timeout", "perhaps"),
    ("half an answer", Answer(body=whole().body, then="stall"), "timeout", "perhaps"),
    ("empty", Answer(), "malformed_response", "yes"),
    ("HTML", Answer(200, {"content-type": "text/html"}, b"<html>hello</html>"), "malformed_response", "yes"),
    (
        "broken JSON",
        Answer(200, {"content-type": "application/json"}, b'{"candidates": ['),
        "malformed_response",
        "yes",
    ),
    ("foreign JSON", body({"hello": "world"}), "malformed_response", "yes"),
    ("a list of numbers", body([1]), "malformed_response", "yes"),
    ("an empty list", body([]), "malformed_response", "yes"),
    ("null candidates", body({"candidates": None}), "malformed_response", "yes"),
    ("empty candidates", body({"candidates": []}), "malformed_response", "yes"),
    ("no candidate", body({"candidates": [1]}), "malformed_response", "yes"),
    ("a part that is none", body({"candidates": [{"content": {"parts": [1]}}]}), "malformed_response", "yes"),
    ("a call without a name", whole({"functionCall": {"args": {}}}), "malformed_response", "yes"),
    (
        "a picture that is none",
        whole(PICTURE),
        "malformed_response",
        "yes",
    ),
    ("no finish reason", whole("Hi", finish=None), "malformed_response", "yes"),
    ("an error under 200", body(refusal(503, "UNAVAILABLE")), "overloaded", "yes"),
    ("a list with an error under 200", body([refusal(429, "RESOURCE_EXHAUSTED")]), "rate_limited", "yes"),
    ("a blocked question", body(BLOCKED), "content_filter", "yes"),
    ("a malformed call", whole(finish="MALFORMED_FUNCTION_CALL"), "malformed_response", "yes"),
    ("a tool that nobody declared", whole(finish="UNEXPECTED_TOOL_CALL"), "malformed_response", "yes"),
    ("a malformed answer", whole(finish="MALFORMED_RESPONSE"), "malformed_response", "yes"),
    ("a signature that is missing", whole(finish="MISSING_THOUGHT_SIGNATURE"), "invalid_request", "yes"),
    ("an account that is limited", whole(finish="PUP_LIMITED_DISABLED"), "permission", "yes"),
]

BARE = json.dumps({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}, indent=2).encode()
BARE = b"\r\n" + BARE.replace(b"\n", b"\r\n") + b"\r\n"
LISTED = b'[{\n  "error": {\n    "code": 429,\n    "message": "slow",\n    "status": "RESOURCE_EXHAUSTED"\n  }\n}\n]'
BROKEN: list[tuple[str, Answer, str]] = [
    ("cut cleanly", streamed(*PARTIAL), "interrupted"),
    ("cut in an event", streamed(*PARTIAL, b'data: {"candidates": [{"con'), "interrupted"),
    ("cut", streamed(*PARTIAL, then="cut"), "interrupted"),
    ("reset", streamed(*PARTIAL, then="reset"), "interrupted"),
    ("stalled", streamed(*PARTIAL, then="stall"), "timeout"),
    ("[DONE] without a reason", streamed(*PARTIAL, b"data: [DONE]\n\n"), "interrupted"),
    ("no JSON", streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
    ("no object", streamed(*PARTIAL, sse([1])), "malformed_response"),
    ("an error", streamed(*PARTIAL, sse(refusal(500, "INTERNAL"))), "server"),
    ("an error of the quota", streamed(*PARTIAL, sse(refusal(429, "RESOURCE_EXHAUSTED"))), "rate_limited"),
    ("a bare error", streamed(*PARTIAL, BARE), "overloaded"),
    ("a bare error in pieces", streamed(*PARTIAL, BARE[:20], BARE[20:]), "overloaded"),
    ("a bare error in a list", streamed(*PARTIAL, LISTED), "rate_limited"),
    ("half a bare error", streamed(*PARTIAL, BARE[:40]), "interrupted"),
    ("a question that is blocked late", streamed(*PARTIAL, sse(BLOCKED)), "content_filter"),
    ("a malformed call", streamed(*PARTIAL, sse(answer(finish="MALFORMED_FUNCTION_CALL"))), "malformed_response"),
]
