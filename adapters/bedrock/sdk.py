"""What botocore is asked for: where the service is, how requests are signed, and over what connections they go.

It is asked once, by a request that is made and never sent: the signer that botocore passes along with it then signs
ours. All of this may read files and ask other services for credentials, and so belongs into a thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

import attrs

from ..http.http_errors import Unwritable
from ..http.http_transport import DEFAULT, HttpTransport
from ..http.post import Post, Timeouts
from ..http.transport import Transport
from ..process.inside import Inside
from ..process.per_process import PerProcess
from ..process.secret import revealed
from .settings import check_config

SERVICE: Final = "bedrock-runtime"
SIGNER: Final = Inside("botocore", "botocore.signers:RequestSigner", "request_signer", "no call can be made")
EXPIRED: Final = Inside(
    "botocore",
    "botocore.credentials:RefreshableCredentials",
    "Credentials were refreshed",
    "credentials that expired raise RuntimeError, instead of being an error",
)
INSIDES: Final[tuple[Inside, ...]] = (SIGNER, EXPIRED)

_SOON: Final = 16 * 60  # seconds; botocore renews credentials when they have 15 minutes left
_OPERATIONS: Final = ("Converse", "ConverseStream")
_one_by_one: Final[PerProcess[threading.Lock]] = PerProcess()  # boto3's sessions serve one thread at a time


class _Heard(Exception):
    """Botocore has said how it would sign; the request isn't to be sent."""


class Uncarried(Exception):
    """A key has a character that HTTP can't carry."""


@attrs.frozen(eq=False)
class Connection:
    """Where the service is, who asks, and what carries the calls there."""

    address: str
    timeouts: Timeouts
    transport: Transport
    _client: Any  # the signer doesn't hold it, and needs it
    _heard: Any
    _headers: Mapping[str, str]
    _api_key: str | None
    _needs_renewal: Callable[[int], bool] | None

    @property
    def is_ready(self) -> bool:
        """Whether `sign` takes no time: credentials may have to be renewed first, which asks other services."""
        return self._needs_renewal is None or not self._needs_renewal(_SOON)

    def sign(self, path: str, body: bytes, *, stream: bool) -> tuple[Post, Any]:
        """The request as it is to be sent, and whose it is. Raises `Uncarried`, or what botocore raises."""
        from botocore.awsrequest import AWSRequest

        heard = self._heard
        request: Any = AWSRequest("POST", f"{self.address}{path}", self._headers, body)
        request.context.update(heard.request.context)
        heard.request_signer.sign(_OPERATIONS[stream], request)
        if self._api_key is not None:
            request.headers["authorization"] = f"Bearer {self._api_key}"
        headers = dict(request.headers.items())
        try:
            post = Post(address=request.url, headers=headers, body=request.data, timeouts=self.timeouts)
        except Unwritable as error:
            raise Uncarried(str(error)) from None
        return post, identity(heard)


def secrets(whose: Any) -> tuple[object, ...]:
    """What no message may show of the keys or the token that a request was signed with."""
    return tuple(getattr(whose, name, None) for name in ("token", "secret_key", "access_key"))


def identity(heard: Any) -> Any:
    """The keys or the token, as they are now; None where nothing is signed."""
    if not isinstance(heard.signature_version, str):  # but botocore's UNSIGNED
        return None
    auth = heard.request_signer.get_auth_instance(heard.signing_name, heard.region_name, heard.signature_version)
    return getattr(auth, "auth_token", None) or getattr(auth, "credentials", None)


def _renewal(heard: Any, credentials: Any) -> Callable[[int], bool] | None:
    """What says whether to renew what is signed with, so many seconds before it expires."""
    if heard.signature_version != "bearer":
        return getattr(credentials, "refresh_needed", None)
    return None if getattr(identity(heard), "expiration", None) is None else lambda _: True


def connect(
    session: Any,
    profile_name: str | None,
    api_key: str | None,
    arguments: Mapping[str, Any],
    *,
    timeout: float | None,
    transport: Transport | None,
) -> Connection:
    """What boto3 makes of these settings; `arguments` are those of its `session.client`.

    Raises `Unset`, `Unwritable`, or what boto3 raises.
    """
    import boto3
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    own = {name: value for name, value in revealed(arguments).items() if value is not None}
    config: Any = Config(connect_timeout=5.0 if timeout is None else min(5.0, timeout), read_timeout=timeout)
    config = config.merge(own.pop("config", Config()))
    is_named = api_key is not None or "aws_secret_access_key" in own
    if api_key is not None:
        config = config.merge(Config(signature_version=UNSIGNED))  # nobody looks for other credentials, then
    elif is_named and config.signature_version is None:
        config = config.merge(Config(signature_version="v4"))  # else AWS_BEARER_TOKEN_BEDROCK would outdo these keys
    with _one_by_one.get(threading.Lock):
        profile = getattr(session, "profile_name", profile_name)
        inner = botocore.session.Session(profile=None if profile == "default" else profile)
        if session is None:
            session = boto3.Session(botocore_session=inner)
        client = _client(session, config, own)
        heard = _asked(client)
        needs_renewal = _renewal(heard, None if is_named else session.get_credentials())
        verify = own.get("verify") or inner.get_config_variable("ca_bundle")
    settings = client.meta.config
    check_config(settings, "the configuration of boto3")
    address = client.meta.endpoint_url.rstrip("/")
    if api_key is not None and not address.startswith("https:"):
        raise Unwritable(f"api_key is a bearer token, which anybody could read on its way to {address}; use https://")
    return Connection(
        address,
        Timeouts(settings.connect_timeout, settings.read_timeout),
        transport or _transport(address, settings, verify if isinstance(verify, str) else None),
        client,
        heard,
        {"content-type": "application/json", "user-agent": heard.request.headers.get("user-agent", "")},
        api_key,
        needs_renewal,
    )


def _client(session: Any, config: Any, own: Mapping[str, Any]) -> Any:
    try:
        return session.client(SERVICE, config=config, **own)
    except (TypeError, ValueError) as error:  # such as an argument that boto3 doesn't have
        if type(error).__module__.startswith("botocore"):
            raise
        raise Unwritable(f"boto3's client can't be made: {error}") from None


def _asked(client: Any) -> Any:
    """What botocore says to its listeners when it is about to sign a request."""
    said: dict[str, Any] = {}

    def listen(**event: Any) -> None:
        said.update(event)
        raise _Heard

    for event in ("before-sign", "before-send"):  # the second, so that nothing is ever sent
        client.meta.events.register_first(f"{event}.{SERVICE}", listen)
    try:
        with contextlib.suppress(_Heard):
            client.converse(modelId="a-model", messages=[])
    finally:
        for event in ("before-sign", "before-send"):
            client.meta.events.unregister(f"{event}.{SERVICE}", listen)
    heard = SimpleNamespace(**said)
    SIGNER.needed(heard)
    return heard


def _transport(address: str, config: Any, ca: str | None) -> Transport:
    """What carries the calls as this configuration of boto3 says: its proxies and certificates."""
    proxy: Any = None
    if config.proxies is not None:
        proxy = config.proxies.get(address.partition(":")[0]) or False
        if proxy and not proxy.startswith(("http:", "https:")):
            proxy = f"http://{proxy.removeprefix('//')}"
    if proxy is None and ca is None and config.client_cert is None:
        return DEFAULT
    return HttpTransport(proxy=proxy, ca=ca, certificate=config.client_cert or ())
