"""How options are said to mlx-lm: a sampler, logits processors, and what is left for `stream_generate` itself.

Draws are made from a key of the call's own, so that a seed gives the same answer whatever else is being generated.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import attrs

_SAMPLING: Final = ("top_p", "top_k", "min_p", "min_tokens_to_keep")
_XTC: Final = ("xtc_probability", "xtc_threshold", "xtc_special_tokens")
_PENALTIES: Final = (
    "repetition_penalty",
    "repetition_context_size",
    "presence_penalty",
    "presence_context_size",
    "frequency_penalty",
    "frequency_context_size",
)


@attrs.frozen
class Sampling:
    """How the next token is chosen. Without a sampler it is the likeliest."""

    sampler: Callable[[Any], Any] | None
    processors: list[Callable[[Any, Any], Any]]
    rest: dict[str, Any]


def sampling(options: Mapping[str, Any]) -> Sampling:
    """What these options mean, `max_tokens` apart; temperature 0 takes the likeliest token, and a sampler draws itself.

    Raises ValueError for one that mlx-lm refuses.
    """
    rest = dict(options)
    if "draft_model" in rest:
        raise ValueError("draft_model: a model is no option, and no draft is made here")
    drawing = _sampler(rest)
    return Sampling(rest.pop("sampler", drawing), _processors(rest), rest)


def _processors(options: dict[str, Any]) -> list[Callable[[Any, Any], Any]]:
    from mlx_lm.sample_utils import make_logits_processors

    own = options.pop("logits_processors", ())
    penalties = {name: options.pop(name) for name in _PENALTIES if name in options}
    bias = {int(token): float(value) for token, value in options.pop("logit_bias", {}).items()}
    known = [_known(bias)] if bias else []
    return [*known, *make_logits_processors(bias or None, **penalties), *own]


def _known(tokens: Collection[int]) -> Callable[[Any, Any], Any]:
    """Lets the scores pass if they have all these tokens: MLX writes beside them, and may crash the program."""
    least, most = min(tokens), max(tokens)

    def check(_: Any, scores: Any) -> Any:
        if least < 0 or most >= scores.shape[-1]:
            raise ValueError(f"logit_bias: there is no token {least if least < 0 else most}")
        return scores

    return check


def _sampler(options: dict[str, Any]) -> Callable[[Any], Any] | None:
    seed, temperature = options.pop("seed", None), options.pop("temperature", 1.0)
    chosen: dict[str, Any] = {name: options.pop(name) for name in (*_SAMPLING, *_XTC) if name in options}
    if chosen.get("xtc_probability", 0):
        raise ValueError("xtc_probability: mlx-lm draws it from a generator that all calls share; use top_p or min_p")
    if temperature == 0:
        return None
    return Draw(_filters(chosen), temperature, secrets.randbits(63) if seed is None else int(seed))


def _filters(chosen: Mapping[str, Any]) -> list[Callable[[Any], Any]]:
    """In the order in which mlx-lm's own sampler applies them."""
    from mlx_lm import sample_utils as known

    filters: list[Callable[[Any], Any]] = []
    top_p, min_p, top_k = chosen.get("top_p", 1.0), chosen.get("min_p", 0.0), chosen.get("top_k", 0)
    if 0 < top_p < 1:
        filters.append(lambda likely: known.apply_top_p(likely, top_p))
    if min_p:
        keep = chosen.get("min_tokens_to_keep", 1)
        filters.append(lambda likely: known.apply_min_p(likely, min_p, keep))
    if top_k > 0:
        filters.append(lambda likely: known.apply_top_k(likely, top_k) if top_k < likely.shape[-1] else likely)
    return filters


class Draw:
    """A sampler for one answer: each step splits off the key of its draw."""

    def __init__(self, filters: list[Callable[[Any], Any]], temperature: float, seed: int) -> None:
        self._filters, self._temperature, self._seed = filters, temperature, seed
        self._key: Any = None  # made where it is used: arrays belong to a thread

    def __call__(self, likely: Any) -> Any:
        """One token for log probabilities of the shape (1, vocabulary)."""
        import mlx.core as mx

        for step in self._filters:
            likely = step(likely)
        key = mx.random.key(self._seed) if self._key is None else self._key
        self._key, drawn = mx.random.split(key)
        return mx.random.categorical(likely * (1 / self._temperature), key=drawn)
