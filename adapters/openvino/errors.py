"""What the exceptions of OpenVINO mean beside what those of every runtime do. Its own are RuntimeErrors."""

from __future__ import annotations

import re
from typing import Final

from ..local.errors import NOT_FOUND, OF_THE_MODEL, OF_THE_REQUEST, UNSUPPORTED, Errors

_PLACE: Final = re.compile(r"\[\d\d:\d\d:\d\d\] \S+\.cc:\d+: ")  # xgrammar's


def text_of(exception: Exception) -> str:
    """What an exception of OpenVINO says, without the places in its C++ source."""
    lines = [line.strip() for line in str(exception).splitlines()]
    text = [line for line in lines if line and not line.startswith(("Exception from ", "Check '"))]
    return _PLACE.sub("", " ".join(text)) or str(exception).strip() or type(exception).__name__


ERRORS: Final = Errors(
    "openvino",
    "'modelport[openvino]'",
    frozenset({"openvino", "openvino_genai", "openvino_tokenizers"}),
    by_phase={("loading", "RuntimeError"): NOT_FOUND, ("loading", "IndexError"): NOT_FOUND},
    by_words=(
        ("loading", "unable to read the model", NOT_FOUND),
        ("loading", "gguf", UNSUPPORTED),
        ("loading", "unsupported property", OF_THE_MODEL),
        ("generating", "streaming is possible only", OF_THE_REQUEST),  # beams
        ("generating", "'max_length' must be", OF_THE_REQUEST),
        ("generating", "xgrammar", OF_THE_REQUEST),  # it compiles before the first token
    ),
    say=text_of,
)
translate: Final = ERRORS.translate
