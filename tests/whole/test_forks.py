"""A child that is forked during a call has nothing in flight, and nobody holds its locks, in any layer and store."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import modelport.composition.layers.recording as recording_module
from modelport import (
    Layer,
    Request,
    ScriptedModel,
    as_request,
    compose,
    from_function,
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
    with_recording,
    with_replay,
    with_retry,
    with_route,
    with_timeout,
    with_trace,
)
from modelport.adapters.files.sqlite_file import Connection
from modelport.composition.config.layer_names import NAMES

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform can't fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # of a process with threads
]

HELLO = as_request("Hello!")
LOCKS = (type(threading.Lock()), type(threading.RLock()))


def spare() -> ScriptedModel:
    return ScriptedModel("spare", repeat=True)


def tape(folder: Path) -> Path:
    path = folder / "tape.jsonl"
    asyncio.run(compose(ScriptedModel("Hi!"), with_recording(path)).generate(HELLO))
    return path


STACKS: dict[str, Callable[[Path], Layer]] = {
    "with_budget": lambda _: with_budget(tokens=600, max_wait=60),
    "with_cache": lambda _: with_cache(),
    "with_cache in a file": lambda folder: with_cache(folder / "answers.db", name="m"),
    "with_chaos": lambda _: with_chaos({}),
    "with_check": lambda _: with_check(lambda response: True),
    "with_circuit_breaker": lambda _: with_circuit_breaker(),
    "with_concurrency": lambda _: with_concurrency(1),
    "with_defaults": lambda _: with_defaults(seed=7),
    "with_fallback": lambda _: with_fallback(spare()),
    "with_hedge": lambda _: with_hedge(percentile=0.9),
    "with_log": lambda _: with_log(),
    "with_rate_limit": lambda _: with_rate_limit(60_000, tpm=10**6),
    "with_recording": lambda folder: with_recording(folder / "new.jsonl"),
    "with_replay": lambda folder: with_replay(tape(folder)),
    "with_retry": lambda _: with_retry(),
    "with_route": lambda _: with_route(spare(), by="least_busy"),
    "with_timeout": lambda _: with_timeout(total=60),
    "with_trace": lambda _: with_trace(),
}


def locks_in(value: Any, seen: set[int]) -> Iterator[Any]:
    """Every lock that is held by this, or by what this holds."""
    if id(value) in seen or isinstance(value, Connection):  # a fork waits until nobody uses a connection
        return
    seen.add(id(value))
    if isinstance(value, LOCKS):
        yield value
    elif type(value).__module__.startswith("modelport."):
        slots = {name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())}
        for name in slots | set(getattr(value, "__dict__", {})):
            yield from locks_in(getattr(value, name, None), seen)
    elif isinstance(value, tuple):
        for item in value:
            yield from locks_in(item, seen)


def forked_while_they_are_held(locks: list[Any], child: Callable[[], object]) -> int:
    """The status of a child that is forked while another thread holds all of these locks."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    number = os.fork()
    if not number:
        signal.alarm(60)  # who waits for ever is ended
        try:
            child()
            os._exit(0)
        finally:
            os._exit(1)
    over.set()
    holder.join()
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def test_every_layer_is_in_the_table() -> None:
    assert {name.split()[0] for name in STACKS} == set(NAMES)


@pytest.mark.parametrize("name", STACKS)
def test_a_child_asks_what_its_parent_is_asking_and_is_answered(name: str, tmp_path: Path) -> None:
    parent, layer = os.getpid(), STACKS[name](tmp_path)

    async def main() -> int:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def reply(request: Request) -> str:
            if os.getpid() == parent:
                asked.set()
                await go_on.wait()
            return "Hi!"

        stack = compose(from_function(reply), layer)
        locks = list(locks_in(stack, set()))
        if name == "with_recording":
            locks.append(recording_module._writing)
        calls = [asyncio.create_task(stack.generate(HELLO)), asyncio.create_task(asked.wait())]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        status = forked_while_they_are_held(locks, lambda: stack("Hello!"))
        go_on.set()
        (await calls[0]).unwrap()
        calls[1].cancel()
        return status

    assert asyncio.run(main()) == 0
