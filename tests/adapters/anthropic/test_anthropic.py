"""`AnthropicModel` posts to where it is told, says who asks, and speaks the version that a call needs."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest
from loopback import Answer, Loopback, streamed
from messages_wire import BEGIN, HI, KEY, answered, ending, failed, listen, text, whole

from modelport import OMIT, Capabilities, Env, Finished, Message, Request, Tool, Usage
from modelport.adapters import AnthropicModel, HttpTransport
from modelport.adapters.prices import as_prices


def headers(**fields: Any) -> dict[str, str]:
    """The headers of a call."""
    with Loopback(whole()) as server:
        answered(server, **fields)
    return dict(server.requests[0].headers)


def test_it_answers() -> None:
    with Loopback(whole("Hello!")) as server:
        answer = answered(server)
    assert (answer.content, answer.finish_reason, answer.usage) == ("Hello!", "stop", answer.usage)
    assert answer.usage is not None
    assert (server.requests[0].method, server.requests[0].path) == ("POST", "/v1/messages")


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_the_address_ends_with_v1_or_not(path: str) -> None:
    with Loopback(whole()) as server:
        AnthropicModel("m", base_url=f"http://127.0.0.1:{server.port}{path}", api_key="k")("hi")
    assert server.requests[0].path == "/v1/messages"


def test_the_address_may_be_a_variable_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(whole()) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.port}")
        assert AnthropicModel("m", api_key="k")("hi").content == "Hello!"


def test_a_variable_that_is_no_address_is_an_invalid_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "nowhere")
    found = asyncio.run(AnthropicModel("m", api_key="k").generate(HI)).failure()
    assert (found.kind, found.sent) == ("invalid_request", "no")
    assert found.message.startswith("ANTHROPIC_BASE_URL is an address such as")


@pytest.mark.parametrize(("stream", "method"), [(False, "rawPredict"), (True, "streamRawPredict")])
@pytest.mark.parametrize(
    ("options", "version"), [({}, "2026-10-21"), ({"temperature": 0.2}, "vertex-2023-10-16")], ids=["new", "old"]
)
def test_on_google_cloud_the_address_names_the_model(
    stream: bool, method: str, options: dict[str, Any], version: str
) -> None:
    """As cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude says."""
    path = "/v1/projects/p/locations/eu/publishers/anthropic/models"
    with Loopback(streamed(BEGIN, text("Hi"), *ending()) if stream else whole("Hi")) as server:
        base = f"http://127.0.0.1:{server.port}{path}"
        subject = AnthropicModel("claude-sonnet-4-5@20250929", base_url=base, api_key=lambda: "token", **options)
        events = asyncio.run(_heard(subject)) if stream else [Finished(subject("hi"))]
    assert isinstance(events[-1], Finished)
    assert events[-1].response.content == "Hi"
    seen = server.requests[0]
    assert seen.path == f"{path}/claude-sonnet-4-5@20250929:{method}"
    assert (seen.json["anthropic_version"], "model" in seen.json) == (version, False)
    assert (seen.headers["authorization"], "anthropic-version" in seen.headers) == ("Bearer token", False)


async def _heard(subject: AnthropicModel) -> list[Any]:
    return [event async for event in subject.stream(HI)]


async def _token() -> str:
    return " token\n"


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"api_key": KEY}, {"authorization": f"Bearer {KEY}"}),
        ({"api_key": lambda: KEY}, {"authorization": f"Bearer {KEY}"}),
        ({"api_key": _token}, {"authorization": "Bearer token"}),
        ({"api_key": None}, {"authorization": "Bearer of-the-key"}),
        ({"api_key": KEY, "extra_headers": {"X-Api-Key": "other"}}, {"x-api-key": "other"}),
        ({"api_key": None, "extra_headers": {"Authorization": "Bearer mine"}}, {"authorization": "Bearer mine"}),
    ],
)
def test_it_says_who_asks(fields: dict[str, Any], sent: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-key")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "of-the-token")
    found = headers(**fields)
    assert {name: found[name] for name in ("authorization", "x-api-key") if name in found} == sent


def test_a_token_s_variable_is_read_where_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "of-the-token")
    assert headers(api_key=None)["authorization"] == "Bearer of-the-token"


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({}, "2026-10-21"),
        ({"temperature": 0.2}, "2023-06-01"),
        ({"temperature": 0.2, "drop_options": "temperature"}, "2026-10-21"),
        ({"api_version": "2023-06-01"}, "2023-06-01"),
        ({"api_version": "2026-10-21", "top_p": 0.9}, "2026-10-21"),
        ({"extra_headers": {"Anthropic-Version": "2027-01-01"}}, "2027-01-01"),
    ],
)
def test_the_version_is_the_newest_that_takes_what_the_call_says(fields: dict[str, Any], version: str) -> None:
    assert headers(**fields)["anthropic-version"] == version


def test_betas_are_a_header() -> None:
    with Loopback(whole()) as server:
        answered(server, betas=["files-api-2025-04-14", "mcp-client-2025-04-04"])
    assert server.requests[0].headers["anthropic-beta"] == "files-api-2025-04-14,mcp-client-2025-04-04"
    assert "betas" not in server.requests[0].json


def test_who_is_asked_for_is_a_header() -> None:
    with Loopback(whole()) as server:
        answered(server, user_profile_id="uprof_1", workspace_id="wrkspc_1", betas=OMIT)
    seen = server.requests[0]
    assert seen.headers["anthropic-user-profile-id"] == "uprof_1"
    assert seen.headers["anthropic-workspace-id"] == "wrkspc_1"
    assert not {"user_profile_id", "workspace_id"} & seen.json.keys()
    assert "anthropic-workspace-id" not in headers(workspace_id=None)


def test_what_goes_beside_the_body_does() -> None:
    with Loopback(whole()) as server:
        answered(server, extra_headers={"x-team": "red"}, extra_query={"tier": "fast"}, extra_body={"x": 1}, timeout=9)
    seen = server.requests[0]
    assert (seen.headers["x-team"], seen.path, seen.json["x"]) == ("red", "/v1/messages?tier=fast", 1)
    assert not {"extra_headers", "extra_query", "timeout"} & seen.json.keys()


def test_a_call_s_own_timeout_holds() -> None:
    with Loopback(Answer(0, then="stall")) as server:
        found = failed(server, Request(HI.messages, options={"timeout": 0.1}))
    assert found.kind == "timeout"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"client": object()}, "AnthropicModel: no client="),
        ({"client_kwargs": {"default_headers": {}}}, "AnthropicModel: no client_kwargs="),
        ({"transport": 7}, "transport= takes an HttpTransport"),
        ({"base_url": "nowhere"}, "AnthropicModel: base_url is an address such as"),
        ({"base_url": "http://a/v1", "api_base": "http://b/v1"}, "base_url and api_base are one thing"),
        ({"api_key": 7}, r"AnthropicModel: api_key is text, Env\('NAME'\) or a function, not int"),
        ({"api_version": 7}, "AnthropicModel: api_version is text, not 7"),
        ({"betas": "one"}, "AnthropicModel: betas is a list of names"),
        ({"betas": [""]}, "AnthropicModel: betas is a list of names"),
        ({"workspace_id": 7}, "AnthropicModel: workspace_id is text, not 7"),
        ({"extra_headers": "x"}, "AnthropicModel: extra_headers is a dict, not str"),
        ({"top_kk": 7}, "AnthropicModel: there is no option 'top_kk'; did you mean top_k="),
        ({"system": "Be brief."}, "put a message of role 'system' first instead"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(fields: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        AnthropicModel("m", **fields)


def test_what_a_call_says_wrong_is_an_invalid_request() -> None:
    with Loopback(whole()) as server:
        found = failed(server, Request(HI.messages, options={"workspace_id": 3}))
        assert server.requests == []
    assert (found.kind, found.sent) == ("invalid_request", "no")


def test_a_transport_of_one_s_own_carries_the_calls() -> None:
    transport = HttpTransport()
    with Loopback(whole()) as server:
        subject = AnthropicModel("m", base_url=server.url, api_key="k", transport=transport)
        assert subject("hi").content == "Hello!"
    assert subject.transport is transport


def test_an_address_that_carries_a_secret_is_not_shown() -> None:
    with Loopback(whole()) as server:
        listen(server)
    shown = repr(AnthropicModel("claude", base_url=server.url, api_key=KEY, max_tokens=5))
    assert shown == f"AnthropicModel('claude', base_url={server.url!r}, max_tokens=5)"


@pytest.mark.parametrize(
    ("model_id", "window"),
    [
        ("claude-fable-5-2", 1_000_000),
        ("claude-haiku-5-5", 1_000_000),
        ("claude-opus-4-6", 1_000_000),
        ("anthropic/claude-sonnet-4-6", 1_000_000),
        ("claude-opus-4-5-20251101", 200_000),
        ("claude-sonnet-4-20250514", 200_000),
        ("claude-haiku-4-5@20251001", 200_000),
        ("claude-3-7-sonnet-20250219", 200_000),
        ("claude-mythos-preview", None),
        ("mine", None),
    ],
)
def test_what_a_model_can_is_assumed_by_its_name(model_id: str, window: int | None) -> None:
    able = Capabilities(tools=True, images=True, documents=True, json_schema=True, context_window=window)
    assert AnthropicModel(model_id).capabilities == able
    assert AnthropicModel("of-mine", base_model=model_id).capabilities == able


@pytest.mark.parametrize("model_id", ["claude-fable-5-2", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"])
def test_the_price_of_each_main_model_is_known(model_id: str) -> None:
    """What comes from the cache costs less than what doesn't, and what is written there more."""
    pytest.importorskip("genai_prices", reason="genai-prices isn't installed here: pip install 'modelport[prices]'")
    price_of = as_prices(None, "here")
    usages = (Usage(9000, 1, cached_tokens=9000), Usage(9000, 1), Usage(9000, 1, cache_write_tokens=9000))
    cached, read, kept = (price_of(model_id, usage) for usage in usages)
    assert cached is not None
    assert read is not None
    assert kept is not None
    assert cached < read < kept


def test_a_model_is_a_value() -> None:
    one, other = (AnthropicModel("m", api_key=Env("K"), max_tokens=5) for _ in range(2))
    assert (one == other, hash(one) == hash(other)) == (True, True)
    assert attrs.evolve(one, model_id="n") != one


def test_a_tool_and_its_result_go_round() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "서울"}}
    with Loopback(whole([call], "tool_use"), whole("Sunny.")) as server:
        subject = AnthropicModel("m", base_url=server.url, api_key="k")
        tools = [Tool("weather")]
        asked = [Message("user", "The weather?")]
        first = subject(asked, tools=tools)
        result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}
        assert subject([*asked, first.message, result], tools=tools).content == "Sunny."
    assert [turn["content"][0]["type"] for turn in server.requests[1].json["messages"]] == [
        "text",
        "tool_use",
        "tool_result",
    ]
