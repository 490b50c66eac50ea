"""What public reports ask of keys, redirects, connections and errors, one row each.

The numbers are those of `test_what_servers_send.py`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bedrock_wire
import loopback
import pytest
from api_models import HI, WIRES, outcome
from certificates import Authority, serving
from loopback import Answer, Loopback, Seen, error, two_at_once
from raw_server import RawServer, http, question, says

from modelport import Env, Failed, Message, ModelError, ModelFailure, Request, Response, ToolCall, ToolResult
from modelport.adapters import (
    AmazonBedrockModel,
    AzureOpenAIModel,
    HttpTransport,
    InferenceClientModel,
    OpenAIModel,
)

pytestmark = pytest.mark.needs("openai", "huggingface", "bedrock")
each = pytest.mark.parametrize("name", WIRES)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def answering(seen: Seen) -> Answer:
    """In the wire of whoever asks."""
    return (bedrock_wire.saying if "/converse" in seen.path else loopback.saying)("Hello!")(seen)


def test_a_result_without_words_has_content_on_bedrock() -> None:
    """W15."""
    call, result = ToolCall("a", "f", "{}"), ToolResult("a", "", is_error=True)
    history = [Message("user", "Hi"), Message("assistant", call), Message("tool", result)]
    with Loopback(answering) as server:
        asyncio.run(outcome(WIRES["AmazonBedrockModel"].make(server.url), stream=False, request=Request(history)))
    sent = server.requests[0].json["messages"][-1]["content"][0]["toolResult"]
    assert (sent["status"], sent["content"]) == ("error", [{"text": "error"}])


KEYED: dict[str, Callable[..., Any]] = {
    "OpenAIModel": lambda url, key, **more: OpenAIModel("m", base_url=url, api_key=key, **more),
    "AzureOpenAIModel": lambda url, key, **more: AzureOpenAIModel(
        "m", azure_endpoint=url.removesuffix("/v1"), api_version="1", api_key=key, **more
    ),
    "InferenceClientModel": lambda url, key, **more: InferenceClientModel("m", base_url=url, token=key, **more),
    "AmazonBedrockModel": lambda url, key, **more: AmazonBedrockModel(
        "m", endpoint_url=url.removesuffix("/v1"), region_name="us-east-1", api_key=key, **more
    ),
}


@each
def test_a_key_from_a_file_ends_in_a_line_break(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W17: it is trimmed, as text and from a variable. Bedrock sends a key over TLS alone."""
    monkeypatch.setenv("OF_A_FILE", "key-0123456789\n")
    authority, heads, wire = Authority(tmp_path), [], WIRES[name]

    def hears(connection: Any) -> None:
        while head := question(connection):
            heads.append(head.decode().lower())
            connection.sendall(http(wire.whole))

    with RawServer(hears, tls=serving(authority.issue("127.0.0.1"))) as server:
        for key in ("key-0123456789\n", Env("OF_A_FILE")):
            model = KEYED[name](server.url, key, transport=HttpTransport(ca=authority.file))
            assert isinstance(asyncio.run(outcome(model, stream=False)), Response)
    sent = [re.findall(r"^(?:authorization: bearer|api-key:) (.*)\r$", head, re.MULTILINE) for head in heads]
    assert sent == [["key-0123456789"]] * 2


@each
@whole_and_streamed
def test_a_question_and_its_secrets_go_nowhere_else(name: str, stream: bool) -> None:
    """W19: a redirect to another origin isn't followed, and the error says where it led."""
    with Loopback(answering) as elsewhere:
        moved = Answer(307, {"location": f"{elsewhere.url}/there"})
        with Loopback(moved) as server:
            found = asyncio.run(outcome(WIRES[name].make(server.url), stream=stream))
    assert isinstance(found, ModelError)
    assert (found.kind, found.status, elsewhere.requests) == ("not_found", 307, [])
    assert f"{elsewhere.url}/there" in found.message


@pytest.mark.parametrize("name", ["OpenAIModel", "AzureOpenAIModel", "InferenceClientModel"])
def test_of_several_answers_in_a_stream_the_first_is_shown(name: str) -> None:
    """S1: they were mixed."""
    with Loopback(two_at_once()) as server:
        found = asyncio.run(outcome(WIRES[name].make(server.url), stream=True))
    assert isinstance(found, Response), found
    assert found.content == "The sky"


@each
@whole_and_streamed
def test_a_server_that_closes_after_a_failure_costs_no_further_call(name: str, stream: bool) -> None:
    """S6: it answers an unhandled 500 and closes the connection without saying so."""
    wire = WIRES[name]
    body = wire.streamed("Hello!") if stream else wire.whole
    good = http(body, f"content-type: {wire.content_type if stream else 'application/json'}")

    def fails_and_closes(connection: Any) -> None:
        question(connection)
        connection.sendall(http(b"{}", status="500 Bad"))

    async def main(url: str) -> list[str]:
        model = wire.make(url)
        found = [await outcome(model, stream=stream) for _ in range(4)]
        return [str(each.kind) if isinstance(each, ModelError) else each.content for each in found]

    with RawServer(fails_and_closes, says(good), says(good)) as server:
        assert asyncio.run(main(server.url)) == ["server", "Hello!", "Hello!", "Hello!"]


@pytest.mark.parametrize("argument", [{"organization": "o"}, {"retry": True}, {"tool_name_key": "x"}])
def test_what_azure_does_not_take_is_refused_by_name(argument: dict[str, Any]) -> None:
    """S7: it went into the body."""
    with pytest.raises((TypeError, ValueError), match=next(iter(argument))):
        AzureOpenAIModel("m", azure_endpoint="http://127.0.0.1:9", api_version="1", api_key="k", **argument)


@each
def test_a_failure_of_a_call_that_waits_says_what_it_is(name: str) -> None:
    """S11: an error without a text was raised."""
    with (
        Loopback(error(429, None, "slow down")) as server,
        pytest.raises(ModelFailure, match=r"rate_limited \(429\) from "),
    ):
        WIRES[name].make(server.url)("Hi")


def test_a_folder_of_the_same_name_is_not_litellm(tmp_path: Path) -> None:
    """S13: where litellm isn't installed and a folder ./litellm exists."""
    (tmp_path / "litellm").mkdir()
    code = """
import importlib.util, sys
sys.path[:0] = [sys.argv[1]]
import asyncio, json
class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name == "litellm":
            spec = importlib.util.spec_from_loader(name, None, is_package=True)
            spec.submodule_search_locations = [sys.argv[1] + "/litellm"]
            return spec
sys.meta_path.insert(0, Nowhere())
from modelport import as_request
from modelport.adapters import LiteLLMModel
error = asyncio.run(LiteLLMModel("openai/m", api_key="k").generate(as_request("Hi"))).failure()
print(json.dumps([str(error.kind), error.message]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kind, message = json.loads(done.stdout.splitlines()[-1])
    assert (kind, "modelport[litellm]" in message) == ("missing_dependency", True)


@each
def test_a_stream_that_is_cut_after_content_was_sent(name: str) -> None:
    """S14: content has come, so that the question has."""
    wire = WIRES[name]

    async def main(url: str) -> Any:
        return [event async for event in wire.make(url).stream(HI)][-1]

    kind, piece = wire.content_type, wire.event("Hel")
    with Loopback(Answer(headers={"content-type": kind}, pieces=[piece], then="reset")) as server:
        last = asyncio.run(main(server.url))
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.sent) == ("interrupted", "yes")
    assert last.partial is not None
    assert last.partial.content == "Hel"
