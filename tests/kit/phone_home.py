"""What a model does besides answering: whom it contacts, which names it asks for, and what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs

WATCHED = """
import json
import sys

contacts, names = [], []


def watch(event, details):
    if event == "socket.connect":
        contacts.append(str(details[1]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        names.append(str(details[0] if event != "socket.sendto" else details[1]))


sys.addaudithook(watch)
import modelport
import modelport.adapters
from modelport import as_request, blocking

{make}
request = as_request("Why is the sky blue?", max_tokens=3)
whole = blocking(model).generate(request)
last = list(blocking(model).stream(request))[-1]
print(json.dumps([str(whole), str(last), contacts, names]))
"""


@attrs.frozen
class Watched:
    """What a process did: its answers, the addresses it contacted, the names it looked up, the files it left behind."""

    answered: bool
    contacts: list[str]
    names: list[str]
    written: list[str]


def watched(make: str, home: Path, **environment: str) -> Watched:
    """Make a model in a fresh process with a home of its own, call it whole and streamed, and say what that did."""
    work, temporary = home / "work", home / "tmp"
    for folder in (home, work, temporary):
        folder.mkdir()
    dropped = ("XDG_", "HF_", "MODELPORT_", "DO_NOT_TRACK", "PYTHON", "TRANSFORMERS_", "AWS_", "LITELLM_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own |= {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    own |= {"PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", WATCHED.replace("{make}", make)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=own, cwd=work, timeout=240)
    assert done.returncode == 0, done.stderr
    whole, last, contacts, names = json.loads(done.stdout.splitlines()[-1])
    files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())
    return Watched(whole.startswith("<Success") and last.startswith("Finished"), contacts, names, files)
