"""A hundred calls at once before a provider that fails: all succeed, with the fewest requests that are possible."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from loopback import DONE, Answer, Loopback, Seen, chunk, error, streamed, whole
from returns.result import Success

from modelport import (
    Finished,
    Model,
    as_request,
    compose,
    with_circuit_breaker,
    with_concurrency,
    with_fallback,
    with_retry,
    with_timeout,
)
from modelport.adapters import OpenAIModel

CALLS = 100
Fault = Callable[[random.Random], Answer | None]


class Provider:
    """Answers, or fails by chance; and knows who came back before the time that it had asked for."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.dice, self.lock = fault, random.Random(7), threading.Lock()
        self.until: dict[str, float] = {}
        self.outcomes: Counter[str] = Counter()
        self.too_early = 0

    def __call__(self, seen: Seen) -> Answer:
        who, now = seen.json["messages"][0]["content"], time.monotonic()
        with self.lock:
            self.too_early += now < self.until.get(who, 0.0)
            answer = self.fault(self.dice)
            self.outcomes["failed" if answer else "answered"] += 1
            if answer is not None and "retry-after-ms" in answer.headers:
                self.until[who] = now + float(answer.headers["retry-after-ms"]) / 1000
        if answer is not None:
            return answer
        return streamed(chunk({"content": "Hi!"}), chunk(finish="stop"), DONE) if seen.json.get("stream") else whole()


def refused(dice: random.Random) -> Answer | None:
    drawn = dice.random()
    return error(429, retry_after_ms="50") if drawn < 0.15 else error(500) if drawn < 0.3 else None


def reset(dice: random.Random) -> Answer | None:
    return Answer(0, then="reset") if dice.random() < 0.1 else None


def stalled(dice: random.Random) -> Answer | None:
    return Answer(0, then="stall") if dice.random() < 0.1 else None


def cut(dice: random.Random) -> Answer | None:
    return streamed(chunk({"role": "assistant"}), then="reset") if dice.random() < 0.1 else None


def dead(_: random.Random) -> Answer:
    return error(503)


def asked(model: Model, *, streams: bool = False) -> int:
    """How many of the calls are answered."""
    paced = compose(model, with_concurrency(32))

    async def ask(number: int) -> bool:
        request = as_request(f"call {number}")
        if not streams:
            return isinstance(await paced.generate(request), Success)
        return isinstance([event async for event in paced.stream(request)][-1], Finished)

    async def main() -> int:
        return sum(await asyncio.gather(*map(ask, range(CALLS))))

    return asyncio.run(main())


@pytest.mark.parametrize("fault", [refused, reset, stalled, cut], ids=lambda fault: fault.__name__)
def test_every_call_succeeds_and_nothing_is_asked_in_vain(fault: Fault) -> None:
    provider = Provider(fault)
    with Loopback(provider) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="none")
        patience = with_timeout(attempt=2 if fault is stalled else 30)  # seconds that a busy machine may need
        stack = compose(model, patience, with_retry(attempts=10, base=0.01, cap=0.1))
        assert asked(stack, streams=fault is cut) == CALLS
    assert provider.outcomes["answered"] == CALLS
    assert provider.outcomes["failed"] > 0
    assert provider.too_early == 0


def test_a_provider_that_is_down_is_left_alone_and_another_one_answers() -> None:
    down, spare = Provider(dead), Provider(lambda dice: None)
    with Loopback(down) as server, Loopback(spare) as other:
        stack = compose(
            OpenAIModel("m", base_url=server.url, api_key="none"),
            with_circuit_breaker(minimum=10, pause=60),
            with_retry(attempts=3, base=0.01, cap=0.01),
            with_fallback(OpenAIModel("spare", base_url=other.url, api_key="none")),
        )
        assert asked(stack) == CALLS
    assert spare.outcomes["answered"] == CALLS
    assert down.outcomes["failed"] < CALLS  # the circuit opens while the first calls are in progress
