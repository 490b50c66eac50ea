"""How huggingface_hub routes a call, and over which connections: all that is used of it, in one place.

Its `chat_completion` makes dataclasses of every event, and keeps headers and connections to itself. Beneath it stand a
helper for each provider, which knows the address, the headers, the model's name there and what is peculiar about the
payload, and a plain HTTP client. Both are outside of its public face: `INSIDES` names what is used of them.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeVar

from ..http.http_errors import Malformed
from ..process.inside import Argument, Inside
from ..process.thread import apart

T = TypeVar("T")

_HUB: Final = "huggingface-hub"
_PROVIDERS: Final = "huggingface_hub.inference._providers"
_REQUEST: Final = "huggingface_hub.inference._common:RequestParameters"
_NO_ROUTE: Final = "no call finds its way"
HELPER: Final = Inside(_HUB, _PROVIDERS, "get_provider_helper", _NO_ROUTE)
PREPARE: Final = Inside(_HUB, f"{_PROVIDERS}._common:TaskProviderHelper", "prepare_request", _NO_ROUTE)
ARGUMENTS: Final = tuple(
    Argument(_HUB, owner, name, _NO_ROUTE)
    for owner, names in (
        (f"{_PROVIDERS}:{HELPER.name}", ("task", "model")),
        (f"{PREPARE.owner}.{PREPARE.name}", ("inputs", "parameters", "headers", "model", "api_key")),
    )
    for name in names
)
PREPARED: Final = tuple(Inside(_HUB, _REQUEST, name, _NO_ROUTE) for name in ("url", "headers", "json"))
CLIENT: Final = Inside(_HUB, "huggingface_hub:AsyncInferenceClient", "_get_async_client", "no call can be made")
_TELLS: Final = "each call may first ask huggingface.co for a list of programs, to tell which of them it is in"
TELEMETRY: Final = Inside(_HUB, "huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", _TELLS)
TELEMETRY_READ: Final = Inside(_HUB, "huggingface_hub.utils._headers", "constants.HF_HUB_DISABLE_TELEMETRY", _TELLS)
NO_LOGIN: Final = Inside(
    _HUB,
    f"{_PROVIDERS}._common:TaskProviderHelper",
    "log in with",
    "a missing token is `not_found` instead of `authentication`, and the error doesn't say how to pass one here",
)
WRONG_KEY: Final = Inside(
    _HUB,
    f"{_PROVIDERS}.openai",
    "API key",
    "a token that this provider doesn't take is `not_found` instead of `authentication`",
)
_ROUTING: Final = (HELPER, PREPARE, *ARGUMENTS, *PREPARED)
INSIDES: Final[tuple[Inside, ...]] = (*_ROUTING, CLIENT, TELEMETRY, TELEMETRY_READ, NO_LOGIN, WRONG_KEY)


class Unrouted(Exception):
    """The SDK knows no way from this model to this provider."""


class NoToken(Unrouted):
    """There is no token, or not one that this provider takes."""


class Route(NamedTuple):
    """Where a call goes, with which headers, and what the model and the answer's form are called there."""

    url: str
    headers: dict[str, str]
    model_id: str
    response_format: Any


class Connection:
    """An `AsyncInferenceClient`, and whether it has found its way already."""

    __slots__ = ("_found", "_known", "_looking", "_own", "client")

    def __init__(self, client: Any, *, own: bool) -> None:
        self.client, self._own = client, own
        self._found = False
        self._known: tuple[str, Route] | None = None
        self._looking: Future[Route] | None = None

    async def route(self, model_id: str, token: str | None, response_format: Any, seconds: Any) -> Route:
        """The way of a call. The first may take a question to the hub, for which the SDK blocks; it then remembers.

        Without a token each may, because a login is renewed on the way.
        Raises `Unrouted`, `Malformed`, what else such a question ends in, and TimeoutError when it takes longer than so
        many seconds.
        """
        known = self._known
        if known is not None and response_format is None and known[0] == token:
            return known[1]._replace(headers={**known[1].headers})
        ask = functools.partial(_route, self.client, model_id, token, response_format)
        if not self._found:
            if self._looking is None or self._looking.done():
                self._looking = apart(ask, "modelport-huggingface")
            await _within(seconds, self._looking, model_id)
            self._found = True
        route = ask() if token is not None else await _within(seconds, apart(ask, "modelport-huggingface"), model_id)
        if self._own and token is not None and response_format is None:  # a stored login may change meanwhile
            self._known = (token, route._replace(headers={**route.headers}))
        return route

    async def http(self) -> Any:
        """The HTTP client, with the SDK's hooks, as its `set_async_client_factory` has it made."""
        return await CLIENT.needed(self.client)()

    async def close(self) -> None:
        """Close the client, unless it is somebody else's."""
        if self._own:
            await self.client.close()


def _route(client: Any, model_id: str, token: str | None, response_format: Any) -> Route:
    from huggingface_hub.inference import _providers

    _without_telemetry()
    place = client.model or model_id  # `client.model` is an address
    try:
        helper = HELPER.needed(_providers)(client.provider, task="conversational", model=place)
        prepared = PREPARE.needed(helper)(
            inputs=[],
            parameters={"model": model_id, "response_format": response_format},
            headers=client.headers,
            model=place,
            api_key=token,
        )
    except UnicodeEncodeError:  # a ValueError too: a token that no header can carry
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if hasattr(error, "response"):
            raise
        if type(error).__name__ not in ("ValueError", "HFValidationError"):
            for inside in ARGUMENTS:
                inside.check()
            raise Malformed(f"what the hub says of {model_id} can't be read: {type(error).__name__}") from error
        message = str(error)
        if NO_LOGIN.name in message:
            raise NoToken("there is no token: pass token=..., set HF_TOKEN, or log in with `hf auth login`") from None
        raise (NoToken if WRONG_KEY.name in message else Unrouted)(message) from None
    url, headers, payload = (inside.needed(prepared) for inside in PREPARED)
    return Route(url, headers, payload["model"], payload.get("response_format"))


def connect(**arguments: Any) -> Connection:
    """A connection over a client of its own."""
    from huggingface_hub import AsyncInferenceClient

    return Connection(AsyncInferenceClient(**arguments), own=True)


def _without_telemetry() -> None:
    """Say for this process what HF_HUB_DISABLE_TELEMETRY says, which the SDK has read when it was imported.

    Else a call, to whatever address, first asks huggingface.co for a list of programs, to tell which of them it is in.
    """
    from huggingface_hub import constants

    TELEMETRY.put(constants, True)


@functools.lru_cache(maxsize=64)
def parsed(kind: type, url: str) -> Any:
    """The address as the HTTP library has it, which would read it anew for each call."""
    return kind(url)


def cookie_header(cookies: Mapping[str, str] | None) -> dict[str, str]:
    """The client's cookies as a header: httpx2 deprecates those of a request, and keeps those of a client."""
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


async def _within(seconds: Any, asked: Future[T], model_id: str) -> T:
    limit = asyncio.timeout(seconds if isinstance(seconds, (int, float)) else None)
    try:
        async with limit:
            return await asyncio.wrap_future(asked)
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimeoutError(f"the hub didn't say in {seconds:g} seconds where {model_id} is served") from None
