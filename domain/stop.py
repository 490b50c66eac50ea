"""Where a text ends: at the earliest stop sequence in it, the longest where several begin there.

`cut` decides for a whole text. `Scanner` decides for a text that arrives in pieces, holding back only what may still
become a stop, and gives the same text and stop however the pieces fall. Matching is on code points, by an automaton
(Aho and Corasick, 1975), so each character costs the same whatever the stops and the pieces are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import attrs

from .unicode import well_formed


def as_stops(stops: str | Iterable[str] | None) -> tuple[str, ...]:
    """What people pass as `stop_sequences`, each once, in their order. Raises on an empty one, naming its place."""
    if stops is None:
        return ()
    if isinstance(stops, str):
        stops = (stops,)
    elif not isinstance(stops, Iterable):
        raise TypeError(f"stop_sequences: a string or several, not {stops!r}")
    seen: dict[str, None] = {}
    for at, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise TypeError(f"stop_sequences[{at}]: {stop!r} is not a string")
        if not stop:
            raise ValueError(f"stop_sequences[{at}]: an empty stop would end every text at once; remove it")
        seen[well_formed(stop, f"stop_sequences[{at}]")] = None
    return tuple(seen)


def cut(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """The text up to the earliest stop, and that stop; or all of it and None.

    >>> cut("one, two; three", (";", ","))
    ('one', ',')
    """
    if not stops or not any(stop in text for stop in stops):
        return text, None
    scanner, head = Scanner.of(stops).feed(text)
    tail, stop = scanner.close()
    return head + tail, stop


@attrs.frozen(eq=False)
class _Automaton:
    """Node 0 is the root; each node stands for the longest beginning of a stop that the text now ends with."""

    moves: tuple[dict[str, int], ...]
    falls: tuple[int, ...]
    depths: tuple[int, ...]
    stops: tuple[str, ...]  # a stop that begins with what the node stands for
    longest: tuple[str | None, ...]  # the longest stop that the text ends with at this node
    first: re.Pattern[str]  # any character that begins a stop

    def step(self, node: int, char: str) -> int:
        while node and char not in self.moves[node]:
            node = self.falls[node]
        return self.moves[node].get(char, 0)


@lru_cache(maxsize=256)
def _automaton(stops: tuple[str, ...]) -> _Automaton:
    moves: list[dict[str, int]] = [{}]
    depths, owners, falls = [0], [""], [0]
    longest: list[str | None] = [None]
    for stop in stops:
        node = 0
        for depth, char in enumerate(stop, 1):
            if char not in moves[node]:
                moves[node][char] = len(moves)
                moves.append({})
                depths.append(depth)
                owners.append(stop)
                falls.append(0)
                longest.append(None)
            node = moves[node][char]
        longest[node] = stop
    for node in sorted(range(len(moves)), key=depths.__getitem__):
        longest[node] = longest[node] or longest[falls[node]]
        for char, child in moves[node].items():
            fall = falls[node]
            while fall and char not in moves[fall]:
                fall = falls[fall]
            falls[child] = moves[fall].get(char, 0) if node else 0
    first = re.compile("[" + "".join(re.escape(char) for char in sorted(moves[0])) + "]")
    return _Automaton(tuple(moves), tuple(falls), tuple(depths), tuple(owners), tuple(longest), first)


@attrs.frozen
class Scanner:
    """How far a text that arrives in pieces has been read.

    `feed` gives the next state and the text that is safe to show; `stop` is set once the text has ended.
    """

    _rules: _Automaton | None = attrs.field(eq=False, repr=False)
    _node: int = 0
    _found: tuple[int, str] | None = None  # the best match so far: how much of the held text stands before it
    stop: str | None = None

    @classmethod
    def of(cls, stops: tuple[str, ...]) -> Scanner:
        """A scanner at the beginning of a text."""
        return cls(_automaton(stops) if stops else None)

    @property
    def held(self) -> str:
        """What may still become a stop, and so isn't shown yet."""
        return self._rules.stops[self._node][: self._rules.depths[self._node]] if self._rules else ""

    @property
    def holds(self) -> int:
        """How many characters are held."""
        return self._rules.depths[self._node] if self._rules else 0

    def feed(self, piece: str) -> tuple[Scanner, str]:
        """The state after this piece, and the text that it made certain."""
        rules = self._rules
        if rules is None or self.stop is not None:
            return self, (piece if self.stop is None else "")
        node, found, at = self._node, self._found, 0
        if not node and not rules.first.search(piece):
            return self, piece
        held, size = rules.depths[node], len(piece)
        while at < size:
            if not node:
                start = rules.first.search(piece, at)
                if start is None:
                    break
                at = start.start()
            node = rules.step(node, piece[at])
            at += 1
            live = held + at - rules.depths[node]  # where the earliest match still open begins
            if found is not None and live > found[0]:
                return self._ended(found, piece)
            match = rules.longest[node]
            if match is not None:
                begin = held + at - len(match)
                if found is None or begin <= found[0]:
                    found = (begin, match)
                if live > found[0] or not rules.moves[node] and live == found[0]:
                    return self._ended(found, piece)
        shown = self._upto(held + size - rules.depths[node], piece)
        if found is not None:
            found = (found[0] - len(shown), found[1])
        return Scanner(rules, node, found), shown

    def close(self) -> tuple[str, str | None]:
        """What was held back and is text after all, now that no more comes; and the stop that ended the text."""
        if self.stop is not None:
            return "", self.stop
        if self._found is not None:
            return self.held[: self._found[0]], self._found[1]
        return self.held, None

    def _ended(self, found: tuple[int, str], piece: str) -> tuple[Scanner, str]:
        return Scanner(self._rules, 0, None, found[1]), self._upto(found[0], piece)

    def _upto(self, end: int, piece: str) -> str:
        """The first `end` characters of the held text and this piece; copies no more than these."""
        held = self.holds
        if not held:
            return piece[:end]
        assert self._rules is not None
        return self._rules.stops[self._node][: min(end, held)] + piece[: max(end - held, 0)]
