"""What goes wrong between Bedrock and us, and what it means: refusals, faults of the network, botocore's exceptions."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
import threading
from typing import Any

import botocore.exceptions
import pytest
from bedrock_tls import CERTIFICATE
from bedrock_wire import (
    BEGIN,
    HI,
    KEYS,
    MODEL,
    ask,
    delta,
    ending,
    error,
    failed,
    failed_stream,
    finished,
    frame,
    heard,
    model,
    packed,
    refusal,
    start,
    streamed,
    text_delta,
    whole,
)
from held_loop import held, in_silence
from loopback import Answer, Loopback, body

from modelport.adapters.bedrock.errors import CODES, kind_of, translate
from modelport.adapters.bedrock.model import AmazonBedrockModel
from modelport.adapters.http.bounds import Bounds
from modelport.adapters.http.http_transport import HttpTransport
from modelport.domain.error import ModelError
from modelport.domain.event import Failed, Finished
from modelport.domain.response import Response

PARTIAL = (BEGIN, text_delta("Hel"), text_delta("lo"))


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (400, "ValidationException", "The model rejects it.", "invalid_request"),
        (400, "ValidationException", "Input is too long for requested model.", "context_window"),
        (400, "ValidationException", "prompt is too long: 210000 tokens > 200000 maximum", "context_window"),
        (
            400,
            "ValidationException",
            "input length and `max_tokens` exceed context limit: 9 + 2 > 10",
            "context_window",
        ),
        (400, "ValidationException", "Input Tokens Exceeded: Number of input tokens exceeds", "context_window"),
        (400, "ValidationException", "The maximum tokens you requested exceeds the model limit", "invalid_request"),
        (400, "ValidationException", "extraneous key [max_tokens] is not permitted", "invalid_request"),
        (400, "ValidationException", "This model doesn't support tool use.", "unsupported"),
        (400, "ValidationException", "The provided model identifier is invalid.", "not_found"),
        (400, "ValidationException", "Invocation with on-demand throughput isn't supported.", "not_found"),
        (400, "ValidationException", "Output blocked by content filtering policy", "content_filter"),
        (400, "ServiceQuotaExceededException", "no", "quota_exhausted"),
        (403, "AccessDeniedException", "You don't have access to the model.", "permission"),
        (403, "AccessDeniedException", "Authentication failed: make sure your API Key is valid.", "authentication"),
        (403, "UnrecognizedClientException", "The security token is invalid.", "authentication"),
        (403, "ExpiredTokenException", "The security token is expired.", "authentication"),
        (403, "InvalidSignatureException", "Signature expired.", "authentication"),
        (404, "ResourceNotFoundException", "no", "not_found"),
        (408, "ModelTimeoutException", "no", "timeout"),
        (424, "ModelErrorException", "no", "server"),
        (429, "ThrottlingException", "Too many requests.", "rate_limited"),
        (429, "ThrottlingException", "Too many tokens per day.", "quota_exhausted"),
        (429, "ModelNotReadyException", "no", "overloaded"),
        (500, "InternalServerException", "no", "server"),
        (503, "ServiceUnavailableException", "no", "overloaded"),
        (418, "SomethingNew", "no", "invalid_request"),
        (599, "SomethingNew", "no", "server"),
    ],
)
def test_what_the_service_refuses_is_understood(status: int, code: str, message: str, kind: str) -> None:
    with Loopback(error(status, code, message)) as server:
        found = failed(server)
        assert failed_stream(server).error == found
    assert (found.kind, found.status, found.code, found.message) == (kind, status, code, message)
    assert (found.sent, found.provider, found.model_id, found.request_id) == ("yes", "bedrock", MODEL, "req-1")


def test_every_error_that_the_service_declares_is_in_the_table() -> None:
    import botocore.session

    service: Any = botocore.session.get_session().get_service_model("bedrock-runtime")
    operations = [service.operation_model(name) for name in ("Converse", "ConverseStream")]
    declared = {shape.name for operation in operations for shape in operation.error_shapes}
    events = operations[1].get_event_stream_output().members
    declared |= {shape.name for shape in events.values() if shape.metadata.get("exception")}
    assert declared <= CODES.keys()


def test_every_exception_of_botocore_means_something() -> None:
    """Each can come out of a call; none may."""
    found = [
        cls
        for _, cls in inspect.getmembers(botocore.exceptions, inspect.isclass)
        if issubclass(cls, Exception) and not issubclass(cls, Warning) and cls.__module__ == "botocore.exceptions"
    ]
    assert len(found) > 80
    for cls in found:
        exception = cls.__new__(cls)
        exception.__dict__.update(kwargs={})  # as each of them has
        assert isinstance(translate(exception), ModelError), cls


def test_what_is_no_providers_failure_is_raised_again() -> None:
    with pytest.raises(ZeroDivisionError):
        translate(ZeroDivisionError())


def test_how_long_to_wait_is_read_from_the_headers() -> None:
    with Loopback(error(429, "ThrottlingException", retry_after="7")) as server:
        assert (failed(server).retry_after, failed_stream(server).error.retry_after) == (7.0, 7.0)


def test_a_model_that_takes_no_stops_says_how_to_declare_it() -> None:
    said = "This model doesn't support the stopSequences field. Remove stopSequences and try again."
    with Loopback(error(400, "ValidationException", said)) as server:
        found = failed(server)
    assert found.kind == "unsupported"
    assert "max_stops=0" in found.message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limited"),
        ("validationException", "invalid_request"),
        ("internalServerException", "server"),
        ("modelStreamErrorException", "server"),
        ("serviceUnavailableException", "overloaded"),
        ("aNewException", "server"),
    ],
)
def test_an_exception_in_a_stream_is_a_failure_with_the_answer_so_far(name: str, kind: str) -> None:
    with Loopback(streamed(*PARTIAL, refusal(name, "it went wrong"))) as server:
        found = failed_stream(server)
    assert (found.error.kind, found.error.code, found.error.message) == (kind, name, "it went wrong")
    assert found.error.request_id == "req-1"
    assert found.partial is not None
    assert found.partial.content == "Hello"


def test_an_error_message_in_a_stream_is_a_failure() -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "it went wrong"}
    with Loopback(streamed(*PARTIAL, packed(headers, b""))) as server:
        found = failed_stream(server).error
    assert (found.kind, found.code, found.message) == ("server", "InternalError", "it went wrong")


def test_an_exception_whose_payload_is_no_json_is_still_a_failure() -> None:
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    with Loopback(streamed(*PARTIAL, packed(headers, b"slow down"))) as server:
        assert failed_stream(server).error.message == "slow down"


damaged = bytearray(text_delta("!"))
damaged[-6] ^= 1


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (streamed(*PARTIAL), "interrupted", "the stream ended without a stop reason"),
        (streamed(*PARTIAL, ending()[1]), "interrupted", "the stream ended without a stop reason"),
        (streamed(*PARTIAL, text_delta("!")[:30]), "interrupted", "the stream ended without a stop reason"),
        (streamed(*PARTIAL, then="cut"), "interrupted", "not completed"),
        (streamed(*PARTIAL, then="reset"), "interrupted", "reset"),
        (streamed(*PARTIAL, bytes(damaged)), "malformed_response", "its checksum is wrong"),
        (streamed(*PARTIAL, frame("contentBlockDelta", b"{nope")), "malformed_response", "JSONDecodeError"),
        (streamed(*PARTIAL, frame("contentBlockDelta", [1])), "malformed_response", "not a JSON object"),
    ],
)
def test_a_stream_that_breaks_is_a_failure_with_the_answer_so_far(answer: Answer, kind: str, says: str) -> None:
    with Loopback(answer) as server:
        found = failed_stream(server)
    assert found.error.kind == kind
    assert says in found.error.message
    assert found.partial is not None
    assert found.partial.content == "Hello"


@pytest.mark.parametrize("then", ["reset", "cut"])
def test_a_stream_that_breaks_after_its_stop_reason_is_whole_but_for_its_usage(then: str) -> None:
    with Loopback(streamed(*PARTIAL, ending()[0], then=then)) as server:
        response = finished(server)
    assert (response.content, response.finish_reason, response.usage) == ("Hello", "stop", None)


def test_so_is_one_that_is_silent_after_it() -> None:
    with Loopback(streamed(*PARTIAL, ending()[0], then="stall")) as server:
        *_, last = held(in_silence(server, heard(model(server).stream(HI))))
    assert isinstance(last, Finished)
    response = last.response
    assert (response.content, response.finish_reason, response.usage) == ("Hello", "stop", None)


HTML = {"content-type": "text/html"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, HTML, b"<html>hello</html>"),
        Answer(200, {"content-type": "application/json"}, b'{"output": {"mess'),
        Answer(200, {"content-type": "application/json"}, b'{"choices": []}'),
        Answer(200, {"content-type": "application/json"}, b"\xff\xfe"),
    ],
)
def test_an_answer_that_isnt_this_wires_is_malformed(answer: Answer) -> None:
    with Loopback(answer) as server:
        assert failed(server).kind == "malformed_response"
        assert failed_stream(server).error.kind == ("interrupted" if len(answer.body) < 12 else "malformed_response")


def answer_of(content: object, **more: object) -> dict[str, object]:
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "end_turn", **more}


@pytest.mark.parametrize(
    "said",
    [
        *(None, 5, "Hi", [], {"output": 5}, {"output": {"message": 5}}),
        *(answer_of(5), answer_of([5]), answer_of([{"toolUse": 5}]), answer_of([], usage={"inputTokens": "many"})),
        answer_of([{"image": {"format": "png", "source": {"bytes": 5}}}]),
        *(answer_of([{"text": 5}]), answer_of([{"toolUse": {"toolUseId": 5, "name": "f", "input": {}}}])),
    ],
)
def test_json_of_another_shape_is_malformed_and_a_refusal_in_it_goes_by_its_status(said: object) -> None:
    """The parser of botocore raises whatever comes of it."""
    with Loopback(body(said)) as server:
        assert failed(server).kind == "malformed_response"
        server.script = [body(said, 503)]
        assert (failed(server).kind, failed(server).status) == ("overloaded", 503)
        assert failed_stream(server).error.kind == "overloaded"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (frame("contentBlockDelta", {"delta": 5}), "an event of the stream is of another shape: delta is int"),
        (frame("contentBlockStart", {"start": [5]}), "an event of the stream is of another shape: start is list"),
        (start({"toolUse": 5}), "a block of the answer is of another shape: toolUse is int"),
        (start({"toolUse": {"toolUseId": "c", "name": 5}}), "a block of the answer is of another shape: name is int"),
        (start({"toolUse": {"name": "f"}}), "of another shape: toolUse without a toolUseId and a name"),
        (delta({"text": 5}), "a block of the answer is of another shape: text is int"),
        (delta({"text": {"a": 1}}), "a block of the answer is of another shape: text is dict"),
        (delta({"toolUse": 5}), "a block of the answer is of another shape: toolUse is int"),
        (delta({"toolUse": {"input": 5}}), "a block of the answer is of another shape: input is int"),
        (delta({"reasoningContent": 5}), "a block of the answer is of another shape: reasoningContent is int"),
    ],
)
def test_an_event_of_another_shape_is_malformed_and_not_left_out(event: bytes, said: str) -> None:
    with Loopback(streamed(*PARTIAL, event, *ending())) as server:
        found = failed_stream(server)
    assert (found.error.kind, said in found.error.message) == ("malformed_response", True), found.error.message
    assert found.partial is not None


def test_a_whole_answer_that_is_shorter_than_promised_was_cut() -> None:
    short = Answer(200, {"content-type": "application/json"}, whole().body, then="cut")
    with Loopback(short) as server:
        assert failed(server).kind == "interrupted"


@pytest.mark.parametrize("then", ["reset", "cut"])
def test_a_connection_that_broke_before_any_answer_was_interrupted(then: str) -> None:
    with Loopback(Answer(0, then=then)) as server:
        found = failed(server)
        assert (found.kind, found.sent) == ("interrupted", "perhaps")
        assert failed_stream(server).error.kind == "interrupted"


def test_a_gateways_refusal_goes_by_its_status() -> None:
    with Loopback(Answer(503, HTML, b"<html>bad gateway</html>")) as server:
        found = failed(server)
        assert (found.kind, found.status, found.code) == ("overloaded", 503, None)
        assert found.message == "HTTP status 503, and nothing else"


def test_a_redirect_is_refused_with_the_address_that_it_names() -> None:
    with Loopback(Answer(302, {"location": "http://127.0.0.1:9/"})) as server:
        found = failed(server)
    said = "HTTP status 302: the address is now http://127.0.0.1:9/, which isn't followed"
    assert (found.kind, found.message) == ("not_found", said)


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            body({"message": "no"}, 400, x_amzn_ErrorType="ValidationException:http://internal/"),
            "ValidationException",
            "no",
        ),
        (body({"__type": "com.amazon#ValidationException", "Message": "no"}, 400), "ValidationException", "no"),
        (body({"code": "ValidationException"}, 400), "ValidationException", "ValidationException"),
        (body({"Code": 7, "message": 5}, 400), None, "5"),
        (Answer(400, {}, b"upstream said no"), None, "upstream said no"),
        (Answer(400), None, "HTTP status 400, and nothing else"),
    ],
)
def test_the_word_of_a_refusal_stands_in_a_header_or_in_its_body(
    answer: Answer, code: str | None, message: str
) -> None:
    with Loopback(answer) as server:
        found = failed(server)
    assert (found.kind, found.code, found.message) == ("invalid_request", code, message)


def test_silence_is_a_timeout() -> None:
    with Loopback(Answer(0, then="stall")) as server:
        error = held(in_silence(server, model(server).generate(HI))).failure()
        assert (error.kind, error.sent) == ("timeout", "perhaps")
        server.script = [streamed(*PARTIAL, then="stall")]
        *_, last = held(in_silence(server, heard(model(server).stream(HI))))
        assert isinstance(last, Failed)
        assert (last.error.kind, last.partial and last.partial.content) == ("timeout", "Hello")


def alone(**fields: object) -> ModelError:
    model = AmazonBedrockModel(MODEL, **{**KEYS, **fields})
    return asyncio.run(model.generate(HI)).failure()


def test_where_nobody_listens_nothing_is_sent() -> None:
    found = alone(endpoint_url="http://127.0.0.1:9")
    assert (found.kind, found.sent, found.scope) == ("connection", "no", "request")


def test_tls_that_breaks_after_the_request_was_sent_is_no_connection_that_wasnt_made() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def serve() -> None:
        with context.wrap_socket(listening.accept()[0], server_side=True) as secure:
            secure.recv(65536)
            socket.socket.sendall(secure, b"no TLS at all")
            socket.socket.recv(secure, 65536)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        place = f"https://127.0.0.1:{listening.getsockname()[1]}"
        found = alone(endpoint_url=place, client_kwargs={"verify": str(CERTIFICATE)})
        thread.join()
    assert (found.kind, found.sent) == ("interrupted", "perhaps")


def test_what_is_missing_says_how_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    keyless = {"aws_access_key_id": None, "aws_secret_access_key": None}
    found = alone(**keyless)
    assert (found.kind, found.sent) == ("authentication", "no")
    assert "aws_access_key_id=" in found.message
    found = alone(region_name=None)
    assert (found.kind, found.sent) == ("not_found", "no")
    assert "region_name=" in found.message
    found = alone(**keyless, profile_name="nobodys")
    assert (found.kind, found.sent) == ("authentication", "no")
    assert "nobodys" in found.message


def test_an_option_that_json_cant_hold_is_a_bad_request_and_nothing_is_sent() -> None:
    with Loopback(whole()) as server:
        found = failed(server, max_tokens=5, extra_body={"team": {1, 2}})
        assert (found.kind, found.sent) == ("invalid_request", "no")
        assert "can't be written as JSON" in found.message
        assert server.requests == []


def test_an_answer_that_doesnt_end_is_read_up_to_a_bound() -> None:
    transport = HttpTransport(bounds=Bounds(answer=1000, event=300))
    with Loopback(whole("x" * 2000)) as server:
        found = failed(server, transport=transport)
        server.script = [streamed(*PARTIAL, *[text_delta("x")] * 9)]
        long = failed_stream(server, transport=transport)
        server.script = [streamed(*PARTIAL, text_delta("x" * 300))]
        large = failed_stream(server, transport=transport)
    assert [found.kind, long.error.kind, large.error.kind] == ["malformed_response"] * 3
    assert "the answer is larger than 1,000 bytes" in found.message
    assert "the answer is larger than 1,000 bytes" in long.error.message
    assert "an event of the stream is larger than 300 bytes" in large.error.message


def test_what_the_model_doesnt_declare_is_unsupported_and_nothing_is_sent() -> None:
    from modelport.domain.message import Message
    from modelport.domain.request import Request

    with Loopback(whole()) as server:
        found = ask(server, Request([Message("user", "hi")], response_format={"type": "json_object"}))
        assert not isinstance(found, Response)
        assert (found.kind, found.sent, server.requests) == ("unsupported", "no", [])


def test_words_are_read_whichever_letter_they_begin_with() -> None:
    assert kind_of("throttlingException", "") == kind_of("ThrottlingException", "") == "rate_limited"
