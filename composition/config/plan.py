"""A stack written as TOML: models by name, and how they stand on one another.

    model = "main"

    [models.big]
    adapter = "OpenAIModel"
    model_id = "gpt-4o"
    api_key = { env = "TEAM_KEY" }

    [models.spare]
    adapter = "OpenVINOModel"

    [models.main]
    compose = "big"
    layers = [
        { layer = "with_rate_limit", rpm = 60 },
        { layer = "with_fallback", models = ["spare"] },
    ]

Each model is written as `from_dict` reads it, and wherever a model stands, its name may stand. `needs` are the
capabilities that will be asked for. `aliases`, which only the command line reads, are passed over.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ...domain.capability import FEATURES
from ...domain.machines.bounds import Bounds
from ...domain.model import Model
from ..inspect.bounds import bounds
from ..inspect.lint import Finding, lint
from ..inspect.unset_keys import unset_keys
from ..stack.compose import describe
from .from_dict import Source, unknown
from .reader import Misconfigured
from .toml_place import line_of

_MEMBERS: Final = ("model", "models", "needs", "aliases")


@attrs.frozen
class Plan:
    """A model that was written down, by its name; what it needs; and what can be said of it before it runs."""

    name: str
    model: Model
    needs: tuple[str, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """The most that one call can come to."""
        return bounds(self.model)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What can't be meant, and which keys are missing."""
        return (*lint(self.model, needs=self.needs), *unset_keys(self.model))

    def __str__(self) -> str:
        findings = [f"- {finding}" for finding in self.findings] or ["no findings"]
        return "\n".join([describe(self.model), "", f"at most {self.bounds}", *findings])


def from_toml(path: str | os.PathLike[str], name: str | None = None) -> Plan:
    """The model of this name in a file, or the one that the file itself names.

    Raises ValueError with the file, the line and the nearest legal name for what can't be read, and OSError for a file
    that can't be opened.
    """
    file = os.fspath(path)
    text = ""
    try:
        text = Path(file).read_text("utf-8")
        return _read(text, name)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{file}: {error}") from error
    except Misconfigured as error:
        place = error.where if error.name is None else f"{error.where}.{error.name}"
        raise ValueError(f"{file}:{line_of(text, place)}: {error}") from error


def _read(text: str, name: str | None) -> Plan:
    data = tomllib.loads(text)
    for key in data:
        if key not in _MEMBERS:
            raise Misconfigured(key, unknown(key, _MEMBERS))
    models = data.get("models")
    if not isinstance(models, Mapping) or not models:
        raise Misconfigured("models", "there are none; write a table for each, such as [models.main]")
    chosen, where = (name, "model") if name is not None else _named(data, models)
    source = Source(named=models, where="models.")
    model = source.of_name(chosen, where)
    for other in models:  # a mistake is one wherever it stands
        source.of_name(other, f"models.{other}")
    return Plan(chosen, model, _needs(data.get("needs", [])))


def _named(data: Mapping[str, Any], models: Mapping[str, Any]) -> tuple[str, str]:
    named = data.get("model", next(iter(models)) if len(models) == 1 else None)
    if not isinstance(named, str):
        raise Misconfigured("model", f"which of {', '.join(models)} is it? Write model = {next(iter(models))!r}")
    return named, "model"


def _needs(needs: Any) -> tuple[str, ...]:
    if not isinstance(needs, list):
        raise Misconfigured("needs", f"takes a list of capabilities, not {needs!r}")
    for at, need in enumerate(needs):
        if need not in FEATURES:
            raise Misconfigured(f"needs[{at}]", unknown(need, FEATURES))
    return tuple(needs)
