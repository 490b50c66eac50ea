"""The calls of one model, generated in one thread: they enter and leave a batch while it runs, each ended on its own.

Arrays of MLX belong to the thread that makes them, so one thread makes them all; a call waits in a thread of its own.
Calls that can't be batched (quantised keys and values, a model that keeps something else of a text) have the thread to
themselves, in their turn.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from typing import Any, Final

import attrs

from . import memory as mlx_memory
from . import thread as mlx_thread
from .kept import Kept
from .loading import Loaded

_TOGETHER: Final = 32
# How much of a prompt is read at once: as long as that takes, nothing else is generated, and nothing is cancelled.
_STEP_ON_CPU: Final = 64
_STEP_ON_GPU: Final = 512


class _Cancelled(Exception):
    pass


@attrs.define(eq=False)
class Generation:
    """One answer to be generated. `take` is given its tokens, and says whether it wants more of them."""

    prompt: list[int]
    max_tokens: int
    take: Callable[[int], bool]
    cancelled: threading.Event
    sampler: Callable[[Any], Any] | None = None
    processors: list[Callable[[Any, Any], Any]] = attrs.field(factory=list)
    alone: Mapping[str, Any] = attrs.field(factory=dict)  # arguments of `stream_generate` that a batch hasn't
    cached: int = 0  # so many tokens of the prompt needed no reading
    done: Future[None] = attrs.field(factory=Future)
    _trouble: Exception | None = None

    def takes(self, token: int) -> bool:
        """Hand over a token; whether the call goes on."""
        try:
            return self._trouble is None and self.take(token) and not self.cancelled.is_set()
        except Exception as error:
            self._trouble = error
            return False

    def guarded(self, step: Callable[..., Any], otherwise: Callable[[Any], Any]) -> Callable[..., Any]:
        """The step, whose failure is this call's alone and not the whole batch's."""

        def run(*arguments: Any) -> Any:
            if self._trouble is None:
                try:
                    return step(*arguments)
                except Exception as error:
                    self._trouble = error
            return otherwise(arguments[-1])

        return run

    def end(self, error: Exception | None = None) -> None:
        """The caller waits no longer."""
        error = self._trouble or error
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class _Batch:
    """The calls that are being generated now."""

    def __init__(self, loaded: Loaded, kept: Kept) -> None:
        from mlx_lm.generate import BatchGenerator

        self._generator = BatchGenerator(
            loaded.model,
            stop_tokens=[[end] for end in loaded.ends],
            completion_batch_size=_TOGETHER,
            prefill_batch_size=1 if loaded.on_cpu else 8,
            prefill_step_size=_step(loaded),
        )
        self._kept, self._on_cpu = kept, loaded.on_cpu
        self.calls: dict[int, Generation] = {}

    def admit(self, call: Generation) -> None:
        """Have it generated with the others from the next step on."""
        from mlx_lm.sample_utils import greedy_sampler

        cache, call.cached = self._kept.take(call.prompt)
        sampler = call.sampler and call.guarded(call.sampler, greedy_sampler)
        (number,) = self._generator.insert(
            [call.prompt[call.cached :]],
            [call.max_tokens],
            caches=[cache],
            all_tokens=[call.prompt[: call.cached]],
            samplers=[sampler],
            logits_processors=[[call.guarded(step, lambda scores: scores) for step in call.processors]],
        )
        self.calls[number] = call

    def step(self) -> None:
        """One token for each call whose prompt has been read, and some more of the prompts of others."""
        self._leave(number for number, call in [*self.calls.items()] if call.cancelled.is_set())
        if not self.calls:
            return
        if self._on_cpu:
            mlx_memory.demand(2 * self._generator.prompt_cache_nbytes)  # they grow by being copied
        ended: list[int] = []
        stopped: list[int] = []
        for one in self._generator.next()[1]:
            more = self.calls[one.uid].takes(one.token)
            if one.finish_reason is not None:
                self._kept.keep(one.all_tokens, one.prompt_cache)
                ended.append(one.uid)
            elif not more:
                stopped.append(one.uid)
        if stopped:
            for cache, tokens in self._generator.remove(stopped, return_prompt_caches=True).values():
                self._kept.keep(tokens, cache)
        for number in (*ended, *stopped):
            self.calls.pop(number).end()

    def _leave(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._generator.remove([number])
            self.calls.pop(number).end()


class Line:
    """Where the calls of one model come in. `most_bytes` are kept of what it has read."""

    def __init__(self, loaded: Loaded, most_bytes: int) -> None:
        self._loaded = loaded
        self._kept = Kept(most_bytes)
        self._waiting: deque[Generation] = deque()
        self._lock = threading.Lock()
        self._working = False

    def generate(self, call: Generation) -> None:
        """Waits until the call has been generated or cancelled. Raises what went wrong."""
        with self._lock:
            self._waiting.append(call)
            begin, self._working = not self._working, True
        if begin:
            mlx_thread.submit(self._work)
        call.done.result()

    def _work(self) -> None:
        batch: _Batch | None = None
        while True:
            arrived, lone = self._arrived(bool(batch and batch.calls))
            if not arrived and lone is None and not (batch and batch.calls):
                return
            try:
                if arrived and batch is None:
                    batch = _Batch(self._loaded, self._kept)
                while batch and arrived:
                    batch.admit(arrived[0])
                    del arrived[0]
                if batch:
                    batch.step()
            except Exception as error:  # of the model itself: all that were in it have lost their answers
                for call in (*arrived, *(batch.calls.values() if batch else ())):
                    call.end(error)
                batch = None
                self._kept.forget()
            if lone is not None:
                self._alone(lone)

    def _arrived(self, busy: bool) -> tuple[list[Generation], Generation | None]:
        """Those who enter the batch now, and one that is to be generated alone; nobody: the work is over."""
        with self._lock:
            entering: list[Generation] = []
            while self._waiting and self._loaded.batchable and not self._waiting[0].alone:
                entering.append(self._waiting.popleft())
            if entering or busy:
                return entering, None
            lone = self._waiting.popleft() if self._waiting else None
            self._working = lone is not None
            return [], lone

    def _alone(self, call: Generation) -> None:
        from mlx_lm import stream_generate

        def progress(*_: int) -> None:
            if call.cancelled.is_set():
                raise _Cancelled

        arguments = {"prefill_step_size": _step(self._loaded), "prompt_progress_callback": progress, **call.alone}
        arguments |= {"max_tokens": call.max_tokens, "sampler": call.sampler, "logits_processors": call.processors}
        try:
            mlx_memory.demand(0)
            tokens: Any = stream_generate(self._loaded.model, self._loaded.tokenizer, call.prompt, **arguments)
            with closing(tokens):
                for one in tokens:
                    if not call.takes(one.token):
                        break
        except _Cancelled:
            call.end()
        except Exception as error:
            call.end(error)
        else:
            call.end()


def _step(loaded: Loaded) -> int:
    return _STEP_ON_CPU if loaded.on_cpu else _STEP_ON_GPU
