"""What a call of a tool gives back: the function's answer as text, or what went wrong, for the model to read."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from ....adapters.process import background
from ....domain.frozen import thaw
from ....domain.message import ToolCall, ToolResult
from ....domain.tool import Tool
from ...layers.check import value_check
from ..exits import Ended
from .foreign_code import printing_aside
from .tool_arguments import as_annotated
from .tool_functions import Functions


def called(call: ToolCall, functions: Functions) -> ToolResult:
    """The result of a call; arguments that the function doesn't take, and whatever it raises, make one of an error."""
    function = functions.get(call.name)
    if function is None:
        return ToolResult(call.id, f"there is no tool {call.name!r}", call.name, is_error=True)
    try:
        return ToolResult(call.id, _well_formed(_text(call, function)), call.name)
    except Ended:
        raise
    except BaseException as error:  # a user's own function may raise anything, SystemExit too
        return ToolResult(call.id, _well_formed(f"{type(error).__name__}: {error}"), call.name, is_error=True)


def _well_formed(text: str) -> str:
    """The text with a question mark for each half of a character, as Python reads names of files that aren't UTF-8."""
    return text.encode(errors="replace").decode()


def _text(call: ToolCall, function: Callable[..., Any]) -> str:
    arguments = thaw(call.input)
    schema = thaw(Tool.from_function(function).parameters)
    reason = value_check(schema, call.name)(arguments)
    if reason is not None:
        raise ValueError(f"the arguments of {call.name!r} don't fit: {reason}")
    values = as_annotated(function, arguments)
    with printing_aside():
        given = function(**values)
        if inspect.iscoroutine(given):
            given = background.run(given)
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
