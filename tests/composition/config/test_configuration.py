"""A stack goes through JSON and back, and takes no secret along."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from modelport import (
    OMIT,
    Capabilities,
    Decorated,
    Env,
    Layer,
    Limiter,
    Model,
    Price,
    Response,
    ScriptedModel,
    VirtualClock,
    compose,
    describe,
    from_dict,
    from_function,
    to_dict,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import (
    AmazonBedrockModel,
    AnthropicModel,
    AzureOpenAIModel,
    GeminiModel,
    InferenceClientModel,
    LiteLLMModel,
    LiteLLMRouterModel,
    MLXModel,
    OpenAIModel,
    OpenAIResponsesModel,
    OpenVINOModel,
    TransformersModel,
    VLLMModel,
)
from modelport.composition.layers.budget import Purse, with_budget
from modelport.composition.layers.cache import with_cache
from modelport.composition.layers.chaos import with_chaos
from modelport.composition.layers.check import with_check
from modelport.composition.layers.circuit_breaker import Breaker, with_circuit_breaker
from modelport.composition.layers.concurrency import Slots, with_concurrency
from modelport.composition.layers.defaults import with_defaults
from modelport.composition.layers.hedge import with_hedge
from modelport.composition.layers.log import with_log
from modelport.composition.layers.recording import with_recording
from modelport.composition.layers.route import with_route
from modelport.composition.layers.timeout import with_timeout
from modelport.composition.layers.trace import with_trace
from modelport.composition.stack.policy import Direct

KEY = "sk-secret-0123456789"


def again(model: Model) -> Model:
    """The model that comes out of the JSON of its configuration."""
    text = json.dumps(to_dict(model), allow_nan=False)
    read = from_dict(json.loads(text))
    assert json.dumps(to_dict(read)) == text
    return read


def test_an_adapter_is_its_arguments_without_those_at_their_defaults() -> None:
    model = OpenAIModel(
        "gpt-4o", api_base="http://127.0.0.1:1/v1", organization="org", temperature=0.2, max_new_tokens=9
    )
    assert to_dict(model) == {
        "adapter": "OpenAIModel",
        "model_id": "gpt-4o",
        "base_url": "http://127.0.0.1:1/v1",
        "organization": "org",
        "options": {"temperature": 0.2, "max_tokens": 9},
    }
    assert again(model) == model


def test_a_server_that_is_known_is_written_by_its_name() -> None:
    written = to_dict(OpenAIModel("deepseek-chat", server="deepseek", max_tokens=9))
    assert written == {
        "adapter": "OpenAIModel",
        "model_id": "deepseek-chat",
        "server": "deepseek",
        "options": {"max_tokens": 9},
    }
    with pytest.raises(ValueError, match="no server is known as 'deepsek'; did you mean 'deepseek'"):
        from_dict({**written, "server": "deepsek"})


@pytest.mark.parametrize(
    "model",
    [
        OpenAIModel("gpt-4o"),
        OpenAIModel("glm-5.1", server="zhipu", api_key=Env("MY_KEY")),
        OpenAIModel("gpt-4o", timeout=None, client_kwargs={"default_headers": {"x-team": "red"}}),
        OpenAIModel("gpt-4o", api_key=Env("MY_KEY"), extra_headers={"authorization": Env("OTHER")}),
        OpenAIModel("my-deployment", capabilities=Capabilities(tools=True, max_stops=0)),
        OpenAIModel("local", api_key="none", logit_bias={50256: -100}, stream_options=OMIT, extra_body={"env": 1}),
        OpenAIModel("local", requests_per_minute=60, custom_role_conversions={"system": "user"}),
        OpenAIResponsesModel("gpt-5", api_key=Env("K"), store=False, reasoning={"effort": "low"}, include=OMIT),
        AzureOpenAIModel("dep", azure_endpoint="https://x.openai.azure.com", api_version="v", azure_ad_token=Env("K")),
        InferenceClientModel(provider="novita", token=Env("T"), bill_to="org", requests_per_minute=60, temperature=0.8),
        InferenceClientModel("org/name:together", headers={"x-api-key": Env("K")}, flatten_messages_as_text=True),
        AnthropicModel("claude", api_key=Env("K"), api_version="2023-06-01", betas=["a-beta"], max_tokens=9),
        AmazonBedrockModel(
            "us.x",
            region_name="eu-west-1",
            profile_name="p",
            aws_secret_access_key=Env("K"),
            aws_access_key_id=Env("I"),
            additionalModelRequestFields={"a": 1},
        ),
        GeminiModel("gemini-2.5-flash", api_key=Env("K"), base_url="http://127.0.0.1:1", max_tokens=10),
        GeminiModel("m", token=Env("K"), project="p", location="eu", thinkingConfig={"thinkingBudget": 0}),
        LiteLLMModel("anthropic/claude", api_key=Env("K"), api_base="http://127.0.0.1:1", max_tokens=10),
        LiteLLMRouterModel(
            "fast",
            model_list=[
                {"model_name": "fast", "litellm_params": {"model": "groq/llama", "api_key": Env("GROQ_API_KEY")}},
                {"model_name": "fast", "litellm_params": {"model": "cerebras/llama", "api_key": None}},
            ],
            client_kwargs={"routing_strategy": "simple-shuffle"},
        ),
    ],
    ids=lambda model: repr(model)[:70],
)
def test_an_adapter_comes_back_as_it_was(model: Model) -> None:
    assert again(model) == model


@pytest.mark.parametrize(
    "model",
    [
        TransformersModel("org/name", device_map="cpu", torch_dtype="bfloat16", temperature=0.5, max_new_tokens=5),
        TransformersModel("org/name", trust_remote_code=True, model_kwargs={"cache_dir": Path("models")}),
        VLLMModel("org/name", model_kwargs={"max_model_len": 512}, max_tokens=5),
        MLXModel("org/name", load_kwargs={"revision": "main"}, prompt_cache_bytes=0, temperature=0.5),
        OpenVINOModel(device="GPU", max_tokens=5, model_kwargs={"PERFORMANCE_HINT": "LATENCY"}),
        ScriptedModel("One.", "Two.", repeat=True, chunk=[1, 2], model_id="m", capabilities=Capabilities(tools=True)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_so_does_one_that_holds_a_runtime(model: Model) -> None:
    assert type(again(model)) is type(model)


def test_a_stack_comes_back_with_its_layers_and_fallbacks() -> None:
    stack = compose(
        OpenAIModel("gpt-4o", temperature=0.2),
        with_rate_limit(60, burst=2, max_wait=3),
        with_retry(attempts=3, base=0.1, on=["server", "timeout"]),
        with_fallback(
            compose(OpenAIModel("local", base_url="http://127.0.0.1:1/v1"), with_retry()), ScriptedModel("Sorry.")
        ),
    )
    data = to_dict(stack)
    assert data["layers"][:2] == [
        {"layer": "with_rate_limit", "rpm": 60, "burst": 2, "max_wait": 3},
        {"layer": "with_retry", "attempts": 3, "base": 0.1, "on": ["server", "timeout"]},
    ]
    assert data["layers"][2]["models"][0]["layers"] == [{"layer": "with_retry"}]
    assert describe(again(stack)) == describe(stack)


@pytest.mark.parametrize(
    ("layer", "written"),
    [
        (with_budget(tokens=900), {"tokens": 900}),
        (with_cache(max_bytes=900, ttl=60), {"max_bytes": 900, "ttl": 60}),
        (with_chaos({"errors": {"server": 0.5}, "seed": 7}), {"plan": {"errors": {"server": 0.5}, "seed": 7}}),
        (with_check({"type": "object"}, repair=2), {"check": {"type": "object"}, "repair": 2}),
        (with_circuit_breaker(0.3, pause=9, on=["server"]), {"ratio": 0.3, "pause": 9, "on": ["server"]}),
        (with_concurrency(4, max_queue=9), {"n": 4, "max_queue": 9}),
        (with_defaults(temperature=0, seed=OMIT), {"options": {"temperature": 0, "seed": {"omit": True}}}),
        (with_hedge(percentile=0.9, share=0.2), {"percentile": 0.9, "share": 0.2}),
        (with_log("calls", content=True), {"logger": "calls", "content": True}),
        (with_rate_limit(60, tpm=900), {"rpm": 60, "tpm": 900}),
        (with_recording("tape.jsonl"), {"path": "tape.jsonl"}),
        (with_retry(2, deadline=30), {"attempts": 2, "deadline": 30}),
        (with_trace(content=True), {"content": True}),
        (with_timeout(attempt=5, idle=2), {"attempt": 5, "idle": 2}),
        (
            with_route(ScriptedModel("b"), by="weighted", weights=[1, 3]),
            {"by": "weighted", "weights": [1.0, 3.0], "models": [{"adapter": "ScriptedModel", "answers": ["b"]}]},
        ),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_each_layer_comes_back_as_it_was(layer: Layer, written: dict[str, Any]) -> None:
    stack = compose(ScriptedModel("a"), layer)
    (found,) = to_dict(stack)["layers"]
    assert {name: value for name, value in found.items() if name != "layer"} == written
    assert describe(again(stack)) == describe(stack)


def test_prices_come_back_too() -> None:
    prices = {"a": Price(2.5, 10.0, cached=1.25), "*": Price(1, 2)}
    stack = compose(ScriptedModel("a", model_id="a"), with_budget(usd=3, prices=prices))
    assert to_dict(stack)["layers"][0]["prices"] == {
        "a": {"price_per_million": {"input": 2.5, "output": 10.0, "cached": 1.25}},
        "*": {"price_per_million": {"input": 1, "output": 2}},
    }
    read: Any = again(stack)
    assert read.policy.prices == prices


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (with_circuit_breaker(Breaker(0.3)), "breaker"),
        (with_budget(Purse(tokens=9)), "purse"),
        (with_concurrency(Slots(3)), "slots"),
        (with_rate_limit(Limiter(60, tpm=900)), "limiter"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_share_a_machine_still_do(layer: Layer, word: str) -> None:
    read: Any = again(compose(ScriptedModel("a"), layer, with_fallback(compose(ScriptedModel("b"), layer))))
    assert getattr(read.inner.policy, word) is getattr(read.policy.models[0].policy, word)


def test_the_front_door_to_a_stack_comes_back_too() -> None:
    read = from_dict({"compose": {"adapter": "ScriptedModel", "answers": ["Hi!"]}})
    assert describe(again(read)) == "ScriptedModel"
    assert read("Hello").content == "Hi!"


def test_models_that_share_a_limiter_still_do() -> None:
    shared = Limiter(60)
    read: Any = again(
        compose(
            ScriptedModel("a"), with_rate_limit(shared), with_fallback(OpenAIModel("b", requests_per_minute=shared))
        )
    )
    assert read.inner.policy.limiter is read.policy.models[0].requests_per_minute


def test_a_limiter_that_is_shared_is_said_once_or_the_same_each_time() -> None:
    def stack(second: dict[str, Any]) -> Any:
        spare = {"adapter": "OpenAIModel", "model_id": "b", "requests_per_minute": {"limiter": second}}
        layers = [
            {"layer": "with_rate_limit", "rpm": {"limiter": {"rpm": 60, "shared": 1}}},
            {"layer": "with_fallback", "models": [spare]},
        ]
        return from_dict({"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layers": layers})

    for same in ({"shared": 1}, {"rpm": 60, "shared": 1}):
        read = stack(same)
        assert read.inner.policy.limiter is read.policy.models[0].requests_per_minute
    with pytest.raises(ValueError, match=r"limiter: the limiter that is shared as 1 is made of \{'rpm': 60\} before"):
        stack({"rpm": 30, "shared": 1})


def test_two_limiters_of_one_pace_stay_two() -> None:
    other = compose(ScriptedModel("b"), with_rate_limit(60))
    read: Any = again(compose(ScriptedModel("a"), with_rate_limit(60), with_fallback(other)))
    assert read.inner.policy.limiter is not read.policy.models[0].policy.limiter


def test_a_limiter_that_is_not_shared_needs_no_number() -> None:
    model = OpenAIModel("b", requests_per_minute=Limiter(60, burst=2))
    assert to_dict(model)["requests_per_minute"] == {"limiter": {"rpm": 60, "burst": 2}}
    read: Any = from_dict(to_dict(model))
    assert read.requests_per_minute.pace == Limiter(60, burst=2).pace


def test_a_secret_is_written_as_the_variable_that_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TEAM_KEY", KEY)
    data = to_dict(OpenAIModel("gpt-4o", api_key=KEY, client_kwargs={"default_headers": {"api-key": KEY}}))
    assert data["api_key"] == {"env": "SOME_TEAM_KEY"}
    assert data["client_kwargs"] == {"default_headers": {"api-key": {"env": "SOME_TEAM_KEY"}}}
    assert from_dict(data) == OpenAIModel(
        "gpt-4o",
        api_key=Env("SOME_TEAM_KEY"),
        client_kwargs={"default_headers": {"api-key": Env("SOME_TEAM_KEY")}},
    )


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"api_key": KEY}, "OpenAIModel: api_key"),
        ({"extra_headers": {"Authorization": KEY}}, "OpenAIModel: options['extra_headers']['Authorization']"),
        ({"extra_headers": {"X-Auth-Token": KEY}}, "OpenAIModel: options['extra_headers']['X-Auth-Token']"),
        ({"client_kwargs": {"default_query": {"api-key": KEY}}}, "client_kwargs['default_query']['api-key']"),
        ({"metadata": {"callback": f"http://127.0.0.1/v1?api-key={KEY}"}}, "options['metadata']['callback']"),
        ({"metadata": {"callback": f"http://me:{KEY}@127.0.0.1/v1"}}, "options['metadata']['callback']"),
    ],
)
def test_one_that_stands_in_no_variable_is_refused_and_not_shown(arguments: dict[str, Any], place: str) -> None:
    with pytest.raises(ValueError, match="no configuration may hold") as caught:
        to_dict(OpenAIModel("gpt-4o", **arguments))
    assert place in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (from_function(lambda messages: "Hi!"), "FunctionModel: function"),
        (OpenAIModel("m", api_key=lambda: KEY), "OpenAIModel: api_key"),
        (OpenVINOModel(pipeline=object()), "OpenVINOModel: pipeline"),
        (compose(ScriptedModel("a"), with_retry(on=lambda error: True)), "with_retry: on"),
        (compose(ScriptedModel("a"), with_retry(clock=VirtualClock())), "with_retry: clock"),
        (compose(ScriptedModel("a"), with_rate_limit(60, clock=VirtualClock())), "with_rate_limit"),
        (ScriptedModel(Response.of("a")), "ScriptedModel: answers[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_lives_in_this_process_alone_is_refused_by_its_place(model: Model, place: str) -> None:
    with pytest.raises(ValueError, match="a configuration can't hold a") as caught:
        to_dict(model)
    assert str(caught.value).startswith(place + ":")


def test_a_layer_of_the_caller_s_own_is_named() -> None:
    with pytest.raises(ValueError, match=r"Direct.* is a layer of your own"):
        to_dict(Decorated(ScriptedModel("a"), attrs.make_class("Direct", [], bases=(Direct,))()))


@attrs.frozen
class Mine:
    """A model of an application."""

    model_id: str
    region: str = "here"
    capabilities = Capabilities()
    generate = stream = Direct.__call__


def test_a_model_of_the_caller_s_own_is_read_where_the_caller_names_it() -> None:
    data = to_dict(compose(Mine("m", "there"), with_retry()))  # type: ignore[arg-type]
    read = from_dict(json.loads(json.dumps(data)), models=[Mine])
    assert read.inner == Mine("m", "there")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"from_dict\.compose\.adapter: 'Mine' is none of .*OpenAIModel"):
        from_dict(data)


class Forgetful(ScriptedModel):
    """A model that doesn't keep what it is made of."""

    def __init__(self, region: str) -> None:
        super().__init__("Hi!")


def test_a_model_that_does_not_keep_what_it_needs_is_refused_when_it_is_written() -> None:
    with pytest.raises(ValueError, match=r"Forgetful: region: the model has no such attribute"):
        to_dict(Forgetful("here"))


def test_text_that_only_looks_like_an_address_is_text() -> None:
    assert to_dict(ScriptedModel("http://[::1"))["answers"] == ["http://[::1"]


class Mode(str, Enum):  # noqa: UP042  one of the older kind, whose text isn't its value
    AUTO = "auto"


def test_a_member_of_an_enumeration_is_written_as_what_is_sent() -> None:
    assert to_dict(OpenAIModel("m", service_tier=Mode.AUTO))["options"] == {"service_tier": "auto"}


@attrs.frozen
class Either:
    """A model that wants one of two things, and keeps nothing as an empty mapping."""

    model_id: str
    here: str | None = None
    there: str | None = None
    settings: dict[str, str] | None = attrs.field(default=None, converter=lambda given: given or {})

    capabilities = Capabilities()
    generate = stream = Direct.__call__

    def __attrs_post_init__(self) -> None:
        if self.here is None and self.there is None:
            raise ValueError("here or there?")


def test_a_model_that_can_t_be_made_of_its_name_alone_comes_back_too() -> None:
    data = to_dict(Either("m", there="there"))  # type: ignore[arg-type]
    assert data == {"adapter": "Either", "model_id": "m", "there": "there"}
    assert from_dict(data, models=[Either]) == Either("m", there="there")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "from_dict: takes a dict, not []"),
        ({}, "from_dict.adapter: None is none of"),
        ({"adapter": "OpenAiModel", "model_id": "m"}, "did you mean 'OpenAIModel'?"),
        ({"adapter": "Limiter"}, "from_dict.adapter: 'Limiter' is none of"),
        ({"adapter": "OpenAIModel", "modelid": "m"}, "from_dict: 'modelid' is none of"),
        ({"adapter": "OpenAIModel"}, "from_dict: "),
        ({"adapter": "OpenAIModel", "model_id": "m", "timeout": -1}, "from_dict: OpenAIModel: timeout"),
        ({"adapter": "OpenAIModel", "model_id": "m", "options": [1]}, "from_dict.options: takes a dict, not [1]"),
        ({"adapter": "OpenAIModel", "model_id": "m", "options": {"timeout": 1}}, "'timeout' is an argument"),
        ({"adapter": "OpenAIModel", "model_id": "m", "api_key": {"env": 7}}, "from_dict.api_key.env: Env: takes"),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "api_key": "sk-0123456789"},
            "from_dict.api_key: a secret stands here as text; write the name of its variable",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "options": {"extra_headers": {"api-key": "0123456789"}}},
            "from_dict.options['extra_headers']['api-key']: a secret stands here",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "seed": {"omit": 1}},
            "from_dict: 'seed' is an option; write it in 'options'",
        ),
        ({"adapter": "OpenAIModel", "model_id": "m", "options": {"a": {"omit": 1}}}, "options['a'].omit: takes true"),
        ({"adapter": "OpenAIModel", "model_id": "m", "options": {"a": {"map": 1}}}, ".map: takes a list of pairs"),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "options": {"a": {"map": [[[1], 2]]}}},
            ".map: takes a list of pai",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "options": {"a": {"map": [["api-key", "0123456789"]]}}},
            "from_dict.options['a'].map['api-key']: a secret stands here",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "api_key": {"map": [["a", "0123456789"]]}},
            "from_dict.api_key.map['a']: a secret stands here",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "requests_per_minute": {"limiter": {"rpm": 60, "shared": []}}},
            "from_dict.requests_per_minute.limiter.shared: takes a number, not []",
        ),
        (
            {"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layers": [{"layer": ["with_retry"]}]},
            "from_dict.layers[0].layer: ['with_retry'] is none of with_budget",
        ),
        ({"adapter": "OpenAIModel", "model_id": "m", "capabilities": {"capabilities": 1}}, ": takes a mapping, not 1"),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "capabilities": {"capabilities": {"x": 1}}},
            "from_dict.capabilities.capabilities: ",
        ),
        (
            {"adapter": "OpenAIModel", "model_id": "m", "requests_per_minute": {"limiter": {"rpm": 0}}},
            "from_dict.requests_per_minute.limiter: requests per minute must be a number above 0",
        ),
        ({"adapter": "ScriptedModel", "answers": "Hi!"}, "from_dict.answers: takes a list, not 'Hi!'"),
        ({"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layer": []}, "did you mean 'layers'?"),
        ({"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layers": {}}, "from_dict.layers: takes a list"),
        (
            {"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layers": [{"layer": "with_retries"}]},
            "from_dict.layers[0].layer: 'with_retries' is none of with_budget, with_cache, ",
        ),
        (
            {"compose": {"adapter": "ScriptedModel", "answers": ["a"]}, "layers": [{"layer": "with_rate_limit"}]},
            "from_dict.layers[0]: ",
        ),
        (
            {
                "compose": {"adapter": "ScriptedModel", "answers": ["a"]},
                "layers": [{"layer": "with_fallback", "models": [{"adapter": "x"}]}],
            },
            "from_dict.layers[0].models[0].adapter: 'x' is none of",
        ),
    ],
)
def test_what_can_t_be_read_is_named_by_its_place(data: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r"^from_dict") as caught:
        from_dict(data)
    assert says in str(caught.value)
