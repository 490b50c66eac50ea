"""The mechanism of layers: a policy, written once, serves whole and streamed calls alike.

A policy is given a `call` and decides how often, when and on which model to make it. For a whole call the outcome is a
`Response`; for a stream it is an `Opened` one, whose first content has arrived. So a stream is retried or replaced
until then and never after. Whoever makes the innermost call enters it into the ledger of attempts.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any, ClassVar, Generic, Protocol, TypeGuard, TypeVar

import attrs
from returns.result import Failure, Result, Success
from typing_extensions import TypeVar as Defaulting

from ...adapters.process.calling import Calling, reads_input
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.entered import generate_of, stream_of
from ...domain.capability import Capabilities
from ...domain.error import ModelError
from ...domain.event import Event, Failed, Finished, ToolCallDelta, cut_off
from ...domain.ledger import Entry
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from .opened import Opened, T, drained, need_asyncio

C = TypeVar("C", Response, Opened, covariant=True)


class Call(Protocol[C]):
    """Makes one call of a model, whole or opened."""

    async def __call__(self, model: Model, request: Request, /) -> Result[C, ModelError]: ...


class Policy(Protocol):
    """Decides how a request is answered with calls of a model, or of others."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]: ...


P = Defaulting("P", bound=Policy, default=Policy, covariant=True)


@attrs.frozen
class Between:
    """A model that a layer puts before the one below, and that answers for it: its calls are no physical ones."""

    inner: Model
    capabilities = Capabilities()  # nobody asks: the layer declares the model's own


@attrs.frozen
class Whole:
    """Makes whole calls."""

    clock: Clock

    async def __call__(self, model: Model, request: Request, /) -> Result[Response, ModelError]:
        """The answer, with this call in its ledger."""
        if isinstance(model, Decorated):
            policy: Policy = model.policy
            return await policy(model.whole, model.inner, request)
        started = self.clock.now()
        result = await generate_of(model)(request)
        if isinstance(result, Success):
            response = result.unwrap()
            if response.attempts or isinstance(model, Between):
                return result
            return Success(Entry(model, started).ended(response, self.clock.now()))
        if not isinstance(result, Failure):
            raise _unlawful(model, "generate", result, "Success(Response) or Failure(ModelError)")
        entry = Entry(model, started, not isinstance(model, Between))
        return Failure(entry.ended(result.failure(), self.clock.now()))


def _unlawful(model: Model, member: str, gave: object, due: str) -> TypeError:
    if inspect.iscoroutine(gave):
        gave.close()
    return TypeError(f"{type(model).__name__}.{member} gave {type(gave).__name__}, not {due}; see from_function(...)")


@attrs.frozen
class Opening:
    """Opens streams: waits for the first content, or for an end without any."""

    clock: Clock

    async def __call__(self, model: Model, request: Request, /) -> Result[Opened, ModelError]:
        """The opened stream; or the error, when it failed before any content."""
        if isinstance(model, Decorated):
            policy: Policy = model.policy
            return await policy(model.opening, model.inner, request)
        entry = Entry(model, self.clock.now(), not isinstance(model, Between))
        stream = stream_of(model)(request)
        if not hasattr(stream, "aclose"):
            raise _unlawful(model, "stream", stream, "an asynchronous generator of events")
        try:
            async for event in stream:
                if isinstance(event, Failed):
                    break
                if isinstance(event, (Finished, ToolCallDelta)) or event.text:
                    return Success(Opened(event, stream, entry, self.clock.now))
            else:
                event = cut_off(())
        except BaseException:
            await stream.aclose()
            raise
        await stream.aclose()
        return Failure(entry.ended(event.error, self.clock.now()))


def is_streamed(call: Call[Any]) -> bool:
    """Whether it opens streams."""
    return isinstance(call, Opening)


@attrs.frozen(repr=False)
class Decorated(Calling, Generic[P]):
    """A model under a policy: the port again. `declared` replaces the inner model's capabilities where they differ."""

    inner: Model
    policy: P
    clock: Clock = SYSTEM_CLOCK
    declared: Capabilities | None = None
    whole: Whole = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: Whole(self.clock), True))
    opening: Opening = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: Opening(self.clock), True))

    @property
    def capabilities(self) -> Capabilities:
        """What this stack declares that it can do."""
        return self.declared or self.inner.capabilities

    @reads_input
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer. Raises RuntimeError outside asyncio."""
        need_asyncio()
        return await self.policy(self.whole, self.inner, request)

    @reads_input
    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        return drained(self.policy, self.opening, self.inner, request)

    def __repr__(self) -> str:
        return repr(self.inner) if is_unseen(self) else f"{self.policy!r}({self.inner!r})"

    def _repr_html_(self) -> str:
        """The stack as a picture, in a notebook."""
        from ..show.diagram import diagram
        from .walk import tree

        return diagram(tree(self))


def is_unseen(model: Model) -> TypeGuard[Decorated]:
    """Whether it only makes the ledger's entries of the model below, and is shown as that one."""
    return isinstance(model, Decorated) and "unseen" in vars(type(model.policy))


@attrs.frozen
class Direct:
    """The policy that changes nothing: one call, entered into the ledger. It isn't shown as a layer."""

    unseen: ClassVar = True

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """That call."""
        return await call(model, request)
