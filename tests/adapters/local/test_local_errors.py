"""What happens on this machine means the same in every runtime: the four tables say so of the same exceptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module

import pytest

from modelport import ModelError
from modelport.adapters.files.gguf import NotWhole

RUNTIMES = ("transformers", "mlx", "vllm", "openvino")


@pytest.fixture(params=RUNTIMES)
def translate(request: pytest.FixtureRequest) -> Callable[..., ModelError]:
    found: Callable[..., ModelError] = import_module(f"modelport.adapters.{request.param}.errors").translate
    return found


NO_JSON = json.JSONDecodeError("Expecting value", "{", 1)
NO_TEXT = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
NO_ROOM = OSError(12, "Cannot allocate memory")


@pytest.mark.parametrize(
    ("raised", "phase", "expected"),
    [
        (MemoryError(), "loading", ("overloaded", "model", "no")),
        (MemoryError(), "generating", ("overloaded", "model", "yes")),
        (RuntimeError("std::bad_alloc"), "loading", ("overloaded", "model", "no")),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "generating", ("overloaded", "model", "yes")),
        (RuntimeError("[metal::malloc] Unable to allocate 9 bytes"), "reading", ("overloaded", "model", "no")),
        (RuntimeError("CUDA error: Out of memory"), "generating", ("overloaded", "model", "yes")),
        (NO_ROOM, "loading", ("overloaded", "model", "no")),
        (NO_JSON, "loading", ("not_found", "model", "no")),
        (NO_TEXT, "loading", ("not_found", "model", "no")),
        (NotWhole("'/m/model.gguf' is cut off"), "loading", ("not_found", "model", "no")),
        (OSError("there is no config.json"), "loading", ("not_found", "model", "no")),
        (ConnectionError("refused"), "loading", ("connection", "model", "no")),
        (TypeError("unexpected keyword argument 'flavour'"), "loading", ("invalid_request", "model", "no")),
        (ValueError("no such dtype"), "loading", ("invalid_request", "model", "no")),
        (KeyError("?"), "loading", ("server", "model", "no")),
        (ImportError("no such library"), "loading", ("missing_dependency", "model", "no")),
        (KeyError("role"), "reading", ("invalid_request", "request", "no")),
        (TypeError("unexpected"), "generating", ("invalid_request", "request", "no")),
        (KeyError("?"), "generating", ("server", "request", "yes")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_exception_means_the_same_in_each(
    raised: Exception, phase: str, expected: tuple[str, str, str], translate: Callable[..., ModelError]
) -> None:
    found = translate(raised, "m", phase)
    assert (found.kind, found.scope, found.sent) == expected
