"""Keys that are kept for the command line: each under the name of its environment variable, in a file of the user's.

A variable that is set comes first. Nobody but the user may read the file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .settings import config_folder


def key_file() -> Path:
    """Where the keys are kept; it need not exist."""
    return config_folder() / "keys.json"


def kept_keys() -> dict[str, str]:
    """Each key by its variable. Raises ValueError, without what stands there, for a file that can't be read."""
    path = key_file()
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no JSON"
        raise ValueError(f"{path}: the keys can't be read: {why}") from None
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data.values()):
        raise ValueError(f"{path}: the keys can't be read: it isn't a JSON object of texts")
    return data


def keep_keys(keys: Mapping[str, str]) -> None:
    """Write them all, at once or not at all, for nobody else to read."""
    path = key_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, beside = tempfile.mkstemp(dir=path.parent, prefix="keys.")  # a file of mode 0600
    try:
        with open(number, "w", encoding="utf-8") as file:
            json.dump(keys, file, indent=1)
            file.write("\n")
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def use_kept_keys() -> None:
    """Set the variables that have a key here, and that the environment hasn't set."""
    for variable, key in kept_keys().items():
        if not os.environ.get(variable):
            os.environ[variable] = key


def where_key_is(variable: str, kept: Mapping[str, str]) -> str:
    """The variable, and whether it has a key: from the environment, from here, or not."""
    if os.environ.get(variable):
        return f"{variable} (set)"
    return f"{variable} ({'kept' if variable in kept else 'not set'})"
