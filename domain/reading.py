"""What people pass as messages, read into `Message` values, or refused with the place and what was found there.

It reads strings, dicts of the chat-completions wire and of smolagents, objects with the same members, bytes, pictures
and paths. A string never opens a file: only a path object does, through the `read` that is passed in, so that text
from outside can't ask for what is on the disk.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from .frozen import FrozenDict
from .media import by_name, sniff
from .message import PARTS, Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from .response import Response
from .unicode import well_formed

Read = Callable[[str], bytes]

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
    "metadata",
)
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
        return (Message(Role.USER, _text(value, "messages")),)
    if _is_message(value):
        return (_message(value, "messages", read),)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, bytearray, memoryview, Mapping, *PARTS)):
        raise TypeError(
            f"messages: can't read {_found(value)}; pass a string, a Message, a dict with a role, or a list"
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
        raise TypeError(f"{where}: can't read {_found(value)} as a message; {fix}")
    fields = _fields(value, where)
    role = _role(fields["role"], f"{where}.role")
    given = fields.get("content")
    if given is None:
        given = fields.get("refusal")
    content = [] if given is None else _content(given, f"{where}.content", read)
    for member in ("reasoning", "reasoning_content"):
        if fields.get(member):
            content.insert(0, Reasoning(_text(fields[member], f"{where}.{member}")))
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
        name = _text(name, f"{where}.name")
    return Message(role, content, name, metadata=_metadata(fields, where))


def _fields(value: Any, where: str) -> dict[str, Any]:
    """The members of a message by name, whether it is a dict or an object with attributes."""
    if not isinstance(value, Mapping):
        return {name: getattr(value, name, None) for name in _MEMBERS if name != "metadata"}
    for key, item in value.items():
        if key not in _MEMBERS and key not in _IGNORED and item not in (None, [], {}, ()):
            raise ValueError(f"{where}: unknown key {key!r}; a message has {', '.join(_MEMBERS)}")
    return dict(value)


def _metadata(fields: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"{where}.metadata: a dict by provider, not {_found(metadata)}")
    return metadata


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
    function = _get(value, "function")
    source = value if function is None else function
    name, arguments, call_id = _get(source, "name"), _get(source, "arguments"), _get(value, "id")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{where}: a tool call needs a name, found {_found(value)}")
    if not isinstance(call_id, str) or not call_id:
        raise ValueError(f"{where}: the call of {name!r} needs an id, which its result repeats as tool_call_id")
    if arguments is None or arguments == "":
        arguments = "{}"
    if isinstance(arguments, str):
        arguments = _text(arguments, f"{where}.arguments")
    elif not isinstance(arguments, Mapping):
        raise TypeError(f"{where}.arguments: JSON text or a dict, not {_found(arguments)}")
    try:
        return ToolCall(call_id, _text(name, f"{where}.name"), arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}.arguments: {error}") from None


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _tool_result(call_id: Any, content: list[Part], name: Any, is_error: bool, where: str) -> ToolResult:
    if not isinstance(call_id, str) or not call_id:
        raise ValueError(f"{where}.tool_call_id: a tool's message names the call that it answers, found {call_id!r}")
    for at, part in enumerate(content):
        if isinstance(part, (Reasoning, ToolCall)):
            raise TypeError(f"{where}.content[{at}]: a tool can't give back a {type(part).__name__}")
    return ToolResult(call_id, content, name, is_error)


def _content(value: Any, where: str, read: Read | None) -> list[Part]:
    if isinstance(value, str):
        return [Text(_text(value, where))] if value else []
    if isinstance(value, (list, tuple)):
        return [_part(item, f"{where}[{at}]", read) for at, item in enumerate(value)]
    return [_part(value, where, read)]


def _part(value: Any, where: str, read: Read | None) -> Part:
    if isinstance(value, PARTS):
        _check_text(value, where)
        return value
    if isinstance(value, str):
        return Text(_text(value, where))
    if isinstance(value, Mapping):
        kind = value.get("type")
        reader = _PART_READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise ValueError(f"{where}: can't read a part of type {kind!r}; it is one of {', '.join(_PART_READERS)}")
        part: Part = reader(value, where, read)
        metadata = _metadata(value, where)
        return attrs.evolve(part, metadata=metadata) if metadata else part
    return _media(value, where, read)


def _wire_text(value: Mapping[str, Any], where: str, _: Read | None) -> Part:
    return Text(_text(_need(value, ("text", "refusal"), where), where))


def _wire_image(value: Mapping[str, Any], where: str, read: Read | None) -> Part:
    source, detail = _need(value, ("image_url", "image", "url", "path"), where), value.get("detail")
    if isinstance(source, Mapping):
        source, detail = _need(source, ("url",), f"{where}.image_url"), source.get("detail", detail)
    if isinstance(source, str):
        url, data, media_type = _address(source, where)
        return Image(data, url, media_type or "image/png", detail)
    part = _media(source, where, read)
    if not isinstance(part, Image):
        raise ValueError(f"{where}: an image was promised, but this is {_kind(part)}")
    return attrs.evolve(part, detail=detail) if detail is not None else part


def _wire_audio(value: Mapping[str, Any], where: str, read: Read | None) -> Part:
    source = _need(value, ("input_audio", "audio", "url", "path"), where)
    media_type = None
    if isinstance(source, Mapping):
        form = source.get("format")
        media_type = None if form is None else "audio/mpeg" if form == "mp3" else f"audio/{form}"
        source = _need(source, ("data", "url"), f"{where}.input_audio")
        if isinstance(source, str) and ":" not in source:
            data = _base64(source, where)
            return Audio(data, media_type=media_type or sniff(data) or "audio/wav")
    if isinstance(source, str):
        url, held, declared = _address(source, where)
        return Audio(held, url, media_type or declared or "audio/wav")
    if isinstance(source, (bytes, bytearray, memoryview)) and media_type is not None:
        return Audio(bytes(source), media_type=media_type)
    part = _media(source, where, read)
    if not isinstance(part, Audio):
        raise ValueError(f"{where}: a sound was promised, but this is {_kind(part)}")
    return part


def _wire_file(value: Mapping[str, Any], where: str, read: Read | None) -> Part:
    source = _need(value, ("file", "document", "url", "path"), where)
    name = None
    if isinstance(source, Mapping):
        name = source.get("filename")
        source = _need(source, ("file_data", "url"), f"{where}.file")
    promised = by_name(name) if isinstance(name, str) else None
    if isinstance(source, str):
        if ":" not in source:
            plain = _base64(source, where)
            return Document(plain, media_type=sniff(plain) or promised or "application/pdf", name=name)
        url, held, media_type = _address(source, where)
        return Document(held, url, media_type or promised or "application/pdf", name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return Document(data, media_type=sniff(data) or promised or "application/octet-stream", name=name)
    part = _media(source, where, read)
    if not isinstance(part, Document):
        return Document(part.data, part.url, part.media_type, name)
    return attrs.evolve(part, name=name or part.name)


_PART_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], str, Read | None], Any]]] = FrozenDict(
    {
        "text": _wire_text,
        "input_text": _wire_text,
        "output_text": _wire_text,
        "refusal": _wire_text,
        "image_url": _wire_image,
        "input_image": _wire_image,
        "image": _wire_image,
        "input_audio": _wire_audio,
        "audio": _wire_audio,
        "audio_url": _wire_audio,
        "file": _wire_file,
        "document": _wire_file,
    }
)


def _need(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> Any:
    for name in names:
        if value.get(name) is not None:
            return value[name]
    raise ValueError(f"{where}: needs {' or '.join(map(repr, names))}, found {sorted(map(str, value))}")


def _kind(part: Image | Audio | Document) -> str:
    """What a part of media is, for an error message."""
    return f"{type(part).__name__} of {part.media_type}"


def _media(value: Any, where: str, read: Read | None) -> Image | Audio | Document:
    """A picture, a sound or a document, from bytes, a picture object or a path object."""
    if isinstance(value, (Image, Audio, Document)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(value), None, where)
    if hasattr(value, "__fspath__"):
        path = value.__fspath__()
        if not isinstance(path, str):
            raise TypeError(f"{where}: a path of text, not {path!r}")
        return _from_bytes(_read(path, where, read), path, where)
    if all(hasattr(value, member) for member in ("save", "mode", "size")):
        return Image(_png(value, where))
    raise TypeError(f"{where}: can't read {_found(value)} as a part")


def _from_bytes(data: bytes, path: str | None, where: str) -> Image | Audio | Document:
    media_type = sniff(data) or (by_name(path) if path else None)
    if media_type is None:
        what = f"{path!r} begins with" if path else f"{len(data)} bytes that begin with"
        raise ValueError(
            f"{where}: unknown kind of media: {what} {data[:8]!r}; use Image(data, media_type=...) or the like"
        )
    if media_type.startswith("image/"):
        return Image(data, media_type=media_type)
    if media_type.startswith("audio/"):
        return Audio(data, media_type=media_type)
    name = path.replace("\\", "/").rpartition("/")[2] if path else None
    return Document(data, media_type=media_type, name=name)


def _read(path: str, where: str, read: Read | None) -> bytes:
    if read is None:
        raise ValueError(f"{where}: {path!r} is a path, and nothing here reads files; pass its bytes")
    try:
        return read(path)
    except OSError as error:
        raise ValueError(f"{where}: can't read {path!r}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


class _Sink(bytearray):
    """As much of a file as a picture needs to be written."""

    __slots__ = ()

    def write(self, data: bytes) -> int:
        self.extend(data)
        return len(data)


def _png(picture: Any, where: str) -> bytes:
    out = _Sink()
    try:
        if picture.mode not in ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"):
            picture = picture.convert("RGB")  # PNG has no CMYK, YCbCr, HSV or floats
        picture.save(out, format="PNG")
    except Exception as error:
        raise ValueError(f"{where}: can't write {_found(picture)} as PNG: {error}") from error
    return bytes(out)


def _address(url: str, where: str) -> tuple[str | None, bytes | None, str | None]:
    """The address, or the bytes and the media type that it holds itself."""
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() == "data":
        head, comma, body = rest.partition(",")
        if not comma:
            raise ValueError(f"{where}: a data: URL has a comma before its data, found {_short(url)!r}")
        media_type, *flags = head.split(";")
        data = _base64(body, where) if "base64" in map(str.strip, flags) else _unescaped(body)
        declared = media_type.strip().lower()
        known = declared if declared not in ("", "application/octet-stream") else sniff(data)
        return None, data, "image/jpeg" if known == "image/jpg" else known
    if "://" not in url:
        raise ValueError(f"{where}: {_short(url)!r} is no URL; for a file on this machine pass pathlib.Path(...)")
    return _text(url, where), None, None


def _unescaped(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), text.encode())


def _base64(text: str, where: str) -> bytes:
    plain = _unescaped(text).translate(None, b" \t\r\n").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"{where}: not base64 ({error}): {_short(text)!r}") from None


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{where}: expected text, found {_found(value)}")
    return str(well_formed(value, where))


def _check_text(part: Part, where: str) -> None:
    match part:
        case Text() | Reasoning():
            _text(part.text, where)
        case ToolCall():
            _text(part.arguments, where)
        case ToolResult():
            for at, inner in enumerate(part.content):
                _check_text(inner, f"{where}.content[{at}]")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _found(value: Any) -> str:
    return f"{type(value).__name__} {_short(repr(value))}"
