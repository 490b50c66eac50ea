"""What the reference shows that doesn't stand in the source: signatures of attrs' classes, and examples as code.

Nothing is imported: griffe reads the source, and this what griffe has read.
"""

import re
from typing import Any

from griffe import Attribute, Class, Expr, ExprCall, Extension, Function, Object, Parameter, ParameterKind, Parameters

CLASSES = {"attrs.frozen", "attrs.define"}
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Reference(Extension):
    """Completes what griffe has read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Fence the examples of a docstring, whose brackets would be read as links."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", obj.docstring.value)

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """Add the `__init__` that a class of attrs doesn't write."""
        if not CLASSES & {decorator.callable_path for decorator in cls.decorators} or "__init__" in cls.members:
            return
        fields = [each for each in cls.attributes.values() if each.annotation and "property" not in each.labels]
        taken = [_parameter(each) for each in fields if _arguments(each).get("init") != "False"]
        taken.sort(key=lambda parameter: parameter.kind is ParameterKind.keyword_only)
        this = Parameter("self", kind=ParameterKind.positional_or_keyword)
        cls.set_member("__init__", Function("__init__", parameters=Parameters(this, *taken)))


def _parameter(field: Attribute) -> Parameter:
    said = _arguments(field)
    default = said.get("default", None if _is_field(field) else field.value)
    if "factory" in said:
        default = f"{said['factory']}()"
    if default is not None and str(default).startswith("_"):
        default = "..."
    kind = ParameterKind.keyword_only if said.get("kw_only") == "True" else ParameterKind.positional_or_keyword
    return Parameter(field.name.lstrip("_"), annotation=field.annotation, kind=kind, default=default)


def _is_field(field: Attribute) -> bool:
    return isinstance(field.value, ExprCall) and field.value.canonical_path == "attrs.field"


def _arguments(field: Attribute) -> dict[str, Any]:
    """What stands in `attrs.field(...)`, by name."""
    if not _is_field(field):
        return {}
    return {
        each.name: each.value if isinstance(each.value, Expr) else str(each.value)
        for each in field.value.arguments
        if hasattr(each, "name")
    }
