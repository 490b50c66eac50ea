"""How OpenVINO GenAI loads a model: a folder in its own format or a GGUF file, from here or the hub, or the default.

A GGUF file is converted to OpenVINO's own format in our cache folder, once: that loads in half the time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..files import gguf, places
from ..files.weights import default_gguf
from .sdk import check_no_statistics, no_statistics

_MARKS = ("openvino_model.xml", "openvino_language_model.xml")
_FILES = ("openvino_*", "*.json", "*.jinja", "*.txt", "*.model")  # a repository may hold other runtimes' weights, too
_ANYWHERE = frozenset({"CPU", "AUTO", "BATCH", "HETERO", "MULTI"})  # all but the first are made of others
_OF_THE_HUB = frozenset({"revision", "cache_dir", "token"})


@attrs.frozen(eq=False)
class Loaded:
    """A pipeline, its tokenizer, and how many tokens prompt and answer may have together, where that is known."""

    pipeline: Any
    tokenizer: Any
    window: int | None


def load(model_id: str, device: str, kwargs: Mapping[str, Any], pipeline: Any = None) -> Loaded:
    """What answers; a `pipeline` that is there already is taken as it is.

    Raises ModelFailure where nothing is or can be fetched, or OpenVINO's own RuntimeError for what can't be read.
    """
    no_statistics()
    source = None
    if pipeline is None:
        own = {name: value for name, value in kwargs.items() if name not in _OF_THE_HUB}
        hub = {name: value for name, value in kwargs.items() if name in _OF_THE_HUB}
        path = _path(model_id, hub)
        try:
            pipeline, source = _open(path, device, own)
        except RuntimeError:
            _expect(device)
            raise
    check_no_statistics()
    tokenizer = pipeline.get_tokenizer()
    window = _window(tokenizer, source)
    tokenizer.decode([0])  # a pipeline without a tokenizer loads, and fails with its first answer
    return Loaded(pipeline, tokenizer, window)


def _path(model_id: str, hub: Mapping[str, Any]) -> Path:
    if model_id == places.DEFAULT:
        return default_gguf()
    known = {name: value for name, value in hub.items() if name != "token"}
    place = places.find(model_id, "OpenVINOModel", marks=_MARKS, files=True, **known)
    path = places.fetch(place, _FILES, **hub)
    if path.is_dir() and not any((path / mark).is_file() for mark in _MARKS):
        message = f"the repository {model_id!r} has no {_MARKS[0]}: it is in another runtime's format"
        raise ModelFailure(ModelError(ErrorKind.NOT_FOUND, message, scope=Scope.MODEL, sent=Sent.NO))
    return path


def _expect(device: str) -> None:
    """Raises ModelFailure for a device that isn't here, of which OpenVINO says many things."""
    import openvino

    base = device.partition(":")[0].partition(".")[0]
    if base in _ANYWHERE:
        return
    devices = openvino.Core().available_devices
    if any(known.partition(".")[0] == base for known in devices):
        return
    message = f"there is no device {device!r}: OpenVINO finds {', '.join(devices)} here"
    raise ModelFailure(ModelError(ErrorKind.INVALID_REQUEST, message, scope=Scope.MODEL, sent=Sent.NO))


def _open(path: Path, device: str, kwargs: dict[str, Any]) -> tuple[Any, Path]:
    """The pipeline, and the folder or file that it was read from."""
    import openvino_genai

    if path.is_dir():
        return openvino_genai.LLMPipeline(str(path), device, **kwargs), path
    made = []

    def convert(folder: Path) -> None:
        folder.mkdir()
        link = folder / "model.gguf"  # OpenVINO writes beside the file that it reads
        link.symlink_to(path.resolve())
        made.append(openvino_genai.LLMPipeline(str(link), device, enable_save_ov_model=True, **kwargs))
        link.unlink()

    try:
        target = gguf.converted(path, "openvino", (openvino_genai.__version__,), convert)
    except OSError:  # a cache folder that can't be written, a system without links: it only takes longer then
        target = path
    return (made[0] if made else openvino_genai.LLMPipeline(str(target), device, **kwargs)), target


def _window(tokenizer: Any, source: Path | None) -> int | None:
    """What prompt and answer may come to: the least of what the model says and of where its tokenizer cuts off."""
    known = []
    try:
        config = json.loads((source / "config.json").read_bytes()) if source else {}
        known.append(int(config["max_position_embeddings"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    many = 150_000
    cut = tokenizer.encode(" a" * many, add_special_tokens=False).input_ids.shape[1]
    if cut < many // 2:
        known.append(int(cut))
    return min(known, default=None)
