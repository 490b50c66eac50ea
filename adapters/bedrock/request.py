"""The question on Bedrock's wire: a `Request` as the arguments of boto3's `converse` and `converse_stream`.

It is pure, and knows no SDK; the tests have botocore check it against its model of the service. What a message or a
tool looks like there is remembered for as long as it lives, so a growing conversation encodes only what is new. What
the domain has no word for travels in `metadata["bedrock"]`: `signature`, `redactedContent` (base64), `cachePoint`,
`guardContent`, or a whole `block`.
"""

from __future__ import annotations

import base64
import re
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain, count
from typing import Any, Final, NamedTuple, TypeVar, assert_never

from ...domain.capability import Unsupported
from ...domain.frozen import EMPTY, FrozenDict, thaw
from ...domain.message import (
    Audio,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    as_json,
)
from ...domain.reading.preparation import cache_marker, inline
from ...domain.reading.signatures import by_name
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ...domain.tool import Tool
from ..http.calls import call_id, call_input
from ..http.http_errors import Unwritable
from .media import (
    IMAGES,
    block_text,
    document_format,
    document_name,
    ending,
    image_format,
    sound_format,
)

PROVIDER: Final = "bedrock"
_PROMPT: Final = ":prompt/"  # in the name of a prompt that the service keeps, which has words of its own

_ID: Final = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")

INFERENCE: Final[Mapping[str, str]] = FrozenDict(
    {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP"}
)
"""The canonical options that `inferenceConfig` has a place for; null there is refused, and so left out."""

MEMBERS: Final = frozenset(
    {
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "outputConfig",
        "performanceConfig",
        "promptVariables",
        "requestMetadata",
        "serviceTier",
        "toolConfig",
    }
)
"""Converse's own members, which options of these names go to; the model itself gets the others."""


def encode(
    request: Request, model_id: str, options: Mapping[str, Any], *, max_stops: int | None = 4, stream: bool = False
) -> dict[str, Any]:
    """The arguments, with `options` as they are in effect.

    Only the first `max_stops` stops are sent (None: all of them), and none that is blank, which models refuse; the
    domain enforces the rest. Raises `Unsupported` or `Unwritable`, both ValueErrors, naming the place, for what can't
    be sent.
    """
    system, messages = _conversation(request.messages)
    if not messages and _PROMPT not in model_id:
        raise Unwritable("messages: Bedrock takes no question without a word in it, and here is none")
    own = {name: _member(name, value) for name, value in options.items() if name in MEMBERS and value is not None}
    body: dict[str, Any] = {"modelId": model_id, "messages": messages, **own}
    if system:
        body["system"] = system
    if not stream and "streamProcessingMode" in own.get("guardrailConfig", ()):
        del body["guardrailConfig"]["streamProcessingMode"]  # it says how to guard a stream, and is refused elsewhere
    inference = _inference(request, options, own.get("inferenceConfig", {}), max_stops)
    if inference:
        body["inferenceConfig"] = inference
        if inference.get("stopSequences") and len(request.stop_sequences) > 1:  # else it is known which was found
            # docs.aws.amazon.com/bedrock/latest/APIReference: Converse
            body.setdefault("additionalModelResponseFieldPaths", ["/stop_sequence"])  # a model that has none ignores it
    tools = _tools(request, own.get("toolConfig", {}))
    if tools:
        body["toolConfig"] = tools
    else:
        body.pop("toolConfig", None)
    form = _text_format(request)
    if form is not None:
        body["outputConfig"] = {**own.get("outputConfig", {}), "textFormat": form}
    fields = _fields(model_id, options, own.get("additionalModelRequestFields", {}))
    if fields:
        body["additionalModelRequestFields"] = fields
    return body


def _member(name: str, value: Any) -> Any:
    if name != "additionalModelResponseFieldPaths" and not isinstance(value, Mapping):
        raise Unwritable(f"options: {name} is a dict, not {value!r}")
    return thaw(value)


def _inference(
    request: Request, options: Mapping[str, Any], config: dict[str, Any], max_stops: int | None
) -> dict[str, Any]:
    for name, known in INFERENCE.items():
        if options.get(name) is not None:
            config[known] = options[name]
    if request.stop_sequences:
        stops = [*config.get("stopSequences", ()), *(stop for stop in request.stop_sequences if stop.strip())][
            :max_stops
        ]
        if stops:
            config["stopSequences"] = stops
    return config


def _fields(model_id: str, options: Mapping[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """What goes to the model itself, in its own words."""
    extra: Mapping[str, Any] = {}
    for name, value in options.items():
        match name:
            case "extra_body":
                extra = _member(name, value or {})
            case "extra_headers" | "extra_query":
                raise Unsupported(f"options: boto3 has no {name}; hook into a client of your own: client.meta.events")
            case "top_k" if "nova" in model_id:
                # docs.aws.amazon.com/nova/latest/userguide/using-converse-api.html
                fields["inferenceConfig"] = {**fields.get("inferenceConfig", {}), "topK": value}
            case "top_k" if "cohere" in model_id:
                fields["k"] = value
            case _ if name not in MEMBERS and name not in INFERENCE:
                fields[name] = thaw(value)
    twice = [name for name in extra if name in fields]
    if twice:
        raise Unwritable(f"options: {twice[0]!r} stands in extra_body too; say it in one place")
    return {**fields, **extra}


def _text_format(request: Request) -> dict[str, Any] | None:
    form = request.response_format
    match form:
        case Free():
            return None
        case JsonSchema():
            schema = {"schema": as_json(form.schema), "name": form.name}
            if form.description is not None:
                schema["description"] = form.description
            return {"type": "json_schema", "structure": {"jsonSchema": schema}}
        case JsonObject() | Regex() | Grammar():
            raise Unsupported(f"response_format: Converse has no {type(form).__name__}; use JsonSchema(...)")
        case _:
            assert_never(form)


# Tools


def _tools(request: Request, own: dict[str, Any]) -> dict[str, Any]:
    tools = [] if request.tool_choice == "none" else [_remembered(tool, _tool) for tool in request.tools]
    tools += own.pop("tools", None) or ()
    if all(isinstance(tool, dict) and "cachePoint" in tool for tool in tools):  # which mark the end of nothing
        # Calls in the history are refused where no tool is declared: their names are, and nothing more.
        names = dict.fromkeys(call.name for message in request.messages for call in message.tool_calls)
        tools = [{"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}} for name in names]
    if not tools:
        return own
    config = {**own, "tools": tools}
    if request.tools:
        match request.tool_choice:
            case None | "none":
                pass
            case "auto":
                config["toolChoice"] = {"auto": {}}
            case "required":
                config["toolChoice"] = {"any": {}}
            case name:
                config["toolChoice"] = {"tool": {"name": name}}
    return config


def _tool(tool: Tool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": thaw(tool.parameters)}}
    if tool.description:
        spec["description"] = tool.description
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return {"toolSpec": spec}


# Messages


class _Wire(NamedTuple):
    """A message on the wire: its side, itself, and the names of the documents in it."""

    side: str
    message: dict[str, Any]
    documents: tuple[str, ...]


_T = TypeVar("_T", Message, Tool)
_W = TypeVar("_W")
# By the identity of the message or tool: a lookup costs less than comparing or hashing what it says.
_memory: dict[int, tuple[weakref.ref[Any], Any]] = {}


def _remembered(value: _T, make: Callable[[_T], _W]) -> _W:
    found = _memory.get(id(value))
    if found is not None and found[0]() is value:
        known: _W = found[1]
        return known
    made, key = make(value), id(value)
    # The callback runs before the memory, and with it the identity, is given to another object.
    _memory[key] = (weakref.ref(value, lambda _: _memory.pop(key, None)), made)
    return made


def _conversation(messages: tuple[Message, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system field, and the messages in strict turns."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    names: list[str] = []
    for at, message in enumerate(messages):
        found = _memory.get(id(message))
        if found is not None and found[0]() is message:
            wire: _Wire = found[1]
        else:
            wire = _remembered(message, partial(_wire, where=f"messages[{at}]"))
        if not wire.message["content"]:
            continue  # blank words are refused
        if wire.documents:
            names += wire.documents
        if wire.side == "system":
            system += wire.message["content"]
        elif turns and turns[-1]["role"] == wire.side:
            turns[-1] = {"role": wire.side, "content": [*turns[-1]["content"], *wire.message["content"]]}
        else:
            turns.append(wire.message)
    return system, _with_own_names(turns) if len(set(names)) < len(names) else turns


def _with_own_names(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, with each document under a name of its own: two of one name are refused."""
    seen: set[str] = set()

    def renamed(block: dict[str, Any]) -> dict[str, Any]:
        if "document" in block:
            given = block["document"]["name"]
            numbered = (f"{given[:190]} ({number})" for number in count(2))
            name = next(name for name in chain([given], numbered) if name not in seen)
            seen.add(name)
            return {"document": {**block["document"], "name": name}}
        if "toolResult" in block:
            result = block["toolResult"]
            return {"toolResult": {**result, "content": [renamed(inner) for inner in result["content"]]}}
        return block

    return [{**turn, "content": [renamed(block) for block in turn["content"]]} for turn in turns]


def _wire(message: Message, where: str) -> _Wire:
    system = message.role is Role.SYSTEM
    blocks: list[dict[str, Any]] = []
    for number, part in enumerate(message.content):
        place = f"{where}.content[{number}]"
        if system and not isinstance(part, (Text, Reasoning)):
            raise Unsupported(f"{place}: Converse's system field takes text, and no {type(part).__name__}")
        block = _block(part, place)
        if block is not None:
            blocks.append(block)
        blocks += _cache_point(part)
    if blocks:
        blocks += _cache_point(message)
    side = message.role.value if message.role is not Role.TOOL else "user"
    inner = [*blocks, *(each for block in blocks for each in block.get("toolResult", {}).get("content", ()))]
    names = tuple(block["document"]["name"] for block in inner if "document" in block)
    return _Wire(side, {"role": side, "content": blocks}, names)


def own(value: Message | Part) -> Mapping[str, Any]:
    """What a message or part brings for Bedrock."""
    found = value.metadata.get(PROVIDER) if value.metadata else None
    return found if isinstance(found, Mapping) else EMPTY


def _cache_point(value: Message | Part) -> list[dict[str, Any]]:
    point, marker = own(value).get("cachePoint"), cache_marker(value)
    if point is None and marker is not None:
        point = {"type": "default", **({"ttl": marker["ttl"]} if "ttl" in marker else {})}
    return [] if point is None else [{"cachePoint": thaw(point)}]


def _block(part: Part, where: str) -> dict[str, Any] | None:
    match part:
        case Text():
            return _text_block(part)
        case Reasoning():
            return _reasoning_block(part)
        case ToolCall():
            id_ = call_id(part.id, _ID)
            return {"toolUse": {"toolUseId": id_, "name": part.name, "input": call_input(part.arguments)}}
        case ToolResult():
            return _result_block(part, where)
        case Image():
            source, media_type = _source(part, where)
            return {"image": {"format": image_format(media_type, where), "source": source}}
        case Audio():
            source, media_type = _source(part, where)
            return {"audio": {"format": sound_format(media_type), "source": source}}
        case Document():
            source, media_type = _source(part, where)
            form = document_format(media_type, part.name, where)
            more = {name: thaw(value) for name, value in own(part).items() if name in ("citations", "context")}
            return {"document": {"format": form, "name": document_name(part.name), "source": source, **more}}
        case _:
            assert_never(part)


def _text_block(part: Text) -> dict[str, Any] | None:
    mine = own(part)
    block = mine.get("block")
    if isinstance(block, Mapping) and block_text(block) == part.text:  # as it came, and not cut since
        whole: dict[str, Any] = thaw(block)
        return whole
    if mine.get("guardContent") and part.text.strip():
        more = thaw(mine["guardContent"]) if isinstance(mine["guardContent"], Mapping) else {}
        return {"guardContent": {"text": {"text": part.text, **more}}}
    return {"text": part.text} if part.text.strip() else None


def _reasoning_block(part: Reasoning) -> dict[str, Any] | None:
    """A thought goes back where its signature says whose it is; models that sign nothing refuse to get any."""
    mine = own(part)
    if "redactedContent" in mine:
        return {"reasoningContent": {"redactedContent": _secret(mine["redactedContent"])}}
    if "signature" in mine:
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": mine["signature"]}}}
    return None


def _secret(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise Unwritable("a Reasoning: redactedContent isn't base64, as it was when it came") from None


def _result_block(part: ToolResult, where: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, inner in enumerate(part.content):
        place = f"{where}.content[{number}]"
        if isinstance(inner, Audio):
            raise Unsupported(f"{place}: a tool's result holds no Audio on this wire; put it into the user's message")
        block = _block(inner, place)
        if block is not None:
            content.append(block)
    result: dict[str, Any] = {"toolUseId": call_id(part.call_id, _ID), "content": content}
    if part.is_error:
        result |= {"status": "error", "content": content or [{"text": "error"}]}  # an empty one is refused
    return {"toolResult": result}


_BUCKET: Final = re.compile(r"s3://[^/]+", re.IGNORECASE)


def _source(part: Image | Audio | Document, where: str) -> tuple[dict[str, Any], str]:
    """Where it comes from, and its media type."""
    if part.url is None or not _BUCKET.match(part.url):
        data, media_type = inline(part, where)
        return {"bytes": data}, media_type
    owner = own(part).get("bucketOwner")
    location = {"uri": part.url, **({"bucketOwner": owner} if owner else {})}
    picture = f"image/{ending(part.url)}"
    return {"s3Location": location}, picture if picture in IMAGES else by_name(part.url) or part.media_type
