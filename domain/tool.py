"""A function that a model may ask to have called: its name, what it is for, and the JSON schema of its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from .frozen import FrozenDict, freeze_mapping

_NO_INPUT = freeze_mapping({"type": "object", "properties": {}})


def _name(_: object, __: object, name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"Tool: a name is text of at least one character, not {name!r}")


def _parameters(parameters: Mapping[str, Any]) -> FrozenDict:
    if not isinstance(parameters, Mapping):
        raise TypeError(f"Tool: parameters take a JSON schema as a dict, not {parameters!r}")
    return freeze_mapping(parameters or _NO_INPUT)


@attrs.frozen
class Tool:
    """What a model is told of a function.

    `parameters` is a JSON schema of type `object`. Raises ValueError on an empty name.
    """

    name: str = attrs.field(validator=_name)
    description: str = ""
    parameters: FrozenDict = attrs.field(default=_NO_INPUT, converter=_parameters)
    strict: bool | None = None

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> Tool:
        """The tool that a typed function is: its annotations make the schema, its docstring the descriptions.

        Raises TypeError, naming the parameter, for one without an annotation or with one that JSON can't say.

        >>> def weather(city: str, days: int = 1) -> str:
        ...     \"\"\"The weather to come.
        ...
        ...     Args:
        ...         city: where, by name
        ...     \"\"\"
        >>> tool = Tool.from_function(weather)
        >>> tool.name, tool.description, tool.parameters["required"]
        ('weather', 'The weather to come.', ('city',))
        """
        from .functions.schema import read_function

        return cls(*read_function(function, name, description), strict)


ToolChoice = Literal["auto", "none", "required"] | Tool | Mapping[str, Any]
"""Whether a tool is to be called: a word, the one tool, or the chat-completions wire's dict of its name."""
