"""300 calls, 32 at once, before a provider that fails: how many succeed, and how many requests it takes.

Run it with `python benchmarks/faults.py`; it takes about two minutes. The provider is a loopback server that draws its
faults from a seed. The fewest requests possible are those that succeed and those that failed: each failure asks for
one more. A Retry-After is broken when a request comes sooner than it asked for, from the call that it was said to.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from returns.result import Success

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kit" / "wires"))
from loopback import DONE, Answer, Loopback, Seen, chunk, error, streamed, whole

from modelport import (
    Finished,
    Layer,
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

CALLS, AT_ONCE = 300, 32
Fault = Callable[[random.Random, float], Answer | None]


class Provider:
    """Answers, or fails as it is told to; and remembers what it was asked, and when."""

    def __init__(self, fault: Fault) -> None:
        self._fault, self._dice, self._lock = fault, random.Random(7), threading.Lock()
        self._began = time.monotonic()
        self._until: dict[str, float] = {}
        self.outcomes: Counter[str] = Counter()
        self.broken = 0

    def __call__(self, seen: Seen) -> Answer:
        """One answer."""
        who, now = seen.json["messages"][0]["content"], time.monotonic()
        with self._lock:
            self.broken += now < self._until.get(who, 0.0)
            answer = self._fault(self._dice, now - self._began)
            self.outcomes["failed" if answer else "answered"] += 1
            if answer is not None and "retry-after" in answer.headers:
                self._until[who] = now + float(answer.headers["retry-after"])
        if answer is not None or not seen.json.get("stream"):
            return answer or whole("Hi!")
        return streamed(chunk({"content": "Hi!"}), chunk(finish="stop"), DONE)


def refusing(share: float, status: int, **headers: str) -> Fault:
    """Refuses this share of all requests."""
    return lambda dice, _: error(status, **headers) if dice.random() < share else None


def mixed(dice: random.Random, _: float) -> Answer | None:
    """15 % of 429 that ask for a second, and 15 % of 500."""
    drawn = dice.random()
    return error(429, retry_after="1") if drawn < 0.15 else error(500) if drawn < 0.3 else None


def resets(dice: random.Random, _: float) -> Answer | None:
    """A tenth of all connections is reset before an answer."""
    return Answer(0, then="reset") if dice.random() < 0.1 else None


def down(_: random.Random, elapsed: float) -> Answer | None:
    """Nothing but 503 for 20 seconds."""
    return error(503) if elapsed < 20 else None


def cut(dice: random.Random, _: float) -> Answer | None:
    """A tenth of all streams is cut before its first word."""
    return streamed(chunk({"role": "assistant"}), then="reset") if dice.random() < 0.1 else None


def dying(_: random.Random, elapsed: float) -> Answer | None:
    """Answers later and later, and after a third of a second not at all."""
    time.sleep(elapsed / 50)  # in the server's one thread: what waits behind it waits longer still
    return Answer(0, then="stall") if elapsed > 0.33 else None


def slow(dice: random.Random, _: float) -> Answer | None:
    """A tenth of all answers never comes."""
    return Answer(0, then="stall") if dice.random() < 0.1 else None


RETRY: tuple[Layer, ...] = (with_timeout(attempt=2), with_retry(attempts=10, base=0.1, cap=2))
REPLACED = "a substitute on another server"
SCENARIOS: dict[str, tuple[Fault, tuple[Layer, ...], bool]] = {
    "30 % of 429, Retry-After 1": (refusing(0.3, 429, retry_after="1"), RETRY, False),
    "30 % of 500": (refusing(0.3, 500), RETRY, False),
    "15 % of 429 and 15 % of 500": (mixed, RETRY, False),
    "10 % resets": (resets, RETRY, False),
    "10 % stalls": (slow, RETRY, False),
    "10 % of streams cut before a word": (cut, RETRY, False),
    f"slower and slower, {REPLACED}": (
        dying,
        (with_timeout(attempt=1), with_circuit_breaker(pause=30), with_retry(attempts=2, base=0.1)),
        True,
    ),
    f"down for 20 s, {REPLACED}": (
        down,
        (with_timeout(attempt=2), with_circuit_breaker(pause=5), with_retry(attempts=3, base=0.1)),
        True,
    ),
}


async def _asked(model: Model, streams: bool) -> tuple[int, float]:
    paced = compose(model, with_concurrency(AT_ONCE))

    async def ask(number: int) -> bool:
        request = as_request(f"call {number}")
        if not streams:
            return isinstance(await paced.generate(request), Success)
        return isinstance([event async for event in paced.stream(request)][-1], Finished)

    began = time.monotonic()
    good = await asyncio.gather(*map(ask, range(CALLS)))
    return sum(good), time.monotonic() - began


def main() -> None:
    """Each scenario, on a server of its own."""
    print("| fault | succeeded | requests | fewest possible | Retry-After broken | seconds |")
    print("|---|---|---|---|---|---|")
    for name, (fault, layers, replaced) in SCENARIOS.items():
        provider, spare = Provider(fault), Provider(lambda dice, elapsed: None)
        with Loopback(provider) as server, Loopback(spare) as other:
            model = compose(OpenAIModel("m", base_url=server.url, api_key="none"), *layers)
            if replaced:
                model = compose(model, with_fallback(OpenAIModel("spare", base_url=other.url, api_key="none")))
            good, seconds = asyncio.run(_asked(model, fault is cut))
        asked = sum(provider.outcomes.values()) + sum(spare.outcomes.values())
        fewest = CALLS + provider.outcomes["failed"]
        share = f"{good / CALLS:.1%}"
        print(f"| {name} | {share} | {asked} | {fewest} | {provider.broken} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
