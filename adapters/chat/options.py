"""What a chat-completions call takes: the options that go beside its body, and what is assumed of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...domain.capability import Capabilities
from ...domain.facts import max_stops
from ...domain.options.option import OMIT
from ..http.http_errors import Unwritable
from ..process.secret import Env

# What belongs beside the body of a call, and not into it.
_BESIDE: Final = frozenset({"extra_headers", "extra_query", "timeout"})
_CHECKED: Final = _BESIDE | {"extra_body"}


def parted(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that go into the body of a call, and those beside it. Raises `Unwritable`."""
    if options.keys().isdisjoint(_CHECKED):
        return options, {}
    check_call(options)
    beside = {name: value for name, value in options.items() if name in _BESIDE}
    return {name: value for name, value in options.items() if name not in _BESIDE}, beside


def check_call(options: Mapping[str, Any], where: str = "") -> None:
    """Raises `Unwritable`, a ValueError, for arguments of the SDK that it can't send."""
    for name in ("extra_headers", "extra_query", "extra_body"):
        value = options.get(name)
        if value is not None and value is not OMIT and not isinstance(value, Mapping):
            raise Unwritable(f"{where}{name} is a dict, not {type(value).__name__}")
    headers = options.get("extra_headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if not isinstance(name, str) or not isinstance(value, (str, Env)):
            raise Unwritable(f"{where}extra_headers: names and values are text, not those of {name!r}")
    seconds = options.get("timeout")
    if isinstance(seconds, (str, bytes, bool)) or (isinstance(seconds, (int, float)) and not seconds > 0):
        raise Unwritable(f"{where}timeout is a positive number of seconds, or None, not {seconds!r}")


def assumed(*models: str) -> Capabilities:
    """What is assumed that each of these models can do, by its name, where nobody declares it."""
    limits = [max_stops(model) for model in models]
    # OpenAI takes four, as does TGI: platform.openai.com/docs/api-reference/chat/create#stop
    stops = min((4 if limit is None else limit for limit in limits), default=4)
    return Capabilities(
        tools=True, images=True, audio=True, documents=True, json_object=True, json_schema=True, max_stops=stops
    )
