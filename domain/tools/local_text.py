"""What a local model writes, sorted while it arrives into thoughts, text, and tool calls that are written as text.

A thought stands at the beginning, between tags (some templates open it in the prompt). Where tools are offered, what
may be a call is held back until the end shows whether it is one; what isn't is text after all. Stops end the text, and
what comes after calls; inside a call they are part of it.
"""

from __future__ import annotations

from typing import Final

from ..answer_builder import AnswerBuilder
from ..event import Delta
from ..response import FinishReason
from ..stop import Scanner
from .calls_in_text import parse_tool_calls

_THOUGHTS: Final = {"<think>": "</think>", "[THINK]": "[/THINK]"}

# What a call may begin with, in the forms that `parse_tool_calls` reads.
_CALLS: Final = ("<tool_call>", "<|tool_call", "<|python_tag|>", "[TOOL_CALLS]", "<function=", "```", "{", "[")


def opened_thought(prompt: str) -> str | None:
    r"""The tag that a prompt ends with, where its template has the model begin with a thought.

    >>> opened_thought("<|im_start|>assistant\n<think>\n")
    '<think>'
    """
    bare = prompt.rstrip()
    return next((tag for tag in _THOUGHTS if bare.endswith(tag)), None)


def _closings(tag: str) -> tuple[str, ...]:
    """What ends a thought, with the line break that templates put before it."""
    return (f"\n{_THOUGHTS[tag]}", _THOUGHTS[tag])


class LocalText:
    """Sorts what a model writes into an answer builder; it belongs to one call.

    `tools` says that tools were offered; `thought` is the tag that the prompt opened; calls are numbered from
    `first_call` on, so that a conversation has no two of one id.
    """

    __slots__ = (
        "_builder",
        "_first_call",
        "_hold",
        "_phase",
        "_scanner",
        "_stops",
        "_tail",
        "calls",
        "stopped_by",
    )

    def __init__(
        self,
        builder: AnswerBuilder,
        stops: tuple[str, ...] = (),
        *,
        tools: bool = False,
        thought: str | None = None,
        first_call: int = 0,
    ) -> None:
        self.calls = 0  # how many there were
        self.stopped_by: str | None = None  # the stop that came after them
        self._builder, self._stops, self._first_call = builder, stops, first_call
        self._hold = tools
        self._tail = ""  # what is held back: the beginning of the answer, or what may be calls
        self._phase = "beginning" if thought is None else "opened"
        self._scanner = Scanner.of(_closings(thought) if thought is not None else ())

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth generating."""
        return self._builder.stopped_by is not None or self._phase == "ended"

    def feed(self, piece: str) -> list[Delta]:
        """Events for a piece of what the model says."""
        events: list[Delta] = []
        while piece and not self.ended:
            phase = self._phase
            if phase == "speaking" and not self._hold:
                return [*events, *self._builder.text(piece)]
            step = getattr(self, f"_{phase}")
            more, piece = step(piece)
            events += more
        return events

    def close(self) -> list[Delta]:
        """Events for what was held back, now that no more comes. Close the builder after it."""
        match self._phase:
            case "beginning":
                return self._builder.text(self._tail)
            case "thinking":
                return self._builder.reasoning(self._scanner.held)
            case "speaking":
                return self._builder.text(self._scanner.held)
            case "calling":
                return self._called(self._tail) or self._builder.text(self._tail)
        return []

    def without_calls(self) -> list[Delta]:
        """Events for what was held back as a call, which is text after all: the calls come in another way."""
        self._hold = False
        if self._phase not in ("speaking", "calling"):
            return []
        held = self._scanner.held if self._phase == "speaking" else self._tail
        self._speak()
        return self._builder.text(held)

    def finish_reason(self, reason: FinishReason) -> FinishReason:
        """Why the model stopped, in view of what it said."""
        ended = reason is FinishReason.STOP or self.stopped_by is not None
        return FinishReason.TOOL_CALLS if self.calls and ended else reason

    def _beginning(self, piece: str) -> tuple[list[Delta], str]:
        text = self._tail + piece
        bare = text.lstrip()
        for tag in _THOUGHTS:
            if bare.startswith(tag):
                self._phase, self._tail = "opened", ""
                self._scanner = Scanner.of(_closings(tag))
                return [], bare[len(tag) :]
        if any(tag.startswith(bare) for tag in _THOUGHTS):
            self._tail = text
            return [], ""
        self._speak()
        return [], text

    def _opened(self, piece: str) -> tuple[list[Delta], str]:
        """Between the tag and the thought there is a line break."""
        rest = piece.lstrip("\n")
        if rest:
            self._phase = "thinking"
        return [], rest

    def _thinking(self, piece: str) -> tuple[list[Delta], str]:
        before = self._scanner.holds
        self._scanner, thought = self._scanner.feed(piece)
        closing = self._scanner.stop
        if closing is None:
            return list(self._builder.reasoning(thought)), ""
        rest = piece[len(thought) + len(closing) - before :]
        self._phase = "answering"
        return list(self._builder.reasoning(thought)), rest

    def _answering(self, piece: str) -> tuple[list[Delta], str]:
        """Between the thought and the text there are line breaks."""
        rest = piece.lstrip()
        if rest:
            self._speak()
        return [], rest

    def _speak(self) -> None:
        self._phase, self._tail = "speaking", ""
        self._scanner = Scanner.of(_CALLS if self._hold else ())

    def _speaking(self, piece: str) -> tuple[list[Delta], str]:
        before = self._scanner.held
        self._scanner, text = self._scanner.feed(piece)
        if self._scanner.stop is None:
            return self._builder.text(text), ""
        rest = (before + piece)[len(text) :]
        self._phase = "calling"
        self._scanner = Scanner.of(self._stops)
        return self._builder.text(text), rest

    def _calling(self, piece: str) -> tuple[list[Delta], str]:
        before = self._scanner.held
        self._scanner, passed = self._scanner.feed(piece)
        stop = self._scanner.stop
        if stop is None:
            self._tail += piece
            return [], ""
        whole = self._tail[: len(self._tail) - len(before)] + passed
        events = self._called(whole)
        if events:
            self._phase, self.stopped_by = "ended", stop
            return events, ""
        self._scanner = Scanner.of(self._stops)  # it stands inside a call, or in what is no call after all
        self._tail = whole + stop
        return [], (before + piece)[len(passed) + len(stop) :]

    def _called(self, text: str) -> list[Delta]:
        events: list[Delta] = []
        for call in parse_tool_calls(text):
            number = self._first_call + self.calls
            events += self._builder.tool_call(self.calls, f"call_{number}", call.name, call.arguments)
            self.calls += 1
        return events
