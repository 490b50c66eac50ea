"""One answer of vLLM in the making: tokens go in as they come, events come out, and in the end the response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs

from ..domain.draft import Draft
from ..domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..domain.event import Event, Finished
from ..domain.request import Request
from ..domain.response import FinishReason
from ..domain.spoken import Spoken, opened_thought
from ..domain.usage import Usage
from .detokenizer import Detokenizer
from .logprobs import Logprobs, Token
from .vllm_prompt import Prompt, Reader, offered

_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH, "repetition": FinishReason.OTHER}


def decode(reason: str | None) -> FinishReason:
    """Why generation ended, of vLLM's own word. Raises ModelFailure where the engine gave the answer up."""
    if reason in ("abort", "error"):
        message = f"the engine gave the answer up ({reason})"
        raise ModelFailure(ModelError(ErrorKind.SERVER, message, scope=Scope.REQUEST, sent=Sent.YES))
    return _REASONS.get(reason or "", FinishReason.OTHER)


class Answer:
    """Takes what the engine says; it belongs to one call. With `top`, so many alternatives to each token are told."""

    def __init__(
        self, reader: Reader, request: Request, draft: Draft, prompt: Prompt, params: Any, top: int | None
    ) -> None:
        skip, tokenizer = params.skip_special_tokens, reader.tokenizer
        self._text = Detokenizer(lambda ids: tokenizer.decode(ids, skip_special_tokens=skip))
        self._draft, self._prompt = draft, prompt
        self._spoken = Spoken(
            draft,
            request.stop_sequences,
            tools=bool(offered(request)),
            thought=opened_thought(prompt.text[-40:]),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._written = self._cached = 0
        self._reason: FinishReason | None = None
        self._said: list[str] = []
        self._length = 0
        self._likely = None if top is None else _Likely(reader.spelled, top)
        self._stepwise = bool(request.stop_sequences) or top is not None

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth generating."""
        return self._spoken.ended

    def take(self, output: Any) -> Iterator[Event]:
        """Events for what came; what stands behind a stop isn't read, nor counted."""
        completion = output.outputs[0]
        self._cached = output.num_cached_tokens or self._cached
        tokens: Sequence[int] = completion.token_ids
        last = completion.finish_reason is not None
        # The token that ends the text is counted, and isn't text.
        spoken = len(tokens) - 1 if last and completion.finish_reason == "stop" else len(tokens)
        if self._stepwise:
            for at, token in enumerate(tokens):
                if self._likely is not None:
                    self._likely.add(self._length, token, completion.logprobs[at])
                self._written += 1
                if at < spoken:
                    yield from self._say([token])
                if self.ended:
                    return
        else:
            self._written += len(tokens)
            yield from self._say(tokens[:spoken])
        if last:
            self._reason = decode(completion.finish_reason)

    def close(self) -> Iterator[Event]:
        """Events for what was held back, now that no more comes."""
        yield from self._spoken.close()
        yield from self._draft.close()

    def finish(self, model_id: str) -> Finished:
        """The last event."""
        reason = self._spoken.finish_reason(self._reason or FinishReason.STOP)
        usage = Usage(self._prompt.size, self._written, cached_tokens=self._cached)
        last = self._draft.finish(reason, stopped_by=self._spoken.stopped_by, usage=usage, model_id=model_id)
        if self._likely is None:
            return last
        return Finished(self._likely.found.onto(last.response, "".join(self._said)))

    def _say(self, tokens: Sequence[int]) -> Iterator[Event]:
        piece = self._text.feed(tokens)
        if piece:
            self._length += len(piece)
            if self._likely is not None:
                self._said.append(piece)
            yield from self._spoken.feed(piece)


@attrs.define
class _Likely:
    """How likely the tokens of one answer were."""

    spelled: Callable[[int], bytes]
    top: int
    found: Logprobs = attrs.field(factory=Logprobs)

    def add(self, at: int, token: int, ranked: dict[int, Any]) -> None:
        spelled = self.spelled
        others = [Token(spelled(number), one.logprob) for number, one in ranked.items() if one.rank <= self.top]
        self.found.add(at, Token(spelled(token), ranked[token].logprob), others)
