"""What `modelport.toml` says to the command line: the one of the folder first, then the user's own.

    model = "main"                       # asked where no model is named: a name below, an alias, or ADAPTER:MODEL

    [aliases]
    fast = "openai:gpt-4o-mini"

    [models.main]
    adapter = "OpenAIModel"
    ...

The models are read when one of them is asked, by `from_toml`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from ....domain.frozen import EMPTY

FILE: Final = "modelport.toml"


def config_folder() -> Path:
    """`MODELPORT_CONFIG`, or `modelport` in `XDG_CONFIG_HOME` or `~/.config`; it need not exist."""
    if own := os.environ.get("MODELPORT_CONFIG"):
        return Path(own)
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "modelport"


@attrs.frozen
class Settings:
    """What one file says: the model to ask, other names for models, and the models that it describes."""

    path: Path
    model: str | None = None
    aliases: Mapping[str, str] = EMPTY
    models: tuple[str, ...] = ()


def settings() -> tuple[Settings, ...]:
    """Those of the folder, then the user's, as far as they are there. Raises ValueError for one that can't be read."""
    places = (Path(FILE), config_folder() / FILE)
    return tuple(_read(path) for path in places if path.is_file())


def _read(path: Path) -> Settings:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    model, aliases, models = data.get("model"), data.get("aliases", {}), data.get("models", {})
    if model is not None and not isinstance(model, str):
        raise ValueError(f"{path}: model: takes the name of a model, not {model!r}")
    if not isinstance(aliases, dict) or not all(isinstance(meant, str) for meant in aliases.values()):
        raise ValueError(f'{path}: aliases: takes names of models, such as fast = "openai:gpt-4o-mini"')
    if not isinstance(models, dict):
        raise ValueError(f"{path}: models: takes a table for each model, such as [models.main]")
    return Settings(path, model, aliases, tuple(models))
