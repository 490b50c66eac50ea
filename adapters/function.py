"""A model made of a function: whatever takes messages and gives text.

A function that takes a `Request` (its only parameter is called `request`, or is annotated with `Request`) is given all
that is asked. Any other is called as `f(messages, stop_sequences=[...], **options)` with the messages as plain dicts of
role and text; stops and options are only passed where there are any, so that its own defaults stand. One that names
`response_format` is passed the form of a JSON object or schema too, as the chat-completions wire writes it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import attrs
from returns.result import Failure, Result, Success

from ..domain.answer_builder import trimmed
from ..domain.capability import Capabilities, missing
from ..domain.error import ErrorKind, ModelError, Sent
from ..domain.event import Event, Failed, replay
from ..domain.frozen import thaw
from ..domain.model import Model
from ..domain.options.option import canonical, resolve, spread
from ..domain.options.option_names import RESERVED
from ..domain.request import Request
from ..domain.response import Response
from .chat.request import wire_format
from .process.calling import Calling, with_ledger
from .process.sealed import Sealed

_FORMS = ("json_object", "json_schema")
_TEXT_ONLY = ("tools", "images", "audio", "documents", "json_object", "json_schema", "regex", "grammar")


def encode(request: Request) -> list[dict[str, str]]:
    """The messages as plain dicts: `[{"role": "user", "content": "Hello!"}]`."""
    return [{"role": message.role.value, "content": message.text} for message in request.messages]


def decode(answer: object, name: str) -> Result[Response, ModelError]:
    """What a function gave back: text, a `Response`, a `ModelError`, a `Result`, or an object with `.content`."""
    if isinstance(answer, Failure) and isinstance(answer.failure(), ModelError):
        return answer
    said = answer.unwrap() if isinstance(answer, Success) else answer
    match said:
        case Response():
            return Success(said)
        case ModelError():
            return Failure(said)
        case str():
            return Success(Response.of(said, model_id=name))
    content = getattr(said, "content", None)
    if isinstance(content, str):
        return Success(Response.of(content, model_id=name, raw=said))
    what = f"{name} gave {answer!r}, which is not text, a Response or an object whose .content is text"
    return Failure(_error(ErrorKind.MALFORMED_RESPONSE, what, name, Sent.YES))


def translate(error: Exception, name: str) -> ModelError:
    """What a function raised: the provider's failure, with the exception's type and text."""
    kind = type(error).__name__
    try:
        said = str(error)
    except Exception:  # it can't even say what it is
        said = ""
    text = f"{kind}: {said}" if said else kind
    return _error(ErrorKind.SERVER, f"{name} raised {text}", name, Sent.PERHAPS)


def _error(kind: ErrorKind, message: str, name: str, sent: Sent) -> ModelError:
    return ModelError(kind, message, sent=sent, provider="function", model_id=name)


@attrs.frozen(repr=False)
class FunctionModel(Calling, Sealed):
    """A function as a model; make one with `from_function`."""

    function: Callable[..., Any]
    model_id: str
    capabilities: Capabilities
    options: Any
    accepts: frozenset[str] | None  # the names of arguments that it takes besides the messages; None for any
    takes_request: bool
    takes_form: bool = False
    provider: str = "function"

    @with_ledger
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The function's answer, cut at the stops. A plain function runs in a thread of its own."""
        return await self._answered(request)

    @with_ledger
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The whole answer as a stream: a function says nothing before it is done."""
        result = await self._answered(request)
        if isinstance(result, Failure):
            yield Failed(result.failure())
            return
        for event in replay(result.unwrap()):
            yield event

    async def _answered(self, request: Request) -> Result[Response, ModelError]:
        options: Mapping[str, Any] = resolve(self.options, request.options)
        try:
            options = options if self.takes_request else spread(options)
        except ValueError as error:
            return Failure(_error(ErrorKind.INVALID_REQUEST, str(error), self.model_id, Sent.NO))
        lacking = missing(request, self.capabilities) or self._unknown(options)
        if lacking:
            message = f"{self.model_id} takes no {', '.join(lacking)}"
            return Failure(_error(ErrorKind.UNSUPPORTED, message, self.model_id, Sent.NO))
        arguments, named = self._arguments(request, options)
        answer = await _outcome(self.function, arguments, named)
        if isinstance(answer, Exception):
            return Failure(translate(answer, self.model_id))
        result = decode(answer, self.model_id)
        return result.map(lambda response: trimmed(response, request.stop_sequences))

    def _unknown(self, options: Any) -> tuple[str, ...]:
        if self.takes_request or self.accepts is None:
            return ()
        return tuple(f"option {name!r}" for name in options if name not in self.accepts)

    def _arguments(self, request: Request, options: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self.takes_request:
            return (attrs.evolve(request, options=options),), {}
        named = thaw(options)
        if request.stop_sequences and (self.accepts is None or "stop_sequences" in self.accepts):
            named["stop_sequences"] = list(request.stop_sequences)
        form = wire_format(request.response_format) if self.takes_form else None
        if form is not None:
            named["response_format"] = thaw(form)
        return (encode(request),), named

    def __repr__(self) -> str:
        return f"from_function({self.model_id})"


async def _outcome(function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
    """What the function gave, or the exception that it raised."""

    def attempt() -> object:
        try:
            return function(*arguments, **named)
        except Exception as error:  # whatever it is, it is the provider's failure
            return error

    if inspect.iscoroutinefunction(function):
        answer = attempt()
    else:
        import anyio.to_thread

        answer = await anyio.to_thread.run_sync(attempt, abandon_on_cancel=True)
    if not inspect.isawaitable(answer):
        return answer
    try:
        return await answer
    except Exception as error:  # as above
        return error


def from_function(
    function: Any,
    *,
    capabilities: Capabilities | None = None,
    model_id: str | None = None,
    **options: Any,
) -> FunctionModel:
    """A model made of a function, sync or async, or of an object whose `generate` is one.

    It gives back text, a `Response`, a `ModelError`, or any object with `.content`; what it raises becomes a `server`
    error. A plain function runs in a thread: a cancelled call returns at once, while the function runs on to its end.
    One that names `response_format` declares JSON objects and schemas, unless `capabilities` say otherwise.
    `options` are defaults for every call. Raises TypeError for what can't be called so, ValueError for capabilities
    that need a function which takes a `Request`.

    >>> from_function(lambda messages: messages[-1]["content"].upper())("Hello!").content
    'HELLO!'
    """
    if isinstance(function, Model):
        raise TypeError(f"from_function: {function!r} is a model already; use it as it is")
    called = getattr(function, "generate", function)
    if not callable(called):
        raise TypeError(f"from_function: {function!r} is not a function, and has no generate(messages, ...)")
    parameters = list(inspect.signature(called).parameters.values())
    if isinstance(function, type) and called is not function and parameters and parameters[0].name == "self":
        raise TypeError(f"from_function: {function!r} is a class; make one of it: from_function({function.__name__}())")
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not positional and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise TypeError(f"from_function: {called!r} takes no messages; its first parameter is what it is asked")
    rest = parameters[1:]
    takes_request = bool(positional) and _takes_request(positional[0], rest)
    anything = any(p.kind is p.VAR_KEYWORD for p in rest)
    named = frozenset(p.name for p in rest if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    forms = _FORMS if "response_format" in named and not takes_request else ()
    declared = capabilities if capabilities is not None else Capabilities(**dict.fromkeys(forms, True))
    needing = [name for name in _TEXT_ONLY if getattr(declared, name) and name not in forms]
    if needing and not takes_request:
        raise ValueError(f"from_function: {needing[0]} doesn't fit into plain messages; take a Request: f(request)")
    name = model_id or str(getattr(called, "__qualname__", type(called).__name__))
    accepts = None if anything else named
    known = None if takes_request or anything else (named | {"extra_body"}) - RESERVED
    defaults = canonical(options, "from_function", known, called)
    return FunctionModel(called, name, declared, defaults, accepts, takes_request, bool(forms))


def _takes_request(first: inspect.Parameter, rest: list[inspect.Parameter]) -> bool:
    annotated = first.annotation is Request or str(first.annotation).rpartition(".")[2] == "Request"
    return annotated or (first.name == "request" and not rest)
