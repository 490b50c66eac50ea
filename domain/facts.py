"""What is known of models by their ids, as tables; `Capabilities(max_stops=...)` says otherwise where they are wrong.

A wrong guess does no harm where a provider merely ignores stops: the domain cuts every answer itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_BEGIN = r"(?:^|.*[^a-z0-9])"  # the name, or an Azure deployment that has it in its own: my-gpt-5-deploy

_REJECTS_STOP: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"o3(?!-mini)(?:-.*)?$",  # o3, o3-pro, o3-2025-04-16, but not o3-mini nor its dates
        r"o4(?:-.*)?$",  # o4-mini and its dates
        _BEGIN + r"gpt-?5",  # gpt-5 and all that follows it: gpt-5.1, gpt-5-mini; gpt5.1 is a deployment's spelling
        _BEGIN + r"grok-?(?:[3-9]|code)",  # xAI's reasoning models: grok-3-mini, grok-4, grok-code-fast-1
    )
)

_TAKES_STOPS: Final = tuple(
    (re.compile(pattern), limit)
    for pattern, limit in (
        (r"(?:gpt-?[34]|chatgpt|davinci|babbage)", 4),  # OpenAI: "up to 4 sequences"
        (r"o[13](?:-|$)", 4),
    )
)


def rejects_stop(model_id: str) -> bool:
    """Whether a provider refuses a call of this model that has a `stop` at all.

    >>> rejects_stop("openai/o4-mini"), rejects_stop("o3-mini")
    (True, False)
    """
    return max_stops(model_id) == 0


@lru_cache(maxsize=1024)
def max_stops(model_id: str) -> int | None:
    """How many stops the provider of this model takes: 0 for none, None where no limit is known.

    >>> max_stops("gpt-5"), max_stops("gpt-4o"), max_stops("mistral-large")
    (0, 4, None)
    """
    name = _name(model_id)
    if any(pattern.match(name) for pattern in _REJECTS_STOP):
        return 0
    return next((limit for pattern, limit in _TAKES_STOPS if pattern.match(name)), None)


def _name(model_id: str) -> str:
    """The model's own name: without the provider before it, and without a variant (`:free`) after it."""
    name = model_id.rsplit("/", 1)[-1].lower().strip()
    return name.removeprefix("ft:").split(":", 1)[0]  # ft:gpt-4o-mini:company::id is a fine-tuned model
