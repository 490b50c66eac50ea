"""How a model is called like a function: it takes what people pass, waits, and gives the answer or raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...domain.error import ModelFailure
from ...domain.model import Model
from ...domain.reading.messages import as_messages
from ...domain.request import Request
from ...domain.response import Response
from ...domain.response_format import ResponseFormat
from ...domain.tool import Tool
from . import background


def read_file(path: str) -> bytes:
    """The bytes of a file that a message names. Raises ValueError with the path and the reason."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"can't read {path!r}: {error.strerror or error}") from error


def as_request(
    messages: Any,
    stop_sequences: str | Iterable[str] | None = None,
    *,
    tools: Iterable[Tool] = (),
    tool_choice: str | None = None,
    response_format: ResponseFormat | Mapping[str, Any] | None = None,
    **options: Any,
) -> Request:
    """A request made of what people pass: a string, dicts, `Message` values, files on disk.

    >>> as_request("Hello!", max_tokens=5).messages[0].text
    'Hello!'
    """
    return Request(as_messages(messages, read=read_file), stop_sequences, tools, tool_choice, response_format, options)


class Calling:
    """Makes a model callable: `model("Hello!", stop_sequences=["."]).content`."""

    __slots__ = ()

    def __call__(
        self: Model,
        messages: Any,
        stop_sequences: str | Iterable[str] | None = None,
        *,
        tools: Iterable[Tool] = (),
        tool_choice: str | None = None,
        response_format: ResponseFormat | Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Response:
        """The answer. Waits for it; raises `ModelFailure` when there is none, ValueError or TypeError on bad input."""
        request = as_request(
            messages,
            stop_sequences,
            tools=tools,
            tool_choice=tool_choice,
            response_format=response_format,
            **options,
        )
        result = background.run(self.generate(request))
        try:
            return result.unwrap()
        except Exception:
            raise ModelFailure(result.failure()) from None
