"""Tool calls in text: what small local models write where others have a wire format.

Read are Hermes' and Qwen's `<tool_call>`, bare JSON objects and lists of them, fenced or after Llama's
`<|python_tag|>`, Mistral's `[TOOL_CALLS]`, `<function=name>` with JSON or with `<parameter=key>` in it, and calls in
Python's own syntax where a marker or brackets around the whole text say so. What stands in `<think>` is a thought, and
a tool's definition that a model repeats is no call.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from ..message import ToolCall, as_json

_NAME: Final = r"[A-Za-z_][\w.]*"
_MARK: Final = re.compile(
    r"(?P<think><think>)"
    r"|<function=(?P<function>[^>\s]+)>"
    r"|\[TOOL_CALLS\]\s*(?P<mistral>[\w.-]+)\s*(?:\[CALL_ID\]\s*\w+\s*)?(?:\[ARGS\])?\s*(?=\{)"
    rf"|(?P<python>(?:<\|python_tag\|>|<\|tool_call_start\|>|```tool_code)\s*(?=\[?\s*{_NAME}\()|\A\s*(?=\[\s*{_NAME}\())"
    r"|(?:(?P<tag><tool_call>)\s*)?\{"
)
_END: Final = re.compile(r"<\||</|```")
_PARAMETER: Final = re.compile(r"<parameter=([^>\s]+)>(.*?)(?=</parameter>|<parameter=|\Z)", re.DOTALL)
# A call whose arguments are whole, though what is around them isn't: a lost brace is a small model's commonest mistake.
_HEAD: Final = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]+)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)')

_Call = tuple[str, str]  # a name, and arguments as JSON text


def parse_tool_calls(text: str) -> tuple[ToolCall, ...]:
    """Every tool call in the text, in their order, with the ids `call_0`, `call_1`, ...

    >>> parse_tool_calls('<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>')
    (ToolCall(id='call_0', name='add', arguments='{"a":1}'),)
    """
    try:
        return tuple(ToolCall(f"call_{at}", name, arguments) for at, (name, arguments) in enumerate(_calls(text)))
    except RecursionError:  # nested by the hundred: a text that went astray
        return ()


def _calls(text: str) -> Iterator[_Call]:
    thought = text.find("</think>")
    if thought >= 0 and "<think>" not in text[:thought]:  # a template that opens the thought itself
        text = text[thought + len("</think>") :]
    at = 0
    while (mark := _MARK.search(text, at)) is not None:
        at = mark.end()
        if mark["think"]:
            end = text.find("</think>", at)
            at = len(text) if end < 0 else end
        elif mark["function"]:
            arguments, at = _arguments(text, at)
            yield mark["function"], arguments
        elif mark["mistral"]:
            value, end = _object(text, at)
            if value is not None:
                at = end
                yield mark["mistral"], as_json(value)
        elif mark["python"] is not None:
            end = _end(text, at)
            calls = _python(text[at:end])
            at = end if calls else max(at, 1)
            yield from calls
        else:
            value, end = _object(text, at - 1)
            head = _HEAD.match(text, at - 1) if value is None else None
            if head is not None:
                value, end = _object(text, head.end())
                value = None if value is None else {"name": head[1], "arguments": value}
            at = max(at, end)
            yield from _found(value, sure=mark["tag"] is not None)


def _end(text: str, at: int) -> int:
    end = _END.search(text, at)
    return len(text) if end is None else end.start()


def _number(written: str) -> float | None:
    number = float(written)
    return number if math.isfinite(number) else None


# Models write line breaks into strings as they are, and numbers that JSON lacks.
_DECODER: Final = json.JSONDecoder(strict=False, parse_float=_number, parse_constant=lambda _: None)


def _object(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """The object that begins here, and where it ends; or None."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except ValueError:
        return _literal(text, at)
    return (value if isinstance(value, dict) else None), end


def _literal(text: str, at: int) -> tuple[dict[str, Any] | None, int]:
    """An object that was written as Python writes dicts, up to the next marker."""
    if re.compile(r"\{\s*'").match(text, at) is None:
        return None, at
    end = _end(text, at)
    try:
        value = ast.literal_eval(text[at:end].strip())
        as_json(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None, at
    return (value if isinstance(value, dict) else None), end


def _found(value: Any, sure: bool = False) -> Iterator[_Call]:
    """The calls in a JSON value; `sure` says that a marker announced one, so that it may lack arguments."""
    if isinstance(value, list):
        for item in value:
            yield from _found(item)
    elif isinstance(value, dict):
        call = _as_call(value, sure)
        if call is not None:
            yield call
        else:
            for key in ("tool_calls", "tool_call", "function_call", "function"):
                yield from _found(value.get(key))


def _as_call(value: dict[str, Any], sure: bool) -> _Call | None:
    name = value.get("name") or value.get("function")
    key = next((key for key in ("arguments", "parameters") if key in value), None)
    if not isinstance(name, str) or (key is None and not sure):
        return None
    arguments = value.get(key or "")
    if arguments is None or arguments == "":
        return name, "{}"
    if isinstance(arguments, str):
        return (name, arguments) if _object(arguments, 0)[0] is not None else None
    if not isinstance(arguments, dict) or (key == "parameters" and _is_schema(arguments)):
        return None
    return name, as_json(arguments)


def _is_schema(value: dict[str, Any]) -> bool:
    return value.get("type") == "object" and isinstance(value.get("properties"), dict)


def _arguments(text: str, at: int) -> tuple[str, int]:
    """What stands in `<function=name>`, and where it ends: JSON, parameters in tags, or the text as it is."""
    close = text.find("</function>", at)
    body = text[at : len(text) if close < 0 else close]
    start = at + len(body) - len(body.lstrip())
    value, end = _object(text, start) if text.startswith("{", start) else (None, at)
    if value is not None:
        return as_json(value), end
    pairs = {name: _value(written) for name, written in _PARAMETER.findall(body)}
    return (as_json(pairs) if pairs or not body.strip() else body.strip()), at + len(body)


def _value(written: str) -> Any:
    text = written.strip("\n")
    try:
        return json.loads(text, parse_float=_number, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _key(item: ast.keyword) -> str:
    if item.arg is None:
        raise ValueError("a call with ** isn't made of literals")
    return item.arg


def _python(source: str) -> list[_Call]:
    """The calls in a piece of Python, if it is nothing but calls with named literals."""
    calls = []
    try:
        for statement in ast.parse(source.strip()).body:
            value = statement.value if isinstance(statement, ast.Expr) else None
            for node in value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]:
                if (
                    not isinstance(node, ast.Call)
                    or node.args
                    or not re.fullmatch(_NAME, name := ast.unparse(node.func))
                ):
                    return []
                calls.append((name, as_json({_key(item): ast.literal_eval(item.value) for item in node.keywords})))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return []
    return calls
