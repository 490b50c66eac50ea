"""Calls of tools on the chat-completions wire, whole or in pieces, as servers send them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from ...domain.message import Message, ToolCall
from ..http.http_errors import Malformed
from .json import shown
from .words import kept, text_at, text_of

OF_A_CALL: Final = frozenset({"id", "type", "function", "index"})
"""What the domain reads of a call; the rest of it is the provider's own."""

MadeUp = Callable[[int], str]
"""The id of a call that the server gave none, by the call's number in its answer."""


def made_up_id(number: int) -> str:
    return f"call_{number}"


def made_up_after(messages: Iterable[Message]) -> MadeUp:
    """Ids that no call of this conversation has, whose calls may have made-up ids, too."""

    def made_up(number: int) -> str:
        earlier = sum(isinstance(part, ToolCall) for message in messages for part in message.content)
        return made_up_id(earlier + number)

    return made_up


@attrs.define
class Call:
    number: int
    id: str = ""
    name: str = ""
    size: int = 0
    own: dict[str, Any] = attrs.field(factory=dict)
    _pieces: list[str] = attrs.field(factory=list)

    def add(self, piece: str) -> None:
        """Another piece of its arguments; joining them anew for each would take the square of their time."""
        self._pieces.append(piece)
        self.size += len(piece)

    @property
    def arguments(self) -> str:
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]


def pieces_in(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a message or a delta, whole or in pieces, where each server puts them. Raises `Malformed`."""
    value = message.get("tool_calls") or ()
    pieces = [value] if isinstance(value, dict) else value
    if not isinstance(pieces, list | tuple) or not all(isinstance(piece, dict | None) for piece in pieces):
        raise Malformed(f"the answer's tool_calls is not a list of calls: {shown(value)}")
    legacy = _object_at(message, "function_call")
    pieces = [piece for piece in pieces if piece]
    return pieces if pieces or not legacy else [{"index": 0, "function": legacy}]  # some say each call in both ways


def function_of(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    """The name and the arguments of a call; a custom tool has an input in place of them. Raises `Malformed`."""
    function, custom = _object_at(piece, "function"), _object_at(piece, "custom")
    return function or {"name": custom.get("name"), "arguments": custom.get("input")}


def _object_at(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name) or {}
    if isinstance(value, Mapping):
        return value
    raise Malformed(f"the answer's {name} is not an object: {shown(value)}")


def whole_calls(message: Mapping[str, Any], provider: str, made_up: MadeUp) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for piece in pieces_in(message):
        function = function_of(piece)
        name = text_at(function, "name")
        if name:  # without one it can't be made
            own = tuple(name for name in piece if name not in OF_A_CALL)
            id_ = text_of(piece.get("id")) or made_up(len(calls))
            calls.append(ToolCall(id_, name, arguments_of(function), metadata=kept(piece, own, provider)))
    return calls


def arguments_of(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # Ollama, of old
        import orjson

        return orjson.dumps(arguments).decode()
    return text_at(function, "arguments")


def is_whole(arguments: str) -> bool:
    import orjson

    try:
        orjson.loads(arguments)
    except ValueError:
        return False
    return True
