"""A streamed exchange is driven to its end, and lets go of its connection before anybody hears of the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from functools import partial

import attrs
import pytest

from modelport import Event, Failed, Finished, ModelError, Request, Response, TextDelta, as_request
from modelport.adapters.chat.answer import Arriving
from modelport.adapters.http.exchange import Exchange, answered, events
from modelport.adapters.http.http_errors import CutOff, Malformed

HI = as_request("Hi", stop_sequences=["END"])


@attrs.define(slots=False)
class Pieces(Exchange):
    """Says its pieces, and then breaks, or stops by itself."""

    request: Request
    pieces: Iterable[str]
    broken: Exception | None = None
    reason: str | None = "stop"
    is_open: bool = False

    def __attrs_post_init__(self) -> None:
        self.arriving = Arriving(self.request.stop_sequences)

    async def answer(self) -> Response:
        if self.broken:
            raise self.broken
        return Response.of("".join(self.pieces))

    async def chunks(self) -> AsyncGenerator[str]:
        self.is_open = True
        try:
            for piece in self.pieces:
                yield piece
            self.arriving.finish_reason = self.reason
            if self.broken:
                raise self.broken
        finally:
            self.is_open = False

    def read(self, chunk: str) -> list[Event]:
        return [*self.arriving.draft.text(chunk)]

    def translated(self, error: Exception) -> ModelError:
        return ModelError("interrupted" if isinstance(error, CutOff) else "server", str(error))


async def heard(exchange: Exchange) -> list[Event]:
    return [event async for event in events(lambda _: exchange, HI)]


def test_text_that_was_held_back_for_a_stop_is_shown_before_a_failure() -> None:
    *deltas, last = asyncio.run(heard(Pieces(HI, ["Hello E"], Malformed("broken"), None)))
    assert deltas == [TextDelta("Hello "), TextDelta("E")]
    assert isinstance(last, Failed)
    assert (last.error.kind, last.partial and last.partial.content) == ("server", "Hello E")


@pytest.mark.parametrize("broken", [None, Malformed("broken")], ids=["whole", "broken"])
def test_the_connection_is_let_go_before_the_end_is_told(broken: Exception | None) -> None:
    exchange = Pieces(HI, ["Hello"], broken, None if broken else "stop")

    async def main() -> None:
        async for event in events(lambda _: exchange, HI):
            assert exchange.is_open is isinstance(event, TextDelta)

    asyncio.run(main())


def test_what_breaks_after_the_end_of_an_answer_does_no_harm() -> None:
    *_, last = asyncio.run(heard(Pieces(HI, ["Hello"], CutOff("reset"))))
    assert isinstance(last, Finished)
    assert last.response.content == "Hello"


def test_a_stream_without_a_finish_reason_was_cut_off() -> None:
    *_, last = asyncio.run(heard(Pieces(HI, ["Hello"], reason=None)))
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.message) == ("interrupted", "the stream ended without a finish reason")


def test_a_stop_ends_the_stream_and_its_connection() -> None:
    exchange = Pieces(HI, ["Hello END", "and more"], reason=None)
    *deltas, last = asyncio.run(heard(exchange))
    assert deltas == [TextDelta("Hello ")]
    assert isinstance(last, Finished)
    assert (last.response.stopped_by, exchange.is_open) == ("END", False)


def test_a_whole_answer_is_there_or_what_went_wrong() -> None:
    ask = partial(Pieces, HI, ["Hello"])
    assert asyncio.run(answered(ask())).unwrap().content == "Hello"
    assert asyncio.run(answered(ask(Malformed("broken")))).failure().message == "broken"


@attrs.define(slots=False)
class Unreadable(Pieces):
    """Its last events can't be made, and what its server says of a failure can't be read, but for what is malformed."""

    def finish(self) -> list[Event]:
        raise RecursionError

    def translated(self, error: Exception) -> ModelError:
        if not isinstance(error, Malformed):
            raise ValueError("a number of 5,000 digits")
        return ModelError("malformed_response", str(error))


def test_what_cannot_be_read_at_the_end_is_an_error_and_nothing_is_raised() -> None:
    *deltas, last = asyncio.run(heard(Unreadable(HI, ["Hello "])))
    assert deltas == [TextDelta("Hello ")]
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.message) == ("malformed_response", "a refusal can't be read: ValueError")
    found = asyncio.run(answered(Unreadable(HI, [], CutOff()))).failure()
    assert found.message == "a refusal can't be read: ValueError"


def test_what_is_no_failure_of_a_provider_is_raised() -> None:
    class Bug(Pieces):
        def translated(self, error: Exception) -> ModelError:
            raise error

    with pytest.raises(KeyError):
        asyncio.run(answered(Bug(HI, [], KeyError("x"))))


def test_a_question_has_come_where_content_has() -> None:
    *_, last = asyncio.run(heard(Pieces(HI, ["Hello "], CutOff("reset"), None)))
    assert isinstance(last, Failed)
    assert last.error.sent == "yes"
