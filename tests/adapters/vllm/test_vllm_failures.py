"""adapters/vllm_failures and vllm_sampling: what vLLM's processes wrote, and what the options of a call come to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelport import JsonObject, JsonSchema, ModelFailure, Regex
from modelport.adapters.local.sampling import Usual
from modelport.adapters.vllm.engine import Closed
from modelport.adapters.vllm.errors import EngineFailed, cause, translate
from modelport.adapters.vllm.sampling import CallOptions, call_options, structured, usual

WORKER = (
    "\x1eWorkerProc failed to start.\nTraceback (most recent call last):\n"
    '  File "worker.py", line 3, in load\n    raise ValueError(\n'
    "safetensors_rust.SafetensorError: Error while deserializing header:\n  incomplete metadata\n"
)
CORE = (
    "\x1eEngineCore failed to start.\nTraceback (most recent call last):\n"
    "Exception: WorkerProc initialization failed due to an exception in a background process.\n"
)
DEAD = (
    "\x1eIt failed.\nTraceback (most recent call last):\nvllm.v1.engine.exceptions.EngineDeadError: EngineCore died.\n"
)


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", ""),
        ("\x1eA complaint without a traceback: of nothing.\n", ""),
        (DEAD, ""),
        (WORKER + CORE, "SafetensorError: Error while deserializing header: incomplete metadata"),
        (DEAD + CORE, CORE.rpartition("\n")[0].rpartition("\n")[2]),
        (
            "\x1eWorker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.\n" + CORE,
            "Worker proc VllmWorker-0 died unexpectedly (exit code: -9)",
        ),
    ],
)
def test_the_first_failure_in_the_log_is_the_cause(log: str, expected: str) -> None:
    assert cause(log) == expected


def named(name: str, message: str = "x", base: type[Exception] = Exception) -> Exception:
    return type(name, (base,), {})(message)


@pytest.mark.parametrize(
    ("error", "phase", "expected"),
    [
        (EngineFailed("SafetensorError: incomplete"), "loading", ("not_found", "model", "no")),
        (
            EngineFailed("ValueError: No available memory for the cache blocks."),
            "loading",
            ("overloaded", "model", "no"),
        ),
        (EngineFailed("RuntimeError: can't allocate memory"), "loading", ("overloaded", "model", "no")),
        (EngineFailed("RuntimeError: something else"), "loading", ("server", "model", "no")),
        (TypeError("unexpected keyword argument 'flavour'"), "loading", ("invalid_request", "model", "no")),
        (ValueError("Model architectures ['X'] are not supported"), "loading", ("unsupported", "model", "no")),
        (OSError("there is no config.json"), "loading", ("not_found", "model", "no")),
        (ModuleNotFoundError("vllm", name="vllm"), "loading", ("missing_dependency", "model", "no")),
        (named("TemplateError"), "reading", ("invalid_request", "request", "no")),
        (KeyError("x"), "reading", ("invalid_request", "request", "no")),
        (named("VLLMValidationError"), "generating", ("invalid_request", "request", "no")),
        (named("QueueOverflowError"), "generating", ("overloaded", "model", "no")),
        (named("EngineDeadError"), "generating", ("server", "model", "yes")),
        (Closed(), "generating", ("interrupted", "model", "yes")),
        (RuntimeError("x"), "generating", ("server", "request", "yes")),
    ],
)
def test_each_exception_has_its_meaning(error: Exception, phase: str, expected: tuple[str, str, str]) -> None:
    found = translate(error, "m", phase)
    assert (found.kind, found.scope, found.sent) == expected
    assert (found.provider, found.model_id) == ("vllm", "m")


def test_an_engine_that_ran_out_of_memory_is_overloaded_and_says_so() -> None:
    found = translate(named("EngineDeadError"), why="RuntimeError: can't allocate memory: 12 bytes")
    assert found.kind == "overloaded"
    assert found.message == (
        "the engine died: RuntimeError: can't allocate memory: 12 bytes; the next call starts it again"
    )


def test_what_vllm_wraps_is_told_by_what_it_wraps() -> None:
    wrapped = named("EngineGenerateError", "")
    wrapped.__cause__ = ValueError("a strange token")
    found = translate(wrapped)
    assert (found.kind, found.message) == ("invalid_request", "ValueError: a strange token")


def test_a_missing_package_is_named() -> None:
    assert "pip install 'modelport[vllm]'" in translate(ModuleNotFoundError("no vllm", name="vllm"), "m").message
    found = translate(ModuleNotFoundError("No module named 'torchvision'", name="torchvision"), "m", "loading")
    assert found.message == "vLLM can't be imported (No module named 'torchvision'): vLLM needs it for this model"


DRAWN = {"do_sample": True, "temperature": 0.6}


@pytest.mark.parametrize(
    ("options", "config", "expected"),
    [
        ({}, {}, CallOptions({"temperature": 0.0, "max_tokens": 100}, None, None, 0)),
        ({"max_tokens": 7}, DRAWN, CallOptions({"temperature": 0.6, "max_tokens": 7}, None, None, 0)),
        ({"max_tokens": 700}, {}, CallOptions({"temperature": 0.0, "max_tokens": 100}, None, None, 0)),
        ({"top_p": 0.9}, {"max_new_tokens": 9}, CallOptions({"max_tokens": 9, "top_p": 0.9}, None, None, 0)),
        ({"temperature": None}, {}, CallOptions({"temperature": 0.0, "max_tokens": 100}, None, None, 0)),
        (
            {"logprobs": True, "top_logprobs": 2, "priority": 3, "lora_request": "x", "seed": 1},
            {},
            CallOptions({"seed": 1, "temperature": 0.0, "max_tokens": 100, "logprobs": 2}, 2, "x", 3),
        ),
    ],
)
def test_the_call_beats_the_models_own_defaults(options: Any, config: Any, expected: CallOptions) -> None:
    assert call_options(options, Usual.of(config), room=100) == expected


@pytest.mark.parametrize(
    ("read", "override", "expected"),
    [
        ("auto", {}, Usual({"temperature": 0.6}, drawn=True)),
        ("vllm", {}, Usual()),
        ("vllm", {"temperature": 0.3}, Usual({"temperature": 0.3}, drawn=True)),
        ("auto", {"max_new_tokens": 9}, Usual({"temperature": 0.6, "max_tokens": 9}, drawn=True)),
        ("auto", {"do_sample": False}, Usual({"temperature": 0.6})),
    ],
)
def test_the_models_own_defaults_are_those_that_the_engine_was_told_to_read(
    read: str, override: dict[str, Any], expected: Usual
) -> None:
    config = SimpleNamespace(
        generation_config=read, override_generation_config=override, try_get_generation_config=lambda: dict(DRAWN)
    )
    assert usual(config) == expected


@pytest.mark.parametrize("options", [{"top_logprobs": 2}, {"logprobs": 2}, {"priority": "high"}, {"priority": True}])
def test_what_makes_no_sense_is_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(ModelFailure, match=next(iter(options))) as caught:
        call_options(options, Usual(), room=100)
    assert caught.value.error.kind == "invalid_request"


def test_a_response_format_is_one_of_vllms_structured_outputs() -> None:
    assert structured(JsonObject()) == {"json_object": True}
    assert structured(JsonSchema({"type": "object"})) == {"json": {"type": "object"}}
    assert structured(Regex("a+")) == {"regex": "a+"}
