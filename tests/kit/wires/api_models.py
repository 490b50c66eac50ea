"""The models that our own transport carries, before one server, and what it says to each in that model's own wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import bedrock_wire
import loopback

from modelport import Failed, Finished, ModelError, Request, Response, as_request
from modelport.adapters import AmazonBedrockModel, AzureOpenAIModel, InferenceClientModel, OpenAIModel

HI: Final = as_request("Hi")


@attrs.frozen
class Wire:
    """A model at an address, which ends with /v1, and the bodies that answer it: one event, and how an answer ends."""

    make: Callable[..., Any]
    whole: bytes
    event: Callable[[str], bytes]
    ending: bytes
    content_type: str
    nested: Callable[[bytes], tuple[bytes, bytes]]  # this JSON as a whole answer, and as an event

    def streamed(self, *texts: str) -> bytes:
        """A streamed answer of these pieces."""
        return b"".join(map(self.event, texts)) + self.ending


def _openai(url: str, **options: Any) -> Any:
    return OpenAIModel("m", base_url=url, api_key="k", **options)


def _azure(url: str, **options: Any) -> Any:
    return AzureOpenAIModel("m", azure_endpoint=url.removesuffix("/v1"), api_version="1", api_key="k", **options)


def _huggingface(url: str, **options: Any) -> Any:
    return InferenceClientModel("m", base_url=url, token="k", **options)


def _bedrock(url: str, **options: Any) -> Any:
    at = {"endpoint_url": url.removesuffix("/v1"), "session": bedrock_wire.session(), **bedrock_wire.KEYS}
    return AmazonBedrockModel(bedrock_wire.MODEL, **at, **options)


def _chat(make: Callable[..., Any]) -> Wire:
    return Wire(
        make,
        loopback.whole("Hello!").body,
        lambda text: loopback.chunk({"content": text}),
        loopback.chunk(finish="stop") + loopback.DONE,
        "text/event-stream",
        lambda json: (json, b"data: " + json + b"\n\n"),
    )


WIRES: Final[Mapping[str, Wire]] = {
    "OpenAIModel": _chat(_openai),
    "AzureOpenAIModel": _chat(_azure),
    "InferenceClientModel": _chat(_huggingface),
    "AmazonBedrockModel": Wire(
        _bedrock,
        bedrock_wire.whole("Hello!").body,
        bedrock_wire.text_delta,
        b"".join(bedrock_wire.ending()),
        "application/vnd.amazon.eventstream",
        lambda json: (json, bedrock_wire.frame("contentBlockDelta", json)),
    ),
}


async def outcome(model: Any, *, stream: bool, request: Request = HI) -> Response | ModelError:
    """What a call comes to, whole or streamed."""
    if not stream:
        result = await model.generate(request)
        found: Response | ModelError = result.value_or(None) or result.failure()
        return found
    *_, last = [event async for event in model.stream(request)]
    assert isinstance(last, (Finished, Failed)), last
    return last.response if isinstance(last, Finished) else last.error
