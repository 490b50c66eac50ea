"""What vLLM's exceptions mean, and what its processes failed with, which they write into a log and nowhere else.

An engine that can't start only raises that it couldn't; why is in the log, from the first of its processes to fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..local.errors import COMMON, Meaning, names

PROVIDER: Final = "vllm"
_RECORD: Final = "\x1e"
_RAISED: Final = re.compile(r"^((?:\w+\.)*\w+): (.*)", re.MULTILINE)


class Failed(Exception):
    """The engine's processes failed with this, which begins with the exception's name."""


def written_to(config: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The parts of a logging configuration that also write errors to this file, each begun by a record separator."""
    own = {"class": "logging.FileHandler", "filename": str(file), "delay": True, "level": "ERROR", "formatter": "bare"}
    loggers = dict(config["loggers"])
    loggers["vllm"] = {**loggers["vllm"], "handlers": [*loggers["vllm"]["handlers"], "modelport"]}
    return {
        "formatters": {**config["formatters"], "bare": {"format": f"{_RECORD}%(message)s"}},
        "handlers": {**config["handlers"], "modelport": own},
        "loggers": loggers,
    }


def cause(log: str) -> str:
    r"""The exception that the first failure in such a log came to; empty where there is none.

    >>> cause("\x1eIt failed\nTraceback (most recent call last):\n  File ...\nValueError: no room\nfor it\n\x1eanother")
    'ValueError: no room for it'
    """
    for record in log.split(_RECORD):
        if "died unexpectedly" in record:
            return record.partition("\n")[0].partition(", ")[0]
        raised = list(_RAISED.finditer(record.partition("Traceback (most recent call last):")[2]))
        if raised and not raised[-1].group(1).endswith("EngineDeadError"):
            name, said = raised[-1].group(1), record[record.rindex(raised[-1].group(0)) :].partition(": ")[2]
            return f"{name.rpartition('.')[2]}: {' '.join(said.split())}"
    return ""


_K = ErrorKind

# By the name of the exception or of one that it came from; the first that is found, from the outermost inwards.
_BY_NAME: Mapping[str, Meaning] = {
    **COMMON,
    "Closed": (_K.INTERRUPTED, Scope.MODEL, Sent.YES),
    "EngineDeadError": (_K.SERVER, Scope.MODEL, Sent.YES),
    "QueueOverflowError": (_K.OVERLOADED, Scope.MODEL, Sent.NO),
    "MaxQueuedTokensError": (_K.OVERLOADED, Scope.MODEL, Sent.NO),
    "OutOfMemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.NO),
    "MemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.NO),
    "SafetensorError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "LoRAAdapterNotFoundError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    "VLLMValidationError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
}
# Where no name says more: what went on when it was raised.
_BY_PHASE: Mapping[tuple[str, str], Meaning] = {
    ("loading", "ImportError"): (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    ("loading", "OSError"): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", "TypeError"): (_K.INVALID_REQUEST, Scope.MODEL, Sent.NO),
    ("loading", "ValueError"): (_K.INVALID_REQUEST, Scope.MODEL, Sent.NO),
    ("reading", "Exception"): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", "ValueError"): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", "OverflowError"): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", "TypeError"): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
}
# What is said of the same thing under the names of many exceptions.
_WORDS: Mapping[str, ErrorKind] = {
    "can't allocate memory": _K.OVERLOADED,
    "cannot allocate memory": _K.OVERLOADED,
    "not enough memory": _K.OVERLOADED,
    "out of memory": _K.OVERLOADED,
    "available memory on node": _K.OVERLOADED,
    "available kv cache memory": _K.OVERLOADED,
    "no available memory": _K.OVERLOADED,
    "free memory on device": _K.OVERLOADED,
    "are not supported for now": _K.UNSUPPORTED,
    "model architectures": _K.UNSUPPORTED,
    "cannot find any model weights": _K.NOT_FOUND,
    "safetensor": _K.NOT_FOUND,
    "weights were not initialized": _K.NOT_FOUND,
}


def translate(error: Exception, model_id: str | None = None, phase: str = "generating", why: str = "") -> ModelError:
    """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`.

    `why` is what the engine's processes said, where they failed.
    """
    if isinstance(error, ModelFailure):
        return attrs.evolve(error.error, provider=PROVIDER, model_id=model_id)
    name, said = type(error).__name__, " ".join(str(error).split())
    if name == "EngineGenerateError" and error.__cause__ is not None:
        name, said = type(error.__cause__).__name__, " ".join(str(error.__cause__).split())
    if isinstance(error, Failed):
        name, _, said = said.partition(": ")
    kind, scope, sent = _meaning(error, name, said, phase)
    message = f"{name}: {said}"
    if name == "EngineDeadError":
        kind = ErrorKind.OVERLOADED if _by_words(why) is ErrorKind.OVERLOADED else kind
        message = "the engine died" + (f": {why}" if why else "") + "; the next call starts it again"
    elif name == "Closed":
        message = "the model was closed while it answered"
    elif kind is ErrorKind.MISSING_DEPENDENCY:
        ours = getattr(error, "name", None) in ("vllm", None)
        fix = "pip install 'modelport[vllm]'" if ours else "vLLM needs it for this model"
        message = f"vLLM can't be imported ({said}): {fix}"
    elif phase == "loading":
        message = f"{model_id!r}: {message}"
    return ModelError(kind, message, scope=scope, sent=sent, provider=PROVIDER, model_id=model_id)


def _meaning(error: Exception, name: str, said: str, phase: str) -> Meaning:
    if phase == "loading" and (kind := _by_words(said)) is not None:
        return kind, Scope.MODEL, Sent.NO
    called = [name, *names(error)]
    known = [_BY_NAME[base] for base in called if base in _BY_NAME]
    known += [_BY_PHASE[phase, base] for base in called if (phase, base) in _BY_PHASE]
    return known[0] if known else (ErrorKind.SERVER, Scope.MODEL if phase == "loading" else Scope.REQUEST, Sent.YES)


def _by_words(said: str) -> ErrorKind | None:
    spoken = said.lower()
    return next((kind for words, kind in _WORDS.items() if words in spoken), None)
