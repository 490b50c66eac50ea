"""Where a model's files are: in a folder or a file on this machine, or on the Hugging Face Hub, if that can be reached.

Whether the hub answers is asked here, once and within seconds, before a runtime is let loose on it: left to themselves
they try for minutes. Where it doesn't, what was fetched before serves, and where nothing was, the error names the model
that needs no hub.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..process.thread import apart

DEFAULT: Final = "default"
"""The name of the embedded model, which every runtime has. It is no place: each runtime makes its own of it."""

PATIENCE: Final = 5.0
"""So many seconds may pass until the hub has answered anything at all."""

_ON_THE_HUB: Final = re.compile(r"[\w.-]+(/[\w.-]+){0,9}")
_GGUF, _MAGIC = ".gguf", b"GGUF"
_WEIGHTS: Final = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json")

_K = ErrorKind

# What the hub's exceptions mean: the first name that is theirs or of something that they derive from.
_WHILE_FETCHING: Final = {
    "GatedRepoError": _K.PERMISSION,
    "DisabledRepoError": _K.PERMISSION,
    "RepositoryNotFoundError": _K.NOT_FOUND,
    "RevisionNotFoundError": _K.NOT_FOUND,
    "HFValidationError": _K.NOT_FOUND,
    "LocalEntryNotFoundError": _K.CONNECTION,  # an EntryNotFoundError, too: it wasn't to be had
    "EntryNotFoundError": _K.NOT_FOUND,
    "HfHubHTTPError": _K.SERVER,
    "TransportError": _K.CONNECTION,
    "ConnectionError": _K.CONNECTION,
}


@attrs.frozen
class Place:
    """A path on this machine, or a name on the hub, which answers."""

    path: str
    local: bool

    @property
    def hub_file(self) -> tuple[str, str] | None:
        """The repository and the file, for a name like `org/name/file.gguf`."""
        parts = self.path.split("/", 2)
        return ("/".join(parts[:2]), parts[2]) if not self.local and len(parts) == 3 else None


def find(
    name: str,
    model: str,
    *,
    marks: tuple[str, ...] = ("config.json",),
    files: bool = False,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    only_local: bool = False,
    patience: float = PATIENCE,
) -> Place:
    """Where the model of this name is. `model` is the class that asks, as `TransformersModel`.

    A folder must hold one of `marks`; with `files`, a GGUF file serves, too, a folder with nothing but one, and the
    name of one on the hub (`org/name/file.gguf`). `~` is the home folder. For a name on the hub, `revision` and
    `cache_dir` are what the runtime gives to it; where it can't be reached, or with `only_local`, the place is the
    folder in the hub's cache.

    Blocks, for `patience` at most. Raises ModelFailure: `not_found` for what is neither, `connection` where the hub
    doesn't answer and nothing is here, `missing_dependency` where `huggingface_hub` isn't installed.
    """
    path = on_this_machine(name)
    if files and path.is_dir():
        path = _only_file(path)
    if path.is_dir():
        if any((path / mark).is_file() for mark in marks):
            return Place(str(path), True)
        raise _failure(_K.NOT_FOUND, f"the folder {str(path)!r} holds no model: it has no {' or '.join(marks)}")
    if files and path.is_file():
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise _failure(_K.NOT_FOUND, f"{str(path)!r} is neither a model folder nor a GGUF file")
        return Place(str(path), True)
    if path.exists() or not _may_be_on_the_hub(name, files):
        what = "no model folder and no GGUF file" if files else "no model folder"
        raise _failure(_K.NOT_FOUND, f"there is {what} {str(path)!r}")
    place = Place(name, False)
    try:
        why = "only what is on it was asked for" if only_local else _unreached(place, revision, patience)
    except ImportError as error:
        message = f"{name!r} is not on this machine; to fetch it from the Hub: pip install 'modelport[huggingface]'"
        raise _failure(_K.MISSING_DEPENDENCY, message) from error
    if why is None:
        return place
    kept = _kept(place, marks, revision, cache_dir)
    if kept is None:
        message = f"{name!r} is not on this machine, and {why}; {model}({DEFAULT!r}) needs no hub"
        raise _failure(_K.CONNECTION, message)
    return kept


def _only_file(folder: Path) -> Path:
    """The one GGUF file of a folder that has no weights beside it; else the folder. Raises ModelFailure for several."""
    files = sorted(folder.glob(f"*{_GGUF}"))
    if not files or any(True for pattern in _WEIGHTS for _ in folder.glob(pattern)):
        return folder
    if len(files) > 1:
        names = ", ".join(file.name for file in files)
        message = f"the folder {str(folder)!r} holds {names}; name the one: {str(files[0])!r}"
        raise _failure(_K.NOT_FOUND, message)
    return files[0]


def on_this_machine(name: str) -> Path:
    """The name as a path; `~` is the home folder, and what names a user that there isn't stays as it is."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def fetch(place: Place, patterns: tuple[str, ...], **source: Any) -> Path:
    """The folder or file; what is on the hub is fetched into the hub's cache, of a repository the files of `patterns`.

    `source` is what `huggingface_hub` takes: `revision`, `cache_dir`, `token`. Raises ModelFailure for what the hub
    refuses or doesn't send, and OSError where it can't be written.
    """
    if place.local:
        return Path(place.path)
    import huggingface_hub

    try:
        if place.hub_file is None:
            return Path(huggingface_hub.snapshot_download(place.path, allow_patterns=list(patterns), **source))
        repository, file = place.hub_file
        return Path(huggingface_hub.hf_hub_download(repository, file, **source))
    except Exception as error:
        names = {base.__name__ for base in type(error).__mro__}
        kind = next((kind for name, kind in _WHILE_FETCHING.items() if name in names), None)
        if kind is None:
            raise
        message = " ".join(f"{type(error).__name__}: {error}".split())
        raise _failure(kind, f"{place.path!r} can't be fetched from the Hub: {message}") from error


def _may_be_on_the_hub(name: str, files: bool) -> bool:
    if not _ON_THE_HUB.fullmatch(name) or name.startswith("."):
        return False
    named_file = name.endswith(_GGUF)
    return name.count("/") >= 2 if files and named_file else name.count("/") < 2


def _unreached(place: Place, revision: str | None, patience: float) -> str | None:
    """What keeps the hub from being reached; None where it answers, be it with a refusal."""
    from huggingface_hub import constants, get_session

    repository, file = place.hub_file or (place.path, "config.json")
    address = f"{constants.ENDPOINT}/{repository}/resolve/{revision or 'main'}/{file}"

    def ask() -> str | None:
        try:
            status = get_session().head(address, timeout=2 * patience).status_code
            return f"it answers with status {status}" if status >= 500 else None
        except Exception as error:
            return " ".join(f"{type(error).__name__}: {error}".split())

    try:  # in a thread, because no timeout holds for the look-up of a name
        why = apart(ask, "modelport-hub").result(patience)
    except TimeoutError:
        why = f"no answer within {patience:g} s"
    return None if why is None else f"the Hub at {constants.ENDPOINT} can't be reached ({why})"


def _kept(place: Place, marks: tuple[str, ...], revision: str | None, cache_dir: str | Path | None) -> Place | None:
    """The folder or file in the hub's cache, if it was fetched before."""
    from huggingface_hub import try_to_load_from_cache

    repository, file = place.hub_file or (place.path, None)
    for mark in marks if file is None else (file,):
        cached = try_to_load_from_cache(repository, mark, cache_dir=cache_dir, revision=revision)
        if isinstance(cached, str):
            return Place(cached if file is not None else cached[: -len(mark) - 1], True)
    return None


def _failure(kind: ErrorKind, message: str) -> ModelFailure:
    return ModelFailure(ModelError(kind, message, scope=Scope.MODEL, sent=Sent.NO))
