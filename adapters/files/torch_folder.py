"""Weights as a folder that PyTorch's runtimes read: the embedded default, and GGUF files, converted once.

Nothing of transformers is imported before something is converted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import cache, gguf, places, weights

_FOLDER = "SmolLM2-135M-Instruct.transformers-5"


def sees(model_id: str) -> bool:
    """Whether a model may take images, as far as its folder tells before it is loaded; of no folder it is believed."""
    if model_id == places.DEFAULT or model_id.endswith(".gguf"):
        return False
    path = places.on_this_machine(model_id)
    try:
        config = json.loads((path / "config.json").read_bytes())
    except (OSError, ValueError):
        return True
    files = ("processor_config.json", "preprocessor_config.json")
    return "vision_config" in config or any((path / name).is_file() for name in files)


def default_folder() -> Path:
    """The default's weights as a folder that transformers reads, converted where they aren't yet."""
    return cache.kept_folder(cache.folder() / _FOLDER, lambda path: convert(weights.default_gguf(), path))


def converted(file: Path, dtype: Any) -> Path:
    """A GGUF file as a folder that transformers reads, in our cache folder. Raises `NotWhole`, or ModelFailure."""
    import transformers

    precision = str(_precision(dtype)).removeprefix("torch.")
    made_by = (precision, transformers.__version__)
    return gguf.converted(file, "transformers", made_by, lambda path: convert(file, path, dtype))


def convert(file: Path, folder: Path, dtype: Any = None) -> None:
    """Write a GGUF file's model and tokenizer as a folder, in bfloat16 where no `dtype` is given."""
    import transformers

    source: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    with quiet(transformers, True):
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(file.parent), **source)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(file.parent),
            dtype=_precision(dtype),
            quantization_config=transformers.GgufConfig(dequantize=True),  # without it, the result can't be saved
            **source,
        )
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def _precision(dtype: Any) -> Any:
    import torch

    return torch.bfloat16 if dtype in (None, "auto") else dtype


@contextmanager
def quiet(transformers: Any, local: bool) -> Iterator[None]:
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
