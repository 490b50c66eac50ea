"""What litellm answers, whole or in chunks, as a `Response` or as events.

Its answers are objects in the form of the chat-completions wire, whatever the provider's own was; `chat.answer` reads
what stands on that wire. litellm fills gaps with values of its own: a finish reason of `stop` for a stream that was
cut, tokens that it counted itself. They are told from what the provider said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ...domain.event import Event, Finished
from ...domain.message import Message
from ...domain.response import Response
from ..chat.answer import Arriving, decode_answer
from ..chat.answer import decode_event as decode_plain
from ..http.http_errors import Malformed
from .sdk import (
    ADOPTED,
    ANSWERING_MODEL,
    CHUNKS,
    HIDDEN_PARAMS,
    INTERMITTENT_REASON,
    RECEIVED_REASON,
    STREAM_MODEL,
)

PROVIDER: Final = "litellm"

# What providers want back with the next question: signed or encrypted reasoning.
_KEPT: Final = ("thinking_blocks", "reasoning_details", "reasoning_items", "extra_content")


def decode(answer: Any, stops: tuple[str, ...] = ()) -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed`."""
    choices = getattr(answer, "choices", None)
    if not choices:
        raise Malformed("the answer has no choices")
    choice, fields = choices[0], _fields(choices[0].message)
    plain = {
        "id": answer.id,
        "model": _answering_model(answer) or answer.model,
        "choices": [{"message": _plain(fields), "finish_reason": choice.finish_reason}],
        "usage": _usage(_fields(answer).get("usage")),
    }
    response = decode_answer(plain, stops, PROVIDER)
    kept = _kept(fields)
    message = _keeping(response.message, kept) if kept else response.message
    return attrs.evolve(response, message=message, raw=answer)


class Hearing:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = ("arriving", "begun", "kept", "last")

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self.arriving = Arriving(stops, PROVIDER)
        self.kept: dict[str, Any] = {}
        self.begun = False
        self.last: Any = None  # the chunk that has what litellm counted

    @property
    def over(self) -> bool:
        """Whether it has been said why the stream ended, and what it cost."""
        return self.last is not None and self.arriving.finish_reason is not None

    def finish(self, stream: Any) -> list[Event]:
        """The last events, once the stream is complete."""
        arriving = self.arriving
        if self.last is not None and _was_counted(stream):
            decode_plain({"usage": _usage(self.last)}, arriving)
        arriving.model_id = STREAM_MODEL.of(stream) or arriving.model_id
        *events, last = arriving.finish()
        assert isinstance(last, Finished)
        response = last.response
        message = _keeping(response.message, _signed(self.kept)) if self.kept else response.message
        return [*events, Finished(attrs.evolve(response, message=message, raw=CHUNKS.of(stream)))]


def decode_event(chunk: Any, hearing: Hearing) -> Sequence[Event]:
    """The events of one chunk."""
    arriving = hearing.arriving
    if not hearing.begun:
        hearing.begun = True
        arriving.response_id, arriving.model_id = chunk.id, _answering_model(chunk) or chunk.model
    choices = chunk.choices
    choice = choices[0] if choices else None
    if choice is not None and getattr(choice, "index", None):  # of `n` answers the first is the answer
        return ()
    fields = _fields(choice.delta) if choice is not None else {}
    reason = choice.finish_reason if choice is not None else None
    content = fields.get("content")
    beside = [name for name, value in fields.items() if value and name != "content" and name != "role"]
    if content and not beside and not reason and content.isascii() and not arriving.halves:
        return arriving.draft.text(content)  # nearly every chunk
    if not content:
        hearing.last = _fields(chunk).get("usage") or hearing.last
    if beside:
        _keep(fields, hearing.kept)
    return decode_plain({"choices": [{"delta": _plain(fields), "finish_reason": reason}]}, arriving)


def said_why(stream: Any) -> bool:
    """Whether the provider gave a reason for the end of its stream, which litellm ends with `stop` in any case."""
    if not _shows_all(stream) or RECEIVED_REASON.of(stream, True) or INTERMITTENT_REASON.of(stream):
        return True
    return any(chunk.choices and chunk.choices[0].finish_reason for chunk in stream.chunks)


def _was_counted(stream: Any) -> bool:
    """Whether the provider counted the tokens; where it doesn't, litellm does, with a tokenizer of its own."""
    return not _shows_all(stream) or any(_fields(chunk).get("usage") is not None for chunk in reversed(stream.chunks))


def _shows_all(stream: Any) -> bool:
    """Whether it holds the provider's chunks; else litellm is believed.

    Where the Router went on with another deployment they are those of the first.
    """
    if type(stream).__name__ != "CustomStreamWrapper" and ADOPTED.of(stream, True):
        return False
    return CHUNKS.of(stream) is not None


def _answering_model(answer: Any) -> str | None:
    return (HIDDEN_PARAMS.of(answer) or {}).get(ANSWERING_MODEL.name)


def _fields(value: Any) -> dict[str, Any]:
    """The members of one of litellm's objects, unread: a fraction of what reading two of them by name costs."""
    return {**value.__dict__, **(value.model_extra or {})}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A message or a delta as the wire has it."""
    own = fields.get("provider_specific_fields") or {}
    plain = {
        "content": fields.get("content"),
        "reasoning_content": fields.get("reasoning_content"),
        "refusal": fields.get("refusal") or own.get("refusal"),
    }
    if fields.get("tool_calls"):
        plain["tool_calls"] = [_call(call) for call in fields["tool_calls"]]
    if fields.get("function_call"):
        plain["function_call"] = _function(fields["function_call"])
    return plain


def _call(call: Any) -> dict[str, Any]:
    fields = _fields(call)
    own = fields.get("provider_specific_fields")
    plain = {"id": fields.get("id"), "index": fields.get("index"), "function": _function(fields.get("function"))}
    return {**plain, "provider_specific_fields": own} if own else plain  # such as Gemini's signature


def _function(function: Any) -> dict[str, Any]:
    return {"name": getattr(function, "name", None), "arguments": getattr(function, "arguments", None)}


def _kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    _keep(fields, kept)
    return _signed(kept)


def _keep(fields: Mapping[str, Any], kept: dict[str, Any]) -> None:
    own = fields.get("provider_specific_fields") or {}
    for name in _KEPT:
        value = fields.get(name) or own.get(name)
        if name == "thinking_blocks":
            for block in value or ():  # only a stream's have an index
                _think({key: it for key, it in block.items() if key != "index"}, kept.setdefault(name, []))
        elif isinstance(value, list):
            kept[name] = [*kept.get(name, ()), *value]
        elif value is not None:
            kept[name] = value
    signatures = own.get("thought_signatures")
    if signatures:  # Gemini's
        kept.setdefault("provider_specific_fields", {}).setdefault("thought_signatures", []).extend(signatures)


def _think(block: dict[str, Any], blocks: list[dict[str, Any]]) -> None:
    """Join the pieces of a thought; its signature comes with the last of them."""
    last = blocks[-1] if blocks else {}
    if block.get("type") != "thinking" or last.get("type") != "thinking" or last.get("signature"):
        blocks.append(block)
        return
    last["thinking"] = (last.get("thinking") or "") + (block.get("thinking") or "")
    if block.get("signature"):
        last["signature"] = block["signature"]


def _signed(kept: dict[str, Any]) -> dict[str, Any]:
    """Without thoughts that nobody vouches for: no provider takes them back."""
    blocks = [block for block in kept.get("thinking_blocks", ()) if block.get("signature") or block.get("data")]
    rest = {name: value for name, value in kept.items() if name != "thinking_blocks"}
    return {"thinking_blocks": blocks, **rest} if blocks else rest


def _keeping(message: Message, kept: Mapping[str, Any]) -> Message:
    own = message.metadata.get(PROVIDER, {})
    return attrs.evolve(message, metadata={**message.metadata, PROVIDER: {**own, **kept}}) if kept else message


def _usage(usage: Any) -> dict[str, Any] | None:
    """The tokens; where the provider gave none, litellm says zero."""
    if usage is None or not (usage.prompt_tokens or usage.completion_tokens):
        return None
    fields = _fields(usage)
    read, written = fields.get("prompt_tokens_details"), fields.get("completion_tokens_details")
    cached = getattr(read, "cached_tokens", None)
    stored = getattr(read, "cache_write_tokens", None) or getattr(read, "cache_creation_tokens", None)
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": cached or fields.get("cache_read_input_tokens"),
            "cache_write_tokens": stored or fields.get("cache_creation_input_tokens"),
        },
        "completion_tokens_details": {"reasoning_tokens": getattr(written, "reasoning_tokens", None)},
    }
