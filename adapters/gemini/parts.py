"""The parts of an answer on Gemini's wire, joined while they come, and each read as one of the domain's.

Texts that stand together are one part. One with a signature stays by itself, since the signature is of that part alone:
ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from ...domain.message import Part, Reasoning, Text, ToolCall, as_json
from ..chat.calls import MadeUp
from ..chat.json import shown
from ..http.http_errors import Malformed
from .contents import MADE_UP, PROVIDER
from .media import read_inline

_PLAIN: Final = frozenset({"text", "thought"})


@attrs.define
class _Joined:
    """A part in the making; `pieces` are its text."""

    part: Mapping[str, Any]
    pieces: list[str] | None = None


class Parts:
    """The parts so far. They belong to one answer."""

    __slots__ = ("_joined", "_open", "calls")

    def __init__(self) -> None:
        self._joined: list[_Joined] = []
        self._open: tuple[list[str], bool] | None = None  # the text that goes on, and whether it is a thought
        self.calls = 0

    def text(self, part: Mapping[str, Any], text: str, is_thought: bool) -> None:
        """Add a text."""
        if not part.keys() <= _PLAIN:
            self._joined.append(_Joined(part, [text]))
            self._open = None
        elif self._open is not None and self._open[1] == is_thought:
            self._open[0].append(text)
        elif text:
            self._open = ([text], is_thought)
            self._joined.append(_Joined(part, self._open[0]))

    def other(self, part: Mapping[str, Any]) -> None:
        """Add a part that is no text."""
        self._joined.append(_Joined(part))
        self._open = None

    def wire(self) -> list[dict[str, Any]]:
        """The parts as a whole answer has them."""
        return [
            {**each.part} if each.pieces is None else {**each.part, "text": "".join(each.pieces)}
            for each in self._joined
        ]

    def read(self, made_up: MadeUp) -> Iterator[Part]:
        """The parts of the domain. Raises `Malformed`."""
        number = 0
        for part in self.wire():
            yield _part(part, made_up, number)
            number += "functionCall" in part


def _part(part: dict[str, Any], made_up: MadeUp, number: int) -> Part:
    match part:
        case {"functionCall": Mapping() as call}:
            id_, name, arguments = call_of(call)
            own = {} if id_ else {MADE_UP: True}
            return ToolCall(id_ or made_up(number), name, arguments, metadata=_own({**own, **part}, "functionCall"))
        case {"text": str(text), "thought": True}:
            return Reasoning(text, metadata=_own(part, "text", "thought"))
        case {"text": str(text)} if text:
            return Text(text, metadata=_own(part, "text", "thought"))
        case {"inlineData": Mapping() as blob}:
            media = read_inline(blob)
            if media is not None:
                return attrs.evolve(media, metadata=_own(part, "inlineData"))
    return Reasoning("", metadata={PROVIDER: {"part": part}})


def _own(part: Mapping[str, Any], *read: str) -> dict[str, Any]:
    """What goes back to Gemini with a part."""
    own = {name: value for name, value in part.items() if name not in read and value not in ("", None)}
    return {PROVIDER: own} if own else {}


def call_of(call: Mapping[str, Any]) -> tuple[str, str, str]:
    """The id of a call, if it has one, the name of its tool, and its arguments as JSON. Raises `Malformed`."""
    id_, name, arguments = call.get("id"), call.get("name"), call.get("args")
    if not isinstance(name, str) or not name:
        raise Malformed(f"a function call of the answer has no name: {shown(dict(call))}")
    written = arguments if isinstance(arguments, str) else as_json({} if arguments is None else arguments)
    return id_ if isinstance(id_, str) else "", name, written
