"""What may be passed to `AnthropicModel`, checked where it is passed: the error names the place and the fix."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from ...domain.options.option import OMIT
from ..chat.options import check_call
from ..http.arguments import check_text
from ..http.http_errors import Unwritable

WHERE: Final = "AnthropicModel"


def check_arguments(own: Mapping[str, Any], more: Mapping[str, Any], transport: object) -> None:
    """Raises ValueError or TypeError for arguments that don't fit; `own` are the adapter's."""
    if transport is not None and not inspect.iscoroutinefunction(getattr(transport, "send", None)):
        raise TypeError(f"{WHERE}: transport= takes an HttpTransport(...), not {type(transport).__name__}")
    for name, value in own.items():
        check_text(f"{WHERE}: {name}", value, is_key=name == "api_key")
    if more.get("client") is not None:
        raise ValueError(f"{WHERE}: no client=, since no SDK carries the calls; transport=HttpTransport(...) may")
    if more.get("client_kwargs"):
        raise ValueError(f"{WHERE}: no client_kwargs=, since no client is made; see extra_headers= and transport=")
    check_call(more, f"{WHERE}: ")
    check_headers(more, f"{WHERE}: ")


def check_headers(options: Mapping[str, Any], where: str = "") -> None:
    """Raises `Unwritable`, a ValueError, for options that are headers and can't be sent as such."""
    betas = options.get("betas")
    listed = isinstance(betas, (list, tuple)) and all(isinstance(name, str) and name for name in betas)
    if betas is not None and betas is not OMIT and not listed:
        raise Unwritable(f"{where}betas is a list of names such as ['files-api-2025-04-14'], not {betas!r}")
    for name in ("user_profile_id", "workspace_id"):
        value = options.get(name)
        if value is not None and value is not OMIT and not isinstance(value, str):
            raise Unwritable(f"{where}{name} is text, not {value!r}")
