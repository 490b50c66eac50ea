"""Whatever a server does, a call of every model behind an API ends in an answer or a typed error, and in bounds.

`tests/adapters/http/test_hostile_servers.py` says the same of the transport alone, with more ways to break HTTP.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from api_models import WIRES, Wire, outcome
from raw_server import Answer, RawServer, http, never_stops, says, says_and_closes

from modelport import ModelError
from modelport.adapters import Bounds, HttpTransport

pytestmark = pytest.mark.needs("openai", "huggingface", "bedrock")
each = pytest.mark.parametrize("name", WIRES)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])

SMALL = Bounds(answer=1024 * 1024, event=256 * 1024)
BOMB = gzip.compress(bytes(64 * 1024 * 1024), 1)
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: %s\r\n\r\n"
NESTED = b"[" * 100_000
LONG = b'{"n": ' + b"9" * 5000 + b"}"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answering(wire: Wire, *, stream: bool, body: bytes) -> bytes:
    """The body in one chunk, after its head."""
    kind = wire.content_type if stream else "application/json"
    return HEAD % kind.encode() + chunk(body) + chunk(b"")


def endless(begin: bytes, piece: bytes) -> Callable[[Wire, bool], Answer]:
    def answer(wire: Wire, stream: bool) -> Answer:
        kind = wire.content_type if stream else "application/json"
        return never_stops(HEAD % kind.encode() + chunk(begin), chunk(piece * (65536 // len(piece))))

    return answer


def of_json(json: bytes) -> Callable[[Wire, bool], Answer]:
    def answer(wire: Wire, stream: bool) -> Answer:
        return says(answering(wire, stream=stream, body=wire.nested(json)[stream]))

    return answer


HOSTILE: dict[str, Callable[[Wire, bool], Answer]] = {
    "a bomb of gzip": lambda wire, stream: says(http(BOMB, "content-encoding: gzip")),
    "a bomb of gzip in a refusal": lambda wire, stream: says(http(BOMB, "content-encoding: gzip", status="400 Bad")),
    "an endless body": endless(b"{", b"x"),
    "an endless refusal": lambda wire, stream: never_stops(
        b"HTTP/1.1 400 Bad\r\ntransfer-encoding: chunked\r\n\r\n", chunk(b"x" * 65536)
    ),
    "an endless line": endless(b"data: ", b"x"),
    "endless comments": endless(b": ", b": alive\n\n"),
    "endless signs of life": endless(b": ", b"data: \n\n"),
    "10^5 levels of JSON": of_json(NESTED),
    "10^5 levels of JSON with half a character": of_json(b'["\\ud83d",' + NESTED),
    "a number of 5,000 digits": of_json(LONG),
    "a number of 5,000 digits with half a character": of_json(b'{"\\ud83d": 1, ' + LONG[1:]),
    "a header of 1 MB": lambda wire, stream: says(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n"),
    "a megabyte of headers": lambda wire, stream: says(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: aaaa\r\n" % at for at in range(80_000)) + b"\r\n"
    ),
}


@each
@whole_and_streamed
@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_server_makes_a_typed_error(how: str, name: str, stream: bool) -> None:
    wire = WIRES[name]
    with RawServer(HOSTILE[how](wire, stream)) as server:
        model = wire.make(server.url, transport=HttpTransport(bounds=SMALL))
        error = asyncio.run(outcome(model, stream=stream))
    assert isinstance(error, ModelError), error
    if "refusal" in how:
        assert (error.kind, error.status) == ("invalid_request", 400)
    elif how != "a megabyte of headers":  # which aiohttp breaks off
        assert (error.kind, error.sent) == ("malformed_response", "yes")
    else:
        assert error.kind in ("malformed_response", "interrupted")
    assert len(error.message) < 1000


@each
@whole_and_streamed
@pytest.mark.parametrize("how", ["a bomb of gzip", "a bomb of gzip in a refusal", "an endless body", "an endless line"])
def test_and_takes_no_more_memory_than_an_answer_may(how: str, name: str, stream: bool) -> None:
    wire = WIRES[name]

    async def main(url: str) -> int:
        model = wire.make(url, transport=HttpTransport(bounds=SMALL))
        await outcome(model, stream=stream)  # what is loaded and kept at the first call is no memory of an answer
        tracemalloc.start()
        try:
            await outcome(model, stream=stream)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with RawServer(HOSTILE[how](wire, stream)) as server:
        assert asyncio.run(main(server.url)) < 8 * 1024 * 1024


def kinds(answers: list[bytes], wire: Wire, *, stream: bool) -> list[str]:
    """What each of these makes of a call: a kind of error, or "answered"."""

    async def main(url: str) -> list[str]:
        model = wire.make(url)
        found = []
        for _ in answers:
            made = await outcome(model, stream=stream)
            found.append(str(made.kind) if isinstance(made, ModelError) else f"answered {made.content}")
        return found

    with RawServer(*map(says_and_closes, answers)) as server:
        return asyncio.run(main(server.url))


def whole_answer(wire: Wire, *, stream: bool) -> tuple[bytes, bytes]:
    """The head and the body, in two chunks, of an answer."""
    body = wire.streamed("Hello!") if stream else wire.whole
    kind = wire.content_type if stream else "application/json"
    half = len(body) // 2
    return HEAD % kind.encode(), chunk(body[:half]) + chunk(body[half:]) + chunk(b"")


@each
@whole_and_streamed
def test_a_connection_that_closes_at_any_byte_is_interrupted(name: str, stream: bool) -> None:
    """Or answered, where a stream has said why it ended, and only the end of the body is missing."""
    wire = WIRES[name]
    head, body = whole_answer(wire, stream=stream)
    answer = head + body
    found = kinds([answer[:at] for at in range(len(answer) + 1)], wire, stream=stream)
    runs = [(kind, len(list(same))) for kind, same in itertools.groupby(found)]
    if not stream:
        assert runs == [("interrupted", len(answer)), ("answered Hello!", 1)]
    else:
        assert [kind for kind, _ in runs] == ["interrupted", "answered Hello!"]


@each
@whole_and_streamed
@pytest.mark.parametrize("how", ["another byte", "one byte too many", "one byte too few"])
def test_chunks_that_are_broken_at_any_place_are_never_raised(how: str, name: str, stream: bool) -> None:
    """A chunk's size, its line ends, its data and the last chunk: what is broken is an error or another answer."""
    wire = WIRES[name]
    head, body = whole_answer(wire, stream=stream)
    changed: dict[str, Callable[[int], bytes]] = {
        "another byte": lambda at: body[:at] + b"\x00" + body[at + 1 :],
        "one byte too many": lambda at: body[:at] + b"\x00" + body[at:],
        "one byte too few": lambda at: body[:at] + body[at + 1 :],
    }
    answers = [head + changed[how](at) for at in range(len(body))]
    counted = Counter(kind.partition(" ")[0] for kind in kinds(answers, wire, stream=stream))
    assert set(counted) <= {"malformed_response", "interrupted", "answered"}
    assert counted["malformed_response"] + counted["interrupted"] > 0


@each
@whole_and_streamed
def test_data_after_the_last_chunk_is_not_the_next_answer(name: str, stream: bool) -> None:
    """A second answer that nobody asked for, on the same connection, is dropped with it."""
    wire = WIRES[name]
    head, body = whole_answer(wire, stream=stream)
    forged = head + body.replace(b"Hello!", b"Forged")
    with RawServer(says(head + body + forged), says(head + body)) as server:
        model = wire.make(server.url)

        async def main() -> list[Any]:
            return [(await outcome(model, stream=stream)).content for _ in range(2)]  # type: ignore[union-attr]

        found = asyncio.run(main())
    assert found == ["Hello!", "Hello!"]
