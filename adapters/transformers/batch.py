"""Calls of one model are answered together: one pass of the model makes the next token of all of them.

A call joins as soon as its prompt is read and leaves when it is done, while the others go on; nobody waits for
anybody's end. `generate` prepares each call and hands it over here, by its `custom_generate`, so every option means
what it means alone: each row has its own processors, draws and criteria. What can't share passes is generated apart.
"""

from __future__ import annotations

import inspect
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from ..process.thread import Threads
from .errors import out_of_memory
from .rehearsal import rehearsed
from .sdk import cache_argument
from .sharing import by_the_longest, fits, may_share, shares
from .window import Window

TOGETHER = 32
_APART = 4
_PIECE = 512  # when so many tokens of prompts have been read, it is the others' turn
_POLL = 0.05


class Batch:
    """The calls in progress of one model, in one process. One thread computes for all that share passes."""

    def __init__(self, model: Any, name: str) -> None:
        self._model = model
        self._shares = fits(model) and rehearsed()
        self._cache_argument = (cache_argument(model) if self._shares else None) or ""
        known = inspect.signature(model.forward).parameters if self._shares else {}
        self._last_alone: Mapping[str, int] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._threads = Threads(name, 1)
        self._apart = threading.Semaphore(1 if by_the_longest(model) else _APART)
        self._lock = threading.Lock()
        self._driven = False
        self._waiting: deque[_Row] = deque()
        self._rows: list[_Row] = []  # these two are the thread's own
        self._window: Window | None = None

    def generate(self, arguments: Mapping[str, Any], cancelled: threading.Event) -> Any:
        """What the model's `generate` gives for the arguments of one call, sooner once it is `cancelled`."""
        if self._shares and may_share(arguments):
            try:
                return self._model.generate(**arguments, custom_generate=_decoding(self, cancelled))
            except _Apart:
                pass
        while not self._apart.acquire(timeout=_POLL):
            if cancelled.is_set():
                return arguments["input_ids"]
        try:
            return self._model.generate(**arguments)
        finally:
            self._apart.release()

    def answer(self, row: _Row) -> Any:
        """Prompt and answer, once it is done."""
        with self._lock:
            self._waiting.append(row)
            if not self._driven:
                self._threads.submit(self._drive)
                self._driven = True
        return row.result()

    def _drive(self) -> None:
        import torch

        try:
            with torch.no_grad():
                while self._more():
                    self._read()
                    self._step()
        except BaseException as error:  # nobody may wait for ever
            with self._lock:
                lost, self._rows, self._window, self._driven = [*self._rows, *self._waiting], [], None, False
                self._waiting.clear()
            for row in lost:
                row.end(RuntimeError(f"generation broke off: {error!r}"))
            raise

    def _more(self) -> bool:
        with self._lock:
            for row in [row for row in self._waiting if row.cancelled.is_set()]:
                self._waiting.remove(row)
                row.end()
            if not self._rows:
                self._window = None  # and its memory
            self._driven = bool(self._rows or self._waiting)
            return self._driven

    def _read(self) -> None:
        """Prompts, as far as they are read between two tokens of the others."""
        left = _PIECE
        while left > 0 and len(self._rows) < TOGETHER:
            with self._lock:
                row = self._waiting[0] if self._waiting else None
            if row is None:
                return
            try:
                left -= self._read_on(row)
            except BaseException as error:
                row.end(_told(error))
            if row.ended or not row.left:
                with self._lock:
                    self._waiting.remove(row)

    def _read_on(self, row: _Row) -> int:
        """Read the next piece of its prompt, of so many tokens; with the last it joins the window, or is done.

        Where a piece ends doesn't depend on the others, and each is read for itself, so that it reads as alone.
        """
        import torch
        from transformers import DynamicCache

        if row.cancelled.is_set():
            row.end()
            return 0
        if row.cache is None:
            row.cache = DynamicCache()
        piece = row.ids[:, row.read : row.read + _PIECE]
        places = torch.arange(row.read, row.read + piece.shape[1], device=piece.device)[None]
        output = self._model(
            input_ids=piece,
            position_ids=places,
            use_cache=True,
            return_dict=True,
            **{self._cache_argument: row.cache},
            **self._last_alone,
        )
        row.read += piece.shape[1]
        if not row.left:
            if row.choose(output.logits[:, -1].to(torch.float32, copy=True)):
                row.end()
            else:
                self._window = self._window or Window(self._cache_argument)
                self._window.join(row.cache)
                row.cache = None
                self._rows.append(row)
        return int(piece.shape[1])

    def _step(self) -> None:
        import torch

        if not self._rows or self._window is None:
            return
        done: dict[int, Exception | None]
        try:
            logits = self._window.read(self._model, [row.token for row in self._rows], self._last_alone)
            done = _chosen(self._rows, logits.to(torch.float32, copy=True))
        except Exception as error:
            lost = [*range(len(self._rows))]
            if out_of_memory(error):  # the pass is made again, without the one that has least to lose
                lost = [min(reversed(lost), key=lambda at: self._rows[at].made)]
            done = dict.fromkeys(lost, error.with_traceback(None))
        for at in sorted(done, reverse=True):
            row, self._rows[at] = self._rows[at], self._rows[-1]
            self._rows.pop()
            self._window.leave(at)
            row.end(done[at])


class _Apart(Exception):
    """`generate` has prepared a call that can't share passes."""


class _Row:
    """One answer in the making."""

    def __init__(self, ids: Any, processors: Any, criteria: Any, draws: bool, cancelled: threading.Event) -> None:
        self.ids, self.cancelled = ids, cancelled
        self.read, self._size = 0, int(ids.shape[1])  # so many tokens of the prompt, and all
        self.made = 0  # so many of the answer
        self.token = 0  # the last one
        self.cache: Any = None  # what has been read, where it isn't all yet
        self._processors, self._criteria, self._draws = processors, criteria, draws
        self._ended = threading.Event()
        self._error: Exception | None = None

    @property
    def left(self) -> int:
        """So many tokens of the prompt are to be read yet."""
        return self._size - self.read

    @property
    def ended(self) -> bool:
        """Whether it is done."""
        return self._ended.is_set()

    def choose(self, logits: Any) -> bool:
        """Take the next token; whether it was the last."""
        import torch

        scores = self._processors(self.ids, logits.to(self.ids.device))
        if self._draws:
            chosen = torch.multinomial(torch.softmax(scores, dim=-1), num_samples=1)
        else:
            chosen = scores.argmax(dim=-1, keepdim=True)
        self.ids = torch.cat([self.ids, chosen], dim=-1)
        self.token = int(chosen)
        self.made += 1
        return bool(self._criteria(self.ids, None).all())

    def end(self, error: Exception | None = None) -> None:
        """The caller may go on."""
        if not self._ended.is_set():
            self._error, self.cache = error, None
            self._ended.set()

    def result(self) -> Any:
        """Waits for the end. Raises what went wrong."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self.ids


def _chosen(rows: Sequence[_Row], logits: Any) -> dict[int, Exception | None]:
    """The next token of each row; which of them are done, and what went wrong with them."""
    done: dict[int, Exception | None] = {}
    for at, row in enumerate(rows):
        try:
            if row.choose(logits[at : at + 1]):
                done[at] = None
        except BaseException as error:
            done[at] = _told(error)
    return done


def _told(error: BaseException) -> Exception:
    """What its caller is told; its traceback would keep the pass's tensors. A panic of Rust's is no Exception."""
    told = error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}")
    return told.with_traceback(None)


def _decoding(batch: Batch, cancelled: threading.Event) -> Any:
    """What `generate` takes as `custom_generate` for one call."""

    def decode(
        model: Any, input_ids: Any, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **rest: Any
    ) -> Any:
        if not shares(input_ids, generation_config, rest):
            raise _Apart
        draws = bool(generation_config.do_sample)
        return batch.answer(_Row(input_ids, logits_processor, stopping_criteria, draws, cancelled))

    return decode
