"""Who keeps the laws: each adapter and each layer in the situations that the laws speak of.

`ADAPTERS` are those of the table in docs/adapters/index.md; `NAMES` are all, layers and stacks of them too.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from chat_provider import ChatProvider
from conformance import PICTURE, SEEN_PICTURE, Exchange, Provider
from laws import TEXT, Case
from loopback import Loopback
from tiny_words import TEMPLATE

from modelport import (
    Break,
    Layer,
    Message,
    Model,
    ModelError,
    Reasoning,
    Request,
    Response,
    ScriptedModel,
    Stall,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import from_function
from modelport.adapters.scripted import EVERYTHING

BROKEN = ModelError("invalid_request", "broken", sent="yes")
FAST = 6_000_000  # calls a minute: a limiter that is there, and keeps nobody waiting


def as_json(request: Request) -> Any:
    """A request as JSON values, for models that have no wire."""
    fields = {**attrs.asdict(request), "response_format": repr(request.response_format)}
    return json.loads(json.dumps(fields, default=lambda data: b64encode(data).decode()))


def signed(thought: str, signature: str) -> Message:
    """What a model thought, with a signature."""
    return Message("assistant", Reasoning(thought, metadata={"own": {"signature": signature}}))


def unsigned(thought: str, _: str) -> Message:
    """What a model on this machine thought: nobody signs it."""
    return Message("assistant", Reasoning(thought))


class Scripted:
    """`ScriptedModel`, bare or under layers."""

    signed = staticmethod(signed)

    def __init__(self, *layers: Callable[[ScriptedModel], Layer]) -> None:
        self.layers = layers

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(ScriptedModel(text, repeat=True, chunk=sizes))

    def failing(self) -> Case:
        return self._case(ScriptedModel(BROKEN, repeat=True))

    def stalling(self) -> Case:
        return self._case(ScriptedModel(Stall(TEXT, after=1), repeat=True))

    def breaking(self, after: int) -> Case:
        return self._case(ScriptedModel(Break(TEXT, after), repeat=True))

    def replying(self, response: Response) -> Exchange:
        model = ScriptedModel(response, repeat=True)
        return Exchange(model, lambda: [as_json(request) for request in model.requests])

    def _case(self, model: ScriptedModel) -> Case:
        stack: Model = compose(model, *(layer(model) for layer in self.layers)) if self.layers else model
        return Case(stack, lambda: model.open, lambda: len(model.requests))


@attrs.define(eq=False)
class Counted:
    """A function that counts its calls and may wait."""

    says: str | ModelError | None
    asked: int = 0
    open: int = 0
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    async def __call__(self, request: Request) -> str | Response:
        with self.lock:
            self.asked += 1
            self.open += 1
        try:
            if self.says is None:
                await asyncio.Event().wait()
            if isinstance(self.says, ModelError):
                raise OSError(str(self.says))
            return self.says or Response.of("")
        finally:
            with self.lock:
                self.open -= 1


class Functions:
    """An asynchronous function; it says nothing before its end, so that nothing of it can be closed halfway."""

    signed = staticmethod(signed)

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(text)

    def failing(self) -> Case:
        return self._case(BROKEN)

    def stalling(self) -> Case:
        return self._case(None)

    def breaking(self, after: int) -> Case:
        return self._case(BROKEN)

    def replying(self, response: Response) -> Exchange:
        seen: list[Any] = []

        async def reply(request: Request) -> Response:
            seen.append(as_json(request))
            return response

        return Exchange(from_function(reply, capabilities=EVERYTHING), lambda: seen)

    def _case(self, says: str | ModelError | None) -> Case:
        function = Counted(says)
        return Case(from_function(function), lambda: function.open, lambda: function.asked)


def written(response: Response) -> str:
    """A response in the words that small models have for thoughts and calls."""
    said = f"<think>\n{response.reasoning}\n</think>\n\n" if response.reasoning else ""
    said += response.content
    for call in response.tool_calls:
        call_said = json.dumps({"name": call.name, "arguments": call.input}, ensure_ascii=False)
        said += f"<tool_call>\n{call_said}\n</tool_call>\n"
    return said


class Transformers:
    """`TransformersModel` over a runtime that generates the tokens that it is told to."""

    signed = staticmethod(unsigned)

    def __init__(self) -> None:
        import tiny_llama
        import tiny_llava

        from modelport.adapters.transformers.model import TransformersModel

        self.make = TransformersModel
        self.says: type[Any] = tiny_llama.Says
        self.tokenizer = tiny_llama.tokenizer()
        self.processor = tiny_llava.processor()
        self.picture = "<image>" * tiny_llava.TOKENS_OF_AN_IMAGE

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self.tokenizer(text)["input_ids"])

    def failing(self) -> Case:
        def fail(step: int) -> None:
            raise RuntimeError("the device is gone")

        return self._case([1], fail)

    def stalling(self) -> Case:
        return self._case(self.tokenizer(TEXT)["input_ids"] * 2000)

    def breaking(self, after: int) -> Case:
        def fail(step: int) -> None:
            if step == after:
                raise RuntimeError("the device is gone")

        return self._case(self.tokenizer(TEXT)["input_ids"], fail)

    def replying(self, response: Response) -> Exchange:
        """It says so in the words that small models have for thoughts and calls; and it sees."""
        words = self.processor.tokenizer
        runtime = self.says([*words(written(response))["input_ids"], words.eos_token_id])
        model = self.make("told", model=runtime, processor=self.processor, max_tokens=len(runtime.tokens))
        return Exchange(model, lambda: [self._read(runtime, ids) for ids in runtime.prompts], constrained=True)

    def _read(self, runtime: Any, prompt: list[int]) -> str:
        """The prompt, with the picture in its place, if that is what came."""
        import PIL.Image

        said: str = self.processor.tokenizer.decode(prompt)
        seen = runtime.called_with.get("pixel_values")
        picture = PIL.Image.open(io.BytesIO(PICTURE.data or b"")).convert("RGB")
        wanted = self.processor.image_processor(picture, return_tensors="pt")["pixel_values"]
        if seen is None or not seen.equal(wanted):
            return said
        return said.replace(self.picture, f"{SEEN_PICTURE} {PICTURE.media_type}")

    def _case(self, tokens: list[int], before: Callable[[int], None] = lambda step: None) -> Case:
        runtime = Counting(self.says(tokens, before))
        model = self.make("told", model=runtime, tokenizer=self.tokenizer, max_tokens=len(tokens) or 1)
        return Case(model, lambda: runtime.open, lambda: runtime.asked)


class OpenVINO:
    """`OpenVINOModel` with the embedded default's weights: it says what it wants, the same each time."""

    signed = staticmethod(unsigned)

    def __init__(self) -> None:
        import openvino_subject

        self.make = openvino_subject.OpenVINOModel
        self.pipeline = openvino_subject.loaded().pipeline

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self.pipeline, max_tokens=12)

    def failing(self) -> Case:
        return self._case(self.pipeline, broken=RuntimeError("the device is gone"))

    def stalling(self) -> Case:
        return self._case(self.pipeline, max_tokens=4000, ignore_eos=True)

    def breaking(self, after: int) -> Case:
        return self._case(Breaking(self.pipeline, after), max_tokens=12)

    def replying(self, response: Response) -> Exchange:
        """It says so in the words that small models have for thoughts and calls."""
        runtime = Saying(self.pipeline, written(response))
        template = {"chat_template": TEMPLATE}
        model = self.make("told", pipeline=runtime, apply_chat_template_kwargs=template, max_tokens=4000)
        return Exchange(model, lambda: runtime.prompts, constrained=True)

    def _case(self, pipeline: Any, broken: Exception | None = None, **options: Any) -> Case:
        runtime = Counting(pipeline, broken)
        model = self.make("default", pipeline=runtime)
        return Case(model, lambda: runtime.open, lambda: runtime.asked, options)


class Saying:
    """Looks like OpenVINO's pipeline, and generates the tokens of the text that it was given."""

    def __init__(self, inner: Any, text: str) -> None:
        self.inner, self.prompts = inner, list[str]()
        self.tokenizer = inner.get_tokenizer()
        self.tokens = self._encoded(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, inputs: Any, config: Any, streamer: Any) -> Any:
        import openvino_genai

        running = openvino_genai.StreamingStatus.RUNNING
        self.prompts.append(self.tokenizer.decode([int(token) for token in inputs.input_ids.data[0]]))
        all(streamer.write(token) == running for token in self.tokens[: config.max_new_tokens])
        return SimpleNamespace(finish_reasons=[openvino_genai.GenerationFinishReason.STOP])

    def _encoded(self, text: str) -> list[int]:
        return [int(token) for token in self.tokenizer.encode(text, add_special_tokens=False).input_ids.data[0]]


class Counting:
    """A runtime that counts the generations that run, and those that have run; it may be broken."""

    def __init__(self, inner: Any, broken: Exception | None = None) -> None:
        self.inner, self.broken = inner, broken
        self.open = self.asked = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, *args: Any, **named: Any) -> Any:
        with self._lock:
            self.open += 1
            self.asked += 1
        try:
            if self.broken:
                raise self.broken
            return self.inner.generate(*args, **named)
        finally:
            with self._lock:
                self.open -= 1


class Breaking:
    """A runtime that stops after so many pieces and fails."""

    def __init__(self, inner: Any, after: int) -> None:
        self.inner, self.left = inner, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, inputs: Any, config: Any, streamer: Any) -> Any:
        config.max_new_tokens = self.left
        if self.left:
            self.inner.generate(inputs, config, streamer)
        raise RuntimeError("the device is gone")


def _paced(_: object) -> Layer:
    return with_rate_limit(FAST)


def _again(_: object) -> Layer:
    return with_retry(base=0.001)


def _replaced(model: ScriptedModel) -> Layer:
    return with_fallback(ScriptedModel(*model.answers, repeat=True))  # it fails where the first one does


def _openai(server: Loopback, model_id: str = "m-1") -> Model:
    from modelport.adapters.openai.model import OpenAIModel

    return OpenAIModel(model_id, base_url=server.url, api_key="none")


def _responses() -> AbstractContextManager[Provider]:
    from responses_provider import ResponsesProvider

    from modelport.adapters.openai.responses.model import OpenAIResponsesModel

    return ResponsesProvider(lambda server: OpenAIResponsesModel("m-1", base_url=server.url, api_key="none"))


def _azure(server: Loopback) -> Model:
    from modelport.adapters.openai.azure import AzureOpenAIModel

    endpoint = server.url.removesuffix("/v1")
    return AzureOpenAIModel("m-1", azure_endpoint=endpoint, api_version="2024-10-21", api_key="none")


def _huggingface(server: Loopback) -> Model:
    from modelport.adapters.huggingface.model import InferenceClientModel

    return InferenceClientModel("org/m-1", base_url=server.url, token="none")


def _litellm(server: Loopback) -> Model:
    from modelport.adapters.litellm.model import LiteLLMModel

    return LiteLLMModel("openai/m-1", api_base=server.url, api_key="none")


def _litellm_router(server: Loopback) -> Model:
    from modelport.adapters.litellm.router import LiteLLMRouterModel

    deployment = {"model": "openai/m-1", "api_base": server.url, "api_key": "none"}
    return LiteLLMRouterModel("group", model_list=[{"model_name": "group", "litellm_params": deployment}])


class LiteLLM(ChatProvider):
    """A provider behind litellm, which carries a signature through a stream in one place only: Gemini's."""

    def signed(self, thought: str, signature: str) -> Message:
        own = {"provider_specific_fields": {"thought_signatures": [signature]}}
        return Message("assistant", Reasoning(thought), metadata={"litellm": own})


def _bedrock() -> AbstractContextManager[Provider]:
    from bedrock_provider import BedrockProvider

    return BedrockProvider()


def _anthropic() -> AbstractContextManager[Provider]:
    from messages_provider import MessagesProvider

    return MessagesProvider()


def _gemini() -> AbstractContextManager[Provider]:
    from gemini_provider import GeminiProvider

    return GeminiProvider()


def _vllm() -> AbstractContextManager[Provider]:
    from vllm_subject import VLLM

    return nullcontext(VLLM())


def _mlx() -> AbstractContextManager[Provider]:
    from mlx_subject import MLX

    return nullcontext(MLX())


def _stack(server: Loopback) -> Model:
    bare = _openai(server)
    return compose(bare, _paced(bare), _again(bare), with_fallback(_openai(server, "m-2")))


@attrs.frozen
class Adapter:
    """How its provider is set up, the page that describes it, and the modules that it stands on."""

    provider: Callable[[], AbstractContextManager[Provider]]
    page: str
    needs: tuple[str, ...] = ()


ADAPTERS: dict[str, Adapter] = {
    "OpenAIModel": Adapter(lambda: ChatProvider(_openai), "openai.md", ("aiohttp", "orjson")),
    "OpenAIResponsesModel": Adapter(_responses, "responses.md", ("aiohttp", "orjson")),
    "AzureOpenAIModel": Adapter(lambda: ChatProvider(_azure), "azure.md", ("aiohttp", "orjson")),
    "InferenceClientModel": Adapter(
        lambda: ChatProvider(_huggingface), "huggingface.md", ("huggingface_hub", "aiohttp", "orjson")
    ),
    "LiteLLMModel": Adapter(lambda: LiteLLM(_litellm), "litellm.md", ("litellm", "orjson")),
    "LiteLLMRouterModel": Adapter(lambda: LiteLLM(_litellm_router), "litellm_router.md", ("litellm", "orjson")),
    "AmazonBedrockModel": Adapter(_bedrock, "bedrock.md", ("boto3", "aiohttp", "orjson")),
    "AnthropicModel": Adapter(_anthropic, "anthropic.md", ("aiohttp", "orjson")),
    "GeminiModel": Adapter(_gemini, "gemini.md", ("aiohttp", "orjson")),
    "TransformersModel": Adapter(lambda: nullcontext(Transformers()), "transformers.md", ("torch",)),
    "VLLMModel": Adapter(_vllm, "vllm.md", ("vllm",)),
    "MLXModel": Adapter(_mlx, "mlx.md", ("mlx_lm",)),
    "OpenVINOModel": Adapter(lambda: nullcontext(OpenVINO()), "openvino.md", ("openvino_genai",)),
    "from_function": Adapter(lambda: nullcontext(Functions()), "custom.md"),
    "ScriptedModel": Adapter(lambda: nullcontext(Scripted()), "../testing.md"),
}
_LAYERED: dict[str, Callable[[], AbstractContextManager[Provider]]] = {
    "a stack on OpenAIModel": lambda: ChatProvider(_stack),
    "with_retry": lambda: nullcontext(Scripted(_again)),
    "with_rate_limit": lambda: nullcontext(Scripted(_paced)),
    "with_fallback": lambda: nullcontext(Scripted(_replaced)),
    "a stack": lambda: nullcontext(Scripted(_paced, _again, _replaced)),
    "a stack in a stack": lambda: nullcontext(
        Scripted(_again, _paced, lambda model: lambda inner: compose(inner, _replaced(model)))
    ),
}
ELSEWHERE = {
    "mlx_lm": "runs in an environment of its own: make test-mlx",
    "vllm": "runs in an environment of its own: make test-vllm",
}
NAMES = [*ADAPTERS, *_LAYERED]
TELLABLE = [name for name in NAMES if name not in ("OpenVINOModel", "VLLMModel")]  # they say what they are told


def each(names: Iterable[str]) -> list[Any]:
    """These names as parameters of a test; what litellm and vLLM warn of, of their own code, is not ours to mend."""
    ignored = pytest.mark.filterwarnings("ignore", "error::modelport.adapters.process.inside.LibraryChanged")
    return [pytest.param(name, marks=ignored) if "LLM" in name else name for name in names]


def provider(name: str) -> AbstractContextManager[Provider]:
    """The subject of this name, which can be told what to answer."""
    return ADAPTERS[name].provider() if name in ADAPTERS else _LAYERED[name]()


def why_not_here(name: str) -> str | None:
    """Why the subject of this name can't be made in this environment, if it can't."""
    needs = ADAPTERS[name].needs if name in ADAPTERS else ("aiohttp", "orjson") if "OpenAI" in name else ()
    absent = next((module for module in needs if find_spec(module) is None), None)
    return None if absent is None else ELSEWHERE.get(absent, f"{absent} isn't installed here")
