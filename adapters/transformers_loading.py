"""How transformers loads a model and its tokenizer: from a folder, the hub, or the embedded default's weights.

A local folder is read without the network. The default's weights are converted once into the cache folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from . import cache, weights

DEFAULT = "default"
_FOLDER = "SmolLM2-135M-Instruct.transformers-5"


class Loaded(NamedTuple):
    """What answers."""

    model: Any
    tokenizer: Any


def load(model_id: str, *, trust_remote_code: bool, **arguments: Any) -> Loaded:
    """The model and its tokenizer. Raises what transformers raises, or ModelFailure for a folder that isn't one."""
    import torch
    import transformers

    if arguments.get("device_map") is None:
        arguments["device_map"] = "cuda" if torch.cuda.is_available() else None
    given: Mapping[str, Any] = {name: value for name, value in arguments.items() if value is not None}
    place = str(default_folder()) if model_id == DEFAULT else _place(model_id)
    source = {"trust_remote_code": trust_remote_code, "local_files_only": Path(place).is_dir()}
    for name in ("revision", "cache_dir", "token", "subfolder", "local_files_only"):
        if name in given:
            source[name] = given[name]
    with _quiet(transformers, source["local_files_only"]):
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **source)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(place, **{**source, **given})
    return Loaded(model.eval(), tokenizer)


def default_folder() -> Path:
    """The default's weights as a folder that transformers reads, converted where they aren't yet."""
    return cache.made_once(cache.folder() / _FOLDER, lambda path: convert(weights.default_gguf(), path))


def convert(gguf: Path, folder: Path) -> None:
    """Write a GGUF file's model and tokenizer as a folder."""
    import torch
    import transformers

    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with _quiet(transformers, True):
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), **source)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            dtype=torch.bfloat16,
            quantization_config=transformers.GgufConfig(dequantize=True),  # without it, the result can't be saved
            **source,
        )
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def _place(model_id: str) -> str:
    path = Path(model_id).expanduser()
    if path.is_dir():
        if (path / "config.json").is_file():
            return str(path)
        raise _absent(f"the folder {str(path)!r} holds no model: it has no config.json")
    separators = (os.sep, os.altsep or os.sep)
    if path.exists() or path.is_absolute() or model_id.startswith((".", "~")) or model_id.endswith(separators):
        raise _absent(f"there is no model folder {str(path)!r}")
    return model_id


def _absent(message: str) -> ModelFailure:
    return ModelFailure(ModelError(ErrorKind.NOT_FOUND, message, scope=Scope.MODEL, sent=Sent.NO))


@contextmanager
def _quiet(transformers: Any, local: bool) -> Iterator[None]:
    """Without progress bars, which are worth seeing for a download only."""
    logging = transformers.utils.logging
    if not local or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
