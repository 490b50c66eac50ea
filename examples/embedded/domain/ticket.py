"""A ticket is as urgent as its reader says, and normal where the reader can't say."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


class Urgency(enum.Enum):
    """How soon somebody must look at it."""

    NOW = "now"
    TODAY = "today"
    NORMAL = "normal"


class Reader(Protocol):
    """The port: somebody who reads a text and answers a question about it, or can't."""

    def answer(self, question: str, text: str) -> str | None:
        """The answer in one word, or None."""
        ...


@dataclass(frozen=True)
class Ticket:
    """What somebody has written to the help desk."""

    text: str

    def urgency(self, reader: Reader) -> Urgency:
        """How urgent the reader finds it."""
        choices = ", ".join(urgency.value for urgency in Urgency)
        word = reader.answer(f"How urgent is this? Answer with one word of: {choices}.", self.text)
        try:
            return Urgency((word or "").strip(" .\n").lower())
        except ValueError:
            return Urgency.NORMAL
