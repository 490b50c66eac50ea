"""Calls of one `MLXModel` at once: batched while they run, each with its own end, and a conversation is read once."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

pytest.importorskip("mlx_lm")

import mlx.core as mx
import tiny_mlx
from returns.result import Failure

from modelport.adapters.mlx.model import MLXModel
from modelport.adapters.process.calling import as_request
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.response import Response
from modelport.domain.response_format import Regex

WORDS = tiny_mlx.tokenizer()
ENDLESS = {str(WORDS.eos_token_id): -100}
PROMPTS = [f"{n} {'안' * n}" for n in range(8)]


class Counted(tiny_mlx.llama.Model):
    """Counts its steps, and can be made to wait in them or to fail."""

    def __init__(self, args: Any) -> None:
        super().__init__(args)
        self.shapes: list[tuple[int, ...]] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, inputs: Any, cache: Any = None, input_embeddings: Any = None) -> Any:
        self.shapes.append(inputs.shape)
        self.before()
        return super().__call__(inputs, cache)


def llama(context: int = 4096) -> Counted:
    made = tiny_mlx.model(WORDS, context)
    made.__class__ = Counted
    made.shapes, made.before = [], lambda: None
    return made  # type: ignore[no-any-return]


LLAMA = llama()


def tiny(runtime: Any = LLAMA, kept: int = 0, **options: Any) -> MLXModel:
    return MLXModel("tiny", model=runtime, tokenizer=WORDS, prompt_cache_bytes=kept, **options)


def at_once(model: MLXModel, requests: list[Any]) -> list[Response]:
    async def main() -> list[Response]:
        return [result.unwrap() for result in await asyncio.gather(*map(model.generate, requests))]

    return asyncio.run(main())


def test_many_calls_at_once_from_threads_and_loops_give_each_its_own_answer() -> None:
    model = tiny(max_tokens=12)
    alone = [model(prompt).content for prompt in PROMPTS]
    found: list[list[str]] = []

    def ask() -> None:
        found.append([response.content for response in at_once(model, [as_request(prompt) for prompt in PROMPTS])])

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    ask()
    for thread in threads:
        thread.join(60)
    assert found == [alone] * 4
    assert len(set(alone)) == len(alone)


def test_calls_at_once_share_the_steps_of_the_model() -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=30, logit_bias=ENDLESS)
    model("?")
    runtime.shapes.clear()
    at_once(model, [as_request(prompt) for prompt in PROMPTS])
    steps = [shape for shape in runtime.shapes if shape[1] == 1]
    assert max(shape[0] for shape in steps) == 8
    assert len(steps) < 80  # and not 8 times 31


def test_each_call_in_a_batch_has_its_own_options_stops_and_form() -> None:
    model = tiny(max_tokens=20)
    free = model("안녕").content
    requests = [
        as_request("안녕"),
        as_request("안녕", [free[4]]),
        as_request("안녕", response_format=Regex("yes|no")),
        as_request("안녕", max_tokens=3),
        as_request("안녕", temperature=1.5, seed=4),
        as_request("안녕", logprobs=True),
    ]
    alone = [model.generate(request) for request in requests]
    expected = [result.unwrap() for result in asyncio.run(_in_turn(alone))]
    assert at_once(model, requests) == expected
    assert len({response.content for response in expected[:5]}) == 5


async def _in_turn(calls: list[Any]) -> list[Any]:
    return [await call for call in calls]


def test_a_call_enters_a_batch_that_runs() -> None:
    model = tiny(max_tokens=12)
    alone = model("안녕")

    async def main() -> Response:
        async with aclosing(model.stream(as_request("?", max_tokens=4000, logit_bias=ENDLESS))) as stream:
            await anext(stream)
            return (await model.generate(as_request("안녕"))).unwrap()

    assert asyncio.run(main()) == alone


def test_closing_a_stream_stops_its_generation_and_no_other() -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=60, logit_bias=ENDLESS)
    alone = model("안녕")

    async def main() -> Response:
        other = asyncio.create_task(model.generate(as_request("안녕")))
        async with aclosing(model.stream(as_request("?", max_tokens=4000))) as stream:
            await anext(stream)
        return (await other).unwrap()

    assert asyncio.run(main()) == alone
    assert len(runtime.shapes) < 1000


def test_a_cancelled_call_stops_with_the_next_step() -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=4000, logit_bias=ENDLESS)
    reached, go_on = threading.Event(), threading.Event()

    def before() -> None:
        if len(runtime.shapes) == 10:
            reached.set()
            go_on.wait(30)

    runtime.before = before

    async def main() -> None:
        task = asyncio.create_task(model.generate(as_request("?")))
        await asyncio.to_thread(reached.wait, 30)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(runtime.shapes) <= 11


@pytest.mark.parametrize("options", [{}, {"kv_bits": 8, "kv_group_size": 32}], ids=["batched", "alone"])
def test_a_call_is_cancelled_while_its_prompt_is_read(options: dict[str, Any]) -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=5, **options)
    reached, go_on = threading.Event(), threading.Event()

    def before() -> None:
        reached.set()
        go_on.wait(30)

    runtime.before = before

    async def main() -> None:
        task = asyncio.create_task(model.generate(as_request("a" * 1000)))
        await asyncio.to_thread(reached.wait, 30)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert runtime.shapes == [(1, 64)]
    runtime.before = lambda: None
    assert model("안녕").content == tiny(max_tokens=5, **options)("안녕").content


def test_a_stream_that_is_thrown_away_stops_too() -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=4000, logit_bias=ENDLESS)

    async def main() -> None:
        stream = model.stream(as_request("?"))
        await anext(stream)
        del stream
        gc.collect()
        line = model._runtime.ready().line
        for _ in range(1000):
            if not line._working:
                return
            await asyncio.sleep(0.01)

    asyncio.run(main())
    assert len(runtime.shapes) < 2000


def test_a_hundred_streams_are_opened_and_dropped_and_the_next_call_is_answered() -> None:
    model = tiny(max_tokens=4000, logit_bias=ENDLESS)
    alone = model("안녕", max_tokens=5)

    async def open_and_drop() -> None:
        async with aclosing(model.stream(as_request("?"))) as stream:
            assert isinstance(await anext(stream), TextDelta)

    async def main() -> None:
        await asyncio.gather(*(open_and_drop() for _ in range(100)))

    asyncio.run(main())
    assert model("안녕", max_tokens=5) == alone


def test_what_fails_in_one_call_fails_no_other() -> None:
    model = tiny(max_tokens=10)

    def broken(tokens: Any, scores: Any) -> Any:
        raise LookupError("my own processor")

    async def main() -> list[Any]:
        calls = [as_request("안녕"), as_request("안녕", logits_processors=[broken]), as_request("?")]
        return list(await asyncio.gather(*map(model.generate, calls)))

    first, second, third = asyncio.run(main())
    assert isinstance(second, Failure)
    assert (second.failure().kind, second.failure().sent) == ("server", "yes")
    assert "my own processor" in second.failure().message
    assert [first.unwrap(), third.unwrap()] == [model("안녕"), model("?")]


def test_a_model_that_breaks_gives_what_had_come_and_the_next_call_is_answered() -> None:
    runtime = llama()
    model = tiny(runtime, max_tokens=40, logit_bias=ENDLESS)
    whole = model("안녕")
    start = len(runtime.shapes)

    def before() -> None:
        if len(runtime.shapes) == start + 20:
            raise RuntimeError("[metal::malloc] Unable to allocate 99 bytes")

    runtime.before = before

    async def main() -> list[Any]:
        return [event async for event in model.stream(as_request("안녕"))]

    *_, last = asyncio.run(main())
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.scope, last.error.sent) == ("overloaded", "model", "yes")
    assert last.partial is not None
    assert whole.content.startswith(last.partial.content)
    assert model("안녕") == whole


def test_a_model_that_no_batch_can_hold_answers_one_call_after_the_other() -> None:
    from mlx_lm.models.cache import ConcatenateKVCache

    class Odd(tiny_mlx.llama.Model):
        def make_cache(self) -> list[Any]:
            return [ConcatenateKVCache() for _ in self.layers]

    runtime = tiny_mlx.model(WORDS)
    runtime.__class__ = Odd
    model = tiny(runtime, max_tokens=12)
    plain = tiny(max_tokens=12)
    responses = at_once(model, [as_request(prompt) for prompt in PROMPTS])
    assert [response.content for response in responses] == [plain(prompt).content for prompt in PROMPTS]
    assert not model._runtime.ready().loaded.batchable


def test_a_conversation_that_goes_on_is_not_read_again() -> None:
    runtime = llama()
    model, plain = tiny(runtime, kept=1 << 20, max_tokens=12), tiny(max_tokens=12)
    messages = [{"role": "user", "content": "안녕하세요, " * 10}]
    for _ in range(3):
        response, fresh = model(messages), plain(messages)
        assert response.content == fresh.content
        messages += [{"role": "assistant", "content": response.content}, {"role": "user", "content": "of"}]
    runtime.shapes.clear()
    response, fresh = model(messages), plain(messages)
    assert response.content == fresh.content
    assert response.usage is not None
    assert fresh.usage is not None
    assert (fresh.usage.cached_tokens, response.usage.input_tokens) == (0, fresh.usage.input_tokens)
    read = sum(shape[1] for shape in runtime.shapes if shape[1] > 1)
    assert response.usage.cached_tokens + read + 1 == response.usage.input_tokens
    assert read < response.usage.input_tokens / 2


def test_two_that_begin_alike_share_the_beginning_and_nothing_more() -> None:
    model, plain = tiny(kept=1 << 20, max_tokens=12), tiny(max_tokens=12)
    common = "the end of " * 20
    for end in ("안녕", "하세요", "안녕하세요"):
        assert model(common + end).content == plain(common + end).content
    assert model(common + "END").usage.cached_tokens > 60  # type: ignore[union-attr]


def test_the_same_again_reads_only_the_end() -> None:
    model = tiny(kept=1 << 20, max_tokens=5)
    first, second = model("안녕"), model("안녕")
    assert (first.content, first.finish_reason) == (second.content, second.finish_reason)
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.cached_tokens, second.usage.cached_tokens) == (0, first.usage.input_tokens - 2)


def test_a_cancelled_call_spoils_nothing_that_is_kept() -> None:
    model, plain = tiny(kept=1 << 20, max_tokens=12), tiny(max_tokens=12)

    async def main() -> None:
        for size in (1, 5, 9):
            async with aclosing(model.stream(as_request("안녕하세요" * 8, max_tokens=400))) as stream:
                for _ in range(size):
                    await anext(stream)

    asyncio.run(main())
    for prompt in ("안녕하세요" * 8, "안녕하세요" * 8 + "?", "안녕하세요" * 4):
        assert model(prompt).content == plain(prompt).content
    prompts = [as_request("안녕하세요" * n) for n in range(1, 9)]
    assert [r.content for r in at_once(model, prompts)] == [r.content for r in at_once(plain, prompts)]


def test_no_more_is_kept_than_was_allowed() -> None:
    model = tiny(kept=100_000, max_tokens=3)
    for prompt in PROMPTS * 2:
        model(prompt * 3)
    kept = model._runtime.ready().line._kept
    assert 0 < kept._known.nbytes <= 100_000
    nothing = tiny(max_tokens=3)
    nothing("안녕")
    assert nothing._runtime.ready().line._kept._known.nbytes == 0


def test_a_thousand_calls_leave_nothing_behind() -> None:
    model = tiny(kept=100_000, max_tokens=2)

    def ask(times: int) -> int:
        for n in range(times):
            model(f"{n}")
        gc.collect()
        return int(mx.get_active_memory())

    ask(20)
    before, threads = ask(20), threading.active_count()
    assert ask(960) - before < 100_000
    assert threading.active_count() <= threads + 1


def test_a_stream_s_last_event_is_the_whole_answer_in_a_batch_too() -> None:
    model = tiny(max_tokens=15)

    async def listen(prompt: str) -> list[Any]:
        return [event async for event in model.stream(as_request(prompt))]

    async def main() -> list[list[Any]]:
        return list(await asyncio.gather(*map(listen, PROMPTS)))

    for prompt, (*deltas, last) in zip(PROMPTS, asyncio.run(main()), strict=True):
        assert last == Finished(model(prompt))
        assert "".join(delta.text for delta in deltas) == last.response.content
