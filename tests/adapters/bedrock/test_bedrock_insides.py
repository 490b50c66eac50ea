"""A release of botocore that no longer says what it signs with: one error or warning tells, and no key is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import bedrock_wire as bedrock
import pytest
from botocore.hooks import EventAliaser
from loopback import Loopback

from modelport import as_request
from modelport.adapters.bedrock.model import AmazonBedrockModel
from modelport.adapters.process import inside
from modelport.adapters.process.inside import LibraryChanged

HI = as_request("hi")


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where nothing has been told yet."""
    inside._said.clear()
    yield
    inside._said.clear()


@pytest.fixture
def another_release(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have botocore tell its listeners everything but who signs."""
    emit = EventAliaser.emit

    def without(self: Any, event_name: str, **event: Any) -> Any:
        event.pop("request_signer", None)
        return emit(self, event_name, **event)

    return lambda: monkeypatch.setattr(EventAliaser, "emit", without)


def test_where_botocore_doesnt_say_how_it_signs_no_call_is_made(another_release: Callable[[], None]) -> None:
    another_release()
    with Loopback(bedrock.whole()) as server:
        found = asyncio.run(bedrock.model(server).generate(HI)).failure()
        assert (found.kind, found.sent, server.requests) == ("missing_dependency", "no", [])
    assert "has no botocore.signers:RequestSigner.request_signer any more: no call can be made" in found.message


def test_of_a_client_that_doesnt_say_what_it_signs_with_nothing_is_shown(another_release: Callable[[], None]) -> None:
    """What the service says may quote its keys."""
    refusal = bedrock.error(403, "SignatureDoesNotMatch", f"not the signature of {bedrock.SECRET}")
    with Loopback(refusal) as server:
        address = f"http://127.0.0.1:{server.port}"
        client = bedrock.session().client("bedrock-runtime", endpoint_url=address, **bedrock.KEYS)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        assert asyncio.run(model.generate(HI)).failure().message == "not the signature of ***"
        another_release()
        with pytest.warns(LibraryChanged, match=r"RequestSigner\.request_signer any more") as told:
            found = [asyncio.run(model.generate(HI)).failure() for _ in range(2)][-1]
        own = asyncio.run(model.generate(as_request("hi", timeout=-1))).failure()
    assert bedrock.SECRET not in str(found)
    assert (found.kind, found.code) == ("authentication", "SignatureDoesNotMatch")
    assert "what was said isn't shown" in found.message
    assert len(told) == 1
    assert "Config(read_timeout=...)" in own.message  # it is ours
