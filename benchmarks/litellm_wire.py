"""What a call through litellm costs the client's CPU: ours against litellm used by hand.

    .venv/bin/python benchmarks/litellm_wire.py

One run, both sides by turns against one fast server in a process of its own, microseconds of `time.process_time`.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import re
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import openai_wire
from openai_wire import EVENTS, WORDS, by_turns

from modelport.domain.message import Message
from modelport.domain.request import Request

TARGET = 1.0


def serve(port: Connection) -> None:
    """The server's process. Its stream doesn't repeat itself: litellm ends one that does."""
    number = itertools.count()
    fast = openai_wire._Fast
    fast.streamed = re.sub(rb" word", lambda _: b" w%03d" % next(number), fast.streamed)
    openai_wire.serve(port)


async def compare(name: str, model: Any, ask: Callable[..., Any]) -> dict[str, tuple[float, float]]:
    """Ours and litellm's, by what is measured."""
    found: dict[str, tuple[float, float]] = {}
    for _ in range(30):  # what litellm imports and remembers in its first calls
        await model.generate(Request([Message("user", "hi")]))
        await ask(messages=[{"role": "user", "content": "hi"}])
    for count, times in ((1, 20), (50, 8)):
        said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
        request = Request([Message(role, text) for role, text in said])
        plain: Any = [{"role": role, "content": text} for role, text in said]

        async def ours(request: Request = request) -> object:
            return (await model.generate(request)).unwrap().content

        async def theirs(plain: Any = plain) -> object:
            return (await ask(messages=plain)).choices[0].message.content

        found[f"{name}, {count} message{'s' if count > 1 else ''}"] = await by_turns(ours, theirs, times)

    async def our_stream() -> object:
        return [event async for event in model.stream(Request([Message("user", "hi")]))]

    async def their_stream() -> object:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        stream = await ask(messages=[{"role": "user", "content": "hi"}], **options)
        return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]

    one, other = await by_turns(our_stream, their_stream, 1)
    found[f"{name}, per event"] = (one / EVENTS, other / EVENTS)
    return found


async def measure(url: str) -> dict[str, tuple[float, float]]:
    """Both models."""
    import litellm

    from modelport.adapters.litellm.model import LiteLLMModel
    from modelport.adapters.litellm.router import LiteLLMRouterModel

    where = {"api_base": url, "api_key": "k"}
    found = await compare(
        "LiteLLMModel",
        LiteLLMModel("openai/m", **where),
        lambda **more: litellm.acompletion(model="openai/m", num_retries=0, max_retries=0, **where, **more),
    )
    deployments = [{"model_name": "m", "litellm_params": {"model": "openai/m", **where}}]
    router = litellm.Router(model_list=deployments, num_retries=0, disable_cooldowns=True)  # type: ignore[arg-type]  # dicts do
    ours = LiteLLMRouterModel("m", model_list=deployments)
    return found | await compare("the Router", ours, lambda **more: router.acompletion(model="m", **more))


def main() -> None:
    """Print the table."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    begun = time.monotonic()
    try:
        found = asyncio.run(measure(f"http://127.0.0.1:{here.recv()}/v1"))
    finally:
        server.terminate()
        server.join()
    print(f"{'client CPU, microseconds':<28}{'modelport':>11}{'by hand':>10}{'ratio':>8}{'target':>8}")
    for name, (one, other) in found.items():
        print(f"{name:<28}{one:>11.1f}{other:>10.1f}{one / other:>8.3f}{TARGET:>8}")
    print(f"in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
