"""`HttpTransport`: HTTP/1.1 over aiohttp, with a pool of connections for each event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from ...domain.checks import Number
from ..process.per_loop import PerLoop
from ..process.secret import Env, revealed
from ..settings import check_kind
from . import tls
from .arguments import parts_of
from .bounds import BOUNDS, Bounds
from .http_errors import Unwritable
from .post import Post
from .proxies import proxy_now
from .transport import Reply

if TYPE_CHECKING:
    from .pool import Pool

_WHERE: Final = "HttpTransport"
_IDLE: Final = Number("must be a number of seconds above 0", above=0)


def _proxy(proxy: Any) -> Any:
    if proxy is None or proxy is False or isinstance(proxy, Env):
        return proxy
    if not isinstance(proxy, str):
        raise TypeError(f"{_WHERE}: proxy is an address, Env('NAME'), False or None, not {type(proxy).__name__}")
    if parts_of(proxy) is None:  # it isn't quoted: a password may stand in it
        raise ValueError(f"{_WHERE}: proxy is an address of HTTP such as 'http://127.0.0.1:3128'")
    return proxy


def _certificate(files: Any) -> tuple[str, ...]:
    found = (files,) if isinstance(files, str) else files or ()
    if not isinstance(found, (tuple, list)) or len(found) > 2 or not all(isinstance(file, str) for file in found):
        raise TypeError(f"{_WHERE}: certificate is the name of a file, or of two: certificate and key, not {files!r}")
    return tuple(found)


def _text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    check_kind(_WHERE, attribute.name, value, str, "the name of a file")


def _shown(proxy: Any) -> str:
    """It may hold a password."""
    return "'...'" if isinstance(proxy, str) else repr(proxy)


@attrs.frozen(kw_only=True)
class HttpTransport:
    """Carries calls over HTTP/1.1. It is its settings; whoever shares one shares its connections.

    `proxy` is an address, or False for none; without it HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY say so.
    `ca` is a file of certificates to trust in place of the system's; `certificate` a file of one's own, or that and
    the file of its key. `unix_socket` is where a server on this machine listens, whatever host the address names.
    A connection is kept for `idle` seconds after a call. Raises ValueError or TypeError.

    >>> HttpTransport(proxy="http://me:secret@127.0.0.1:3128").bounds.answer
    67108864
    """

    proxy: str | Env | Literal[False] | None = attrs.field(default=None, converter=_proxy, repr=_shown)
    ca: str | None = attrs.field(default=None, validator=_text)
    certificate: tuple[str, ...] = attrs.field(default=(), converter=_certificate)
    unix_socket: str | None = attrs.field(default=None, validator=_text)
    # uvicorn, Node and llama.cpp close a connection that was idle for 5 seconds: what is kept longer may be closed
    # while a question is on its way, and then nobody knows whether it has arrived.
    idle: float = attrs.field(default=4.0, validator=_IDLE)
    bounds: Bounds = attrs.field(default=BOUNDS, validator=attrs.validators.instance_of(Bounds))
    _pools: PerLoop[Pool] = attrs.field(init=False, factory=PerLoop, eq=False, repr=False)

    async def send(self, post: Post, /) -> Reply:
        """Send the question, and give the answer as soon as its headers have come."""
        pool = await self._pools.get(self._open, _close)
        proxy = self._through(post.address) if self.unix_socket is None else None
        secure = post.address.startswith("https:") or (proxy or "").startswith("https:")
        tls_context = tls.context(self.ca, self.certificate) if secure else True
        return await pool.send(post, tls_context, proxy)

    async def close(self) -> None:
        """Close the running event loop's connections; the next call opens others."""
        await self._pools.drop()

    def _open(self) -> Pool:
        from .pool import Pool

        return Pool(unix_socket=self.unix_socket, idle=self.idle, bounds=self.bounds)

    def _through(self, address: str) -> str | None:
        proxy = proxy_now(address) if self.proxy is None else revealed(self.proxy) or None
        if proxy is not None and parts_of(proxy) is None:
            scheme = proxy.partition(":")[0]
            if scheme.lower() in ("http", "https"):  # it isn't quoted: a password may stand in it
                raise Unwritable("the proxy that the environment or proxy= names has no address that is one: mend it")
            raise ImportError(
                f"the proxy's scheme is {scheme!r}, and aiohttp knows proxies of HTTP alone: set NO_PROXY, pass "
                "transport=HttpTransport(proxy=...), or a client= of the SDK, which with socksio knows SOCKS"
            )
        return proxy


async def _close(pool: Pool) -> None:
    await pool.close()


DEFAULT: Final = HttpTransport()
"""What carries the calls of all models that were given none of their own: they share its connections."""
