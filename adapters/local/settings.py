"""What every model on this machine is told, checked where it is told: the error names the adapter and the fix."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import attrs

from ...domain.capability import Capabilities
from ...domain.frozen import FrozenDict, freeze_mapping
from ...domain.options.option_names import EVERYWHERE
from ...domain.secrecy import is_secret
from ..settings import capabilities_of, check_kind, flatten_of, options_of, read_by, role_conversions_of

CAN: Final = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model on this machine can: tools if its template tells of them, and any form of answer."""


def _model_id(model_id: object, self: Any) -> str:
    name = os.fspath(model_id) if isinstance(model_id, os.PathLike) else model_id
    if not isinstance(name, str) or not name:
        raise ValueError(f"{type(self).__name__}: model_id is a name, a folder or 'default', not {model_id!r}")
    return name


def _for_the_template(kwargs: Mapping[str, Any] | None, self: Any) -> FrozenDict:
    check_kind(type(self).__name__, "apply_chat_template_kwargs", kwargs, Mapping, "a dict of the template's arguments")
    return freeze_mapping(kwargs or {})


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Settings:
    """What every model on this machine is told. A model is its settings, and what its adapter is told besides.

    Raises ValueError or TypeError.
    """

    known: ClassVar[frozenset[str]] = EVERYWHERE
    """The names that its options may have."""

    model_id: str = read_by(_model_id)
    capabilities: Capabilities = read_by(capabilities_of)
    options: FrozenDict = read_by(options_of)
    apply_chat_template_kwargs: FrozenDict = read_by(_for_the_template)
    custom_role_conversions: FrozenDict = read_by(role_conversions_of)
    flatten_messages_as_text: bool = read_by(flatten_of)

    def __repr__(self) -> str:
        shown = {name: "***" if is_secret(name) else repr(value) for name, value in self._shown().items()}
        return (
            ", ".join([f"{type(self).__name__}({self.model_id!r}", *(f"{name}={text}" for name, text in shown.items())])
            + ")"
        )

    def _assumed(self) -> Capabilities:
        """What it can, where nobody declares it."""
        return CAN

    def _shown(self) -> Mapping[str, Any]:
        """What stands in its repr besides its name."""
        return self.options

    def _set(self, **fields: Any) -> None:
        """Sets the fields, each read by its own function. Raises ValueError or TypeError for what makes no sense."""
        model: Any = self
        model.__attrs_init__(**fields)
