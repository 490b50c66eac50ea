"""What is leaned on inside the OpenAI SDK, where a client of it is injected: it posts bytes of others."""

from __future__ import annotations

import functools
from typing import Final

from ..process.inside import Argument, Inside

POST: Final = tuple(
    Argument("openai", "openai:AsyncOpenAI.post", name, "no call can be made")
    for name in ("cast_to", "content", "options", "stream", "stream_cls")
)
_OPTIONS: Final = {
    "headers": "no call can be made, because extra_headers would be left out",
    "params": "no call can be made, because extra_query would be left out",
    "timeout": "no call can be made, because a timeout of its own would be left out",
    "max_retries": "no call can be made, because the client would try again, unseen",
    "follow_redirects": "no call can be made, because the client would send the question on to another address",
}
OPTIONS: Final = tuple(Inside("openai", "openai._types:RequestOptions", name, lost) for name, lost in _OPTIONS.items())
INSIDES: Final[tuple[Inside, ...]] = (*POST, *OPTIONS)


@functools.cache
def check() -> None:
    """Raise `Gone` where the SDK would no longer send what it is told to; it drops an option that it doesn't know."""
    for inside in INSIDES:
        inside.check()
