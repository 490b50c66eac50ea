"""What a request is, in one line."""

import copy
import math
import pickle
import subprocess
import sys
from typing import Any

import attrs
import pytest
from domain_values import requests
from hypothesis import given

from modelport.domain.forms.fingerprint import fingerprint
from modelport.domain.message import Audio, Image, Message, Role, Text, ToolCall
from modelport.domain.options.option import OMIT, canonical
from modelport.domain.request import Request
from modelport.domain.response_format import JsonObject, JsonSchema
from modelport.domain.secrecy import is_secret
from modelport.domain.tool import Tool

HI = Request([Message("user", "hi")])


def of(**options: Any) -> str:
    return fingerprint(attrs.evolve(HI, options=canonical(options)))


@given(requests)
def test_equal_requests_have_equal_fingerprints(request: Request) -> None:
    """A copy has the fingerprint of the original."""
    assert (
        fingerprint(copy.deepcopy(request)) == fingerprint(request) == fingerprint(pickle.loads(pickle.dumps(request)))
    )


@given(requests, requests)
def test_different_requests_have_different_fingerprints(a: Request, b: Request) -> None:
    """Two fingerprints are one only where the requests are."""
    assert fingerprint(a) != fingerprint(b) or a == b


def test_it_is_the_same_in_any_process() -> None:
    """The version and the hash are literal: what is stored today is found tomorrow."""
    code = (
        "from modelport.domain.forms.fingerprint import fingerprint as f;"
        "from modelport.domain.request import Request as R;"
        "from modelport.domain.message import Message as M; print(f(R([M('user','hi')], ['b'], options={'seed': 7})))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {"v1:a6ce9077b111ad545d3db2b36bec39d5d791015b19caa9e4147732118a31547a"}


def test_every_sort_of_value_has_the_fingerprint_of_version_1() -> None:
    """Literal, as this file's other hash: a change of how one sort is written would lose what caches keep."""
    request = Request(
        [
            Message("user", [Text("hi", metadata={"p": {"sign": b"x"}}), Image(b"1", detail="low")], "Ann"),
            Message("assistant", [ToolCall("1", "f", {"a": 1})]),
        ],
        ["b"],
        [Tool("f", "does f", {"type": "object"}, True)],
        "required",
        JsonSchema({"type": ["object", "null"]}),
        canonical(
            {
                "seed": OMIT,
                "x": {1: 2.0, "y": [1.5, None, True], "z": {"b", "a"}},
                "form": JsonObject(),
                "role": Role.USER,
            }
        ),
    )
    assert fingerprint(request) == "v1:325b289a3edd69c957078a474fc30da3fe29bdc7f1dd9746bb806c1f79291d5e"


def test_the_order_of_a_dict_does_not_count() -> None:
    """At any depth."""
    assert of(a={"x": 1, "y": {"p": 1, "q": 2}}, b=2) == of(b=2, a={"y": {"q": 2, "p": 1}, "x": 1})


DIFFERENT: list[Request] = [
    HI,
    attrs.evolve(HI, messages=[Message("user", "ho")]),
    attrs.evolve(HI, messages=[Message("system", "hi")]),
    attrs.evolve(HI, messages=[Message("user", "hi", "Ann")]),
    attrs.evolve(HI, messages=[Message("user", "hi", metadata={"anthropic": {"cache": 1}})]),
    attrs.evolve(HI, messages=[Message("user", [Text("hi", metadata={"anthropic": {"cache": 1}})])]),
    attrs.evolve(HI, messages=[Message("user", [Text("h"), Text("i")])]),
    attrs.evolve(HI, messages=[Message("user", "hi"), Message("user", "hi")]),
    attrs.evolve(HI, messages=[Message("user", [Image(b"1")])]),
    attrs.evolve(HI, messages=[Message("user", [Image(b"2")])]),
    attrs.evolve(HI, messages=[Message("user", [Image(b"1", detail="low")])]),
    attrs.evolve(HI, messages=[Message("user", [Audio(b"1", media_type="image/png")])]),
    attrs.evolve(HI, messages=[Message("assistant", [ToolCall("1", "f")])]),
    attrs.evolve(HI, stop_sequences=["hi"]),
    attrs.evolve(HI, tools=[Tool("f")]),
    attrs.evolve(HI, tools=[Tool("f", strict=True)]),
    attrs.evolve(HI, tools=[Tool("f")], tool_choice="f"),
    attrs.evolve(HI, response_format=JsonObject()),
    attrs.evolve(HI, response_format=JsonSchema({})),
    attrs.evolve(HI, response_format=JsonSchema({}, strict=False)),
    attrs.evolve(HI, response_format=JsonSchema({"password": {"type": "string"}})),
    *(
        attrs.evolve(HI, options=canonical(options))
        for options in (
            {"seed": 1}, {"seed": 2}, {"seed": None}, {"seed": OMIT}, {"x": 1}, {"x": "1"}, {"x": True}, {"x": "OMIT"},
            {"x": [1]}, {"x": [[1]]}, {"x": {"1": 1}}, {"x": ["omit"]}, {"x": b"1"}, {"x": {1, 2}}, {"x": 1.5},
            {"eos_token": "a"}, {"eos_token": "b"}, {"max_tokens": 5}, {"token_healing": True},
            {"schema": {"token": {"type": "string"}}}, {"schema": {"token": {"type": "integer"}}},
            {"y": [["token", "a"]]},
        )
    ),
]  # fmt: skip


def test_it_sees_all_that_changes_the_answer() -> None:
    """Every field tells two requests apart, down to a part's metadata."""
    assert len({fingerprint(request) for request in DIFFERENT}) == len(DIFFERENT)
    assert all(len(fingerprint(request)) == 3 + 64 for request in DIFFERENT)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"x": 1}, {"x": 1.0}),
        ({"x": [1]}, {"x": (1,)}),
        ({"x": b"1"}, {"x": bytearray(b"1")}),
        ({"x": {1: 2}}, {"x": {"1": 2}}),
        ({"x": frozenset({2, 1})}, {"x": {1, 2}}),
        ({"max_new_tokens": 5}, {"max_tokens": 5}),
        ({"x": JsonObject()}, {"x": JsonObject()}),
        ({"x": Message("user", "").role}, {"x": "user"}),
    ],
)
def test_one_meaning_one_fingerprint(a: dict[str, Any], b: dict[str, Any]) -> None:
    """What is written the same on the wire is the same."""
    assert of(**a) == of(**b)


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "s"}, {"Authorization": "s"}, {"extra_headers": {"X-API-Key": "s"}}, {"token": "s"},
        {"access-token": "s"}, {"PASSWORD": "s"}, {"client_secret": "s"}, {"aws_secret_access_key": "s"},
        {"aws_session_token": "s"}, {"Cookie": "s"}, {"cookies": {"session": "s"}}, {"api_key": len},
        {"extra_headers": [("x-api-key", "s")]}, {"a": {"b": [{"api_key": "s"}]}}, {"apiKey": "s"},
    ],
)  # fmt: skip
def test_secrets_do_not_count(options: dict[str, Any]) -> None:
    """Another key, another token: the same question. None of it gets into the hash."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if not is_secret(k)}
        if isinstance(value, list):
            return [without(item) for item in value if not isinstance(item, tuple)]
        return value

    assert of(**options) == of(**without(options))


@pytest.mark.parametrize("name", ["eos_token", "max_tokens", "tokens", "token_ids", "pad_token", "tokenizer", "key", 3])
def test_what_is_no_secret(name: Any) -> None:
    """A name is a secret's only when it is exactly one."""
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"logits_processor": len}, r"options\['logits_processor'\]: <built-in function len> has no canonical form"),
        ({"a": {"b": [object]}}, r"options\['a'\]\['b'\]\[0\]"),
        ({"a": {(1, 2): 1}}, r"options\['a'\]: \(1, 2\) is no name"),
        ({"a": {True: 1}}, r"options\['a'\]: True is no name"),
    ],
)
def test_what_has_no_canonical_form(options: dict[str, Any], words: str) -> None:
    """A value that isn't data is an error that names the option."""
    with pytest.raises(ValueError, match=words):
        of(**options)


def test_a_number_that_json_does_not_have_has_no_canonical_form():
    tool = Tool("t", "", {"maximum": math.inf})
    with pytest.raises(ValueError, match=r"tools\[0\]\.parameters\['maximum'\]: inf has no canonical form"):
        fingerprint(Request([Message("user", "Hi")], tools=[tool]))
