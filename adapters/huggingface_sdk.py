"""How huggingface_hub routes a call, and over which connections: all that is used of it, in one place.

Its `chat_completion` makes dataclasses of every event, and keeps headers and connections to itself. Beneath it stand,
alike in 1.30 to 2.x, a helper for each provider, which knows the address, the headers, the model's name there and what
is peculiar about the payload, and a plain HTTP client. Both are outside of its public face, so a test names them.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from .chat_answers import Malformed

T = TypeVar("T")


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
                self._looking = _in_a_thread(ask)
            await _within(seconds, self._looking, model_id)
            self._found = True
        route = ask() if token is not None else await _within(seconds, _in_a_thread(ask), model_id)
        if self._own and token is not None and response_format is None:  # a stored login may change meanwhile
            self._known = (token, route._replace(headers={**route.headers}))
        return route

    async def http(self) -> Any:
        """The HTTP client, with the SDK's hooks, as its `set_async_client_factory` has it made."""
        return await self.client._get_async_client()

    async def close(self) -> None:
        """Close the client, unless it is somebody else's."""
        if self._own:
            await self.client.close()


def _route(client: Any, model_id: str, token: str | None, response_format: Any) -> Route:
    from huggingface_hub.inference._providers import get_provider_helper

    _without_telemetry()
    place = client.model or model_id  # `client.model` is an address
    try:
        helper = get_provider_helper(client.provider, task="conversational", model=place)
        prepared = helper.prepare_request(
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
            raise Malformed(f"what the hub says of {model_id} can't be read: {type(error).__name__}") from error
        said = str(error)
        if "log in with" in said:
            raise NoToken("there is no token: pass token=..., set HF_TOKEN, or log in with `hf auth login`") from None
        raise (NoToken if "API key" in said else Unrouted)(said) from None
    payload: Any = prepared.json
    return Route(prepared.url, prepared.headers, payload["model"], payload.get("response_format"))


def connect(**arguments: Any) -> Connection:
    """A connection over a client of its own."""
    from huggingface_hub import AsyncInferenceClient

    return Connection(AsyncInferenceClient(**arguments), own=True)


def _without_telemetry() -> None:
    """Say for this process what HF_HUB_DISABLE_TELEMETRY says, which the SDK has read when it was imported.

    Else a call, to whatever address, first asks huggingface.co for a list of programs, to tell which of them it is in.
    """
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_TELEMETRY = True


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


def _in_a_thread(work: Callable[[], T]) -> Future[T]:
    """Done in a thread that nobody waits for at the end of the program: the SDK's questions have no timeout."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # whoever waits must hear of it
            outcome.set_exception(error)

    threading.Thread(target=run, name="modelport-huggingface", daemon=True).start()
    return outcome
