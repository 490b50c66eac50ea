"""A conversation, made ready for a model that doesn't take every conversation: other roles, strict turns, plain text.

Roles are exchanged first, then messages are joined, then their content is flattened. Nothing passed in is changed, and
what needs no change stays the very same object. A tool's messages stand on the user's side of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final, TypeVar

import attrs

from ..capability import Unsupported
from ..frozen import EMPTY, FrozenDict
from ..message import (
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
    as_json,
)
from .media import data_in_url

CACHE_CONTROL: Final = "cache_control"  # it concerns every provider, and so stands in `metadata` under nobody's name

SENT_BACK: Final = ("reasoning_details", "extra_content", "custom")
"""What a server wants back as it came, such as a signature, and a dict of the chat-completions wire has.

It doesn't say whose it is, and so stands in `metadata` under nobody's name.
"""

_TARGETS: Final = (Role.SYSTEM, Role.USER, Role.ASSISTANT)
_SOURCES: Final = (*Role, "tool-call", "tool-response")  # the last two are smolagents' words

_Marked = TypeVar("_Marked", bound=Part | Message)


def as_role_conversions(given: Mapping[str, str] | None, where: str) -> FrozenDict:
    """Which role to send for which, checked: `{"system": "user"}`.

    `tool-call` stands for the assistant's messages that call tools, `tool-response` for those of role tool. Raises
    ValueError or TypeError that names the place and the fix.

    >>> as_role_conversions({"tool-call": "assistant", "tool-response": "user"}, "OpenAIModel")
    {'tool-call': 'assistant', 'tool-response': 'user'}
    """
    where = f"{where}: custom_role_conversions"
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"{where} is a dict such as {{'system': 'user'}}, not {given!r}")
    conversions = {_spelled(source): _spelled(target) for source, target in (given or {}).items()}
    for source, target in conversions.items():
        if source not in _SOURCES:
            raise ValueError(f"{where}: unknown role {source!r}; a role is one of {', '.join(_SOURCES)}")
        if target not in _TARGETS and target != source and (source, target) != ("tool-response", "tool"):
            raise ValueError(f"{where}[{source!r}]: one of {', '.join(_TARGETS)}, not {target!r}")
    if len({target for source, target in conversions.items() if source in ("tool", "tool-response")}) > 1:
        raise ValueError(f"{where}: tool and tool-response are one role here; keep one")
    return FrozenDict(conversions)


def _spelled(role: Any) -> str:
    return str(getattr(role, "value", role))


def prepare(
    messages: tuple[Message, ...],
    *,
    role_conversions: Mapping[str, str] = EMPTY,
    flatten: bool = False,
    alternate: bool = False,
) -> tuple[Message, ...]:
    """The conversation as a model takes it.

    `role_conversions` are those of `as_role_conversions`, each applied once; as servers that lack a role want turns,
    they bring `alternate` with them. Where the messages of tools get another role, calls and results become text, as
    that server knows no tools. `alternate` leaves out messages without content and joins those of one side that stand
    together; `flatten` makes the content of each message, and of each result, one text. No part that says something is
    lost; `Unsupported`, naming the place, is raised for one that can't be text.

    >>> prepare((Message("user", "Hello!"), Message("user", "Are you there?")), alternate=True)[0].content
    (Text(text='Hello!'), Text(text='Are you there?'))
    """
    if flatten:
        _check_flat(messages)
    prepared = messages
    if role_conversions:
        prepared = _converted(prepared, role_conversions)
        alternate = alternate or not all(map(_same, prepared, messages))
    if alternate:
        prepared = tuple(_turns(prepared))
    if flatten:
        prepared = tuple(map(_flat, prepared))
    if len(prepared) == len(messages) and all(map(_same, prepared, messages)):
        return messages
    return prepared


def _same(one: object, other: object) -> bool:
    return one is other


def cache_marker(value: Part | Message) -> Mapping[str, Any] | None:
    """The wish to cache all up to the end of this: `{"type": "ephemeral"}`, where people said `cache_control`."""
    marker = value.metadata.get(CACHE_CONTROL) if value.metadata else None
    return marker if isinstance(marker, Mapping) else None


def marked(value: _Marked, marker: Mapping[str, Any] | None) -> _Marked:
    """The same with this cache marker, where it has none of its own."""
    if marker is None or cache_marker(value) is not None:
        return value
    return attrs.evolve(value, metadata={**value.metadata, CACHE_CONTROL: marker})


# Roles


def _converted(messages: tuple[Message, ...], given: Mapping[str, str]) -> tuple[Message, ...]:
    roles = {source: target for source, target in given.items() if source != target}
    answer = roles.get("tool", roles.get("tool-response", "tool"))
    assistant = roles.get("assistant", "assistant")
    # Tools go together: a result without its call, or a call in another role's message, is refused everywhere.
    in_text = answer in _TARGETS or "tool-call" in roles or assistant != "assistant"
    targets = {
        Role.SYSTEM: roles.get("system", "system"),
        Role.USER: roles.get("user", "user"),
        Role.ASSISTANT: assistant,
        Role.TOOL: answer if answer in _TARGETS else "user" if in_text else "tool",
    }
    call = roles.get("tool-call", assistant)

    def converted(message: Message) -> Message:
        calls = in_text and message.role is Role.ASSISTANT and bool(message.tool_calls)
        target = Role(call if calls else targets[message.role])
        content = _in_text(message.content, target) if in_text else message.content
        if target == message.role and content is message.content:
            return message
        return attrs.evolve(message, role=target, content=content)

    return tuple(map(converted, messages))


def _in_text(content: tuple[Part, ...], role: Role) -> tuple[Part, ...]:
    """The parts with calls and results as small models write and read them; and thoughts, where only models think."""
    written: list[Part] = []
    for part in content:
        match part:
            case ToolCall():
                written.append(_call_in_text(part))
            case ToolResult():
                written += _result_in_text(part)
            case Reasoning() if role is not Role.ASSISTANT:
                written.append(marked(Text(f"<think>\n{part.text}\n</think>"), cache_marker(part)))
            case _:
                written.append(part)
    return content if len(written) == len(content) and all(map(_same, written, content)) else tuple(written)


def _call_in_text(call: ToolCall) -> Text:
    try:
        arguments: object = call.input
    except ValueError:
        arguments = call.arguments
    written = as_json({"id": call.id, "name": call.name, "arguments": arguments})
    return marked(Text(f"<tool_call>\n{written}\n</tool_call>"), cache_marker(call))


def _result_in_text(result: ToolResult) -> list[Part]:
    answer: dict[str, Any] = {"id": result.call_id}
    if result.name is not None:
        answer["name"] = result.name
    if result.is_error:
        answer["is_error"] = True
    answer["content"] = result.text
    parts: list[Part] = [Text(f"<tool_response>\n{as_json(answer)}\n</tool_response>")]
    parts += (part for part in result.content if not isinstance(part, Text))
    inner = [cache_marker(part) for part in result.content if isinstance(part, Text)]
    parts[0] = marked(parts[0], next(filter(None, reversed(inner)), None))
    parts[-1] = marked(parts[-1], cache_marker(result))
    return parts


# Turns


def _side(message: Message) -> Role:
    return Role.USER if message.role is Role.TOOL else message.role


def _turns(messages: Iterable[Message]) -> Iterator[Message]:
    said = [message for message in messages if not _is_empty(message)] or messages
    for side, together in groupby(said, _side):
        turn = tuple(together)
        yield turn[0] if len(turn) == 1 else _joined(side, turn)


def _is_empty(message: Message) -> bool:
    """Whether it says nothing and brings nothing, as an assistant's message in an agent's history may."""
    empty = all(isinstance(part, Text) and not part.text and not part.metadata for part in message.content)
    return empty and not message.metadata


def _joined(side: Role, turn: tuple[Message, ...]) -> Message:
    content: list[Part] = []
    metadata: Mapping[str, Any] = EMPTY
    for message in turn:
        content += message.content
        if content:  # what its own marker says of the whole message, it says of the last part
            content[-1] = marked(content[-1], cache_marker(message))
        metadata = _both(metadata, {name: it for name, it in message.metadata.items() if name != CACHE_CONTROL})
    roles, names = ({getattr(message, of) for message in turn} for of in ("role", "name"))
    return Message(
        roles.pop() if len(roles) == 1 else side, content, names.pop() if len(names) == 1 else None, metadata=metadata
    )


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    """What two messages bring for their providers: lists are joined; where both say one thing, the later stands."""
    both = dict(one)
    for name, value in other.items():
        match both.get(name), value:
            case Mapping() as known, Mapping():
                both[name] = _both(known, value)
            case tuple() as known, tuple():
                both[name] = (*known, *value)
            case _:
                both[name] = value
    return both


# Plain text


def _check_flat(messages: tuple[Message, ...]) -> None:
    for at, message in enumerate(messages):
        for number, part in enumerate(message.content):
            place = f"messages[{at}].content[{number}]"
            if isinstance(part, ToolResult):
                for inner, media in enumerate(part.content):
                    _check_text(media, f"{place}.content[{inner}]")
            else:
                _check_text(part, place)


def _check_text(part: Part, place: str) -> None:
    if isinstance(part, (Image, Audio, Document)):
        raise Unsupported(
            f"{place}: {_article(part)} can't be flattened to text; leave it out, or leave out flattening"
        )


def _article(part: Image | Audio | Document) -> str:
    kind = type(part).__name__
    return f"an {kind}" if kind[0] in "AI" else f"a {kind}"


def _flat(message: Message) -> Message:
    parts = tuple(_flat_result(part) if isinstance(part, ToolResult) else part for part in message.content)
    texts = [part for part in parts if isinstance(part, Text)]
    if len(texts) == 0 or (len(texts) == 1 and not texts[0].metadata):
        return message if all(map(_same, parts, message.content)) else attrs.evolve(message, content=parts)
    one: list[Part] = [part for part in parts if not isinstance(part, Text)]
    one.insert(parts.index(texts[0]), _one_text(texts))
    return marked(attrs.evolve(message, content=one), _last_marker(texts))


def _flat_result(result: ToolResult) -> ToolResult:
    texts = [part for part in result.content if isinstance(part, Text)]
    if len(texts) == 0 or (len(texts) == 1 and not texts[0].metadata):
        return result
    return marked(attrs.evolve(result, content=(_one_text(texts),)), _last_marker(texts))


def _one_text(texts: list[Text]) -> Text:
    return Text("\n".join(part.text for part in texts if part.text))


def _last_marker(texts: list[Text]) -> Mapping[str, Any] | None:
    return next(filter(None, map(cache_marker, reversed(texts))), None)


# Media


def inline(part: Image | Audio | Document, where: str) -> tuple[bytes, str]:
    """The bytes of a part and their media type, for a provider that fetches nothing.

    They are as they were given, never encoded anew. Raises `Unsupported` for the address of something elsewhere.
    """
    if part.data is not None:
        return part.data, part.media_type
    known = data_in_url(part.url or "", where)
    if known is None:
        raise Unsupported(
            f"{where}: this provider fetches no {part.url!r}; pass the bytes of the {type(part).__name__}"
        )
    data, media_type = known
    return data, media_type or part.media_type
