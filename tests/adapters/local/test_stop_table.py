"""Each runtime that is installed here gives the answers of the table, to the letter."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

import pytest
from stop_table import CASES, Case, check

RUNTIMES = {
    "TransformersModel": ("transformers", "modelport.adapters.transformers.model"),
    "OpenVINOModel": ("openvino_genai", "modelport.adapters.openvino.model"),
    "VLLMModel": ("vllm", "modelport.adapters.vllm.model"),
    "MLXModel": ("mlx_lm", "modelport.adapters.mlx.model"),
}
"""The package of the runtime and the module of ours, by the model's name."""


def _installed() -> list[str]:
    found = [name for name, (package, _) in RUNTIMES.items() if find_spec(package) is not None]
    # vLLM and mlx-lm have transformers for its tokenizers; it is tested where it is wanted for itself.
    return [name for name in found if name != "TransformersModel" or not {"VLLMModel", "MLXModel"}.intersection(found)]


if not _installed():
    pytest.skip("no local runtime is installed here", allow_module_level=True)


# What vLLM and MLX warn of when they are imported isn't ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", params=_installed())
def model(request: pytest.FixtureRequest) -> Any:
    name: str = request.param
    if name == "VLLMModel":
        import vllm_subject

        return vllm_subject.model()  # the process has one engine for all the tests
    return getattr(importlib.import_module(RUNTIMES[name][1]), name)("default")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_answer_is_that_of_the_table_whole_and_streamed(model: Any, case: Case) -> None:
    check(model, case)
