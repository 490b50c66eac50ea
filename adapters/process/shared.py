"""What keeps a state that several models or layers may share: a limiter, a breaker, a purse, slots."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, Final

WORDS: Final = frozenset({"breaker", "limiter", "purse", "slots"})
"""What they are called in a configuration."""


class Shared(ABC):
    """A state that may be shared. A copy, or one in another process, begins anew: what is known here isn't there."""

    word: ClassVar[str]
    """One of `WORDS`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        assert cls.word in WORDS, f"{cls.__name__}: write its word {cls.word!r} into WORDS"

    @abstractmethod
    def arguments(self) -> dict[str, Any]:
        """What its class is to be called with to make one like it."""

    def changed(self) -> dict[str, Any]:
        """Those of its arguments that aren't what they are by default."""
        parameters = inspect.signature(type(self)).parameters
        return {name: value for name, value in self.arguments().items() if value != parameters[name].default}

    def settings(self) -> str:
        """The changed arguments as they are passed, without the clock."""
        parameters = inspect.signature(type(self)).parameters
        passed = {name: repr(value).removesuffix(".0") for name, value in self.changed().items() if name != "clock"}
        needed = {name for name in passed if parameters[name].default is inspect.Parameter.empty}
        return ", ".join(text if name in needed else f"{name}={text}" for name, text in passed.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (partial(type(self), **self.arguments()), ())
