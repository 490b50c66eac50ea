"""The functions of `--tools`, from a Python file or a module."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .foreign_code import printing_aside

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
        chosen = {name: found[name]} if name else found
        for twice in chosen.keys() & functions.keys():
            raise ValueError(f"--tools {place}: there is a tool {twice!r} already; each name stands for one function")
        functions |= chosen
    return functions


def _module(source: str, where: str) -> ModuleType:
    is_file = source.endswith(".py")
    try:
        with printing_aside():
            return _of_file(source) if is_file else importlib.import_module(source)
    except BaseException as error:  # a user's own file may raise anything, SystemExit too
        hint = f"; did you mean {source}.py?" if Path(f"{source}.py").is_file() else ""
        raise ValueError(f"{where}: it can't be imported: {type(error).__name__}: {error}{hint}") from error


def _of_file(source: str) -> ModuleType:
    name = f"modelport_tools_{Path(source).stem}"  # a file json.py takes nobody's place
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
