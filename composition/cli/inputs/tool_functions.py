"""The functions of `--tools`, from a Python file or a module, and what a call of one gives back."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ....adapters.process import background
from ....domain.message import ToolCall, ToolResult

Functions = Mapping[str, Callable[..., Any]]
"""Functions that a model may have called, by name."""


def read_tools(places: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """The functions of `FILE.py`, `MODULE`, or either with `:NAME`. Raises ValueError where there are none."""
    functions: dict[str, Callable[..., Any]] = {}
    for place in places:
        source, _, name = place.partition(":")
        found = _public(_module(source, f"--tools {place}"))
        if name and name not in found:
            known = f"there are {', '.join(found)}" if found else "there are none"
            raise ValueError(f"--tools {place}: {source} has no function {name!r}; {known}")
        if not found:
            raise ValueError(f"--tools {place}: {source} has no functions of its own")
        functions |= {name: found[name]} if name else found
    return functions


def _module(source: str, where: str) -> ModuleType:
    is_file = source.endswith(".py")
    try:
        return _of_file(source) if is_file else importlib.import_module(source)
    except Exception as error:  # a user's own file may raise anything
        raise ValueError(f"{where}: it can't be imported: {type(error).__name__}: {error}") from error


def _of_file(source: str) -> ModuleType:
    name = Path(source).stem
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None  # since it ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def _public(module: ModuleType) -> dict[str, Callable[..., Any]]:
    members = inspect.getmembers(module, inspect.isfunction)
    own = (each for each in members if each[1].__module__ == module.__name__ and not each[0].startswith("_"))
    return dict(own)


def called(call: ToolCall, functions: Functions) -> ToolResult:
    """What the function gives back, as text; what it raises is told to the model, too."""
    function = functions.get(call.name)
    if function is None:
        return ToolResult(call.id, f"there is no tool {call.name!r}", call.name, is_error=True)
    try:
        given = function(**call.input)
        if inspect.iscoroutine(given):
            given = background.run(given)
    except Exception as error:  # a user's own function may raise anything
        return ToolResult(call.id, f"{type(error).__name__}: {error}", call.name, is_error=True)
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
    return ToolResult(call.id, text, call.name)
