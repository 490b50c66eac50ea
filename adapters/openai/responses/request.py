"""The question on the Responses wire: a `Request` as the bytes of its JSON. Pure; `answer` reads what comes back.

Messages become input items: what is said, calls, results, reasoning, and whatever the server made of its own, each in
the order in which it was (`items`). What the domain has no word for travels in `metadata["openai-responses"]`: a
mapping that is merged into the wire's own object.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never

from ....domain.capability import Unsupported
from ....domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from ....domain.request import Request
from ....domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ....domain.tool import Tool
from ...chat.request import data_url, sound_format, written
from ...http.arguments import add_extra
from ...http.http_errors import Unwritable
from .items import CUSTOM, input_items, item_of, legal_id, own_of, without_foreign

ENCRYPTED: Final = "reasoning.encrypted_content"
"""What is asked for, so that reasoning can go back to a server that doesn't keep it."""

_LOGPROBS: Final = "message.output_text.logprobs"
_RENAMED: Final = {"max_tokens": "max_output_tokens"}
_INSIDE: Final = {"reasoning_effort": ("reasoning", "effort"), "verbosity": ("text", "verbosity")}
"""The options that stand inside an object of the body."""


def encode(
    request: Request, model_id: str, options: Mapping[str, Any], *, stream: bool = False, at: str | None = None
) -> bytes:
    """The body of the request, with `options` as they are in effect. The wire has no stops.

    What another host than `at` gave of its own in an earlier answer isn't sent; None is for any.

    Raises `Unsupported` or `Unwritable`, both ValueErrors, for what can't be sent.
    """
    extra: Mapping[str, Any] = options.get("extra_body") or {}
    stored = options.get("store") is not False and extra.get("store") is not False
    body: dict[str, Any] = {"model": model_id, "input": _input(request.messages, stored, at), **_own(options, stream)}
    tools = [*map(_tool, request.tools), *_servers_tools(extra)]
    if tools:
        body["tools"] = tools
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    form = text_format(request.response_format)
    if form is not None:
        body["text"] = {**body.get("text", {}), "format": form}
    if stream:
        body["stream"] = True
    add_extra({name: value for name, value in extra.items() if name != "tools"}, body)
    return written(body)


def _servers_tools(extra: Mapping[str, Any]) -> list[Any]:
    """The tools that the server runs itself, in its own words."""
    tools = extra.get("tools", ())
    if not isinstance(tools, (list, tuple)):
        raise Unwritable(f"extra_body: tools is a list, not {type(tools).__name__}")
    return [*tools]


def _own(options: Mapping[str, Any], stream: bool) -> dict[str, Any]:
    """The options as members of the body."""
    body: dict[str, Any] = {}
    for name, value in options.items():
        if name in _INSIDE:
            outer, inner = _INSIDE[name]
            held = body.get(outer) or options.get(outer) or {}
            if not isinstance(held, Mapping):
                raise Unwritable(f"options: {outer} is a dict, not {held!r}")
            if inner in held:
                raise Unwritable(f"options: {name} and {inner} of {outer} are one thing; keep one")
            body[outer] = {**held, inner: value}
        elif name == "reasoning":
            body.setdefault(name, value)  # where reasoning_effort has been added to it, it is there
        elif name != "extra_body" and name != "logprobs" and (stream or name != "stream_options"):
            body[_RENAMED.get(name, name)] = value
    if options.get("logprobs") or options.get("top_logprobs"):
        body["include"] = list(dict.fromkeys((*(body.get("include") or ()), _LOGPROBS)))
    return body


# Messages


def _input(messages: tuple[Message, ...], stored: bool, at: str | None) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    custom: set[str] = set()  # calls whose results go by another name
    for number, given in enumerate(messages):
        message = without_foreign(given, at)
        if message.role is Role.ASSISTANT:
            items += input_items(message, stored)
            custom |= {call.id for call in message.tool_calls if own_of(call).get("type") == CUSTOM}
            shown = [part for part in message.content if isinstance(part, (Image, Audio, Document))]
            seen = [_part(part) for part in shown if item_of(part) is None]
            items += [{"role": "user", "content": seen}] if seen else []  # the wire has no picture of an assistant
            items += _results(message, custom)
        elif message.role is Role.TOOL and not all(isinstance(part, ToolResult) for part in message.content):
            raise Unsupported(f"messages[{number}]: a tool's message holds nothing but ToolResult parts on this wire")
        else:
            items += _results(message, custom)
            items += _said(message) if message.role is not Role.TOOL else ()
    return items


def _said(message: Message) -> Iterator[dict[str, Any]]:
    """What a user or a system says, as one item; nothing for a message that holds results alone."""
    words = [part for part in message.content if not isinstance(part, (Reasoning, ToolResult))]
    if words or not message.content:
        first = words[0] if len(words) == 1 else None
        plain = first.text if isinstance(first, Text) and not own_of(first) else None
        yield {"role": message.role.value, "content": [_part(part) for part in words] if plain is None else plain}


def _results(message: Message, custom: set[str]) -> Iterator[dict[str, Any]]:
    for part in message.content:
        if isinstance(part, ToolResult):
            kind = "custom_tool_call_output" if part.call_id in custom else "function_call_output"
            yield {"type": kind, "call_id": legal_id(part.call_id), "output": _output(part), **own_of(part)}


def _output(result: ToolResult) -> str | list[dict[str, Any]]:
    mark = "Error: " if result.is_error else ""  # the wire has no mark for it
    if all(isinstance(part, Text) and not own_of(part) for part in result.content):
        return f"{mark}{result.text}"
    parts = [_part(part) for part in result.content]
    return [{"type": "input_text", "text": mark}, *parts] if mark else parts


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            wire: dict[str, Any] = {"type": "input_text", "text": part.text}
        case Image():
            wire = {"type": "input_image", "image_url": part.url or data_url(part), "detail": part.detail or "auto"}
        case Audio() if part.data is not None:  # OpenAI takes none here; others do
            sound = {"data": base64.b64encode(part.data).decode(), "format": sound_format(part.media_type)}
            wire = {"type": "input_audio", "input_audio": sound}
        case Audio():
            raise Unsupported(f"the Responses wire fetches no sound: {part.url!r}; pass its bytes")
        case Document() if part.url is not None and not part.url.startswith("data:"):
            wire = {"type": "input_file", "file_url": part.url}
        case Document():
            name = part.name or f"document.{part.media_type.rpartition('/')[2]}"
            wire = {"type": "input_file", "filename": name, "file_data": part.url or data_url(part)}
        case Reasoning() | ToolCall() | ToolResult():
            raise Unsupported(f"a {type(part).__name__} can't stand among the words of a message")
        case _:
            assert_never(part)
    return {**wire, **own_of(part)}


# Tools and forms


def _tool(tool: Tool) -> dict[str, Any]:
    # Where it isn't said, the server takes a schema for a strict one, and refuses most.
    strict = bool(tool.strict)
    function = {"type": "function", "name": tool.name, "parameters": tool.parameters, "strict": strict}
    return {**function, "description": tool.description} if tool.description else function


def _tool_choice(choice: str) -> object:
    return choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}


def text_format(form: ResponseFormat) -> dict[str, Any] | None:
    """The wire's `text.format`; None for free text. Raises `Unsupported` for what the wire has no word for."""
    match form:
        case Free():
            return None
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema():
            schema = {"type": "json_schema", "name": form.name, "schema": form.schema, "strict": form.strict}
            return schema if form.description is None else {**schema, "description": form.description}
        case Regex() | Grammar():
            raise Unsupported(f"response_format: the Responses wire has no {type(form).__name__}; use JsonSchema(...)")
        case _:
            assert_never(form)
