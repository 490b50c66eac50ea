"""How a vLLM engine is started: from a folder, the hub or the embedded default, quietly, and without telling anybody.

What vLLM takes from the environment is set where nobody has set it: it counts no usage, logs errors only, and starts
its processes by `spawn`, as it runs beside other threads here. On a CPU, where its defaults would reserve nearly all
memory and compile for minutes, it reserves less and doesn't compile. What the user says, there or in `model_kwargs`,
stands.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping
from multiprocessing import spawn
from pathlib import Path
from typing import Any, Final

from ..files import places
from ..files.torch_folder import default_folder
from . import errors
from . import sdk as vllm_sdk

_ENVIRONMENT: Final = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
_CPU_CACHE: Final = 4 << 30  # bytes for keys and values on a CPU, or a quarter of the memory where that is less


class Start:
    """Starts one engine of this model; `kwargs` are for vLLM's `AsyncEngineArgs`."""

    def __init__(self, model_id: str, kwargs: Callable[[], Mapping[str, Any]]) -> None:
        self._model_id, self._kwargs = model_id, kwargs
        self._scratch: Path | None = None

    def start(self) -> Any:
        """The engine, ready. Raises what vLLM raises, or what its processes failed with, as far as they said."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        kwargs = self._kwargs()
        arguments = {"model": _place(self._model_id, kwargs), **_defaults(), **kwargs}
        arguments |= self._logged(arguments)
        _hide_main()
        _hidden.now = True
        try:
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        except Exception as error:
            why = self.why()
            if why and isinstance(error, RuntimeError):
                raise errors.EngineFailed(why) from error
            raise
        finally:
            _hidden.now = False

    def why(self) -> str:
        """What the engine's processes failed with."""
        try:
            return "" if self._scratch is None else errors.cause((self._scratch / "errors").read_text())
        except OSError:
            return ""

    def ended(self) -> None:
        """Removes what was written for it."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _logged(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Has the engine's processes write their errors where they can be read; unless logging is the user's own."""
        if arguments.keys() & {"logging_config", "log_config_file"} or os.environ.get("VLLM_LOGGING_CONFIG_PATH"):
            return {}
        parts = vllm_sdk.logging_parts()
        if parts is None:
            return {}
        logging_config, default = parts
        self._scratch = Path(tempfile.mkdtemp(prefix="modelport-vllm-"))
        config = {
            **default,
            **errors.written_to(default, self._scratch / "errors"),
        }
        file = self._scratch / "logging.json"
        file.write_text(json.dumps(config))
        return {"logging_config": logging_config(pylogging_config_file=str(file))}


def _place(model_id: str, kwargs: Mapping[str, Any]) -> str:
    if model_id == places.DEFAULT:
        return str(default_folder())
    revision, kept = kwargs.get("revision"), kwargs.get("download_dir")
    return places.find(model_id, "VLLMModel", revision=revision, cache_dir=kept).path


def _defaults() -> dict[str, Any]:
    from vllm.platforms import current_platform

    defaults: dict[str, Any] = {"disable_log_stats": True, "use_tqdm_on_load": False}
    if current_platform.is_cpu():
        defaults["enforce_eager"] = True
        if not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
            defaults["kv_cache_memory_bytes"] = min(_CPU_CACHE, _memory() // 4)
    return defaults


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


_hidden = threading.local()


def _hide_main() -> None:
    """Engines are started without the user's main module, so that a script needs no `if __name__ == "__main__"`.

    A spawned process imports the parent's main module, for what is pickled of it; an engine's process needs none of it,
    and a script that calls a model at its top level would start engines without end. Other processes that the program
    spawns are not concerned.
    """
    prepare = spawn.get_preparation_data
    if getattr(prepare, "hides_main", False):
        return

    def prepared(name: str) -> dict[str, object]:
        data: dict[str, object] = prepare(name)
        if getattr(_hidden, "now", False):
            vllm_sdk.without_main(data)
        return data

    prepared.hides_main = True  # type: ignore[attr-defined]  # a mark on the function, so that it is wrapped once
    spawn.get_preparation_data = prepared
