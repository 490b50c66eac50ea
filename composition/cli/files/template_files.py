"""A template: what a question begins with, kept in a file of its own, `NAME.toml` in the user's folder.

    model = "openai:gpt-4o-mini"
    system = "You translate into $language."
    prompt = "Translate: $input"
    options = { temperature = 0 }

`$input` is what is asked; other names come from `--param NAME VALUE`; `$$` is a dollar.
"""

from __future__ import annotations

import difflib
import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ....domain.frozen import EMPTY
from .settings import config_folder

_MEMBERS: Final = ("model", "system", "prompt", "schema", "options")


@attrs.frozen
class Template:
    """What a template says; None is what it leaves open."""

    model: str | None = None
    system: str | None = None
    prompt: str | None = None
    schema: str | None = None
    options: Mapping[str, Any] = EMPTY

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in it that a value is given for, but for `input`."""
        names = (name for text in (self.system, self.prompt) for name in string.Template(text or "").get_identifiers())
        return tuple(dict.fromkeys(name for name in names if name != "input"))

    def filled(self, text: str, params: Mapping[str, str]) -> Template:
        """The same, with the question and the parameters in it. Raises ValueError for a parameter that is missing."""
        values = {**params, "input": text}
        prompt = text if self.prompt is None else _filled(self.prompt, values)
        if self.prompt is not None and text and "input" not in string.Template(self.prompt).get_identifiers():
            prompt = f"{prompt}\n\n{text}"
        system = None if self.system is None else _filled(self.system, values)
        return attrs.evolve(self, prompt=prompt, system=system)


def _filled(text: str, values: Mapping[str, str]) -> str:
    try:
        return string.Template(text).substitute(values)
    except KeyError as missing:
        raise ValueError(f"the template has ${missing.args[0]}; say --param {missing.args[0]} VALUE") from None
    except ValueError:
        raise ValueError(f"the template has a $ that begins no name in {text!r}; write $$ for a dollar") from None


def template_folder() -> Path:
    """Where the user's templates are; it need not exist."""
    return config_folder() / "templates"


def template_names() -> list[str]:
    """The names of the user's templates."""
    return sorted(path.stem for path in template_folder().glob("*.toml"))


def read_template(name: str) -> Template:
    """The template of this name, or of this path. Raises ValueError, with the nearest name, where there is none."""
    path = Path(name) if name.endswith(".toml") else template_folder() / f"{name}.toml"
    if not path.is_file():
        near = difflib.get_close_matches(name, template_names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"they are in {template_folder()}"
        raise ValueError(f"there is no template {name!r}; {hint}")
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    for member, value in data.items():
        if member not in _MEMBERS:
            near = difflib.get_close_matches(member, _MEMBERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"a template has {', '.join(_MEMBERS)}"
            raise ValueError(f"{path}: {member!r}: {hint}")
        kind: type = dict if member == "options" else str
        if not isinstance(value, kind):
            raise ValueError(f"{path}: {member}: takes {'a table' if kind is dict else 'a text'}, not {value!r}")
    return Template(**data)


def write_template(name: str, template: Template, *, over: bool = False) -> Path:
    """Keep a template under a name, `over` what has that name. Raises ValueError for a name that is none, or taken."""
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"--save {name}: a name has letters, digits, - and _")
    path = template_folder() / f"{name}.toml"
    if path.exists() and not over:
        raise ValueError(f"--save {name}: there is a template of this name already; --force writes over it")
    path.parent.mkdir(parents=True, exist_ok=True)
    members = {member: getattr(template, member) for member in _MEMBERS}
    lines = [f"{member} = {_toml(value)}\n" for member, value in members.items() if value]
    path.write_text("".join(lines), "utf-8")
    return path


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _toml_text(value)
        case Mapping():
            return "{ " + ", ".join(f"{_toml_text(name)} = {_toml(item)}" for name, item in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case int() | float():
            return repr(value)
    raise ValueError(f"--save: a template can't hold {value!r}")


def _toml_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = "".join(each if each.isprintable() else f"\\U{ord(each):08X}" for each in escaped)
    return f'"{plain}"'
