"""Each call is a span of OpenTelemetry, and each attempt behind it one below, projected from the ledger.

The layer stands on `opentelemetry-api` alone, which does nothing until the application brings an SDK. Where even that
isn't installed, the layer is left out of the stack. The span is the current one while the model is asked, so that spans
of HTTP libraries come below it, and isn't any more while a stream is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import attrs
from returns.result import Result

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.attempt import Attempt
from ...domain.error import ModelError
from ...domain.event import Delta
from ...domain.forms.redaction import redacted, redacted_text
from ...domain.message import as_json
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import Layer
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal, brought
from ..stack.opened import Said, T, heard
from ..stack.policy import Call, Decorated, Opening
from ..stack.walk import first_leaf
from . import gen_ai
from .known_secrets import known_secrets

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.trace import Span, SpanKind, TracerProvider

_NAME: Final = "modelport"


@attrs.frozen
class _Instruments:
    """What telemetry is written with."""

    start: Callable[..., Span]
    duration: Histogram
    tokens: Histogram


@attrs.frozen
class _Asked:
    """What each call of one model has in common."""

    name: str
    kind: SpanKind
    attributes: gen_ai.Attributes


@cache
def _instruments(tracers: TracerProvider | None, meters: MeterProvider | None) -> _Instruments:
    from opentelemetry import metrics, trace

    meter = metrics.get_meter(_NAME, meter_provider=meters)
    return _Instruments(
        trace.get_tracer(_NAME, tracer_provider=tracers).start_span,
        meter.create_histogram(
            gen_ai.DURATION,
            unit="s",
            description="Duration of a call, with its attempts and waits.",
            explicit_bucket_boundaries_advisory=gen_ai.DURATION_BUCKETS,
        ),
        meter.create_histogram(
            gen_ai.TOKENS,
            unit="{token}",
            description="Tokens of each attempt.",
            explicit_bucket_boundaries_advisory=gen_ai.TOKEN_BUCKETS,
        ),
    )


def _asked(model: Model) -> _Asked:
    leaf = first_leaf(model)
    attributes = {"gen_ai.operation.name": gen_ai.OPERATION, **gen_ai.of_model(leaf)}
    name = " ".join(filter(None, (gen_ai.OPERATION, attributes.get("gen_ai.request.model"))))
    return _Asked(name, _kind(getattr(leaf, "provider", None)), attributes)


def _kind(provider: str | None) -> SpanKind:
    from opentelemetry.trace import SpanKind

    return SpanKind.INTERNAL if gen_ai.is_local(provider) else SpanKind.CLIENT


@attrs.frozen(repr=False)
class Trace(LayerPolicy):
    """What `with_trace` does on each call."""

    content: bool = False
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    clock: Clock = SYSTEM_CLOCK
    wall: Callable[[], int] = brought(time.time_ns)
    asked: _Asked | None = brought(None, eq=False)

    def shown(self) -> dict[str, Any]:
        """Whether messages and answers are traced."""
        return {"content": True} if self.content else {}

    def rehearsed(self, at: Rehearsal) -> None:
        """A rehearsal isn't traced."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call inside its span."""
        span = _TracedCall(self, self.asked or _asked(model), model, request, isinstance(call, Opening))
        return await heard(call(model, request), span)


class _TracedCall:
    """One call while it is made."""

    __slots__ = (
        "_asked",
        "_before",
        "_began",
        "_first",
        "_inside",
        "_instruments",
        "_model",
        "_outcome",
        "_request",
        "_span",
        "_trace",
    )  # fmt: skip

    def __init__(self, trace: Trace, asked: _Asked, model: Model, request: Request, streamed: bool) -> None:
        self._trace, self._asked, self._model, self._request = trace, asked, model, request
        self._instruments = _instruments(trace.tracer_provider, trace.meter_provider)
        self._outcome: Response | ModelError | None = None
        self._first: float | None = None
        self._inside: Context | None = None
        self._before: Context | None = None
        attributes = {**asked.attributes, "gen_ai.request.stream": True} if streamed else asked.attributes
        self._span: Span = self._instruments.start(asked.name, kind=asked.kind, attributes=attributes)
        if self._span.is_recording():
            self._span.set_attributes(gen_ai.of_request(first_leaf(model), request))
        if self._span.get_span_context().is_valid:
            self._enter()
        self._began = trace.clock.now()

    def saw(self, event: Delta, /) -> None:
        if self._first is None:
            self._first = self._trace.clock.now() - self._began
            self._leave()

    def ended(self, outcome: Said, /) -> Said:
        self._outcome = outcome
        return outcome

    def release(self) -> None:
        self._leave()
        now, outcome = self._trace.clock.now(), self._outcome
        attempts = outcome.attempts if outcome is not None else ()
        if self._span.is_recording():
            self._tell(outcome)
            self._tell_attempts(attempts, self._trace.wall() - round(now * 1e9))
        self._span.end()
        about = self._asked.attributes
        if isinstance(outcome, ModelError):
            about = {**about, "error.type": outcome.kind.value}
        self._instruments.duration.record(now - self._began, about)
        for attempt in attempts:
            for number, attributes in gen_ai.tokens_of(attempt):
                self._instruments.tokens.record(number, attributes)

    def _enter(self) -> None:
        from opentelemetry import context, trace

        self._before = context.get_current()
        self._inside = trace.set_span_in_context(self._span)
        context.attach(self._inside)

    def _leave(self) -> None:
        if self._inside is None or self._before is None:
            return
        from opentelemetry import context

        # Not by token: whoever closes an abandoned call does so in a context of its own, where a token is refused.
        if context.get_current() is self._inside:
            context.attach(self._before)
        self._inside = self._before = None

    def _tell(self, outcome: Response | ModelError | None) -> None:
        from opentelemetry.trace import StatusCode

        if self._first is not None:
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", self._first)
        if isinstance(outcome, Response):
            self._span.set_attributes(gen_ai.of_response(outcome))
        elif outcome is not None:
            self._span.set_attributes(gen_ai.of_error(outcome))
            self._span.set_status(StatusCode.ERROR, redacted_text(outcome.message, known_secrets(self._model)))
        else:
            self._span.set_attribute("modelport.cut_short", True)
        if self._trace.content:
            words = gen_ai.words_in(self._request)
            words |= gen_ai.words_out(outcome) if isinstance(outcome, Response) else {}
            secrets = known_secrets(self._model)
            self._span.set_attributes({name: as_json(redacted(value, secrets)) for name, value in words.items()})

    def _tell_attempts(self, attempts: tuple[Attempt, ...], beginning: int) -> None:
        from opentelemetry.trace import StatusCode, set_span_in_context

        inside = set_span_in_context(self._span)
        for number, attempt in enumerate(attempts, 1):
            started = beginning + round(attempt.started * 1e9)
            span = self._instruments.start(
                " ".join(filter(None, ("attempt", attempt.model_id))),
                inside,
                _kind(attempt.provider),
                gen_ai.of_attempt(attempt, number),
                start_time=started,
            )
            if attempt.outcome != "answered":
                message = redacted_text(attempt.message or attempt.outcome, known_secrets(self._model))
                span.set_status(StatusCode.ERROR, message)
            span.end(started + round(attempt.duration * 1e9))


@makes_layer
def with_trace(
    *,
    content: bool = False,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    clock: Clock = SYSTEM_CLOCK,
    wall: Callable[[], int] = time.time_ns,
) -> Layer:
    """A layer that tells OpenTelemetry of each call, by its conventions for generative AI.

    With `content`, the messages and the answer are attributes of the span. The providers are the application's global
    ones unless others are given; `wall` gives the nanoseconds of the calendar. Without `opentelemetry-api`, the layer
    gives the model back as it is.
    """
    try:
        import opentelemetry.metrics
        import opentelemetry.trace
    except ImportError:
        return _left_out
    del opentelemetry
    trace = Trace(content, tracer_provider, meter_provider, clock, wall=wall)
    return lambda model: Decorated(model, attrs.evolve(trace, asked=_asked(model)), clock)


def _left_out(model: Model) -> Model:
    return model
