"""`OpenAIResponsesModel` as a model: where it asks and as whom, what it asks for by itself, and whole conversations."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import responses_wire as wire
from extras import need
from loopback import Loopback, body
from responses_calls import answered, ask, failed, listen, model, streamed

from modelport import OMIT, Capabilities, Finished, Message, Request, Text, ToolResult, compose, with_retry
from modelport.adapters import OpenAIResponsesModel
from modelport.domain.facts import gives_encrypted_reasoning

HI = Message("user", "Hi")
ENCRYPTED = ["reasoning.encrypted_content"]


def asked(server: Loopback) -> Any:
    """The body of the last question."""
    return server.requests[-1].json


@pytest.mark.parametrize(
    ("model_id", "given"),
    [
        ("gpt-5", True),
        ("gpt-5.1-chat-latest", True),
        ("gpt-5-chat-latest", False),
        ("gpt-6-astra", True),
        ("my-gpt-5-deploy", True),
        ("o3", True),
        ("o4-mini-2025-04-16", True),
        ("openai/o1:free", True),
        ("codex-mini-latest", True),
        ("computer-use-preview", True),
        ("gpt-4o", False),
        ("gpt-oss-20b", False),
        ("llama-3.3-70b", False),
        ("", False),
    ],
)
def test_encrypted_reasoning_is_asked_for_where_it_is_given(model_id: str, given: bool) -> None:
    """Others refuse the question."""
    assert gives_encrypted_reasoning(model_id) is given


def test_what_is_known_of_a_model_is_known_by_its_base_model() -> None:
    with Loopback(wire.saying("Hi")) as server:
        ask(server)
        assert asked(server)["include"] == ENCRYPTED
        ask(server, model_id="mine")
        assert "include" not in asked(server)
        ask(server, model_id="mine", base_model="o3")
        assert asked(server)["include"] == ENCRYPTED
        for fields in ({"include": OMIT}, {"drop_options": "include"}):
            ask(server, **fields)
            assert "include" not in asked(server)


def test_it_has_no_stops_to_send_and_ends_the_text_itself() -> None:
    with Loopback(wire.saying("One. Two. Three.")) as server:
        request = Request([HI], [" Two"])
        assert (answered(server, request).content, streamed(server, request).content) == ("One.", "One.")
        assert "stop" not in str(asked(server))


def test_what_it_can_is_assumed_or_declared() -> None:
    assert OpenAIResponsesModel("gpt-5").capabilities == Capabilities(
        tools=True, images=True, documents=True, json_object=True, json_schema=True, max_stops=0
    )
    assert OpenAIResponsesModel("mine", capabilities=Capabilities()).capabilities == Capabilities()


def test_an_option_that_it_has_no_word_for_is_refused_where_it_is_said() -> None:
    with pytest.raises(ValueError, match="OpenAIResponsesModel: there is no option 'temprature'; did you mean temper"):
        OpenAIResponsesModel("m", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="OpenAIResponsesModel: base_url is an address such as"):
        OpenAIResponsesModel("m", base_url="nowhere")
    with Loopback(wire.saying("Hi")) as server:
        assert failed(server, Request([HI], options={"modalities": ["audio"]})).kind == "invalid_request"


def test_a_whole_conversation_goes_round() -> None:
    """What the first turn came to goes back in the second: reasoning, the server's own search, text and call."""
    search = {
        "id": "ws_1",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    thought = wire.reasoning("I see.", encrypted="c2VjcmV0")
    said, called = wire.message("Look: "), wire.call("weather", '{"city":"서울"}')
    first = wire.response(thought, search, said, called)
    with Loopback(wire.replying(first), wire.replying(first), wire.saying("Sunny.")) as server:
        whole, stream = answered(server, Request([HI])), streamed(server, Request([HI]))
        assert whole.message == stream.message
        history = [HI, whole.message, Message("tool", ToolResult("call_1", "sunny"))]
        assert answered(server, Request(history)).content == "Sunny."
    del said["content"][0]["logprobs"], called["status"]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    assert asked(server)["input"] == [{"role": "user", "content": "Hi"}, thought, search, said, called, output]


@pytest.mark.parametrize("custom", [False, True])
def test_what_one_host_gave_of_its_own_does_not_go_to_another(custom: bool) -> None:
    """It knows neither the ids nor how to decrypt: an answer of OpenAI's goes to Azure as that of any provider."""
    thought, said = wire.reasoning("I see.", encrypted="c2VjcmV0"), wire.message("Look: ")
    called = wire.call("weather", '{"city":"서울"}')
    if custom:
        called = {"type": "custom_tool_call", "call_id": "call_1", "name": "weather", "input": '{"city":"서울"}'}
    with Loopback(wire.replying(wire.response(thought, said, called))) as one, Loopback(wire.saying("Hm.")) as other:
        first = answered(one).message
        ask(other, Request([HI, first, Message("tool", ToolResult("call_1", "sunny"))]))
    assert asked(other)["input"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Look: "},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"서울"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    ]


def test_an_address_that_is_none_is_told_when_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "nowhere")
    error = asyncio.run(OpenAIResponsesModel("m", api_key="k").generate(Request([HI]))).failure()
    assert (error.kind, error.sent) == ("invalid_request", "no")
    assert "OPENAI_BASE_URL is an address such as" in error.message


def test_annotations_are_told_and_sent_back() -> None:
    cited = {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "x", "url": "https://x.org"}
    said = wire.message("Hi")
    said["content"][0]["annotations"] = [cited]
    with Loopback(wire.replying(wire.response(said))) as server:
        first = answered(server)
        (part,) = first.message.content
        assert isinstance(part, Text)
        assert [dict(each) for each in part.metadata["openai-responses"]["annotations"]] == [cited]
        ask(server, Request([HI, first.message, HI]))
    assert asked(server)["input"][1]["content"] == [{"type": "output_text", "text": "Hi", "annotations": [cited]}]


def test_a_server_that_does_not_stream_is_heard_all_the_same() -> None:
    with Loopback(body(wire.response(wire.message("Hello!")))) as server:
        *_, last = listen(server)
    assert isinstance(last, Finished)
    assert last.response.content == "Hello!"


def test_who_asks_is_told_as_for_chat_completions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    with Loopback(wire.saying("Hi")) as server:
        ask(server, project="p-1", extra_headers={"x-team": "red"}, extra_query={"v": "1"})
    seen = server.requests[0]
    assert seen.path == "/v1/responses?v=1"
    assert (seen.headers["openai-organization"], seen.headers["openai-project"]) == ("org-1", "p-1")
    assert seen.headers["x-team"] == "red"


def test_azure_is_asked_at_its_v1_address() -> None:
    """learn.microsoft.com/azure/ai-foundry/openai/how-to/responses: the same wire, with the deployment as the model."""
    with Loopback(wire.saying("Hi")) as server:
        base = server.url.removesuffix("/v1") + "/openai/v1/"
        azure = OpenAIResponsesModel("my-deployment", base_url=base, api_key=lambda: "token")
        assert asyncio.run(azure.generate(Request([HI]))).unwrap().content == "Hi"
    seen = server.requests[0]
    assert (seen.path, seen.headers["authorization"]) == ("/openai/v1/responses", "Bearer token")
    assert seen.json["model"] == "my-deployment"


@pytest.mark.parametrize("azure", [False, True])
def test_a_client_of_the_sdk_carries_the_calls(azure: bool) -> None:
    openai = pytest.importorskip("openai", reason="the openai SDK isn't installed here")
    need("openai")
    with Loopback(wire.saying("Hi")) as server:

        async def main() -> None:
            client = openai.AsyncOpenAI(base_url=server.url, api_key="sk-1")
            if azure:
                endpoint = server.url.removesuffix("/v1")
                client = openai.AsyncAzureOpenAI(azure_endpoint=endpoint, api_version="v", api_key="sk-1")
            async with client:
                injected = OpenAIResponsesModel("mine", client=client)
                assert (await injected.generate(Request([HI]))).unwrap().content == "Hi"
                *_, last = [event async for event in injected.stream(Request([HI]))]
                assert isinstance(last, Finished)

        asyncio.run(main())
    assert {seen.path for seen in server.requests} == {"/openai/responses?api-version=v" if azure else "/v1/responses"}


def test_layers_stand_on_it_and_it_is_told_what_it_is() -> None:
    with Loopback(body({"error": {"message": "busy"}}, 503), wire.saying("Hi")) as server:
        stack = compose(model(server), with_retry(base=0.001))
        response = asyncio.run(stack.generate(Request([HI]))).unwrap()
    assert [(each.provider, each.outcome) for each in response.attempts] == [
        ("openai", "overloaded"),
        ("openai", "answered"),
    ]
    assert repr(OpenAIResponsesModel("gpt-5", store=False)) == "OpenAIResponsesModel('gpt-5', store=False)"
