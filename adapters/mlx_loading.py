"""How mlx-lm loads a model and its tokenizer: from a folder, the hub, or the embedded default's weights.

A local folder is read without the network. The default's weights are converted once into the cache folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from ..domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from . import cache, mlx_memory, weights
from .mlx_gguf import convert
from .mlx_rope import mended

DEFAULT = "default"
_FOLDER = "SmolLM2-135M-Instruct.mlx"

_used_in: set[int] = set()  # the processes that have loaded a model


@attrs.frozen(eq=False)
class Loaded:
    """What answers."""

    model: Any
    tokenizer: Any  # wrapped by mlx-lm
    context: int | None  # how many tokens prompt and answer may have together, where that is known
    ends: frozenset[int]  # the tokens that end an answer
    batchable: bool  # whether calls can enter and leave a batch while it runs
    on_cpu: bool

    @classmethod
    def of(cls, model: Any, tokenizer: Any, context: int | None) -> Loaded:
        """What there is to know of them."""
        import mlx.core as mx
        from mlx_lm.models.cache import make_prompt_cache

        batchable = all(hasattr(part, "merge") for part in make_prompt_cache(model))
        on_cpu = mx.default_device() == mx.Device(mx.cpu)
        return cls(model, tokenizer, context, frozenset(tokenizer.eos_token_ids), batchable, on_cpu)


def load(model_id: str, *, trust_remote_code: bool, **arguments: Any) -> Loaded:
    """The model and its tokenizer. Raises what mlx-lm raises, or ModelFailure for a folder that isn't one."""
    settled()
    import mlx.core as mx
    import mlx_lm
    from mlx_lm.utils import _download, load_config

    given = dict(arguments)
    place = default_folder() if model_id == DEFAULT else _place(model_id)
    folder = place if isinstance(place, Path) else _download(place, revision=given.pop("revision", None))
    config = load_config(folder)
    given["model_config"] = {**mended(config), **given.get("model_config", {})}
    given["tokenizer_config"] = {"trust_remote_code": trust_remote_code, **given.get("tokenizer_config", {})}
    exact = model_id == DEFAULT and mx.default_device() == mx.Device(mx.cpu)  # half precision is slower there
    size = sum(file.stat().st_size for file in folder.glob("model*.safetensors"))
    mlx_memory.demand(3 * size if exact else size)
    model, tokenizer = mlx_lm.load(str(folder), trust_remote_code=trust_remote_code, **given)[:2]
    if exact:
        model.set_dtype(mx.float32)
        mx.eval(model.parameters())
    return Loaded.of(model, tokenizer, _context({**config, **given["model_config"]}))


def injected(model: Any, tokenizer: Any) -> Loaded:
    """A model of the caller's own, its arrays computed, so that any thread may use them."""
    import mlx.core as mx
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    settled()
    mx.eval(model.parameters())
    wrapped = tokenizer if isinstance(tokenizer, TokenizerWrapper) else TokenizerWrapper(tokenizer)
    about = getattr(model, "args", None)
    return Loaded.of(model, wrapped, _context(vars(about) if about is not None else {}))


def settled() -> None:
    """Raises ModelFailure in a process that was forked from one in which MLX runs: its threads aren't there."""
    here = os.getpid()
    if _used_in and here not in _used_in:
        message = "MLX was used before this process was forked, and doesn't work after a fork: start processes "
        message += "with multiprocessing.get_context('spawn'), or use the first model after the fork"
        raise ModelFailure(ModelError(ErrorKind.UNSUPPORTED, message, scope=Scope.MODEL, sent=Sent.NO))
    import mlx.core

    assert mlx.core
    _used_in.add(here)


def _context(config: Mapping[str, Any]) -> int | None:
    inner = config.get("text_config")
    known = config.get("max_position_embeddings") or (inner or {}).get("max_position_embeddings")
    return known if isinstance(known, int) and known > 0 else None


def default_folder() -> Path:
    """The default's weights as a folder that mlx-lm reads, converted where they aren't yet."""
    return cache.made_once(cache.folder() / _FOLDER, lambda path: convert(weights.default_gguf(), path))


def _place(model_id: str) -> Path | str:
    path = Path(model_id).expanduser()
    if path.is_dir():
        if (path / "config.json").is_file():
            return path
        raise _absent(f"the folder {str(path)!r} holds no model: it has no config.json")
    separators = (os.sep, os.altsep or os.sep)
    if path.exists() or path.is_absolute() or model_id.startswith((".", "~")) or model_id.endswith(separators):
        raise _absent(f"there is no model folder {str(path)!r}")
    return model_id


def _absent(message: str) -> ModelFailure:
    return ModelFailure(ModelError(ErrorKind.NOT_FOUND, message, scope=Scope.MODEL, sent=Sent.NO))
