"""Every failure of the Hugging Face wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from chat_faults import BROKEN, FAULTS, REFUSALS
from huggingface_calls import failed, failed_stream, listen
from loopback import Answer, Loopback, Script, Seen, body, chunk, error, sse, streamed

from modelport.adapters.huggingface.model import translate
from modelport.domain.error import ModelError, Sent
from modelport.domain.event import Failed, TextDelta

pytest.importorskip("huggingface_hub")

CREDITS = "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get more."
TOO_LONG = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens"

# What the router, TGI and the hub say besides: a text in place of an object, and its type beside it.
OWN: list[tuple[str, Answer, str]] = [
    ("router: no credits left", body({"error": CREDITS}, 402), "quota_exhausted"),
    ("router: nobody serves it", error(400, "model_not_supported"), "not_found"),
    ("router: bad token", body({"error": "Invalid username or password."}, 401), "authentication"),
    ("TGI: too long", body({"error": TOO_LONG, "error_type": "validation"}, 422), "context_window"),
    ("TGI: bad value", body({"error": "temperature must be > 0", "error_type": "validation"}, 422), "invalid_request"),
    ("TGI: overloaded", body({"error": "Model is overloaded", "error_type": "overloaded"}, 429), "overloaded"),
    ("TGI: failed", body({"error": "CUDA error", "error_type": "generation"}, 424), "server"),
    ("TGI: cut", body({"error": "incomplete", "error_type": "incomplete_generation"}, 500), "server"),
    ("endpoint: asleep", body({"error": "503 Service Unavailable"}, 503), "overloaded"),
    ("endpoint: a list of errors", body(["a", "b"], 400), "invalid_request"),
    ("endpoint: plain text", Answer(400, {"content-type": "text/plain"}, b"bad prompt"), "invalid_request"),
    ("endpoint: no UTF-8", Answer(500, {"content-type": "application/json"}, b'{"error": "\xff"}'), "server"),
]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [row[1:] for row in REFUSALS + OWN],
    ids=[row[0] for row in REFUSALS + OWN],
)
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.status, found.sent) == (kind, answer.status, Sent.YES)
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("huggingface", "org/name")
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "kind", "sent"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_of_this_kind_whole_and_streamed(answer: Answer, kind: str, sent: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server, timeout=answer.patience), failed_stream(server, timeout=answer.patience)
    assert (found.kind, found.sent) == (kind, sent)
    assert (last.error.kind, last.error.sent, last.partial) == (kind, sent, None)
    assert len(server.requests) == 2


OF_TGI = [
    ("overloaded", sse({"error": "Model is overloaded", "error_type": "overloaded"}), "overloaded"),
    ("generation", sse({"error": "Request failed during generation", "error_type": "generation"}), "server"),
    ("too long", sse({"error": TOO_LONG, "error_type": "validation"}), "context_window"),
]
MID_STREAM = BROKEN + [
    (name, streamed(chunk({"content": "Hel"}), chunk({"content": "lo"}), event), kind) for name, event, kind in OF_TGI
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in MID_STREAM], ids=[row[0] for row in MID_STREAM])
def test_a_stream_that_breaks_says_why_and_how_far_it_came(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        *shown, last = listen(server, timeout=answer.patience)
    assert shown == [TextDelta("Hel"), TextDelta("lo")]
    assert isinstance(last, Failed)
    assert last.error.kind == kind
    assert last.partial is not None
    assert last.partial.content == "Hello"
    assert len(server.requests) == 1


def test_a_refused_connection_was_never_sent() -> None:
    with Loopback(error(500)) as server:
        pass
    found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent) == ("connection", Sent.NO)
    assert last.error.kind == "connection"


def test_a_refusal_of_unknown_length_is_read_whole_and_streamed() -> None:
    """The SDK gives up on these: it can't read an asynchronous body where it makes its exceptions."""
    said = b'{"error": {"message": "take a shorter prompt", "code": "context_length_exceeded"}}'
    with Loopback(Answer(400, {"content-type": "application/json"}, pieces=[said])) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.message) == ("context_window", "take a shorter prompt")
    assert last.error == found


def test_what_the_hub_says_in_a_header_is_told() -> None:
    with Loopback(Answer(403, {"x-error-message": "This token lacks a permission", "x-request-id": "r-1"})) as server:
        found = failed(server)
    assert (found.kind, found.message, found.request_id) == ("permission", "This token lacks a permission", "r-1")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"ratelimit": '"api";r=0;t=55'}, 55.0),
        ({"ratelimit": '"api"; r = 0 ; t = 7', "ratelimit_policy": '"fixed window";"api";q=500;w=300'}, 7.0),
        ({"ratelimit": '"api";r=12;t=55'}, None),  # another limit than this one was hit
        ({"ratelimit": '"api";r=0;t=55', "retry_after": "3"}, 3.0),
        ({"ratelimit": "soon"}, None),
        ({"retry_after": "0.25"}, 0.25),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_in_each_form(headers: dict[str, str], seconds: float | None) -> None:
    with Loopback(error(429, **headers)) as server:
        assert failed(server).retry_after == seconds


def test_a_window_that_ends_is_no_reason_to_wait_where_no_limit_was_hit() -> None:
    with Loopback(error(503, ratelimit='"api";r=0;t=55')) as server:
        assert failed(server).retry_after is None


def test_a_redirect_is_not_followed() -> None:
    """W19: a question and what it brings along don't go elsewhere, whatever header a secret stands in."""

    def elsewhere(seen: Seen) -> Answer:
        return Answer(307, {"location": f"http://127.0.0.1:{other.port}/v1/chat/completions"})

    script: Script = elsewhere
    with Loopback(error(404)) as other, Loopback(script) as server:
        found = failed(server, headers={"x-api-key": "secret"})
    assert (found.kind, found.status, found.sent, other.requests) == ("not_found", 307, Sent.YES, [])
    assert (
        f"the address is now http://127.0.0.1:{other.port}/v1/chat/completions, which isn't followed" in found.message
    )


def test_the_table_covers_the_http_library_and_what_the_sdk_raises_on_the_way() -> None:
    import httpx2
    from huggingface_hub import errors

    request = httpx2.Request("POST", "http://h")
    response = httpx2.Response(500, request=request)
    own = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, httpx2.HTTPError)]
    own += [errors.OfflineModeIsEnabled, errors.LocalTokenNotFoundError, errors.OIDCError, errors.DeviceCodeError]
    seen = 0
    for cls in [*own, *(cls for cls in vars(httpx2).values() if isinstance(cls, type) and issubclass(cls, Exception))]:
        exception = cls.__new__(cls)
        exception.__dict__.update(response=response, _request=request, request=request)
        assert isinstance(translate(exception), ModelError), cls
        seen += 1
    assert seen > 40


def test_a_refusal_of_the_hub_that_was_not_read_is_known_by_its_status() -> None:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    async def never() -> AsyncIterator[bytes]:
        yield b""

    unread = httpx2.Response(403, content=never(), request=httpx2.Request("GET", "http://h"))
    found = translate(HfHubHTTPError("no", response=unread))
    assert (found.kind, found.message) == ("permission", "HTTP status 403, and nothing else")


def test_a_failure_before_there_was_a_request_is_known() -> None:
    import httpx2

    found = translate(httpx2.ConnectError("no way"))
    assert (found.kind, found.sent, found.message) == ("connection", Sent.NO, "ConnectError: no way")


def test_what_the_table_does_not_know_is_a_bug_and_raised() -> None:
    with pytest.raises(KeyError):
        translate(KeyError("x"))
