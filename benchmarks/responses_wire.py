"""What a call over the Responses API costs the client's CPU: ours against the SDK's typed call.

    python benchmarks/responses_wire.py

One run, both by turns against one fast server in a process of its own, microseconds of `time.process_time`. The events
are those that OpenAI sends, each with its name before it. On a busy machine only the ratios mean something.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from typing import Any

from openai import AsyncOpenAI
from openai_wire import EVENTS, WORDS, Fast, by_turns, serve

from modelport.adapters import OpenAIResponsesModel
from modelport.domain.message import Message
from modelport.domain.request import Request

TARGETS = {"1 message": 0.2, "50 messages": 0.2, "500 messages": 0.2, "per event": 0.1}


def _response(status: str, text: str) -> dict[str, Any]:
    """The members that OpenAI's own have: developers.openai.com/api/reference/resources/responses."""
    piece = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    message = {"id": "msg_1", "type": "message", "status": "completed", "content": [piece], "role": "assistant"}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "m",
        "output": [message] if text else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 9,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 18,
        },
        "metadata": {},
    }


def _answers() -> tuple[bytes, bytes]:
    whole = json.dumps(_response("completed", WORDS)).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(whole)
    events: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": _response("in_progress", "")})]
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events += [("response.output_text.delta", {**at, "delta": " word", "logprobs": []})] * EVENTS
    events.append(("response.completed", {"response": _response("completed", " word" * EVENTS)}))
    sent = []
    for number, (kind, fields) in enumerate(events):
        event = {"type": kind, "sequence_number": number, **fields, "obfuscation": "a1b2c3d4"}
        data = b"event: %s\ndata: %s\n\n" % (kind.encode(), json.dumps(event, separators=(",", ":")).encode())
        sent.append(b"%x\r\n%s\r\n" % (len(data), data))
    stream_head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + whole, stream_head + b"".join(sent) + b"0\r\n\r\n"


class FastResponses(Fast):
    """The same server, with answers of this wire."""

    whole, streamed = _answers()


async def compare(url: str) -> dict[str, tuple[float, ...]]:
    """Ours and the SDK's, by what is measured."""
    model = OpenAIResponsesModel("m", base_url=url, api_key="k")
    found: dict[str, tuple[float, ...]] = {}
    async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
        for count, times in ((1, 40), (50, 15), (500, 4)):
            said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
            request = Request([Message(role, text) for role, text in said])
            plain: Any = [{"role": role, "content": text} for role, text in said]

            async def ours(request: Request = request) -> object:
                return (await model.generate(request)).unwrap()

            async def theirs(plain: Any = plain) -> object:
                return await client.responses.create(model="m", input=plain)

            found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(times, ours, theirs)

        async def our_stream() -> object:
            return [event async for event in model.stream(Request([Message("user", "hi")]))]

        async def their_stream() -> object:
            return [event async for event in await client.responses.create(model="m", input="hi", stream=True)]

        streams = await by_turns(4, our_stream, their_stream)
        found["per event"] = tuple(figure / EVENTS for figure in streams)
    return found


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there, FastResponses), daemon=True)
    server.start()
    try:
        found = asyncio.run(compare(f"http://127.0.0.1:{here.recv()}/v1"))
    finally:
        server.terminate()
        server.join()
    print(f"{'client CPU, microseconds':<26}{'modelport':>11}{'SDK, typed':>12}{'ratio':>8}{'target':>8}")
    for name, (ours, theirs) in found.items():
        print(f"{name:<26}{ours:>11.1f}{theirs:>12.1f}{ours / theirs:>8.3f}{TARGETS[name]:>8}")


if __name__ == "__main__":
    main()
