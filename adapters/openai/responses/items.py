"""The items of the Responses wire as parts of a message, and back. Pure.

What the domain has no word for stays in a part's `metadata["openai-responses"]`, and goes back with it: of reasoning
the whole `item`, with its `encrypted_content`; of text the `item` that it stood in, without its content, and beside
that what is to be merged into its own object, such as `annotations`; of a call what is to be merged into its item. An
item that the domain knows nothing of, such as a search that the server made, is a `Reasoning` without text.

Beside that stands `at`, the host that gave it: another one knows neither the ids nor how to decrypt, and refuses both.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from ....domain.frozen import EMPTY, FrozenDict
from ....domain.message import Image, Message, Part, Reasoning, Text, ToolCall
from ...chat.calls import MadeUp
from ...chat.words import entries, text_of

PROVIDER: Final = "openai-responses"
"""The name under which the wire's own words are kept in `metadata`."""

CUSTOM: Final = "custom_tool_call"

_THOUGHT: Final = FrozenDict({"type": "reasoning"})
_OF_A_TEXT: Final = frozenset({"type", "text", "refusal", "logprobs"})
_OF_A_CALL: Final = frozenset({"type", "call_id", "name", "arguments", "input", "status"})


def own_of(value: Part | Message) -> Mapping[str, Any]:
    """What is this wire's own of a part."""
    own = value.metadata.get(PROVIDER) if value.metadata else None
    if not isinstance(own, Mapping):
        return EMPTY
    return {name: value for name, value in own.items() if name != "at"} if "at" in own else own


def item_of(part: Part) -> Mapping[str, Any] | None:
    """The item that a part is, or stood in."""
    item = own_of(part).get("item")
    return item if isinstance(item, Mapping) and isinstance(item.get("type"), str) else None


def without_foreign(message: Message, at: str | None) -> Message:
    """The message without what another host gave of its own."""
    if at is None or not any(part.metadata for part in message.content):
        return message
    parts = [attrs.evolve(part, metadata={}) if _is_foreign(part, at) else part for part in message.content]
    return attrs.evolve(message, content=parts)


def _is_foreign(part: Part, at: str) -> bool:
    own = part.metadata.get(PROVIDER)
    return isinstance(own, Mapping) and own.get("at", at) != at


def parts_of(output: Iterable[Mapping[str, Any]], made_up: MadeUp, at: str | None = None) -> list[Part]:
    """The parts that these items are, which this host gave; `made_up` names a call that the server gave no id."""
    parts: list[Part] = []
    calls = 0
    for each in output:
        item = {name: value for name, value in each.items() if value is not None}  # null isn't taken everywhere
        match item.get("type"):
            case "message":
                parts += _texts(_settled(item), at)
            case "reasoning":
                parts.append(Reasoning(thought_in(item), metadata=_own(at, item=_settled(item))))
            case "function_call" | "custom_tool_call":
                if text_of(item.get("name")):  # without one it can't be made
                    parts.append(_call(item, made_up(calls), at))
                    calls += 1
            case "image_generation_call" if isinstance(item.get("result"), str):
                parts.append(_picture(item, at))
            case _:
                parts.append(_unread(item, at))
    return parts


def _own(at: str | None, **own: Any) -> dict[str, Any]:
    """What is this host's own of a part, as metadata."""
    if not own:
        return {}
    return {PROVIDER: own if at is None else {**own, "at": at}}


def _unread(item: Mapping[str, Any], at: str | None) -> Part:
    return Reasoning("", metadata=_own(at, item=item))


def _texts(item: Mapping[str, Any], at: str | None) -> list[Part]:
    outside = {name: value for name, value in item.items() if name != "content"}
    known = {"item": outside} if outside.keys() - {"type", "role"} else {}
    parts: list[Part] = []
    for piece in entries(item.get("content")):
        own = {name: value for name, value in piece.items() if name not in _OF_A_TEXT and value}
        if is_refusal(piece):
            own["type"] = "refusal"
        own |= known
        if words := text_of(piece.get("refusal")) or text_of(piece.get("text")):
            parts.append(Text(words, metadata=_own(at, **own)))
    return parts


def _settled(item: dict[str, Any]) -> dict[str, Any]:
    """The item without a status that says nothing once the answer has ended."""
    if item.get("status") in ("completed", "in_progress"):
        del item["status"]
    return item


def _call(item: Mapping[str, Any], made_up: str, at: str | None) -> ToolCall:
    own = {name: value for name, value in item.items() if name not in _OF_A_CALL}
    if item["type"] == CUSTOM:
        own["type"] = CUSTOM
    return ToolCall(call_id(item) or made_up, item["name"], arguments_in(item), metadata=_own(at, **own))


def _picture(item: Mapping[str, Any], at: str | None) -> Part:
    try:
        data = base64.b64decode(item["result"], validate=True)
    except (binascii.Error, ValueError):
        return _unread(item, at)
    about = {name: value for name, value in item.items() if name != "result"}
    return Image(data, media_type=f"image/{item.get('output_format') or 'png'}", metadata=_own(at, item=about))


def call_id(item: Mapping[str, Any]) -> str:
    """The id that the call's result must name; some servers give the item's alone."""
    return text_of(item.get("call_id")) or text_of(item.get("id"))


def arguments_in(item: Mapping[str, Any]) -> str:
    """The arguments of a call; a custom tool's are text of any form."""
    return text_of(item.get("input" if item.get("type") == CUSTOM else "arguments"))


def is_refusal(piece: object) -> bool:
    """Whether a piece of a message says why the model won't answer."""
    return isinstance(piece, Mapping) and piece.get("type") == "refusal"


def thought_in(item: Mapping[str, Any]) -> str:
    """What a reasoning item says in words: its summary, and the thoughts themselves where a server shows them."""
    pieces = [*entries(item.get("summary")), *entries(item.get("content"))]
    return "\n\n".join(filter(None, (text_of(piece.get("text")) for piece in pieces)))


def words_in(item: Mapping[str, Any]) -> str:
    """What an item comes to in a stream: of a message its text, of reasoning its words, of a call its arguments."""
    match item.get("type"):
        case "message":
            pieces = entries(item.get("content"))
            return "".join(text_of(piece.get("refusal")) or text_of(piece.get("text")) for piece in pieces)
        case "reasoning":
            return thought_in(item)
    return arguments_in(item)


def input_items(message: Message, kept: bool) -> list[dict[str, Any]]:
    """The items of an assistant's message, in their order; pictures of others come as the user's, after them.

    `kept` says whether the server keeps its answers: where it doesn't, reasoning that isn't encrypted means nothing to
    it, nor do the ids of what followed.
    """
    parts = _without_trailing_thoughts(message.content)
    thoughts = [item for part in parts if isinstance(part, Reasoning) and (item := item_of(part)) is not None]
    known = kept or all(_is_carried(item) for item in thoughts)
    items: list[dict[str, Any]] = []
    for part in parts:
        match part:
            case Text():
                _add_text(items, part, known)
            case ToolCall():
                items.append(_call_item(part, known))
            case Reasoning():
                item = item_of(part)
                if item is not None and (kept or _is_carried(item)):
                    items.append({"summary": [], **item} if item["type"] == "reasoning" else {**item})
            case Image() if (item := item_of(part)) is not None:
                items.append({**item, "result": base64.b64encode(part.data or b"").decode()})
    return items


def _is_carried(item: Mapping[str, Any]) -> bool:
    """Whether the item holds all that the server must know of it."""
    return item["type"] != "reasoning" or bool(item.get("encrypted_content"))


def _without_trailing_thoughts(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts up to the last that isn't a thought: without what follows it, a reasoning item is refused.

    github.com/openai/codex/issues/1235
    """
    end = len(parts)
    while (
        end and isinstance(parts[end - 1], Reasoning) and (item_of(parts[end - 1]) or _THOUGHT)["type"] == "reasoning"
    ):
        end -= 1
    return parts[:end]


def _add_text(items: list[dict[str, Any]], part: Text, known: bool) -> None:
    """Add a text: to the message that it stood in, where that is the last; else as one of its own."""
    if not own_of(part):
        items.append({"role": "assistant", "content": part.text})
        return
    own = {name: value for name, value in own_of(part).items() if name not in ("item", "type")}
    if own_of(part).get("type") == "refusal":
        piece: dict[str, Any] = {"type": "refusal", "refusal": part.text, **own}
    else:
        piece = {"type": "output_text", "text": part.text, "annotations": [], **own}
    item = item_of(part) or EMPTY
    outside: dict[str, Any] = {"type": "message", "role": "assistant", "status": "completed", **item}
    if not known or "id" not in item:
        outside = {name: value for name, value in outside.items() if name not in ("id", "status")}
    last = items[-1] if items else {}
    if last.get("type") == "message" and {**last, "content": None} == {**outside, "content": None}:
        last["content"].append(piece)
    else:
        items.append({**outside, "content": [piece]})


def _call_item(call: ToolCall, known: bool) -> dict[str, Any]:
    own = {name: value for name, value in own_of(call).items() if known or name != "id"}
    if own.get("type") == CUSTOM:
        return {"call_id": legal_id(call.id), "name": call.name, "input": call.arguments, **own}
    arguments = call.arguments or "{}"  # some servers parse it
    return {"type": "function_call", "call_id": legal_id(call.id), "name": call.name, "arguments": arguments, **own}


def legal_id(id_: str) -> str:
    """The id of a call as OpenAI admits it: other makers' may be longer than 64 characters."""
    if 0 < len(id_) <= 64:
        return id_
    import hashlib

    return hashlib.sha256(id_.encode(errors="surrogatepass")).hexdigest()
