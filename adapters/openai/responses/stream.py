"""A streamed answer on the Responses wire: what has come so far, and what each event adds to it. Pure.

An event belongs to the item that its `item_id` names, else to that of its `output_index`. Servers don't always keep to
that: some give an item another id with every event (github.com/BerriAI/litellm/pull/30072), some give several items one
index (.../pull/36375). What an item came to is said again when it is done, and when all is: what wasn't shown before is
shown then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from ....domain.answer_builder import AnswerBuilder
from ....domain.event import Event
from ...chat.answer import Reported
from ...chat.calls import MadeUp, made_up_id
from ...chat.errors import error_in
from ...chat.json import Halves, mended, shown
from ...chat.words import entries, text_of
from ...http.http_errors import Malformed
from .answer import check, response_of
from .items import CUSTOM, call_id, words_in

_CALLS: Final = ("function_call", CUSTOM)


@attrs.define(eq=False)
class _Item:
    """An item of the answer in the making."""

    wire: Mapping[str, Any]  # as the server gave it last
    shown: list[str] = attrs.field(factory=list)
    call: int | None = None  # its number among the calls, once it has begun
    piece: object = None  # which piece of its reasoning came last
    is_done: bool = False
    is_refusal: bool = False

    @property
    def kind(self) -> object:
        """The type of the item."""
        return self.wire.get("type")

    def so_far(self) -> Mapping[str, Any]:
        """The item with all that has been shown of it, where that is more than the server gave with it."""
        words, given = "".join(self.shown), words_in(self.wire)
        if words == given or not words.startswith(given):
            return self.wire
        match self.kind:
            case "reasoning":
                return {**self.wire, "summary": [{"type": "summary_text", "text": words}]}
            case "message":
                said = {"refusal": words} if self.is_refusal else {"text": words}
                return {**self.wire, "content": [{"type": "refusal" if self.is_refusal else "output_text", **said}]}
        return {**self.wire, "arguments": words, "input": words}


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = (
        "_at",
        "_by_id",
        "_by_index",
        "_calls",
        "_halves",
        "_head",
        "_is_whole",
        "_items",
        "_made_up",
        "draft",
        "ended",
    )

    def __init__(self, stops: tuple[str, ...] = (), made_up: MadeUp = made_up_id, at: str | None = None) -> None:
        self.draft = AnswerBuilder(stops)
        self.ended = False  # nothing more comes
        self._is_whole = False  # the server said how it ended
        self._made_up = made_up
        self._at = at  # the host
        self._head: Mapping[str, Any] = {}  # the answer as the server gave it last
        self._items: list[_Item] = []
        self._by_index: dict[int, _Item] = {}
        self._by_id: dict[str, _Item] = {}
        self._calls = 0
        self._halves = Halves()

    @property
    def complete(self) -> bool:
        """Whether the server said how it ended, or a stop has ended the text."""
        return self._is_whole or self.draft.stopped_by is not None

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        events: list[Event] = [*self.draft.close()]
        output: list[Any] = entries(self._head.get("output")) if self._is_whole else []
        answer = {**self._head, "output": output or [item.so_far() for item in self._items]}
        response = response_of(answer, self._made_up, self._at)
        last = self.draft.finish(
            response.finish_reason,
            usage=response.usage,
            model_id=response.model_id,
            response_id=response.response_id,
            message=response.message,
        )
        return [*events, attrs.evolve(last, response=attrs.evolve(last.response, raw=answer))]

    def head(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """What is known of the answer before any of it has come, which is no content."""
        response = chunk.get("response")
        self._head = response if isinstance(response, Mapping) else self._head
        return ()

    def text(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """A piece of the text."""
        delta = chunk.get("delta")
        if not delta or not isinstance(delta, str):
            return ()
        if not delta.isascii() or self._halves:
            delta = self._halves.joined("text", delta)
        self._item(chunk, "message").shown.append(delta)
        return self.draft.text(delta)

    def refusal(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """A piece of what the model says in place of an answer."""
        self._item(chunk, "message").is_refusal = True
        return self.text(chunk)

    def reasoning(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """A piece of the reasoning, or of its summary, which has paragraphs."""
        delta = self._halves.joined("reasoning", text_of(chunk.get("delta")))
        if not delta:
            return ()
        item = self._item(chunk, "reasoning")
        piece = (chunk.get("type"), chunk.get("summary_index", chunk.get("content_index")))
        if item.shown and piece != item.piece:
            delta = f"\n\n{delta}"
        item.piece = piece
        item.shown.append(delta)
        return self.draft.reasoning(delta)

    def arguments(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """A piece of a call's arguments; those of a call that hasn't begun come when it is done."""
        item = self._item(chunk, "function_call" if "function" in chunk["type"] else CUSTOM)
        if item.call is None:
            return ()
        delta = self._halves.joined(item.call, text_of(chunk.get("delta")))
        if not delta:
            return ()
        item.shown.append(delta)
        return self.draft.tool_call(item.call, arguments=delta)

    def told(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """An item begins, of which some may be there, or is complete."""
        wire = mended(chunk.get("item"))
        if not isinstance(wire, Mapping) or not isinstance(wire.get("type"), str):
            return ()
        begins = chunk["type"] == "response.output_item.added"
        index, id_ = chunk.get("output_index"), text_of(wire.get("id"))
        item = self._found(index, id_, wire["type"])
        if item is None or (begins and item.is_done):
            item = self._begun(wire)
        self._name(item, index, id_)
        item.is_done = not begins
        return self._shown(item, wire)

    def last(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """The answer is complete, or cut short. Raises `Reported`, `CutOff` or `Malformed` where it is none."""
        response = mended(chunk.get("response"))
        if not isinstance(response, Mapping):
            raise Malformed(f"the last event has no response: {shown(chunk)}")
        response = {**response, "status": chunk["type"].removeprefix("response.")}
        check(response)
        if not self._items and not isinstance(response.get("output"), list):
            raise Malformed(f"the answer has no output: {shown(response)}")
        self._head, self._is_whole, self.ended = response, True, True
        events: list[Event] = []
        nothing = not self._items
        for at, wire in enumerate(entries(response.get("output"))):
            item = self._begun(wire) if nothing else self._found(at, text_of(wire.get("id")), wire.get("type"))
            events += [] if item is None else self._shown(item, wire)
        return events

    def _shown(self, item: _Item, wire: Mapping[str, Any]) -> list[Event]:
        """Events for what an item has come to, as far as they haven't been shown."""
        item.wire = wire
        kind, words, so_far = wire.get("type"), words_in(wire), "".join(item.shown)
        rest = words[len(so_far) :] if words.startswith(so_far) else ""
        events: list[Event] = []
        if kind in _CALLS and item.call is None and text_of(wire.get("name")):
            item.call = self._calls
            self._calls += 1
            events += self.draft.tool_call(item.call, call_id(wire) or self._made_up(item.call), wire["name"])
        if not rest:
            return events
        item.shown.append(rest)
        self._halves = Halves()  # what waited for its other half has come whole
        if kind == "message":
            events += self.draft.text(rest)
        elif kind == "reasoning":
            events += self.draft.reasoning(rest)
        elif item.call is not None:
            events += self.draft.tool_call(item.call, arguments=rest)
        return events

    def _item(self, chunk: Mapping[str, Any], kind: str) -> _Item:
        """The item of this kind that a piece belongs to; it begins here, where nothing else has said so."""
        index, id_ = chunk.get("output_index"), text_of(chunk.get("item_id"))
        item = self._found(index, id_, kind)
        if item is None:
            item = self._begun({"type": kind})
            self._name(item, index, id_)
        return item

    def _found(self, index: object, id_: str, kind: object) -> _Item | None:
        """The item of this id, else of this index; the last one, where neither is given."""
        item = self._by_id.get(id_)
        if item is not None and item.kind == kind:
            return item
        item = self._by_index.get(index) if isinstance(index, int) else None
        if item is None and index is None and not id_ and self._items:
            item = self._items[-1]
        return item if item is not None and item.kind == kind else None

    def _begun(self, wire: Mapping[str, Any]) -> _Item:
        item = _Item(wire)
        self._items.append(item)
        return item

    def _name(self, item: _Item, index: object, id_: str) -> None:
        if isinstance(index, int):
            self._by_index[index] = item
        if id_:
            self._by_id[id_] = item


def decode_event(chunk: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one event of the wire. Raises `Malformed`, `Reported` or `CutOff`."""
    if not isinstance(chunk, dict):
        raise Malformed(f"an event of the stream is not a JSON object: {shown(chunk)}")
    kind = chunk.get("type")
    if kind == "response.output_text.delta":  # nearly every event
        return arriving.text(chunk)
    if kind == "error" or (kind is None and chunk.get("error")):
        raise Reported(error_in(chunk))
    step = _STEPS.get(kind) if isinstance(kind, str) else None
    return () if step is None else step(arriving, chunk)


_STEPS: Final[Mapping[str, Callable[[Arriving, Mapping[str, Any]], Sequence[Event]]]] = {
    "response.created": Arriving.head,
    "response.queued": Arriving.head,
    "response.in_progress": Arriving.head,
    "response.output_item.added": Arriving.told,
    "response.output_item.done": Arriving.told,
    "response.refusal.delta": Arriving.refusal,
    "response.reasoning_summary_text.delta": Arriving.reasoning,
    "response.reasoning_text.delta": Arriving.reasoning,
    "response.function_call_arguments.delta": Arriving.arguments,
    "response.custom_tool_call_input.delta": Arriving.arguments,
    "response.completed": Arriving.last,
    "response.incomplete": Arriving.last,
    "response.failed": Arriving.last,
    "response.cancelled": Arriving.last,
}
"""What the other events do. The rest tell how the server's own tools get on, or say again what has been said."""
