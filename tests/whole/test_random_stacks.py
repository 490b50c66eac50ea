"""Stacks of layers drawn at random, over models that fail, stall and break off, in virtual time.

What holds for any stack: the bounds, one end of a stream, a whole ledger, and nothing that is held afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import attrs
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from laws import bare, listen
from returns.result import Failure, Result

from modelport import (
    Break,
    Breaker,
    Event,
    Failed,
    Finished,
    Layer,
    Message,
    Model,
    ModelError,
    Purse,
    Reasoning,
    Request,
    Response,
    ScriptedModel,
    Slots,
    Stall,
    Text,
    TextDelta,
    ToolCall,
    VirtualClock,
    as_request,
    bounds,
    compose,
    describe,
    settle,
    with_budget,
    with_cache,
    with_chaos,
    with_check,
    with_circuit_breaker,
    with_concurrency,
    with_defaults,
    with_fallback,
    with_hedge,
    with_log,
    with_rate_limit,
    with_retry,
    with_route,
    with_timeout,
    with_trace,
)
from modelport.composition.layers.cache import Cache
from modelport.composition.layers.chaos import Chaos
from modelport.composition.stack.policy import Decorated

HELLO = as_request("Hello!")
REQUESTS = st.sampled_from([HELLO, as_request("Hello!", ["cd"])])
KINDS = ["server", "overloaded", "rate_limited", "timeout", "connection", "authentication", "invalid_request"]
ROUNDING = 1e-3

seconds = st.sampled_from([0.5, 1.0, 2.0, 5.0, 20.0])
steady = (
    st.tuples(st.just("says"), st.integers(0, 3))
    | st.tuples(st.sampled_from(["nothing", "cut", "calls"]))
    | st.tuples(
        st.just("fails"),
        st.sampled_from(KINDS),
        st.sampled_from(["no", "perhaps", "yes"]),
        st.sampled_from([None, 1.0, 30.0]),
    )
)
any_answer = (
    steady | st.tuples(st.just("stalls"), st.integers(0, 3), seconds) | st.tuples(st.just("breaks"), st.integers(0, 3))
)


def some(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these options."""
    return st.fixed_dictionaries({}, optional=options)


def leaves(answers: st.SearchStrategy[Any], **faults: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    errors = st.dictionaries(st.sampled_from(KINDS[:4]), st.just(0.2), max_size=3)
    plans = some(errors=errors, retry_after=seconds, seed=st.integers(0, 50), **faults)
    return st.tuples(st.just("model"), st.lists(answers, min_size=1, max_size=4), st.none() | plans)


def layers(stacks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    resend, by = st.sampled_from(["no", "perhaps", "yes"]), st.sampled_from(["round_robin", "least_busy", "capability"])
    others = st.lists(stacks, min_size=1, max_size=2)
    limits = some(
        total=st.sampled_from([2.0, 10.0, 50.0]),
        attempt=st.sampled_from([1.0, 2.0]),
        first_event=st.just(0.75),
        idle=st.just(0.6),
    )
    retry = some(attempts=st.integers(1, 4), base=st.sampled_from([0.0, 1.0]), deadline=seconds, resend=resend)
    pace = some(burst=st.integers(1, 3), max_wait=seconds, tpm=st.sampled_from([1000, 100_000]))
    return st.one_of(
        st.tuples(st.just("retry"), retry),
        st.tuples(st.just("fallback"), others, st.sampled_from([None, "empty"])),
        st.tuples(st.just("route"), others, by),
        st.tuples(st.just("rate_limit"), st.sampled_from([6, 60]), pace),
        st.tuples(st.just("concurrency"), st.integers(1, 3), st.sampled_from([None, 0, 1])),
        st.tuples(st.just("hedge"), seconds, st.sampled_from([None, 0.5]), st.sampled_from([0.1, 1.0])),
        st.tuples(st.just("timeout"), limits.filter(bool)),
        st.tuples(st.just("budget"), st.sampled_from([1000, 3000, 100_000]), st.sampled_from([None, 3.0])),
        st.tuples(st.just("check"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["cache", "defaults", "log", "trace"])),
    )


def stacks_of(models: st.SearchStrategy[Any], *more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def higher(stacks: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.tuples(st.just("stack"), stacks, st.lists(st.one_of(layers(stacks), *more), min_size=1, max_size=4))

    return higher(st.recursive(models, higher, max_leaves=4))


STEADY_STACKS = stacks_of(leaves(steady))
"""What comes to the same whether it is streamed or not; for a breaker, a probe's stream is good before it ends."""
STACKS = stacks_of(
    leaves(
        any_answer,
        slow=st.sampled_from([0.3, 1.0]),
        delay=seconds,
        cut=st.just(0.3),
        down=st.just([(0.0, 3.0)]),
    ),
    st.tuples(st.just("breaker"), st.integers(1, 3), st.sampled_from([1.0, 10.0])),
)


@attrs.define(eq=False)
class Built:
    """A stack, and all that its layers hold."""

    clock: VirtualClock = attrs.field(factory=VirtualClock)
    models: list[ScriptedModel] = attrs.field(factory=list)
    shaken: dict[ScriptedModel, Chaos] = attrs.field(factory=dict)
    slots: list[Slots] = attrs.field(factory=list)
    purses: list[Purse] = attrs.field(factory=list)
    caches: list[Cache] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)

    def make(self, spec: Any) -> Model:
        if spec[0] == "stack":
            return compose(self.make(spec[1]), *map(self.layer, spec[2]))
        _, answers, plan = spec
        name = f"m{len(self.models)}"
        script = [self.answer(answer, f"<{name}.{number}>") for number, answer in enumerate(answers)]
        model = ScriptedModel(*script, repeat=True, sleep=self.clock.sleep, model_id=name, chunk=5)
        self.models.append(model)
        if plan is None:
            return model
        made = with_chaos(plan, clock=self.clock)(model)
        assert isinstance(made, Decorated)
        assert isinstance(made.policy, Chaos)
        self.shaken[model] = made.policy
        return made

    def answer(self, spec: Any, name: str) -> Any:
        text = f"{name} " + "abcdefgh" * (spec[1] if spec[0] == "says" else 2)
        self.texts.append(text)
        match spec:
            case ("says", _):
                return text
            case ("nothing",):
                return ""
            case ("cut",):
                return Response.of(text, finish_reason="length")
            case ("calls",):
                parts = [Reasoning("hmm"), Text(text), ToolCall("1", "look", "{}")]
                return Response(Message("assistant", parts), "tool_calls")
            case ("fails", kind, sent, after):
                return ModelError(kind, name, sent=sent, retry_after=after)
            case ("stalls", after, pause):
                return Stall(text, after, pause)
            case ("breaks", after):
                return Break(text, after)

    def layer(self, spec: Any) -> Layer:
        clock = self.clock
        match spec:
            case ("retry", options):
                return with_retry(**options, clock=clock, chance=lambda: 1.0)
            case ("fallback", others, bad):
                return with_fallback(*map(self.make, others), on_response=bad, clock=clock)
            case ("route", others, by):
                return with_route(*map(self.make, others), by=by, clock=clock)
            case ("rate_limit", rpm, options):
                return with_rate_limit(rpm, **options, clock=clock)
            case ("breaker", minimum, pause):
                return with_circuit_breaker(Breaker(0.4, minimum=minimum, pause=pause, clock=clock), clock=clock)
            case ("concurrency", number, most):
                self.slots.append(Slots(number, max_queue=most, clock=clock))
                return with_concurrency(self.slots[-1], clock=clock)
            case ("hedge", delay, percentile, share):
                return with_hedge(delay, percentile=percentile, share=share, clock=clock)
            case ("timeout", limits):
                return with_timeout(**limits, clock=clock)
            case ("budget", tokens, max_wait):
                self.purses.append(Purse(tokens=tokens, max_wait=max_wait))
                return with_budget(self.purses[-1], clock=clock)
            case ("check", repair):
                return with_check(_is_whole, repair=repair, clock=clock)
            case ("cache",):
                return self.cached
            case ("defaults",):  # it has no clock of its own
                return lambda model: attrs.evolve(with_defaults(seed=7)(model), clock=clock)  # type: ignore[type-var]
            case ("log",):
                return with_log("modelport.random_stacks", level=1, clock=clock)
        return with_trace(clock=clock)

    def cached(self, model: Model) -> Model:
        made = with_cache(clock=self.clock)(model)
        self.caches.append(made.policy)  # type: ignore[attr-defined]
        return made

    def physical_calls(self) -> int:
        planned = sum(chaos._turns._next for chaos in self.shaken.values())
        return planned + sum(len(model.requests) for model in self.models if model not in self.shaken)

    def holds_nothing(self) -> None:
        assert [model.open for model in self.models] == [0] * len(self.models)
        assert [(slots.taken, slots.waiting) for slots in self.slots] == [(0, 0)] * len(self.slots)
        held = [(purse._spending.reserved_tokens, purse._spending.calls, purse._waiting) for purse in self.purses]
        assert held == [(0, 0, {})] * len(self.purses)
        assert [cache.calls._open for cache in self.caches] == [{}] * len(self.caches)


def _is_whole(response: Response) -> bool:
    return response.finish_reason != "length"


def built(spec: Any) -> tuple[Model, Built]:
    parts = Built()
    model = parts.make(spec)
    note(describe(model))
    return model, parts


async def alone() -> None:
    """No task goes on."""
    for _ in range(3):  # who was cancelled ends in these turns
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def attempts(result: Result[Response, ModelError]) -> list[tuple[str | None, str]]:
    said = result.failure() if isinstance(result, Failure) else result.unwrap()
    return [(attempt.model_id, attempt.outcome) for attempt in said.attempts]


async def streamed(model: Model, request: Request) -> Result[Response, ModelError]:
    return settle(await listen(model, request))


async def whole(model: Model, request: Request) -> Result[Response, ModelError]:
    return await model.generate(request)


LANDS_AS_ITS_TIME_RUNS_OUT = ("stack", ("model", [("stalls", 1, 2.0)], None), [("cache",), ("timeout", {"total": 2.0})])
drawn = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@drawn
@given(STACKS, REQUESTS)
def test_a_whole_call_keeps_to_the_bounds_and_has_each_physical_call_in_its_ledger(spec: Any, request: Request) -> None:
    model, parts = built(spec)

    async def main() -> Result[Response, ModelError]:
        result = await model.generate(request)
        await alone()
        return result

    result = parts.clock.run(main())
    most = bounds(model)
    assert parts.physical_calls() <= most.calls
    assert parts.clock.now() <= most.seconds + ROUNDING
    assert len(attempts(result)) == parts.physical_calls(), attempts(result)
    parts.holds_nothing()


@drawn
@given(STACKS, REQUESTS)
@example(LANDS_AS_ITS_TIME_RUNS_OUT, HELLO)
def test_a_stream_keeps_to_them_too_and_repeats_nothing_after_its_first_content(spec: Any, request: Request) -> None:
    model, parts = built(spec)
    calls_at_first: list[int] = []

    async def watched() -> AsyncGenerator[Event]:
        async with aclosing(model.stream(request)) as events:
            async for event in events:
                if isinstance(event, (Finished, Failed)):
                    parts.holds_nothing()
                elif not calls_at_first:
                    calls_at_first.append(parts.physical_calls())
                yield event

    async def main() -> list[Event]:
        events = [event async for event in watched()]
        await alone()
        return events

    *deltas, last = parts.clock.run(main())
    most = bounds(model)
    assert parts.physical_calls() <= most.calls
    assert parts.clock.now() <= most.seconds + ROUNDING
    assert calls_at_first in ([], [parts.physical_calls()])
    assert not any(isinstance(event, (Finished, Failed)) for event in deltas)
    assert isinstance(last, (Finished, Failed))
    text = "".join(event.text for event in deltas if isinstance(event, TextDelta))
    said = last.response if isinstance(last, Finished) else last.partial
    assert text == (said.content if said is not None else "")
    assert not text or any(known.startswith(text) for known in parts.texts)
    assert len(attempts(settle([last]))) == parts.physical_calls(), attempts(settle([last]))
    parts.holds_nothing()


@drawn
@given(STEADY_STACKS, REQUESTS)
def test_a_stream_comes_to_what_a_whole_call_comes_to_time_after_time(spec: Any, request: Request) -> None:
    def three(ask: Callable[..., Any]) -> list[object]:
        model, parts = built(spec)

        async def main() -> list[Result[Response, ModelError]]:
            return [await ask(model, request) for _ in range(3)]

        # Of a hedge's loser, a stream was cancelled where a whole answer may have been there already.
        return [(bare(result), [name for name, _ in attempts(result)]) for result in parts.clock.run(main())]

    assert three(streamed) == three(whole)


@attrs.frozen
class Caller:
    """One who asks after a while, whole or streamed, and may leave after so many events or seconds."""

    ask: Callable[[Model, Request], Any]
    begins: float
    events: int | None = None
    patience: float | None = None

    async def __call__(self, model: Model, request: Request) -> Result[Response, ModelError] | None:
        await asyncio.sleep(self.begins)
        if self.events is not None:
            async with aclosing(model.stream(request)) as events:
                for _ in range(self.events):
                    await anext(events, None)
            return None
        asked = asyncio.ensure_future(self.ask(model, request))
        await asyncio.wait((asked,), timeout=self.patience)
        asked.cancel()
        (outcome,) = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(outcome, (Result, asyncio.CancelledError)), outcome
        return outcome if isinstance(outcome, Result) else None


CALLERS = st.lists(
    st.builds(
        Caller,
        st.sampled_from([whole, streamed]),
        st.sampled_from([0.0, 0.3, 1.0, 2.5, 7.0]),
        st.none() | st.integers(1, 4),
        st.none() | st.sampled_from([0.1, 0.5, 0.6, 0.75, 1.0, 1.5, 2.0, 4.0, 12.0]),
    ),
    min_size=1,
    max_size=5,
)


@drawn
@given(STACKS, REQUESTS, CALLERS)
@example(LANDS_AS_ITS_TIME_RUNS_OUT, HELLO, [Caller(streamed, 0.0), Caller(streamed, 0.0)])
def test_whoever_calls_and_leaves_nothing_is_held_and_each_physical_call_is_in_one_ledger(
    spec: Any, request: Request, callers: list[Caller]
) -> None:
    model, parts = built(spec)

    async def main() -> list[Result[Response, ModelError] | None]:
        results = await asyncio.gather(*(caller(model, request) for caller in callers))
        await alone()
        return results

    results = parts.clock.run(main())
    parts.holds_nothing()
    assert parts.physical_calls() <= bounds(model).calls * len(callers)
    stayed = [result for result in results if result is not None]
    if len(stayed) == len(callers):
        assert sum(len(attempts(result)) for result in stayed) == parts.physical_calls(), list(map(attempts, stayed))
    parts.clock.run(whole(model, request))  # nobody waits for what is lost
    parts.holds_nothing()
