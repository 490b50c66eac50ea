"""Calls of tools on the chat-completions wire, whole or in pieces, as servers send them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from ...domain.message import Message, ToolCall
from .words import entries, kept, text_of

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


def function_of(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    """The name and the arguments of a call; a custom tool has an input in place of them."""
    function, custom = piece.get("function"), piece.get("custom")
    if isinstance(custom, dict) and not function:
        return {"name": custom.get("name"), "arguments": custom.get("input")}
    return function if isinstance(function, dict) else {}


def whole_calls(message: Mapping[str, Any], provider: str, made_up: MadeUp) -> list[ToolCall]:
    pieces = entries(message.get("tool_calls"))
    legacy = message.get("function_call")
    if not pieces and isinstance(legacy, dict) and legacy:
        pieces = [{"function": legacy}]
    calls: list[ToolCall] = []
    for piece in pieces:
        function = function_of(piece)
        name = text_of(function.get("name"))
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
    return text_of(arguments)


def is_whole(arguments: str) -> bool:
    import orjson

    try:
        orjson.loads(arguments)
    except ValueError:
        return False
    return True
