"""What every adapter is measured by: a provider that can be told what to answer, and shows what it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs
from laws import Subject

from modelport import Message, Model, Response


@attrs.frozen
class Exchange:
    """A model whose provider answers with one response, and the bodies of the requests that the provider was sent."""

    model: Model
    seen: Callable[[], list[Any]]


class Provider(Subject, Protocol):
    """A subject whose provider speaks its own wire, and can be told the answer."""

    def replying(self, response: Response) -> Exchange:
        """The provider answers with this very response in its own wire, whole and streamed."""
        ...

    def signed(self, thought: str, signature: str) -> Message:
        """The message of an assistant that thinks this, with the signature where this adapter keeps it."""
        ...
