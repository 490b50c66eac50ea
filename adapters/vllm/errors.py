"""What vLLM's exceptions mean, and what its processes failed with, which they write into a log and nowhere else.

An engine that can't start only raises that it couldn't; why is in the log, from the first of its processes to fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ..local.errors import NO_MEMORY, NOT_FOUND, OF_THE_REQUEST, UNSUPPORTED, Errors
from .engine import Closed
from .sdk import DIED, NO_ROOM, NO_SUCH_MODEL, NO_WEIGHTS

_RECORD: Final = "\x1e"
_RAISED: Final = re.compile(r"^((?:\w+\.)*\w+): (.*)", re.MULTILINE)


class EngineFailed(Exception):
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
        if DIED.name in record:
            return record.partition("\n")[0].partition(", ")[0]
        raised = list(_RAISED.finditer(record.partition("Traceback (most recent call last):")[2]))
        if raised and not raised[-1].group(1).endswith("EngineDeadError"):
            name, message = raised[-1].group(1), record[record.rindex(raised[-1].group(0)) :].partition(": ")[2]
            return f"{name.rpartition('.')[2]}: {' '.join(message.split())}"
    return ""


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, EngineFailed) else f"{type(error).__name__}: {text}"


_DEAD: Final = (ErrorKind.SERVER, Scope.MODEL, Sent.YES)
_FULL: Final = (ErrorKind.OVERLOADED, Scope.MODEL, Sent.NO)

ERRORS: Final = Errors(
    "vllm",
    "'modelport[vllm]'",
    by_name={
        "Closed": (ErrorKind.INTERRUPTED, Scope.MODEL, Sent.YES),
        "EngineDeadError": _DEAD,
        "QueueOverflowError": _FULL,
        "MaxQueuedTokensError": _FULL,
        "LoRAAdapterNotFoundError": OF_THE_REQUEST,
        "VLLMValidationError": OF_THE_REQUEST,
    },
    by_words=(  # what is said of the same thing under the names of many exceptions
        *(("loading", words, NO_MEMORY) for words in NO_ROOM),
        *(("loading", words, UNSUPPORTED) for words in NO_SUCH_MODEL),
        *(("loading", words, NOT_FOUND) for words in (*NO_WEIGHTS, "safetensor")),
    ),
    say=_said,
)


def translate(error: Exception, model_id: str | None = None, phase: str = "generating", why: str = "") -> ModelError:
    """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`.

    `why` is what the engine's processes said, where they failed.
    """
    source = error.__cause__ if type(error).__name__ == "EngineGenerateError" else None
    if isinstance(source, Exception):
        error = source
    failure = ERRORS.translate(error, model_id, phase)
    if isinstance(error, Closed):
        return attrs.evolve(failure, message="the model was closed while it answered")
    if type(error).__name__ == "EngineDeadError":
        of_memory = ERRORS.meaning(EngineFailed(why), "loading")[0] is ErrorKind.OVERLOADED
        message = "the engine died" + (f": {why}" if why else "") + "; the next call starts it again"
        return attrs.evolve(failure, kind=ErrorKind.OVERLOADED if of_memory else failure.kind, message=message)
    if failure.kind is ErrorKind.MISSING_DEPENDENCY and isinstance(error, ImportError):
        fix = "pip install 'modelport[vllm]'" if error.name in ("vllm", None) else "vLLM needs it for this model"
        return attrs.evolve(failure, message=f"vLLM can't be imported ({' '.join(str(error).split())}): {fix}")
    return failure
