"""A release of huggingface_hub that no longer has what is leaned on: an error or one warning says what is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("huggingface_hub")

import huggingface_hub
from huggingface_calls import ask, failed, failed_stream
from huggingface_hub import constants
from huggingface_hub.inference import _common, _providers
from huggingface_hub.inference._providers import _common as _helpers
from huggingface_hub.utils import _headers
from loopback import Loopback, whole
from other_release import other, renamed

from modelport.adapters.process import inside
from modelport.adapters.process.inside import LibraryChanged
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.response import Response


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where nothing has been told yet."""
    inside._said.clear()
    yield
    inside._said.clear()


def refused() -> ModelError:
    """The error of a call that nothing is sent for."""
    with Loopback(whole()) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent, server.requests) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, [])
    assert last.error == found
    assert found.message.startswith(f"huggingface-hub {huggingface_hub.__version__} has no huggingface_hub")
    assert found.message.endswith("; pip install 'modelport[huggingface]'")
    return found


def test_without_its_helpers_no_call_finds_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_providers, "get_provider_helper")
    assert ".get_provider_helper any more: no call finds its way" in refused().message


@pytest.mark.parametrize("name", ["task", "model"])
def test_an_argument_that_its_helpers_dont_take_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(_providers.get_provider_helper, name, monkeypatch)
    assert f":get_provider_helper.{name} any more: no call finds its way" in refused().message


@pytest.mark.parametrize("name", ["inputs", "parameters", "headers", "model", "api_key"])
def test_an_argument_of_a_request_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(_helpers.TaskProviderHelper.prepare_request, name, monkeypatch, owner=_helpers.TaskProviderHelper)
    assert f":TaskProviderHelper.prepare_request.{name} any more: no call finds its way" in refused().message


def test_without_a_way_to_prepare_a_request_no_call_finds_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(_helpers.TaskProviderHelper, "prepare_request")
    assert ":TaskProviderHelper.prepare_request any more: no call finds its way" in refused().message


@pytest.mark.parametrize("name", ["url", "headers", "json"])
def test_a_request_that_lacks_something_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking(_common.RequestParameters):
        def __getattribute__(self, asked: str) -> object:
            if asked == name:
                raise AttributeError(name)
            return super().__getattribute__(asked)

    monkeypatch.setattr(_helpers, "RequestParameters", Lacking)
    assert f":RequestParameters.{name} any more: no call finds its way" in refused().message


def test_a_switch_that_is_gone_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(constants, "HF_HUB_DISABLE_TELEMETRY")
    monkeypatch.setattr(constants, other("HF_HUB_DISABLE_TELEMETRY"), True, raising=False)
    renamed(_headers._http_user_agent, "constants.HF_HUB_DISABLE_TELEMETRY", monkeypatch)
    with Loopback(whole()) as server, pytest.warns(LibraryChanged, match="each call may first ask huggingface.co"):
        assert isinstance(ask(server), Response)
