"""What is leaned on inside a library, beyond its public face: named, tested, and said once where it is gone.

A provider's `sdk.py` lists its own as `INSIDES`. A test asks each of them whether it still stands, so that a newer
release is noticed here; where a user has it before us, a warning says what no longer works.
"""

from __future__ import annotations

import inspect
import platform
import re
import sys
import warnings
from importlib import import_module, metadata
from typing import Any

import attrs


class LibraryChanged(UserWarning):
    """A library no longer has something that was leaned on: the warning says what is lost without it."""


class Gone(ImportError):
    """A library no longer has something that no call can be made without."""


@attrs.frozen
class Inside:
    """A name inside a library: its distribution, the module or class that has it, and what a user loses without it.

    `owner` is written `package.module` or `package.module:Class`. `lost` ends the sentence "... is gone: `lost`". The
    name may also be a text in the code, such as the words of a message.
    """

    package: str
    owner: str
    name: str
    lost: str

    def of(self, holder: Any, default: Any = None) -> Any:
        """The attribute of this name that `holder` has; where it has none, `default`, and one warning."""
        value = getattr(holder, self.name, self)
        if value is not self:
            return value
        self.gone()
        return default

    def put(self, holder: Any, value: Any) -> None:
        """Set the attribute of this name, where `holder` has it; elsewhere nobody would look there: one warning."""
        if hasattr(holder, self.name):
            setattr(holder, self.name, value)
        else:
            self.gone()

    def needed(self, holder: Any) -> Any:
        """The attribute of this name that `holder` has. Raises `Gone` where it has none."""
        value = getattr(holder, self.name, self)
        if value is self:
            raise Gone(f"{self.package} {_version(self.package)} {self._what}", name=self.package)
        return value

    def check(self) -> None:
        """Raise `Gone` unless the installed release has it."""
        try:
            stands = self.stands()
        except (AttributeError, ImportError, OSError, TypeError):  # where it was, or where that could be read
            stands = False
        if not stands:
            raise Gone(f"{self.package} {_version(self.package)} {self._what}", name=self.package)

    def gone(self) -> None:
        """Warn, once in a process."""
        changed(self.package, self._what)

    @property
    def _what(self) -> str:
        return f"has no {self.owner}.{self.name} any more: {self.lost}"

    def stands(self) -> bool:
        """Whether the installed release has it: as an attribute, or in the source of its class, module or function."""
        owner = self.holder()
        if hasattr(owner, self.name) or self.name in getattr(owner, "__annotations__", ()):
            return True
        sources = list(inspect.getmro(owner)[:-1]) if inspect.isclass(owner) else [owner]
        return any(_says(inspect.getsource(each), self.name) for each in sources)

    def holder(self) -> Any:
        """The module, class or function that has it."""
        module, _, qualname = self.owner.partition(":")
        owner: Any = import_module(module)
        for part in qualname.split(".") if qualname else ():
            owner = getattr(owner, part)
        return owner


@attrs.frozen
class Argument(Inside):
    """An argument of a function, whose `name` may be one of several: `cache or past_key_values`."""

    def of(self, holder: Any, default: Any = None) -> Any:
        """Which of these names the function's argument has; where it has none of them, `default`, and one warning."""
        name = self._taken(holder)
        if name is not None:
            return name
        self.gone()
        return default

    def stands(self) -> bool:
        """Whether the function of the installed release takes it."""
        return self._taken(self.holder()) is not None

    def _taken(self, function: Any) -> str | None:
        known = inspect.signature(function).parameters
        return next((name for name in self.name.split(" or ") if name in known), None)


def _says(source: str, name: str) -> bool:
    """Whether this code assigns, defines, imports or quotes a name; words that are no name just stand in it."""
    if not name.isidentifier():
        return name in source
    assigned = rf"(?:\b(?:self|cls)\.|^\s*){name}\s*(?::[^=\n]+)?=(?!=)"
    return bool(re.search(rf"{assigned}|\b(?:def|class|import) {name}\b|[\"']{name}[\"']", source, re.MULTILINE))


def changed(package: str, what: str) -> None:
    """Warn, once in a process, of what the release of this package that is installed does otherwise."""
    message = f"{package} {_version(package)} {what}"
    if message not in _said:
        _said.add(message)
        warnings.warn(message, LibraryChanged, stacklevel=3)


_said: set[str] = set()


def _version(package: str) -> str:
    if package == "Python":
        return platform.python_version()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        module = sys.modules.get(package)  # as with vLLM, which has another name where it is built for a CPU
        return str(getattr(module, "__version__", "(of an unknown version)"))
