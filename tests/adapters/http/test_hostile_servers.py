"""Whatever a server sends, a call ends in a typed error, in bounded time and memory."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from posting import answer, failure, post, read
from raw_server import RawServer, http, never_stops, says, says_and_closes

from modelport.adapters.http.bounds import Bounds, TooLarge
from modelport.adapters.http.http_errors import HTTP, meaning
from modelport.adapters.http.http_transport import HttpTransport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"
SMALL = Bounds(answer=1024 * 1024)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


BOMB = gzip.compress(bytes(256 * 1024 * 1024), 1)
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 8192  # of deflate: they unpack to nothing

ENDLESS = {
    "a body": (CHUNKED + b"\r\n", chunk(b"x" * 65536)),
    "a body without a length": (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "a packed body": (
        CHUNKED + b"content-encoding: deflate\r\n\r\n" + chunk(zlib.compress(b"")[:2]),
        chunk(EMPTY_BLOCKS),
    ),
}


@pytest.mark.parametrize("how", ENDLESS)
def test_an_endless_body_is_no_answer(how: str) -> None:
    with RawServer(never_stops(*ENDLESS[how])) as server:
        kind, sent, says = failure(server.url, bounds=SMALL)
    assert (kind, sent) == ("malformed_response", "yes")
    assert says == "the answer is larger than 1,048,576 bytes; HttpTransport(bounds=Bounds(answer=...)) reads more"


def test_a_bomb_of_gzip_takes_no_more_memory_than_an_answer_may() -> None:
    async def main(url: str) -> tuple[int, Exception]:
        reply = await HttpTransport(bounds=SMALL).send(post(url))
        tracemalloc.start()
        try:
            async for _ in reply.chunks(SMALL.answer):
                pass
        except TooLarge as error:
            return tracemalloc.get_traced_memory()[1], error
        finally:
            tracemalloc.stop()
        raise AssertionError

    with RawServer(says(http(BOMB, "content-encoding: gzip"))) as server:
        peak, error = asyncio.run(main(server.url))
    assert meaning(error, HTTP) == ("malformed_response", "yes")
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize("size", [1024 * 1024, 1024 * 1024 + 1])
def test_the_bound_is_the_last_byte_that_is_read(size: int) -> None:
    with RawServer(says(http(bytes(size)))) as server:
        if size > SMALL.answer:
            assert failure(server.url, bounds=SMALL)[0] == "malformed_response"
        else:
            assert len(answer(server.url, bounds=SMALL)[1]) == size


HEADS = {
    "one header of 1 MB": b"HTTP/1.1 200 OK\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a megabyte of headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"x-%d: aaaa\r\n" % at for at in range(80_000))
    + b"\r\n",
    "a status line of 1 MB": b"HTTP/1.1 200 " + b"a" * 1_000_000 + b"\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a header without a name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
    "a length of letters": b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
    "a length of 5,000 digits": b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("how", HEADS)
def test_headers_that_are_none_are_an_error(how: str) -> None:
    with RawServer(says(HEADS[how])) as server:
        kind, _, _ = failure(server.url)
    assert kind in ("malformed_response", "interrupted")


WRONG_CHUNKS = {
    "no number": b"zz\r\nHello\r\n0\r\n\r\n",
    "a negative number": b"-5\r\nHello\r\n0\r\n\r\n",
    "too small a number": b"3\r\nHello\r\n0\r\n\r\n",
    "a number of 5,000 digits": b"f" * 5000 + b"\r\nHello\r\n",
    "no end of a line": b"5 Hello",
    "an endless extension": b"5;" + b"x" * 1_000_000,
}


@pytest.mark.parametrize("how", WRONG_CHUNKS)
def test_chunks_that_are_none_are_an_error(how: str) -> None:
    with RawServer(says_and_closes(CHUNKED + b"\r\n" + WRONG_CHUNKS[how])) as server:
        kind, _, _ = failure(server.url)
    assert kind in ("malformed_response", "interrupted")


ANSWERS = {
    "with a length": http(b'{"a": 1}'),
    "in chunks": CHUNKED + b"\r\n" + chunk(b'{"a"') + chunk(b": 1}") + b"0\r\n\r\n",
    "packed": http(gzip.compress(b'{"a": 1}'), "content-encoding: gzip"),
}


@pytest.mark.parametrize("how", ANSWERS)
def test_an_answer_that_ends_at_any_byte_is_interrupted(how: str) -> None:
    whole = ANSWERS[how]

    async def main(url: str) -> list[str]:
        transport, kinds = HttpTransport(), []
        for _ in range(len(whole)):
            try:
                await read(transport, post(url))
            except Exception as error:
                kinds.append(str((meaning(error, HTTP) or ("raised",))[0]))
            else:
                kinds.append("answered")
        return kinds

    cut = [says_and_closes(whole[:at]) for at in range(len(whole))]
    with RawServer(*cut) as server:
        assert asyncio.run(main(server.url)) == ["interrupted"] * len(whole)


WRONG_PACKING = {
    "no gzip": (b"Hello", "gzip", "malformed_response"),
    "half of it": (gzip.compress(b"Hello" * 99)[:-9], "gzip", "interrupted"),
    "more after its end": (gzip.compress(b"Hello") + b"more", "gzip", "malformed_response"),
    "what wasn't asked for": (b"Hello", "br", "malformed_response"),
    "packed twice": (b"Hello", "gzip, gzip", "malformed_response"),
}


@pytest.mark.parametrize("how", WRONG_PACKING)
def test_what_cannot_be_unpacked_is_an_error(how: str) -> None:
    body, coding, kind = WRONG_PACKING[how]
    with RawServer(says(http(body, f"content-encoding: {coding}"))) as server:
        assert failure(server.url)[0] == kind
