"""Each server of the table, as a server on the loopback that behaves as its row says, and refuses all else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import attrs
import loopback
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Answer, Loopback, Seen
from returns.result import Success

from modelport import OMIT, Capabilities, Message, ModelError, Reasoning, Request, Response, Tool, ToolCall, ToolResult
from modelport.adapters import SERVERS, OpenAIModel, compatible
from modelport.adapters.openai.call_ids import call_id
from modelport.adapters.openai.server import Server
from modelport.domain.error import ErrorKind, Sent
from modelport.domain.event import Finished

HI = Request([Message("user", "hi")])
STOPS = ("x" * 33, *(f"stop {number}" for number in range(20)))
TOOLS = [Tool("weather", "the weather")]


@attrs.frozen(kw_only=True)
class Row:
    """What is written of a server on its pages."""

    at: str
    key: str | None = None
    no_key_needed: bool = False
    refuses: tuple[str, ...] = ()
    renames: Mapping[str, str] = {}
    stops: int = 4
    stop_bytes: int = 1000
    asks_usage: bool = True
    reasoning: str = "reasoning_content"
    wants_reasoning: bool = False
    tool_choices: tuple[str, ...] = ("auto", "none", "required", "weather")
    takes_names: bool = True
    call_id: str = ".*"
    lacks: tuple[str, ...] = ()
    cache_markers: bool = False


PAGES = {
    "groq": Row(
        at="https://api.groq.com/openai/v1",
        key="GROQ_API_KEY",
        refuses=("logprobs", "logit_bias", "top_logprobs"),
        reasoning="reasoning",
        takes_names=False,
    ),
    "openrouter": Row(
        at="https://openrouter.ai/api/v1", key="OPENROUTER_API_KEY", reasoning="reasoning", cache_markers=True
    ),
    "together": Row(at="https://api.together.ai/v1", key="TOGETHER_API_KEY", reasoning="reasoning"),
    "fireworks": Row(at="https://api.fireworks.ai/inference/v1", key="FIREWORKS_API_KEY", wants_reasoning=True),
    "deepseek": Row(
        at="https://api.deepseek.com",
        key="DEEPSEEK_API_KEY",
        stops=16,
        wants_reasoning=True,
        lacks=("json_schema",),
    ),
    "mistral": Row(
        at="https://api.mistral.ai/v1",
        key="MISTRAL_API_KEY",
        refuses=("logit_bias", "logprobs", "min_p", "repetition_penalty", "top_k", "top_logprobs", "user"),
        renames={"seed": "random_seed"},
        asks_usage=False,
        takes_names=False,
        call_id="[a-zA-Z0-9]{9}",
    ),
    "xai": Row(at="https://api.x.ai/v1", key="XAI_API_KEY", refuses=("frequency_penalty", "presence_penalty"), stops=0),
    "cerebras": Row(
        at="https://api.cerebras.ai/v1",
        key="CEREBRAS_API_KEY",
        refuses=("frequency_penalty", "logit_bias", "parallel_tool_calls", "presence_penalty", "service_tier"),
        reasoning="reasoning",
    ),
    "sambanova": Row(at="https://api.sambanova.ai/v1", key="SAMBANOVA_API_KEY", reasoning="reasoning"),
    "perplexity": Row(at="https://api.perplexity.ai", key="PERPLEXITY_API_KEY", lacks=("json_object", "tools")),
    "moonshot": Row(
        at="https://api.moonshot.ai/v1",
        key="MOONSHOT_API_KEY",
        renames={"max_tokens": "max_completion_tokens"},
        stops=5,
        stop_bytes=32,
        wants_reasoning=True,
        tool_choices=("auto", "none"),
    ),
    "zhipu": Row(
        at="https://api.z.ai/api/paas/v4",
        key="ZAI_API_KEY",
        stops=1,
        tool_choices=("auto",),
        lacks=("json_schema",),
    ),
    "dashscope": Row(at="https://dashscope-intl.aliyuncs.com/compatible-mode/v1", key="DASHSCOPE_API_KEY"),
    "nvidia": Row(at="https://integrate.api.nvidia.com/v1", key="NVIDIA_API_KEY"),
    "hf-router": Row(at="https://router.huggingface.co/v1", key="HF_TOKEN"),
    "github": Row(at="https://models.github.ai/inference", key="GITHUB_TOKEN"),
    "ollama": Row(at="http://127.0.0.1:11434/v1", key="OLLAMA_API_KEY", no_key_needed=True),
    "lmstudio": Row(
        at="http://127.0.0.1:1234/v1", no_key_needed=True, renames={"repetition_penalty": "repeat_penalty"}
    ),
    "llamacpp": Row(
        at="http://127.0.0.1:8080/v1",
        key="LLAMA_API_KEY",
        no_key_needed=True,
        renames={"repetition_penalty": "repeat_penalty"},
        tool_choices=("auto", "none", "required"),
    ),
    "vllm-server": Row(at="http://127.0.0.1:8000/v1", key="VLLM_API_KEY", no_key_needed=True, reasoning="reasoning"),
    "sglang": Row(at="http://127.0.0.1:30000/v1", no_key_needed=True),
    "tgi": Row(at="http://127.0.0.1:8080/v1", no_key_needed=True),
}
EVERY = pytest.mark.parametrize("name", PAGES)
VALUES: Mapping[str, Any] = {
    "frequency_penalty": 0.5,
    "logit_bias": {"1": 2.0},
    "logprobs": True,
    "min_p": 0.1,
    "parallel_tool_calls": False,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.1,
    "seed": 7,
    "service_tier": "auto",
    "temperature": 0.5,
    "top_k": 5,
    "top_logprobs": 2,
    "user": "me",
}


def _call_ids(body: Any) -> list[str]:
    """The ids of the calls, and of their results, in the order of the messages."""
    return [
        id_
        for message in body["messages"]
        for id_ in (message.get("tool_call_id"), *(call["id"] for call in message.get("tool_calls", ())))
        if id_ is not None
    ]


def behaving(row: Row) -> Any:
    """An answer to what the server takes, and a refusal of anything else."""
    unknown = {*row.refuses, *row.renames} | (set() if row.asks_usage else {"stream_options"})

    def answer(seen: Seen) -> Answer:
        body = seen.json
        named = any("name" in message for message in body["messages"])
        strange = sorted(unknown & body.keys())
        stop = body.get("stop", [])
        if strange or len(stop) > row.stops or any(len(each.encode()) > row.stop_bytes for each in stop):
            return loopback.error(400, message=f"Extra inputs are not permitted: {strange} {stop}")
        if row.key and not row.no_key_needed and seen.headers.get("authorization") != f"Bearer {row.key} itself":
            return loopback.error(401)
        if named and not row.takes_names:
            return loopback.error(422, message="name: Extra inputs are not permitted")
        if strange := [id_ for id_ in _call_ids(body) if not re.fullmatch(row.call_id, id_)]:
            return loopback.error(400, message=f"Tool call id was {strange[0]}")
        if not body.get("stream"):
            return loopback.whole("Hello!", **{row.reasoning: "Hm."})
        usage = [] if row.asks_usage and "stream_options" not in body else [loopback.sse({"usage": loopback.USAGE})]
        return loopback.streamed(
            loopback.chunk({row.reasoning: "Hm."}),
            loopback.chunk({"content": "Hello!"}),
            loopback.chunk(finish="stop"),
            *usage,
            loopback.DONE,
        )

    return answer


def asked(model: OpenAIModel, request: Request = HI) -> Response | ModelError:
    result = asyncio.run(model.generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each server's own key, and OpenAI's, which no other is to see."""
    for row in PAGES.values():
        if row.key is not None:
            monkeypatch.setenv(row.key, f"{row.key} itself")
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "for OpenAI alone")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")


def test_the_table_has_these_rows() -> None:
    assert list(SERVERS) == list(PAGES)
    assert all(name == server.name for name, server in SERVERS.items())
    assert all(page.startswith("https://") for server in SERVERS.values() for page in server.pages)


@EVERY
def test_each_is_at_its_address_with_its_variable(name: str) -> None:
    server, row = SERVERS[name], PAGES[name]
    assert (server.base_url, server.variable, server.needs_key) == (row.at, row.key, not row.no_key_needed)
    assert server.is_local == row.no_key_needed
    assert OpenAIModel("m", server=name)._address() == (f"{row.at}/chat/completions", {})


@EVERY
@pytest.mark.usefixtures("keys")
def test_each_takes_what_is_sent_to_it(name: str) -> None:
    row = PAGES[name]
    options = {option: value for option, value in VALUES.items() if option not in row.refuses}
    with Loopback(behaving(row)) as server:
        model = OpenAIModel("m-1", server=name, base_url=server.url, max_tokens=20, **options)
        response = asked(model, Request([Message("user", "hi")], STOPS))
    assert isinstance(response, Response), response
    assert (response.content, response.reasoning) == ("Hello!", "Hm.")
    assert model.provider == name
    (seen,) = server.requests
    for option, value in {"max_tokens": 20, **options}.items():
        assert seen.json[row.renames.get(option, option)] == value
    assert seen.json.get("stop", []) == [each for each in STOPS if len(each) <= row.stop_bytes][: row.stops]
    assert "for OpenAI alone" not in str(seen)


@EVERY
@pytest.mark.usefixtures("keys")
def test_each_streams_and_tells_its_usage(name: str) -> None:
    row = PAGES[name]

    async def heard(model: OpenAIModel) -> Any:
        return [event async for event in model.stream(HI)]

    with Loopback(behaving(row)) as server:
        *_, last = asyncio.run(heard(OpenAIModel("m-1", server=name, base_url=server.url)))
    assert isinstance(last, Finished), last
    assert (last.response.content, last.response.reasoning) == ("Hello!", "Hm.")
    assert last.response.usage is not None
    assert ("stream_options" in server.requests[0].json) == row.asks_usage


@pytest.mark.parametrize(("name", "option"), [(name, option) for name, row in PAGES.items() for option in row.refuses])
@pytest.mark.usefixtures("keys")
def test_what_it_refuses_is_refused_before_it_is_sent(name: str, option: str) -> None:
    with Loopback(behaving(PAGES[name])) as server:
        model = OpenAIModel("m-1", server=name, base_url=server.url, **{option: VALUES[option]})
        error = asked(model)
        assert isinstance(error, ModelError)
        assert (error.kind, error.sent, error.provider) == (ErrorKind.UNSUPPORTED, Sent.NO, name)
        assert f"takes no {option}; take it away: {option}=OMIT in the call" in error.message
        assert SERVERS[name].pages[0] in error.message
        assert server.requests == []
        dropping = attrs.evolve(model, drop_options=[option])
        assert isinstance(asked(dropping), Response)
        assert isinstance(asked(model, Request([Message("user", "hi")], options={option: OMIT})), Response)


@EVERY
@pytest.mark.usefixtures("keys")
def test_the_reasoning_goes_back_where_it_is_wanted(name: str) -> None:
    row = PAGES[name]
    history = [
        Message("user", "Rain?"),
        Message("assistant", [Reasoning("I must look."), ToolCall("c1", "weather", "{}")]),
        Message("tool", [ToolResult("c1", "yes")]),
    ]
    with Loopback(behaving(row)) as server:
        asked(
            OpenAIModel("m-1", server=name, base_url=server.url, capabilities=Capabilities(tools=True)),
            Request(history, tools=TOOLS),
        )
    _, said, _ = server.requests[0].json["messages"]
    assert said.get("reasoning_content") == ("I must look." if row.wants_reasoning else None)


@EVERY
@pytest.mark.usefixtures("keys")
def test_a_conversation_with_calls_of_others_goes_there(name: str) -> None:
    ids = ["call_PTLP8xhu3uwZk4l3nlnrrJha", "toolu_01", "D681PevKs", "é" * 9]
    history = [
        Message("user", "Rain?"),
        Message("assistant", [ToolCall(id_, "weather", "{}") for id_ in ids]),
        *(Message("tool", [ToolResult(id_, "yes")]) for id_ in ids),
    ]
    with Loopback(behaving(PAGES[name])) as server:
        model = OpenAIModel("m-1", server=name, base_url=server.url, capabilities=Capabilities(tools=True))
        answer = asked(model, Request(history, tools=TOOLS))
    assert isinstance(answer, Response), answer
    sent = _call_ids(server.requests[0].json)
    assert sent[: len(ids)] == sent[len(ids) :]
    assert len({*sent}) == len(ids)
    kept = [there for id_, there in zip(ids, sent, strict=False) if re.fullmatch(PAGES[name].call_id, id_)]
    assert kept == [id_ for id_ in ids if re.fullmatch(PAGES[name].call_id, id_)]


@pytest.mark.parametrize("choice", ["auto", "none", "required", "weather"])
@pytest.mark.parametrize("name", [name for name in PAGES if "tools" not in PAGES[name].lacks])
@pytest.mark.usefixtures("keys")
def test_a_choice_of_tools_that_it_does_not_take_is_refused(name: str, choice: str) -> None:
    request = Request([Message("user", "hi")], tools=TOOLS, tool_choice=TOOLS[0] if choice == "weather" else choice)
    with Loopback(behaving(PAGES[name])) as server:
        answer = asked(OpenAIModel("m-1", server=name, base_url=server.url), request)
    taken = choice in PAGES[name].tool_choices
    assert isinstance(answer, Response if taken else ModelError), answer
    if isinstance(answer, ModelError):
        assert answer.kind is ErrorKind.UNSUPPORTED
        assert f"takes no tool_choice={choice!r}; it takes auto" in answer.message


@EVERY
@pytest.mark.usefixtures("keys")
def test_the_name_of_a_speaker_is_refused_where_it_is_not_taken(name: str) -> None:
    with Loopback(behaving(PAGES[name])) as server:
        answer = asked(
            OpenAIModel("m-1", server=name, base_url=server.url), Request([Message("user", "hi", name="Jo")])
        )
    assert isinstance(answer, Response if PAGES[name].takes_names else ModelError)
    if isinstance(answer, ModelError):
        assert (answer.kind, "name in messages[0]" in answer.message) == (ErrorKind.UNSUPPORTED, True)


@EVERY
def test_what_none_of_its_models_has_is_not_declared(name: str) -> None:
    capabilities = OpenAIModel("m-1", server=name).capabilities
    of_openai = attrs.asdict(OpenAIModel("m-1").capabilities)
    changed = {name for name, value in attrs.asdict(capabilities).items() if value != of_openai[name]}
    assert changed - {"max_stops"} == set(PAGES[name].lacks)
    assert capabilities.max_stops == PAGES[name].stops


@EVERY
def test_markers_for_a_cache_are_sent_where_they_are_known(name: str) -> None:
    marked = Request([Message("user", "hi", metadata={"cache_control": {"type": "ephemeral"}})])
    body, _ = OpenAIModel("m-1", server=name)._encoded(marked, stream=False)
    assert (b"cache_control" in body) == PAGES[name].cache_markers


def test_what_is_known_of_a_model_holds_at_a_server_too() -> None:
    assert OpenAIModel("openai/gpt-5", server="openrouter").capabilities.max_stops == 0
    assert OpenAIModel("mine", server="deepseek", base_model="gpt-4o").capabilities.max_stops == 4
    assert OpenAIModel("gpt-4o", server="zhipu").capabilities.max_stops == 1
    assert OpenAIModel("m", server="zhipu", capabilities=Capabilities(max_stops=2)).capabilities.max_stops == 2


def test_a_key_that_is_not_there_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "for OpenAI alone")
    error = asked(OpenAIModel("m", server="groq", base_url="http://127.0.0.1:9/v1"))
    assert isinstance(error, ModelError)
    assert error.kind is ErrorKind.AUTHENTICATION
    assert "set GROQ_API_KEY" in error.message


@pytest.mark.parametrize(
    ("name", "arguments", "sent"),
    [
        ("lmstudio", {}, None),
        ("llamacpp", {}, None),
        ("llamacpp", {"api_key": "mine"}, "Bearer mine"),
        ("lmstudio", {"client_kwargs": {"default_headers": {"Authorization": "Basic eA=="}}}, "Basic eA=="),
        ("mistral", {"api_key": "mine"}, "Bearer mine"),
    ],
)
def test_a_key_is_sent_where_there_is_one(
    name: str, arguments: dict[str, Any], sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMA_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "for OpenAI alone")
    with Loopback(loopback.whole()) as server:
        assert isinstance(asked(OpenAIModel("m", server=name, base_url=server.url, **arguments)), Response)
    assert server.requests[0].headers.get("authorization") == sent


def test_an_argument_stands_over_the_row() -> None:
    with Loopback(loopback.whole(reasoning_content="Hm.")) as server:
        model = OpenAIModel(
            "m", server="deepseek", base_url=server.url, api_key="k", reasoning_name="thought", organization="o"
        )
        asked(model, Request([Message("user", "hi"), Message("assistant", "ho"), Message("user", "he")]))
    assert server.requests[0].json["messages"][1] == {"role": "assistant", "content": "ho", "thought": ""}
    assert server.requests[0].headers["openai-organization"] == "o"


@pytest.mark.parametrize(
    ("word", "kind"), [("sensitive", "content_filter"), ("stop", "stop"), ("network_error", ErrorKind.SERVER)]
)
def test_zhipu_s_reasons_for_an_end_are_read(word: str, kind: str) -> None:
    with Loopback(loopback.whole("Hm", finish=word)) as server:
        answer = asked(OpenAIModel("glm-5.1", server="zhipu", base_url=server.url, api_key="k"))
    assert (answer.finish_reason if isinstance(answer, Response) else answer.kind) == kind


def test_a_server_and_a_model_are_one_word() -> None:
    assert compatible("openrouter/anthropic/claude-sonnet-4.5", top_k=5) == OpenAIModel(
        "anthropic/claude-sonnet-4.5", server="openrouter", top_k=5
    )
    assert repr(compatible("groq/llama-3.3-70b")) == "OpenAIModel('llama-3.3-70b', server='groq')"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: compatible("grok/m"), "compatible: no server is known as 'grok'; did you mean 'groq'?"),
        (lambda: compatible("groq"), "compatible: 'groq' names no model; write 'groq/llama-3.3-70b-versatile'"),
        (lambda: OpenAIModel("m", server="groc", capabilities=Capabilities()), "did you mean 'groq'"),
        (lambda: OpenAIModel("m", server="q"), "OpenAIModel: server: no server is known as 'q'; it is one of groq, "),
    ],
)
def test_a_name_that_none_has_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", "\\?")):
        wrong()


def test_a_name_of_a_server_is_text() -> None:
    with pytest.raises(TypeError, match="OpenAIModel: server is text"):
        OpenAIModel("m", server=3)  # type: ignore[arg-type]


@given(st.text(st.characters(codec=None)), st.integers(1, 40))
def test_an_id_that_does_not_fit_is_made_to(id_: str, length: int) -> None:
    made = call_id(id_, length)
    assert re.fullmatch(f"[a-zA-Z0-9]{{{length}}}", made)
    assert call_id(made, length) == made
    assert (made == id_) == bool(re.fullmatch(f"[a-zA-Z0-9]{{{length}}}", id_))


def test_a_row_is_a_value() -> None:
    row = Server(name="mine", title="Mine", base_url="https://x/v1", example="m", pages=("https://x",))
    assert (row.is_local, row.tells_usage_if_asked, row.refuses) == (False, True, frozenset())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        row.name = "another"  # type: ignore[misc]


def test_arguments_in_one_word_are_those_of_the_class() -> None:
    import inspect

    from modelport.adapters.openai.compatible import OpenAIArguments

    names = {name for name, p in inspect.signature(OpenAIModel).parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert names - {"server"} <= set(OpenAIArguments.__optional_keys__)


def test_the_page_has_the_table_of_these_rows() -> None:
    from server_table import PAGE, page

    assert PAGE.read_text("utf-8") == page(), "docs/adapters/servers.md is stale: python tests/kit/server_table.py"
