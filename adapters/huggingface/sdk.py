"""How huggingface_hub routes a call: all that is used of its inside, in one place.

Its `chat_completion` makes dataclasses of every event, and keeps headers and connections to itself. Beneath it stands a
helper for each provider, which knows the address, the headers, the model's name there and what is peculiar about the
payload. These are outside of its public face: `INSIDES` names what is used of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from ..http.http_errors import Malformed
from ..process.inside import Argument, Inside

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
INSIDES: Final[tuple[Inside, ...]] = (*_ROUTING, TELEMETRY, TELEMETRY_READ, NO_LOGIN, WRONG_KEY)


class Unrouted(Exception):
    """The SDK knows no way from this model to this provider."""


class NoToken(Unrouted):
    """There is no token, or not one that this provider takes."""


class Route(NamedTuple):
    """Where a call goes, with which headers, and what the model and the answer's form are called there."""

    url: str
    headers: Mapping[str, str]
    model_id: str
    response_format: Any


def route(model_id: str, token: str | None, response_format: Any, *, client: Any = None, **settings: Any) -> Route:
    """The way of a call, as the SDK's client knows it: one that was injected, or one with these settings.

    It blocks: the first call with a model may take a question to the hub, whose answer the SDK remembers, and any call
    without a token may renew a login. Raises `Unrouted`, `Malformed`, and what else such a question ends in.
    """
    from huggingface_hub import AsyncInferenceClient, is_offline_mode
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.inference import _providers

    if is_offline_mode():
        raise OfflineModeIsEnabled("offline mode is enabled: nothing is sent; unset HF_HUB_OFFLINE")
    if client is None:  # it is never opened
        client = AsyncInferenceClient(token=token, **settings)
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
    return Route(_quoted(url), headers, payload["model"], payload.get("response_format"))


def _without_telemetry() -> None:
    """Say for this process what HF_HUB_DISABLE_TELEMETRY says, which the SDK has read when it was imported.

    Else a call, to whatever address, first asks huggingface.co for a list of programs, to tell which of them it is in.
    """
    from huggingface_hub import constants

    TELEMETRY.put(constants, True)


def _quoted(url: str) -> str:
    """The address as HTTP carries it; what is quoted already stays so."""
    parts = urlsplit(url)
    path, query = (quote(text, safe="!#$%&'()*+,/:;=?@[]~") for text in (parts.path, parts.query))
    return parts._replace(path=path, query=query).geturl()
