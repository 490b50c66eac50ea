"""The names of a package, each loaded when it is first asked for: its stub, `__init__.pyi`, is the one table of them.

Type checkers and editors read the stub as they always do, and so does this: a name stands in one place, and importing
the package brings in nothing else. The library lazy_loader does the same; this is shorter than what it would add.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def attach(package: str, file: str, *elsewhere: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package, whose `__init__.py` is `file`.

    A name that one of the folders `elsewhere` exports raises ImportError, which says so: `from ... import` drops the
    words of an AttributeError.
    """
    homes = _homes(Path(file).parent)

    def load(name: str) -> Any:
        for folder in () if name in homes else elsewhere:
            if name in _homes(Path(file).parent / folder):
                raise ImportError(f"{name} is in {package}.{folder}: from {package}.{folder} import {name}", name=name)
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted({*vars(sys.modules[package]), *homes}), sorted(homes)


def _homes(folder: Path) -> dict[str, str]:
    """The module of each name that a stub exports: `from .retry import with_retry as with_retry`.

    `from .layers import *` exports all that the stub of that package does.
    """
    homes: dict[str, str] = {}
    for node in ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.asname for alias in node.names if alias.asname]
            for name in names or _homes(folder.joinpath(*node.module.split("."))):
                homes[name] = "." * node.level + node.module
    return homes
