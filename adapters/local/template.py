"""A conversation as chat templates take it: the dicts that a model's own Jinja template was written for. Pure.

Every runtime on this machine renders such a template; what its dicts look like is one convention
(huggingface.co/docs/transformers/chat_templating).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from ...domain.capability import Unsupported
from ...domain.frozen import thaw
from ...domain.message import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from ...domain.reading.media import data_in_url
from ...domain.request import Request
from ...domain.tool import Tool


def offered(request: Request) -> tuple[Tool, ...]:
    """The tools that the model is told of."""
    return () if request.tool_choice == "none" else request.tools


def template_messages(
    messages: tuple[Message, ...], *, with_images: bool = False
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The messages, and the bytes of the images in them in their order.

    With images, content is a list of parts; without, it is text. Arguments of calls are mappings, and results bear the
    name of the tool. Raises `Unsupported`, naming the place, for a part that templates have no word for.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    images: list[bytes] = []
    out: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        out += _message(message, names, images if with_images else None, f"messages[{at}]")
    return out, images


def template_tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]] | None:
    """The tools, or None where there are none: templates ask whether they are defined."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": thaw(tool.parameters)},
        }
        for tool in tools
    ] or None


def _message(
    message: Message, names: Mapping[str, str], images: list[bytes] | None, where: str
) -> list[dict[str, Any]]:
    results = [part for part in message.content if isinstance(part, ToolResult)]
    own_parts = [part for part in message.content if not isinstance(part, (ToolCall, ToolResult, Reasoning))]
    thought = "".join(part.text for part in message.content if isinstance(part, Reasoning))
    out: list[dict[str, Any]] = []
    for result in results:
        text = _content(result.content, images, where)
        if result.is_error:
            text = f"Error: {text}" if isinstance(text, str) else [{"type": "text", "text": "Error: "}, *text]
        name = result.name or names.get(result.call_id)
        out.append(
            {"role": "tool", **({"name": name} if name else {}), "tool_call_id": result.call_id, "content": text}
        )
    if own_parts or message.tool_calls or thought or not results:
        role = Role.USER if message.role is Role.TOOL else message.role
        own: dict[str, Any] = {"role": role.value, "content": _content(tuple(own_parts), images, where)}
        if thought:
            own["reasoning_content"] = thought
        if message.tool_calls:
            own["tool_calls"] = [_call(call) for call in message.tool_calls]
        out.append(own)
    return out


def _content(parts: tuple[Part, ...], images: list[bytes] | None, where: str) -> str | list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for at, part in enumerate(parts):
        match part:
            case Text():
                content.append({"type": "text", "text": part.text})
            case Image() if images is not None:
                images.append(_bytes(part, f"{where}.content[{at}]"))
                content.append({"type": "image"})
            case Image() | Audio() | Document() | Reasoning() | ToolCall() | ToolResult():
                raise Unsupported(f"{where}.content[{at}]: this model's template takes no {type(part).__name__}")
            case _:
                assert_never(part)
    return "".join(part["text"] for part in content) if images is None else content


def _bytes(image: Image, where: str) -> bytes:
    known = None if image.url is None else data_in_url(image.url, where)
    data = image.data if known is None else known[0]
    if data is None:
        raise Unsupported(f"{where}: an image at an address: pass its bytes; a model on this machine fetches nothing")
    return data


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments: Any = thaw(call.input)
    except ValueError:
        arguments = call.arguments  # as the model wrote them, wrong as they are
    return {"type": "function", "id": call.id, "function": {"name": call.name, "arguments": arguments}}
