"""How long an answer gets, and whether its tokens are drawn: one rule for every runtime on this machine. Pure.

The call beats the constructor, and both beat the model's own `generation_config.json`. Where none says how to sample,
the likeliest token is taken; where none says how long the answer gets, it has at most 4,096 tokens. It never outgrows
the context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

DEFAULT_MAX_TOKENS: Final = 4096

DRAWING: Final = ("temperature", "top_p", "top_k", "min_p")
"""The options that say how a token is drawn."""

_OF_A_CONFIG: Final = (*DRAWING, "repetition_penalty", "max_new_tokens")


def draws(options: Mapping[str, Any], usually: bool) -> bool:
    """Whether a call with these options draws its tokens, where the model does so `usually` or not.

    >>> draws({"top_p": 0.9}, False), draws({"top_p": 0.9, "temperature": 0}, True)
    (True, False)
    """
    temperature = options.get("temperature")
    if temperature is not None:
        return bool(temperature)
    return usually or any(options.get(name) is not None for name in DRAWING)


def longest(max_tokens: int | None, room: int | None) -> int:
    """How many tokens an answer may have, of what was asked for and what the context leaves, where that is known.

    >>> longest(None, None), longest(9000, 100)
    (4096, 100)
    """
    most = DEFAULT_MAX_TOKENS if max_tokens is None else max_tokens
    return most if room is None else min(most, room)


@attrs.frozen
class Usual:
    """What a model's own `generation_config.json` says, under the names of options; and whether it draws."""

    options: Mapping[str, Any] = attrs.field(factory=dict)
    drawn: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Usual:
        """What there is of it in the file."""
        defaults = {name: config[name] for name in _OF_A_CONFIG if config.get(name) is not None}
        if "max_new_tokens" in defaults:
            defaults["max_tokens"] = defaults.pop("max_new_tokens")
        return cls(defaults, bool(config.get("do_sample")))

    def under(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a call over these; with temperature 0 where its tokens aren't drawn.

        >>> Usual.of({"do_sample": True, "temperature": 0.6, "max_new_tokens": 9}).under({"max_tokens": 7})
        {'temperature': 0.6, 'max_tokens': 7}
        """
        asked_for = {name: value for name, value in options.items() if value is not None}
        if draws(asked_for, self.drawn):
            return {**self.options, **asked_for}
        both = {**self.options, **asked_for, "temperature": 0.0}
        return {name: value for name, value in both.items() if name == "temperature" or name not in DRAWING}
