"""`LiteLLMRouterModel`: litellm's Router picks one of several deployments, and the ledger shows which one answered.

The Router is made for each event loop, since its locks belong to one. It retries, cools deployments down and falls back
where `client_kwargs` say so, and not otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, Unpack

import attrs

from ...domain.attempt import Attempt
from ...domain.error import ModelError
from ...domain.event import Event
from ...domain.frozen import FrozenDict, freeze
from ...domain.request import Request
from ...domain.response import Response
from ..chat.options import assumed
from ..http.arguments import check_alone
from ..http.settings import constructor
from ..process.clock import SYSTEM_CLOCK
from ..process.per_loop import PerLoop
from ..process.secret import hidden, revealed, secrets_in
from . import sdk as litellm_sdk
from .answer import PROVIDER
from .call import LiteLLMArguments, LiteLLMCall, LiteLLMExchange, taken
from .errors import kind_noted, provider_words
from .sdk import (
    FAILED_DEPLOYMENT,
    HIDDEN_PARAMS,
    PREVIOUS_MODELS,
    TIMING_WINDOWS,
    endless,
    unobserved,
)

__all__ = ["LiteLLMRouterModel"]

_COOLDOWNS: Final = frozenset({"disable_cooldowns", "cooldown_time", "allowed_fails", "allowed_fails_policy"})

# What the Router does without looking back at earlier calls; it learns of those through litellm's callbacks.
_BLIND: Final = frozenset(
    {
        "routing_strategy",
        "disable_cooldowns",
        "num_retries",
        "retry_after",
        "retry_policy",
        "model_group_retry_policy",
        "fallbacks",
        "default_fallbacks",
        "context_window_fallbacks",
        "content_policy_fallbacks",
        "max_fallbacks",
        "model_group_alias",
        "timeout",
        "stream_timeout",
        "default_litellm_params",
    }
)


def _watched(kwargs: Mapping[str, Any]) -> bool:
    return (
        not _BLIND.issuperset(kwargs)
        or kwargs.get("routing_strategy", "simple-shuffle") != "simple-shuffle"
        or not kwargs.get("disable_cooldowns", True)
    )


@attrs.frozen(init=False, kw_only=True, repr=False)
class LiteLLMRouterModel(LiteLLMCall):
    """Several deployments behind one name, `model_id`, which is the `model_name` of those in `model_list`.

    `client_kwargs` go to `litellm.Router`: `routing_strategy`, `fallbacks`, `num_retries`, `cooldown_time`, ... Without
    them it makes one attempt and cools nothing down. A key in `model_list` may be text, an `Env`, or None: litellm
    finds it then. Keyword arguments that aren't named here are options of every call. `timeout` is how many seconds a
    provider may be silent where its deployment doesn't say. A `client` is a `litellm.Router` of yours.

    >>> deployment = {"model_name": "fast", "litellm_params": {"model": "groq/llama-3"}}
    >>> LiteLLMRouterModel("fast", model_list=[deployment], temperature=0.2).options
    {'temperature': 0.2}
    """

    _model_list: tuple[FrozenDict, ...] = attrs.field(repr=False, hash=False)
    _routers: PerLoop[Any] = attrs.field(init=False, factory=PerLoop, eq=False, repr=False)

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        model_list: Sequence[Mapping[str, Any]] | None = None,
        **more: Unpack[LiteLLMArguments],
    ) -> None:
        where = "LiteLLMRouterModel"
        client, client_kwargs = more.get("client"), more.get("client_kwargs")
        if client is not None:
            check_alone(where, "client", {"model_list": model_list, "client_kwargs": client_kwargs})
        deployments = _deployments(model_list, where) if client is None else ()
        if client is None:
            _check_name(model_id, deployments, client_kwargs or {}, where)
        if client is not None and not hasattr(client, "acompletion"):
            raise TypeError(f"{where}: client= takes a litellm.Router, not {type(client).__name__}")
        if more.get("capabilities") is None and more.get("base_model") is None:
            more["capabilities"] = assumed(*(deployment["litellm_params"]["model"] for deployment in deployments))
        self._set(more, model_id=model_id, model_list=deployments)

    async def _ask(self, sdk: Any, arguments: dict[str, Any]) -> Any:
        router = self._client or await self._routers.get(partial(self._made, sdk), _retire)
        with unobserved() if arguments["no-log"] else nullcontext():
            return await router.acompletion(**arguments)

    def _made(self, sdk: Any) -> Any:
        own: dict[str, Any] = {"num_retries": 0, "timeout": endless() if self.timeout is None else self.timeout}
        if _COOLDOWNS.isdisjoint(self._client_kwargs):
            own["disable_cooldowns"] = True
        allowed = self._client_kwargs.get("allowed_fails")
        if allowed is not None:  # by itself it would count for nothing where a group has one deployment alone
            own["allowed_fails_policy"] = dict.fromkeys(sdk.router.AllowedFailsPolicy.model_fields, allowed)
        return sdk.Router(**{**own, **revealed(self._client_kwargs), "model_list": revealed(self._model_list)})

    def _arguments(self, sdk: Any, options: dict[str, Any]) -> dict[str, Any]:
        own = {"no-log": self._client is None and not _watched(self._client_kwargs)}
        passed = taken(options, ("extra_body", "timeout", "no-log"))
        if "timeout" in passed and passed["timeout"] is None:
            passed["timeout"] = endless()
        return {**own, **passed}

    def _models(self) -> tuple[str, ...]:
        return tuple(deployment["litellm_params"]["model"] for deployment in self._model_list)

    def _secrets(self) -> Iterable[object]:
        return secrets_in((self._model_list, self._client_kwargs))

    def _exchange(self, request: Request) -> LiteLLMExchange:
        return _RouterExchange(self, request)


class _RouterExchange(LiteLLMExchange):
    """One call of the Router, which notes its attempts in the metadata that it is given."""

    def __init__(self, model: LiteLLMCall, request: Request) -> None:
        super().__init__(model, request)
        self._notes: dict[str, Any] = {}
        self._started = SYSTEM_CLOCK.now()
        self._epoch = time.time() - self._started  # the Router's notes are in seconds since 1970
        self._first_event: float | None = None

    async def _ask(self, *, stream: bool) -> Any:
        sdk = await litellm_sdk.litellm()
        arguments = self._model._encoded(sdk, self._request, stream=stream)
        self._notes = dict(arguments.get("metadata") or {})  # beside what the application has put there
        self._arguments = {**arguments, "metadata": self._notes}
        return await self._model._ask(sdk, self._arguments)

    def read(self, chunk: Any) -> Sequence[Event]:
        events = super().read(chunk)
        if events and self._first_event is None:
            self._first_event = SYSTEM_CLOCK.now()
        return events

    def _answered(self, response: Response, answer: Any) -> Response:
        hidden_params = HIDDEN_PARAMS.of(answer) or {}
        failures = self._failures()
        model = hidden_params.get("litellm_model_name")
        where = self._where(hidden_params.get("model_id"), hidden_params.get("api_base"))
        started = self._start(failures)
        last = self._attempt(model, "answered", started, where, response.usage)
        return attrs.evolve(response, attempts=(*failures, last))

    def translated(self, error: Exception) -> ModelError:
        """What went wrong; where nothing was sent, there is no attempt."""
        translated = super().translated(error)
        failures, windows, noted = self._failures(), self._windows(), self._previous()
        latest = self._notes.get("model_info") or {}
        deployment = getattr(error, FAILED_DEPLOYMENT.name, None)
        if noted and noted[-1].get("deployment_id") == deployment and len(noted) >= len(windows):
            return attrs.evolve(translated, attempts=failures)
        if windows or deployment:
            here = deployment in (None, latest.get("id"))
            model = self._notes.get("deployment") if here else getattr(error, "model", None)
            where = self._where(deployment or latest.get("id"), self._notes.get("api_base") if here else None)
            message = f"{where}: {translated.message}" if where else translated.message
            failures = (*failures, self._attempt(model, translated.kind.value, self._start(failures), message, None))
        return attrs.evolve(translated, attempts=failures) if failures else translated

    def _address(self) -> str | None:
        address = self._notes.get("api_base")
        return address if isinstance(address, str) else None

    def _failures(self) -> tuple[Attempt, ...]:
        windows, noted = self._windows(), self._previous()
        skipped = max(0, len(windows) - len(noted) - 1)  # litellm keeps the last four
        attempts = []
        for at, note in enumerate(noted, skipped):
            text = str(note.get("exception_string") or "")
            kind = kind_noted(str(note.get("exception_type")), text)
            where = self._where(note.get("deployment_id"), None)
            message = hidden(provider_words(text), self._secrets)
            begin, end = windows[at] if at < len(windows) else (self._epoch + self._started,) * 2
            model = note.get("model") or self._model.model_id
            message = f"{where}: {message}" if where else message
            attempts.append(
                Attempt(PROVIDER, model, kind.value, begin - self._epoch, max(0.0, end - begin), message=message)
            )
        return tuple(attempts)

    def _previous(self) -> list[Mapping[str, Any]]:
        noted = self._notes.get(PREVIOUS_MODELS.name)
        if not isinstance(noted, (list, tuple)):
            return []
        return [note for note in noted if isinstance(note, Mapping) and "exception_type" in note]

    def _windows(self) -> list[tuple[float, float]]:
        windows = self._notes.get(TIMING_WINDOWS.name)
        return [(begin, end) for begin, end in windows] if isinstance(windows, (list, tuple)) else []

    def _start(self, failures: tuple[Attempt, ...]) -> float:
        windows = self._windows()
        if len(windows) > len(failures):
            return windows[-1][0] - self._epoch
        return failures[-1].started + failures[-1].duration if failures else self._started

    def _attempt(self, model: Any, outcome: str, started: float, message: str, usage: Any) -> Attempt:
        first = self._first_event - started if self._first_event is not None else None
        name = model if isinstance(model, str) else self._model.model_id
        duration = max(0.0, SYSTEM_CLOCK.now() - started)
        return Attempt(PROVIDER, name, outcome, started, duration, first, message or None, usage)

    def _where(self, deployment: object, address: object) -> str:
        name = str(deployment or "")
        named = f"deployment {name if len(name) < 64 else name[:8]}" if name else ""  # litellm's own are hashes
        at = f"at {address}" if address else ""
        return hidden(" ".join(filter(None, (named, at))), self._secrets)


async def _retire(router: Any) -> None:
    """Take it out of litellm's lists of callbacks, which would keep it for ever."""
    router.retire()


def _deployments(model_list: Sequence[Mapping[str, Any]] | None, where: str) -> tuple[FrozenDict, ...]:
    example = "[{'model_name': 'fast', 'litellm_params': {'model': 'groq/llama-3.3-70b'}}, ...]"
    if isinstance(model_list, (str, Mapping)) or not isinstance(model_list, Iterable) or not model_list:
        raise ValueError(f"{where}: model_list is {example}")
    for at, deployment in enumerate(model_list):
        params = deployment.get("litellm_params") if isinstance(deployment, Mapping) else None
        model = params.get("model") if isinstance(params, Mapping) else None
        if not isinstance(model, str) or not isinstance(deployment.get("model_name"), str):
            raise ValueError(f"{where}: model_list[{at}]: no model_name, or no litellm_params with a model: {example}")
    return tuple(freeze(list(model_list)))


def _check_name(model_id: str, deployments: Iterable[Mapping[str, Any]], kwargs: Mapping[str, Any], where: str) -> None:
    names = sorted({deployment["model_name"] for deployment in deployments})
    known = (
        model_id in names or any("*" in name for name in names) or model_id in (kwargs.get("model_group_alias") or ())
    )
    if not known:
        raise ValueError(f"{where}: model_id {model_id!r} is no model_name in model_list: {', '.join(names)}")
