"""Which extra a test needs: without it the test is skipped, and the reason names what to install."""

from importlib.util import find_spec

import pytest

MODULES = {
    "aiolimiter": ("aiolimiter",),
    "anthropic": ("aiohttp", "orjson"),
    "bedrock": ("boto3", "aiohttp", "orjson"),
    "check": ("jsonschema", "pydantic"),
    "cli": ("click", "prompt_toolkit", "rich"),
    "gemini": ("aiohttp", "orjson"),
    "huggingface": ("huggingface_hub", "aiohttp", "orjson"),
    "litellm": ("litellm", "orjson"),
    "openai": ("aiohttp", "orjson"),
    "openvino": ("openvino_genai",),
    "otel": ("opentelemetry", "opentelemetry.sdk"),
    "transformers": ("torch", "transformers", "llguidance"),
}
"""What each extra brings; pydantic and OpenTelemetry's SDK are the tests' own."""

OF_FILES = {
    "test_anthropic": "anthropic",
    "test_azure": "openai",
    "test_bedrock": "bedrock",
    "test_chat": "openai",
    "test_check": "check",
    "test_cli": "cli",
    "test_configuration": "check",
    "test_constraint": "transformers",
    "test_faults": "openai",
    "test_gemini": "gemini",
    "test_openai": "openai",
    "test_responses": "openai",
    "test_trace": "otel",
    "test_transformers": "transformers",
}
"""The extra that all tests of a file need, by how the file's name begins."""


def why_not(*extras: str) -> str | None:
    """Why what needs these extras can't run here, if it can't."""
    for extra in extras:
        for module in MODULES[extra]:
            if find_spec(module.partition(".")[0]) is None or find_spec(module) is None:
                return f"{module} isn't installed here: pip install 'modelport[{extra}]'"
    return None


def need(*extras: str) -> None:
    """Skip what runs now, unless these extras are here."""
    if reason := why_not(*extras):
        pytest.skip(reason)
