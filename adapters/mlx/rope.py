"""Where positions are encoded: Transformers 5 writes into `rope_parameters` what most models of mlx-lm read at the top.

Unmended, mlx-lm takes its own defaults, and the model says something else without a word of warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALSO_AT_THE_TOP = ("rope_theta", "partial_rotary_factor")


def mended(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration missing at its top, and in `text_config`; empty where nothing is missing.

    >>> mended({"rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"}})
    {'rope_theta': 100000.0}
    """
    missing = _missing(config)
    inner = config.get("text_config")
    if isinstance(inner, Mapping) and (lacking := _missing(inner)):
        missing["text_config"] = {**inner, **lacking}
    return missing


def _missing(config: Mapping[str, Any]) -> dict[str, Any]:
    positions = config.get("rope_parameters")
    if not isinstance(positions, Mapping):
        return {}
    wanted: dict[str, Any] = {}
    if isinstance(local := positions.get("sliding_attention"), Mapping) and "rope_theta" in local:
        wanted["rope_local_base_freq"] = local["rope_theta"]
    if isinstance(whole := positions.get("full_attention"), Mapping):  # each sort of layer has its own
        positions = whole
    wanted |= {name: positions[name] for name in _ALSO_AT_THE_TOP if positions.get(name) is not None}
    kind = positions.get("rope_type", positions.get("type", "default"))
    if kind != "default":
        wanted["rope_scaling"] = {**positions, "rope_type": kind, "type": kind}  # some models read one, some the other
    return {name: value for name, value in wanted.items() if config.get(name) is None}
