"""How options are said to `generate` of transformers, and how a seed is honoured without a global generator.

`generate` draws from torch's global generator, which all threads share. With a seed, the drawing is done here instead:
the same warpers in the same order, then one draw from a generator of the call's own, which `generate` takes over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..local.sampling import longest
from .loading import Loaded

_WARPERS = (  # in the order in which transformers applies them
    ("temperature", "TemperatureLogitsWarper", 1.0),
    ("top_h", "TopHLogitsWarper", None),
    ("top_k", "TopKLogitsWarper", 0),
    ("top_p", "TopPLogitsWarper", 1.0),
    ("min_p", "MinPLogitsWarper", None),
    ("typical_p", "TypicalLogitsWarper", 1.0),
    ("epsilon_cutoff", "EpsilonLogitsWarper", 0.0),
    ("eta_cutoff", "EtaLogitsWarper", 0.0),
)
_SAMPLING = frozenset(name for name, _, _ in _WARPERS)


def arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `generate` for these options; what isn't known goes to it untouched.

    >>> arguments({"max_tokens": 5, "temperature": 0})
    {'max_new_tokens': 5, 'do_sample': False}
    """
    named = {name: value for name, value in options.items() if value is not None}
    if "max_tokens" in named:
        named["max_new_tokens"] = named.pop("max_tokens")
    if named.get("top_k") == -1:
        named["top_k"] = 0
    if named.get("temperature") == 0:
        named["do_sample"] = False
    elif named.keys() & _SAMPLING:
        named.setdefault("do_sample", True)
    if named.get("do_sample") is False:
        return {name: value for name, value in named.items() if name not in _SAMPLING}
    return named


def configured(loaded: Loaded, options: dict[str, Any], size: int, room: int | None) -> dict[str, Any]:
    """The arguments of `generate` after a prompt of this size: what was asked, over the model's own configuration."""
    defaults = options.get("generation_config") or loaded.model.generation_config
    call = seeded(arguments(options), defaults, loaded.model.device)
    max_length = call.pop("max_length", None) or getattr(options.get("generation_config"), "max_length", None)
    most = call.get("max_new_tokens") or getattr(defaults, "max_new_tokens", None)
    if max_length is not None and most is None:
        call["max_length"] = max_length if room is None else min(max_length, size + room)
    else:
        call["max_new_tokens"] = longest(most, room)
    ends = call["eos_token_id"] if "eos_token_id" in call else loaded.ends(defaults)
    ends = [*ends] if isinstance(ends, (list, tuple)) else [ends]
    if ends:
        call["eos_token_id"] = ends
        call.setdefault("pad_token_id", getattr(defaults, "pad_token_id", None) or ends[0])
    return call


def seeded(call: Mapping[str, Any], defaults: Any, device: Any) -> dict[str, Any]:
    """The same arguments without `seed`, its draws made by a generator of this call's own.

    `defaults` is the model's generation config. A call that doesn't sample has nothing to draw. Raises ValueError for
    what draws by itself.
    """
    arguments = dict(call)
    seed = arguments.pop("seed", None)
    sampling = arguments.get("do_sample", getattr(defaults, "do_sample", None))
    if seed is None or not sampling:
        return arguments
    for name, alone in (("num_beams", 1), ("watermarking_config", None)):
        value = arguments.get(name, getattr(defaults, name, None))
        if value not in (alone, None):
            raise ValueError(f"a seed draws for one answer, and without a watermark: leave out seed or {name}")
    import transformers

    warpers = []
    for name, warper, neutral in _WARPERS:
        value = arguments.pop(name, None)
        value = getattr(defaults, name, None) if value is None else value
        if value is None and name == "top_k":
            value = 50  # what transformers itself takes where nobody says otherwise
        if value is not None and value != neutral:
            warpers.append(getattr(transformers, warper)(value))
    draw = _Draw(warpers, seed, device)
    return {**arguments, "do_sample": False, "logits_processor": [*arguments.get("logits_processor", ()), draw]}


class _Draw:
    """A logits processor after which only the token drawn is possible."""

    def __init__(self, warpers: list[Any], seed: int, device: Any) -> None:
        import torch

        self._warpers = warpers
        self._generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        for warp in self._warpers:
            scores = warp(input_ids, scores)
        drawn = torch.multinomial(torch.softmax(scores, dim=-1), 1, generator=self._generator)
        return torch.full_like(scores, float("-inf")).scatter_(1, drawn, 0.0)
