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


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package, whose `__init__.py` is `file`."""
    homes = _homes(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted({*vars(sys.modules[package]), *homes}), sorted(homes)


def _homes(stub: str) -> dict[str, str]:
    """The module of each name that a stub exports: `from .retry import with_retry as with_retry`."""
    imports = (each for each in ast.parse(stub).body if isinstance(each, ast.ImportFrom))
    return {
        alias.name: "." * each.level + (each.module or "") for each in imports for alias in each.names if alias.asname
    }
