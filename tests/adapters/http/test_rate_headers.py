"""What a provider says is left, in the headers of its answers, reaches whoever paces the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from laws import listen
from loopback import DONE, Answer, Loopback, chunk, error, streamed, whole

from modelport import Limiter, Model, as_request, compose, with_rate_limit
from modelport.adapters import AzureOpenAIModel, InferenceClientModel, OpenAIModel
from modelport.adapters.http.rate_headers import heard, listening
from modelport.domain.machines.allowance import Allowance, Left

LEFT = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}
HI = as_request("Hi")


def openai(url: str, **options: Any) -> Model:
    return OpenAIModel("m", base_url=url, api_key="none", **options)


def azure(url: str, **options: Any) -> Model:
    return AzureOpenAIModel("m", azure_endpoint=url.removesuffix("/v1"), api_version="v", api_key="none", **options)


def huggingface(url: str, **options: Any) -> Model:
    return InferenceClientModel("m", base_url=url, token="none", **options)


def told(answer: Answer) -> Answer:
    return Answer(answer.status, {**answer.headers, **LEFT}, answer.body, answer.pieces)


DATE = "Mon, 30 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"date": DATE, "anthropic-ratelimit-requests-reset": "2026-11-30T10:06:00Z"}, 360.0),
        ({"date": DATE, "anthropic-ratelimit-requests-reset": "2026-11-30T09:00:00Z"}, 0.0),
        ({"date": DATE, "anthropic-ratelimit-requests-reset": "soon"}, None),
        ({"date": "today", "anthropic-ratelimit-requests-reset": "2026-11-30T10:06:00Z"}, None),
        ({"anthropic-ratelimit-requests-reset": "2001-01-01T00:00:00Z"}, 0.0),
        ({}, None),
    ],
)
def test_anthropic_s_points_in_time_are_read_as_seconds(headers: dict[str, str], seconds: float | None) -> None:
    told = list[Allowance]()
    with listening(told.append):
        heard({**headers, "anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-tokens-remaining": "9"})
    assert told == [Allowance(Left(0.0, None, seconds), Left(9.0))]


@pytest.mark.needs("anthropic")
def test_a_limiter_hears_what_anthropic_has_left() -> None:
    from messages_wire import model, whole

    left = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-11-30T10:06:00Z"}
    limiter, answer = Limiter(60_000), whole()
    with Loopback(Answer(200, {**answer.headers, "date": DATE, **left}, answer.body)) as server:
        compose(model(server), with_rate_limit(limiter))("Hi")
    refusal = limiter.refusal(max_wait=60)
    assert refusal is not None
    assert 350 < (refusal.retry_after or 0) <= 360


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(openai, marks=pytest.mark.needs("openai")),
        pytest.param(azure, marks=pytest.mark.needs("openai")),
        pytest.param(huggingface, marks=pytest.mark.needs("huggingface")),
    ],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("paced", ["by a layer", "by itself"])
@pytest.mark.parametrize(
    ("answer", "stream"),
    [
        (whole(), False),
        (streamed(chunk({"content": "Hi"}), chunk(finish="stop"), DONE), True),
        (error(500), False),
        (error(500), True),
    ],
    ids=["whole", "streamed", "refused", "refused stream"],
)
def test_a_limiter_hears_that_nothing_is_left(
    make: Callable[..., Model], paced: str, answer: Answer, stream: bool
) -> None:
    limiter = Limiter(60_000)
    with Loopback(told(answer)) as server:
        model = make(server.url, requests_per_minute=limiter) if paced == "by itself" else make(server.url)
        asked = model if paced == "by itself" else compose(model, with_rate_limit(limiter))
        asyncio.run(listen(asked, HI) if stream else asked.generate(HI))  # type: ignore[arg-type]
    refusal = limiter.refusal(max_wait=60)
    assert refusal is not None
    assert 350 < (refusal.retry_after or 0) <= 360
