"""One answer of vLLM in the making: tokens go in as they come, events come out, and in the end the response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ...domain.event import Event, Finished
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.logprobs import Logprobs, Token
from .prompt import Prompt, PromptReader

_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH, "repetition": FinishReason.OTHER}


def decode(reason: str | None) -> FinishReason:
    """Why generation ended, of vLLM's own word. Raises ModelFailure where the engine gave the answer up."""
    if reason in ("abort", "error"):
        message = f"the engine gave the answer up ({reason})"
        raise ModelFailure(ModelError(ErrorKind.SERVER, message, scope=Scope.REQUEST, sent=Sent.YES))
    return _REASONS.get(reason or "", FinishReason.OTHER)


class Answer(LocalAnswer):
    """Takes what the engine says. With `top`, so many alternatives to each token are told."""

    def __init__(
        self,
        reader: PromptReader,
        request: Request,
        prompt: Prompt,
        params: Any,
        top: int | None,
        show: Callable[[Event], None] | None,
    ) -> None:
        skip, tokenizer = params.skip_special_tokens, reader.tokenizer
        self._likely = None if top is None else _Likely(reader.spelled, top)
        super().__init__(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=skip),
            request,
            prompt.text[-40:],
            show,
            None if self._likely is None else self._likely.logprobs,
        )
        self._size = prompt.size
        self._written = self._cached = 0
        self._reason: FinishReason | None = None
        self._stepwise = bool(request.stop_sequences) or top is not None

    def take(self, output: Any) -> None:
        """What came; what stands behind a stop isn't read, nor counted."""
        completion = output.outputs[0]
        self._cached = output.num_cached_tokens or self._cached
        tokens: Sequence[int] = completion.token_ids
        last = completion.finish_reason is not None
        # The token that ends the text is counted, and isn't text.
        of_text = len(tokens) - 1 if last and completion.finish_reason == "stop" else len(tokens)
        if self._stepwise:
            for at, token in enumerate(tokens):
                if self._likely is not None:
                    self._likely.add(self.length, token, completion.logprobs[at])
                self._written += 1
                if at < of_text:
                    self.feed([token])
                if self.ended:
                    return
        else:
            self._written += len(tokens)
            self.feed(tokens[:of_text])
        if last:
            self._reason = decode(completion.finish_reason)

    def over(self, model_id: str) -> Finished:
        """The last event."""
        usage = Usage(self._size, self._written, cached_tokens=self._cached)
        return self.finish(self._reason or FinishReason.STOP, usage, model_id)


@attrs.define
class _Likely:
    """How likely the tokens of one answer were."""

    spelled: Callable[[int], bytes]
    top: int
    logprobs: Logprobs = attrs.field(factory=Logprobs)

    def add(self, at: int, token: int, ranked: dict[int, Any]) -> None:
        spelled = self.spelled
        others = [Token(spelled(number), one.logprob) for number, one in ranked.items() if one.rank <= self.top]
        self.logprobs.add(at, Token(spelled(token), ranked[token].logprob), others)
