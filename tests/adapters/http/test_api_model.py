"""`requests_per_minute=`: a model behind an API paces its own calls, and says so in the ledger."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import AsyncGenerator

import attrs
import pytest
from laws import listen
from returns.result import Failure, Result, Success

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
    replay,
    settle,
)
from modelport.adapters.http.arguments import check
from modelport.adapters.http.model import ApiModel, limiter_of

HI = as_request("Hi")


@attrs.frozen
class Echo(ApiModel):
    """Answers at once, or fails; and notes when it was asked."""

    model_id: str
    clock: VirtualClock
    requests_per_minute: float | Limiter | None = None
    error: ModelError | None = None
    asked: list[float] = attrs.field(factory=list)
    capabilities = Capabilities()
    _limiter: Limiter | None = attrs.field(
        init=False, default=attrs.Factory(lambda self: limiter_of(self.requests_per_minute), True)
    )

    @property
    def provider(self) -> str:
        return "echo"

    async def _generate(self, request: Request) -> Result[Response, ModelError]:
        self.asked.append(self.clock.now())
        return Failure(self.error) if self.error else Success(Response.of("Hi!", usage=Usage(1, 2)))

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        result = await self._generate(request)
        for event in replay(result.unwrap()) if isinstance(result, Success) else [Failed(result.failure())]:
            yield event


def paced(rpm: float = 60, error: ModelError | None = None, max_wait: float | None = None) -> Echo:
    clock = VirtualClock()
    return Echo("m", clock, Limiter(rpm, max_wait=max_wait, clock=clock), error)


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
    model = Echo("m", VirtualClock())
    assert model.clock.run(model.generate(HI)).unwrap().attempts == ()
    assert model.clock.run(listen(model, HI)) == [TextDelta("Hi!"), Finished(Response.of("Hi!", usage=Usage(1, 2)))]


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
    model = Echo("m", clock, limiter)
    broken = Echo("m", clock, limiter, ModelError("server", "broken"))
    long = as_request("Hello!", max_tokens=600)

    async def main() -> None:
        for asked in (model, broken, model):
            await asked.generate(long)
        [_ async for _ in model.stream(long)]
        await asyncio.gather(*(model.generate(long) for _ in range(2)))

    clock.run(main())
    assert model.asked == pytest.approx([0.0, 0.02, 0.03, 0.04, 1.03])


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


@attrs.frozen
class Ledgered(Echo):
    """Enters its attempts itself, as a model does that makes several."""

    async def _generate(self, request: Request) -> Result[Response, ModelError]:
        entry = Attempt("echo", "one of several", "answered")
        return (
            (await super()._generate(request)).map(lambda said: said.after(entry)).alt(lambda said: said.after(entry))
        )


@pytest.mark.parametrize("error", [None, ModelError("server", "no")], ids=["answered", "failed"])
def test_a_ledger_that_is_there_already_is_only_told_of_the_wait(error: ModelError | None) -> None:
    clock = VirtualClock()
    model = Ledgered("m", clock, Limiter(60, clock=clock), error)

    async def main() -> list[Result[Response, ModelError]]:
        return [await model.generate(HI), settle(await listen(model, HI))]

    ledgers = [
        result.unwrap().attempts if isinstance(result, Success) else result.failure().attempts
        for result in clock.run(main())
    ]
    entry = Attempt("echo", "one of several", "answered")
    assert ledgers == [(entry,), (attrs.evolve(entry, waits=(Wait("rate_limit", 1.0),)),)]
