"""Which model is asked: the one that is named, else MODELPORT_MODEL's, the folder's, the user's, the embedded default.

A name is a model of a `modelport.toml`, an alias, or ADAPTER:MODEL.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

import attrs

from ...domain.model import Model
from .files.settings import Settings
from .model_names import DEFAULT, model_for

COMMAND: Final = "the command"
"""Who chose a model that was named on the command line."""

_ALIASES_OF_ALIASES: Final = 8


@attrs.frozen
class Choice:
    """A model that was chosen: its name, after aliases; and, for ADAPTER:MODEL, that spec.

    `by` is who chose it, for what is said of it: `the command`, `MODELPORT_MODEL`, a file, or nobody. `place` is the
    address that was named, or the file in which the model stands; empty where its adapter knows by itself.
    """

    name: str
    model: Model
    spec: str | None = None
    by: str | None = None
    place: str = ""

    @property
    def is_demonstration(self) -> bool:
        """Whether the embedded default answers, whose weights are small enough to be fetched in seconds."""
        return self.spec == DEFAULT


def named(word: str | None, variable: str | None, files: Sequence[Settings]) -> tuple[str, str | None]:
    """What names the model to ask, and who says so."""
    if word is not None:
        return word, COMMAND
    if variable:
        return variable, "MODELPORT_MODEL"
    for file in files:
        if file.model is not None:
            return file.model, str(file.path)
    return DEFAULT, None


def choose(word: str | None, variable: str | None, files: Sequence[Settings], base_url: str | None = None) -> Choice:
    """The model to ask. Raises ValueError, with the nearest name, for a name that stands for none."""
    name, by = named(word, variable, files)
    for _ in range(_ALIASES_OF_ALIASES):
        for file in files:
            if name in file.models:
                return Choice(name, _of_file(file, name, base_url), by=by, place=str(file.path.resolve()))
        meant = next((file.aliases[name] for file in files if name in file.aliases), None)
        if meant is None:
            return Choice(name, _of_spec(name, files, by, base_url), name, by, base_url or "")
        name = meant
    raise ValueError(f"{name!r}: the aliases of this name lead to no model")


def _of_file(file: Settings, name: str, base_url: str | None) -> Model:
    if base_url is not None:
        raise ValueError(f"--base-url goes with ADAPTER:MODEL; {file.path} says where {name!r} is")
    from ..config.plan import from_toml

    return from_toml(file.path, name).model


def _of_spec(spec: str, files: Sequence[Settings], by: str | None, base_url: str | None) -> Model:
    try:
        return model_for(spec, base_url=base_url)
    except ValueError as error:
        near = difflib.get_close_matches(spec, names(files), n=1)
        known = f"{spec!r} is no model of a modelport.toml and no alias; did you mean {near[0]!r}?" if near else error
        raise ValueError(f"{known}" if by in (None, COMMAND) else f"{by}: {known}") from None


def names(files: Sequence[Settings]) -> list[str]:
    """Every model and alias of these files."""
    return [name for file in files for name in (*file.models, *file.aliases)]
