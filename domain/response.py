"""A model's answer, complete."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from .attempt import Attempt, Wait, counted, with_wait, without_times
from .fields import short_repr
from .message import Message, Reasoning, Role, ToolCall
from .usage import Usage


class FinishReason(enum.StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"


def _shown(message: Message) -> str:
    """Text alone is shown without a message around it."""
    return repr(message.text if message == Message(Role.ASSISTANT, message.text) else message)


@attrs.frozen
class Response:
    """What a model answered.

    `stopped_by` is the stop sequence that ended the text, where that is known. `usage` is None where the provider
    didn't say. `attempts` is the ledger of physical calls. `raw` is the provider's own answer, for what the core
    doesn't know. Two responses are equal whatever is in it, and however long their attempts took.
    """

    message: Message = attrs.field(repr=_shown)
    finish_reason: FinishReason = attrs.field(default=FinishReason.STOP, converter=FinishReason)
    stopped_by: str | None = None
    usage: Usage | None = None
    model_id: str | None = None
    response_id: str | None = None
    attempts: tuple[Attempt, ...] = attrs.field(default=(), repr=counted, eq=without_times)
    raw: Any = attrs.field(default=None, eq=False, repr=False)
    __repr__ = short_repr

    @classmethod
    def of(cls, text: str, **fields: Any) -> Response:
        """A response that is just this text."""
        return cls(Message(Role.ASSISTANT, text), **fields)

    @property
    def text(self) -> str:
        """The text of the answer, without the reasoning; `str(response)` is the same."""
        return self.message.text

    content = text
    """The same, by the name that the field has for it."""

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        from .forms.markdown import as_markdown

        return as_markdown(self)

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered."""
        return "".join(part.text for part in self.message.content if isinstance(part, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants called."""
        return self.message.tool_calls

    def after(self, *earlier: Attempt) -> Response:
        """The same answer, with what was tried before put first in its ledger."""
        return attrs.evolve(self, attempts=(*earlier, *self.attempts))

    def waited(self, wait: Wait) -> Response:
        """The same answer, its first attempt having waited first."""
        return attrs.evolve(self, attempts=with_wait(self.attempts, wait))
