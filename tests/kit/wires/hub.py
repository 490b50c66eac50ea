"""The Hugging Face Hub on the loopback, with one repository of real files, for tests of what fetches from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from loopback import Answer, Seen, body

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(name: str, files: Mapping[str, bytes | Path]) -> Callable[[Seen], Answer]:
    """Answers as the Hub does that has only this repository."""

    def answer(seen: Seen) -> Answer:
        path = seen.path.partition("?")[0]
        if path.startswith(f"/api/models/{name}/tree/"):
            found = [
                {"type": "file", "path": file, "size": len(_read(held)), "oid": _mark(_read(held))}
                for file, held in files.items()
            ]
            return body(found)
        if path.startswith(f"/api/models/{name}"):
            return body({"id": name, "sha": COMMIT, "siblings": [{"rfilename": file} for file in files]})
        where, _, rest = path.partition("/resolve/")
        if where != f"/{name}":
            return Answer(404, {"x-error-code": "RepoNotFound", "x-error-message": "Repository not found"})
        file = rest.partition("/")[2]
        if file not in files:
            return Answer(404, {"x-error-code": "EntryNotFound", "x-repo-commit": COMMIT})
        held = _read(files[file])
        told = {"etag": f'"{_mark(held)}"', "x-repo-commit": COMMIT, "x-linked-size": str(len(held))}
        return Answer(headers=told, body=b"" if seen.method == "HEAD" else held)

    return answer


def _read(held: bytes | Path) -> bytes:
    return held if isinstance(held, bytes) else held.read_bytes()


def _mark(held: bytes) -> str:
    return hashlib.sha1(held, usedforsecurity=False).hexdigest()
