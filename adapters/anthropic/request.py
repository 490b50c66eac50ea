"""The question on the Messages wire: a `Request` as the bytes of its JSON. `answer` reads what comes back.

It is pure, and knows no SDK. `blocks` writes the messages. What a message looks like on the wire is remembered for as
long as the message lives, so a growing conversation encodes only what is new.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, assert_never

from ...domain.capability import Unsupported
from ...domain.facts import anthropic_max_tokens
from ...domain.frozen import FrozenDict
from ...domain.message import Message, Role
from ...domain.options.option import OMIT
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ...domain.tool import Tool
from ..http.arguments import add_extra
from ..http.http_errors import Unwritable
from .blocks import CACHE_CONTROL, blocks

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
    wires = _wires(request.messages, left)
    system, messages = _conversation(wires)
    if system:
        body["system"] = orjson.Fragment(system)
    body["messages"] = orjson.Fragment(messages)
    stops = [stop for stop in request.stop_sequences if stop.strip()][:max_stops]
    if stops:
        body["stop_sequences"] = stops
    body |= {name: value for name, value in options.items() if name not in _ELSEWHERE}
    body.setdefault("max_tokens", _most_tokens(base_model or model_id, options))
    _add_tools(body, request, options, extra, wires)
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


HEADERS: Final[Mapping[str, str]] = FrozenDict(
    {
        "betas": "anthropic-beta",
        "user_profile_id": "anthropic-user-profile-id",
        "workspace_id": "anthropic-workspace-id",
    }
)
"""The options that are headers."""

_ELSEWHERE: Final = frozenset({*HEADERS, "extra_body", "output_config", "parallel_tool_calls", "reasoning_effort"})


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
            config["format"] = {"type": "json_schema", "schema": form.schema}
        case JsonObject() | Regex() | Grammar():
            kind = type(form).__name__
            raise Unsupported(f"response_format: the Messages API has no {kind}; use JsonSchema(...)")
        case _:
            assert_never(form)
    return config


# Tools


def _add_tools(
    body: dict[str, Any],
    request: Request,
    options: Mapping[str, Any],
    extra: dict[str, Any],
    wires: Iterable[_Wire],
) -> None:
    """The tools of the request and, after them, the server's own of `extra_body`; and which of them to call."""
    own = extra.pop("tools", OMIT)
    own = () if own is OMIT else own
    if not isinstance(own, (list, tuple)):
        raise Unwritable(f"extra_body: tools is a list, not {own!r}")
    tools = [*map(_tool, request.tools), *own]
    choice = _tool_choice(request.tool_choice) if request.tools else None
    if not tools:
        # Calls in the history are refused where no tool is declared: their names are, and none is to be called.
        called = dict.fromkeys([name for wire in wires for name in wire.called])
        tools = [{"name": name, "input_schema": {"type": "object"}} for name in called]
        choice = {"type": "none"} if tools else None
    elif options.get("parallel_tool_calls") is False and choice != {"type": "none"}:
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    if tools:
        body["tools"] = tools
    if choice is not None:
        body["tool_choice"] = choice


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


class _Wire(weakref.ref[Message]):
    """A message on the wire: whose turn it is, the turn, and the blocks in it, each group joined by commas.

    `results` come first in a turn that several messages make. It is itself the weak reference to the message: the fewer
    objects a lookup touches, the less it costs.
    """

    __slots__ = ("called", "markers", "others", "results", "side", "turn")

    called: list[str]  # the names of tools
    side: bytes
    turn: bytes
    results: bytes
    others: bytes
    markers: int


# By the identity of the message: a lookup costs less than comparing or hashing what it says.
_memory: dict[int, _Wire] = {}
_identity: Final = object.__hash__  # `id` is audited: it is slow wherever filelock, or anybody, has a hook for that


def _wires(messages: tuple[Message, ...], most_markers: int) -> list[_Wire]:
    """The messages on the wire, with no more markers than that."""
    known = map(_memory.get, map(_identity, messages))
    wires = [
        wire if wire is not None and wire() is message else _remember(message, at)
        for at, (message, wire) in enumerate(zip(messages, known, strict=True))
    ]
    surplus = sum([wire.markers for wire in wires]) - most_markers
    return _with_fewer_markers(messages, wires, surplus) if surplus > 0 else wires


def _conversation(wires: Iterable[_Wire]) -> tuple[bytes, bytes]:
    """The system field, and the messages in strict turns."""
    system: list[bytes] = []
    turns: list[list[_Wire]] = []
    last = b""
    for wire in wires:
        side = wire.side
        if side == _SYSTEM:
            system.append(wire.others)
        elif side == last and side:
            turns[-1].append(wire)
        elif side:
            turns.append([wire])
            last = side
    said = [turn[0].turn if len(turn) == 1 else _joined(turn) for turn in turns]
    return b"[" + b",".join(system) + b"]" if system else b"", b"[" + b",".join(said) + b"]"


_SYSTEM: Final = b"system"


def _joined(turn: list[_Wire]) -> bytes:
    return _turn(turn[0].side, [wire.results for wire in turn], [wire.others for wire in turn])


def _turn(side: bytes, *groups: list[bytes]) -> bytes:
    return b'{"role":"%s","content":[%s]}' % (side, b",".join([each for group in groups for each in group if each]))


def _remember(message: Message, at: int) -> _Wire:
    key = _identity(message)
    # The callback runs before the memory, and with it the identity, is given to another object.
    wire = _memory[key] = _written(message, at, lambda _: _memory.pop(key, None))
    return wire


def _written(message: Message, at: int, forget: Callable[[Any], object] | None = None, unmarked: int = 0) -> _Wire:
    """The message on the wire, without so many of its first markers."""
    import orjson

    of = blocks(message, f"messages[{at}]").without_markers(unmarked)
    wire = _Wire(message, forget)
    try:
        wire.results, wire.others = (b",".join(map(orjson.dumps, each)) for each in (of.results, of.others))
    except TypeError as error:
        raise Unwritable(f"messages[{at}] can't be written as JSON: {error}") from None
    side = b"user" if message.role is Role.TOOL else message.role.encode()
    wire.side = side if wire.results or wire.others else b""  # blank words are refused
    wire.turn = _turn(side, [wire.results], [wire.others])
    wire.markers = of.markers
    wire.called = [call.name for call in message.tool_calls]
    return wire


def _with_fewer_markers(messages: tuple[Message, ...], wires: list[_Wire], surplus: int) -> list[_Wire]:
    """The same without so many of the first markers: the last ones cover what the first ones do."""
    fewer: list[_Wire] = []
    for at, (message, wire) in enumerate(zip(messages, wires, strict=True)):
        taken = min(surplus, wire.markers)
        surplus -= taken
        fewer.append(_written(message, at, unmarked=taken) if taken else wire)
    return fewer
