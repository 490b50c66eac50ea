"""What the value of an option must be, by the option's name: one table for every adapter and every place to say it.

It holds what the options that `Options` types may be, and no more than all who take one agree on: a server that admits
less says so. The options of one provider or runtime alone are that one's to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..checks import Number
from ..frozen import FrozenDict
from .option_names import names


@attrs.frozen
class Kind:
    """What a value must be besides a number: an instance of one of these, called so."""

    due: str
    types: tuple[type, ...]
    each: tuple[type, ...] = ()  # of what is in it, where that matters

    def check(self, value: Any, name: str) -> None:
        """Raises TypeError where it isn't so."""
        inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
        if not isinstance(value, self.types) or self.each and not all(map(self._fits, inside)):
            raise TypeError(f"{name} {self.due}, not {value!r}")

    def _fits(self, item: object) -> bool:
        return isinstance(item, self.each) and not isinstance(item, bool)


_SORT, _WHOLE = "must be a number", "must be a whole number"


def _number(text: str, due: str, **bounds: Any) -> dict[str, Number]:
    return dict.fromkeys(names(text), Number(due, _WHOLE if bounds.get("whole") else _SORT, **bounds))


def _kind(text: str, due: str, *types: type, each: tuple[type, ...] = ()) -> dict[str, Kind]:
    return dict.fromkeys(names(text), Kind(due, types, each))


VALUES: Final[Mapping[str, Number | Kind]] = FrozenDict(
    {
        **_number("max_tokens num_beams", "must be at least 1", least=1, whole=True),
        # vLLM and MLX write "no limit" as top_k=-1 or 0, and vLLM all log probabilities as -1.
        **_number("top_k top_logprobs", "must be at least -1", least=-1, whole=True),
        **_number(
            "max_tool_calls min_new_tokens min_tokens no_repeat_ngram_size", "must not be negative", least=0, whole=True
        ),
        **_number("prompt_lookup_num_tokens", "must be at least 1", least=1, whole=True),
        **_number("seed", "must have at most 64 bits", least=-(2**63), most=2**64 - 1, whole=True),
        **_number("priority", _WHOLE, whole=True),
        **_number("temperature repetition_penalty", "must not be negative", least=0),
        **_number("top_p min_p typical_p xtc_probability", "must be a share from 0 to 1", least=0, most=1),
        **_number("frequency_penalty presence_penalty length_penalty", _SORT),
        **_kind("do_sample ignore_eos logprobs parallel_tool_calls store", "must be True or False", bool),
        **_kind(
            "previous_response_id prompt_cache_key prompt_cache_retention reasoning_effort safety_identifier "
            "service_tier truncation user verbosity",
            "must be text",
            str,
        ),
        **_kind(
            "audio cache_control metadata output_config prediction reasoning stream_options thinking "
            "web_search_options",
            "must be a dict",
            Mapping,
        ),
        **_kind("bad_words betas include modalities", "must be a list of texts", tuple, each=(str,)),
        **_kind("stop_token_ids suppress_tokens", "must be a list of whole numbers", tuple, each=(int,)),
        **_kind("logit_bias", "must be a dict of numbers by token", Mapping, each=(int, float)),
    }
)
"""The values are checked as they are kept: frozen, so that a list is a tuple."""
