"""Log probabilities have OpenAI's form, and only for tokens that are in the answer."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.local.logprobs import Logprobs, Token, take_logprobs
from modelport.domain.answer_builder import AnswerBuilder
from modelport.domain.message import Message, Part, Reasoning, Text, ToolCall
from modelport.domain.response import FinishReason, Response
from modelport.domain.stop import cut
from modelport.domain.tools.local_text import LocalText


def entries(pieces: list[str], *content: Part, stopped_by: str | None = None) -> list[str]:
    """The tokens that an answer tells of, where the model said these pieces, each a token."""
    found, said = Logprobs(), ""
    for piece in pieces:
        found.add(len(said), Token(piece.encode(), -1.0))
        said += piece
    response = found.onto(Response(Message("assistant", content), stopped_by=stopped_by), said)
    return [entry["token"] for entry in response.raw["choices"][0]["logprobs"]["content"]]


def test_the_form_is_that_of_openai_and_can_be_written_as_json() -> None:
    found = Logprobs()
    found.add(0, Token(b"Hi", -0.5), [Token(b"No", -2.5), Token(b"Hi", -0.5)])
    found.add(2, Token("안".encode()[:2], -math.inf))
    raw = json.loads(json.dumps(found.onto(Response.of("Hi안"), "Hi안").raw))
    assert raw == {
        "choices": [
            {
                "logprobs": {
                    "content": [
                        {
                            "token": "Hi",
                            "logprob": -0.5,
                            "bytes": [72, 105],
                            "top_logprobs": [
                                {"token": "Hi", "logprob": -0.5, "bytes": [72, 105]},
                                {"token": "No", "logprob": -2.5, "bytes": [78, 111]},
                            ],
                        },
                        {"token": "\ufffd", "logprob": -9999.0, "bytes": [236, 149], "top_logprobs": []},
                    ]
                }
            }
        ]
    }


@pytest.mark.parametrize(
    ("pieces", "content", "stop", "expected"),
    [
        (["one", " two", ""], [Text("one two")], None, ["one", " two"]),
        (["one", " E", "ND", "."], [Text("one ")], "END", ["one", " E"]),
        (["one", "END"], [Text("one")], "END", ["one"]),
        (["END", "x"], [], "END", []),
        (["aaa"], [], "aa", []),
        (["x", "aaa"], [Text("x")], "aa", ["x"]),
        (
            ["<think>", "END", "</think>", "a", "END"],
            [Reasoning("END"), Text("a")],
            "END",
            ["<think>", "END", "</think>", "a"],
        ),
        (['{"END"', ": 1}", "\nEND", "x"], [ToolCall("1", "f")], "END", ['{"END"', ": 1}", "\nEND"]),
    ],
)
def test_tokens_of_what_a_stop_cut_off_are_left_out(
    pieces: list[str], content: list[Part], stop: str | None, expected: list[str]
) -> None:
    assert entries(pieces, *content, stopped_by=stop) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (None, {})),
        ({"logprobs": None, "seed": 1}, (None, {"seed": 1})),
        ({"logprobs": False, "top_logprobs": 0}, (None, {})),
        ({"logprobs": True}, (0, {})),
        ({"logprobs": True, "top_logprobs": 5}, (5, {})),
    ],
)
def test_two_options_say_what_is_asked(options: dict[str, object], expected: object) -> None:
    assert take_logprobs(options) == expected


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"logprobs": 5}, "top_logprobs"),
        ({"top_logprobs": 5}, "needs logprobs=True"),
        ({"logprobs": True, "top_logprobs": -1}, "whole number"),
        ({"logprobs": True, "top_logprobs": True}, "whole number"),
    ],
)
def test_a_wrong_wish_names_the_right_one(options: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        take_logprobs(options)


@given(st.lists(st.text("ab<\n", min_size=1, max_size=3), max_size=12), st.sampled_from(["aa", "ab", "b<b", "\n"]))
def test_the_tokens_that_are_told_of_are_those_that_begin_before_the_stop(pieces: list[str], stop: str) -> None:
    text, found = cut("".join(pieces), (stop,))
    told = entries(pieces, *([Text(text)] if text else []), stopped_by=found)
    starts = [len("".join(pieces[:at])) for at in range(len(pieces))]
    assert told == [piece for piece, start in zip(pieces, starts, strict=True) if start < len(text)]


@given(st.text("ab E\n", max_size=12), st.text("ab ", max_size=6), st.integers(1, 4))
def test_a_thought_before_the_stop_is_told_of_whole(thought: str, text: str, size: int) -> None:
    said = f"<think>\n{thought}\n</think>\n\n{text}END."
    builder = AnswerBuilder(("END",))
    spoken = LocalText(builder, ("END",))
    found = Logprobs()
    for at in range(0, len(said), size):
        found.add(at, Token(said[at : at + size].encode(), -1.0))
        spoken.feed(said[at : at + size])
    spoken.close()
    builder.close()
    response = found.onto(builder.finish(spoken.finish_reason(FinishReason.LENGTH)).response, said)
    kept = len(said) - len("END.")
    assert response.stopped_by == "END"
    told = "".join(entry["token"] for entry in response.raw["choices"][0]["logprobs"]["content"])
    assert told == said[: -(-kept // size) * size]
