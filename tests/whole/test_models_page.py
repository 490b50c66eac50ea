"""The snippets of smolagents' page on models, one by one, under the page's own argument names.

Only their import is another. What they ask for elsewhere is asked for on the loopback, by the variables that the SDKs
themselves read; weights from the Hub are those of the embedded default.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from extras import need
from loopback import Loopback, Seen, body, saying

from modelport import Regex

ADAPTERS = "from modelport.adapters import"
ON_THE_HUB = ("HuggingFaceTB/SmolLM2-360M-Instruct", "HuggingFaceTB/SmolLM-135M-Instruct")
HELLO = '[{"role": "user", "content": [{"type": "text", "text": "안녕하세요, 잘 지내고 계신가요?"}]}]'


def ran(snippet: str, **names: Any) -> dict[str, Any]:
    """The names that the snippet leaves behind."""
    for name in ON_THE_HUB:
        snippet = snippet.replace(name, "default")
    exec(snippet.replace("from smolagents import", ADAPTERS), names)
    return names


def answer(model: Any, **how: Any) -> Any:
    """The model's answer to the page's question."""
    return model([{"role": "user", "content": "좋아!"}], **how)


TRANSFORMERS = """
from smolagents import TransformersModel

model = TransformersModel(model_id="HuggingFaceTB/SmolLM2-360M-Instruct")

print(model([{"role": "user", "content": [{"type": "text", "text": "좋아!"}]}], stop_sequences=["이"]))
"""
TRANSFORMERS_OPTIONS = """
from smolagents import TransformersModel

model = TransformersModel(
    model_id="HuggingFaceTB/SmolLM2-360M-Instruct",
    temperature=0.7,
    max_new_tokens=1000
)
"""
MLX = """
from smolagents import MLXModel

model = MLXModel(model_id="HuggingFaceTB/SmolLM-135M-Instruct")

print(model([{"role": "user", "content": "좋아!"}], stop_sequences=["이"]))
"""


@pytest.mark.skipif(find_spec("mlx_lm") is not None, reason="of another environment")
def test_transformers(capsys: pytest.CaptureFixture[str]) -> None:
    need("transformers")
    ran(TRANSFORMERS)
    assert "이" not in capsys.readouterr().out.partition("Text(text=")[2].partition("),)")[0]


@pytest.mark.skipif(find_spec("mlx_lm") is not None, reason="of another environment")
def test_transformers_with_options() -> None:
    need("transformers")
    assert ran(TRANSFORMERS_OPTIONS)["model"].options == {"temperature": 0.7, "max_tokens": 1000}


@pytest.mark.skipif(find_spec("mlx_lm") is None, reason="runs in an environment of its own: make test-mlx")
def test_mlx() -> None:
    model = ran(MLX)["model"]
    assert "이" not in answer(model, stop_sequences=["이"], max_tokens=20).content


@pytest.mark.skipif(find_spec("vllm") is None, reason="runs in an environment of its own: make test-vllm")
def test_vllm() -> None:
    import vllm_subject  # starting an engine takes long: this is the one of all tests

    names = ran('from smolagents import VLLMModel\n\nmodel = VLLMModel(model_id="HuggingFaceTB/SmolLM2-360M-Instruct")')
    assert names["model"].model_id == "default"
    assert "이" not in answer(vllm_subject.model(), stop_sequences=["이"], max_tokens=20).content


INFERENCE = f"""
from smolagents import InferenceClientModel

messages = {HELLO}

model = InferenceClientModel(provider="novita", requests_per_minute=60)
print(model(messages))
"""
INFERENCE_OPTIONS = """
from smolagents import InferenceClientModel

model = InferenceClientModel(
    provider="novita",
    requests_per_minute=60,
    temperature=0.8,
    max_tokens=500
)
"""


ON_THE_LOOPBACK = """
from functools import partial

from modelport import adapters

adapters.InferenceClientModel = partial(adapters.InferenceClientModel, transport=HOME)
"""


@pytest.mark.parametrize(
    ("snippet", "options"),
    [(INFERENCE, {}), (INFERENCE_OPTIONS, {"temperature": 0.8, "max_tokens": 500})],
    ids=["plain", "options"],
)
def test_inference_client(snippet: str, options: dict[str, Any], tmp_path: Path) -> None:
    """In a process of its own, in which novita is on the loopback."""
    need("huggingface")
    from huggingface_process import hub, run

    script = ON_THE_LOOPBACK + snippet.replace("from smolagents import", ADAPTERS)
    with Loopback(hub({"novita": "novita-calls-it-so"}, saying("안녕하세요."))) as server:
        script += f"\nshown.append(model({HELLO}).content)"
        assert run(script, server, tmp_path, HF_TOKEN="hf_token_0123456789") == ["안녕하세요."]
    sent = [seen.json for seen in server.requests if seen.method == "POST"][-1]
    assert {name: sent.get(name) for name in options} == options


LITELLM = f"""
from smolagents import LiteLLMModel

messages = {HELLO}

model = LiteLLMModel(model_id="anthropic/claude-3-5-sonnet-latest", temperature=0.2, max_tokens=10, \
requests_per_minute=60)
print(model(messages))
"""
ROUTER = f"""
import os

from smolagents import LiteLLMRouterModel

messages = {HELLO}

model = LiteLLMRouterModel(
    model_id="llama-3.3-70b",
    model_list=[
        {{
            "model_name": "llama-3.3-70b",
            "litellm_params": {{"model": "groq/llama-3.3-70b", "api_key": os.getenv("GROQ_API_KEY")}},
        }},
        {{
            "model_name": "llama-3.3-70b",
            "litellm_params": {{"model": "cerebras/llama-3.3-70b", "api_key": os.getenv("CEREBRAS_API_KEY")}},
        }},
    ],
    client_kwargs={{
        "routing_strategy": "simple-shuffle",
    }},
)
print(model(messages))
"""


def claude(seen: Seen) -> Any:
    """Anthropic's answer."""
    text = [{"type": "text", "text": "잘 지내요."}]
    usage = {"input_tokens": 1, "output_tokens": 1}
    said = {"id": "m", "type": "message", "role": "assistant", "model": "claude", "content": text, "usage": usage}
    return body({**said, "stop_reason": "end_turn"})


def test_litellm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    need("litellm")
    with Loopback(claude) as server:
        monkeypatch.setenv("ANTHROPIC_API_BASE", server.url.removesuffix("/v1"))
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
        ran(LITELLM)
    assert "잘 지내요." in capsys.readouterr().out
    assert (server.requests[0].json["temperature"], server.requests[0].json["max_tokens"]) == (0.2, 10)


@pytest.mark.filterwarnings("ignore")  # litellm warns of its own types
def test_litellm_router(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    need("litellm")
    message = {"role": "assistant", "content": "잘 지내요."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    answer = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "service_tier": "on_demand"}
    with Loopback(body({**answer, "choices": [choice]})) as server:
        for name in ("GROQ", "CEREBRAS"):
            monkeypatch.setenv(f"{name}_API_BASE", server.url)
            monkeypatch.setenv(f"{name}_API_KEY", "key-0123456789")
        ran(ROUTER)
    assert "잘 지내요." in capsys.readouterr().out
    assert server.requests[0].json["model"] == "llama-3.3-70b"


OPENAI = """
import os
from smolagents import OpenAIServerModel

model = OpenAIServerModel(
    model_id="gpt-4o",
    api_base="https://api.openai.com/v1",
    api_key=os.environ["OPENAI_API_KEY"],
)
"""
OPENAI_OPTIONS = """
import os
from smolagents import OpenAIServerModel

model = OpenAIServerModel(
    model_id="gpt-4o",
    api_base="https://api.openai.com/v1",
    api_key=os.environ["OPENAI_API_KEY"],
    temperature=0.7,
    max_tokens=1000,
    top_p=0.9,
)
"""


@pytest.mark.parametrize(
    ("snippet", "options"),
    [(OPENAI, {}), (OPENAI_OPTIONS, {"temperature": 0.7, "max_tokens": 1000, "top_p": 0.9})],
    ids=["plain", "options"],
)
def test_openai_server(snippet: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    need("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert ran(snippet)["model"].base_url == "https://api.openai.com/v1"
    with Loopback(saying("좋아!")) as server:
        model = ran(snippet.replace("https://api.openai.com/v1", server.url))["model"]
        assert answer(model).content == "좋아!"
    assert {**server.requests[0].json, **options} == server.requests[0].json


AZURE = """
import os

from smolagents import AzureOpenAIServerModel

model = AzureOpenAIServerModel(
    model_id = os.environ.get("AZURE_OPENAI_MODEL"),
    azure_endpoint=os.environ.get("AZURE_OPENAI_ENDPOINT"),
    api_key=os.environ.get("AZURE_OPENAI_API_KEY"),
    api_version=os.environ.get("OPENAI_API_VERSION")
)
"""


def test_azure_openai_server(monkeypatch: pytest.MonkeyPatch) -> None:
    need("openai")
    with Loopback(saying("좋아!")) as server:
        monkeypatch.setenv("AZURE_OPENAI_MODEL", "chat")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url.removesuffix("/v1"))
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "key-0123456789")
        monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
        assert answer(ran(AZURE)["model"]).content == "좋아!"
    assert server.requests[0].path == "/openai/deployments/chat/chat/completions?api-version=2024-10-21"


BEDROCK = """
import os

from smolagents import AmazonBedrockServerModel

model = AmazonBedrockServerModel(
    model_id = os.environ.get("AMAZON_BEDROCK_MODEL_ID"),
)
"""


def test_amazon_bedrock_server(monkeypatch: pytest.MonkeyPatch) -> None:
    need("bedrock")
    import bedrock_wire

    with Loopback(bedrock_wire.saying("좋아!")) as server:
        monkeypatch.setenv("AMAZON_BEDROCK_MODEL_ID", "us.amazon.nova-lite-v1:0")
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url.removesuffix("/v1"))
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0123456789")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-0123456789")
        assert answer(ran(BEDROCK)["model"]).content == "좋아!"
    assert server.requests[0].path == "/model/us.amazon.nova-lite-v1%3A0/converse"


CUSTOM = """
from huggingface_hub import InferenceClient

from modelport import Model

model_id = "meta-llama/Llama-3.3-70B-Instruct"

client = InferenceClient(base_url=os.environ["HERE"])

class CustomModel(Model):
    def generate(messages, stop_sequences=["Task"]):
        response = client.chat_completion(messages, stop=stop_sequences, max_tokens=1024)
        answer = response.choices[0].message
        return answer

custom_model = CustomModel()
"""


def test_custom_model(monkeypatch: pytest.MonkeyPatch) -> None:
    need("huggingface")
    from modelport import compose, with_retry

    with Loopback(saying("잘 지내요. Task")) as server:
        monkeypatch.setenv("HERE", server.url.removesuffix("/v1"))
        model = ran(CUSTOM, os=os)["custom_model"]
        assert answer(compose(model, with_retry()), stop_sequences=["Task"]).content == "잘 지내요. "
    assert (server.requests[0].json["stop"], server.requests[0].json["max_tokens"]) == (["Task"], 1024)


def test_grammar() -> None:
    """What the page says of `grammar`, in the call and in the constructor."""
    need("transformers")
    from modelport.adapters import TransformersModel
    from modelport.adapters.process.calling import as_request
    from modelport.domain.options.grammar import formed

    grammar = {"type": "regex", "value": "[0-9]{3}"}
    assert formed(as_request("Hi", grammar=grammar), {}).response_format == Regex("[0-9]{3}")
    if find_spec("mlx_lm") is None:
        assert answer(TransformersModel("default", grammar=grammar, max_new_tokens=9)).content.isdecimal()
        assert len(answer(TransformersModel("default", max_new_tokens=9), grammar=grammar).content) == 3
