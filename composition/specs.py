"""Which model a word on the command line means: `openvino:default`, `transformers:PATH`, `openai:NAME`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from ..domain.model import Model

DEFAULT = "openvino:default"
"""The model that answers where none is named."""


def model_for(spec: str, *, base_url: str | None = None, **options: Any) -> Model:
    """The model that a spec names. Raises ValueError, with the nearest adapter, for what names none.

    >>> model_for("openvino:default")
    OpenVINOModel('default')
    """
    adapter, _, name = spec.partition(":")
    make = _MAKERS.get(adapter)
    if make is None:
        near = difflib.get_close_matches(adapter, _MAKERS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(_MAKERS)}"
        raise ValueError(f"{spec!r}: there is no adapter {adapter!r}; {hint}")
    if not name:
        raise ValueError(f"{spec!r} names no model; write {adapter}:{_EXAMPLES[adapter]}")
    if base_url is not None and adapter != "openai":
        raise ValueError(f"a base URL goes with openai:NAME; {adapter} runs on this machine")
    return make(name, base_url, options)


def most_tokens(spec: str) -> int | None:
    """How long an answer may get where nobody says: small models on this machine may repeat themselves without end.

    >>> most_tokens("openvino:default")
    512
    """
    return None if spec.startswith("openai:") else 512


def needs_default_weights(spec: str) -> bool:
    """Whether the spec's model is the embedded default."""
    adapter, _, name = spec.partition(":")
    return adapter in ("openvino", "transformers") and name == "default"


def _openvino(name: str, _: str | None, options: dict[str, Any]) -> Model:
    from ..adapters.openvino import OpenVINOModel

    return OpenVINOModel(name, **options)


def _transformers(name: str, _: str | None, options: dict[str, Any]) -> Model:
    from ..adapters.transformers import TransformersModel

    return TransformersModel(name, **options)


def _openai(name: str, base_url: str | None, options: dict[str, Any]) -> Model:
    from ..adapters.openai import OpenAIModel

    return OpenAIModel(name, base_url=base_url, **options)


_MAKERS: dict[str, Callable[[str, str | None, dict[str, Any]], Model]] = {
    "openvino": _openvino,
    "transformers": _transformers,
    "openai": _openai,
}
_EXAMPLES = {"openvino": "default", "transformers": "default", "openai": "gpt-4o"}
