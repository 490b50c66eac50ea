"""A library as a release would be that calls something otherwise: its own source, with another name in it."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from typing import Any

import pytest


def renamed(thing: Any, name: str, monkeypatch: pytest.MonkeyPatch, owner: Any = None) -> Any:
    """This class or function, with another name (or another text) in it; it stands in its module or class now."""
    source = textwrap.dedent(inspect.getsource(thing))
    changed = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", other(name), source)
    assert changed != source, name
    module = sys.modules[thing.__module__]
    names = dict(vars(module))
    exec(compile(changed, f"<{thing.__name__} without {name}>", "exec"), names)
    monkeypatch.setattr(owner or module, thing.__name__, names[thing.__name__])
    return names[thing.__name__]


def of_another_release(holder: Any, cls: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a thing one of that release."""
    new = renamed(cls, name, monkeypatch)
    kind = type(holder)
    if kind is not cls:  # such as the class that botocore makes for each service
        new = type(kind.__name__, tuple(new if base is cls else base for base in kind.__bases__), dict(vars(kind)))
    held = vars(holder)
    if name in held:
        held[other(name)] = held.pop(name)
    holder.__class__ = new


def other(name: str) -> str:
    """What it is called there."""
    return f"{name[:-1]}0{name[-1]}"
