"""How each library is asked as its documentation has it, whole and streamed: what runs in the library's own process.

A library is a function that is given an address and a conversation of n messages, and gives two calls. Each call asks
something new at the end of that conversation, as people do, so that nobody is helped by having sent it before.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

WORDS = "The quick brown fox jumps over the lazy dog, and nobody minds at all. "
Said = Sequence[tuple[str, str]]
Call = Callable[[], Awaitable[object]]
_numbers = itertools.count()


def conversation(count: int) -> Said:
    """Turns of one text; the last is the user's, and each call says it anew."""
    return [("assistant" if (count - at) % 2 == 0 else "user", WORDS) for at in range(count - 1)]


def question() -> str:
    """One that wasn't asked before."""
    return f"{WORDS}{next(_numbers)}"


def _dicts(said: Said) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in said]


def _asked() -> dict[str, Any]:
    return {"role": "user", "content": question()}


def modelport(url: str, said: Said) -> tuple[Call, Call]:
    from modelport import Message, Request
    from modelport.adapters import OpenAIModel

    model, before = OpenAIModel("m", base_url=url, api_key="k"), [Message(role, text) for role, text in said]

    async def whole() -> object:
        return (await model.generate(Request([*before, Message("user", question())]))).unwrap()

    async def stream() -> object:
        return [event async for event in model.stream(Request([Message("user", question())]))]

    return whole, stream


def aiohttp(url: str, said: Said) -> tuple[Call, Call]:
    """What no library that does the same JSON over aiohttp can be faster than."""
    import aiohttp
    import orjson

    before, sessions = _dicts(said), []

    async def post(**body: Any) -> Any:
        if not sessions:
            sessions.append(aiohttp.ClientSession())
        headers = {"authorization": "Bearer k", "content-type": "application/json"}
        return await sessions[0].post(f"{url}/chat/completions", data=orjson.dumps(body), headers=headers)

    async def whole() -> object:
        return orjson.loads(await (await post(model="m", messages=[*before, _asked()])).read())

    async def stream() -> object:
        answer = await post(model="m", messages=[_asked()], stream=True)
        return [orjson.loads(line[6:]) async for line in answer.content if line.startswith(b"data: {")]

    return whole, stream


def _of_the_sdk(client: Any, said: Said) -> tuple[Call, Call]:
    before = _dicts(said)

    async def whole() -> object:
        return await client.chat.completions.create(model="m", messages=[*before, _asked()])

    async def stream() -> object:
        streamed = await client.chat.completions.create(model="m", messages=[_asked()], stream=True)
        return [each async for each in streamed]

    return whole, stream


def openai(url: str, said: Said) -> tuple[Call, Call]:
    from openai import AsyncOpenAI

    return _of_the_sdk(AsyncOpenAI(base_url=url, api_key="k", max_retries=0), said)


def openai_aiohttp(url: str, said: Said) -> tuple[Call, Call]:
    from openai import AsyncOpenAI, DefaultAioHttpClient

    return _of_the_sdk(AsyncOpenAI(base_url=url, api_key="k", max_retries=0, http_client=DefaultAioHttpClient()), said)


def any_llm(url: str, said: Said) -> tuple[Call, Call]:
    from any_llm import AnyLLM

    client, before = AnyLLM.create("openai", api_key="k", api_base=url), _dicts(said)

    async def whole() -> object:
        return await client.acompletion(model="m", messages=[*before, _asked()])

    async def stream() -> object:
        return [each async for each in await client.acompletion(model="m", messages=[_asked()], stream=True)]

    return whole, stream


def pydantic_ai(url: str, said: Said) -> tuple[Call, Call]:
    from pydantic_ai.direct import model_request, model_request_stream
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel("m", provider=OpenAIProvider(base_url=url, api_key="k"))
    made = {"user": ModelRequest.user_text_prompt, "assistant": lambda text: ModelResponse([TextPart(text)])}
    before = [made[role](text) for role, text in said]

    async def whole() -> object:
        return await model_request(model, [*before, ModelRequest.user_text_prompt(question())])

    async def stream() -> object:
        async with model_request_stream(model, [ModelRequest.user_text_prompt(question())]) as streamed:
            return [event async for event in streamed]

    return whole, stream


def langchain(url: str, said: Said) -> tuple[Call, Call]:
    from langchain_core.messages import AIMessage, HumanMessage
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="m", base_url=url, api_key="k", max_retries=0)
    before = [HumanMessage(text) if role == "user" else AIMessage(text) for role, text in said]

    async def whole() -> object:
        return await model.ainvoke([*before, HumanMessage(question())])

    async def stream() -> object:
        return [each async for each in model.astream([HumanMessage(question())])]

    return whole, stream


def litellm(url: str, said: Said) -> tuple[Call, Call]:
    import litellm
    from litellm import acompletion

    litellm.REPEATED_STREAMING_CHUNK_LIMIT = 1_000_000  # else it breaks off at the hundredth piece of the same text
    at, before = {"model": "openai/m", "api_base": url, "api_key": "k", "num_retries": 0}, _dicts(said)

    async def whole() -> object:
        return await acompletion(messages=[*before, _asked()], **at)

    async def stream() -> object:
        return [each async for each in await acompletion(messages=[_asked()], stream=True, **at)]

    return whole, stream


def smolagents(url: str, said: Said) -> tuple[Call, Call]:
    """It has no async calls."""
    from smolagents import ChatMessage, OpenAIModel

    model = OpenAIModel("m", api_base=url, api_key="k")
    before = [ChatMessage(role, [{"type": "text", "text": text}]) for role, text in said]

    def asked() -> Any:
        return ChatMessage("user", [{"type": "text", "text": question()}])

    async def whole() -> object:
        return model.generate([*before, asked()])

    async def stream() -> object:
        return list(model.generate_stream([asked()]))

    return whole, stream


def llm(url: str, said: Said) -> tuple[Call, Call]:
    import llm
    from llm.default_plugins.openai_models import AsyncChat

    model = AsyncChat("m", key="k", api_base=url)
    made = {"user": llm.user, "assistant": llm.assistant}
    before = [made[role](text) for role, text in said]

    async def whole() -> object:
        return await model.prompt(messages=[*before, llm.user(question())], stream=False, key="k").text()

    async def stream() -> object:
        return [each async for each in model.prompt(question(), key="k")]

    return whole, stream


async def cpu(call: Call, times: int) -> float:
    """Microseconds of this process's CPU a call."""
    import time

    begun = time.process_time()
    for _ in range(times):
        await call()
    return (time.process_time() - begun) / times * 1e6


def answer_orders(name: str, url: str) -> None:
    """Measure what each line of standard input asks for, `whole 50 10` or `stream 1 4`, and say the microseconds."""
    library = globals()[name]
    calls: dict[str, tuple[Call, Call]] = {}

    async def main() -> None:
        while line := await asyncio.to_thread(input):
            kind, count, times = line.split()
            if count not in calls:
                calls[count] = library(url, conversation(int(count)))
            print(await cpu(calls[count][kind == "stream"], int(times)), flush=True)

    asyncio.run(main())


if __name__ == "__main__":
    import sys

    answer_orders(*sys.argv[1:])
