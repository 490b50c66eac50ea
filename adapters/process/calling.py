"""The face that a model shows to people: it takes what they pass, and gives the answer or raises.

`model("Hello!")` waits, `await model.ask("Hello!")` is the same in asynchronous code, and `generate` and `stream` take
the same arguments. A ready `Request` passes as it is.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from returns.result import Result

from ...domain.error import ModelError, ModelFailure
from ...domain.model import Model
from ...domain.reading.messages import as_messages
from ...domain.request import Request
from ...domain.response import Response
from ...domain.response_format import ResponseFormat
from ...domain.tool import Tool, ToolChoice
from . import background
from .entered import PORT, entered, entered_stream

if TYPE_CHECKING:
    from typing import Unpack

    from ...domain.options.call_options import CallOptions

P = ParamSpec("P")
M = TypeVar("M")
R = TypeVar("R")


def read_file(path: str) -> bytes:
    """The bytes of a file that a message names. Raises ValueError with the path and the reason."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"can't read {path!r}: {error.strerror or error}") from error


def _asked_one_thing(function: Callable[P, R]) -> Callable[P, R]:
    """The same, and a second text is no stop sequence unless it is called one."""

    @functools.wraps(function)
    def checked(*arguments: P.args, **named: P.kwargs) -> R:
        if len(arguments) > 1 and isinstance(arguments[1], str):
            text = arguments[1] if len(arguments[1]) <= 60 else f"{arguments[1][:57]}..."
            raise TypeError(
                f"what is asked is one argument, and a second is where to stop: pass one text or a list of messages, "
                f"or stop_sequences=[{text!r}]"
            )
        return function(*arguments, **named)

    return checked


@_asked_one_thing
def as_request(
    messages: Any,
    stop_sequences: str | Iterable[str] | None = None,
    *,
    tools: Iterable[Tool] = (),
    tool_choice: ToolChoice | None = None,
    response_format: ResponseFormat | Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> Request:
    """A request made of what people pass: a string, dicts, `Message` values, files on disk; a `Request` is one already.

    Raises ValueError or TypeError, naming the place, for what can't be read.

    >>> as_request("Hello!", max_tokens=5).messages[0].text
    'Hello!'
    """
    if isinstance(messages, Request):
        if stop_sequences or tools or tool_choice or response_format or options:
            raise TypeError("as_request: a Request says all of it already; change it: attrs.evolve(request, ...)")
        return messages
    return Request(as_messages(messages, read=read_file), stop_sequences, tools, tool_choice, response_format, options)


class _Reads(Generic[P]):
    """Gives a member that takes a `Request` the arguments of the function that makes one."""

    def __init__(self, read: Callable[P, Request]) -> None:
        self._read = read

    def __call__(self, member: Callable[[M, Request], R]) -> Callable[Concatenate[M, P], R]:
        """The member with these arguments."""
        read = self._read

        @functools.wraps(member)
        def reading(model: M, /, *arguments: P.args, **named: P.kwargs) -> R:
            first = arguments[0] if arguments else None
            if type(first) is Request and not named and not arguments[1:]:
                return member(model, first)
            return member(model, read(*arguments, **named))

        own, taken = inspect.signature(member), inspect.signature(read)
        parameters = [next(iter(own.parameters.values())), *taken.parameters.values()]
        vars(reading)["__signature__"] = own.replace(parameters=parameters)  # for help(...) and the keys of a notebook
        return reading


reads_input: Final = _Reads(as_request)
"""Makes a member of the port, `generate` or `stream`, take whatever `as_request` reads."""


class _Enters(_Reads[P]):
    """Does so, and lets the member of a model that stands alone enter its one call into a ledger."""

    def __call__(self, member: Callable[[M, Request], R]) -> Callable[Concatenate[M, P], R]:
        is_stream = inspect.isasyncgenfunction(member) or member.__name__ == "stream"
        entering: Any = entered_stream if is_stream else entered

        @functools.wraps(member)
        def entering_member(model: M, request: Request) -> R:
            result: R = entering(model, request, member)
            return result

        reading = super().__call__(entering_member)
        vars(reading)[PORT] = member
        return reading


with_ledger: Final = _Enters(as_request)
"""Makes a member of an adapter take whatever `as_request` reads, and keep a ledger where no stack does."""


def with_face(cls: type) -> None:
    """Let the `generate` and `stream` that a class has defined take what people pass, and keep a ledger."""
    for name in ("generate", "stream"):
        member = vars(cls).get(name)
        if inspect.isfunction(member) and "__signature__" not in vars(member):
            setattr(cls, name, with_ledger(member))


def answer_of(result: Result[Response, ModelError]) -> Response:
    """The answer. Raises `ModelFailure` when there is none."""
    try:
        return result.unwrap()
    except Exception:
        raise ModelFailure(result.failure()) from None


def tell_of_held_loop() -> None:
    """Warn, once for each line of code, that what calls this keeps an event loop from all its other work.

    Not in an interactive session: the cells of a notebook run inside a loop, which has nothing else to do.
    """
    try:
        held = asyncio.get_running_loop()
    except RuntimeError:
        return
    interactive = hasattr(sys, "ps1")  # as Python, IPython and the kernels of notebooks have it
    if not interactive and held is not background.loop():  # a call on the background loop raises anyway
        message = "a blocking call of a model holds up the event loop and all that runs in it: await model.ask(...)"
        warnings.warn(message, RuntimeWarning, stacklevel=4)


class Calling:
    """Makes a model callable: `model("Hello!", stop_sequences=["."]).text`, and `await model.ask(...)`."""

    __slots__ = ()

    def __init_subclass__(cls, **named: Any) -> None:
        """A class that derives from it need not say that its `generate` and `stream` take the same arguments."""
        super().__init_subclass__(**named)
        with_face(cls)

    @reads_input
    def __call__(self: Model, request: Request, /) -> Response:
        """The answer. Waits for it; raises `ModelFailure` when there is none, ValueError or TypeError on bad input."""
        tell_of_held_loop()
        return answer_of(background.run(self.generate(request)))

    @reads_input
    async def ask(self: Model, request: Request, /) -> Response:
        """The answer, in asynchronous code; raises `ModelFailure` when there is none, else as a call does."""
        return answer_of(await self.generate(request))
