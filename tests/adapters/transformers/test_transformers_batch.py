"""Calls of `TransformersModel` at the same time share passes of a tiny random Llama, and answer as they would alone."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from paths import TINY

pytest.importorskip("torch", reason="needs the transformers extra")

import tiny_llama
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.adapters.process.calling import as_request
from modelport.adapters.process.inside import LibraryChanged
from modelport.adapters.transformers import rehearsal as transformers_rehearsal
from modelport.adapters.transformers.batch import TOGETHER, Batch
from modelport.adapters.transformers.model import TransformersModel
from modelport.adapters.transformers.sdk import CACHE_NAMES
from modelport.adapters.transformers.sharing import fits
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.response import Response
from modelport.domain.response_format import Regex

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS)
ENDLESS = {"eos_token_id": [1_000_000], "temperature": 0}


class Watched:
    """A model whose passes are seen, and may be held up or broken."""

    def __init__(
        self, before: Callable[[int], None] = lambda number: None, *, apart: bool = False, **options: Any
    ) -> None:
        llama = options.pop("llama", None) or tiny_llama.model(WORDS, options.pop("context", 256))
        self.llama = llama.to(options.pop("dtype", torch.float32))
        self.model = TransformersModel("tiny", model=self.llama, tokenizer=WORDS, **options)
        self.prompts: list[int] = []  # how long the pieces of prompts were
        self.rows: list[int] = []  # how many made a token in one pass
        self.passes: list[tuple[int, int]] = []  # rows and tokens of each of both
        self.before = before
        self.apart = apart  # whether some of its calls are to be generated apart
        self.broken = False  # one that should have shared passes didn't: nobody need wait for the others
        self.llama.register_forward_pre_hook(self._seen, with_kwargs=True)

    def _seen(self, module: Any, args: Any, kwargs: Any) -> None:
        if not self.apart and not threading.current_thread().name.startswith("modelport-transformers-batch"):
            self.broken = True
            raise AssertionError("a call that should share passes is generated apart")
        rows, length = kwargs["input_ids"].shape
        self.passes.append((rows, length))
        if length > 1:
            self.prompts.append(length)
        else:
            self.rows.append(rows)
        self.before(len(self.prompts) + len(self.rows))

    @property
    def batch(self) -> Batch:
        return self.model._runtime.ready().batch

    def wait_for(self, calls: int) -> None:
        """Holds a pass up until so many calls are there."""
        self.wait_until(lambda: len(self.batch._waiting) + len(self.batch._rows) >= calls)

    def wait_until(self, true: Callable[[], bool]) -> None:
        pause = threading.Event()
        for _ in range(30_000):
            assert not self.broken, "a call that should share passes is generated apart"
            if true():
                return
            pause.wait(0.001)
        raise AssertionError("they don't come")

    def alone(self, *args: Any, **options: Any) -> Response:
        return self.model(*args, **options)

    def together(self, calls: list[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[Response | ModelError]:
        """All of them at once: no prompt is read before all wait, however slow the machine is."""
        self.rows.clear()
        first = len(self.prompts) + 1
        self.before = lambda number: self.wait_for(len(calls)) if len(self.prompts) == first and not self.rows else None

        async def main() -> list[Response | ModelError]:
            results = await asyncio.gather(*(self.model.generate(as_request(*a, **k)) for a, k in calls))
            return [result.value_or(None) or result.failure() for result in results]

        return asyncio.run(main())


MIXED: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("안녕",), {}),
    (("the end " * 9,), {"max_tokens": 3}),
    (("?",), {"temperature": 1.2, "seed": 7}),
    (("of the end",), {"temperature": 0.9, "top_p": 0.8, "top_k": 40, "seed": 8, "max_tokens": 25}),
    (("x",), {"repetition_penalty": 1.5}),
    (("yes or no",), {"response_format": Regex("(yes|no)!{3}")}),
    (("안녕하세요 이것은",), {"max_tokens": 40, "no_repeat_ngram_size": 2}),
    (("y",), {"max_tokens": 1}),
]


def test_calls_at_once_share_passes_and_each_answers_as_alone() -> None:
    watched = Watched(temperature=0, max_tokens=12)
    alone = [watched.alone(*args, **options) for args, options in MIXED]
    assert watched.together(MIXED) == alone
    assert max(watched.rows) == 7  # one was done with its first token
    assert len({response.content for response in alone}) > 5


def test_many_calls_at_once_take_about_the_passes_of_one() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    watched.alone("?")
    assert watched.passes == [(1, watched.prompts[0]), *[(1, 1)] * 19]
    watched.passes.clear()
    watched.together([(("?",), {})] * 8)
    assert len(watched.passes) == 8 + 19


def test_the_stops_of_one_are_not_the_stops_of_another() -> None:
    watched = Watched(temperature=0, max_tokens=30)
    text = watched.alone("안녕").content
    stops: list[list[str]] = [[], [text[3:5]], [text[8:9]], []]
    calls = [(("안녕", each), {}) for each in stops]
    alone = [watched.alone(*args, **options) for args, options in calls]
    assert watched.together(calls) == alone
    assert [response.stopped_by for response in alone] == [None, text[3:5], text[8:9], None]


_CALL = st.tuples(
    st.integers(0, 60),
    st.fixed_dictionaries({"max_tokens": st.integers(1, 20)}, optional={"seed": st.integers(0, 9)}),
)
_WATCHED = Watched(temperature=1.0)


@given(st.lists(_CALL, min_size=2, max_size=9))
@settings(max_examples=20, deadline=None)
def test_whatever_comes_together_answers_as_alone(drawn: list[tuple[int, dict[str, Any]]]) -> None:
    calls = [
        ((f"{n} {'the end ' * n}",), options if "seed" in options else {**options, **ENDLESS}) for n, options in drawn
    ]
    alone = [_WATCHED.alone(*args, **options) for args, options in calls]
    assert _WATCHED.together(calls) == alone


def test_less_than_float32_answers_as_alone_too() -> None:
    watched = Watched(dtype=torch.bfloat16, max_tokens=40, **ENDLESS)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((f"{n}{'안' * n}",), {}) for n in range(7)]
    alone = [watched.alone(*args) for args, _ in calls]
    assert watched.together(calls) == alone


def test_one_that_comes_later_joins_and_is_done_first() -> None:
    watched = Watched(max_tokens=40, **ENDLESS)
    alone = watched.alone("안녕")
    watched.rows.clear()

    async def main() -> None:
        stream = watched.model.stream(as_request("안녕"))
        await anext(stream)
        late = await watched.model.generate(as_request("?", max_tokens=2))
        assert late.unwrap().finish_reason == "length"
        assert not watched.batch._rows[0].ended
        rest = [event async for event in stream]
        assert isinstance(rest[-1], Finished)
        assert rest[-1].response == alone

    reached = len(watched.prompts) + len(watched.rows) + 2  # the first pass after that of the prompt
    watched.before = lambda number: watched.wait_for(2) if number == reached else None
    asyncio.run(main())
    assert 2 in watched.rows


def test_closing_one_stream_leaves_the_others_as_they_were() -> None:
    watched = Watched(max_tokens=60, **ENDLESS)
    alone = [watched.alone(prompt) for prompt in ("안녕", "the end")]

    async def main() -> None:
        closed = watched.model.stream(as_request("?", max_tokens=200))
        await anext(closed)
        others = [asyncio.create_task(watched.model.generate(as_request(prompt))) for prompt in ("안녕", "the end")]
        await asyncio.to_thread(watched.wait_for, 3)
        await closed.aclose()
        assert [(await other).unwrap() for other in others] == alone

    asyncio.run(main())
    assert watched.batch._rows == []


def test_a_stream_that_is_not_read_holds_nobody_up() -> None:
    watched = Watched(max_tokens=50, **ENDLESS)

    async def main() -> None:
        unread = watched.model.stream(as_request("?", max_tokens=200))
        await anext(unread)
        assert (await watched.model.generate(as_request("안녕"))).unwrap().finish_reason == "length"
        await unread.aclose()

    asyncio.run(main())


class Fails:
    """A logits processor that raises at its third token."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        self.count += 1
        if self.count == 3:
            raise KeyError("no such score")
        return scores


def test_what_one_call_s_processor_raises_fails_that_call_alone() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    alone = watched.alone("안녕")
    first, failed, last = watched.together(
        [(("안녕",), {}), (("?",), {"logits_processor": [Fails()]}), (("안녕",), {})]
    )
    assert first == last == alone
    assert isinstance(failed, ModelError)
    assert (failed.kind, failed.message) == (ErrorKind.SERVER, "KeyError: 'no such score'")


class Panics(BaseException):
    """What a library in Rust raises where it has no answer: no Exception."""


class Panicking:
    """A logits processor that does."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        raise Panics("index out of bounds")


def test_a_panic_in_one_call_fails_that_call_alone() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    alone = watched.alone("안녕")
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [(("안녕",), {})] * 2
    calls.insert(1, (("?",), {"logits_processor": [Panicking()]}))
    first, failed, last = watched.together(calls)
    assert first == last == alone
    assert isinstance(failed, ModelError)
    assert (failed.kind, failed.message) == (ErrorKind.SERVER, "RuntimeError: Panics: index out of bounds")


def _no_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


def test_where_memory_runs_out_the_call_that_has_written_least_makes_room() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    alone = [watched.alone(prompt) for prompt in ("안녕", "the end")]

    async def main() -> None:
        first = [asyncio.create_task(watched.model.generate(as_request(prompt))) for prompt in ("안녕", "the end")]
        await asyncio.to_thread(watched.wait_until, reached.is_set)
        late = await watched.model.generate(as_request("?"))
        assert late.failure().kind is ErrorKind.OVERLOADED
        assert [(await task).unwrap() for task in first] == alone

    reached = threading.Event()
    told: list[int] = []

    def before(number: int) -> None:
        if number == start + 8:
            reached.set()
            watched.wait_for(3)
        if watched.rows and watched.rows[-1] == 3 and not told:
            told.append(number)
            raise _no_memory()

    start = len(watched.prompts) + len(watched.rows)
    watched.before = before
    asyncio.run(main())
    assert len(told) == 1
    assert watched.alone("안녕") == alone[0]


def test_where_memory_runs_out_for_one_call_the_next_one_works() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    expected = watched.alone("안녕")

    def before(number: int) -> None:
        if number == stop:
            raise _no_memory()

    watched.before = before
    for passes in (1, 6):
        stop = len(watched.prompts) + len(watched.rows) + passes
        result = asyncio.run(watched.model.generate(as_request("안녕")))
        assert result.failure().kind is ErrorKind.OVERLOADED
        assert watched.alone("안녕") == expected


def test_a_pass_that_breaks_fails_all_that_share_it_with_what_they_had() -> None:
    watched = Watched(max_tokens=20, **ENDLESS)
    expected = watched.alone("안녕")

    async def last(prompt: str) -> Any:
        return [event async for event in watched.model.stream(as_request(prompt))][-1]

    async def main() -> list[Any]:
        return await asyncio.gather(last("안녕"), last("?"))

    start = len(watched.prompts) + len(watched.rows)

    def before(number: int) -> None:
        if number == start + 1:
            watched.wait_for(2)
        if number == start + 6:
            raise RuntimeError("the device is gone")

    watched.before = before
    for event in asyncio.run(main()):
        assert isinstance(event, Failed)
        assert (event.error.kind, event.error.message) == (ErrorKind.SERVER, "RuntimeError: the device is gone")
        assert event.partial is not None
    watched.before = lambda number: None
    assert watched.alone("안녕") == expected


def test_one_that_is_cancelled_in_line_is_never_read() -> None:
    watched = Watched(max_tokens=6, **ENDLESS)
    reading = threading.Event()

    async def main() -> None:
        def before(number: int) -> None:
            if number == 1:
                reading.set()
                watched.wait_for(2)
                loop.call_soon_threadsafe(second.cancel)
                watched.wait_until(watched.batch._waiting[1].cancelled.is_set)

        loop = asyncio.get_running_loop()
        watched.before = before
        first = asyncio.create_task(watched.model.generate(as_request("안녕")))
        await asyncio.to_thread(watched.wait_until, reading.is_set)
        second = asyncio.create_task(watched.model.generate(as_request("the end")))
        assert (await first).unwrap().finish_reason == "length"
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(main())
    assert len(watched.prompts) == 1


def test_a_long_prompt_is_read_in_pieces_between_the_tokens_of_others() -> None:
    watched = Watched(context=4096, max_tokens=60, **ENDLESS)
    long = "x" * 1200
    alone = [watched.alone(prompt) for prompt in (long, "안녕")]
    ids = WORDS.apply_chat_template(
        [{"role": "user", "content": long}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    watched.apart = True
    bare = watched.llama.generate(**ids, do_sample=False, max_new_tokens=60, eos_token_id=[1_000_000], pad_token_id=0)
    watched.apart = False
    size = ids["input_ids"].shape[1]
    assert alone[0].content == WORDS.decode(bare[0, size:]).rstrip("\ufffd")
    watched.passes.clear()

    async def main() -> None:
        stream = watched.model.stream(as_request("안녕"))
        await anext(stream)
        assert (await watched.model.generate(as_request(long))).unwrap() == alone[0]
        rest = [event async for event in stream]
        assert isinstance(rest[-1], Finished)
        assert rest[-1].response == alone[1]

    watched.before = lambda number: watched.wait_for(2) if len(watched.passes) == 8 else None
    asyncio.run(main())
    at = [number for number, (_, length) in enumerate(watched.passes) if length > 1]
    assert [watched.passes[number] for number in at[1:]] == [(1, 512), (1, 512), (1, size - 1024)]
    assert [later - earlier for earlier, later in pairwise(at[1:])] == [2, 2]


def test_a_prompt_that_nobody_waits_for_any_more_is_not_read_to_its_end() -> None:
    watched = Watched(context=4096, max_tokens=5, **ENDLESS)

    async def main() -> None:
        task = asyncio.create_task(watched.model.generate(as_request("x" * 3000)))

        def before(number: int) -> None:
            loop.call_soon_threadsafe(task.cancel)
            watched.wait_until(watched.batch._waiting[0].cancelled.is_set)

        loop = asyncio.get_running_loop()
        watched.before = before
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (watched.prompts, watched.rows) == ([512], [])


def test_more_calls_than_share_one_pass_are_all_answered() -> None:
    watched = Watched(max_tokens=4, **ENDLESS)
    alone = watched.alone("?")

    async def main() -> list[Any]:
        return await asyncio.gather(*(watched.model.generate(as_request("?")) for _ in range(2 * TOGETHER + 1)))

    assert {result.unwrap() for result in asyncio.run(main())} == {alone}
    assert max(watched.rows) <= TOGETHER


def test_beams_are_generated_apart_at_the_same_time() -> None:
    watched = Watched(temperature=0, max_tokens=10, apart=True)
    beams = [((f"{n}",), {"num_beams": 3}) for n in range(6)]
    alone = [watched.alone(*args, **options) for args, options in [*beams, *MIXED[:2]]]
    watched.rows.clear()

    async def main() -> list[Any]:
        calls = [*beams, *MIXED[:2]]
        return await asyncio.gather(*(watched.model.generate(as_request(*a, **k)) for a, k in calls))

    assert [result.unwrap() for result in asyncio.run(main())] == alone
    assert 3 in watched.rows


def test_nothing_is_kept_when_nobody_calls() -> None:
    watched = Watched(max_tokens=4)
    watched.alone("?")
    batch = watched.batch
    batch._threads.submit(lambda: None).result()
    assert (batch._rows, batch._window, len(batch._waiting), batch._driven) == ([], None, 0, False)


def _other(kind: str, **changes: Any) -> Any:
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=50, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, **changes
    )
    return getattr(transformers, f"{kind}ForCausalLM")(config)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LLAMA, True),
        (_other("Qwen2", num_key_value_heads=1), True),
        (_other("Llama", rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}), False),
        (
            transformers.BloomForCausalLM(transformers.BloomConfig(vocab_size=9, hidden_size=8, n_layer=1, n_head=1)),
            False,
        ),
        (_other("GPTNeo", num_layers=1, num_heads=1, attention_types=[[["local"], 1]]), False),
        (tiny_llama.Says([]), False),
    ],
    ids=[
        "llama",
        "qwen2",
        "positions by the longest",
        "no positions",
        "a window of its own",
        "no model of transformers",
    ],
)
def test_which_models_can_share_passes(model: Any, expected: bool) -> None:
    assert fits(model) is expected


def test_a_model_that_looks_through_a_sliding_window_answers_apart_and_right() -> None:
    torch.manual_seed(0)
    mistral = _other("Mistral", num_key_value_heads=1, head_dim=8, sliding_window=8).eval()
    mistral.resize_token_embeddings(len(WORDS))
    model = TransformersModel("tiny", model=mistral, tokenizer=WORDS, max_tokens=20, **ENDLESS)
    alone = [model(prompt) for prompt in ("안녕", "the end of the end")]

    async def main() -> list[Any]:
        prompts = ("안녕", "the end of the end")
        return await asyncio.gather(*(model.generate(as_request(prompt)) for prompt in prompts))

    assert [result.unwrap() for result in asyncio.run(main())] == alone


def test_calls_of_a_model_whose_positions_change_with_the_longest_are_answered_one_after_another() -> None:
    scaled = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    llama = _other("Llama", rope_parameters=scaled).eval()
    llama.resize_token_embeddings(len(WORDS))
    model = TransformersModel("tiny", model=llama, tokenizer=WORDS, max_tokens=20, **ENDLESS)
    lengths: list[int] = []
    llama.register_forward_pre_hook(
        lambda _, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]), with_kwargs=True
    )

    async def main() -> list[Any]:
        return await asyncio.gather(*(model.generate(as_request("안녕")) for _ in range(8)))

    assert len({result.unwrap() for result in asyncio.run(main())}) == 1
    assert lengths == [lengths[0], *[1] * 19] * 8


FORKS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import asyncio, tiny_llama, torch
from modelport.adapters.transformers import rehearsal as transformers_rehearsal
from modelport.adapters.process.calling import as_request
from modelport.adapters.process.inside import LibraryChanged
from modelport.adapters.transformers.model import TransformersModel
words = tiny_llama.tokenizer()
model = TransformersModel("tiny", model=tiny_llama.model(words), tokenizer=words, max_tokens=100, eos_token_id=[999])
expected = model("?", max_tokens=5)

async def main():
    stream = model.stream(as_request("?"))
    await anext(stream)
    child = os.fork()
    if child == 0:
        import threading
        found = []
        asked = threading.Thread(target=lambda: found.append(model("?", max_tokens=5)))
        asked.start()
        asked.join(20)
        os._exit(0 if found == [expected] else 1)
    await stream.aclose()
    return os.waitpid(child, 0)[1]

print(asyncio.run(main()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_child_that_is_forked_while_a_call_goes_on_answers_by_itself() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKS, str(TINY)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True, env=env)
    assert said.stdout == "0\n"


def test_each_shows_its_own_stream() -> None:
    watched = Watched(max_tokens=15, **ENDLESS)
    prompts = ["안녕", "the end", "?"]
    alone = [watched.alone(prompt).content for prompt in prompts]

    async def text(prompt: str) -> str:
        events = [event async for event in watched.model.stream(as_request(prompt))]
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    async def main() -> list[str]:
        return await asyncio.gather(*(text(prompt) for prompt in prompts))

    assert asyncio.run(main()) == alone


class _OfBefore(transformers.LlamaForCausalLM):
    """A model whose own code calls the cache as transformers did before 5.24."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        **rest: Any,
    ) -> Any:
        known = inspect.signature(super().forward).parameters
        name = next(name for name in CACHE_NAMES if name in known)
        asked = {"attention_mask": attention_mask, "position_ids": position_ids, name: past_key_values}
        return super().forward(input_ids, **asked, **rest)


class _OfTomorrow(transformers.LlamaForCausalLM):
    """A model whose forward calls the cache as nobody has yet."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        memory: Any = None,
        use_cache: Any = None,
        **rest: Any,
    ) -> Any:
        return super().forward(input_ids, attention_mask, position_ids, use_cache=use_cache, **rest)


def _as(kind: Any) -> Any:
    llama = kind(LLAMA.config).eval()
    llama.load_state_dict(LLAMA.state_dict())
    return llama


def test_a_model_of_somebody_s_own_shares_passes_by_the_older_name_of_the_cache_too() -> None:
    watched = Watched(max_tokens=20, llama=_as(_OfBefore), **ENDLESS)
    expected = Watched(max_tokens=20, **ENDLESS).alone("?")
    assert watched.together([(("?",), {})] * 4) == [expected] * 4
    assert len(watched.passes) == 4 + 19


def test_calls_are_answered_one_by_one_where_nobody_knows_what_a_forward_calls_its_cache_and_one_warning_says_so() -> (
    None
):
    message = r"transformers \S+ has no \S+_OfTomorrow.forward.cache or past_key_values any more: calls of a model at"
    with pytest.warns(LibraryChanged, match=message):
        assert not fits(_as(_OfTomorrow))
    assert not fits(_as(_OfTomorrow))  # with a second warning the test would fail


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (transformers.GenerationMixin, "_update_model_kwargs_for_generation"),
        (transformers.PreTrainedModel, "_is_stateful"),
        (transformers.LlamaConfig, "rope_parameters"),
    ],
)
def test_what_transformers_no_longer_says_of_a_model_keeps_its_calls_apart_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    monkeypatch.delattr(owner, name)
    with pytest.warns(LibraryChanged, match=rf"has no \S+.{name} any more: calls of a model at the same time"):
        assert not Batch(LLAMA, "tiny")._shares


def test_a_model_that_can_t_share_passes_is_no_reason_for_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    config = transformers.MambaConfig(vocab_size=9, hidden_size=8, state_size=2, num_hidden_layers=1)
    mamba: Any = transformers.MambaForCausalLM(config)
    monkeypatch.delattr(transformers.LlamaConfig, "rope_parameters")
    for model in (mamba, _other("GPTNeo", num_layers=1, num_heads=1, attention_types=[[["local"], 1]])):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert not fits(model)
        assert [warning.category for warning in said if issubclass(warning.category, LibraryChanged)] == []


class PagedCache(transformers.DynamicCache):
    """A cache of another sort."""


def _asks_more(cache: Any) -> Any:
    raise AttributeError("'_Layer' object has no attribute 'is_paged'")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda patch: patch.setattr(transformers.cache_utils.Cache, "get_mask_sizes", _asks_more), "TypeError"),
        (
            lambda patch: patch.setattr(transformers.generation.utils, "DynamicCache", PagedCache),
            "",
        ),
        (lambda patch: patch.delattr(transformers.cache_utils, "CacheLayerMixin"), "ImportError"),
    ],
    ids=["asks more of a layer", "another cache", "no layers"],
)
def test_a_release_that_lets_no_calls_share_passes_answers_them_apart_and_a_warning_says_why(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], why: str
) -> None:
    change(monkeypatch)
    transformers_rehearsal._obstacle.cache_clear()
    try:
        with pytest.warns(LibraryChanged, match=rf"transformers \S+ lets no calls share passes .*{why}"):
            assert not Batch(LLAMA, "tiny")._shares
    finally:
        transformers_rehearsal._obstacle.cache_clear()


def test_rehearsing_draws_nothing_from_the_generator_that_is_the_user_s() -> None:
    before = torch.get_rng_state()
    assert transformers_rehearsal._share(transformers_rehearsal._llama())
    assert torch.equal(torch.get_rng_state(), before)
