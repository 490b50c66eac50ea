"""A call in the words of OpenTelemetry's conventions for generative AI.

No name of theirs is stable yet, and their own constants come and go, so all of them stand here as literals, and nowhere
else. What they have no word for is under `modelport.`: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ...domain.attempt import Attempt, Skipped
from ...domain.error import ModelError
from ...domain.frozen import EMPTY
from ...domain.message import Audio, Document, Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from ...domain.model import Model
from ...domain.options.option import resolve
from ...domain.request import Request
from ...domain.response import FinishReason, Response
from ...domain.response_format import JsonObject, JsonSchema

OPERATION: Final = "chat"
DURATION: Final = "gen_ai.client.operation.duration"
TOKENS: Final = "gen_ai.client.token.usage"
DURATION_BUCKETS: Final = tuple(0.01 * 2**power for power in range(14))
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))

_PROVIDER: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
_IN_PROCESS: Final = frozenset({"function", "mlx", "openvino", "scripted", "transformers", "vllm"})
_ADDRESS: Final = ("base_url", "azure_endpoint", "endpoint_url", "api_base")
_PASSED_OVER: Final = "modelport.attempt.passed_over"
_OPTIONS: Final = ("frequency_penalty", "max_tokens", "presence_penalty", "seed", "temperature", "top_k", "top_p")
_FINISH: Final = {FinishReason.TOOL_CALLS: "tool_call"}
_MODALITY: Final[Mapping[type, str]] = {Image: "image", Audio: "audio", Document: "document"}

Attributes = dict[str, Any]


def is_local(provider: str | None) -> bool:
    """Whether the model runs in this process."""
    return provider in _IN_PROCESS


def of_model(model: Model) -> Attributes:
    """Who is asked, and where."""
    attributes = _known(_who(getattr(model, "provider", None), getattr(model, "model_id", None)))
    address = next((text for name in _ADDRESS if isinstance(text := getattr(model, name, None), str)), None)
    if address is not None:
        try:
            parts = urlsplit(address)
            attributes |= _known({"server.address": parts.hostname, "server.port": parts.port})
        except ValueError:  # that is no address
            return attributes
    return attributes


def of_request(model: Model, request: Request) -> Attributes:
    """What is asked for, without the words."""
    options = resolve(getattr(model, "options", EMPTY), request.options)
    attributes: Attributes = {
        f"gen_ai.request.{name}": options[name] for name in _OPTIONS if isinstance(options.get(name), (int, float))
    }
    if request.stop_sequences:
        attributes["gen_ai.request.stop_sequences"] = request.stop_sequences
    if isinstance(request.response_format, (JsonObject, JsonSchema)):
        attributes["gen_ai.output.type"] = "json"
    return attributes


def of_response(response: Response) -> Attributes:
    """What was answered, without the words."""
    attributes: Attributes = {
        "gen_ai.response.finish_reasons": (_finish(response),),
        "gen_ai.response.id": response.response_id,
        "gen_ai.response.model": response.model_id,
    }
    usage = response.usage
    if usage is not None:
        attributes |= {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens or None,
            "gen_ai.usage.cache_write.input_tokens": usage.cache_write_tokens or None,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
        }
    return _known(attributes)


def of_error(error: ModelError) -> Attributes:
    """What went wrong."""
    return _known(
        {
            "error.type": error.kind.value,
            "http.response.status_code": error.status,
            "modelport.error.code": error.code,
            "modelport.error.request_id": error.request_id,
        }
    )


def of_attempt(attempt: Attempt, number: int) -> Attributes:
    """One physical call. Its tokens have names of ours, since sums over `gen_ai.usage` would count them twice."""
    attributes: Attributes = {
        **_who(attempt.provider, attempt.model_id),
        "modelport.attempt.number": number,
        "modelport.attempt.discarded": attempt.discarded or None,
        "modelport.attempt.first_event": attempt.first_event,
        "error.type": None if attempt.outcome == "answered" else attempt.outcome,
    }
    if attempt.usage is not None:
        attributes["modelport.attempt.input_tokens"] = attempt.usage.input_tokens
        attributes["modelport.attempt.output_tokens"] = attempt.usage.output_tokens
    for wait in attempt.waits:
        if isinstance(wait, Skipped):
            attributes[_PASSED_OVER] = (*attributes.get(_PASSED_OVER, ()), f"{wait.model_id}: {wait.reason}")
        else:
            name = f"modelport.wait.{wait.reason}"
            attributes[name] = attributes.get(name, 0.0) + wait.seconds
    return _known(attributes)


def tokens_of(attempt: Attempt) -> list[tuple[int, Attributes]]:
    """What an attempt adds to the use of tokens: how many, of which type, of which model."""
    if attempt.usage is None:
        return []
    who = _known(_who(attempt.provider, attempt.model_id)) | {"gen_ai.operation.name": OPERATION}
    counted = (("input", attempt.usage.input_tokens), ("output", attempt.usage.output_tokens))
    return [(number, {**who, "gen_ai.token.type": kind}) for kind, number in counted]


def words_in(request: Request) -> Attributes:
    """What was said to the model, by attribute, as JSON values."""
    attributes: Attributes = {
        "gen_ai.input.messages": [{"role": m.role.value, "parts": _parts(m)} for m in request.messages],
    }
    if request.tools:
        attributes["gen_ai.tool.definitions"] = [
            {"type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in request.tools
        ]
    return attributes


def words_out(response: Response) -> Attributes:
    """What the model said, by attribute, as JSON values."""
    message = response.message
    answer = {"role": message.role.value, "parts": _parts(message), "finish_reason": _finish(response)}
    return {"gen_ai.output.messages": [answer]}


def _who(provider: str | None, model_id: str | None) -> Attributes:
    named = None if provider is None else _PROVIDER.get(provider, provider)
    return {"gen_ai.provider.name": named, "gen_ai.request.model": model_id}


def _known(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}


def _finish(response: Response) -> str:
    return _FINISH.get(response.finish_reason, response.finish_reason.value)


def _parts(message: Message) -> list[Attributes]:
    return [_part(part) for part in message.content]


def _part(part: Part) -> Attributes:
    match part:
        case Text():
            return {"type": "text", "content": part.text}
        case Reasoning():
            return {"type": "reasoning", "content": part.text}
        case ToolCall():
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": part.arguments}
        case ToolResult():
            return {"type": "tool_call_response", "id": part.call_id, "response": part.text}
    media = {"modality": _MODALITY[type(part)], "mime_type": part.media_type}
    if part.url is not None:
        return {"type": "uri", **media, "uri": part.url}
    return {"type": "blob", **media, "bytes": len(part.data or b"")}  # how many there are, and not what they are
