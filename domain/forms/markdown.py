"""An answer as Markdown for a notebook: its text, and a line of what it took. What a model says can't act on the page.

Its tags are shown as text, its pictures aren't fetched, and its links can't run anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ..frozen import EMPTY

if TYPE_CHECKING:
    from ..price import Price
    from ..response import Response

_ACTIVE: Final = re.compile(r"(javascript|vbscript|data)(\\?:)", re.IGNORECASE)
_CODE: Final = re.compile(r"(^`{3}[^`\n]*\n(?:.*\n)*?`{3}[ \t]*$|`[^`\n]+`)", re.MULTILINE)
"""A fenced block that is closed, or a code span in one line."""

_BLOCK: Final = re.compile(r"`{3}[^`\n]*\n(?P<inside>(?:.*\n)*)`{3}[ \t]*")
_MARKS: Final = re.compile(r"[!-/:-@\[-`{-~]")
_NO_BREAK: Final = "\u200b"
"""A space without width: it takes a word apart, and isn't seen."""


def as_markdown(response: Response, prices: Mapping[str, Price] = EMPTY) -> str:
    """The text, the tools to call, and a line of model, time, tokens, attempts and, with `prices`, cost.

    `prices` are by the id of a model, as `with_budget` takes them; `"*"` is the price of every other.

    >>> from modelport.domain.response import Response
    >>> as_markdown(Response.of("Use `<b>`."))
    'Use <code>&#60;b&#62;</code>.'
    """
    calls = [f"- <code>{_entities(f'{call.name}({call.arguments})')}</code>" for call in response.tool_calls]
    took = [f"*{each}*" for each in (" · ".join(_took(response, prices)),) if each]
    return "\n\n".join(part for part in (_safe(response.text), "\n".join(calls), *took) if part)


def _took(response: Response, prices: Mapping[str, Price]) -> Iterator[str]:
    attempts, usage = response.attempts, response.usage
    model_id = response.model_id or next((each.model_id for each in reversed(attempts)), None)
    if model_id:
        yield _entities(model_id)
    if attempts:
        yield f"{max(each.started + each.duration for each in attempts) - min(each.started for each in attempts):.2f} s"
    if usage is not None:
        yield f"{usage.input_tokens} + {usage.output_tokens} tokens"
    costs = list(_costs(response, prices))
    if costs:
        yield f"{sum(costs):.6f} USD"
    if len(attempts) > 1:
        yield f"{len(attempts)} attempts: {', '.join(each.outcome for each in attempts)}"


def _costs(response: Response, prices: Mapping[str, Price]) -> Iterator[float]:
    """Of each call that is known to have been billed; of the answer, where there is no ledger."""
    for each in response.attempts or (response,):
        price = prices.get(each.model_id or "*", prices.get("*"))
        if price is not None and each.usage is not None:
            yield price.of(each.usage)


def _safe(text: str) -> str:
    """The text, its code as elements with entities for all marks: nothing depends on where a page sees code."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        _inert(piece) if number % 2 == 0 else _as_element(piece) for number, piece in enumerate(_CODE.split(text))
    )


def _as_element(code: str) -> str:
    block = _BLOCK.fullmatch(code)
    if block:
        return f"<pre><code>{_entities(block['inside'])}</code></pre>"
    return f"<code>{_entities(code.strip('`').strip(' '))}</code>"


def _entities(text: str) -> str:
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", text)


def _inert(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("![", "!&#91;")
    return _ACTIVE.sub(rf"\1{_NO_BREAK}\2", text)
