"""How OpenVINO GenAI loads a model: from a folder in its own format, a GGUF file, or the embedded default's weights.

A GGUF file is converted to OpenVINO's own format in our cache folder, once: that loads in half the time.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from . import cache, gguf
from .weights import default_gguf

DEFAULT = "default"


@attrs.frozen(eq=False)
class Loaded:
    """A pipeline, its tokenizer, and how many tokens prompt and answer may have together, where that is known."""

    pipeline: Any
    tokenizer: Any
    window: int | None


def load(model_id: str, device: str, kwargs: Mapping[str, Any], pipeline: Any = None) -> Loaded:
    """What answers; a `pipeline` that is there already is taken as it is.

    Raises FileNotFoundError where nothing is, or OpenVINO's own RuntimeError for what can't be read.
    """
    _no_statistics()
    source = None
    if pipeline is None:
        path = default_gguf() if model_id == DEFAULT else Path(model_id).expanduser()
        pipeline, source = _open(path, device, dict(kwargs))
    tokenizer = pipeline.get_tokenizer()
    window = _window(tokenizer, source)
    tokenizer.decode([0])  # a pipeline without a tokenizer loads, and fails with its first answer
    return Loaded(pipeline, tokenizer, window)


def _no_statistics() -> None:
    """Keeps OpenVINO from counting its use: importing it would write an id into the home folder and may send it."""
    # None is how Python marks a module that must not be imported, which the types of sys.modules don't say.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _open(path: Path, device: str, kwargs: dict[str, Any]) -> tuple[Any, Path]:
    """The pipeline, and the folder or file that it was read from."""
    import openvino_genai

    if not path.exists():
        raise FileNotFoundError(f"there is no model folder and no GGUF file {str(path)!r}")
    if path.is_dir():
        return openvino_genai.LLMPipeline(str(path), device, **kwargs), path
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise FileNotFoundError(f"{str(path)!r} is neither a model folder nor a GGUF file")
    state = path.stat()
    mark = repr((str(path.resolve()), state.st_size, state.st_mtime_ns, openvino_genai.__version__))
    target = cache.folder() / f"{path.stem}-openvino-{hashlib.sha256(mark.encode()).hexdigest()[:16]}"
    if not target.exists():
        gguf.check(path)
    made = []

    def convert(folder: Path) -> None:
        folder.mkdir()
        link = folder / "model.gguf"  # OpenVINO writes beside the file that it reads
        link.symlink_to(path.resolve())
        made.append(openvino_genai.LLMPipeline(str(link), device, enable_save_ov_model=True, **kwargs))
        link.unlink()

    try:
        cache.made_once(target, convert)
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
