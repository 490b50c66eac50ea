"""What may be passed to a model behind an API, checked where it is passed: the error names the place and the fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ...domain.options.option import OMIT
from ..process.secret import Env
from .http_errors import Unwritable


def check(where: str, model_id: object, timeout: object) -> None:
    """Raises ValueError, naming the adapter, for what is no name of a model and no number of seconds."""
    if not isinstance(model_id, str) or not model_id:
        raise ValueError(f"{where}: model_id is the name of a model, not {model_id!r}")
    if isinstance(timeout, (int, float)) and not timeout > 0:
        raise ValueError(f"{where}: timeout is a positive number of seconds, or None, not {timeout!r}")


def parts_of(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none that HTTP can reach."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        return None
    return parts if good else None


def address(
    text: str | None, where: str, *, example: str = "http://127.0.0.1:8000/v1", instead: str = "; use api_key="
) -> str | None:
    """An address that may be shown. Raises ValueError, naming the argument, for one that is none."""
    if text is None:
        return None
    parts = parts_of(text)
    if parts is None:
        raise ValueError(f"{where} is an address such as {example!r}, not {text!r}")
    if parts.username or parts.password:
        raise ValueError(f"{where} shows in messages, so no password stands in it{instead}")
    return text


def base_address(text: str | None, where: str) -> str | None:
    """An address that paths can be added to, and that may be shown. Raises ValueError, naming the argument."""
    found = address(text, where)
    if found is not None and {"?", "#"} & set(found):
        raise ValueError(f"{where} ends with its path; a query goes into client_kwargs={{'default_query': {{...}}}}")
    return found


def check_alone(where: str, name: str, beside: Mapping[str, Any]) -> None:
    """Raises ValueError for what was passed beside an argument that brings its own."""
    passed = [other for other, value in beside.items() if value is not None]
    if passed:
        raise ValueError(f"{where}: {name}= brings its own {', '.join(passed)}; leave them out")


def one(where: str, **spellings: Any) -> Any:
    """The value of one argument that has several names. Raises ValueError where two of them differ."""
    value, *others = [value for value in spellings.values() if value is not None] or [None]
    if any(other != value for other in others):
        raise ValueError(f"{where}: {' and '.join(spellings)} are one thing; keep one")
    return value


def check_text(where: str, value: object, *, is_key: bool = False) -> None:
    """Raises TypeError for an argument that is neither text nor None, nor what else may stand for a key."""
    if value is None or isinstance(value, str):
        return
    if not is_key:
        raise TypeError(f"{where} is text, not {value!r}")
    if not isinstance(value, Env) and not callable(value):
        raise TypeError(f"{where} is text, Env('NAME') or a function, not {type(value).__name__}")


def add_extra(extra: Mapping[str, Any], body: dict[str, Any]) -> None:
    """Put what `extra_body` has into the body of a call. Raises `Unwritable` for what stands there already."""
    added = {name: value for name, value in extra.items() if value is not OMIT}
    twice = [name for name in added if name in body or name == "stream"]
    if twice:
        raise Unwritable(f"extra_body: {twice[0]!r} is set by the call itself; say it in one place")
    body.update(added)
