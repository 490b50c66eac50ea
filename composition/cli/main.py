"""The command `modelport`, which also `python -m modelport` runs.

It exits with 0 after an answer, 1 after an error of the model or of this machine, 2 after bad usage, and 130 at once on
Ctrl-C. The model's text goes to standard output, and everything else to standard error.
"""

from __future__ import annotations

import io
import signal
import sys
from importlib.util import find_spec
from typing import TypeGuard

from .exits import complain, interrupted, leave, tell

_NEEDED = ("click", "jsonschema", "prompt_toolkit", "rich")


def main() -> None:
    """What `modelport` runs."""
    signal.signal(signal.SIGINT, interrupted)
    if sys.argv[1:] == ["--version"]:  # scripts ask for it: nothing else is imported
        tell(f"modelport {_version()}")
        return
    absent = [name for name in _NEEDED if find_spec(name) is None]
    if absent:
        complain(f"the command line can't start ({absent[0]} isn't installed): pip install 'modelport[cli]'")
        sys.exit(1)
    for stream in filter(_is_text, (sys.stdin, sys.stdout, sys.stderr)):
        stream.reconfigure(encoding="utf-8", errors="replace")
    from .commands import group

    try:
        group(prog_name="modelport")
    except OSError as error:  # what is kept can't be read or written, or there is no room for the help
        leave(error)


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("modelport")
    except metadata.PackageNotFoundError:  # part of another package
        return "(not installed on its own)"


def _is_text(stream: object) -> TypeGuard[io.TextIOWrapper]:
    return isinstance(stream, io.TextIOWrapper)
