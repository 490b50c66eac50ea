"""Check an answer before anybody sees it, and ask again with what was wrong with it.

What an answer must be is said by a JSON schema, by a class that reads JSON (pydantic's), or by a function of the
response. An answer that is refused is put into the conversation with the reason, and the model is asked for another. A
stream is held back until its answer has passed: nothing that was shown can be taken back.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Final, get_origin

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.attempt import Attempt
from ...domain.checks import Number
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Delta, Event, Failed, Finished, cut_off
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.machines.bounds import Bounds
from ...domain.message import Message, Role, as_json
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import T, after, drained
from ..stack.policy import Between, Call, Decorated, Opening, Whole

Checked = Mapping[str, Any] | type | Callable[[Response], object]
"""What an answer must be: a JSON schema, a type that pydantic reads, or a function of the response."""

_TAKES: Final = "with_check: takes a JSON schema, a type that pydantic reads or a function of the response, not {!r}"
_REPAIR: Final = Number("must be at least 0 (no second question)", "must be a whole number", least=0, whole=True)

_LONGEST: Final = 500
"""Characters of a reason: a schema's may quote the whole answer."""


def _judge(check: Any) -> Callable[[Response], object]:
    if isinstance(check, Mapping):
        return _by_schema(thaw(check))
    read = getattr(check, "model_validate_json", None)
    if read is not None:
        return lambda response: read(response.content) and None
    if isinstance(check, type) or get_origin(check) is not None:
        return _by_type(check)
    if not callable(check):
        raise TypeError(_TAKES.format(check))
    judge: Callable[[Response], object] = check
    return judge


def _by_type(check: Any) -> Callable[[Response], object]:
    try:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError
    except ImportError as absent:
        raise ImportError(f"with_check: {check!r} is read by pydantic: pip install pydantic ({absent})") from absent
    try:
        adapter: Any = TypeAdapter(check)
    except PydanticUserError:
        raise TypeError(_TAKES.format(check)) from None
    return lambda response: adapter.validate_json(response.content) and None


def _by_schema(schema: dict[str, Any]) -> Callable[[Response], str | None]:
    check = text_check(schema, "with_check")
    return lambda response: None if response.tool_calls else check(response.content)


def text_check(schema: dict[str, Any], where: str) -> Callable[[str], str | None]:
    """A function that says of a text why it isn't JSON of this schema, or gives None. Raises as `value_check` does."""
    check = value_check(schema, where)

    def reason(text: str) -> str | None:
        try:
            value = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            return f"it is not JSON: {error}"
        return check(value)

    return reason


def value_check(schema: dict[str, Any], where: str) -> Callable[[Any], str | None]:
    """A function that says of a JSON value why the schema doesn't admit it, and at which place, or gives None.

    Raises ValueError, beginning with `where`, for what is no JSON schema, and ImportError without jsonschema.
    """
    try:
        from jsonschema.exceptions import SchemaError, best_match
        from jsonschema.validators import validator_for
        from referencing import Registry
    except ImportError as absent:
        raise ImportError(
            f"{where}: a JSON schema needs jsonschema: pip install 'modelport[check]' ({absent})"
        ) from absent
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"{where}: this is no JSON schema: at {error.json_path}: {error.message}") from error
    validator = kind(schema, registry=Registry())  # a reference to elsewhere is an error, and no call to the network

    def reason(value: Any) -> str | None:
        try:
            wrong = best_match(validator.iter_errors(value))
        except (RecursionError, OverflowError) as error:  # it is nested too deeply, or a number in it is too large
            return f"it can't be checked: {error}"
        return None if wrong is None else f"at {wrong.json_path}: {wrong.message}"

    return reason


def _no_number(word: str) -> None:
    """Python reads NaN and Infinity, which JSON doesn't have."""
    raise ValueError(f"{word} is no number")


def _frozen(check: Any) -> Any:
    return freeze_mapping(check) if isinstance(check, Mapping) else check


@attrs.frozen(repr=False)
class Check(LayerPolicy):
    """What `with_check` does on each call."""

    check: Checked = attrs.field(converter=_frozen)
    repair: int = 1
    clock: Clock = SYSTEM_CLOCK
    judge: Callable[[Response], object] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _REPAIR.check(self.repair, "with_check: repair")
        object.__setattr__(self, "judge", _judge(self.check))

    def shown(self) -> dict[str, Any]:
        """What is checked, in a word."""
        return {"": self._name(), **({"repair": self.repair} if self.repair != 1 else {})}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """Once more for each repair."""
        return below.times(self.repair + 1)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first answer that passes."""
        return await call(_Checked(model, self, self.clock), request)

    def _name(self) -> str:
        if isinstance(self.check, FrozenDict):
            return f"schema {sha256(as_json(thaw(self.check)).encode()).hexdigest()[:8]}"
        alias = get_origin(self.check) is not None  # which has the name of `list` where it is `list[int]`
        return repr(self.check) if alias else getattr(self.check, "__qualname__", None) or repr(self.check)

    def reason(self, response: Response) -> str | None:
        """What is wrong with this answer; None when nothing is."""
        try:
            judgement = self.judge(response)
        except (ValueError, AssertionError) as error:
            judgement = str(error) or type(error).__name__
        match judgement:
            case None | True:
                return None
            case False:
                return "it is not what was asked for"
            case str():
                return judgement[:_LONGEST]
        raise TypeError(
            f"with_check: {self._name()} gave {judgement!r}; it gives None or True, False, or the reason as text"
        )


@attrs.define
class _Trial:
    """One call: what is asked next, what was thrown away, and how often it may be asked again."""

    check: Check
    request: Request
    left: int
    earlier: tuple[Attempt, ...] = ()

    def outcome_of(self, response: Response) -> Result[Response, ModelError] | None:
        """What the call comes to after this answer; None to ask again."""
        reason = self.check.reason(response)
        if reason is None:
            return Success(response.after(*self.earlier))
        self.earlier += tuple(attrs.evolve(attempt, discarded=True) for attempt in response.attempts)
        if not self.left or deadline.left() <= 0:
            message = f"the answer was refused: {reason}"
            kind = ErrorKind.MALFORMED_RESPONSE
            model_id = response.model_id
            return Failure(ModelError(kind, message, sent=Sent.YES, model_id=model_id, attempts=self.earlier))
        self.left -= 1
        answer = (Message(Role.ASSISTANT, response.content),) if response.content else ()
        correction = Message(
            Role.USER, f"That answer was refused: {reason}\nAnswer again, with the mended answer and nothing else."
        )
        self.request = attrs.evolve(self.request, messages=(*self.request.messages, *answer, correction))
        return None


@attrs.frozen
class _Checked(Between):
    """A model whose answers are checked before anybody sees them."""

    check: Check
    clock: Clock

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The first answer that passes."""
        trial = _Trial(self.check, request, self.check.repair)
        outcome = None
        while outcome is None:
            result = await Whole(self.clock)(self.inner, trial.request)
            if isinstance(result, Failure):
                return after(trial.earlier, result)
            outcome = trial.outcome_of(result.unwrap())
        return outcome

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The first answer that passes, once it has."""
        trial = _Trial(self.check, request, self.check.repair)
        shown: list[Delta] = []
        last: Finished | Failed | None = None
        while last is None:
            shown = []
            end: Finished | Failed = cut_off(())
            async with aclosing(drained(Opening(self.clock), self.inner, trial.request)) as events:
                async for event in events:
                    if isinstance(event, (Finished, Failed)):
                        end = event
                    else:
                        shown.append(event)
            if isinstance(end, Failed):
                last = Failed(end.error.after(*trial.earlier), end.partial)
                break
            outcome = trial.outcome_of(end.response)
            if isinstance(outcome, Failure):
                shown, last = [], Failed(outcome.failure())
            elif outcome is not None:
                last = Finished(outcome.unwrap())
        for delta in shown:
            yield delta
        yield last


@makes_layer
def with_check(check: Checked, *, repair: int = 1, clock: Clock = SYSTEM_CLOCK) -> LayerOf[Check]:
    """A layer that gives an answer only when it is what it must be, and asks up to `repair` times for a better one.

    `check` is a JSON schema for the text, a type that pydantic reads, or a function of the response that gives None or
    True for a good one, and False or the reason (or raises ValueError with it) for a bad one. When none was good the
    error is `malformed_response`. Raises ValueError or TypeError on a check that can't be one.
    """
    policy = Check(check, repair, clock)
    return lambda model: Decorated(model, policy, clock)
