"""What a call through Hugging Face costs the client's CPU: ours against the SDK's own `chat_completion`.

    python benchmarks/huggingface_wire.py

One run, both sides by turns against one fast server in a process of its own, microseconds of `time.process_time`.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from typing import Any

from huggingface_hub import AsyncInferenceClient
from openai_wire import EVENTS, WORDS, by_turns, serve

from modelport.adapters.huggingface.model import InferenceClientModel
from modelport.domain.message import Message
from modelport.domain.request import Request

TARGETS = {"1 message": 0.3, "50 messages": 0.3, "500 messages": 0.3, "per event": 0.3}


async def compare(url: str) -> dict[str, tuple[float, ...]]:
    """Ours and the SDK's, by what is measured."""
    model = InferenceClientModel("m", base_url=url, token="k")
    client = AsyncInferenceClient(base_url=url, token="k")
    found: dict[str, tuple[float, ...]] = {}
    for count, times in ((1, 40), (50, 15), (500, 4)):
        said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
        request = Request([Message(role, text) for role, text in said])
        plain: Any = [{"role": role, "content": text} for role, text in said]

        async def ours(request: Request = request) -> object:
            return (await model.generate(request)).unwrap()

        async def theirs(plain: Any = plain) -> object:
            return await client.chat_completion(plain, model="m")

        found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(times, ours, theirs)

    question: Any = [{"role": "user", "content": "hi"}]

    async def our_stream() -> object:
        return [event async for event in model.stream(Request([Message("user", "hi")]))]

    async def their_stream() -> object:
        stream = await client.chat_completion(question, model="m", stream=True)
        return [chunk async for chunk in stream]

    one, other = await by_turns(4, our_stream, their_stream)
    found["per event"] = (one / EVENTS, other / EVENTS)
    await client.close()
    return found


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        found = asyncio.run(compare(f"http://127.0.0.1:{here.recv()}/v1"))
    finally:
        server.terminate()
        server.join()
    print(f"{'client CPU, microseconds':<26}{'modelport':>11}{'SDK by hand':>13}{'ratio':>8}{'target':>8}")
    for name, (one, other) in found.items():
        print(f"{name:<26}{one:>11.1f}{other:>13.1f}{one / other:>8.3f}{TARGETS[name]:>8}")


if __name__ == "__main__":
    main()
