"""A server that speaks chat completions, as a value: where it is, whose key it takes, and where it differs from OpenAI.

What it refuses is refused here, before anything is sent, and the error names the page that says so. Where no page says
anything, it is taken to do what OpenAI does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ...domain.capability import Capabilities, Unsupported
from ...domain.facts import max_stops
from ...domain.frozen import EMPTY, FrozenDict, freeze_mapping
from ...domain.request import Request
from ..chat.options import assumed
from .call_ids import with_call_ids

USAGE_IN_STREAMS = "stream_options"
"""The option that is sent with each stream, unless the server refuses it."""


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)


def _choices(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


@attrs.frozen(kw_only=True)
class Server:
    """A row of the table: a server, or a program that many run.

    `pages` say what stands here, `quirks` what no field can. `variable` holds its key, which it may do without where
    `needs_key` is False. `reasoning` is the name under which it tells its reasoning, and `reasoning_back` the one
    under which it wants it again with the next question.
    """

    name: str
    title: str
    base_url: str
    example: str
    pages: tuple[str, ...]
    variable: str | None = None
    needs_key: bool = True
    reasoning: str | None = None
    reasoning_back: str | None = None
    refuses: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    """The options that it answers with an error."""
    renames: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping)
    """What it calls an option, by our name for it."""
    lacks: frozenset[str] = attrs.field(default=frozenset(), converter=_names)
    """The capabilities that none of its models has."""
    max_stops: int | None = None
    """How many stops it takes; None where no page says, and four are sent."""
    max_stop_bytes: int | None = None
    """How long a stop may be, in UTF-8; a longer one isn't sent."""
    tool_choices: frozenset[str] | None = attrs.field(default=None, converter=_choices)
    """The choices of tools that it takes; None for all, and for each tool by its name."""
    call_id_length: int | None = None
    """How long the id of a tool's call is, of letters and digits; None where any id will do."""
    takes_names: bool = True
    """Whether a message may say the name of its speaker."""
    cache_markers: bool = False
    """Whether it knows `cache_control`."""
    quirks: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether its address is this machine's, where each runs his own."""
        return self.base_url.startswith("http://127.0.0.1")

    @property
    def tells_usage_if_asked(self) -> bool:
        """Whether a stream may ask for its usage."""
        return USAGE_IN_STREAMS not in self.refuses

    def capabilities(self, model: str) -> Capabilities:
        """What a model there is assumed to take, by its name and by what the server says."""
        known = assumed(model)
        stops = known.max_stops
        if self.max_stops is not None:
            of_the_model = max_stops(model)
            stops = self.max_stops if of_the_model is None else min(self.max_stops, of_the_model)
        return attrs.evolve(known, max_stops=stops, **dict.fromkeys(self.lacks, False))

    def taken(self, request: Request, options: Mapping[str, Any]) -> tuple[Request, Mapping[str, Any]]:
        """The request and its options as this server takes them. Raises `Unsupported` for what it refuses.

        >>> from modelport.adapters.openai.servers import SERVERS
        >>> from modelport.domain.message import Message
        >>> SERVERS["mistral"].taken(Request([Message("user", "hi")]), {"seed": 1})[1]
        {'random_seed': 1}
        """
        for name in options:
            if name in self.refuses:
                raise self._refusal(name, f"take it away: {name}=OMIT in the call, or drop_options=[{name!r}]")
        choice = request.tool_choice
        if choice is not None and self.tool_choices is not None and choice not in self.tool_choices:
            raise self._refusal(f"tool_choice={choice!r}", f"it takes {', '.join(sorted(self.tool_choices))}")
        if not self.takes_names:
            for at, message in enumerate(request.messages):
                if message.name is not None:
                    raise self._refusal(f"name in messages[{at}]", "leave it out, or write it into the text")
        if self.renames:
            options = {self.renames.get(name, name): value for name, value in options.items()}
        if self.max_stop_bytes is not None:
            stops = [stop for stop in request.stop_sequences if len(stop.encode()) <= self.max_stop_bytes]
            request = attrs.evolve(request, stop_sequences=stops)
        if self.call_id_length is not None:
            messages = [with_call_ids(message, self.call_id_length) for message in request.messages]
            request = attrs.evolve(request, messages=messages)
        return request, options

    def _refusal(self, what: str, instead: str) -> Unsupported:
        return Unsupported(f"{self.title} takes no {what}; {instead} ({self.pages[0]})")
