"""What the exceptions of runtimes on this machine mean: while loading, reading the prompt, or generating.

Most means the same in all of them, and stands here. They are known by their names, since their packages may not be
there to be imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..process.inside import Inside

Meaning = tuple[ErrorKind, Scope, Sent]

_K = ErrorKind

NOT_FOUND: Final = (_K.NOT_FOUND, Scope.MODEL, Sent.NO)
UNSUPPORTED: Final = (_K.UNSUPPORTED, Scope.MODEL, Sent.NO)
OF_THE_MODEL: Final = (_K.INVALID_REQUEST, Scope.MODEL, Sent.NO)
OF_THE_REQUEST: Final = (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO)
NO_MEMORY: Final = (_K.OVERLOADED, Scope.MODEL, Sent.NO)
_CONNECTION: Final = (_K.CONNECTION, Scope.MODEL, Sent.NO)

# By the name of the exception, or of one that it derives or came from; the outermost that is here counts.
_BY_NAME: Final[Mapping[str, Meaning]] = {
    "ImportError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "GatedRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "DisabledRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "RepositoryNotFoundError": NOT_FOUND,
    "RevisionNotFoundError": NOT_FOUND,
    "RemoteEntryNotFoundError": NOT_FOUND,
    "HFValidationError": NOT_FOUND,
    "LocalEntryNotFoundError": _CONNECTION,
    "OfflineModeIsEnabled": _CONNECTION,
    "ConnectError": _CONNECTION,
    "ConnectionError": _CONNECTION,
    "ConnectTimeout": _CONNECTION,
    "ReadTimeout": _CONNECTION,
    "NotWhole": NOT_FOUND,
    "SafetensorError": NOT_FOUND,
    "UnpicklingError": NOT_FOUND,
    "MemoryError": NO_MEMORY,
    "OutOfMemoryError": NO_MEMORY,
    "Unset": (_K.AUTHENTICATION, Scope.MODEL, Sent.NO),
    "Unsupported": (_K.UNSUPPORTED, Scope.REQUEST, Sent.NO),
    "Uncompilable": OF_THE_REQUEST,
    "TemplateError": OF_THE_REQUEST,
    "UndefinedError": OF_THE_REQUEST,
}
# Where no name says more: what went on when it was raised, and the name of its class or of one that that derives from.
_BY_PHASE: Final[Mapping[tuple[str, str], Meaning]] = {
    ("loading", "OSError"): NOT_FOUND,
    ("loading", "EOFError"): NOT_FOUND,
    ("loading", "UnicodeDecodeError"): NOT_FOUND,
    ("loading", "JSONDecodeError"): NOT_FOUND,
    ("loading", "ValueError"): OF_THE_MODEL,  # an argument that has no such value
    ("loading", "TypeError"): OF_THE_MODEL,
    ("loading", "Exception"): (_K.SERVER, Scope.MODEL, Sent.NO),
    ("reading", "Exception"): OF_THE_REQUEST,
    ("generating", "ValueError"): OF_THE_REQUEST,
    ("generating", "TypeError"): OF_THE_REQUEST,
    ("generating", "OverflowError"): OF_THE_REQUEST,
    ("generating", "Exception"): (_K.SERVER, Scope.REQUEST, Sent.YES),
}
# Runtimes raise many exceptions where there isn't memory enough, and say so in one of these ways, in any case.
_OF_MEMORY: Final = (
    "bad_alloc",
    "can't allocate",
    "cannot allocate",
    "failed to allocate",
    "failed to map segment",
    "insufficient memory",
    "not enough memory",
    "out of memory",
    "out_of_resources",
    "unable to allocate",
)


Words = tuple[str, str | Inside, Meaning]
"""A phase, words that an exception says in it, in any case, and what that means. Words are an `Inside` where a test can
look for them in the library's source."""


def _in_lower_case(by_words: tuple[Words, ...]) -> tuple[tuple[str, str, Meaning], ...]:
    return tuple(
        (phase, (words.name if isinstance(words, Inside) else words).lower(), meaning)
        for phase, words, meaning in by_words
    )


@attrs.frozen
class Errors:
    """What a runtime's exceptions mean: what all share, and what it says in names, words and phases of its own.

    Of `by_words` the first that fits counts. `extra` is what `pip`
    is told to install for the runtime, with the packages of `brings`.
    """

    provider: str
    extra: str
    brings: frozenset[str] = frozenset()
    by_name: Mapping[str, Meaning] = attrs.field(factory=dict)
    by_phase: Mapping[tuple[str, str], Meaning] = attrs.field(factory=dict)
    by_words: tuple[tuple[str, str, Meaning], ...] = attrs.field(default=(), converter=_in_lower_case)
    say: Callable[[Exception], str] = lambda error: f"{type(error).__name__}: {' '.join(str(error).split())}"

    def translate(self, error: Exception, model_id: str | None = None, phase: str = "generating") -> ModelError:
        """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`."""
        if isinstance(error, ModelFailure):
            return attrs.evolve(error.error, provider=self.provider, model_id=model_id)
        text = self.say(error)
        kind, scope, sent = self.meaning(error, phase)
        if kind is _K.MISSING_DEPENDENCY:
            text = self._with_its_fix(error)
        elif phase == "loading" and repr(model_id) not in text:
            text = f"{model_id!r}: {text}"
        return ModelError(kind, text, scope=scope, sent=sent, provider=self.provider, model_id=model_id)

    def meaning(self, error: Exception, phase: str) -> Meaning:
        """The kind, whose fault it is, and whether anything was generated. A name that begins the text counts first."""
        by_name, by_phase = {**_BY_NAME, **self.by_name}, {**_BY_PHASE, **self.by_phase}
        message = " ".join(str(error).split()).lower()
        own = (self.say(error).partition(":")[0], *(base.__name__ for base in type(error).__mro__))
        meaning: Meaning | None = NO_MEMORY if any(words in message for words in _OF_MEMORY) else _BY_NAME.get(own[1])
        meaning = meaning or next((it for when, words, it in self.by_words if when == phase and words in message), None)
        meaning = meaning or next((by_name[name] for name in (*own, *names(error)) if name in by_name), None)
        meaning = meaning or next(by_phase[phase, name] for name in own if (phase, name) in by_phase)
        return (*NO_MEMORY[:2], Sent.YES) if meaning is NO_MEMORY and phase == "generating" else meaning

    def _with_its_fix(self, error: Exception) -> str:
        message, name = " ".join(str(error).split()), (getattr(error, "name", None) or "").partition(".")[0]
        if "pip install" in message:
            return message
        return f"{message}; pip install {name if name and name not in self.brings else self.extra}"


def names(error: BaseException) -> Iterator[str]:
    """The names of its class and what that derives from, and then of what it came from, from the outermost inwards.

    >>> error = ValueError("inner")
    >>> error.__cause__ = KeyError("innermost")
    >>> [name for name in names(error) if name.endswith("Error")]
    ['ValueError', 'KeyError', 'LookupError']
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield from (base.__name__ for base in type(link).__mro__)
        link = link.__cause__ or link.__context__
