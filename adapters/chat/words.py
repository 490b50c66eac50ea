"""The words of a message on the chat-completions wire, and what is kept of it for the next question. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..http.http_errors import Malformed
from .json import shown

# Encrypted or signed reasoning, which OpenRouter wants back with the next question.
KEPT_OF_MESSAGE: Final = ("reasoning_details", "extra_content")


def reasoning_in(message: Mapping[str, Any]) -> str:
    """What it says of its reasoning in so many words, rather than in details."""
    return text_of(message.get("reasoning_content")) or text_of(message.get("reasoning"))


def words(message: Mapping[str, Any], details: bool = True) -> tuple[str, str]:
    """Its reasoning and its text, where each server puts them; `details` count where nothing else says it.

    Raises `Malformed` for content of another shape; reasoning of one is left out, since the answer stands without it.
    """
    reasoning = reasoning_in(message)
    if not reasoning and details and "reasoning_details" in message:
        reasoning = _reasoning_of(message["reasoning_details"])
    content = message.get("content")
    if not isinstance(content, list):
        return reasoning, text_at(message, "content")
    text = ""
    for part in content:  # Mistral
        if not isinstance(part, dict):
            raise Malformed(f"a part of the answer's content is not an object: {shown(part)}")
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            reasoning += "".join(text_of(piece.get("text")) for piece in pieces if isinstance(piece, dict))
        else:
            text += text_at(part, "text") or text_at(part, "refusal")
    return reasoning, text


def _reasoning_of(details: object) -> str:
    """What OpenRouter's details of reasoning say in words."""
    return "".join(
        text_of(entry.get("text")) if entry.get("type") == "reasoning.text" else text_of(entry.get("summary"))
        for entry in entries(details)
    )


def merged(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message with one entry of `reasoning_details` for each index: a signature covers the text as a whole."""
    if "reasoning_details" not in message:
        return message
    merged: list[dict[str, Any]] = []
    texts: dict[Any, list[str]] = {}
    by_index: dict[Any, dict[str, Any]] = {}
    for entry in entries(message.get("reasoning_details")):
        at = entry.get("index")
        key = (at, entry.get("type")) if isinstance(at, int) else len(merged)
        text = entry.get("text")
        if key not in by_index:
            by_index[key] = {}
            merged.append(by_index[key])
        if isinstance(text, str):
            texts.setdefault(key, []).append(text)
        by_index[key].update({name: value for name, value in entry.items() if value is not None or name == "index"})
    for key, pieces in texts.items():
        by_index[key]["text"] = "".join(pieces)
    return {**message, "reasoning_details": merged} if merged else message


def entries(value: object) -> list[dict[str, Any]]:
    """The objects of a list; an object that stands where a list should is a list of one."""
    if isinstance(value, dict):
        return [value]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def kept(fields: Mapping[str, Any], names: tuple[str, ...], provider: str) -> dict[str, Any]:
    own = {name: fields[name] for name in names if fields.get(name) is not None}
    return {provider: own} if own else {}


def text_at(fields: Mapping[str, Any], name: str) -> str:
    """The text of this name, empty where there is none. Raises `Malformed` for what isn't text."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    raise Malformed(f"the answer's {name} is not text: {shown(value)}")


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def known_text(value: object) -> str | None:
    return text_of(value) or None
