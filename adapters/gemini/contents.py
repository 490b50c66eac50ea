"""A conversation on Gemini's wire: the system instruction, and contents whose sides are `user` and `model`.

Messages of one side that stand together become one content, as the results of parallel calls must. A result names its
tool there, by the call that it answers.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, assert_never

from ...domain.capability import Unsupported
from ...domain.frozen import EMPTY, thaw
from ...domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from ..http.calls import call_input
from ..http.http_errors import Unwritable
from .media import media_part

PROVIDER: Final = "gemini"

MADE_UP: Final = "madeUpId"
"""Marks, in a call's metadata, that Gemini gave it no id; none is sent back."""

# ai.google.dev/gemini-api/docs/thought-signatures: what stands for the signature of a call that another model made
_OF_ANOTHER: Final = "skip_thought_signature_validator"

_SIDES: Final = {Role.SYSTEM: "system", Role.USER: "user", Role.ASSISTANT: "model", Role.TOOL: "user"}


class _Result(NamedTuple):
    """A result, which can be written once its call is known."""

    at: int  # among the parts of its message on the wire
    number: int  # among those of the message itself
    part: ToolResult


class _Wire(weakref.ref[Message]):
    """A message on the wire: its side, its parts, its calls and results, and the media that follow its results.

    It is itself the weak reference to the message: the fewer objects a lookup touches, the less it costs.
    """

    __slots__ = ("calls", "media", "parts", "results", "side")

    side: str
    parts: list[dict[str, Any]]
    media: list[dict[str, Any]]
    calls: list[tuple[str, str, bool]]  # id, name, whether its id is sent
    results: list[_Result]


# By whether the model signs calls, and then by the identity of the message.
_remembered: Final[dict[bool, dict[int, _Wire]]] = {True: {}, False: {}}
_identity: Final = object.__hash__  # `id` is audited, and slow wherever anybody has a hook for that


def contents(messages: tuple[Message, ...], signs: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parts of the system instruction, and the contents.

    `signs` says whether the model signs its calls, and takes pictures within results. Raises `Unsupported` or
    `Unwritable`, naming the place.
    """
    remembered = _remembered[signs]
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    media: list[dict[str, Any]] = []
    calls: dict[str, tuple[str, bool]] = {}
    for at, message in enumerate(messages):
        wire = remembered.get(_identity(message))
        if wire is None or wire() is not message:
            wire = _remember(message, signs, f"messages[{at}]")
        parts = wire.parts
        if wire.results:
            parts = [*parts]
            for result in wire.results:
                parts[result.at] = _response(result, parts[result.at], calls, f"messages[{at}]")
        elif media:
            _extend(turns, "user", media)
            media = []
        for id_, name, is_sent in wire.calls:
            calls[id_] = (name, is_sent)
        if wire.side == "system":
            system += parts
        elif parts:
            _extend(turns, wire.side, parts)
        media += wire.media
    if media:
        _extend(turns, "user", media)
    return system, turns


def _extend(turns: list[dict[str, Any]], side: str, parts: list[dict[str, Any]]) -> None:
    if turns and turns[-1]["role"] == side:
        turns[-1] = {"role": side, "parts": [*turns[-1]["parts"], *parts]}
    else:
        turns.append({"role": side, "parts": parts})


def _response(
    result: _Result, written: dict[str, Any], calls: Mapping[str, tuple[str, bool]], where: str
) -> dict[str, Any]:
    """The part of a result, with the name of its tool."""
    part = result.part
    name, is_sent = calls.get(part.call_id, (part.name, True))
    if name is None:
        raise Unwritable(
            f"{where}.content[{result.number}]: no call before it has the id {part.call_id!r}, and Gemini wants the "
            "name of the tool: ToolResult(..., name=...)"
        )
    head = {"id": part.call_id, "name": name} if is_sent else {"name": name}
    return {**written, "functionResponse": {**head, **written["functionResponse"]}}


def _remember(message: Message, signs: bool, where: str) -> _Wire:
    remembered, key = _remembered[signs], _identity(message)
    # The callback runs before the memory, and with it the identity, is given to another object.
    wire = _Wire(message, lambda _: remembered.pop(key, None))
    wire.side, wire.parts, wire.media, wire.calls, wire.results = _SIDES[message.role], [], [], [], []
    for number, part in enumerate(message.content):
        _write(wire, part, number, signs, f"{where}.content[{number}]")
    if signs and wire.calls:
        _sign(wire.parts)
    remembered[key] = wire
    return wire


def _write(wire: _Wire, part: Part, number: int, signs: bool, place: str) -> None:
    own = owned(part)
    if wire.side == "system" and not isinstance(part, (Text, Reasoning)):
        raise Unsupported(f"{place}: Gemini's system instruction takes text, and no {type(part).__name__}")
    match part:
        case Text():
            if part.text or own:  # an empty one is refused
                wire.parts.append({"text": part.text, **own})
        case Reasoning():
            if "part" in own:
                wire.parts.append(own["part"])
            elif "thoughtSignature" in own:  # without one it is a summary, which no model reads again
                wire.parts.append({"text": part.text, "thought": True, **own})
        case ToolCall():
            is_sent = not own.pop(MADE_UP, False)
            wire.calls.append((part.id, part.name, is_sent))
            own = {**_signed_elsewhere(part), **own}
            call = {"name": part.name, "args": call_input(part.arguments)}
            wire.parts.append({"functionCall": {"id": part.id, **call} if is_sent else call, **own})
        case ToolResult():
            inner = [media_part(each, place) for each in part.content if not isinstance(each, Text)]
            response: dict[str, Any] = {"response": {"error" if part.is_error else "output": part.text}}
            if (
                inner and signs
            ):  # ai.google.dev/gemini-api/docs/function-calling: multimodal responses, from Gemini 3 on
                response["parts"] = inner
            else:
                wire.media += inner
            wire.results.append(_Result(len(wire.parts), number, part))
            wire.parts.append({"functionResponse": response, **own})
        case Image() | Audio() | Document():
            wire.parts.append({**media_part(part, place), **own})
        case _:
            assert_never(part)


def _sign(parts: list[dict[str, Any]]) -> None:
    """Sign the calls of another model: the first of the parallel ones needs a signature, or all are refused."""
    first = next(at for at, part in enumerate(parts) if "functionCall" in part)
    if not any("thoughtSignature" in part for part in parts if "functionCall" in part):
        parts[first] = {**parts[first], "thoughtSignature": _OF_ANOTHER}


def _signed_elsewhere(call: ToolCall) -> dict[str, Any]:
    """The signature that a call has of Gemini, when it came over Google's address for OpenAI's wire."""
    for own in call.metadata.values():
        match own:
            case {"extra_content": {"google": {"thought_signature": str(signature)}}}:
                return {"thoughtSignature": signature}
    return {}


def owned(part: Part) -> dict[str, Any]:
    """What a part brings for Gemini."""
    found = part.metadata.get(PROVIDER, EMPTY) if part.metadata else EMPTY
    return thaw(found) if isinstance(found, Mapping) else {}
