"""What is leaned on inside of litellm: where it is gone, a warning says what is lost, and the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from litellm_calls import QUIET

from modelport.adapters.litellm import answer as litellm_answers
from modelport.adapters.litellm import sdk as litellm_sdk
from modelport.adapters.process.inside import Inside, LibraryChanged
from modelport.domain.event import Finished

pytestmark = QUIET


@contextmanager
def missed(*insides: Inside) -> Iterator[None]:
    """Each of these is warned of, and nothing else is. That is done once in a process: no two tests miss the same."""
    with pytest.warns(LibraryChanged) as told:
        yield
    messages = [str(each.message) for each in told if issubclass(each.category, LibraryChanged)]
    assert [message.partition("has no ")[2] for message in messages] == [
        f"{each.owner}.{each.name} any more: {each.lost}" for each in insides
    ]


@pytest.fixture(autouse=True)
def loaded() -> None:
    """litellm, as a model has loaded it."""
    asyncio.run(litellm_sdk.litellm())


def test_without_the_mark_of_an_internal_call_a_call_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(import_module("litellm._internal_context"), "is_internal_call")
    with missed(litellm_sdk.INTERNAL_CALL), litellm_sdk.unobserved():
        pass


def test_without_a_client_for_each_loop_litellms_own_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(import_module("litellm.llms.custom_httpx.http_handler"), "get_async_httpx_client")
    with missed(litellm_sdk.OWN_CLIENT):
        assert litellm_sdk.client_for("anthropic/claude-sonnet-4-5") is None


@pytest.mark.parametrize("name", ["update_cache_key_with_event_loop", "cache_dict"])
def test_clients_that_cannot_be_found_are_left_and_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    class Cache:
        """Another cache of litellm's, without one of its members."""

        cache_dict: ClassVar[dict[str, Any]] = {}

        def update_cache_key_with_event_loop(self, key: str) -> str:
            return f"{key}-1"

    monkeypatch.delattr(Cache, name)
    monkeypatch.setattr(litellm, "in_memory_llm_clients_cache", Cache())
    gone = litellm_sdk.LOOP_KEY if name != "cache_dict" else litellm_sdk.CACHE_DICT
    with missed(gone):
        asyncio.run(litellm_sdk.litellm())


@pytest.mark.parametrize(
    ("shared", "gone"),
    [
        (SimpleNamespace(), litellm_sdk.HANDLER_CLIENT),
        (SimpleNamespace(_client=SimpleNamespace()), litellm_sdk.TRANSPORT),
        (SimpleNamespace(_client=SimpleNamespace(_transport=SimpleNamespace())), litellm_sdk.SESSION),
        (
            SimpleNamespace(_client=SimpleNamespace(_transport=SimpleNamespace(client=SimpleNamespace()))),
            litellm_sdk.SESSION_LOOP,
        ),
    ],
)
def test_a_session_that_cannot_be_found_is_left_and_missed(
    shared: object, gone: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    import litellm

    monkeypatch.setattr(litellm, "module_level_aclient", shared, raising=False)
    with missed(gone):
        asyncio.run(litellm_sdk.litellm())


def test_an_answer_without_hidden_parameters_names_the_model_that_it_names_itself() -> None:
    with missed(litellm_sdk.HIDDEN_PARAMS):
        assert litellm_answers._answering_model(SimpleNamespace()) is None


class CustomStreamWrapper:
    """A stream of litellm's, with what it is given."""

    def __init__(self, **members: Any) -> None:
        vars(self).update(members)


class FallbackAwareStreamWrapper(CustomStreamWrapper):
    """One of its Router."""


@pytest.mark.parametrize(
    ("stream", "gone", "believed"),
    [
        (CustomStreamWrapper(received_finish_reason=None, intermittent_finish_reason=None), "CHUNKS", True),
        (CustomStreamWrapper(chunks=[], intermittent_finish_reason=None), "RECEIVED_REASON", True),
        (CustomStreamWrapper(chunks=[], received_finish_reason=None), "INTERMITTENT_REASON", False),
        (FallbackAwareStreamWrapper(chunks=[], received_finish_reason=None), "ADOPTED", True),
    ],
)
def test_a_stream_that_shows_less_is_believed_and_missed(stream: object, gone: str, believed: bool) -> None:
    with missed(getattr(litellm_sdk, gone)):
        assert litellm_answers.said_why(stream) is believed


def test_a_stream_that_does_not_say_its_model_is_of_the_one_that_its_chunks_name() -> None:
    hearing = litellm_answers.Hearing()
    hearing.arriving.model_id, hearing.arriving.finish_reason = "m-1", "stop"
    with missed(litellm_sdk.STREAM_MODEL):
        last = hearing.finish(CustomStreamWrapper(chunks=[]))[-1]
    assert isinstance(last, Finished)
    assert last.response.model_id == "m-1"
