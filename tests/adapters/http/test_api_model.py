"""`requests_per_minute=`: a model behind an API paces its own calls, and says so in the ledger."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncGenerator
from typing import Any

import attrs
import pytest
from laws import listen
from returns.result import Result, Success

from modelport import (
    Attempt,
    Capabilities,
    Event,
    Failed,
    Finished,
    Limiter,
    ModelError,
    Request,
    Response,
    TextDelta,
    Usage,
    VirtualClock,
    Wait,
    as_request,
    compose,
    settle,
)
from modelport.adapters.chat.answer import Arriving
from modelport.adapters.http.arguments import check
from modelport.adapters.http.exchange import Exchange
from modelport.adapters.http.http_errors import Malformed
from modelport.adapters.http.model import ApiModel
from modelport.adapters.http.settings import limiter_of

HI = as_request("Hi")


class Exchanged(Exchange):
    """One exchange with an echo."""

    def __init__(self, model: Echo, request: Request) -> None:
        self.model, self.arriving = model, Arriving(request.stop_sequences)

    async def answer(self) -> Response:
        self.model.asked.append(self.model.clock.now())
        if self.model.error:
            raise Malformed
        return Response.of("Hi!", usage=Usage(1, 2))

    async def chunks(self) -> AsyncGenerator[Any]:
        yield await self.answer()

    def read(self, chunk: Any) -> list[Event]:
        self.arriving.finish_reason, self.arriving.usage = "stop", chunk.usage
        return [*self.arriving.draft.text(chunk.message.text)]

    def translated(self, error: Exception) -> ModelError:
        assert self.model.error is not None
        return self.model.error


@attrs.frozen(kw_only=True)
class Echo(ApiModel):
    """Answers at once, or fails; and notes when it was asked."""

    clock: VirtualClock
    error: ModelError | None = None
    asked: list[float] = attrs.field(factory=list)

    @property
    def provider(self) -> str:
        return "echo"

    def _exchange(self, request: Request) -> Exchange:
        return Exchanged(self, request)


def echo(
    clock: VirtualClock,
    limiter: Limiter | None = None,
    error: ModelError | None = None,
    kind: type[Echo] = Echo,
    **options: object,
) -> Echo:
    return kind(
        model_id="m",
        timeout=None,
        capabilities=Capabilities(),
        options=options,
        requests_per_minute=limiter,
        custom_role_conversions=None,
        flatten_messages_as_text=False,
        clock=clock,
        error=error,
    )


def paced(rpm: float = 60, error: ModelError | None = None, max_wait: float | None = None) -> Echo:
    clock = VirtualClock()
    return echo(clock, Limiter(rpm, max_wait=max_wait, clock=clock), error)


def test_calls_start_at_the_pace() -> None:
    model = paced(60)

    async def main() -> None:
        await asyncio.gather(*(model.generate(HI) for _ in range(3)), *(listen(model, HI) for _ in range(2)))

    model.clock.run(main())
    assert model.asked == [0, 1, 2, 3, 4]


def test_the_ledger_says_how_long_a_call_waited() -> None:
    model = paced(60)

    async def main() -> list[Response]:
        return [(await model.generate(HI)).unwrap(), settle(await listen(model, HI)).unwrap()]

    first, second = model.clock.run(main())
    assert first.attempts == (Attempt("echo", "m", "answered", usage=Usage(1, 2)),)
    entry = Attempt("echo", "m", "answered", 1.0, 0.0, 0.0, usage=Usage(1, 2), waits=(Wait("rate_limit", 1.0),))
    assert second.attempts == (entry,)


def test_a_stack_on_it_has_one_entry_for_a_call() -> None:
    model = paced(60)
    assert len(model.clock.run(compose(model).generate(HI)).unwrap().attempts) == 1


def test_a_failure_is_in_the_ledger_too_whole_and_streamed() -> None:
    model = paced(60, ModelError("server", "no", sent="yes"))

    async def main() -> list[ModelError]:
        return [(await model.generate(HI)).failure(), settle(await listen(model, HI)).failure()]

    first, second = model.clock.run(main())
    assert first.attempts == (Attempt("echo", "m", "server", message="no"),)
    assert second.attempts == (Attempt("echo", "m", "server", 1.0, message="no", waits=(Wait("rate_limit", 1.0),)),)


def test_a_provider_that_asks_for_time_gets_it() -> None:
    model = paced(60, ModelError("rate_limited", "slow down", retry_after=30))

    async def main() -> None:
        await model.generate(HI)
        await model.generate(HI)

    model.clock.run(main())
    assert model.asked == [0, 30]


def test_who_would_wait_too_long_is_refused_without_a_call() -> None:
    model = paced(60, max_wait=0.5)

    async def main() -> tuple[ModelError, list[Event]]:
        await model.generate(HI)
        return (await model.generate(HI)).failure(), await listen(model, HI)

    error, events = model.clock.run(main())
    assert (error.kind, error.sent, error.attempts) == ("limiter_full", "no", ())
    assert [type(event) for event in events] == [Failed]
    assert model.asked == [0]


def test_without_a_rate_nothing_is_added() -> None:
    model = echo(VirtualClock())
    response = model.clock.run(model.generate(HI)).unwrap()
    assert [attempt.waits for attempt in response.attempts] == [()]
    assert model.clock.run(listen(model, HI)) == [TextDelta("Hi!"), Finished(response)]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), "60", True])
def test_a_rate_that_lets_nothing_through_is_refused_at_once(rate: float) -> None:
    with pytest.raises(ValueError, match="requests per minute must be a number above 0"):
        limiter_of(rate)


def test_models_can_share_a_limiter() -> None:
    shared = Limiter(60)
    assert limiter_of(shared) is shared


def test_a_limiter_of_tokens_paces_them_whole_and_streamed() -> None:
    clock = VirtualClock()
    limiter = Limiter(6000, tpm=1000, clock=clock)
    model = echo(clock, limiter)
    broken = echo(clock, limiter, ModelError("server", "broken"))
    long = as_request("Hello!", max_tokens=600)

    async def main() -> None:
        for asked in (model, broken, model):
            await asked.generate(long)
        [_ async for _ in model.stream(long)]
        await asyncio.gather(*(model.generate(long) for _ in range(2)))

    clock.run(main())
    assert model.asked == pytest.approx([0.0, 0.02, 0.03, 0.04, 1.03])


def test_a_limiter_of_tokens_knows_the_options_of_the_model() -> None:
    clock = VirtualClock()
    model = echo(clock, Limiter(6000, tpm=1000, clock=clock), max_tokens=5)

    async def main() -> None:
        await asyncio.gather(*(model.generate(HI) for _ in range(3)))

    clock.run(main())
    assert model.asked == pytest.approx([0.0, 0.01, 0.02])


def test_a_copy_in_another_process_paces_anew() -> None:
    limiter = Limiter(90, burst=2, max_wait=7)
    for other in (pickle.loads(pickle.dumps(limiter)), copy.deepcopy(limiter)):
        assert (other.pace, other.max_wait) == (limiter.pace, 7)


@pytest.mark.parametrize("model_id", ["", None, 7])
def test_a_model_has_a_name(model_id: object) -> None:
    with pytest.raises(ValueError, match="SomeModel: model_id is the name of a model"):
        check("SomeModel", model_id, None)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout is a positive number of seconds, or None"):
        check("SomeModel", "m", timeout)


ENTRY = Attempt("echo", "one of several", "answered")


class Noted(Exchanged):
    """Enters its attempts itself."""

    async def answer(self) -> Response:
        return (await super().answer()).after(ENTRY)

    def finish(self) -> list[Event]:
        *_, last = super().finish()
        assert isinstance(last, Finished)
        return [Finished(last.response.after(ENTRY))]

    def translated(self, error: Exception) -> ModelError:
        return super().translated(error).after(ENTRY)


@attrs.frozen(kw_only=True)
class Ledgered(Echo):
    """One of whose calls several attempts are made."""

    def _exchange(self, request: Request) -> Exchange:
        return Noted(self, request)


@pytest.mark.parametrize("error", [None, ModelError("server", "no")], ids=["answered", "failed"])
def test_a_ledger_that_is_there_already_is_only_told_of_the_wait(error: ModelError | None) -> None:
    clock = VirtualClock()
    model = echo(clock, Limiter(60, clock=clock), error, Ledgered)

    async def main() -> list[Result[Response, ModelError]]:
        return [await model.generate(HI), settle(await listen(model, HI))]

    ledgers = [
        result.unwrap().attempts if isinstance(result, Success) else result.failure().attempts
        for result in clock.run(main())
    ]
    assert ledgers == [(ENTRY,), (attrs.evolve(ENTRY, waits=(Wait("rate_limit", 1.0),)),)]


@pytest.mark.needs("openai")
def test_a_model_says_what_it_was_told_and_no_secret():
    from modelport.adapters import OpenAIModel

    address = "http://127.0.0.1:9/v1"
    told = {"timeout": 5, "requests_per_minute": 9, "temperature": 0.2, "extra_headers": {"X-Key": "sk-123"}}
    assert repr(OpenAIModel("m", api_key="sk-123")) == "OpenAIModel('m')"
    assert repr(OpenAIModel("m", api_key="sk-123", base_url=address, **told)) == (
        "OpenAIModel('m', requests_per_minute=9, base_url='http://127.0.0.1:9/v1', timeout=5, temperature=0.2,"
        " extra_headers={'X-Key': '***'})"
    )


def test_a_model_of_which_nothing_is_known_declares_nothing() -> None:
    model = Echo(model_id="m", options={}, clock=VirtualClock())
    assert model.capabilities == Capabilities()
