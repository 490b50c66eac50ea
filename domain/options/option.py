"""Options of a call, and the one rule by which they meet: the stronger level wins, name by name.

The call beats the constructor, the constructor beats the library. `OMIT` takes an option away again, at any level;
`None` is a value like any other. Names that the core knows are canonical; those of `option_names` go to the provider
as they are; what isn't known is refused where it is said, and goes into `extra_body={...}`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ..frozen import EMPTY, FrozenDict, freeze
from ..response_format import as_response_format
from ..unicode import well_formed
from .misnamed import refusal
from .option_names import RESERVED
from .option_values import VALUES


class Omit(enum.Enum):
    """The type of `OMIT`; an enum member stays itself through copy and pickle."""

    OMIT = "OMIT"

    def __repr__(self) -> str:
        return "OMIT"


OMIT: Final = Omit.OMIT
"""Takes an option away: `model(messages, temperature=OMIT)` sends no temperature, whatever the constructor said."""

ALIASES: Final[Mapping[str, str]] = FrozenDict(
    {
        "max_new_tokens": "max_tokens",  # transformers
        "max_completion_tokens": "max_tokens",  # OpenAI's reasoning models
        "max_output_tokens": "max_tokens",  # OpenAI responses, Gemini
        "maxTokens": "max_tokens",  # Bedrock Converse
        "topP": "top_p",
        "topK": "top_k",
        "random_seed": "seed",  # Mistral
        "repeat_penalty": "repetition_penalty",  # llama.cpp
    }
)
"""The field's other spellings of an option, and the canonical one."""


def canonical(
    options: Mapping[str, Any],
    where: str = "options",
    known: Collection[str] | None = None,
    takes: Callable[..., Any] | None = None,
) -> FrozenDict:
    """The options under their canonical names, checked and frozen.

    `known` are the names that options have here; without it a name that the core doesn't know passes untouched.
    `takes` is the constructor that takes them beside its arguments. Raises ValueError or TypeError, naming the option
    and the fix, for a name that isn't known, two spellings of one option, a number that is no number, or a field of the
    request that was written as an option.
    """
    if isinstance(options, _Canonical):
        return options
    if not options:
        return EMPTY
    if not isinstance(options, Mapping):
        raise TypeError(f"{where}: options come as a dict by name, not {options!r}")
    spelled: dict[str, str] = {}
    out: dict[str, Any] = {}
    for name, value in options.items():
        if not isinstance(name, str):
            raise TypeError(f"{where}: an option's name is a string, not {name!r}")
        option = ALIASES.get(name, name)
        if option not in known if known is not None else name in RESERVED:
            raise ValueError(refusal(name, where, known or (), takes))
        if option in spelled:
            raise ValueError(f"{where}: {spelled[option]!r} and {name!r} are two spellings of one option; keep one")
        spelled[option] = name
        frozen = freeze(value)
        _check(f"{where}: {name}", option, frozen)
        out[option] = frozen
    return _Canonical(out)


def spread(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options with those of `extra_body` among them, for what has no body. Raises ValueError for one said twice.

    >>> spread({"seed": 7, "extra_body": {"mood": "happy"}})
    {'seed': 7, 'mood': 'happy'}
    """
    extra = options.get("extra_body")
    if "extra_body" not in options:
        return options
    own = {name: value for name, value in options.items() if name != "extra_body"}
    if not isinstance(extra, Mapping | None):
        raise ValueError(f"options: extra_body is a dict, not {type(extra).__name__}")
    twice = own.keys() & (extra or {}).keys()
    if twice:
        raise ValueError(f"options: {min(twice)} stands in extra_body too; keep one")
    return {**own, **(extra or {})}


class _Canonical(FrozenDict):
    """Options that `canonical` has seen, so that it need not look again."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return (_Canonical, (dict(self),))


def _check(where: str, name: str, value: Any) -> None:
    _check_value(where, value)
    if name == "grammar" and value is not OMIT:
        as_response_format(value, where)
    if name in VALUES and value is not None and value is not OMIT:
        VALUES[name].check(value, where)


def _check_value(where: str, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} must be a finite number, not {value!r}")
    if isinstance(value, str):
        well_formed(value, where)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_value(f"{where}[{name!r}]", item)
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            _check_value(f"{where}[{at}]", item)


def merge(weaker: Mapping[str, Any], stronger: Mapping[str, Any]) -> FrozenDict:
    """Both levels as one: where both name an option, the stronger one's value stands.

    An `OMIT` is kept, so that it also takes the option away from levels merged in later; `resolve` drops it at the
    end. Associative, with the empty mapping as identity; neither argument is changed.

    >>> merge({"temperature": 0.2, "seed": 7}, {"temperature": 0.9})
    {'temperature': 0.9, 'seed': 7}
    """
    weak, strong = canonical(weaker), canonical(stronger)
    if not strong:
        return weak
    if not weak:
        return strong
    return _Canonical({**weak, **strong})


def resolve(*levels: Mapping[str, Any]) -> FrozenDict:
    """What is sent when these levels meet, the weakest first: all that is not `OMIT`.

    >>> resolve({"temperature": 0.2, "seed": 7}, {"temperature": OMIT})
    {'seed': 7}
    """
    merged: FrozenDict = EMPTY
    for level in levels:
        if level:
            merged = merge(merged, level)
    if merged and any(value is OMIT for value in merged.values()):
        return _Canonical({name: value for name, value in merged.items() if value is not OMIT})
    return merged
