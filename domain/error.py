"""What can go wrong in a call, as values: a closed set of kinds, and one table of what each kind means.

A provider's failure is a `ModelError`, returned and never raised. `ModelFailure` is the exception that carries one for
people who asked for a plain answer. A programmer's mistake is neither: it raises ValueError or TypeError at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import attrs

from .attempt import Attempt, Wait, counted, with_wait, without_times
from .fields import short_repr


class ErrorKind(enum.StrEnum):
    """What went wrong; `MEANING` says what follows from it."""

    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED = "unsupported"
    CONTEXT_WINDOW = "context_window"
    CONTENT_FILTER = "content_filter"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    OVERLOADED = "overloaded"
    SERVER = "server"
    CONNECTION = "connection"
    INTERRUPTED = "interrupted"
    TIMEOUT = "timeout"
    MALFORMED_RESPONSE = "malformed_response"
    MISSING_DEPENDENCY = "missing_dependency"
    BUDGET_EXCEEDED = "budget_exceeded"
    CIRCUIT_OPEN = "circuit_open"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    LIMITER_FULL = "limiter_full"
    EXHAUSTED = "exhausted"


KindName = Literal[
    "authentication",
    "permission",
    "not_found",
    "invalid_request",
    "unsupported",
    "context_window",
    "content_filter",
    "rate_limited",
    "quota_exhausted",
    "overloaded",
    "server",
    "connection",
    "interrupted",
    "timeout",
    "malformed_response",
    "missing_dependency",
    "budget_exceeded",
    "circuit_open",
    "deadline_exceeded",
    "limiter_full",
    "exhausted",
]
"""The kinds as they are written in code, for type checkers."""


def _kind(kind: ErrorKind | KindName) -> ErrorKind:
    return ErrorKind(kind)


class Fault(enum.StrEnum):
    """Whose fault a failure is."""

    CALLER = "caller"
    PROVIDER = "provider"
    NETWORK = "network"
    LOCAL = "local"


class Scope(enum.StrEnum):
    """How much a failure concerns: this request, everything sent to this model, or everything sent to this account."""

    REQUEST = "request"
    MODEL = "model"
    ACCOUNT = "account"


class Sent(enum.StrEnum):
    """Whether the provider has seen the request, and so may have done (and billed) the work."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


@attrs.frozen
class Meaning:
    """What a kind of error means for those who must decide what to do next."""

    fault: Fault
    retry: bool
    fall_back: bool
    breaks_circuit: bool
    advice: str


_K, _F = ErrorKind, Fault

MEANING: Final[Mapping[ErrorKind, Meaning]] = MappingProxyType(
    {
        _K.AUTHENTICATION: Meaning(_F.CALLER, False, True, False, "check the key or token, and where it is read from"),
        _K.PERMISSION: Meaning(_F.CALLER, False, True, False, "ask for access to this model, or use another one"),
        _K.NOT_FOUND: Meaning(_F.CALLER, False, True, False, "check the model's name and the address it is sent to"),
        _K.INVALID_REQUEST: Meaning(_F.CALLER, False, False, False, "mend the request: it is refused as it stands"),
        _K.UNSUPPORTED: Meaning(_F.CALLER, False, True, False, "leave that feature out, or use a model that has it"),
        _K.CONTEXT_WINDOW: Meaning(_F.CALLER, False, True, False, "shorten the prompt, or use a longer context"),
        _K.CONTENT_FILTER: Meaning(_F.CALLER, False, False, False, "the provider's policy refused it: rephrase"),
        _K.RATE_LIMITED: Meaning(_F.PROVIDER, True, True, False, "wait, and pace the calls: with_rate_limit(...)"),
        _K.QUOTA_EXHAUSTED: Meaning(_F.CALLER, False, True, False, "waiting won't help: raise the quota or pay"),
        _K.OVERLOADED: Meaning(_F.PROVIDER, True, True, True, "wait a little and try again: with_retry()"),
        _K.SERVER: Meaning(_F.PROVIDER, True, True, True, "the provider failed: try again: with_retry()"),
        _K.CONNECTION: Meaning(_F.NETWORK, True, True, True, "nothing was sent: check the address and the network"),
        _K.INTERRUPTED: Meaning(_F.NETWORK, True, True, True, "the answer broke off; the work may have been billed"),
        _K.TIMEOUT: Meaning(_F.NETWORK, True, True, True, "no answer in time: try again, or allow more time"),
        _K.MALFORMED_RESPONSE: Meaning(
            _F.PROVIDER, True, True, True, "the answer is of no use: ask again, or check the address"
        ),
        _K.MISSING_DEPENDENCY: Meaning(_F.LOCAL, False, True, False, "install the extra that the message names"),
        _K.BUDGET_EXCEEDED: Meaning(
            _F.LOCAL, False, False, False, "the budget has no room for this call: the message says why"
        ),
        _K.CIRCUIT_OPEN: Meaning(_F.LOCAL, False, True, False, "the model failed too often lately: use another one"),
        _K.DEADLINE_EXCEEDED: Meaning(_F.LOCAL, False, False, False, "the time for this call is over: allow more"),
        _K.LIMITER_FULL: Meaning(_F.LOCAL, False, True, False, "too many calls wait already: send fewer, or later"),
        _K.EXHAUSTED: Meaning(_F.PROVIDER, False, True, False, "every candidate failed: see causes"),
    }
)
"""Whose fault each kind is, whether to retry it, to fall back, and to count it against a circuit breaker."""


def table() -> str:
    """The whole of `MEANING`, as a Markdown table."""
    rows = ["| kind | fault | retry | fall back | breaks circuit | advice |", "|---|---|---|---|---|---|"]
    for kind, meaning in MEANING.items():
        marks = ("yes" if x else "no" for x in (meaning.retry, meaning.fall_back, meaning.breaks_circuit))
        rows.append(f"| {kind} | {meaning.fault} | {' | '.join(marks)} | {meaning.advice} |")
    return "\n".join(rows)


@attrs.frozen
class ModelError:
    """Why a call has no answer.

    `retry_after` is in seconds, from when the error was received; `should_retry` is whether the provider says that it
    is of use to try again, where it does: `with_retry` obeys a no. `status` is the HTTP status and `code` the
    provider's own word, where there is one. `attempts` is the ledger of physical calls, `causes` what each candidate
    failed with, in the order they were tried, where there were several. Two errors are equal however long their
    attempts took.
    """

    kind: ErrorKind = attrs.field(converter=_kind)
    message: str
    scope: Scope = attrs.field(default=Scope.REQUEST, converter=Scope)
    sent: Sent = attrs.field(default=Sent.PERHAPS, converter=Sent)
    retry_after: float | None = None
    status: int | None = None
    code: str | None = None
    provider: str | None = None
    model_id: str | None = None
    request_id: str | None = None
    attempts: tuple[Attempt, ...] = attrs.field(default=(), repr=counted, eq=without_times)
    causes: tuple[ModelError, ...] = ()
    should_retry: bool | None = None

    __repr__ = short_repr

    @property
    def meaning(self) -> Meaning:
        """What this kind of error means."""
        return MEANING[self.kind]

    @property
    def primary(self) -> ModelError:
        """What the first model failed with: the first cause, where there are any; else this error."""
        return self.causes[0].primary if self.causes else self

    def after(self, *earlier: Attempt) -> ModelError:
        """The same error, with what was tried before put first in its ledger."""
        return attrs.evolve(self, attempts=(*earlier, *self.attempts))

    def waited(self, wait: Wait) -> ModelError:
        """The same error, its first attempt having waited first."""
        return attrs.evolve(self, attempts=with_wait(self.attempts, wait))

    def __str__(self) -> str:
        what = f"{self.kind} ({self.status})" if self.status else str(self.kind)
        who = ":".join(name for name in (self.provider, self.model_id) if name)
        tries = f" after {len(self.attempts)} attempts" if len(self.attempts) > 1 else ""
        wait = "" if self.retry_after is None else f"; it may be tried again after {self.retry_after:g} s"
        return f"{what}{f' from {who}' if who else ''}{tries}: {self.message} [{self.meaning.advice}{wait}]"


class ModelFailure(Exception):
    """Raised by `model(...)` when there is no answer; `error` says why."""

    def __init__(self, error: ModelError) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return str(self.error)
