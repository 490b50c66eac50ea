"""The command line as people run it: a process of its own, with a folder of its own for what it keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import loopback

COMMAND = [sys.executable, "-m", "modelport"]


def environment(**more: str) -> dict[str, str]:
    """What a command is started with; OpenAI's adapter needs some key."""
    return {**os.environ, "OPENAI_API_KEY": "none", **more}


def run(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run it to its end, without anything on standard input unless `input` is given."""
    more.setdefault("stdin", None if "input" in more else subprocess.DEVNULL)
    if more["stdin"] is None:
        del more["stdin"]
    return subprocess.run(
        [*COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**more.pop("env", {})),
        timeout=120,
        **more,
    )


def served(server: loopback.Loopback, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Ask a model of this server."""
    return run("ask", *arguments, "--model", "openai:m", "--base-url", server.url, **more)
