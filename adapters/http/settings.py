"""What every model behind an API is told, checked where it is told: the error names the adapter and the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from attrs import Converter

from ...domain.capability import Capabilities
from ...domain.frozen import FrozenDict
from ...domain.option import canonical
from ...domain.reading.preparation import as_role_conversions
from ...domain.secrecy import shown
from ..process.limiter import Limiter
from .arguments import check, check_kind

TIMEOUT: Final = 600.0
"""The seconds of silence that are borne where nobody says another number."""


def limiter_of(requests_per_minute: float | Limiter | None) -> Limiter | None:
    """What `requests_per_minute=` means: a rate, or a limiter that several models share. Raises ValueError."""
    if requests_per_minute is None or isinstance(requests_per_minute, Limiter):
        return requests_per_minute
    return Limiter(requests_per_minute)


def _timeout(timeout: Any, self: Any) -> Any:
    check(type(self).__name__, self.model_id, timeout)
    return timeout


def _capabilities(declared: Capabilities | Callable[[], Capabilities], self: Any) -> Capabilities:
    capabilities = declared() if callable(declared) else declared
    check_kind(type(self).__name__, "capabilities", capabilities, Capabilities, "Capabilities(...)")
    return capabilities


def _options(options: Mapping[str, Any], self: Any) -> FrozenDict:
    return canonical(options, type(self).__name__)


def _role_conversions(conversions: Mapping[str, str] | None, self: Any) -> FrozenDict:
    return as_role_conversions(conversions, type(self).__name__)


def _flatten(flatten: Any, self: Any) -> bool:
    check_kind(type(self).__name__, "flatten_messages_as_text", flatten, bool, "True or False")
    return bool(flatten)


def _read_by(read: Callable[[Any, Any], Any], **how: Any) -> Any:
    """A field that this function reads, given the value and the model; to type checkers, simply of its type."""
    return attrs.field(converter=Converter(read, takes_self=True), **how)


@attrs.frozen(kw_only=True)
class Settings:
    """What every model behind an API is told. A model is its settings, and what its adapter is told besides.

    Where nobody declares `capabilities`, they are a function that says what is assumed. Raises ValueError or TypeError.
    """

    model_id: str
    timeout: Any = _read_by(_timeout, hash=False)  # an HTTP library's own timeout has no hash
    capabilities: Capabilities = _read_by(_capabilities)
    options: FrozenDict = _read_by(_options, hash=False, repr=shown)
    requests_per_minute: float | Limiter | None
    custom_role_conversions: FrozenDict = _read_by(_role_conversions)
    flatten_messages_as_text: bool = _read_by(_flatten)
    _limiter: Limiter | None = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: limiter_of(self.requests_per_minute), True)
    )

    def _set(self, **fields: Any) -> None:
        """Sets the fields, each read by its own function. Raises ValueError or TypeError for what makes no sense."""
        model: Any = self
        model.__attrs_init__(**fields)
