"""`AzureOpenAIModel` over a real loopback server: where it posts, and who it says is asking."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import azure_calls
import pytest
from azure_calls import KEY, NAMES, TOKEN, VERSION, answered, ask, failed, model, root
from loopback import Answer, Loopback, body, chunk, error, saying, sse, streamed, whole
from openai_calls import HI, heard

from modelport.adapters import AzureOpenAIModel, OpenAIModel
from modelport.adapters.process.secret import Env
from modelport.domain.error import ErrorKind, ModelError, Scope, Sent
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.message import Message, Text
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response import Response
from modelport.domain.usage import Usage

no_settings = azure_calls.no_settings_of_the_machine


def test_the_deployment_is_in_the_address_and_the_key_in_its_header() -> None:
    with Loopback(saying("Hello!")) as server:
        found = answered(model(server, temperature=0.2))
    assert (found.content, found.usage) == ("Hello!", Usage(7, 3))
    seen, streamed = server.requests
    assert seen.path == streamed.path == f"/openai/deployments/chat/chat/completions?api-version={VERSION}"
    assert seen.headers["api-key"] == KEY
    assert "authorization" not in seen.headers
    messages = [{"role": "user", "content": "hi"}]
    assert seen.json == {"model": "chat", "messages": messages, "temperature": 0.2, "stream": False}


def test_a_deployments_name_is_quoted() -> None:
    with Loopback(saying("Hello!")) as server:
        answered(model(server, "my chat/1"))
    assert server.requests[0].path.startswith("/openai/deployments/my%20chat%2F1/chat/completions?")


def test_a_deployment_and_an_address_may_be_the_clients() -> None:
    with Loopback(saying("Hello!")) as server:
        answered(model(server, client_kwargs={"azure_deployment": "mine"}))
        answered(model(server, azure_endpoint=None, client_kwargs={"base_url": f"{root(server)}/gateway"}))
        named = f"{root(server)}/gateway/deployments/mine"
        answered(model(server, azure_endpoint=None, client_kwargs={"base_url": named}))
    paths = [seen.path.partition("?")[0] for seen in server.requests[::2]]
    assert paths == [
        "/openai/deployments/mine/chat/completions",
        "/gateway/deployments/chat/chat/completions",
        "/gateway/deployments/mine/chat/completions",
    ]


def test_a_token_of_entra_id_is_a_bearers() -> None:
    with Loopback(saying("Hello!")) as server:
        answered(model(server, azure_ad_token=TOKEN))
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert "api-key" not in server.requests[0].headers


@pytest.mark.parametrize("kind", ["function", "coroutine", "object"])
def test_a_provider_is_asked_for_a_token_at_each_call(kind: str) -> None:
    tokens = iter(["one", "two"])

    async def later() -> str:
        return next(tokens)

    class Asked:
        def __call__(self) -> Any:
            return later()

    provider = {"function": lambda: next(tokens), "coroutine": later, "object": Asked()}[kind]
    with Loopback(saying("Hello!")) as server:
        answered(model(server, azure_ad_token_provider=provider))
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer one", "Bearer two"]


def test_a_provider_that_blocks_keeps_nobody_else_waiting() -> None:
    with Loopback(saying("Hello!")) as server:
        blocked = asyncio.Event()

        def provider() -> str:
            loop.call_soon_threadsafe(blocked.set)
            asyncio.run_coroutine_threadsafe(other(), loop).result(10)
            return TOKEN

        async def other() -> None:
            assert (await model(server).generate(HI)).unwrap().content == "Hello!"

        async def main() -> None:
            nonlocal loop
            loop = asyncio.get_running_loop()
            assert (await model(server, azure_ad_token_provider=provider).generate(HI)).unwrap().content == "Hello!"
            assert blocked.is_set()

        loop: Any = None
        asyncio.run(main())


@pytest.mark.parametrize("given", [None, "", 7])
def test_a_provider_that_gives_no_token_is_an_error_of_authentication(given: Any) -> None:
    with Loopback(whole()) as server:
        found = failed(model(server, azure_ad_token_provider=lambda: given))
    assert (found.kind, found.sent) == (ErrorKind.AUTHENTICATION, Sent.NO)
    assert found.message == f"the callable given as azure_ad_token_provider gave no key, but {type(given).__name__}"
    assert server.requests == []


def test_a_provider_that_raises_is_an_error_without_its_words() -> None:
    def provider() -> str:
        raise RuntimeError(f"no {TOKEN}")

    with Loopback(whole()) as server:
        found = failed(model(server, azure_ad_token_provider=provider))
    assert (found.kind, found.sent, found.scope) == (ErrorKind.AUTHENTICATION, Sent.NO, Scope.ACCOUNT)
    assert found.message == "the callable given as azure_ad_token_provider raised RuntimeError"


def test_a_token_that_the_network_keeps_back_may_be_had_at_the_next_try() -> None:
    def provider() -> str:
        raise ConnectionRefusedError("http://login.example/secret")

    with Loopback(whole()) as server:
        found = failed(model(server, azure_ad_token_provider=provider))
    assert (found.kind, found.sent, found.meaning.retry) == (ErrorKind.CONNECTION, Sent.NO, True)
    assert found.message == "the callable given as azure_ad_token_provider raised ConnectionRefusedError"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ClientAuthenticationError", ErrorKind.AUTHENTICATION),
        ("ServiceRequestError", ErrorKind.CONNECTION),
        ("ServiceResponseTimeoutError", ErrorKind.CONNECTION),
    ],
)
def test_what_azure_identity_raises_is_understood_through_ours_and_through_the_sdk(name: str, kind: ErrorKind) -> None:
    exceptions = pytest.importorskip("azure.core.exceptions", reason="azure-identity is the users' own")

    async def provider() -> str:
        raise getattr(exceptions, name)("no token")

    async def through_the_sdk(server: Loopback) -> Any:
        from openai import AsyncAzureOpenAI

        at = {"azure_endpoint": root(server), "api_version": VERSION, "azure_ad_token_provider": provider}
        async with AsyncAzureOpenAI(**at) as client:
            return (await AzureOpenAIModel("chat", client=client).generate(HI)).failure()

    with Loopback(whole()) as server:
        ours = failed(model(server, azure_ad_token_provider=provider))
        theirs = asyncio.run(through_the_sdk(server))
    assert (ours.kind, ours.sent) == (theirs.kind, theirs.sent) == (kind, Sent.NO)
    assert server.requests == []


def test_a_provider_of_azure_identity_is_taken_as_it_is() -> None:
    identity = pytest.importorskip("azure.identity", reason="azure-identity is the users' own")
    from azure.core.credentials import AccessToken

    class Credential:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            assert scopes == ("https://cognitiveservices.azure.com/.default",)
            return AccessToken(TOKEN, 9_999_999_999)

    provider = identity.get_bearer_token_provider(Credential(), "https://cognitiveservices.azure.com/.default")
    with Loopback(saying("Hello!")) as server:
        answered(model(server, azure_ad_token_provider=provider))
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_three_variables_of_the_environment_are_read_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = AzureOpenAIModel("chat")
    with Loopback(saying("Hello!")) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", root(server))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01-preview")
        answered(subject)
    seen = server.requests[0]
    assert seen.path == "/openai/deployments/chat/chat/completions?api-version=2025-01-01-preview"
    assert seen.headers["api-key"] == KEY


def test_what_is_missing_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    found = failed(AzureOpenAIModel("chat", api_key=KEY))
    assert (found.kind, found.sent, found.scope) == (ErrorKind.AUTHENTICATION, Sent.NO, Scope.ACCOUNT)
    assert "azure_endpoint=... or set AZURE_OPENAI_ENDPOINT" in found.message
    assert "api_version=... or set OPENAI_API_VERSION" in found.message
    with Loopback(whole()) as server:
        lacking = failed(model(server, api_key=None))
        unset = failed(model(server, api_key=Env("NO_SUCH_KEY")))
    assert "AZURE_OPENAI_API_KEY" in lacking.message
    assert (lacking.kind, unset.kind) == (ErrorKind.AUTHENTICATION,) * 2
    assert unset.message == "the environment variable NO_SUCH_KEY isn't set"
    assert server.requests == []
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "my-resource")
    assert "AZURE_OPENAI_ENDPOINT is an address" in failed(AzureOpenAIModel("chat", api_version="1")).message


def test_what_was_passed_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "http://127.0.0.1:9" if name.endswith("ENDPOINT") else "environment's")
    with Loopback(saying("Hello!")) as server:
        answered(model(server))
        answered(model(server, azure_ad_token=TOKEN))
        answered(model(server, azure_ad_token_provider=lambda: TOKEN))
        answered(model(server, api_key=None))
    said = [(seen.headers.get("api-key"), seen.headers.get("authorization")) for seen in server.requests[::2]]
    bearer = (None, f"Bearer {TOKEN}")
    assert said == [(KEY, None), bearer, bearer, (None, "Bearer environment's")]


@pytest.mark.parametrize("name", ["api_key", "azure_ad_token"])
def test_an_empty_key_is_no_leave_to_take_another(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", TOKEN)
    with Loopback(whole()) as server:
        found = failed(model(server, **{"api_key": None, name: ""}))
    assert (found.kind, found.sent, server.requests) == (ErrorKind.AUTHENTICATION, Sent.NO, [])


def test_the_environment_may_hold_a_key_under_a_name_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    with Loopback(saying("Hello!")) as server:
        answered(model(server, api_key=Env("MY_KEY")))
        answered(model(server, azure_ad_token=Env("MY_TOKEN")))
    assert server.requests[0].headers["api-key"] == KEY
    assert server.requests[2].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_header_that_says_who_is_asking_stands_alone() -> None:
    with Loopback(saying("Hello!")) as server:
        answered(model(server, api_key=None, extra_headers={"Authorization": "Bearer mine"}))
        answered(model(server, api_key=None, client_kwargs={"default_headers": {"Api-Key": "mine"}}))
        both = {"client_kwargs": {"default_headers": {"Api-Key": "weaker"}}, "extra_headers": {"api-key": "mine"}}
        answered(model(server, api_key=None, **both))
    first, second, third = (server.requests[at].headers for at in (0, 2, 4))
    assert (first.get("api-key"), first["authorization"]) == (None, "Bearer mine")
    assert (second["api-key"], second.get("authorization")) == ("mine", None)
    assert third["api-key"] == "mine"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"api_key": "a", "azure_ad_token": "b"}, "api_key and azure_ad_token exclude each other"),
        ({"azure_ad_token_provider": "a token"}, "azure_ad_token"),
        ({"client_kwargs": {"azure_ad_token_provider": str}}, "azure_ad_token_provider is an argument of its own"),
        ({"azure_endpoint": "my-resource"}, "azure_endpoint is an address"),
        ({"azure_endpoint": "https://x.openai.azure.com/openai/v1/"}, r"OpenAIModel\(base_url="),
        ({"azure_endpoint": "https://h/openai/deployments/d/chat?api-version=1"}, "ends before /openai/dep"),
        ({"azure_deployment": "other"}, "use model_id="),
        ({"client": object()}, "AsyncAzureOpenAI"),
        ({"client": object(), "api_version": "1"}, "api_version"),
        ({"azure_endpoint": "https://h", "client_kwargs": {"base_url": "https://h"}}, "base_url"),
        ({"timeout": -1}, "timeout"),
        ({"model_id": ""}, "model_id"),
    ],
)
def test_a_mistake_is_named_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        AzureOpenAIModel(**{"model_id": "chat", **fields})


@pytest.mark.parametrize(
    ("model_id", "fields", "reasons"),
    [
        ("my-gpt-5-deploy", {}, True),
        ("gpt5.1", {}, True),
        ("chat", {}, False),
        ("chat", {"base_model": "o4-mini"}, True),
        ("my-gpt-5-deploy", {"base_model": "gpt-4o"}, False),
    ],
)
def test_a_deployment_is_asked_as_its_model_wants(model_id: str, fields: dict[str, Any], reasons: bool) -> None:
    request = Request([Message("user", "hi")], ["STOP"], options={"max_tokens": 5})
    with Loopback(saying("one STOP two")) as server:
        found, _ = ask(model(server, model_id, **fields), request)
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by) == ("one ", "STOP")
    sent = server.requests[0].json
    assert ("stop" in sent) is not reasons
    assert sent.get("max_completion_tokens" if reasons else "max_tokens") == 5


def test_a_client_of_ones_own_is_used_as_it_is() -> None:
    async def main(server: Loopback) -> tuple[Response, list[Event]]:
        from openai import AsyncAzureOpenAI

        at = {"azure_endpoint": root(server), "api_version": VERSION, "azure_ad_token": TOKEN}
        async with AsyncAzureOpenAI(**at) as client:
            subject = AzureOpenAIModel("chat", client=client)
            return (await subject.generate(HI)).unwrap(), await heard(subject.stream(HI))

    with Loopback(saying("Hello!")) as server:
        found, events = asyncio.run(main(server))
    assert events[-1] == Finished(found)
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert server.requests[0].path == f"/openai/deployments/chat/chat/completions?api-version={VERSION}"


def test_the_v1_endpoint_is_one_of_openais_own_wire() -> None:
    def provider() -> str:
        return TOKEN

    with Loopback(saying("Hello!")) as server:
        answered(OpenAIModel("chat", base_url=f"{root(server)}/openai/v1/", api_key=KEY))
        answered(OpenAIModel("chat", base_url=f"{root(server)}/openai/v1/", api_key=provider))
    first, second = server.requests[0], server.requests[2]
    assert first.path == second.path == "/openai/v1/chat/completions"
    assert (first.headers["authorization"], second.headers["authorization"]) == (f"Bearer {KEY}", f"Bearer {TOKEN}")


def test_its_metadata_is_its_own() -> None:
    said = [Text("long", metadata={"azure": {"mark": 1}, "openai": {"mark": 2}})]
    signed = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"s": 1}}
    with Loopback(whole(None, finish="tool_calls", tool_calls=[signed])) as server:
        found = answered(model(server), Request([Message("user", said)]))
        answered(model(server), Request([Message("user", "hi"), found.message, Message("user", "go on")]))
    assert server.requests[0].json["messages"][0]["content"] == [{"type": "text", "text": "long", "mark": 1}]
    assert server.requests[2].json["messages"][1]["tool_calls"] == [signed]
    assert found.tool_calls[0].metadata == {"azure": {"extra_content": {"s": 1}}}


def test_models_are_values() -> None:
    one, two = (AzureOpenAIModel("chat", azure_endpoint="https://h", api_key=Env("A_KEY"), seed=7) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != AzureOpenAIModel("chat", azure_endpoint="https://h", api_key="b", seed=7)
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_key_does_not_go_where_it_is_sent_on_to() -> None:
    with Loopback(whole()) as other:
        elsewhere = Answer(307, {"location": f"{other.url}/chat/completions"})
        with Loopback(elsewhere) as server:
            found = failed(model(server))
        assert other.requests == []
    assert (found.kind, found.status) == (ErrorKind.NOT_FOUND, 307)


PLANTS: dict[str, dict[str, Any]] = {
    "api_key": {"api_key": KEY},
    "an Env": {"api_key": Env("PLANTED")},
    "azure_ad_token": {"azure_ad_token": KEY},
    "a provider": {"azure_ad_token_provider": lambda: KEY},
    "extra_headers": {"api_key": None, "extra_headers": {"Authorization": f"Bearer {KEY}"}},
    "extra_query": {"extra_query": {"subscription-key": KEY}},
    "default_headers": {"api_key": None, "client_kwargs": {"default_headers": {"api-key": KEY}}},
    "the environment": {"api_key": None},
    "data of one's own": {
        "api_key": "none",
        "extra_body": {"data_sources": [{"parameters": {"authentication": {"type": "api_key", "key": KEY}}}]},
    },
}


LEAKS = [
    error(401, "401", f"Access denied: {KEY}"),
    error(400, f"bad {KEY}", "x" * 280 + KEY),
    body({"choices": [], "said": KEY}),
    streamed(chunk({"content": "x"}), sse({"error": {"message": f"no {KEY}", "code": KEY}})),
    Answer(0, then="cut"),
]


@pytest.mark.parametrize("where", PLANTS)
def test_a_secret_is_shown_nowhere(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    for leak in LEAKS:
        with Loopback(leak) as server:
            subject = model(server, **PLANTS[where])
            found, events = ask(subject)
        last = events[-1]
        assert isinstance(found, ModelError)
        assert isinstance(last, Failed)
        shown = f"{subject!r} {subject} {found!r} {found} {last!r} {last.error}"
        assert KEY[:8] not in shown, shown


@pytest.mark.parametrize("given", [{"azure_ad_token": KEY}, {"azure_ad_token_provider": lambda: KEY}, {"api_key": KEY}])
def test_a_token_of_a_client_of_ones_own_is_shown_nowhere(given: dict[str, Any]) -> None:
    """It is known by the request that it was sent with."""

    async def main(server: Loopback) -> tuple[ModelError, Event]:
        from openai import AsyncAzureOpenAI

        async with AsyncAzureOpenAI(azure_endpoint=root(server), api_version=VERSION, **given) as client:
            subject = AzureOpenAIModel("chat", client=client)
            return (await subject.generate(HI)).failure(), (await heard(subject.stream(HI)))[-1]

    for leak in LEAKS:
        with Loopback(leak) as server:
            found, last = asyncio.run(main(server))
        assert isinstance(last, Failed)
        assert KEY[:8] not in f"{found!r} {found} {last!r} {last.error}"


def test_options_of_the_call_reach_azure_as_they_reach_openai() -> None:
    with Loopback(whole()) as server:
        subject = model(server, temperature=0.2, extra_body={"data_sources": []})
        answered(subject, Request([Message("user", "hi")], options={"temperature": OMIT, "extra_query": {"a": "b"}}))
    seen = server.requests[0]
    messages = [{"role": "user", "content": "hi"}]
    assert seen.json == {"model": "chat", "messages": messages, "data_sources": [], "stream": False}
    assert seen.path.endswith(f"api-version={VERSION}&a=b")
