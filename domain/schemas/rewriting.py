"""A schema in a provider's dialect: rewritten so that it admits the same values, or refused at its place.

A `$ref` is written out, unless it comes back to itself; `const` becomes `enum`, `oneOf` of parts that can't both hold
`anyOf`, `allOf` one schema, several types one for each; what constrains nothing is left out. One thing narrows: where
the dialect knows closed objects alone, an object that lists its properties and doesn't say what else it may have is
closed. An answer that fits then still fits the schema that was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from ..frozen import FrozenDict, freeze_mapping
from .disjoint import disjoint
from .merging import merged
from .references import comes_back, target
from .refusal import CannotSay, Refusal, inside
from .words import OF_ALL, OF_TYPE, Schema, constraints, shown, type_of, types, values

_MOST: Final = 20_000
"""The parts that a schema may come to, once each `$ref` is written out."""

_DEEPEST: Final = 60
"""The schemas that may stand in one another."""

_BEYOND_REGULAR: Final = re.compile(r"\(\?(?:[=!]|<[=!])|\\[1-9bB]|\\k<")
"""What in a pattern no automaton follows: it looks around itself, or back."""

_INCLUSIVE: Final = {"exclusiveMinimum": ("minimum", 1), "exclusiveMaximum": ("maximum", -1)}


@attrs.frozen(kw_only=True)
class Dialect:
    """What a provider's JSON Schema can say: `keywords` are those that constrain a value of one type."""

    title: str
    page: str
    keywords: frozenset[str]
    loose: frozenset[str]
    """The keywords that it doesn't say, and that an answer may be checked for afterwards instead."""
    closed: bool = True
    """Whether objects are closed: none has properties that aren't listed."""
    all_required: bool = False
    object_at_root: bool = False
    recursive: bool = False
    const: bool = True
    types_together: bool = False
    enum_of: frozenset[str] = frozenset(("string", "integer", "number", "boolean", "null"))
    formats: frozenset[str] | None = None
    most_min_items: int | None = None
    looks_around: bool = True
    any_items: bool = False
    lenient: bool = False
    """Whether a schema may be sent without being enforced, and then as it is."""
    most_properties: int | None = None
    most_depth: int | None = None
    most_values: int | None = None


def rewritten(schema: Schema, dialect: Dialect, *, loosely: bool = False) -> Result[FrozenDict, Refusal]:
    """The schema in this dialect, or what it can't say; `loosely` leaves out what an answer can be checked for."""
    try:
        return Success(freeze_mapping(_Rewriting(schema, dialect, loosely).whole()))
    except CannotSay as found:
        return Failure(Refusal(dialect.title, found.place, found.why, dialect.page))


class _Rewriting:
    """One schema on its way into a dialect."""

    def __init__(self, root: Schema, dialect: Dialect, loosely: bool) -> None:
        self._root, self._dialect, self._loosely = root, dialect, loosely
        self._recursive: dict[str, bool] = {}
        self._waiting: dict[str, str] = {}  # definitions that are yet to be rewritten: their pointers, by name
        self._parts = self._depth = 0

    def whole(self) -> dict[str, Any]:
        out = self._node(self._root, "")
        if self._dialect.object_at_root and out.get("type") != "object":
            raise CannotSay("", "it is no object")
        definitions: dict[str, Any] = {}
        while self._waiting.keys() - definitions.keys():
            name = min(self._waiting.keys() - definitions.keys())
            pointer = self._waiting[name]
            definitions[name] = self._node(target(self._root, pointer, ""), inside("", "$defs", name))
        if definitions:
            out["$defs"] = definitions
        self._check_size(out)
        return out

    def _node(self, schema: Any, place: str) -> dict[str, Any]:
        self._parts += 1
        if self._parts > _MOST:
            raise CannotSay(place, "with each $ref written out it grows too large")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CannotSay(place, "it is nested too deeply")
        out = self._said(schema, place)
        self._depth -= 1
        return out

    def _said(self, schema: Any, place: str) -> dict[str, Any]:
        if not isinstance(schema, Mapping):
            raise CannotSay(place, "any value fits" if schema is True else "no value fits")
        said = constraints(schema)
        told = shown(schema)
        unsaid = sorted(OF_ALL & said.keys())
        if unsaid:
            raise CannotSay(inside(place, unsaid[0]), "it is no part of the dialect")
        if "$ref" in said:
            return self._reference(said, told, place)
        if "allOf" in said:
            return self._node({**self._together(said, place), **told}, place)
        if "oneOf" in said:
            if not disjoint(list(said["oneOf"]), self._followed):
                raise CannotSay(inside(place, "oneOf"), "a value may fit several of its schemas")
            said = {**said, "anyOf": said["oneOf"]}
            del said["oneOf"]
        if "anyOf" in said:
            return {**told, **self._either(said, place)}
        return {**told, **self._plain(said, place)}

    def _reference(self, said: dict[str, Any], told: dict[str, Any], place: str) -> dict[str, Any]:
        ref = said.pop("$ref")
        found = target(self._root, ref, place)
        if ref not in self._recursive:
            self._recursive[ref] = comes_back(self._root, ref)
        if not isinstance(found, Mapping):
            return self._node(found, place)
        # an object is wanted at the root, and no reference to one
        if self._recursive[ref] and not (self._dialect.recursive and place == "" and "$ref" not in found):
            return self._recursion(ref, said, place)
        return self._node({**(merged(found, said, place) if said else found), **told}, place)

    def _recursion(self, ref: str, said: dict[str, Any], place: str) -> dict[str, Any]:
        _, _, name = ref.rpartition("/")
        if not self._dialect.recursive or said:
            raise CannotSay(place, f"$ref {ref!r} comes back to itself")
        if ref == "#":
            return {"$ref": "#"}
        if ref not in (f"#/$defs/{name}", f"#/definitions/{name}") or self._waiting.setdefault(name, ref) != ref:
            raise CannotSay(place, f"$ref {ref!r} comes back to itself, and stands in no $defs of its own name")
        return {"$ref": f"#/$defs/{name}"}

    def _followed(self, schema: Any) -> Any:
        """What it says, or what it points to."""
        seen: set[str] = set()
        while isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str) and schema["$ref"] not in seen:
            if len(constraints(schema)) > 1:
                return None
            seen.add(schema["$ref"])
            schema = target(self._root, schema["$ref"], "")
        return dict(schema) if isinstance(schema, Mapping) else schema

    def _together(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        parts = said.pop("allOf")
        out: dict[str, Any] = said
        for at, part in enumerate(parts):
            followed = self._followed(part)
            if followed is True:
                continue
            here = inside(place, "allOf", at)
            if not isinstance(followed, Mapping):
                raise CannotSay(here, "no value fits" if followed is False else "a $ref stands beside other words")
            out = merged(out, followed, here) if constraints(out) else {**followed}
        return out

    def _either(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        parts = said.pop("anyOf")
        if said:
            raise CannotSay(inside(place, min(said)), "it stands beside anyOf")
        return {"anyOf": [self._node(part, inside(place, "anyOf", at)) for at, part in enumerate(parts)]}

    def _plain(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        names, listed = types(said), values(said)
        if not names:
            raise CannotSay(place, "it has no type, and no value is refused")
        if listed is not None:
            return self._listed(listed, said, place)
        if len(names) > 1 and not self._dialect.types_together:
            return {"anyOf": [self._of_types(said, (name,), place) for name in names]}
        return self._of_types(said, names, place)

    def _listed(self, listed: list[Any], said: dict[str, Any], place: str) -> dict[str, Any]:
        where = inside(place, "const" if "const" in said else "enum")
        if not listed:
            raise CannotSay(where, "no value fits")
        kinds = types({"enum": listed})
        beside = sorted(self._of(kinds) & said.keys())
        if beside:
            raise CannotSay(inside(place, beside[0]), "it stands beside a list of values")
        out = []
        for kind in kinds:
            of_kind = [value for value in listed if type_of(value) in (kind, *_IN.get(kind, ()))]
            out.append(self._of_kind(kind, of_kind, where))
        return out[0] if len(out) == 1 else {"anyOf": out}

    def _of_kind(self, kind: str, listed: list[Any], where: str) -> dict[str, Any]:
        if kind == "null" or (kind == "boolean" and len(set(listed)) == 2):
            return {"type": kind}
        if kind in self._dialect.enum_of:
            one = len(listed) == 1 and self._dialect.const
            return {"type": kind, "const": listed[0]} if one else {"type": kind, "enum": listed}
        raise CannotSay(where, f"a list has a value of the type {kind}")

    def _of(self, names: tuple[str, ...]) -> set[str]:
        """The keywords that constrain values of these types."""
        return {word for name in names for word in OF_TYPE.get("number" if name == "integer" else name, ())}

    def _of_types(self, said: dict[str, Any], names: tuple[str, ...], place: str) -> dict[str, Any]:
        out: dict[str, Any] = {"type": names[0] if len(names) == 1 else list(names)}
        about = self._of(names)
        if "object" in names:
            out |= self._object(said, place)
        if "array" in names:
            out |= self._array(said, place)
        for word, value in said.items():
            if word in about and word not in _STRUCTURE:
                out |= self._keyword(word, value, names, place)
        return out

    def _keyword(self, word: str, value: Any, names: tuple[str, ...], place: str) -> dict[str, Any]:
        dialect, where = self._dialect, inside(place, word)
        if word == "format":  # a note, by the specification
            return {word: value} if word in dialect.keywords and value in (dialect.formats or (value,)) else {}
        if word == "minItems" and dialect.most_min_items is not None and value > dialect.most_min_items:
            return self._unsaid(where, f"at most {dialect.most_min_items} is said")
        if word == "pattern" and not dialect.looks_around and _BEYOND_REGULAR.search(str(value)):
            return self._unsaid(where, "the pattern looks around itself, or back")
        if word in dialect.keywords:
            return {word: value}
        if word in _INCLUSIVE and names == ("integer",) and type_of(value) == "integer":
            bound, step = _INCLUSIVE[word]
            if bound in dialect.keywords:
                return {bound: int(value) + step}
        return self._unsaid(where, "it is no part of the dialect", word)

    def _unsaid(self, where: str, why: str, word: str | None = None) -> dict[str, Any]:
        if self._loosely and (word is None or word in self._dialect.loose):
            return {}
        raise CannotSay(where, why)

    def _object(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        dialect = self._dialect
        properties: Mapping[str, Any] = said.get("properties") or {}
        required = [*dict.fromkeys(said.get("required") or ())]
        out: dict[str, Any] = {}
        if properties or dialect.closed:
            nodes = {name: self._node(one, inside(place, "properties", name)) for name, one in properties.items()}
            out["properties"] = nodes
        unknown = [name for name in required if name not in properties]
        if unknown and dialect.closed:
            raise CannotSay(inside(place, "required"), f"{unknown[0]!r} has no schema")
        optional = [name for name in properties if name not in required]
        if optional and dialect.all_required:
            raise CannotSay(inside(place, "properties", optional[0]), "it isn't required, and must be; null may stand")
        if required:
            out["required"] = required
        extra = said.get("additionalProperties")
        if dialect.closed:
            if extra not in (None, False) or (extra is None and "properties" not in said):
                raise CannotSay(
                    inside(place, "additionalProperties"), "other properties than those that are listed fit"
                )
            out["additionalProperties"] = False
        elif isinstance(extra, Mapping) and constraints(extra):
            out["additionalProperties"] = self._node(extra, inside(place, "additionalProperties"))
        elif extra is not None:
            out["additionalProperties"] = extra is not False
        return out

    def _array(self, said: dict[str, Any], place: str) -> dict[str, Any]:
        items, first = said.get("items"), said.get("prefixItems")
        if isinstance(items, (list, tuple)):
            raise CannotSay(inside(place, "items"), "it is a list; prefixItems has taken its place")
        out: dict[str, Any] = {}
        if first:
            if "prefixItems" not in self._dialect.keywords:
                raise CannotSay(inside(place, "prefixItems"), "it is no part of the dialect")
            out["prefixItems"] = [self._node(one, inside(place, "prefixItems", at)) for at, one in enumerate(first)]
        anything = items is None or items is True or (isinstance(items, Mapping) and not constraints(items))
        if not anything or not self._dialect.any_items:
            out["items"] = self._node(True if items is None else items, inside(place, "items"))
        return out

    def _check_size(self, schema: dict[str, Any]) -> None:
        dialect = self._dialect
        measures = {
            "properties": (sum(len(part.get("properties", ())) for part, _ in _parts(schema)), dialect.most_properties),
            "values in its lists": (sum(len(part.get("enum", ())) for part, _ in _parts(schema)), dialect.most_values),
            "levels of objects": (max(depth for _, depth in _parts(schema)), dialect.most_depth),
        }
        for what, (has, most) in measures.items():
            if most is not None and has > most:
                raise CannotSay("", f"it has {has} {what}, and {most} are the most")


_IN: Final = {"number": ("integer",)}
_STRUCTURE: Final = ("properties", "required", "additionalProperties", "items", "prefixItems")


def _parts(schema: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Each schema in a rewritten one, with how many objects it is in, itself among them."""
    depth += "properties" in schema
    yield schema, depth
    for name in ("properties", "$defs"):
        for one in schema.get(name, {}).values():
            yield from _parts(one, depth)
    for one in (*schema.get("anyOf", ()), *schema.get("prefixItems", ())):
        yield from _parts(one, depth)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            yield from _parts(schema[name], depth)
