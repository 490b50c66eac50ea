"""What makes a layer refuses an argument that it doesn't have with the right name, and is known for what it is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from ...domain.frozen import FrozenDict
from ...domain.options.misnamed import nearest
from .compose import MAKER, Layer

P = ParamSpec("P")
L = TypeVar("L", bound=Layer)

_MEANT: Final[Mapping[str, tuple[str, ...]]] = FrozenDict(
    {
        name: arguments
        for words, arguments in {
            "retries max_retries max_attempts max_tries tries times n_retries num_retries": ("attempts", "repair"),
            "backoff initial_delay min_wait": ("base",),
            "max_delay max_backoff": ("cap", "max_wait"),
            "rate requests_per_minute max_rpm limit calls": ("rpm", "n"),
            "tokens_per_minute max_tpm": ("tpm",),
            "seconds timeout per_call": ("attempt", "delay", "ttl"),
            "deadline overall": ("total",),
            "max_concurrency max_concurrent concurrency size": ("n",),
            "queue queue_size": ("max_queue",),
            "max_age expires expire expire_after": ("ttl",),
            "path file filename": ("store", "path"),
            "cost budget dollars max_cost": ("usd",),
            "fallback fallbacks model candidates": ("models",),
            "exceptions errors retry_on when": ("on",),
            "threshold failure_ratio failures": ("ratio",),
            "cooldown recovery_timeout reset_timeout": ("pause",),
            "after": ("delay",),
            "strategy policy": ("by",),
            "schema response_model response_format validator": ("check",),
            "level_name log_level": ("level",),
        }.items()
        for name in words.split()
    }
)
"""The field's other words for an argument: it is the first of these that the layer has."""


def makes_layer(make: Callable[P, L]) -> Callable[P, L]:
    """The same function; TypeError for an argument that it doesn't have names the one that is meant."""
    parameters = inspect.signature(make).parameters
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())

    @wraps(make)
    def made(*args: P.args, **named: P.kwargs) -> L:
        for name in named if not takes_any else ():
            if name not in parameters:
                raise TypeError(_refusal(make.__name__, name, parameters))
        return make(*args, **named)

    vars(made)[MAKER] = True
    return made


def argument_meant(name: str, arguments: Collection[str]) -> str | None:
    """Which of a layer's arguments this word of the field means, if it is one.

    >>> argument_meant("retries", ["attempts", "base"])
    'attempts'
    """
    return next((argument for argument in _MEANT.get(name, ()) if argument in arguments), None)


def _refusal(maker: str, name: str, parameters: Mapping[str, inspect.Parameter]) -> str:
    if "models" in _MEANT.get(name, ()) and "models" in parameters:
        return f"{maker}: there is no argument {name!r}; the models come first: {maker}(model, ...)"
    meant = argument_meant(name, parameters) or nearest(name, parameters)
    takes = f"did you mean {meant}=?" if meant else f"it takes {', '.join(parameters)}"
    return f"{maker}: there is no argument {name!r}; {takes}"
