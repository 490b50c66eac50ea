"""What people pass as messages, read into `Message` values, or refused with the place and what was found there.

It reads strings, dicts of the chat-completions wire and of smolagents, objects with the same members, bytes, pictures
and paths. A string never opens a file: only a path object does, through the `read` that is passed in, so that text
from outside can't ask for what is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from ..frozen import FrozenDict
from ..message import PARTS, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from ..response import Response
from .media import Read, described, need, read_audio, read_file, read_image, read_media, read_text
from .preparation import CACHE_CONTROL, SENT_BACK

_ROLES: Final[Mapping[str, Role]] = FrozenDict(
    {
        "system": Role.SYSTEM,
        "developer": Role.SYSTEM,  # OpenAI's newer word
        "user": Role.USER,
        "assistant": Role.ASSISTANT,
        "tool": Role.TOOL,
        "tool-call": Role.ASSISTANT,  # smolagents
        "tool-response": Role.USER,  # smolagents, as long as no id says which call it answers
    }
)

_MEMBERS = (
    "role",
    "content",
    "refusal",
    "name",
    "tool_calls",
    "tool_call_id",
    "reasoning_content",
    "reasoning",
    "cache_control",
    "reasoning_details",
    "extra_content",
    "provider_specific_fields",
    "metadata",
)
_OF_LITELLM = "provider_specific_fields"  # its own word
_OF_A_CALL = ("id", "type", "index", "function", "custom", "name", "arguments")
_CALL_MEMBERS = (*_OF_A_CALL, "extra_content", _OF_LITELLM, "cache_control", "metadata")
_FUNCTION_MEMBERS = ("name", "arguments")
_FUNCTION_IGNORED = ("description", "parsed_arguments", _OF_LITELLM)  # the last says what the call says, too
# What SDKs and smolagents write beside these, and what no model needs back.
_IGNORED = ("annotations", "raw", "token_usage", "is_error")


def as_messages(value: Any, *, read: Read | None = None) -> tuple[Message, ...]:
    """The conversation that `value` stands for; `read` gives the bytes of a path.

    Raises ValueError or TypeError that names the place and what was found there. Nothing passed in is changed.

    >>> as_messages("Hello!")[0].role
    <Role.USER: 'user'>
    >>> as_messages([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}])[0].text
    'Hi'
    """
    if isinstance(value, str):
        return (Message(Role.USER, read_text(value, "messages")),)
    if _is_message(value):
        return (_message(value, "messages", read),)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, memoryview, Mapping, *PARTS)):
        raise TypeError(
            f"messages: can't read {described(value)}; pass a string, a Message, a dict with a role, or a list"
        )
    messages = tuple(_message(item, f"messages[{at}]", read) for at, item in enumerate(value))
    if not messages:
        raise ValueError("messages: there are none; a model needs at least one")
    return messages


def _is_message(value: Any) -> bool:
    if isinstance(value, (Message, Response)):
        return True
    if isinstance(value, Mapping):
        return "role" in value
    return hasattr(value, "role") and hasattr(value, "content")


def _message(value: Any, where: str, read: Read | None) -> Message:
    if isinstance(value, Response):
        value = value.message
    if isinstance(value, Message):
        for at, part in enumerate(value.content):
            _check_text(part, f"{where}.content[{at}]")
        return value
    if not _is_message(value):
        fix = "give it a role: {'role': 'user', 'content': ...}"
        raise TypeError(f"{where}: can't read {described(value)} as a message; {fix}")
    fields = _fields(value, where)
    role = _role(fields["role"], f"{where}.role")
    written = fields.get("content")
    if written is None:
        written = fields.get("refusal")
    if written is None and role in (Role.SYSTEM, Role.USER) and fields.get("tool_call_id") is None:
        raise ValueError(f"{where}: a message of role {role} needs its content; give it 'content': '...'")
    content = [] if written is None else _content(written, f"{where}.content", read)
    for member in ("reasoning", "reasoning_content"):
        if fields.get(member):
            content.insert(0, Reasoning(read_text(fields[member], f"{where}.{member}")))
            break
    for at, call in enumerate(fields.get("tool_calls") or ()):
        content.append(_tool_call(call, f"{where}.tool_calls[{at}]"))
    name = fields.get("name")
    call_id = fields.get("tool_call_id")
    results = any(isinstance(part, ToolResult) for part in content)
    if call_id is not None or results:
        role = Role.TOOL if _spelled(fields["role"]) in ("tool", "tool-response") else role
    if role is Role.TOOL and not results:
        content, name = [_tool_result(call_id, content, name, bool(fields.get("is_error")), where)], None
    elif call_id is not None and role is not Role.TOOL:
        raise ValueError(f"{where}.tool_call_id: {call_id!r} belongs to a message of role tool, not {role}")
    if name is not None:
        name = read_text(name, f"{where}.name")
    return Message(role, content, name, metadata=_metadata(fields, where))


def _fields(value: Any, where: str) -> dict[str, Any]:
    """The members of a message by name, whether it is a dict or an object with attributes."""
    if not isinstance(value, Mapping):
        return {name: getattr(value, name, None) for name in _MEMBERS if name != "metadata"}
    _check_known(value, _MEMBERS, _IGNORED, where, "a message")
    return dict(value)


def _check_known(
    value: Mapping[str, Any], known: tuple[str, ...], ignored: tuple[str, ...], where: str, what: str
) -> None:
    """Raises ValueError for a key that would be dropped without a word."""
    for key, item in value.items():
        if key not in known and key not in ignored and item not in (None, [], {}, ()):
            raise ValueError(f"{where}: unknown key {key!r}; {what} has {', '.join(known)}")


def _metadata(fields: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"{where}.metadata: a dict by provider, not {described(metadata)}")
    sent_back = {name: fields[name] for name in SENT_BACK if fields.get(name)}
    if fields.get(_OF_LITELLM):
        sent_back["litellm"] = {_OF_LITELLM: fields[_OF_LITELLM]}
    marker = fields.get(CACHE_CONTROL)
    if marker is None:
        return {**sent_back, **metadata} if sent_back else metadata
    if not isinstance(marker, Mapping):
        raise TypeError(f"{where}.cache_control: a dict such as {{'type': 'ephemeral'}}, not {described(marker)}")
    return {**sent_back, **metadata, CACHE_CONTROL: marker}


def _spelled(role: Any) -> Any:
    return role if isinstance(role, str) else getattr(role, "value", role)


def _role(value: Any, where: str) -> Role:
    spelled = _spelled(value)
    if not isinstance(spelled, str) or spelled not in _ROLES:
        raise ValueError(f"{where}: unknown role {value!r}; a role is one of {', '.join(_ROLES)}")
    return _ROLES[spelled]


def _tool_call(value: Any, where: str) -> ToolCall:
    if isinstance(value, ToolCall):
        return value
    function, custom = _get(value, "function"), _get(value, "custom")
    if isinstance(value, Mapping):
        _check_known(value, _CALL_MEMBERS, (), where, "a tool call")
    if isinstance(function, Mapping):
        _check_known(function, _FUNCTION_MEMBERS, _FUNCTION_IGNORED, f"{where}.function", "a function")
    source = value if function is None else function
    name, arguments, call_id = _get(source, "name"), _get(source, "arguments"), _get(value, "id")
    if function is None and custom is not None:  # its input is whatever text the tool takes
        name, arguments = _get(custom, "name"), _get(custom, "input")
        custom = {"name": name, "input": arguments}
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: a tool call needs a name, found {described(value)}")
    if not isinstance(call_id, str) or not call_id:
        raise ValueError(f"{where}: the call of {name!r} needs an id, which its result repeats as tool_call_id")
    if arguments is None or arguments == "":
        arguments = "{}"
    if isinstance(arguments, str):
        arguments = read_text(arguments, f"{where}.arguments")
    elif not isinstance(arguments, Mapping):
        raise TypeError(f"{where}.arguments: JSON text or a dict, not {described(arguments)}")
    try:
        call = ToolCall(call_id, read_text(name, f"{where}.name"), arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}.arguments: {error}") from None
    fields = value if isinstance(value, Mapping) else {"extra_content": _get(value, "extra_content")}
    metadata = _metadata({**fields, "custom": custom}, where)
    return attrs.evolve(call, metadata=metadata) if metadata else call


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _tool_result(call_id: Any, content: list[Part], name: Any, is_error: bool, where: str) -> ToolResult:
    if not isinstance(call_id, str) or not call_id:
        raise ValueError(f"{where}.tool_call_id: a tool's message names the call that it answers, found {call_id!r}")
    for at, part in enumerate(content):
        if isinstance(part, (Reasoning, ToolCall)):
            raise TypeError(f"{where}.content[{at}]: a tool can't give back a {type(part).__name__}")
    marked = [part.metadata for part in content if CACHE_CONTROL in part.metadata]
    if not marked:
        return ToolResult(call_id, content, name, is_error)
    # Providers take the marker on the result as a whole, not within it.
    plain = [attrs.evolve(part, metadata=_without_marker(part.metadata)) for part in content]
    return ToolResult(call_id, plain, name, is_error, metadata={CACHE_CONTROL: marked[-1][CACHE_CONTROL]})


def _without_marker(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in metadata.items() if name != CACHE_CONTROL}


def _content(value: Any, where: str, read: Read | None) -> list[Part]:
    if isinstance(value, str):
        return [Text(read_text(value, where))] if value else []
    if isinstance(value, (list, tuple)):
        return [_part(item, f"{where}[{at}]", read) for at, item in enumerate(value)]
    return [_part(value, where, read)]


def _part(value: Any, where: str, read: Read | None) -> Part:
    if isinstance(value, PARTS):
        _check_text(value, where)
        return value
    if isinstance(value, str):
        return Text(read_text(value, where))
    if isinstance(value, Mapping):
        kind = value.get("type")
        reader = _PART_READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise ValueError(f"{where}: can't read a part of type {kind!r}; it is one of {', '.join(_PART_READERS)}")
        part: Part = reader(value, where, read)
        metadata = _metadata(value, where)
        return attrs.evolve(part, metadata=metadata) if metadata else part
    return read_media(value, where, read)


def _wire_text(value: Mapping[str, Any], where: str, _: Read | None) -> Part:
    return Text(read_text(need(value, ("text", "refusal"), where), where))


_PART_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], str, Read | None], Any]]] = FrozenDict(
    {
        "text": _wire_text,
        "input_text": _wire_text,
        "output_text": _wire_text,
        "refusal": _wire_text,
        "image_url": read_image,
        "input_image": read_image,
        "image": read_image,
        "input_audio": read_audio,
        "audio": read_audio,
        "audio_url": read_audio,
        "file": read_file,
        "document": read_file,
    }
)


def _check_text(part: Part, where: str) -> None:
    match part:
        case Text() | Reasoning():
            read_text(part.text, where)
        case ToolCall():
            read_text(part.arguments, where)
        case ToolResult():
            for at, inner in enumerate(part.content):
                _check_text(inner, f"{where}.content[{at}]")
