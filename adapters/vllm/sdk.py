"""What is leaned on inside vLLM, and what a user loses of each where a newer release hasn't it any more.

Its client of an engine has processes, sockets and finalizers that it keeps to itself: without them an engine's end
isn't known, and a forked child would end its parent's.
"""

from __future__ import annotations

import contextlib
import multiprocessing.process
from importlib import import_module
from typing import Any, Final

from ..process.inside import Argument, Inside

_CLIENT: Final = "vllm.v1.engine.core_client"
_PROCESSES: Final = "vllm.v1.engine.utils:CoreEngineProcManager"
_ORPHANS: Final = "an engine's processes may outlive their engine for a moment, with the memory that they hold"
_CHILD: Final = "a forked child that ends may end its parent's engine"
_CAUSE: Final = "why an engine didn't start stands in vLLM's log alone"
_SERVER: Final = "the kind of an error of loading is `server`"
_UNLIKE: Final = "its engine can't be used by this release of modelport"


def _of(owner: str, name: str, lost: str) -> Inside:
    return Inside("vllm", owner, name, lost)


ENGINE_CORE: Final = _of("vllm.v1.engine.async_llm:AsyncLLM", "engine_core", f"{_ORPHANS}, and {_CHILD}")
RESOURCES: Final = _of(f"{_CLIENT}:MPClient", "resources", f"{_ORPHANS}, and {_CHILD}")
MANAGER: Final = _of(f"{_CLIENT}:BackgroundResources", "engine_manager", f"{_ORPHANS}, and {_CHILD}")
PROCESSES: Final = _of(_PROCESSES, "processes", f"{_ORPHANS}, and {_CHILD}")
CONTEXT: Final = _of(f"{_CLIENT}:BackgroundResources", "ctx", "the sockets of an engine that has ended stay open")
CLIENT_FINALIZER: Final = _of(f"{_CLIENT}:MPClient", "_finalizer", _CHILD)
MANAGER_FINALIZER: Final = _of(_PROCESSES, "_finalizer", _CHILD)
CHILDREN: Final = Inside("Python", "multiprocessing.process", "_children", _CHILD)
MAIN: Final = tuple(
    Inside(
        "Python",
        "multiprocessing.spawn",
        name,
        "a script needs `if __name__ == '__main__'` around what starts an engine, or it starts engines without end",
    )
    for name in ("init_main_from_name", "init_main_from_path")
)
NAME: Final = _of(_PROCESSES, "EngineCore", "a program that ends while an engine starts waits half a minute for it")
LOGGING: Final = _of("vllm.config.logging", "LoggingConfig", _CAUSE)
LOGGING_DEFAULT: Final = _of("vllm.logger", "DEFAULT_LOGGING_CONFIG", _CAUSE)
DIED: Final = _of("vllm.v1.utils", "died unexpectedly", f"of a process that is killed, {_CAUSE}")
# What it says of memory, of models and of weights while it loads them
NO_ROOM: Final = (
    _of("vllm.v1.worker.cpu_worker", "Available memory on node", _SERVER),
    _of("vllm.v1.worker.utils", "Free memory on device", _SERVER),
    _of("vllm.v1.core.kv_cache_utils", "available KV cache memory", _SERVER),
    _of("vllm.v1.core.kv_cache_utils", "No available memory", _SERVER),
)
NO_SUCH_MODEL: Final = (
    _of("vllm.model_executor.models.registry", "are not supported for now", _SERVER),
    _of("vllm.model_executor.models.registry", "Model architectures", _SERVER),
)
NO_WEIGHTS: Final = (
    _of("vllm.model_executor.model_loader.default_loader", "Cannot find any model weights", _SERVER),
    _of("vllm.model_executor.model_loader.default_loader", "weights were not initialized", _SERVER),
)

INSIDES: Final[tuple[Inside, ...]] = (
    ENGINE_CORE,
    RESOURCES,
    MANAGER,
    PROCESSES,
    CONTEXT,
    CLIENT_FINALIZER,
    MANAGER_FINALIZER,
    CHILDREN,
    *MAIN,
    NAME,
    LOGGING,
    LOGGING_DEFAULT,
    _of("vllm.config.logging:LoggingConfig", "pylogging_config_file", _CAUSE),
    _of("vllm.v1.engine.async_llm:AsyncLLM", "from_engine_args", _UNLIKE),
    *(
        _of("vllm.v1.engine.async_llm:AsyncLLM", name, _UNLIKE)
        for name in ("abort", "add_lora", "errored", "generate", "get_tokenizer", "model_config", "renderer")
    ),
    *(
        Argument("vllm", "vllm.v1.engine.async_llm:AsyncLLM.generate", name, _UNLIKE)
        for name in ("prompt", "sampling_params", "request_id", "lora_request", "priority")
    ),
    *(
        _of("vllm.config.model:ModelConfig", name, _UNLIKE)
        for name in (
            "generation_config",
            "is_multimodal_model",
            "override_generation_config",
            "try_get_generation_config",
        )
    ),
    _of("vllm.renderers.base:BaseRenderer", "render_cmpl", _UNLIKE),
    _of("vllm.renderers.base:BaseRenderer", "get_mm_processor", "a template that a processor keeps isn't found"),
    _of("vllm.renderers.inputs.preprocess", "parse_model_prompt", _UNLIKE),
    *(
        _of("vllm.sampling_params:SamplingParams", name, _UNLIKE)
        for name in ("detokenize", "output_kind", "structured_outputs", "skip_clone")
    ),
    # Names and words of failures
    *(
        _of("vllm.v1.engine.exceptions", name, "an engine's failure is told as a failed request")
        for name in ("EngineDeadError", "EngineGenerateError")
    ),
    *(
        _of("vllm.exceptions", name, "the kind of an error is `server`")
        for name in ("LoRAAdapterNotFoundError", "MaxQueuedTokensError", "QueueOverflowError", "VLLMValidationError")
    ),
    DIED,
    *NO_ROOM,
    *NO_SUCH_MODEL,
    *NO_WEIGHTS,
)


def processes(llm: Any) -> list[Any]:
    """The engine's processes, as far as vLLM tells."""
    return list(_within(llm, ENGINE_CORE, RESOURCES, MANAGER, PROCESSES) or ())


def close_sockets(llm: Any) -> None:
    """Let go of what an engine's end has left."""
    context = _within(llm, ENGINE_CORE, RESOURCES, CONTEXT)
    if context is not None:
        context.destroy(linger=0)


def disarm(llm: Any) -> None:
    """Have a forked child leave its parent's engine alone, whatever it collects and however it ends."""
    for finalizer in (
        _within(llm, ENGINE_CORE, CLIENT_FINALIZER),
        _within(llm, ENGINE_CORE, RESOURCES, MANAGER, MANAGER_FINALIZER),
    ):
        if finalizer is not None:
            finalizer.detach()
    children = CHILDREN.of(multiprocessing.process, set())
    for process in processes(llm):
        children.discard(process)


def kill_starting() -> None:
    """End the engines that have only begun to start."""
    psutil: Any = import_module("psutil")  # vLLM has it
    for process in multiprocessing.active_children():
        if process.name.startswith(NAME.name):
            with contextlib.suppress(psutil.Error):
                for worker in psutil.Process(process.pid).children(recursive=True):
                    worker.kill()
            process.kill()


def without_main(data: dict[str, Any]) -> None:
    """Have a spawned process, which gets this `data` on the program, not import the main module."""
    for function in MAIN:
        data.pop(function.name, None)
        if not function.stands():
            function.gone()


def logging_parts() -> tuple[Any, Any] | None:
    """The class of a logging configuration and vLLM's default; None, and a warning, where there are none."""
    try:
        config, default = (part.of(part.holder()) for part in (LOGGING, LOGGING_DEFAULT))
    except ImportError:
        LOGGING.gone()
        return None
    return None if config is None or default is None else (config, default)


def _within(holder: Any, *insides: Inside) -> Any:
    for inside in insides:
        if holder is None:
            return None
        holder = inside.of(holder)
    return holder
