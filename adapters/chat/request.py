"""The question on the chat-completions wire: a `Request` as the bytes of its JSON. `answer` reads what comes back.

OpenAI, Azure, Hugging Face and most local servers speak it. It is pure, and knows no SDK. What a message looks like on
the wire is remembered for as long as the message lives, so a growing conversation encodes only what is new.
What the domain has no word for travels in `metadata[provider]`: a mapping that is merged into the wire's own object.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, assert_never

import attrs

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
    keep_written,
)
from ...domain.reading.preparation import CACHE_CONTROL, SENT_BACK, cache_marker, marked
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ...domain.tool import Tool
from ..http.arguments import add_extra
from ..http.calls import call_text
from ..http.http_errors import Unwritable

_NOWHERE: Final[Mapping[object, Any]] = {}


def encode(
    request: Request,
    model_id: str,
    options: Mapping[str, Any],
    *,
    max_stops: int | None = 4,
    stream: bool = False,
    provider: str = "openai",
    max_tokens_name: str = "max_tokens",
    cache_markers: bool = False,
    reasoning_name: str | None = None,
) -> bytes:
    """The body of the request, with `options` as they are in effect.

    Only the first `max_stops` stops are sent (None: all of them); the domain enforces the rest. `cache_markers` says
    whether the server knows `cache_control`, as OpenRouter does, and `reasoning_name` under which name it wants the
    reasoning of earlier answers back, if it does. Raises `Unsupported` or `Unwritable`, both ValueErrors, for what
    can't be sent.
    """
    import orjson

    messages = orjson.Fragment(_messages(request.messages, _to(provider, cache_markers, reasoning_name)))
    body = _body(request, model_id, messages, options, max_stops, stream, max_tokens_name)
    body["stream"] = stream  # some gateways stream where nobody says that they shouldn't
    return written(body)


def written(body: Mapping[str, Any]) -> bytes:
    """The body as JSON. Raises `Unwritable`."""
    import orjson

    try:
        try:
            return orjson.dumps(body)
        except TypeError:
            return orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)  # such as logit_bias={50256: -100}
    except TypeError as error:
        raise Unwritable(f"the options or tools can't be written as JSON: {error}") from None


def wire_body(
    request: Request,
    model_id: str,
    options: Mapping[str, Any],
    *,
    max_stops: int | None = 4,
    stream: bool = False,
    provider: str = "openai",
    max_tokens_name: str = "max_tokens",
) -> dict[str, Any]:
    """The same as `encode`, for an SDK that wants values: a dict that the receiver may change."""
    messages = wire_messages(request.messages, provider)
    body: dict[str, Any] = thaw(_body(request, model_id, messages, options, max_stops, stream, max_tokens_name))
    return {**body, "stream": True} if stream else body


def wire_messages(messages: tuple[Message, ...], provider: str = "openai") -> list[dict[str, Any]]:
    """The wire's messages as values. Raises `Unsupported` for what it can't hold."""
    to = _To(provider)
    out: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        objects, media = _message(message, to, f"messages[{at}]")
        if waiting and objects[0]["role"] != "tool":
            out.append({"role": "user", "content": waiting})
            waiting = []
        out += objects
        waiting += media
    return [*out, {"role": "user", "content": waiting}] if waiting else out


def _body(
    request: Request,
    model_id: str,
    messages: Any,
    options: Mapping[str, Any],
    max_stops: int | None,
    stream: bool,
    max_tokens_name: str,
) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model_id, "messages": messages}
    stops = request.stop_sequences if max_stops is None else request.stop_sequences[:max_stops]
    if stops:
        body["stop"] = stops
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice)
    form = wire_format(request.response_format)
    if form is not None:
        body["response_format"] = form
    for name, value in options.items():
        # OpenAI refuses stream_options where nothing is streamed
        if name != "extra_body" and (stream or name != "stream_options"):
            body[max_tokens_name if name == "max_tokens" else name] = value
    if options.get("extra_body"):
        add_extra(options["extra_body"], body)
    return body


@attrs.frozen(eq=False)
class _To:
    """Who is written to: the provider whose own metadata is meant, and what its server knows. It is a key."""

    provider: str
    cache_markers: bool = False
    reasoning_name: str | None = None


_to: Final = functools.cache(_To)
"""The same one each time: to look it up by its identity costs less than to hash or compare what it says."""


def _messages(messages: tuple[Message, ...], to: _To) -> bytes:
    written = _written(messages, to)
    try:
        return b"[" + b",".join(written) + b"]"
    except TypeError:  # some have media
        return b"[" + b",".join(_with_media(written)) + b"]"


def _written(messages: tuple[Message, ...], to: _To) -> list[Any]:
    """The JSON objects of each message; where there are media, these and the media."""
    while True:  # of what two threads keep at once, one may be lost
        try:
            return [message.written[to] for message in messages]
        except (AttributeError, KeyError):
            for at, message in enumerate(messages):
                if to not in getattr(message, "written", _NOWHERE):
                    keep_written(message, to, _write(message, to, f"messages[{at}]"))


def _with_media(written: list[Any]) -> Iterator[bytes]:
    """Tools' messages hold text alone and must stand together; their pictures follow as the user's."""
    waiting: list[bytes] = []
    for each in written:
        objects, media = (each, b"") if isinstance(each, bytes) else each
        if waiting and not objects.startswith(b'{"role":"tool"'):
            yield _media_message(waiting)
            waiting = []
        yield objects
        if media:
            waiting.append(media)
    if waiting:
        yield _media_message(waiting)


def _media_message(media: list[bytes]) -> bytes:
    return b'{"role":"user","content":[' + b",".join(media) + b"]}"


def _write(message: Message, to: _To, where: str) -> bytes | tuple[bytes, bytes]:
    import orjson

    objects, media = _message(message, to, where)
    try:
        written = b",".join(map(orjson.dumps, objects))
        return (written, b",".join(map(orjson.dumps, media))) if media else written
    except TypeError as error:
        raise Unwritable(f"{where} can't be written as JSON: {error}") from None


def _message(message: Message, to: _To, where: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The wire's messages, and the parts that follow them as the user's."""
    content = message.content
    if to.cache_markers and content:  # what a message is marked with, its last part is
        content = (*content[:-1], marked(content[-1], cache_marker(message)))
    words: list[Part] = []
    thought = ""
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    media: list[dict[str, Any]] = []
    for part in content:
        match part:
            case ToolCall():
                calls.append(_call(part, _own(part, to)))
            case ToolResult():
                results.append(_tool_result(part, to))
                media += [_part(inner, to) for inner in part.content if not isinstance(inner, Text)]
            case Reasoning():
                thought += part.text
            case _:
                words.append(part)
    if message.role is Role.TOOL and (words or calls):
        raise Unsupported(f"{where}: a tool's message holds nothing but ToolResult parts on this wire")
    if results and not words and not calls:
        return results, media
    wire: dict[str, Any] = {"role": message.role.value, "content": _content(words, to)}
    if calls:
        wire["tool_calls"] = calls
        wire["content"] = wire["content"] or None
    if message.name is not None:
        wire["name"] = message.name
    if to.reasoning_name is not None and message.role is Role.ASSISTANT:
        wire[to.reasoning_name] = thought  # DeepSeek wants it in each of these messages, empty too
    return [*results, {**wire, **_own(message, to)}], media


def _call(call: ToolCall, own: Mapping[str, Any]) -> dict[str, Any]:
    if "custom" in own:  # it goes back as it came
        return {"id": call.id, "type": "custom", **own}
    function = {"name": call.name, "arguments": call_text(call.arguments)}  # some servers parse it
    return {"id": call.id, "type": "function", "function": function, **own}


def _own(value: Message | Part, to: _To) -> Mapping[str, Any]:
    metadata = value.metadata
    if not metadata:
        return {}
    own = metadata.get(to.provider)
    own = own if isinstance(own, Mapping) else {}
    if not metadata.keys().isdisjoint(SENT_BACK):
        own = {**{name: metadata[name] for name in SENT_BACK if name in metadata}, **own}
    marker = cache_marker(value) if to.cache_markers and not isinstance(value, Message) else None
    return own if marker is None else {CACHE_CONTROL: marker, **own}


def _content(parts: list[Part], to: _To) -> str | list[dict[str, Any]]:
    if len(parts) > 1:  # an empty text among others is refused, such as what stands for another provider's block
        parts = [part for part in parts if not isinstance(part, Text) or part.text or _own(part, to)]
    if not parts:
        return ""
    if len(parts) == 1 and isinstance(parts[0], Text) and not _own(parts[0], to):
        return parts[0].text
    return [_part(part, to) for part in parts]


def _tool_result(result: ToolResult, to: _To) -> dict[str, Any]:
    text: Any = result.text
    if result.is_error:
        text = f"Error: {text}"  # the wire has no mark for it
    own, content = _own(result, to), text
    if CACHE_CONTROL in own:  # OpenRouter reads it on parts alone
        content = [{"type": "text", "text": text, CACHE_CONTROL: own[CACHE_CONTROL]}]
        own = {name: value for name, value in own.items() if name != CACHE_CONTROL}
    return {"role": "tool", "tool_call_id": result.call_id, "content": content, **own}


def _part(part: Part, to: _To) -> dict[str, Any]:
    match part:
        case Text():
            wire: dict[str, Any] = {"type": "text", "text": part.text}
        case Image():
            image = {"url": part.url or data_url(part)}
            if part.detail is not None:
                image["detail"] = part.detail
            wire = {"type": "image_url", "image_url": image}
        case Audio() if part.data is not None:
            sound = {"data": base64.b64encode(part.data).decode(), "format": sound_format(part.media_type)}
            wire = {"type": "input_audio", "input_audio": sound}
        case Audio():
            wire = {"type": "audio_url", "audio_url": {"url": part.url}}  # vLLM; OpenAI takes bytes alone
        case Document():
            name = part.name or f"document.{part.media_type.rpartition('/')[2]}"
            wire = {"type": "file", "file": {"filename": name, "file_data": part.url or data_url(part)}}
        case Reasoning() | ToolCall() | ToolResult():
            raise Unsupported(f"a {type(part).__name__} can't stand among the words of a message")
        case _:
            assert_never(part)
    return {**wire, **_own(part, to)}


def data_url(part: Image | Document) -> str:
    return f"data:{part.media_type};base64,{base64.b64encode(part.data or b'').decode()}"


_SOUNDS: Final = {"mpeg": "mp3", "mp3": "mp3", "wav": "wav", "x-wav": "wav", "wave": "wav"}


def sound_format(media_type: str) -> str:
    kind = media_type.rpartition("/")[2]
    return _SOUNDS.get(kind, kind)


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def wire_format(form: ResponseFormat) -> dict[str, Any] | None:
    """The wire's `response_format`; None for free text. Raises `Unsupported` for what the wire has no word for."""
    match form:
        case Free():
            return None
        case JsonObject():
            return {"type": "json_object"}
        case JsonSchema():
            schema = {"name": form.name, "schema": form.schema, "strict": form.strict}
            if form.description is not None:
                schema["description"] = form.description
            return {"type": "json_schema", "json_schema": schema}
        case Regex() | Grammar():
            kind = type(form).__name__
            raise Unsupported(f"response_format: the chat-completions wire has no {kind}; use JsonSchema(...)")
        case _:
            assert_never(form)
