"""`InferenceClientModel` goes where `AsyncInferenceClient.chat_completion` goes, and says the same there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loopback import Answer, Loopback, Seen, body, saying, whole

pytest.importorskip("huggingface_hub")

from huggingface_hub.inference._providers import PROVIDERS
from huggingface_process import hub, run

NAMES = sorted(name for name, tasks in PROVIDERS.items() if "conversational" in tasks)

BOTH = """
huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # else the client by hand asks for a list of programs
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}}
WHICH = json.loads(os.environ["WHICH"])


async def main():
    for provider, token in WHICH:
        for schema in (False, True):
            client = AsyncInferenceClient(provider=provider, token=token, bill_to="acme", headers={"x-mine": "yes"})
            model = InferenceClientModel(
                "org/name",
                provider=provider,
                token=token,
                bill_to="acme",
                headers={"x-mine": "yes"},
                transport=HOME,
            )
            tool = Tool("weather", "Tells it.", SCHEMA)
            function = {"name": "weather", "parameters": SCHEMA, "description": "Tells it."}
            request = Request(
                [Message("system", "Be brief."), Message("user", "hi")],
                ["END"],
                [tool],
                "auto",
                JsonSchema(SCHEMA, "place") if schema else None,
                {"temperature": 0.5, "max_tokens": 9, "top_p": 0.9, "seed": 1, "top_k": 3, "logit_bias": {"1": 2}},
            )
            await client.chat_completion(
                [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
                model="org/name",
                stop=["END"],
                tools=[{"type": "function", "function": function}],
                tool_choice="auto",
                response_format=FORM if schema else None,
                temperature=0.5,
                max_tokens=9,
                top_p=0.9,
                seed=1,
                extra_body={"top_k": 3, "logit_bias": {"1": 2}},
            )
            await client.close()
            result = await model.generate(request)
            shown.append([result.unwrap().content, model.provider])


asyncio.run(main())
"""


def sent(seen: Seen) -> dict[str, object]:
    """What matters of a request, without what names the request, and what its transport says of the connection."""
    others = ("accept", "accept-encoding", "connection", "x-amzn-trace-id")
    left = {name: value for name, value in seen.headers.items() if name not in others}
    payload = {name: value for name, value in seen.json.items() if (name, value) != ("stream", False)}
    return {"path": seen.path, "headers": {**left, "content-length": ""}, "payload": payload}


def compared(which: list[tuple[str | None, str]], home: Path) -> tuple[list[Seen], list[object]]:
    served = {name: f"{name}-calls-it-so" for name in NAMES}
    with Loopback(hub(served)) as server:
        shown = run(BOTH, server, home, WHICH=json.dumps(which))
    posts = [seen for seen in server.requests if seen.method == "POST"]
    assert len(posts) == len(which) * 4
    for by_hand, ours in zip(posts[::2], posts[1::2], strict=True):
        assert sent(ours) == sent(by_hand)
    return posts[1::2], shown


def test_every_provider_of_the_sdk_is_asked_as_the_sdk_asks_it_with_its_own_key(tmp_path: Path) -> None:
    posts, shown = compared([(name, "sk-own-key") for name in NAMES], tmp_path)
    assert len(NAMES) >= 16
    assert shown == [["Hello!", f"huggingface/{name}"] for name in NAMES for _ in range(2)]
    asked = dict(zip(NAMES, posts[::2], strict=True))
    assert asked["novita"].headers["x-origin"] == "https://api.novita.ai"
    assert asked["novita"].path == "/v3/openai/chat/completions"
    assert asked["novita"].json["model"] == "novita-calls-it-so"
    assert asked["together"].headers["x-origin"] == "https://api.together.xyz"
    formats = {name: seen.json["response_format"] for name, seen in zip(NAMES, posts[1::2], strict=True)}
    assert formats["together"].keys() == {"type", "schema"}
    assert formats["hf-inference"].keys() == {"type", "value"}
    assert formats["groq"]["json_schema"]["name"] == "place"


def test_every_provider_is_reached_through_the_router_with_a_token_of_hugging_face(tmp_path: Path) -> None:
    routed = [name for name in NAMES if name != "openai"]
    posts, _ = compared([(name, "hf_token_0123456789") for name in routed], tmp_path)
    assert {seen.headers["x-origin"] for seen in posts} == {"https://router.huggingface.co"}
    assert {seen.headers["authorization"] for seen in posts} == {"Bearer hf_token_0123456789"}
    assert {seen.headers["x-hf-bill-to"] for seen in posts} == {"acme"}
    assert {seen.headers["x-mine"] for seen in posts} == {"yes"}


def test_auto_leaves_the_choice_to_the_router(tmp_path: Path) -> None:
    posts, shown = compared([(None, "hf_token_0123456789"), ("auto", "hf_token_0123456789")], tmp_path)
    assert {(seen.headers["x-origin"], seen.path) for seen in posts} == {
        ("https://router.huggingface.co", "/v1/chat/completions")
    }
    assert shown == [["Hello!", "huggingface"]] * 4


def test_openai_with_a_key_of_its_own_hears_of_max_tokens_by_the_name_that_it_knows(tmp_path: Path) -> None:
    call = "ask('{}', provider='openai', token='sk-own-key', max_tokens=9)"
    with Loopback(saying("Hello!")) as server:
        run(call.format("o3") + "\n" + call.format("gpt-4o"), server, tmp_path)
    own = {"model": "o3", "max_completion_tokens": 9}, {"model": "gpt-4o", "max_tokens": 9}
    messages = [{"role": "user", "content": "hi"}]
    assert [seen.json for seen in server.requests] == [{**told, "messages": messages, "stream": False} for told in own]
    assert {seen.headers["x-origin"] for seen in server.requests} == {"https://api.openai.com"}


def test_the_suffix_of_a_model_names_its_provider_to_the_router(tmp_path: Path) -> None:
    with Loopback(hub({})) as server:
        run("ask('org/name:novita', token='hf_token_0123456789')", server, tmp_path)
    (post,) = server.requests
    assert (post.method, post.json["model"]) == ("POST", "org/name:novita")


def test_the_hub_is_asked_once_where_a_model_is_served(tmp_path: Path) -> None:
    script = """
model = InferenceClientModel("org/name", provider="novita", token="hf_token_0123456789", transport=HOME)


async def main():
    async def one():
        return (await model.generate(as_request("hi"))).unwrap().content

    shown.extend(await asyncio.gather(*(one() for _ in range(20))))
    shown.extend([event async for event in model.stream(as_request("hi"))][-1].response.content.split())


asyncio.run(main())
asyncio.run(main())
"""
    with Loopback(hub({"novita": "n"})) as server:
        shown = run(script, server, tmp_path)
    assert shown == ["Hello!"] * 42
    assert len([seen for seen in server.requests if seen.method == "GET"]) == 1


NOWHERE = [
    (
        "provider='groq', token='hf_x'",
        "not_found",
        "huggingface/groq",
        "Model org/name is not supported by provider groq",
    ),
    ("provider='nobody', token='hf_x'", "not_found", "huggingface/nobody", "Provider 'nobody' not supported"),
    (
        "provider='wavespeed', token='hf_x'",
        "not_found",
        "huggingface/wavespeed",
        "not supported for provider 'wavespeed'",
    ),
    ("token='sk-another'", "authentication", "huggingface", "non-Hugging Face API key"),
    ("provider='openai', token='hf_x'", "authentication", "huggingface/openai", "use your own OpenAI API key"),
    ("", "authentication", "huggingface", "there is no token: pass token=..., set HF_TOKEN, or log in"),
    ("token=Env('MISSING')", "authentication", "huggingface", "the environment variable MISSING isn't set"),
]


def test_a_way_that_does_not_exist_is_an_error_before_anything_is_sent(tmp_path: Path) -> None:
    script = "".join(f"ask('org/name', {arguments})\n" for arguments, *_ in NOWHERE)
    with Loopback(hub({"novita": "n"})) as server:
        shown = run(script, server, tmp_path)
    assert [told[:3] for told in shown] == [[kind, "no", provider] for _, kind, provider, _ in NOWHERE]
    for (*_, message), (*_, words) in zip(shown, NOWHERE, strict=True):
        assert words in message
    assert [seen for seen in server.requests if seen.method == "POST"] == []


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (body({"error": "Invalid username or password."}, 401), "authentication"),
        (body({"error": "What?"}, 400), "invalid_request"),
        (body({"error": "Repository not found"}, 404, x_error_code="RepoNotFound"), "not_found"),
        (body({"error": "Ask for access"}, 403, x_error_code="GatedRepo"), "permission"),
        (body({"error": "slow down"}, 429), "rate_limited"),
        (body({"error": "broken hf_x_0123456789"}, 500), "server"),
        (Answer(0, then="cut"), "interrupted"),
        (Answer(200, {"content-type": "text/html"}, b"<html>hello</html>"), "malformed_response"),
        (body([1]), "malformed_response"),
        (body({"hello": "world"}), "malformed_response"),
        (body({"id": "org/name", "inferenceProviderMapping": {"novita": [1]}}), "malformed_response"),
        (body({"id": "org/name"}), "not_found"),
    ],
)
def test_what_the_hub_refuses_was_never_sent(answer: Answer, kind: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_x_0123456789")
    with Loopback(answer) as server:
        ((found, sent, _, message),) = run("ask('org/name', provider='novita')", server, tmp_path)
    assert (found, sent) == (kind, "no")
    assert "hf_x" not in message


def test_a_token_that_no_header_can_carry_is_not_shown_where_the_hub_is_asked(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_planted_é", encoding="utf-8")
    with Loopback(hub({"novita": "n"})) as server:
        ((kind, sent, _, message),) = run("ask('org/name', provider='novita')", server, tmp_path)
    assert (kind, sent) == ("authentication", "no")
    assert "planted" not in message


def test_a_hub_that_says_nothing_is_waited_for_as_long_as_the_timeout_says(tmp_path: Path) -> None:
    with Loopback(Answer(0, then="stall")) as server:
        (shown,) = run("ask('org/name', provider='novita', token='hf_x', timeout=0.3)", server, tmp_path)
    message = "TimeoutError: the hub didn't say in 0.3 seconds where org/name is served"
    assert shown == ["timeout", "no", "huggingface/novita", message]


def test_a_login_that_is_renewed_holds_up_nobody_else(tmp_path: Path) -> None:
    """The SDK renews it on the way of whichever call finds it too old, and has no timeout for that."""
    script = """
async def main():
    model = InferenceClientModel("org/name", transport=HOME)
    told(await model.generate(as_request("hi")))
    async with asyncio.timeout(30):
        told(await model.generate(as_request("hi", timeout=1)))


asyncio.run(main())
"""

    def answer(seen: Seen) -> Answer:
        if seen.path != "/oauth/token":
            return whole("Hello!")
        if any(earlier.path != "/oauth/token" for earlier in server.requests):
            return Answer(0, then="stall")
        return body({"access_token": "hf_renewed_0123456789", "expires_in": 0})

    with Loopback(answer) as server:
        shown = run(script, server, tmp_path, HF_OIDC_RESOURCE="acme", HF_OIDC_ID_TOKEN="planted")
    late = "TimeoutError: the hub didn't say in 1 seconds where org/name is served"
    assert shown == ["Hello!", ["timeout", "no", "huggingface", late]]


TOKENS = [
    ({"HF_TOKEN": "hf_from_the_environment"}, "", "hf_from_the_environment"),
    ({}, "", "hf_from_the_login"),
    ({"HF_TOKEN": "hf_from_the_environment"}, "token='hf_passed'", "hf_passed"),
    ({"HF_TOKEN": "hf_from_the_environment"}, "api_key='hf_passed'", "hf_passed"),
    ({"MINE": "hf_named"}, "token=Env('MINE')", "hf_named"),
]


@pytest.mark.parametrize(("environment", "argument", "token"), TOKENS)
def test_a_token_is_found_where_the_sdk_finds_it(
    environment: dict[str, str], argument: str, token: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("hf_from_the_login")
    call = f"ask('org/name', {argument})"
    with Loopback(saying("Hello!")) as server:
        run(call, server, tmp_path, **environment)
    assert [seen.headers["authorization"] for seen in server.requests] == [f"Bearer {token}"]


def test_offline_mode_sends_nothing(tmp_path: Path) -> None:
    script = """
ask("m", base_url=f"http://127.0.0.1:{os.environ['PORT']}/v1", token="none", transport=None)
"""
    with Loopback(saying("Hello!")) as server:
        ((kind, sent, *_),) = run(script, server, tmp_path, HF_HUB_OFFLINE="1")
    assert (kind, sent) == ("connection", "no")
    assert server.requests == []
