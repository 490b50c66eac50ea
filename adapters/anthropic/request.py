"""The question on the Messages wire: a `Request` as the bytes of its JSON. `answer` reads what comes back.

It is pure, and knows no SDK. `blocks` writes the messages. What a message looks like on the wire is remembered for as
long as the message lives, so a growing conversation encodes only what is new.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, assert_never

from ...domain.capability import Unsupported
from ...domain.facts import anthropic_max_tokens
from ...domain.message import Message, Role
from ...domain.options.option import OMIT
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ...domain.tool import Tool
from ..http.arguments import add_extra
from ..http.http_errors import Unwritable
from .blocks import CACHE_CONTROL, Blocks, blocks
from .schema import output_schema

VERSION: Final = "2026-10-21"
"""The newest version of the API, which takes no `SAMPLING`: platform.claude.com/docs/en/api/versioning"""

BEFORE: Final = "2023-06-01"
"""The version before, which differs in what it takes, and not in what it answers."""

SAMPLING: Final = frozenset({"temperature", "top_k", "top_p"})
"""The options that the newest version refuses, whatever their value."""

MOST_MARKERS: Final = 4
"""How many cache markers are taken: platform.claude.com/docs/en/build-with-claude/prompt-caching"""


def version_of(options: Mapping[str, Any]) -> str:
    """The newest version of the API that takes these options.

    >>> version_of({"max_tokens": 5}), version_of({"temperature": 0.2})
    ('2026-10-21', '2023-06-01')
    """
    return VERSION if SAMPLING.isdisjoint(options) else BEFORE


def encode(
    request: Request,
    model_id: str,
    options: Mapping[str, Any],
    *,
    max_stops: int | None = None,
    stream: bool = False,
    head: Mapping[str, Any] | None = None,
    base_model: str | None = None,
) -> bytes:
    """The body of the request, with `options` as they are in effect.

    Only the first `max_stops` stops are sent (None: all of them), and none that is blank, which is refused; the domain
    enforces the rest. `head` stands in place of the model's name where the address says that, and `base_model` is whose
    facts hold. Raises `Unsupported` or `Unwritable`, both ValueErrors, naming the place, for what can't be sent.
    """
    import orjson

    extra = dict(options.get("extra_body") or {})
    body: dict[str, Any] = {"model": model_id} if head is None else dict(head)
    left = MOST_MARKERS - (1 if options.get(CACHE_CONTROL) is not None else 0)
    system, messages = _conversation(request.messages, left)
    if system:
        body["system"] = orjson.Fragment(system)
    body["messages"] = orjson.Fragment(messages)
    stops = [stop for stop in request.stop_sequences if stop.strip()][:max_stops]
    if stops:
        body["stop_sequences"] = stops
    body |= {name: value for name, value in options.items() if name not in _ELSEWHERE}
    body.setdefault("max_tokens", _most_tokens(base_model or model_id, options))
    _add_tools(body, request, options, extra)
    config = _output_config(request, options)
    if config:
        body["output_config"] = config
    if stream:
        body["stream"] = True
    add_extra(extra, body)
    try:
        return orjson.dumps(body)
    except TypeError as error:
        raise Unwritable(f"the options or tools can't be written as JSON: {error}") from None


_ELSEWHERE: Final = frozenset({"betas", "extra_body", "output_config", "parallel_tool_calls", "reasoning_effort"})


def _most_tokens(model_id: str, options: Mapping[str, Any]) -> int:
    thinking = options.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return anthropic_max_tokens(model_id) + (budget if isinstance(budget, int) else 0)  # which it must exceed


def _output_config(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    own = options.get("output_config")
    if own is not None and not isinstance(own, Mapping):
        raise Unwritable(f"options: output_config is a dict, not {own!r}")
    config = dict(own or {})
    if options.get("reasoning_effort") is not None:
        config["effort"] = options["reasoning_effort"]
    form = request.response_format
    match form:
        case Free():
            pass
        case JsonSchema():
            config["format"] = {"type": "json_schema", "schema": output_schema(form.schema, strict=form.strict)}
        case JsonObject() | Regex() | Grammar():
            kind = type(form).__name__
            raise Unsupported(f"response_format: the Messages API has no {kind}; use JsonSchema(...)")
        case _:
            assert_never(form)
    return config


# Tools


def _add_tools(body: dict[str, Any], request: Request, options: Mapping[str, Any], extra: dict[str, Any]) -> None:
    """The tools of the request and, after them, the server's own of `extra_body`; and which of them to call."""
    own = extra.pop("tools", OMIT)
    tools = [_tool(tool) for tool in request.tools] + (list(own) if isinstance(own, (list, tuple)) else [])
    choice = _tool_choice(request.tool_choice) if request.tools else None
    if not tools:
        # Calls in the history are refused where no tool is declared: their names are, and none is to be called.
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in _called(request.messages)]
        choice = {"type": "none"} if tools else None
    elif options.get("parallel_tool_calls") is False and choice != {"type": "none"}:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice


def _called(messages: Iterable[Message]) -> Iterable[str]:
    return dict.fromkeys(call.name for message in messages for call in message.tool_calls)


def _tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters}
    if tool.description:
        wire["description"] = tool.description
    if tool.strict is not None:
        wire["strict"] = tool.strict
    return wire


def _tool_choice(choice: str | None) -> dict[str, Any] | None:
    match choice:
        case None:
            return None
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
    return {"type": "tool", "name": choice}


# Messages


class _Wire(NamedTuple):
    """A message on the wire: the blocks that come first in its turn, and the others, each joined by commas."""

    results: bytes
    others: bytes
    markers: int


# By the identity of the message: a lookup costs less than comparing or hashing what it says.
_memory: dict[int, tuple[weakref.ref[Message], _Wire]] = {}
_identity: Final = object.__hash__  # `id` is audited: it is slow wherever filelock, or anybody, has a hook for that


def _conversation(messages: tuple[Message, ...], most_markers: int) -> tuple[bytes, bytes]:
    """The system field, and the messages in strict turns."""
    wires = [_remembered(message, at) for at, message in enumerate(messages)]
    surplus = sum(wire.markers for wire in wires) - most_markers
    if surplus > 0:
        wires = _with_fewer_markers(messages, wires, surplus)
    system: list[bytes] = []
    turns: list[bytes] = []
    results: list[bytes] = []
    others: list[bytes] = []
    side = b""
    for message, wire in zip(messages, wires, strict=True):
        if not wire.results and not wire.others:
            continue  # blank words are refused
        if message.role is Role.SYSTEM:
            system.append(wire.others)
            continue
        now = b"assistant" if message.role is Role.ASSISTANT else b"user"
        if now != side:
            if side:
                turns.append(_turn(side, results, others))
            side, results, others = now, [], []
        if wire.results:
            results.append(wire.results)
        if wire.others:
            others.append(wire.others)
    if side:
        turns.append(_turn(side, results, others))
    return b"[" + b",".join(system) + b"]" if system else b"", b"[" + b",".join(turns) + b"]"


def _turn(side: bytes, results: list[bytes], others: list[bytes]) -> bytes:
    return b'{"role":"%s","content":[%s]}' % (side, b",".join([*results, *others]))


def _remembered(message: Message, at: int) -> _Wire:
    key = _identity(message)
    found = _memory.get(key)
    if found is not None and found[0]() is message:
        return found[1]
    wire = _wire(blocks(message, f"messages[{at}]"), at)
    # The callback runs before the memory, and with it the identity, is given to another object.
    _memory[key] = (weakref.ref(message, lambda _: _memory.pop(key, None)), wire)
    return wire


def _wire(of: Blocks, at: int) -> _Wire:
    import orjson

    try:
        results, others = (b",".join(map(orjson.dumps, each)) for each in (of.results, of.others))
    except TypeError as error:
        raise Unwritable(f"messages[{at}] can't be written as JSON: {error}") from None
    return _Wire(results, others, of.markers)


def _with_fewer_markers(messages: tuple[Message, ...], wires: list[_Wire], surplus: int) -> list[_Wire]:
    """The same without so many of the first markers: the last ones cover what the first ones do."""
    fewer: list[_Wire] = []
    for at, (message, wire) in enumerate(zip(messages, wires, strict=True)):
        taken = min(surplus, wire.markers)
        surplus -= taken
        fewer.append(_wire(blocks(message, f"messages[{at}]").without_markers(taken), at) if taken else wire)
    return fewer
