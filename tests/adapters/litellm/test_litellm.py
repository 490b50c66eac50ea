"""`LiteLLMModel` over a real loopback server: its answers, stops, options and secrets."""

from __future__ import annotations

import asyncio
import gc
import pickle
import weakref
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from litellm_calls import HI, KEY, QUIET, answered, asked, deployment, failed, model, router
from loopback import DONE, Answer, Loopback, Seen, body, chunk, error, saying, streamed, two_at_once, whole

from modelport import Audio, Image, as_request
from modelport.adapters.litellm.call import LiteLLMCall
from modelport.adapters.litellm.model import LiteLLMModel
from modelport.adapters.process.secret import Env
from modelport.domain.capability import Capabilities
from modelport.domain.event import Finished, TextDelta
from modelport.domain.message import Message, Text
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.usage import Usage

pytestmark = QUIET


def test_an_answer_is_read_whole_and_streamed() -> None:
    with Loopback(saying("Grüße, 안녕, 🙂!", (2, 5))) as server:
        found, streamed_one, events = answered(model(server))
    assert (found.content, found.finish_reason, found.model_id, found.response_id) == (
        "Grüße, 안녕, 🙂!",
        "stop",
        "m-1",
        "c1",
    )
    assert found.usage == Usage(7, 3)
    assert streamed_one == found
    assert len(events) > 3
    assert [seen.path for seen in server.requests] == ["/v1/chat/completions"] * 2
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[1].json["stream_options"] == {"include_usage": True}
    assert found.raw.choices[0].message.content == found.content


@pytest.mark.parametrize("usage", [{}, {"usage": None}])
def test_tokens_that_litellm_counted_itself_are_not_the_providers(usage: dict[str, Any]) -> None:
    def answer(seen: Any) -> Any:
        if seen.json.get("stream"):
            return streamed(chunk({"content": "x"}), chunk(finish="stop"), DONE)
        return body({"id": "c1", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], **usage})

    with Loopback(answer) as server:
        found, streamed_one, _ = answered(model(server))
    assert (found.usage, streamed_one.usage) == (None, None)


STOP = Request([Message("user", "hi")], ["이"])


def test_a_stop_is_enforced_where_the_server_ignores_it_and_drops_the_connection() -> None:
    endless = [chunk({"content": "안녕, 친구. 이것은 비밀"}), *[chunk({"content": "x"})] * 3]

    def answer(seen: Any) -> Any:
        return streamed(*endless, then="stall") if seen.json.get("stream") else whole("안녕, 친구. 이것은 비밀")

    with Loopback(answer) as server:
        found, streamed_one, events = answered(model(server), STOP)
        assert server.until(lambda seen: seen.dropped == 1)
    assert (found.content, found.stopped_by, found.finish_reason) == ("안녕, 친구. ", "이", "stop")
    assert (streamed_one.message, streamed_one.stopped_by) == (found.message, "이")
    assert events == [TextDelta("안녕, 친구. ")]
    assert server.requests[0].json["stop"] == ["이"]


@pytest.mark.parametrize("model_id", ["openai/gpt-5-mini", "openai/o3", "openai/my-own-o3"])
def test_a_model_that_takes_no_stops_gets_none(model_id: str) -> None:
    with Loopback(saying("one STOP two")) as server:
        capabilities = Capabilities(max_stops=0) if "own" in model_id else None
        found, _, _ = answered(model(server, model_id, capabilities=capabilities), as_request("hi", ["STOP"]))
    assert (found.content, found.stopped_by) == ("one ", "STOP")
    assert all("stop" not in seen.json for seen in server.requests)


def test_a_provider_for_which_litellm_refuses_stops_gets_none() -> None:
    """Perplexity has no `stop`: litellm would raise, and the text is cut here."""
    with Loopback(saying("one STOP two")) as server:
        found, _, _ = answered(model(server, "perplexity/sonar"), as_request("hi", ["STOP"]))
    assert (found.content, found.stopped_by) == ("one ", "STOP")
    assert all("stop" not in seen.json for seen in server.requests)


def test_options_meet_and_the_call_wins() -> None:
    with Loopback(whole()) as server:
        subject = model(server, temperature=0.2, seed=7, max_tokens=9, extra_headers={"x-a": "b"})
        subject("hi", temperature=0.9, seed=OMIT, logit_bias={"1": 2}, extra_body={"guided": True})
        subject("hi", max_new_tokens=5, timeout=3)
    first, second = server.requests
    messages = [{"role": "user", "content": "hi"}]
    known = {"model": "gpt-4o", "messages": messages}
    assert first.json == {**known, "temperature": 0.9, "max_tokens": 9, "logit_bias": {"1": 2}, "guided": True}
    assert second.json == {**known, "temperature": 0.2, "seed": 7, "max_tokens": 5}
    assert first.headers["x-a"] == "b"


def test_arguments_of_litellm_go_to_it_as_they_are() -> None:
    with Loopback(whole()) as server:
        given = {"custom_llm_provider": "openai", "organization": "org-1"}
        model(server, "gpt-4o", client_kwargs=given)("hi")
    assert (server.requests[0].headers["openai-organization"], server.requests[0].json["model"]) == ("org-1", "gpt-4o")


def test_an_argument_of_litellm_that_makes_attempts_is_refused_there_too() -> None:
    with pytest.raises(ValueError, match=r"LiteLLMModel: no num_retries; an adapter makes one attempt: use with_retry"):
        LiteLLMModel("openai/gpt-4o", client_kwargs={"num_retries": 3})


def test_nothing_is_dropped_unless_the_user_says_so() -> None:
    request = as_request("hi", logit_bias={"1": 2})
    with Loopback(saying("x")) as server:
        refused, _, _ = failed(model(server, "perplexity/sonar"), request)
        assert (refused.kind, refused.sent, server.requests) == ("unsupported", "no", [])
        found, _, _ = answered(model(server, "perplexity/sonar", drop_params=True), request)
    assert found.content == "x"
    assert "logit_bias" not in server.requests[0].json


def test_pictures_sounds_and_forms_are_sent() -> None:
    picture, sound = Image(b"\x89PNG\r\n\x1a\n", media_type="image/png"), Audio(b"RIFF", media_type="audio/wav")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    request = Request([Message("user", [Text("look"), picture, sound])], response_format=form)
    with Loopback(saying("{}")) as server:
        answered(model(server), request)
    sent = server.requests[0].json
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]
    assert sent["response_format"] == form


def test_what_no_wire_of_litellm_has_is_not_sent() -> None:
    with Loopback(whole()) as server:
        for request in (
            Request([Message("user", "hi")], response_format={"type": "json_object"}),
            Request([Message("user", Image(b"x"))]),
        ):
            found, _, _ = failed(model(server, capabilities=Capabilities()), request)
            assert (found.kind, found.sent) == ("unsupported", "no")
    assert server.requests == []


def test_reasoning_comes_apart_and_is_not_sent_back_to_those_who_do_not_know_it() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    history = [
        Message("user", "hi"),
        Message("assistant", "Hello!", metadata={"litellm": {"thinking_blocks": [thought]}}),
        Message("user", "and now?"),
    ]
    with Loopback(saying("x")) as server:
        answered(model(server), Request(history))
    assert "thinking_blocks" not in server.requests[0].json["messages"][1]


def test_what_is_another_provider_s_option_and_makes_more_attempts_here_is_refused_by_the_call() -> None:
    with Loopback(saying("x")) as server:
        refused = asyncio.run(model(server).generate(as_request("hi", fallbacks=[{"model": "other"}]))).failure()
    assert (refused.kind, len(server.requests)) == ("invalid_request", 0)
    assert "use the layer with_fallback(...)" in refused.message


@pytest.mark.parametrize("name", ["num_retries", "max_retries", "context_window_fallback_dict"])
def test_litellms_own_retries_and_fallbacks_are_refused_with_what_to_use_instead(name: str) -> None:
    with pytest.raises(ValueError, match=r"with_(retry|fallback)"):
        LiteLLMModel("openai/x", **{name: 3})
    with pytest.raises(ValueError, match=f"there is no option '{name}'|with_(retry|fallback)"):
        as_request("hi", **{name: 3})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_id": ""}, "model_id"),
        ({"timeout": 0}, "timeout"),
        ({"callbacks": []}, "callbacks"),
        ({"temperature": float("nan")}, "temperature"),
        ({"stop": ["x"]}, "stop_sequences"),
        ({"custom_role_conversions": {"system": "boss"}}, "custom_role_conversions"),
    ],
)
def test_a_mistake_is_named_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        LiteLLMModel(**{"model_id": "openai/x", **fields})


def test_models_are_values() -> None:
    one, two = (LiteLLMModel("openai/x", api_key=Env("A_KEY"), temperature=0.1) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != LiteLLMModel("openai/x", api_key="other")
    assert pickle.loads(pickle.dumps(one)) == one


def test_a_key_may_be_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_OF_MINE", KEY)
    with Loopback(whole()) as server:
        subject = model(server, api_key=Env("A_KEY_OF_MINE"), extra_headers={"x-key": Env("A_KEY_OF_MINE")})
        subject("hi")
        monkeypatch.delenv("A_KEY_OF_MINE")
        unset, _, _ = failed(subject)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].headers["x-key"] == KEY
    assert (unset.kind, unset.sent) == ("authentication", "no")
    assert "A_KEY_OF_MINE" in unset.message


PLANTED = [
    {"api_key": KEY},
    {"api_key": "x", "extra_headers": {"Authorization": f"Bearer {KEY}"}},
    {"api_key": "x", "aws_session_token": KEY},
    {"api_key": "x", "aws_secret_access_key": KEY},
]


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_secret_is_in_nothing_that_is_shown(
    planted: dict[str, Any], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Loopback(error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}")) as server:
        subject = model(server, **planted)
        found, last, _ = failed(subject)
    shown = capfd.readouterr()
    assert KEY not in f"{subject!r} {subject} {found!r} {found} {last!r} {shown.out} {shown.err} {caplog.text}"
    assert "Incorrect API key provided: ***" in found.message


def test_a_secret_of_the_environment_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Loopback(error(401, None, f"no such key: {KEY}")) as server:
        found, _, _ = failed(model(server, api_key=None))
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert found.message == "no such key: ***"


def test_an_injected_client_is_used() -> None:
    async def main(server: Loopback) -> str:
        from openai import AsyncOpenAI

        async with AsyncOpenAI(api_key="mine", base_url=server.url, default_headers={"x-mine": "yes"}) as client:
            return (await LiteLLMModel("openai/gpt-4o", client=client).generate(HI)).unwrap().content

    with Loopback(whole()) as server:
        assert asyncio.run(main(server)) == "Hello!"
    assert server.requests[0].headers["x-mine"] == "yes"


def test_a_model_waits_for_ever_where_it_is_told_to() -> None:
    with Loopback(saying("x")) as server:
        assert answered(model(server, timeout=None))[0].content == "x"


def test_calls_are_paced() -> None:
    with Loopback(saying("x")) as server:
        found, _, _ = answered(model(server, requests_per_minute=6000))
    assert [(attempt.provider, attempt.model_id, attempt.outcome) for attempt in found.attempts] == [
        ("litellm", "openai/gpt-4o", "answered")
    ]


def test_roles_are_exchanged_and_content_is_flattened() -> None:
    request = Request([Message("system", "be brief"), Message("user", [Text("one"), Text("two")])])
    with Loopback(whole()) as server:
        subject = model(server, custom_role_conversions={"system": "user"}, flatten_messages_as_text=True)
        asked(subject, request)
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "be brief\none\ntwo"}]


def test_connections_and_clients_end_with_their_event_loop() -> None:
    """Litellm would keep a client, its connections and the loop itself for each loop that there ever was."""
    import litellm

    async def call(subject: LiteLLMCall) -> weakref.ref[asyncio.AbstractEventLoop]:
        await subject.generate(HI)
        assert [event async for event in subject.stream(HI)]
        return weakref.ref(asyncio.get_running_loop())

    def held() -> tuple[set[str], set[str]]:
        cache = litellm.in_memory_llm_clients_cache
        return set(cache.cache_dict), set(cache.ttl_dict)

    with Loopback(saying("x")) as server:
        for subject in (model(server), router(deployment(server, "one"))):
            asyncio.run(call(subject))
            before = held()
            loops = [asyncio.run(call(subject)) for _ in range(4)]
            gc.collect()
            assert held() == before
            assert [loop() for loop in loops[:-1]] == [None] * 3
        assert server.until(lambda seen: seen.open == 0)
        assert server.connections == 10


def test_a_connection_serves_the_next_call_after_a_stream() -> None:
    """Litellm reads as far as `[DONE]`, so the end of the body has to come with it."""

    async def drained(events: AsyncIterator[Any]) -> None:
        async for _ in events:
            pass

    async def main(server: Loopback) -> None:
        subject = model(server)
        for _ in range(3):
            await drained(subject.stream(HI))
            await subject.generate(HI)

    def together(seen: Seen) -> Answer:
        return attrs.evolve(saying("Hello!")(seen), together=True)

    with Loopback(together) as server:
        asyncio.run(main(server))
    assert (len(server.requests), server.connections) == (6, 1)


def test_of_several_answers_in_a_stream_the_first_is_shown() -> None:
    """They were mixed, as `TheThe sky sky`."""

    async def main(server: Loopback) -> Any:
        return [event async for event in model(server).stream(HI)][-1]

    with Loopback(two_at_once()) as server:
        last = asyncio.run(main(server))
    assert isinstance(last, Finished)
    assert (last.response.content, last.response.finish_reason) == ("The sky", "stop")
