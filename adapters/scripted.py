"""A model that says what it is told and records what it was asked: the fake for tests of whatever uses a model.

Its script is a list of answers, one for each call, in order. An answer is a text, a `Response`, a `ModelError`, a list
of events, or a function of the request that gives one of these; `Stall` and `Break` make an answer late or cut it off.
Whole and streamed calls are told the same events, so that both come to the same.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import cycle

import attrs
from returns.result import Result

from ..domain.answer_builder import AnswerBuilder, trimmed
from ..domain.capability import Capabilities, missing
from ..domain.error import ErrorKind, ModelError, Sent
from ..domain.event import (
    Event,
    Failed,
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    cut_off,
    replay,
    settle,
)
from ..domain.request import Request
from ..domain.response import FinishReason, Response
from .process.calling import Calling, with_ledger
from .process.fork import forgets

EVERYTHING = Capabilities(
    tools=True,
    images=True,
    audio=True,
    documents=True,
    json_object=True,
    json_schema=True,
    regex=True,
    grammar=True,
)
"""What a scripted model declares unless it is told otherwise."""

CUT = ModelError(ErrorKind.INTERRUPTED, "the connection was cut, as the script says", sent=Sent.YES)
"""How a `Break` ends unless it is told otherwise."""


@attrs.frozen
class Stall:
    """An answer that pauses after so many events: until the call is cancelled or closed, or for so many `seconds`."""

    answer: Answer = ""
    after: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    seconds: float | None = None


@attrs.frozen
class Break:
    """An answer that breaks off after so many events, with this error."""

    answer: Answer
    after: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    error: ModelError = CUT


Answer = str | Response | ModelError | Sequence[Event] | Stall | Break | Callable[[Request], "Answer"]
"""What a script is made of."""


@attrs.frozen
class _Pause:
    seconds: float | None


@attrs.define(eq=False)
class _Record:
    """What has happened to a model so far."""

    requests: list[Request] = attrs.field(factory=list)
    answered: int = 0
    open: int = 0
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        forgets(self)

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self.open, self.lock = 0, threading.Lock()

    def __reduce__(self) -> str:
        fix = "make it there, and pass on what makes it"
        raise TypeError(f"a ScriptedModel keeps what it was asked in its own process; {fix}")

    def turn(self) -> int:
        with self.lock:
            self.answered += 1
            return self.answered - 1

    def enter(self, change: int) -> None:
        with self.lock:
            self.open += change


async def _asleep(seconds: float) -> None:
    import anyio

    await anyio.sleep(seconds)


@attrs.frozen(init=False, eq=False, repr=False)
class ScriptedModel(Calling):
    """Gives its answers in order, one for each call.

    `repeat=True` gives the last answer again and again; without it, a call after the last answer raises ValueError.
    `chunk` is how many characters a piece of a streamed text has, or a list of sizes, used over and over. `sleep` is
    how it waits for the seconds of a `Stall`. Stop sequences are kept as every adapter keeps them.

    >>> model = ScriptedModel("Hello!", ModelError("overloaded", "not now"))
    >>> model("Hi").content
    'Hello!'
    >>> model.requests[0].messages[0].text
    'Hi'
    """

    answers: tuple[Answer, ...]
    repeat: bool
    chunk: tuple[int, ...]
    capabilities: Capabilities
    model_id: str | None
    provider: str | None
    _sleep: Callable[[float], Awaitable[None]]
    _record: _Record

    def __init__(
        self,
        *answers: Answer,
        repeat: bool = False,
        chunk: int | Iterable[int] = 8,
        capabilities: Capabilities = EVERYTHING,
        model_id: str | None = None,
        provider: str | None = None,
        sleep: Callable[[float], Awaitable[None]] = _asleep,
    ) -> None:
        if not answers:
            raise ValueError("ScriptedModel: the script is empty; give it at least one answer: ScriptedModel('Hello!')")
        for at, answer in enumerate(answers):
            _check(answer, f"answers[{at}]")
        sizes = (chunk,) if isinstance(chunk, int) else tuple(chunk)
        if not sizes or min(sizes) < 1:
            raise ValueError(f"chunk: a piece of text has at least one character, so it can't be {chunk!r}")
        frozen = tuple(tuple(answer) if isinstance(answer, list) else answer for answer in answers)
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            frozen, repeat, sizes, capabilities, model_id, provider, sleep, _Record()
        )

    @property
    def requests(self) -> tuple[Request, ...]:
        """What it was asked, in the order of asking."""
        with self._record.lock:
            return tuple(self._record.requests)

    @property
    def open(self) -> int:
        """How many calls are being answered now: whole ones that wait, and streams that are neither over nor closed."""
        return self._record.open

    @with_ledger
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole of the next answer."""
        steps = self._next(request)
        self._record.enter(+1)
        try:
            events = []
            for step in steps:
                if isinstance(step, _Pause):
                    await self._wait(step.seconds)
                else:
                    events.append(step)
            return settle(events)
        finally:
            self._record.enter(-1)

    @with_ledger
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The next answer, piece by piece."""
        steps = self._next(request)
        self._record.enter(+1)
        try:
            for step in steps:
                if isinstance(step, _Pause):
                    await self._wait(step.seconds)
                else:
                    yield step
        finally:
            self._record.enter(-1)

    def __repr__(self) -> str:
        name = f"{self.model_id!r}, " if self.model_id else ""
        return f"ScriptedModel({name}{len(self.answers)} answers)"

    def _next(self, request: Request) -> Iterator[Event | _Pause]:
        with self._record.lock:
            self._record.requests.append(request)
        lacking = missing(request, self.capabilities)
        if lacking:
            message = f"this model has no {', '.join(lacking)}"
            error = ModelError("unsupported", message, sent=Sent.NO, provider=self.provider, model_id=self.model_id)
            return iter((Failed(error),))
        turn = self._record.turn()
        if turn >= len(self.answers) and not self.repeat:
            raise ValueError(
                f"ScriptedModel: the script has {len(self.answers)} answers and this is call number {turn + 1}; "
                "add an answer, or pass repeat=True to repeat the last one"
            )
        return _steps(self.answers[min(turn, len(self.answers) - 1)], request, self.chunk)

    async def _wait(self, seconds: float | None) -> None:
        if seconds is not None:
            await self._sleep(seconds)
        else:
            import anyio

            await anyio.sleep_forever()


def _check(answer: object, where: str) -> None:
    match answer:
        case str() | Response() | ModelError():
            return
        case Stall() | Break():
            _check(answer.answer, f"{where}.answer")
        case list() | tuple():
            for at, event in enumerate(answer):
                if not isinstance(event, (TextDelta, ReasoningDelta, ToolCallDelta, Finished, Failed)):
                    raise TypeError(f"{where}[{at}]: {event!r} is not an event")
        case _ if callable(answer) and not isinstance(answer, type):
            return
        case _:
            raise TypeError(
                f"{where}: {answer!r} is not a text, a Response, a ModelError, a list of events or a function"
            )


def _steps(answer: Answer, request: Request, chunk: tuple[int, ...]) -> Iterator[Event | _Pause]:
    """What happens when this answer is given."""
    match answer:
        case str():
            return _answered(Response.of(answer), request, chunk)
        case Response():
            return _answered(answer, request, chunk)
        case ModelError():
            return iter((Failed(answer),))
        case Stall():
            return _paused(_steps(answer.answer, request, chunk), answer)
        case Break():
            return _broken(_steps(answer.answer, request, chunk), answer)
        case list() | tuple():
            return _lawful(answer, request)
        case _ if callable(answer):
            said = answer(request)
            _check(said, "the answer that the function gave")
            return _steps(said, request, chunk)
    raise TypeError(f"{answer!r} is not an answer")


def _answered(response: Response, request: Request, chunk: tuple[int, ...]) -> Iterator[Event]:
    deltas = [event for event in replay(response) if not isinstance(event, Finished)]
    order = (ReasoningDelta, TextDelta, ToolCallDelta)  # as a message gathers them
    sizes = cycle(chunk)
    pieces: list[Event] = []
    for kind in order:
        for delta in deltas:
            if not isinstance(delta, kind):
                continue
            if isinstance(delta, TextDelta):
                pieces += [TextDelta(piece) for piece in _pieces(delta.text, sizes)]
            else:
                pieces.append(delta)
    return _lawful([*pieces, Finished(response)], request)


def _pieces(text: str, sizes: Iterator[int]) -> Iterator[str]:
    while text:
        size = next(sizes)
        yield text[:size]
        text = text[size:]


def _lawful(events: Sequence[Event], request: Request) -> Iterator[Event]:
    """These events as the port's laws want them: stops kept, no empty deltas, and one end."""
    builder = AnswerBuilder(request.stop_sequences)
    end = next((event for event in events if isinstance(event, (Finished, Failed))), None)
    said = events[: events.index(end)] if end is not None else events
    if isinstance(end, Finished) and not said:
        said = list(replay(end.response))[:-1]
    for event in said:
        match event:
            case TextDelta():
                yield from builder.text(event.text)
            case ReasoningDelta():
                yield from builder.reasoning(event.text)
            case ToolCallDelta():
                yield from builder.tool_call(event.index, event.id, event.name, event.arguments)
        if builder.stopped_by is not None:
            break
    yield from builder.close()
    match end:
        case Finished():
            yield Finished(trimmed(end.response, request.stop_sequences))
        case _ if builder.stopped_by is not None:
            yield builder.finish(FinishReason.STOP)
        case Failed():
            yield end if end.partial is not None else builder.fail(end.error)
        case None:
            yield builder.fail(cut_off(()).error)


def _paused(steps: Iterator[Event | _Pause], stall: Stall) -> Iterator[Event | _Pause]:
    """These steps with a pause in them, before the last event at the latest."""
    waiting = True
    for at, step in enumerate(steps):
        if waiting and (at == stall.after or isinstance(step, (Finished, Failed))):
            waiting = False
            yield _Pause(stall.seconds)
        yield step


def _broken(steps: Iterator[Event | _Pause], cut: Break) -> Iterator[Event | _Pause]:
    builder = AnswerBuilder()
    shown = 0
    for step in steps:
        if isinstance(step, (Finished, Failed)) or (shown == cut.after and not isinstance(step, _Pause)):
            break
        match step:
            case TextDelta():
                builder.text(step.text)
            case ReasoningDelta():
                builder.reasoning(step.text)
            case ToolCallDelta():
                builder.tool_call(step.index, step.id, step.name, step.arguments)
        shown += not isinstance(step, _Pause)
        yield step
    yield builder.fail(cut.error)
