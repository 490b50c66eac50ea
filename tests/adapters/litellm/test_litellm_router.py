"""`LiteLLMRouterModel`: litellm's Router does the routing, and the ledger shows which deployment answered."""

from __future__ import annotations

import asyncio
import os
import pickle
from typing import Any

import pytest
from litellm_calls import HI, KEY, QUIET, answered, deployment, failed, model, router
from loopback import Answer, Loopback, chunk, error, saying, streamed, whole

from modelport import Message, Request, as_request, compose, with_retry
from modelport.adapters.litellm.router import LiteLLMRouterModel
from modelport.adapters.process.secret import Env
from modelport.domain.attempt import Attempt
from modelport.domain.event import TextDelta

pytestmark = QUIET


def ledger(attempts: tuple[Attempt, ...]) -> list[tuple[str | None, str, str]]:
    """Each attempt: the model, what came of it, and the deployment."""
    return [(each.model_id, each.outcome, (each.message or "").split(" ")[1].strip(":")) for each in attempts]


def test_the_pages_own_snippet_works() -> None:
    """As smolagents' page has it, with keys that may not be set."""
    LiteLLMRouterModel(
        model_id="llama-3.3-70b",
        model_list=[
            {
                "model_name": "llama-3.3-70b",
                "litellm_params": {"model": "groq/llama-3.3-70b", "api_key": os.getenv("NO_SUCH_KEY")},
            },
            {
                "model_name": "llama-3.3-70b",
                "litellm_params": {"model": "cerebras/llama-3.3-70b", "api_key": os.getenv("NO_SUCH_KEY")},
            },
        ],
        client_kwargs={"routing_strategy": "simple-shuffle"},
    )


def test_a_key_of_none_is_one_for_litellm_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    with Loopback(saying("Hello!")) as server:
        answered(router(deployment(server, "one", api_key=None)))
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-environment"


def test_silence_is_measured_by_the_call_the_deployment_and_the_model_in_this_order() -> None:
    with Loopback(Answer(0, then="stall")) as server:
        for subject, request in (
            (router(deployment(server, "one"), timeout=0.2), HI),
            (router(deployment(server, "one", timeout=0.2), timeout=60.0), HI),
            (router(deployment(server, "one", timeout=60.0)), as_request("hi", timeout=0.2)),
        ):
            found, last, _ = failed(subject, request)
            assert (found.kind, last.error.kind) == ("timeout", "timeout")
    with Loopback(saying("Hello!")) as server:
        for subject in (router(deployment(server, "one"), timeout=None), router(deployment(server, "one"))):
            assert answered(subject, as_request("hi", timeout=None))[0].content == "Hello!"


def test_the_ledger_shows_which_deployment_answered() -> None:
    with Loopback(saying("Hello!")) as one, Loopback(saying("Hello!")) as two:
        subject = router(deployment(one, "one"), deployment(two, "two"), client_kwargs={"num_retries": 0})
        seen = {"one": 0, "two": 0}
        for _ in range(6):
            for response in answered(subject)[:2]:
                ((model_id, outcome, name),) = ledger(response.attempts)
                assert (model_id, outcome) == ("openai/gpt-4o", "answered")
                assert f"at {(one if name == 'one' else two).url}" in (response.attempts[0].message or "")
                seen[name] += 1
    assert seen == {"one": len(one.requests), "two": len(two.requests)}
    assert sum(seen.values()) == 12


def test_a_layer_leaves_the_ledger_as_the_router_made_it() -> None:
    with Loopback(saying("Hello!")) as server:
        found, _, _ = answered(compose(router(deployment(server, "one")), with_retry()))
    assert ledger(found.attempts) == [("openai/gpt-4o", "answered", "one")]
    assert found.attempts[0].usage == found.usage


def test_a_stream_says_when_its_first_event_came() -> None:
    with Loopback(saying("Hello!")) as server:
        _, found, _ = answered(router(deployment(server, "one")))
    (attempt,) = found.attempts
    assert attempt.first_event is not None
    assert 0 < attempt.first_event < attempt.duration


def test_it_makes_one_attempt_and_cools_nothing_down_unless_it_is_asked_to() -> None:
    with Loopback(error(500)) as server:
        subject = router(deployment(server, "one"), deployment(server, "two"))
        for calls in (2, 4, 6):
            found, last, _ = failed(subject)
            assert (found.kind, last.error.kind, len(server.requests)) == ("server", "server", calls)
            assert [outcome for _, outcome, _ in ledger(found.attempts)] == ["server"]


def test_its_own_retries_are_in_the_ledger() -> None:
    with Loopback(error(500, None, f"busy {KEY}"), error(500), saying("Hello!")) as server:
        subject = router(deployment(server, "one"), client_kwargs={"num_retries": 3})
        found = asyncio.run(subject.generate(HI)).unwrap()
    assert ledger(found.attempts) == [
        ("openai/gpt-4o", "server", "one"),
        ("openai/gpt-4o", "server", "one"),
        ("openai/gpt-4o", "answered", "one"),
    ]
    assert found.attempts[0].message == "deployment one: busy ***"
    starts = [attempt.started for attempt in found.attempts]
    assert starts == sorted(starts)
    assert all(attempt.duration > 0 for attempt in found.attempts)


def test_a_fallback_is_in_the_ledger_whole_and_streamed() -> None:
    with Loopback(error(500)) as bad, Loopback(saying("Hello!")) as good:
        deployments = deployment(bad, "bad"), deployment(good, "good", "other")
        subject = router(*deployments, client_kwargs={"fallbacks": [{"group": ["other"]}]})
        for found in answered(subject)[:2]:
            assert ledger(found.attempts) == [
                ("openai/gpt-4o", "server", "bad"),
                ("openai/gpt-4o", "answered", "good"),
            ]


def test_where_a_fallback_fails_too_the_first_failure_is_told() -> None:
    """Of the other's, litellm tells nothing."""
    with Loopback(error(503)) as one, Loopback(error(429)) as other:
        deployments = deployment(one, "one"), deployment(other, "other", "spare")
        found, last, _ = failed(router(*deployments, client_kwargs={"fallbacks": [{"group": ["spare"]}]}))
    assert (found.kind, last.error.kind, len(other.requests)) == ("overloaded", "overloaded", 2)
    assert ledger(found.attempts) == ledger(last.error.attempts) == [("openai/gpt-4o", "overloaded", "one")]


def test_a_stream_is_not_begun_again_after_its_first_content() -> None:
    with Loopback(streamed(chunk({"content": "Hel"}), then="cut")) as bad, Loopback(saying("Hello!")) as good:
        deployments = deployment(bad, "bad"), deployment(good, "good", "other")
        subject = router(*deployments, client_kwargs={"fallbacks": [{"group": ["other"]}]})

        async def main() -> list[Any]:
            return [event async for event in subject.stream(HI)]

        first, last = asyncio.run(main())
    assert first == TextDelta("Hel")
    assert (last.error.kind, good.requests) == ("interrupted", [])
    assert ledger(last.error.attempts) == [("openai/gpt-4o", "interrupted", "bad")]


def test_a_cooldown_that_was_asked_for_is_an_open_circuit() -> None:
    with Loopback(error(500)) as server:
        subject = router(deployment(server, "one"), client_kwargs={"allowed_fails": 0, "cooldown_time": 30})
        found, last, _ = failed(subject)
    assert (found.kind, last.error.kind, last.error.sent) == ("server", "circuit_open", "no")
    assert (last.error.retry_after, last.error.scope, last.error.attempts) == (30.0, "model", ())
    assert len(server.requests) == 1


def test_a_group_of_two_cools_down_one_after_the_other() -> None:
    with Loopback(error(500)) as server:
        deployments = deployment(server, "one"), deployment(server, "two")
        found, last, _ = failed(router(*deployments, client_kwargs={"allowed_fails": 0, "cooldown_time": 30}))
        assert (found.kind, last.error.kind) == ("server", "server")
        subject = router(*deployments, client_kwargs={"allowed_fails": 0, "cooldown_time": 30})
        kinds = asyncio.run(several(subject, 3))
    assert kinds == ["server", "server", "circuit_open"]
    assert len(server.requests) == 4


async def several(subject: LiteLLMRouterModel, calls: int) -> list[str]:
    """The kinds of so many failures, one after the other."""
    return [(await subject.generate(HI)).failure().kind.value for _ in range(calls)]


def test_what_its_router_says_in_words_alone_is_of_this_kind() -> None:
    async def main(server: Loopback) -> tuple[list[str], list[str]]:
        import litellm

        busy: Any = deployment(server, "one", rpm=1)
        own = litellm.Router(model_list=[busy], num_retries=0, routing_strategy="usage-based-routing-v2")
        unknown = await several(LiteLLMRouterModel("nobody", client=own), 1)
        subject = LiteLLMRouterModel("group", client=own)
        (await subject.generate(HI)).unwrap()
        kinds = await several(subject, 1)
        own.retire()
        return unknown, kinds

    with Loopback(saying("Hello!")) as server:
        assert asyncio.run(main(server)) == (["not_found"], ["rate_limited"])
        assert len(server.requests) == 1


def test_a_connection_that_broke_and_was_tried_again_is_in_the_ledger_as_interrupted() -> None:
    with Loopback(Answer(0, then="reset"), saying("Hello!")) as server:
        found = asyncio.run(router(deployment(server, "one"), client_kwargs={"num_retries": 1}).generate(HI)).unwrap()
    assert ledger(found.attempts) == [("openai/gpt-4o", "interrupted", "one"), ("openai/gpt-4o", "answered", "one")]


def test_a_group_whose_models_take_no_stops_gets_none() -> None:
    with Loopback(saying("one STOP two")) as server:
        subject = router(deployment(server, "one", model="openai/o3"), deployment(server, "two"))
        found, _, _ = answered(subject, as_request("hi", ["STOP"]))
    assert (found.content, found.stopped_by) == ("one ", "STOP")
    assert all("stop" not in seen.json for seen in server.requests)


def test_options_of_the_call_reach_the_deployment() -> None:
    request = Request([Message("user", "hi")], options={"temperature": 0.5, "metadata": {"trace": "mine"}})
    with Loopback(saying("x")) as server:
        answered(router(deployment(server, "one"), max_tokens=7), request)
    sent = server.requests[0].json
    assert (sent["temperature"], sent["max_tokens"], "metadata" in sent) == (0.5, 7, False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_list": None}, "model_list"),
        ({"model_list": []}, "model_list"),
        ({"model_list": [{"model_name": "group"}]}, r"model_list\[0\]"),
        ({"model_id": "another"}, "another"),
        ({"client": object()}, "model_list"),
        ({"model_list": None, "client": object()}, "litellm.Router"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_a_mistake_is_named_at_construction(fields: dict[str, Any], says: str) -> None:
    good = [{"model_name": "group", "litellm_params": {"model": "openai/x"}}]
    with pytest.raises((ValueError, TypeError), match=says):
        LiteLLMRouterModel(**{"model_id": "group", "model_list": good, **fields})


def test_a_router_of_the_applications_own_is_used() -> None:
    async def main(server: Loopback) -> Any:
        import litellm

        own = litellm.Router(model_list=[deployment(server, "one")], num_retries=0)  # type: ignore[arg-type]
        found = (await LiteLLMRouterModel("group", client=own).generate(HI)).unwrap()
        own.retire()
        return found

    with Loopback(saying("Hello!")) as server:
        assert ledger(asyncio.run(main(server)).attempts) == [("openai/gpt-4o", "answered", "one")]


def test_a_planted_secret_is_in_nothing_that_is_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A_KEY_OF_MINE", KEY)
    leaky = error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}")
    for key in (KEY, Env("A_KEY_OF_MINE")):
        with Loopback(leaky) as server:
            subject = router(
                deployment(server, "one", api_key=key, extra_headers={"x-api-key": key}),
                client_kwargs={"num_retries": 1, "redis_password": KEY},
            )
            found, last, _ = failed(subject)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert server.requests[0].headers["x-api-key"] == KEY
        shown = capfd.readouterr()
        assert KEY not in f"{subject!r} {found!r} {found} {last!r} {shown.out}"
        assert found.kind == "authentication"


def test_routers_end_with_their_event_loop_and_leave_no_callback_behind() -> None:
    import litellm

    lists = ("success_callback", "failure_callback", "_async_success_callback", "_async_failure_callback", "callbacks")
    before = {name: len(getattr(litellm, name)) for name in lists}
    with Loopback(saying("x")) as server:
        subject = router(deployment(server, "one"), client_kwargs={"routing_strategy": "least-busy"})
        for _ in range(3):
            assert asyncio.run(subject.generate(HI)).unwrap().content == "x"
    assert {name: len(getattr(litellm, name)) for name in lists} == before


def test_models_are_values() -> None:
    good = [{"model_name": "group", "litellm_params": {"model": "openai/x", "api_key": Env("A_KEY")}}]
    one, two = (LiteLLMRouterModel("group", model_list=good, client_kwargs={"num_retries": 1}) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
    good[0]["litellm_params"]["model"] = "changed"  # type: ignore[index]
    assert one == two


def test_it_says_what_the_plain_model_says() -> None:
    with Loopback(whole("Hello!")) as server:
        one = asyncio.run(model(server).generate(HI)).unwrap()
        other = asyncio.run(router(deployment(server, "one")).generate(HI)).unwrap()
    assert (one.message, one.usage, one.model_id) == (other.message, other.usage, other.model_id)
