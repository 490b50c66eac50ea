"""What may be passed to `GeminiModel`, checked where it is passed: the error names the place and the fix."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from ..chat.options import check_call
from ..http.arguments import base_address, check_text

WHERE: Final = "GeminiModel"

_KEYS: Final = frozenset({"api_key", "token"})
# cloud.google.com/vertex-ai/generative-ai/docs/learn/locations: regions of several, at addresses of their own
_SEVERAL: Final = frozenset({"eu", "us"})
_HOST: Final = "https://generativelanguage.googleapis.com"


def check_arguments(own: Mapping[str, Any], more: Mapping[str, Any], transport: object) -> None:
    """Raises ValueError or TypeError for arguments that don't fit; `own` are the adapter's."""
    if transport is not None and not inspect.iscoroutinefunction(getattr(transport, "send", None)):
        raise TypeError(f"{WHERE}: transport= takes an HttpTransport(...), not {type(transport).__name__}")
    for name, value in own.items():
        check_text(f"{WHERE}: {name}", value, is_key=name in _KEYS)
    base_address(own["base_url"], f"{WHERE}: base_url")
    if own["api_key"] is not None and own["token"] is not None:
        raise ValueError(f"{WHERE}: api_key and token exclude each other; keep one")
    if (own["project"] is None) != (own["location"] is None):
        raise ValueError(f"{WHERE}: project and location go together: those of Vertex AI")
    for name, instead in (("client", "transport=HttpTransport(...)"), ("client_kwargs", "extra_headers={...}")):
        if more.get(name) is not None:
            raise TypeError(f"{WHERE}: no {name}, since no SDK is used; {instead} says what is to be different")
    check_call(more, f"{WHERE}: ")


def place(base: str | None, project: str | None, location: str | None, model_id: str) -> str:
    """The address of a model, to which a method is added: Google's Gemini API, or a project's Vertex AI.

    An address without a path gets the version that Google's SDK asks for; the names that end in `-latest` are known to
    the beta alone: github.com/googleapis/python-genai, "Major version 3 changes".

    >>> place(None, "p", "global", "gemini-2.5-flash").partition("/v1beta1/")[2]
    'projects/p/locations/global/publishers/google/models/gemini-2.5-flash'
    """
    if project is None or location is None:
        version = "v1beta" if model_id.endswith("-latest") else "v1"
        return f"{_versioned(base or _HOST, version)}/{_named(model_id, 'models/', ('tunedModels/',))}"
    root = _versioned(base or _vertex(location), "v1beta1")
    name = _named(model_id, "publishers/google/models/", ("projects/", "publishers/", "endpoints/", "models/"))
    return f"{root}/{name if name.startswith('projects/') else f'projects/{project}/locations/{location}/{name}'}"


def _vertex(location: str) -> str:
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _SEVERAL:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _versioned(base: str, version: str) -> str:
    base = base.rstrip("/")
    return base if urlsplit(base).path else f"{base}/{version}"


def _named(model_id: str, usual: str, others: tuple[str, ...]) -> str:
    name = quote(model_id, safe="/@.-_~")
    if name.startswith((usual, *others)):
        return name
    maker, has_one, rest = name.partition("/")
    if has_one and usual != "models/":  # meta/llama-4, in Vertex AI's Model Garden
        return f"publishers/{maker}/models/{rest}"
    return f"{usual}{name}"
