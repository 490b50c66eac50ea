"""How mlx-lm loads a model and its tokenizer: from a folder, a GGUF file, the hub, or the embedded default's weights.

What is on this machine is read without the network. A GGUF file is converted once into the cache folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..files import cache, gguf, places, weights
from ..local.sampling import Usual
from . import memory as mlx_memory
from . import sdk as mlx_sdk
from .gguf import FORM, convert
from .rope import mended

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
    usual: Usual

    @classmethod
    def of(cls, model: Any, tokenizer: Any, context: int | None, usual: Usual) -> Loaded:
        """What there is to know of them."""
        import mlx.core as mx
        from mlx_lm.models.cache import make_prompt_cache

        batchable = mlx_sdk.batchable(make_prompt_cache(model))
        on_cpu = mx.default_device() == mx.Device(mx.cpu)
        return cls(model, tokenizer, context, frozenset(tokenizer.eos_token_ids), batchable, on_cpu, usual)


def load(model_id: str, *, trust_remote_code: bool, **arguments: Any) -> Loaded:
    """The model and its tokenizer. Raises what mlx-lm raises, or ModelFailure for a place that holds no model."""
    settled()
    with _limits_kept():
        import mlx_lm
    import mlx.core as mx
    from mlx_lm.utils import load_config

    named = dict(arguments)
    source: dict[str, Any] = {name: named.pop(name) for name in ("revision", "token", "cache_dir") if name in named}
    folder = default_folder() if model_id == places.DEFAULT else _folder(model_id, source)
    config = load_config(folder)
    lacking = mended(config)
    mlx_sdk.positions_are_read(lacking)
    named["model_config"] = {**lacking, **named.get("model_config", {})}
    named["tokenizer_config"] = {"trust_remote_code": trust_remote_code, **named.get("tokenizer_config", {})}
    exact = model_id == places.DEFAULT and mx.default_device() == mx.Device(mx.cpu)  # half precision is slower there
    size = sum(file.stat().st_size for file in folder.glob("model*.safetensors"))
    mlx_memory.demand(3 * size if exact else size)
    model, tokenizer = mlx_lm.load(str(folder), trust_remote_code=trust_remote_code, **named)[:2]
    if exact:
        model.set_dtype(mx.float32)
        mx.eval(model.parameters())
    return Loaded.of(model, tokenizer, _context({**config, **named["model_config"]}), _usual(folder))


def injected(model: Any, tokenizer: Any) -> Loaded:
    """A model of the caller's own, its arrays computed, so that any thread may use them."""
    import mlx.core as mx
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    settled()
    mx.eval(model.parameters())
    wrapped = tokenizer if isinstance(tokenizer, TokenizerWrapper) else TokenizerWrapper(tokenizer)
    about = getattr(model, "args", None)
    return Loaded.of(model, wrapped, _context(vars(about) if about is not None else {}), Usual())


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


@contextmanager
def _limits_kept() -> Iterator[None]:
    """When mlx-lm is imported, it sets how many files the process may open, to less than it had or more than it may."""
    import resource

    usual = resource.setrlimit
    resource.setrlimit = lambda *_: None
    try:
        yield
    finally:
        resource.setrlimit = usual


def _context(config: Mapping[str, Any]) -> int | None:
    inner = config.get("text_config")
    known = config.get("max_position_embeddings") or (inner or {}).get("max_position_embeddings")
    return known if isinstance(known, int) and known > 0 else None


def _usual(folder: Path) -> Usual:
    try:
        return Usual.of(json.loads((folder / "generation_config.json").read_bytes()))
    except (OSError, ValueError):  # a file that is none, mlx-lm passes over too
        return Usual()


def default_folder() -> Path:
    """The default's weights as a folder that mlx-lm reads, converted where they aren't yet."""
    return cache.kept_folder(cache.folder() / _FOLDER, lambda path: convert(weights.default_gguf(), path))


def _folder(model_id: str, source: Mapping[str, Any]) -> Path:
    from mlx_lm.utils import DEFAULT_ALLOW_PATTERNS

    known = {name: source[name] for name in ("revision", "cache_dir") if name in source}
    place = places.find(model_id, "MLXModel", files=True, **known)
    path = places.fetch(place, tuple(DEFAULT_ALLOW_PATTERNS), **source)
    if path.is_dir():
        return path
    return gguf.converted(path, "mlx", (FORM, version("mlx-lm")), lambda made: convert(path, made))
