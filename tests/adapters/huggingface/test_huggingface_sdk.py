"""What `huggingface_sdk` relies on outside of the SDK's public face: where one of these fails, look there first."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect

import pytest

pytest.importorskip("huggingface_hub")

import httpx2
from huggingface_hub import AsyncInferenceClient, constants, get_async_session
from huggingface_hub.inference._common import RequestParameters
from huggingface_hub.inference._providers import PROVIDERS, get_provider_helper
from huggingface_hub.inference._providers._common import TaskProviderHelper


def test_a_helper_is_found_by_provider_task_and_model() -> None:
    assert list(inspect.signature(get_provider_helper).parameters) == ["provider", "task", "model"]
    assert "conversational" in PROVIDERS["novita"]


def test_a_helper_prepares_a_request_of_these_arguments() -> None:
    parameters = inspect.signature(TaskProviderHelper.prepare_request).parameters
    assert list(parameters) == ["self", "inputs", "parameters", "headers", "model", "api_key", "extra_payload"]
    assert parameters["extra_payload"].default is None


def test_a_request_has_an_address_headers_and_a_payload() -> None:
    assert {"url", "headers", "json"} <= {field.name for field in dataclasses.fields(RequestParameters)}
    prepared = get_provider_helper(None, task="conversational", model="http://h/v1").prepare_request(
        inputs=[],
        parameters={"model": "m", "response_format": None},
        headers={"X": "y"},
        model="http://h/v1",
        api_key="k",
    )
    assert prepared.url == "http://h/v1/chat/completions"
    assert prepared.json == {"model": "m", "messages": []}
    assert (prepared.headers["authorization"], prepared.headers["x"]) == ("Bearer k", "y")
    assert prepared.headers["content-type"] == "application/json"


def test_a_client_tells_what_it_was_made_with() -> None:
    client = AsyncInferenceClient(
        base_url="http://h", token="hf_t", timeout=3, headers={"a": "b"}, cookies={"c": "d"}, bill_to="acme"
    )
    assert (client.model, client.token, client.timeout, client.cookies) == ("http://h", "hf_t", 3, {"c": "d"})
    assert client.headers == {"a": "b", "X-HF-Bill-To": "acme"}
    assert client.provider is None


def test_the_factory_gives_an_http_client_to_whoever_asks() -> None:
    async def main() -> None:
        async with get_async_session() as http:
            assert isinstance(http, httpx2.AsyncClient)
            assert http is not get_async_session()

    asyncio.run(main())


def test_telemetry_has_a_switch() -> None:
    assert isinstance(constants.HF_HUB_DISABLE_TELEMETRY, bool)


def test_only_the_form_of_the_answer_is_peculiar_to_a_provider() -> None:
    """All else of a payload is written by us; test_huggingface_routes compares the whole of it for every provider."""
    given = {
        "temperature": 0.5,
        "max_tokens": 9,
        "stop": ["a"],
        "stream": True,
        "tool_choice": "auto",
        "tools": [{"a": 1}],
    }
    for provider, tasks in PROVIDERS.items():
        helper = tasks.get("conversational")
        if helper is not None:
            mapping = type("Mapping", (), {"provider_id": "m"})()
            payload = helper._prepare_payload_as_dict(
                [{"role": "user", "content": "hi"}], {"model": "m", **given}, mapping
            )
            assert payload == {"model": "m", "messages": [{"role": "user", "content": "hi"}], **given}, provider
