"""What the exceptions of transformers and torch mean beside what those of every runtime do."""

from __future__ import annotations

from typing import Final

from ...domain.error import ErrorKind, Scope, Sent
from ..local.errors import NOT_FOUND, OF_THE_MODEL, UNSUPPORTED, Errors
from .sdk import NO_MODEL, OTHER_WEIGHTS, OWN_CODE, UNKNOWN_KIND

ERRORS: Final = Errors(
    "transformers",
    "'modelport[transformers]'",
    frozenset({"torch", "transformers", "accelerate", "gguf", "llguidance", "PIL"}),
    by_words=(  # what plain exceptions say, of files and of arguments
        ("loading", OWN_CODE, (ErrorKind.PERMISSION, Scope.MODEL, Sent.NO)),
        ("loading", NO_MODEL, NOT_FOUND),
        ("loading", OTHER_WEIGHTS, NOT_FOUND),
        ("loading", UNKNOWN_KIND, UNSUPPORTED),
        ("loading", "module 'torch' has no attribute", OF_THE_MODEL),  # a dtype that there isn't
    ),
)
translate: Final = ERRORS.translate


def out_of_memory(error: Exception) -> bool:
    """Whether it says that there isn't memory enough."""
    return ERRORS.meaning(error, "generating")[0] is ErrorKind.OVERLOADED
