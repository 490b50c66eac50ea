"""One answer of OpenVINO in the making: its tokens are read as they come, and say whether more are wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from ...domain.event import Event, Finished
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from .loading import Loaded

_REASONS: Final = {"STOP": FinishReason.STOP, "LENGTH": FinishReason.LENGTH, "TOOL_CALL": FinishReason.STOP}


def decode(reason: object) -> FinishReason:
    """Why generation ended, of OpenVINO's own reason."""
    return _REASONS.get(getattr(reason, "name", ""), FinishReason.OTHER)


class Answer(LocalAnswer):
    """One answer in the making."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: str,
        show: Callable[[Event], None] | None,
        cancelled: threading.Event,
    ) -> None:
        super().__init__(loaded.tokenizer.decode, request, prompt, show)
        self._cancelled = cancelled
        self._trouble: Exception | None = None
        self._written = 0  # so many tokens have come

    def take(self, tokens: list[int]) -> bool:
        """Whether more than these are wanted."""
        if self._cancelled.is_set() or self.ended:
            return False
        try:  # what is raised here would be printed and forgotten
            self._written += len(tokens)
            self.feed(tokens)
        except Exception as exception:
            self._trouble = exception
            return False
        return not self.ended

    def over(self, reason: object, size: int, model_id: str) -> Finished:
        """The last event after a prompt of this size."""
        if self._trouble is not None:
            raise self._trouble
        return self.finish(decode(reason), Usage(size, self._written), model_id)


def streamed(answer: Answer) -> Any:
    """What OpenVINO hands the tokens of this answer to."""
    return _streamer()(answer.take)


@cache
def _streamer() -> Any:
    """The class by which OpenVINO hands over tokens. One for all calls: it would forget none that was made."""
    import openvino_genai

    status = openvino_genai.StreamingStatus

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]  # OpenVINO has no types
        def __init__(self, take: Callable[[list[int]], bool]) -> None:
            super().__init__()
            self._take = take

        def write(self, token: Any) -> Any:
            more = self._take([token] if isinstance(token, int) else list(token))
            return status.RUNNING if more else status.CANCEL

        def end(self) -> None:
            pass

    return Streamer
