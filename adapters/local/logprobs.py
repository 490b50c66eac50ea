"""Log probabilities as OpenAI's answers have them, made of what a runtime on this machine knows of its tokens. Pure.

They are in `response.raw["choices"][0]["logprobs"]["content"]`, one entry for each token whose text is in the answer,
at least in part: in its text, its thoughts or its calls. What a stop cut off, and the token that ends a text, has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ...domain.message import Reasoning, Text
from ...domain.response import Response

_LEAST: Final = -9999.0  # JSON has no infinity; OpenAI writes this for what can't come


@attrs.frozen
class Token:
    """A token that came, or that might have: its own bytes, which can be part of a character, and how likely it was."""

    data: bytes
    logprob: float


def take_logprobs(options: Mapping[str, Any]) -> tuple[int | None, dict[str, Any]]:
    """How many alternatives to each token are asked for, None where no log probabilities are; and the other options.

    Raises ValueError for a wrong `logprobs` or `top_logprobs`.

    >>> take_logprobs({"logprobs": True, "top_logprobs": 2, "seed": 7})
    (2, {'seed': 7})
    """
    rest = dict(options)
    wanted, top = rest.pop("logprobs", None), rest.pop("top_logprobs", None)
    if not isinstance(wanted, bool | None):
        raise ValueError(f"logprobs is True or False, not {wanted!r}; the number of alternatives goes in top_logprobs")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 0):
        raise ValueError(f"top_logprobs is a whole number, not {top!r}")
    if top and not wanted:
        raise ValueError("top_logprobs needs logprobs=True")
    return (top or 0) if wanted else None, rest


class Logprobs:
    """Those of one answer, while its tokens come. It belongs to one call and is not shared."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[int, dict[str, Any]]] = []

    def add(self, at: int, token: Token, alternatives: Iterable[Token] = ()) -> None:
        """A token that came when `at` characters of text were complete, and the most likely ones at its place."""
        ranked = sorted(alternatives, key=lambda other: -other.logprob)
        self._entries.append((at, {**_written(token), "top_logprobs": [_written(other) for other in ranked]}))

    def onto(self, response: Response, text: str) -> Response:
        """The answer with them as its `raw`; `text` is all that it said, before thoughts and calls were told apart."""
        kept = _before_stop(text, response)
        content = [entry for at, entry in self._entries if at < kept]
        return attrs.evolve(response, raw={"choices": [{"logprobs": {"content": content}}]})


def _written(token: Token) -> dict[str, Any]:
    text = token.data.decode(errors="replace")
    return {"token": text, "logprob": max(token.logprob, _LEAST), "bytes": [*token.data]}


def _before_stop(text: str, response: Response) -> int:
    """How many characters stand before the stop that ended the answer."""
    stop = response.stopped_by
    if stop is None:
        return len(text)
    at = 0
    for part in response.message.content:
        if not isinstance(part, Text | Reasoning):
            at = text.rfind(stop)  # behind calls, which are written in many ways
            break
        begin = text.find(part.text, at)
        at = begin + len(part.text) if begin >= 0 else at
    begin = text.find(stop, max(at, 0))
    return begin if begin >= 0 else len(text)
