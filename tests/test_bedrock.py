"""`AmazonBedrockModel` over real connections: its threads, its clients, its keys, and what it leaves behind."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs
import boto3
import pytest
from bedrock_tls import secured
from bedrock_wire import (
    ACCESS,
    BEGIN,
    HI,
    KEYS,
    MODEL,
    SECRET,
    ask,
    error,
    failed,
    failed_stream,
    heard,
    model,
    saying,
    session,
    streamed,
    text_delta,
    whole,
)
from botocore.config import Config
from laws import Case
from loopback import Answer, Loopback, Seen

from modelport import Capabilities, Env, TextDelta, from_dict, to_dict
from modelport.adapters import AmazonBedrockModel, AmazonBedrockServerModel
from modelport.domain.message import Message, Text
from modelport.domain.request import Request
from modelport.domain.response import Response

TOKEN = "bedrock-api-key-planted-0123456789"


def client(server: Loopback, **config: Any) -> Any:
    address = f"http://127.0.0.1:{server.port}"
    return session().client("bedrock-runtime", endpoint_url=address, config=Config(**config), **KEYS)


def test_the_snippet_of_the_page_works() -> None:
    made = AmazonBedrockModel(model_id=os.environ.get("AMAZON_BEDROCK_MODEL_ID", MODEL))
    assert (made.model_id, made.provider) == (MODEL, "bedrock")
    assert AmazonBedrockServerModel is AmazonBedrockModel


def test_a_call_is_one_signed_request_to_the_models_path() -> None:
    with Loopback(whole()) as server:
        found = ask(server, model_id="arn:aws:bedrock:us-east-1:123456789012:inference-profile/x")
    assert isinstance(found, Response)
    (seen,) = server.requests
    assert seen.path == "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/converse"
    assert seen.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")
    assert "/us-east-1/bedrock/aws4_request" in seen.headers["authorization"]


def test_options_of_the_constructor_meet_those_of_the_call() -> None:
    with Loopback(whole()) as server:
        ask(server, Request([Message("user", "hi")], options={"temperature": 0.9}), temperature=0.1, maxTokens=5)
        assert server.requests[-1].json["inferenceConfig"] == {"temperature": 0.9, "maxTokens": 5}


def test_roles_are_exchanged_where_that_was_asked() -> None:
    with Loopback(whole()) as server:
        said = Request([Message("system", "Be brief."), Message("assistant", "Yes.")])
        ask(server, said, custom_role_conversions={"system": "user"})
        assert server.requests[-1].json["messages"] == [
            {"role": "user", "content": [{"text": "Be brief."}]},
            {"role": "assistant", "content": [{"text": "Yes."}]},
        ]


def test_content_is_flattened_where_that_was_asked() -> None:
    with Loopback(whole()) as server:
        ask(server, Request([Message("user", [Text("hi"), Text("there")])]), flatten_messages_as_text=True)
        assert server.requests[-1].json["messages"] == [{"role": "user", "content": [{"text": "hi\nthere"}]}]


# Threads


def test_fifty_calls_of_half_a_second_take_no_more_than_two() -> None:
    """In the loop's own pool, with six threads here, they would take more than four."""

    def slow(seen: Seen) -> Answer:
        return Answer(headers={"content-type": "application/json"}, pieces=[b" ", whole().body], pause=0.25)

    async def main(made: AmazonBedrockModel) -> list[Any]:
        await made.generate(HI)
        begun = time.monotonic()
        found = await asyncio.gather(*(made.generate(HI) for _ in range(50)))
        assert time.monotonic() - begun < 2
        return [result.unwrap().content for result in found]

    with Loopback(slow) as server:
        assert asyncio.run(main(model(server))) == ["Hello!"] * 50


def test_threads_are_named_and_bounded_and_the_rest_waits() -> None:
    most = 0
    names: set[str] = set()
    before = set(threading.enumerate())

    def slow(seen: Seen) -> Answer:
        nonlocal most
        names.update(thread.name for thread in set(threading.enumerate()) - before)
        most = max(most, server.open)
        return Answer(headers={"content-type": "application/json"}, pieces=[whole().body], pause=0.01)

    async def main(made: AmazonBedrockModel) -> None:
        calls: list[Any] = [made.generate(HI) for _ in range(6)] + [heard(made.stream(HI)) for _ in range(6)]
        await asyncio.gather(*calls)

    with Loopback(slow) as server:
        asyncio.run(main(model(server, max_concurrency=3)))
    assert most <= 3
    assert names - {"loopback"} == {f"modelport-bedrock_{number}" for number in range(3)}


def test_a_waiting_call_that_is_cancelled_is_never_sent() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        first = asyncio.ensure_future(made.generate(HI))
        assert await asyncio.to_thread(server.until, lambda it: it.open == 1)
        second = asyncio.ensure_future(made.generate(HI))
        await asyncio.sleep(0)
        for task in (second, first):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert await asyncio.to_thread(server.until, lambda it: it.open == 0)

    with Loopback(Answer(0, then="stall")) as server:
        asyncio.run(main(model(server, max_concurrency=1)))
        assert len(server.requests) == 1


STALLS: list[Callable[[], Answer]] = [
    lambda: Answer(0, then="stall"),
    lambda: Answer(200, {"content-type": "application/json"}, whole().body, then="stall"),
    lambda: streamed(BEGIN, text_delta("Hello"), then="stall"),
]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
@pytest.mark.parametrize("answer", STALLS, ids=["before its answer", "in a whole answer", "in a stream"])
def test_a_cancelled_call_closes_its_connection_wherever_it_stands(answer: Callable[[], Answer], secure: bool) -> None:
    async def main(made: AmazonBedrockModel) -> None:
        case = Case(made, lambda: server.open, lambda: len(server.requests))
        for call in (made.generate(HI), heard(made.stream(HI))):
            task: asyncio.Task[Any] = asyncio.ensure_future(call)
            await case.until_open(1)
            task.cancel()
            outcomes = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(outcomes[0], asyncio.CancelledError)
            await case.until_open(0)

    with Loopback(answer()) as server, secured(server, secure) as place:
        asyncio.run(main(model(server, **place)))
        assert server.dropped == 2


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
def test_a_closed_stream_closes_its_connection_and_the_next_call_goes_well(secure: bool) -> None:
    async def main(made: AmazonBedrockModel) -> None:
        async with aclosing(made.stream(HI)) as stream:
            assert await anext(stream) == TextDelta("Hello")
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)
        server.script = [whole("again")]
        assert (await made.generate(HI)).unwrap().content == "again"

    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server, secured(server, secure) as place:
        asyncio.run(main(model(server, **place)))


def test_a_stop_that_was_found_closes_the_connection() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        events = await heard(made.stream(Request([Message("user", "hi")], ["llo"])))
        assert events[:1] == [TextDelta("He")]
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)

    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server:
        asyncio.run(main(model(server)))


def test_a_connection_serves_the_next_call() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        for _ in range(3):
            await made.generate(HI)
            await heard(made.stream(HI))

    with Loopback(saying("Hello there")) as server:
        asyncio.run(main(model(server)))
        assert (server.connections, len(server.requests)) == (1, 6)


def test_a_stream_that_doesnt_end_after_its_last_event_is_not_waited_for() -> None:
    from bedrock_wire import ending

    with Loopback(streamed(BEGIN, text_delta("Hi"), *ending(), then="stall")) as server:
        begun = time.monotonic()
        events = asyncio.run(heard(model(server).stream(HI)))
        assert time.monotonic() - begun < 5
        assert events[-1].response.usage is not None  # type: ignore[union-attr]
        assert server.until(lambda it: it.open == 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_a_client_and_threads_of_its_own() -> None:
    with Loopback(saying("Hello")) as server:
        made = model(server)
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
        child = os.fork()
        if child == 0:
            good = asyncio.run(made.generate(HI)).unwrap().content == "Hello"
            os._exit(0 if good else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
        assert server.connections == 2


# Clients


def test_a_client_with_retries_makes_one_attempt_for_us_and_stays_as_it_was() -> None:
    """The client of `boto3.client("bedrock-runtime")` would try five times."""
    with Loopback(error(503, "ServiceUnavailableException")) as server:
        given = client(server, retries={"total_max_attempts": 2, "mode": "standard"})
        before = dict(vars(given))
        made = AmazonBedrockModel(MODEL, client=given)
        assert asyncio.run(made.generate(HI)).failure().kind == "overloaded"
        assert len(server.requests) == 1
        assert vars(given) == before
        with pytest.raises(given.exceptions.ServiceUnavailableException):
            given.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        assert len(server.requests) == 3


def test_what_a_clients_owner_hooked_into_it_still_runs() -> None:
    with Loopback(saying("Hello")) as server:
        given = client(server)

        def mark(request: Any, **_: Any) -> None:
            request.headers["x-team"] = "a"

        given.meta.events.register("before-sign.bedrock-runtime", mark)
        made = AmazonBedrockModel(MODEL, client=given)
        asyncio.run(made.generate(HI))
        asyncio.run(heard(made.stream(HI)))
        assert [seen.headers["x-team"] for seen in server.requests] == ["a", "a"]


class Fake:
    """A client of somebody's own, with boto3's two methods and nothing else."""

    def converse(self, **arguments: Any) -> Any:
        message = {"role": "assistant", "content": [{"text": arguments["messages"][0]["content"][0]["text"].upper()}]}
        return {"output": {"message": message}, "stopReason": "end_turn"}

    def converse_stream(self, **arguments: Any) -> Any:
        return {"stream": FakeStream()}


class FakeStream:
    """Events as boto3 gives them."""

    closed = False

    def __iter__(self) -> Any:
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "HI"}}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}}

    def close(self) -> None:
        FakeStream.closed = True


def test_a_client_that_isnt_boto3s_is_used_as_it_is() -> None:
    made = AmazonBedrockModel(MODEL, client=Fake())
    assert asyncio.run(made.generate(HI)).unwrap().content == "HI"
    assert asyncio.run(heard(made.stream(HI)))[0] == TextDelta("HI")
    assert FakeStream.closed


def test_a_session_and_a_profile_are_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text(f"[work]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n")
    (tmp_path / "config").write_text("[profile work]\nregion=eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with Loopback(whole()) as server:
        address = f"http://127.0.0.1:{server.port}"
        ways: list[dict[str, Any]] = [{"profile_name": "work"}, {"session": boto3.Session(profile_name="work")}]
        for fields in ways:
            asyncio.run(AmazonBedrockModel(MODEL, endpoint_url=address, **fields).generate(HI)).unwrap()
            assert f"{ACCESS}/" in server.requests[-1].headers["authorization"]
            assert "/eu-west-3/bedrock/" in server.requests[-1].headers["authorization"]


def test_client_kwargs_and_their_config_reach_boto3_but_for_retries() -> None:
    with Loopback(error(503, "ServiceUnavailableException")) as server:
        config = Config(user_agent_extra="my-app/1", retries={"total_max_attempts": 4, "mode": "standard"})
        failed(server, client_kwargs={"config": config, "aws_session_token": "a-session"}, region_name="eu-west-1")
        (seen,) = server.requests
    assert "my-app/1" in seen.headers["user-agent"]
    assert seen.headers["x-amz-security-token"] == "a-session"
    assert "/eu-west-1/" in seen.headers["authorization"]


def test_a_timeout_of_one_call_is_its_own() -> None:
    with Loopback(Answer(0, then="stall")) as server:
        made = model(server)
        found = asyncio.run(made.generate(Request([Message("user", "hi")], options={"timeout": 0.2}))).failure()
        assert found.kind == "timeout"
        server.script = [whole()]
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello!"


@pytest.mark.parametrize("timeout", [0, -1, "soon"])
def test_a_timeout_that_is_none_is_a_bad_request(timeout: Any) -> None:
    with Loopback(whole()) as server:
        found = ask(server, Request([Message("user", "hi")], options={"timeout": timeout}))
        assert not isinstance(found, Response)
        assert (found.kind, found.sent, server.requests) == ("invalid_request", "no", [])
        assert "timeout is a positive number" in found.message


# Keys


def test_an_api_key_is_sent_as_botocore_sends_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_BEDROCK_KEY", TOKEN)
    with Loopback(saying("Hello")) as server, secured(server) as place:
        for key in (TOKEN, Env("A_BEDROCK_KEY")):
            made = AmazonBedrockModel(MODEL, api_key=key, region_name="us-east-1", **place)
            assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
            assert asyncio.run(heard(made.stream(HI)))[0] == TextDelta("Hel")
    assert [seen.headers["authorization"] for seen in server.requests] == [f"Bearer {TOKEN}"] * 4


def test_a_certificate_that_isnt_trusted_is_a_connection_that_wasnt_made() -> None:
    with Loopback(whole()) as server, secured(server) as place:
        found = failed(server, endpoint_url=place["endpoint_url"])
        assert (found.kind, found.sent, server.requests) == ("connection", "no", [])


def test_a_bearer_token_never_goes_over_plain_http() -> None:
    with Loopback(whole()) as server:
        address = f"http://127.0.0.1:{server.port}"
        made = AmazonBedrockModel(MODEL, api_key=TOKEN, region_name="us-east-1", endpoint_url=address)
        found = asyncio.run(made.generate(HI)).failure()
        assert "HTTPS" in found.message
        assert (found.sent, server.requests) == ("no", [])


def test_a_variable_that_isnt_set_is_named() -> None:
    with Loopback(whole()) as server:
        found = failed(server, aws_secret_access_key=Env("NO_SUCH_VARIABLE_OF_OURS"))
        assert (found.kind, found.sent, server.requests) == ("authentication", "no", [])
        assert "NO_SUCH_VARIABLE_OF_OURS" in found.message


PLANTED = {
    "aws_access_key_id": "AKIAPLANTED0000000A",
    "aws_secret_access_key": "planted+secret/0000000000000000B",
    "aws_session_token": "planted-session-000000000000C",
}


@pytest.mark.parametrize("where", ["arguments", "variables", "client_kwargs", "session", "client", "environment"])
def test_no_secret_is_in_what_is_shown(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it was given, and though the service repeats it in its answer."""
    echo = "The canonical string should have been " + " ".join(PLANTED.values())
    with Loopback(error(403, "SignatureDoesNotMatch", echo)) as server:
        place = {"endpoint_url": f"http://127.0.0.1:{server.port}", "region_name": "us-east-1"}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
            monkeypatch.delenv(name, raising=False)
        given: dict[str, Any] = dict(place)
        match where:
            case "arguments":
                given |= PLANTED
            case "variables" | "environment":
                for name, secret in PLANTED.items():
                    monkeypatch.setenv(name.upper(), secret)
                given |= {name: Env(name.upper()) for name in PLANTED} if where == "variables" else {}
            case "client_kwargs":
                given["client_kwargs"] = PLANTED
            case "session":
                given["session"] = boto3.Session(**PLANTED)
            case "client":
                given = {"client": session().client("bedrock-runtime", **place, **PLANTED)}
        made = AmazonBedrockModel(MODEL, requestMetadata={"team": "a"}, **given)
        found = asyncio.run(made.generate(HI)).failure()
        last = asyncio.run(heard(made.stream(HI)))[-1]
    assert found.kind == "authentication"
    shown = "".join(map(repr, (made, found, last))) + str(found)
    for secret in PLANTED.values():
        assert secret not in shown
    assert "canonical string" in shown


def test_a_token_that_http_cant_carry_is_not_quoted() -> None:
    with Loopback(whole()) as server:
        found = failed(server, aws_session_token="planted\nsecret-0123456789")
        assert (found.kind, found.sent) == ("authentication", "no")
        assert "secret-0123456789" not in str(found)
        assert "secret-0123456789" not in str(failed_stream(server, aws_session_token="planted\nsecret-0123456789"))


# Values


def test_a_model_is_a_value() -> None:
    one, same = (AmazonBedrockModel(MODEL, temperature=0.2, **KEYS) for _ in range(2))
    assert one == same == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(same)
    assert one != AmazonBedrockModel(MODEL, region_name="us-east-1", temperature=0.3)


def test_a_model_goes_into_a_dict_and_back_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    made = AmazonBedrockModel(
        MODEL,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id=Env("A_KEY"),
        aws_secret_access_key=SECRET,
        max_concurrency=8,
        requests_per_minute=60,
        custom_role_conversions={"system": "user"},
        temperature=0.2,
        guardrailConfig={"guardrailIdentifier": "g1", "guardrailVersion": "1"},
    )
    written = to_dict(made)
    assert SECRET not in json.dumps(written)
    again = from_dict(json.loads(json.dumps(written)))
    assert isinstance(again, AmazonBedrockModel)
    assert to_dict(again) == written
    assert (again.region_name, again.endpoint_url, again.max_concurrency) == ("us-east-1", "http://127.0.0.1:4566", 8)
    assert again.options == made.options
    with Loopback(whole()) as server:
        monkeypatch.setenv("A_KEY", ACCESS)
        asyncio.run(attrs.evolve(again, endpoint_url=f"http://127.0.0.1:{server.port}").generate(HI)).unwrap()
        assert f"{ACCESS}/" in server.requests[0].headers["authorization"]


def test_how_many_stops_it_takes_goes_by_the_model_and_can_be_said() -> None:
    assert AmazonBedrockModel("openai.gpt-oss-20b-1:0").capabilities.max_stops == 0
    assert AmazonBedrockModel(MODEL, capabilities=Capabilities(max_stops=7)).capabilities.max_stops == 7


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_id": ""}, "model_id"),
        ({"timeout": 0}, "timeout"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"max_concurrency": True}, "max_concurrency"),
        ({"endpoint_url": "localhost"}, "endpoint_url is an address"),
        ({"endpoint_url": "http://u:p@127.0.0.1/"}, "no password"),
        ({"endpoint_url": "http://[::1"}, "endpoint_url is an address"),
        ({"aws_access_key_id": "a"}, "go together"),
        ({"aws_session_token": "a"}, "go together"),
        ({"api_key": "a", "aws_access_key_id": "b", "aws_secret_access_key": "c"}, "keep one of the two"),
        ({"api_key": 7}, "api_key is text or Env('NAME'), not int"),
        ({"client": object()}, "client= takes boto3's client of bedrock-runtime, not object"),
        ({"client": Fake(), "region_name": "us-east-1"}, "client= brings its own region_name"),
        ({"session": object()}, "session= takes a boto3.Session, not object"),
        ({"session": boto3, "profile_name": "x"}, "session= brings its own profile_name"),
        ({"stopSequences": ["x"]}, "stop_sequences"),
        ({"custom_role_conversions": {"x": "user"}}, "custom_role_conversions"),
        ({"requests_per_minute": 0}, ""),
    ],
)
def test_a_programmers_mistake_raises_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        AmazonBedrockModel(**{"model_id": MODEL, **fields})
    assert says in str(raised.value)


def test_a_program_that_ends_with_a_stream_open_doesnt_wait_for_it() -> None:
    code = """
import asyncio, sys
from bedrock_wire import *
async def main(url):
    made = AmazonBedrockModel(MODEL, endpoint_url=url, **KEYS)
    global kept
    kept = made.stream(HI)
    print(await anext(kept))
    asyncio.ensure_future(made.generate(HI))
    await asyncio.sleep(0)
asyncio.run(main(sys.argv[1]))
"""
    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, f"http://127.0.0.1:{server.port}"],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=Path(__file__).parent,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "TextDelta(text='Hello')\n", "")
        assert server.until(lambda it: it.open == 0)


def test_without_boto3_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from modelport.adapters import AmazonBedrockModel\n"
        "from modelport import blocking, as_request\n"
        "error = blocking(AmazonBedrockModel('x')).generate(as_request('hi')).failure()\n"
        "print(error.kind, error.sent, error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("missing_dependency no")
    assert "pip install 'modelport[bedrock]'" in done.stdout


def test_the_module_imports_neither_boto3_nor_the_wires_json() -> None:
    code = "import sys, modelport.adapters.bedrock; print({'boto3', 'botocore', 'orjson'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
