"""What the exceptions of transformers, torch and the Hub mean: while loading, reading the prompt, or generating."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..local.errors import COMMON, Meaning, names

PROVIDER = "transformers"

_K = ErrorKind

# By the name of the exception or of one that it came from; the first that is found, from the outermost inwards.
_BY_NAME: Mapping[str, Meaning] = {
    **COMMON,
    "ImportError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "OutOfMemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.YES),
    "MemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.YES),
    "RemoteEntryNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "ReadTimeout": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "NotWhole": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "SafetensorError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "UnpicklingError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
}
# Where no name says more: what went on when it was raised.
_BY_PHASE: Mapping[tuple[str, type[Exception]], Meaning] = {
    ("loading", OSError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", EOFError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", UnicodeDecodeError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", json.JSONDecodeError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", ValueError): (_K.INVALID_REQUEST, Scope.MODEL, Sent.NO),  # an argument that has no such value
    ("loading", TypeError): (_K.INVALID_REQUEST, Scope.MODEL, Sent.NO),
    ("loading", Exception): (_K.SERVER, Scope.MODEL, Sent.NO),
    ("reading", Exception): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", ValueError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", TypeError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", Exception): (_K.SERVER, Scope.REQUEST, Sent.YES),
}
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")
_OF_LOADING: Mapping[str, ErrorKind] = {  # what plain exceptions say, of files and of arguments
    "trust_remote_code": _K.PERMISSION,
    "Unrecognized model": _K.NOT_FOUND,
    "ignore_mismatched_sizes": _K.NOT_FOUND,
    "does not recognize this architecture": _K.UNSUPPORTED,
    "module 'torch' has no attribute": _K.INVALID_REQUEST,  # a dtype that there isn't
}
_EXTRA: Final = {"torch", "transformers", "accelerate", "gguf", "llguidance", "PIL"}


def translate(error: Exception, model_id: str | None = None, phase: str = "generating") -> ModelError:
    """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`."""
    if isinstance(error, ModelFailure):
        return attrs.evolve(error.error, provider=PROVIDER, model_id=model_id)
    kind, scope, sent = _meaning(error, phase)
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if phase == "loading":
        message = f"{model_id!r}: {message}"
    if kind is ErrorKind.MISSING_DEPENDENCY:
        message = _with_its_fix(error)
    return ModelError(kind, message, scope=scope, sent=sent, provider=PROVIDER, model_id=model_id)


def out_of_memory(error: Exception) -> bool:
    """Whether it says that there isn't memory enough."""
    return _meaning(error, "generating")[0] is _K.OVERLOADED


def _meaning(error: Exception, phase: str) -> Meaning:
    said = str(error)
    if any(words in said for words in _NO_MEMORY):
        return _BY_NAME["OutOfMemoryError"]
    of_loading = next((kind for words, kind in _OF_LOADING.items() if phase == "loading" and words in said), None)
    if of_loading is not None:
        return of_loading, Scope.MODEL, Sent.NO
    named = next((_BY_NAME[name] for name in names(error) if name in _BY_NAME), None)
    return named or next(
        meant for (when, kind), meant in _BY_PHASE.items() if when == phase and isinstance(error, kind)
    )


def _with_its_fix(error: Exception) -> str:
    said, name = " ".join(str(error).split()), (getattr(error, "name", None) or "").partition(".")[0]
    if "pip install" in said:
        return said
    return (
        f"{said}; pip install {name}"
        if name and name not in _EXTRA
        else f"{said}; pip install 'modelport[transformers]'"
    )
