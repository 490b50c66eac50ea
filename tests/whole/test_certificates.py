"""Every model behind an API, over TLS, with an authority of the test's own: what is wrong is said in its error.

`tests/adapters/http/test_tls.py` says more of the transport alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from api_models import WIRES, outcome
from certificates import Authority, Files, serving
from raw_server import RawServer, http, says

from modelport import ModelError, Response
from modelport.adapters import HttpTransport

pytestmark = pytest.mark.needs("openai", "huggingface", "bedrock")
each = pytest.mark.parametrize("name", WIRES)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


SHOWN: dict[str, tuple[Callable[[Authority], Files], str]] = {
    "of another host": (
        lambda authority: authority.issue("other.example"),
        "certificate is not valid for '127.0.0.1'",
    ),
    "expired": (lambda authority: authority.issue("127.0.0.1", days=-1), "certificate has expired"),
    "self-signed": (lambda authority: authority.self_signed("127.0.0.1"), "self-signed certificate"),
}


@each
@pytest.mark.parametrize("how", SHOWN)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_certificate_that_is_wrong_is_no_connection_and_the_error_says_why(
    name: str, how: str, stream: bool, authority: Authority
) -> None:
    shown, words = SHOWN[how]
    wire = WIRES[name]
    with RawServer(says(http(wire.whole)), tls=serving(shown(authority))) as server:
        model = wire.make(server.url, transport=HttpTransport(ca=authority.file))
        error = asyncio.run(outcome(model, stream=stream))
    assert isinstance(error, ModelError)
    assert (error.kind, error.sent) == ("connection", "no")
    assert words in error.message


@each
def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(name: str, authority: Authority) -> None:
    wire, mine = WIRES[name], authority.issue("me")
    tls = serving(authority.issue("127.0.0.1"), trusts=authority.file)
    with RawServer(says(http(wire.whole)), tls=tls) as server:
        with_it = HttpTransport(ca=authority.file, certificate=(mine.certificate, mine.key))
        found = asyncio.run(outcome(wire.make(server.url, transport=with_it), stream=False))
        without = HttpTransport(ca=authority.file)
        refused = asyncio.run(outcome(wire.make(server.url, transport=without), stream=False))
    assert isinstance(found, Response)
    assert found.content == "Hello!"
    assert isinstance(refused, ModelError)
    assert refused.kind in ("connection", "interrupted")  # in TLS 1.3 the server says so after the question
