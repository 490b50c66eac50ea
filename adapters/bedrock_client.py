"""boto3's client as the adapter needs it: one attempt a call, connections that can be hung up, one for each process.

boto3's clients serve many threads. A forked child must not use its parent's connections, so it gets a client anew.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from .bedrock_answers import CutOff, Malformed
from .bedrock_line import current, watched_pools
from .bedrock_request import WireMessage
from .secret import revealed

T = TypeVar("T")

SERVICE = "bedrock-runtime"

_one_by_one = threading.Lock()  # boto3's sessions serve one thread at a time, and several models may share one


def _renew() -> None:
    global _one_by_one
    _one_by_one = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class PerProcess(Generic[T]):
    """Holds a thing for each process, made on first use. A copy, or one that was unpickled, is empty."""

    __slots__ = ("_things",)

    def __init__(self) -> None:
        self._things: dict[int, _Once[T]] = {}

    def get(self, make: Callable[[], T]) -> T:
        """This process's own. What `make` raises is raised, and it is asked again the next time."""
        pid = os.getpid()
        once = self._things.get(pid)
        if once is None:  # no lock, which a fork might leave taken: of two at once, one wins
            once = self._things.setdefault(pid, _Once())
        return once.thing if once.made else once.get(make)

    def known(self) -> T | None:
        """This process's own, if it has been made."""
        once = self._things.get(os.getpid())
        return once.thing if once is not None and once.made else None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())


class _Once(Generic[T]):
    __slots__ = ("_lock", "made", "thing")

    thing: T

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.made = False

    def get(self, make: Callable[[], T]) -> T:
        with self._lock:
            if not self.made:
                self.thing, self.made = make(), True
            return self.thing


def connect(
    session: Any,
    profile_name: str | None,
    token: Any,
    arguments: Mapping[str, Any],
    *,
    timeout: float | None,
    threads: int,
) -> Any:
    """A client by these settings; `arguments` are those of boto3's `session.client`."""
    import boto3
    import botocore.session
    from botocore.config import Config

    given = {name: value for name, value in revealed(arguments).items() if value is not None}
    config: Any = Config(
        connect_timeout=5.0 if timeout is None else min(5.0, timeout),
        read_timeout=timeout,
        max_pool_connections=threads,
    )
    if "config" in given:
        config = config.merge(given.pop("config"))
    if "aws_secret_access_key" in given and config.signature_version is None:
        config = config.merge(Config(signature_version="v4"))  # else AWS_BEARER_TOKEN_BEDROCK would outdo these keys
    config = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    if session is None:
        inner = botocore.session.Session(profile=profile_name)
        if token is not None:
            inner.register_component("token_provider", _Token(revealed(token)))
            config = config.merge(Config(signature_version="bearer"))
        session = boto3.Session(botocore_session=inner)
    with _one_by_one:
        return session.client(SERVICE, config=config, **given)


class _Token:
    """Where botocore asks for a bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def load_token(self, **_: Any) -> Any:
        from botocore.tokens import FrozenAuthToken

        return FrozenAuthToken(self._token)


class _CheckedOnce:
    """botocore's own checks of the arguments, without those messages that it has checked before."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self._validator = whole._param_validator
        self._serializer = whole._serializer

    def serialize_to_request(self, parameters: Mapping[str, Any], operation_model: Any) -> Any:
        messages = parameters.get("messages", ())
        fresh = [message for message in messages if not getattr(message, "checked", False)]
        report = self._validator.validate({**parameters, "messages": fresh}, operation_model.input_shape)
        if report.has_errors():  # once more, to name the places as they are
            return self._whole.serialize_to_request(parameters, operation_model)
        for message in fresh:
            if isinstance(message, WireMessage):
                message.checked = True
        return self._serializer.serialize_to_request(parameters, operation_model)


class _Parsers:
    """botocore's parsers, which stumble over JSON of another shape than the service's."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def create_parser(self, protocol: str) -> Any:
        return _Parser(self._whole.create_parser(protocol))


class _Parser:
    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def parse(self, answer: Mapping[str, Any], shape: Any) -> Any:
        try:
            return self._whole.parse(answer, shape)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if answer["status_code"] < 301:
                raise Malformed(f"the answer isn't one of Converse: {error}") from error
            return self._whole.parse({**answer, "body": b"{}"}, shape)  # a gateway's refusal: its status is enough


def watched(client: Any, threads: int) -> Any:
    """A twin of a boto3 client: one attempt a call, and connections of its own, that can be hung up.

    The client itself stays as it is, for whoever has it. What isn't botocore's is used as it is.
    """
    if not any(cls.__module__ == "botocore.client" for cls in type(client).__mro__):
        return client
    from botocore.validate import ParamValidationDecorator

    events = copy.copy(client.meta.events)
    events.unregister(f"needs-retry.{SERVICE}", unique_id=f"retry-config-{SERVICE}")
    events.register(f"before-parse.{SERVICE}", _received)
    twin = object.__new__(type(client))  # copy.copy would ask a client that has nothing yet
    twin.__dict__.update(client.__dict__)
    twin.meta = copy.copy(client.meta)
    twin.meta.events = events
    serializer = vars(client)["_serializer"]
    if type(serializer) is ParamValidationDecorator:
        vars(twin)["_serializer"] = _CheckedOnce(serializer)
    endpoint: Any = copy.copy(vars(client)["_endpoint"])
    endpoint._event_emitter = events
    endpoint._response_parser_factory = _Parsers(endpoint._response_parser_factory)
    endpoint.http_session = _own_connections(endpoint.http_session, threads)
    vars(twin)["_endpoint"] = endpoint
    return twin


def _own_connections(session: Any, threads: int) -> Any:
    twin = copy.copy(session)
    twin._max_pool_connections = max(threads, session._max_pool_connections)
    twin._pool_classes_by_scheme = watched_pools()
    twin._proxy_managers = {}
    twin._manager = type(session._manager)(**twin._get_pool_manager_kwargs())
    twin._manager.pool_classes_by_scheme = twin._pool_classes_by_scheme
    return twin


def _received(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Note the answer's headers; and its length, which botocore doesn't compare with what was promised."""
    line = current()
    if line is None:
        return
    headers = line.headers = response_dict["headers"]
    body, promised = response_dict["body"], headers.get("content-length")
    if isinstance(body, bytes) and promised is not None and promised.isdecimal() and len(body) < int(promised):
        raise CutOff(f"the answer broke off after {len(body)} of {promised} bytes")
