"""What is leaned on inside boto3, botocore and urllib3: a twin of a client, whose calls can be hung up.

The twin makes one attempt a call, over connections of its own, which know the call that uses them. The client that it
is made from stays as it is, for whoever has it.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import socket
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from ..http.http_errors import CutOff, Malformed
from ..process.inside import Inside
from .live_call import HungUp, LiveCall, current
from .request import WireMessage

SERVICE: Final = "bedrock-runtime"


def _inside(owner: str, name: str, lost: str) -> Inside:
    return Inside(owner.partition(".")[0], owner, name, lost)


_NO_TWIN: Final = "boto3's client is used as it is: it may try again, unseen, and a call that is cancelled goes on"
_GOES_ON: Final = "a call that is cancelled goes on in its thread until its answer is there"
_SHOWN: Final = "keys can't be told from other words, so that nothing that the service says is shown any more"
_CHECKED: Final = "each call checks all its messages anew, which takes longer the longer a conversation is"
_ENDPOINT: Final = _inside("botocore.client:BaseClient", "_endpoint", _NO_TWIN)
_SERIALIZER: Final = _inside("botocore.client:BaseClient", "_serializer", _CHECKED)
_CHECKS: Final = _inside("botocore.validate", "ParamValidationDecorator", _CHECKED)
_VALIDATOR: Final = _inside("botocore.validate:ParamValidationDecorator", "_param_validator", _CHECKED)
_WRITER: Final = _inside("botocore.validate:ParamValidationDecorator", "_serializer", _CHECKED)
_EMITTER: Final = _inside(
    "botocore.endpoint:Endpoint",
    "_event_emitter",
    "an answer that broke off may pass for a whole one, rate limits and request ids of streams aren't known, and a "
    "client that was passed in tries again, unseen",
)
_PARSERS: Final = _inside(
    "botocore.endpoint:Endpoint",
    "_response_parser_factory",
    "an answer that is JSON of another shape raises, instead of being an error",
)
_SESSION: Final = _inside("botocore.endpoint:Endpoint", "http_session", _GOES_ON)
_BEFORE_PARSE: Final = _inside("botocore.endpoint:Endpoint", "before-parse", _EMITTER.lost)
_ALIASED: Final = _inside("botocore.hooks:EventAliaser", "_emitter", "whether a client tries again can't be told")
_IDS: Final = _inside("botocore.hooks:HierarchicalEmitter", "_unique_id_handlers", _ALIASED.lost)
_RETRIES: Final = _inside(
    "botocore.retries.standard:register_retry_handler",
    "retry-config-",
    "a client that was passed in tries again, unseen",
)
_MANAGER: Final = _inside("botocore.httpsession:URLLib3Session", "_manager", _GOES_ON)
_MANAGER_KWARGS: Final = _inside("botocore.httpsession:URLLib3Session", "_get_pool_manager_kwargs", _GOES_ON)
_POOLS: Final = _inside("botocore.httpsession:URLLib3Session", "_pool_classes_by_scheme", _GOES_ON)
_PROXIES: Final = _inside("botocore.httpsession:URLLib3Session", "_proxy_managers", f"behind a proxy {_GOES_ON}")
_POOL_SIZE: Final = _inside(
    "botocore.httpsession:URLLib3Session",
    "_max_pool_connections",
    "of many calls at once through a client that was passed in, some connect anew",
)
_CONNECTION: Final = _inside("botocore.awsrequest", "AWSHTTPConnection", _GOES_ON)
_CONNECTION_TLS: Final = _inside("botocore.awsrequest", "AWSHTTPSConnection", _GOES_ON)
_POOL: Final = _inside("botocore.awsrequest", "AWSHTTPConnectionPool", _GOES_ON)
_POOL_TLS: Final = _inside("botocore.awsrequest", "AWSHTTPSConnectionPool", _GOES_ON)
_POOL_OF: Final = _inside("urllib3.connectionpool:HTTPConnectionPool", "ConnectionCls", _GOES_ON)
_BY_SCHEME: Final = _inside("urllib3.poolmanager:PoolManager", "pool_classes_by_scheme", _GOES_ON)
_NEW_CONN: Final = _inside(
    "urllib3.connection:HTTPConnection", "_new_conn", "a call that is cancelled while it connects goes on in its thread"
)
_SOCK: Final = _inside("urllib3.connection:HTTPConnection", "sock", _GOES_ON)
_TIMEOUT: Final = _inside(
    "urllib3.connection:HTTPConnection", "self.sock.settimeout(self.timeout)", "a timeout of one call has no effect"
)
_CHUNKED: Final = _inside(
    "urllib3.response:HTTPResponse", "chunked", "the events of a stream may come late, many at once"
)
_RAW: Final = _inside(
    "botocore.eventstream:EventStream", "_raw_stream", "streams are read by botocore, which takes several times as long"
)
_SIGNER: Final = _inside("botocore.client:BaseClient", "_request_signer", _SHOWN)
_TOKEN: Final = _inside("botocore.signers:RequestSigner", "_auth_token", _SHOWN)
_CREDENTIALS: Final = _inside("botocore.signers:RequestSigner", "_credentials", _SHOWN)
_KEYS: Final = _inside("botocore.credentials:Credentials", "secret_key", _SHOWN)
_RENEWED_KEYS: Final = _inside("botocore.credentials:RefreshableCredentials", "_secret_key", _SHOWN)
_RENEWED_TOKEN: Final = _inside("botocore.tokens:DeferredRefreshableToken", "_frozen_token", _SHOWN)
_TOKEN_PROVIDER: Final = _inside(
    "botocore.session:Session", "token_provider", "`api_key` isn't used: an error says that there are no credentials"
)
_FROZEN_TOKEN: Final = _inside("botocore.tokens", "FrozenAuthToken", "no call with an `api_key` can be made")
EXPIRED: Final = _inside(
    "botocore.credentials:RefreshableCredentials",
    "Credentials were refreshed",
    "credentials that expired raise RuntimeError, instead of being an error",
)
WRAPPED: Final = _inside(
    "botocore.exceptions:HTTPClientError", "kwargs", "what went wrong while sending is `interrupted`, whatever it was"
)
HEADER: Final = Inside(
    "Python",
    "http.client:HTTPConnection",
    "Invalid header",
    "a key that HTTP can't carry is `interrupted` instead of `authentication`",
)
INSIDES: Final[tuple[Inside, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Inside))
"""All that stands above."""


class Token:
    """Where botocore asks for a bearer token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def load_token(self, **_: Any) -> Any:
        from botocore.tokens import FrozenAuthToken

        return FrozenAuthToken(self._token)


def watched(client: Any, threads: int) -> Any:
    """A twin of a boto3 client: one attempt a call, and connections of its own, that can be hung up.

    The client itself stays as it is, for whoever has it. What isn't botocore's is used as it is.
    """
    if not _is_botocores(client):
        return client
    endpoint: Any = copy.copy(_ENDPOINT.of(client))
    if endpoint is None:
        return client
    import botocore.validate

    events = copy.copy(client.meta.events)
    _without_retries(events)
    events.register(f"before-parse.{SERVICE}", _received)
    twin = object.__new__(type(client))  # copy.copy would ask a client that has nothing yet
    twin.__dict__.update(client.__dict__)
    twin.meta = copy.copy(client.meta)
    twin.meta.events = events
    serializer = _SERIALIZER.of(client)
    if serializer is not None and type(serializer) is _CHECKS.of(botocore.validate):
        checked = _CheckedOnce(serializer)
        if checked.works:
            _SERIALIZER.put(twin, checked)
    _EMITTER.put(endpoint, events)
    factory = _PARSERS.of(endpoint)
    if factory is not None:
        _PARSERS.put(endpoint, _Parsers(factory))
    session = _SESSION.of(endpoint)
    if session is not None:
        _SESSION.put(endpoint, _own_connections(session, threads))
    _ENDPOINT.put(twin, endpoint)
    return twin


def _is_botocores(client: Any) -> bool:
    return any(cls.__module__ == "botocore.client" for cls in type(client).__mro__)


def _without_retries(events: Any) -> None:
    name = f"{_RETRIES.name}{SERVICE}"
    inner = _ALIASED.of(events)
    handlers = None if inner is None else _IDS.of(inner)
    if handlers is not None and name not in handlers:
        _RETRIES.gone()
    events.unregister(f"needs-retry.{SERVICE}", unique_id=name)


def _own_connections(session: Any, threads: int) -> Any:
    manager, kwargs, pools = _MANAGER.of(session), _MANAGER_KWARGS.of(session), watched_pools()
    if manager is None or kwargs is None or pools is None:
        return session
    twin = copy.copy(session)
    _POOL_SIZE.put(twin, max(threads, _POOL_SIZE.of(session, threads)))
    _POOLS.put(twin, pools)
    _PROXIES.put(twin, {})
    own = type(manager)(**getattr(twin, _MANAGER_KWARGS.name)())
    _BY_SCHEME.put(own, pools)
    _MANAGER.put(twin, own)
    return twin


def _received(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Note the answer's headers; and its length, which botocore doesn't compare with what was promised."""
    call = current()
    if call is None:
        return
    headers = call.headers = response_dict["headers"]
    body, promised = response_dict["body"], headers.get("content-length")
    if isinstance(body, bytes) and promised is not None and promised.isdecimal() and len(body) < int(promised):
        raise CutOff(f"the answer broke off after {len(body)} of {promised} bytes")


def answered(client: Any, answer: Any) -> Any:
    """The answer of a call. What should have been noticed of it on the way, and wasn't, is told."""
    call = current()
    if call is not None and _is_botocores(client) and answer.get("ResponseMetadata", {}).get("HTTPHeaders"):
        endpoint = getattr(client, _ENDPOINT.name, None)
        if not call.headers and getattr(endpoint, _EMITTER.name, None) is client.meta.events:
            _BEFORE_PARSE.gone()
        pools = getattr(getattr(endpoint, _SESSION.name, None), _POOLS.name, None)
        if call.connection is None and pools is watched_pools():
            _POOLS.gone()
    return answer


def raw(stream: Any) -> Any:
    """The HTTP answer beneath the SDK's stream; None where it isn't the SDK's own: tools for tracing wrap it."""
    kind = type(stream)
    own = (kind.__module__, kind.__name__) == ("botocore.eventstream", "EventStream")
    return _RAW.of(stream) if own else None


def pieces(raw: Any) -> Iterator[bytes]:
    """The bytes as they come: without chunks, `stream` would wait for a great many."""
    found: Iterator[bytes] = raw.stream() if _CHUNKED.of(raw, True) else iter(partial(raw.read1, 65536), b"")
    return found


def keys(client: Any) -> tuple[object, ...] | None:
    """What a client signs with, so that it can be hidden; None where that can't be told any more."""
    if not _is_botocores(client):
        return ()
    signer = _SIGNER.of(client)
    if signer is None:
        return None
    token, credentials = _TOKEN.of(signer, _UNKNOWN), _CREDENTIALS.of(signer, _UNKNOWN)
    if token is _UNKNOWN or credentials is _UNKNOWN:
        return None
    # As they stand: credentials that can be refreshed would be, if they were asked, which takes time and may fail.
    held = getattr(credentials, "__dict__", {})
    if credentials is not None and not {_KEYS.name, _RENEWED_KEYS.name} & held.keys():
        _KEYS.gone()
        return None
    token = getattr(token, _RENEWED_TOKEN.name, token)
    if token is not None and not hasattr(token, "token"):
        _RENEWED_TOKEN.gone()
        return None
    names = ("secret_key", "token", "access_key")
    return (getattr(token, "token", None), *(held.get(f"{begin}{name}") for name in names for begin in ("", "_")))


_UNKNOWN: Final = object()


class _CheckedOnce:
    """botocore's own checks of the arguments, without those messages that it has checked before."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole
        self._validator = _VALIDATOR.of(whole)
        self._serializer = _WRITER.of(whole)
        self.works = self._validator is not None and self._serializer is not None

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


class _Watched:
    """What a connection does besides: it knows the call that uses it."""

    # It is mixed into urllib3's connections; what they have isn't known to a type checker here, hence the exceptions.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = threading.Lock()
        self._call: LiveCall | None = None
        self._shaking: socket.socket | None = None  # while hands are shaken: TLS takes the socket out of its object
        self._reading: Any = None  # its socket, which an answer takes along that closes the connection

    def _take(self) -> None:
        call = current()
        with self._guard:
            self._call = call
        if call is not None:
            call.connection = self
            if call.hung_up:
                self.close()  # type: ignore[attr-defined]
                raise HungUp

    def connect(self) -> None:
        self._take()
        try:
            super().connect()  # type: ignore[misc]
            if self._shaking is None:
                _NEW_CONN.gone()
        finally:
            with self._guard:
                if self._shaking is not None:
                    self._shaking.close()
                self._shaking = None
        self._take()

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        with self._guard:
            self._shaking = made.dup()
        try:
            self._take()
        except HungUp:
            made.close()
            raise
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._take()
        super().request(*args, **kwargs)  # type: ignore[misc]
        if self._call is not None:
            self._call.asked = True

    def getresponse(self) -> Any:
        if self._call is not None and self._call.timeout is not ...:
            self.timeout = self._call.timeout
        self._reading = self.sock  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]

    def hang_up(self, call: LiveCall) -> None:
        """Shut the socket down, unless it serves another call by now."""
        with self._guard:
            sock: Any = self._shaking or getattr(self, "sock", None) or self._reading
            if sock is not None and self._call is call:
                # Not `close`, which waits for whoever reads; and not the TLS object's own, which takes it from them.
                with contextlib.suppress(OSError, TypeError):
                    socket.socket.shutdown(getattr(sock, "socket", sock), socket.SHUT_RDWR)


@functools.cache
def watched_pools() -> dict[str, Any] | None:
    """Pools of connections as botocore has them, by scheme, of watched ones."""
    from botocore import awsrequest

    classes = [inside.of(awsrequest) for inside in (_CONNECTION, _CONNECTION_TLS, _POOL, _POOL_TLS)]
    if None in classes:
        return None
    plain: Any = type("WatchedConnection", (_Watched, classes[0]), {})
    secure: Any = type("WatchedTLSConnection", (_Watched, classes[1]), {})
    return {
        "http": type("WatchedPool", (classes[2],), {_POOL_OF.name: plain}),
        "https": type("WatchedTLSPool", (classes[3],), {_POOL_OF.name: secure}),
    }
