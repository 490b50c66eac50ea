"""What exceptions mean that mlx-lm, MLX or a chat template raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..local.errors import COMMON, Meaning, names

PROVIDER: Final = "mlx"

_K = ErrorKind

# By the name of the exception or of one that it came from; the first that is found, from the outermost inwards.
_BY_NAME: Final[Mapping[str, Meaning]] = {
    **COMMON,
    "ImportError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "MemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.YES),
    "NotWhole": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
}
# Where no name says more: what went on when it was raised.
_BY_PHASE: Final[Mapping[tuple[str, type[Exception]], Meaning]] = {
    ("loading", OSError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", Exception): (_K.SERVER, Scope.MODEL, Sent.NO),
    ("reading", Exception): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", ValueError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", TypeError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", Exception): (_K.SERVER, Scope.REQUEST, Sent.YES),
}
# MLX's own exceptions are RuntimeErrors and ValueErrors, told apart by what they say, in any phase or in one.
_BY_WORDS: Final[tuple[tuple[str, str, Meaning], ...]] = (
    ("", "unable to allocate", _BY_NAME["MemoryError"]),
    ("", "bad_alloc", _BY_NAME["MemoryError"]),
    ("", "cannot allocate memory", _BY_NAME["MemoryError"]),
    ("", "insufficient memory", _BY_NAME["MemoryError"]),
    ("", "out of memory", _BY_NAME["MemoryError"]),
    ("loading", "[read] unable to read", (_K.NOT_FOUND, Scope.MODEL, Sent.NO)),
    ("loading", "safetensor", (_K.NOT_FOUND, Scope.MODEL, Sent.NO)),  # there are no weights, or no whole ones
    ("loading", "parameters not in model", (_K.UNSUPPORTED, Scope.MODEL, Sent.NO)),
    ("loading", "can be converted", (_K.UNSUPPORTED, Scope.MODEL, Sent.NO)),
    ("loading", "not supported", (_K.UNSUPPORTED, Scope.MODEL, Sent.NO)),
)


def translate(error: Exception, model_id: str | None = None, phase: str = "generating") -> ModelError:
    """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`."""
    if isinstance(error, ModelFailure):
        return attrs.evolve(error.error, provider=PROVIDER, model_id=model_id)
    kind, scope, sent = _meaning(error, phase)
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if phase == "loading":
        message = f"{model_id!r}: {message}"
    if kind is ErrorKind.MISSING_DEPENDENCY:
        message = f"{error}; pip install 'modelport[mlx]' (on Linux also 'mlx[cpu]')"
    if kind is ErrorKind.OVERLOADED and phase != "generating":
        sent = Sent.NO
    return ModelError(kind, message, scope=scope, sent=sent, provider=PROVIDER, model_id=model_id)


def _meaning(error: Exception, phase: str) -> Meaning:
    said = str(error).lower()
    for when, words, meaning in _BY_WORDS:
        if when in ("", phase) and words in said:
            return meaning
    named = next((_BY_NAME[name] for name in names(error) if name in _BY_NAME), None)
    return named or next(
        meant for (when, kind), meant in _BY_PHASE.items() if when == phase and isinstance(error, kind)
    )
