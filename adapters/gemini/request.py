"""The question on Gemini's wire: a `Request` as the bytes of generateContent's JSON. `answer` reads what comes back.

It is pure, and knows no SDK. What a message looks like there is remembered for as long as it lives, so a growing
conversation encodes only what is new. What the domain has no word for travels in `metadata["gemini"]`, which is merged
into the wire's own part: `thoughtSignature`, `videoMetadata`, `mediaResolution`; or a whole `part`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, assert_never

from ...domain.capability import Unsupported
from ...domain.facts import gemini_signs_calls
from ...domain.frozen import thaw
from ...domain.options.option import OMIT
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ...domain.tool import Tool
from ..http.http_errors import Unwritable
from .contents import contents
from .options import IN_CONFIG, MEMBERS, NAMED, beside, thinking
from .schema import enforced, told


def encode(request: Request, model_id: str, options: Mapping[str, Any], *, max_stops: int | None = 5) -> bytes:
    """The body of the request, with `options` as they are in effect; whole and streamed calls have the same one.

    Only the first `max_stops` stops are sent (None: all of them); the domain enforces the rest. `model_id` says whose
    facts hold. Raises `Unsupported` or `Unwritable`, both ValueErrors, naming the place, for what can't be sent.
    """
    import orjson

    try:
        return orjson.dumps(wire_body(request, model_id, options, max_stops=max_stops))
    except TypeError as error:
        raise Unwritable(f"the options, the tools or the metadata can't be written as JSON: {error}") from None


def wire_body(
    request: Request, model_id: str, options: Mapping[str, Any], *, max_stops: int | None = 5
) -> dict[str, Any]:
    """The same as values."""
    signs = gemini_signs_calls(model_id)
    system, turns = contents(request.messages, signs)
    body: dict[str, Any] = {"contents": turns}
    if system:
        body["systemInstruction"] = {"parts": system}
    tools = _tools(request.tools)
    if tools:
        body["tools"] = [{"functionDeclarations": tools}]
    choice = _tool_choice(request)
    if choice:
        body["toolConfig"] = {"functionCallingConfig": choice}
    config = _config(request, signs, options, max_stops)
    if config:
        body["generationConfig"] = config
    for name, value in options.items():
        if name in MEMBERS and value is not None:
            _add(body, name, thaw(value), "options")
    extra = options.get("extra_body")
    for name, value in (extra or {}).items():
        if value is not OMIT:
            _add(body, name, thaw(value), "extra_body")
    _check(body)
    return body


_STREAMED_ARGUMENTS: Final = "streamFunctionCallArguments"


def _check(body: Mapping[str, Any]) -> None:
    """Raises `Unwritable` for members that exclude each other, or make an answer that isn't read."""
    cached = [name for name in ("systemInstruction", "tools", "toolConfig") if name in body]
    if "cachedContent" in body and cached:
        # "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config"
        raise Unwritable(
            f"options: cachedContent brings its own system instruction and tools, and Gemini refuses {cached[0]} "
            "beside it; leave out the tools and the messages of role system"
        )
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if choice.get(_STREAMED_ARGUMENTS):
        raise Unwritable(f"options: toolConfig: {_STREAMED_ARGUMENTS} isn't read here; leave it out")
    if (body.get("generationConfig") or {}).get("candidateCount", 1) != 1:
        raise Unwritable("options: generationConfig: a call has one answer; leave out candidateCount")


def _add(body: dict[str, Any], name: str, value: Any, where: str) -> None:
    """Put a member into the body: lists of tools are joined, objects are merged, and nothing is said twice."""
    known = body.get(name)
    if name not in body:
        body[name] = value
    elif name == "tools" and isinstance(known, list) and isinstance(value, list):
        body[name] = [*known, *value]  # such as {"googleSearch": {}}
    elif isinstance(known, dict) and isinstance(value, dict) and known.keys().isdisjoint(value):
        body[name] = {**known, **value}
    else:
        raise Unwritable(f"{where}: {name!r} is set by the call itself; say it in one place")


def _config(request: Request, signs: bool, options: Mapping[str, Any], max_stops: int | None) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name, value in options.items():
        if name in NAMED:
            if value is not None:
                config[NAMED[name]] = value
        elif name in IN_CONFIG:
            if value is not None:
                config[name] = thaw(value)
        elif name not in MEMBERS and not beside(name):
            raise Unsupported(f"options: Gemini has no {name}; take it away: {name}=OMIT, or drop_options=[{name!r}]")
    if options.get("reasoning_effort") is not None:
        if "thinkingConfig" in config:
            raise Unwritable("options: reasoning_effort and thinkingConfig are one thing; keep one")
        config["thinkingConfig"] = thinking(options["reasoning_effort"], signs)
    stops = request.stop_sequences if max_stops is None else request.stop_sequences[:max_stops]
    if stops:
        config["stopSequences"] = stops
    return config | _form(request.response_format)


def _form(form: ResponseFormat) -> dict[str, Any]:
    match form:
        case Free():
            return {}
        case JsonObject():
            return {"responseMimeType": "application/json"}
        case JsonSchema():
            schema = enforced(form.schema, "response_format", strict=form.strict)
            if form.description is not None:
                schema = {"description": form.description, **schema}
            return {"responseMimeType": "application/json", "responseJsonSchema": schema}
        case Regex() | Grammar():
            raise Unsupported(f"response_format: Gemini has no {type(form).__name__}; use JsonSchema(...)")
        case _:
            assert_never(form)


_NOTHING: Final = {"type": "object"}  # what a tool takes that takes nothing


def _tools(tools: tuple[Tool, ...]) -> list[dict[str, Any]]:
    declared = []
    for at, tool in enumerate(tools):
        function: dict[str, Any] = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        where = f"tools[{at}].parameters"
        parameters = enforced(tool.parameters, where, strict=True) if tool.strict else told(tool.parameters, where)
        if parameters != _NOTHING:
            function["parametersJsonSchema"] = parameters
        declared.append(function)
    return declared


def _tool_choice(request: Request) -> dict[str, Any] | None:
    """Whether a tool is to be called; where a strict one may be, its arguments are held to its schema."""
    if not request.tools:
        return None
    match request.tool_choice:
        case "none":
            return {"mode": "NONE"}
        case "required":
            return {"mode": "ANY"}
        case "auto" | None if any(tool.strict for tool in request.tools):
            return {"mode": "VALIDATED"}
        case "auto":
            return {"mode": "AUTO"}
        case None:
            return None
        case name:
            return {"mode": "ANY", "allowedFunctionNames": [name]}
