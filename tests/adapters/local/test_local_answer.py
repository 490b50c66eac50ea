"""One answer of a model on this machine, whatever the runtime."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.adapters.local.answer import LocalAnswer
from modelport.adapters.local.logprobs import Logprobs
from modelport.domain.error import ModelError
from modelport.domain.event import Event, TextDelta
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import FinishReason
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

TEXT = "안녕 Hi. <think>"  # each of its bytes is a token
TOOL = Tool("clock", "The time.", {"type": "object", "properties": {}})
USED = Usage(1, 2)


class Decoder:
    """Makes text of bytes, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, tokens: list[int]) -> str:
        self.asked += 1
        return bytes(tokens).decode(errors="replace")


def answering(decode: Decoder, *, shown: list[Event] | None = None, logprobs: Any = None, **asked: Any) -> LocalAnswer:
    request = Request([Message("user", "Hello")], **asked)
    return LocalAnswer(decode, request, "", None if shown is None else shown.append, logprobs)


def test_a_whole_answer_is_decoded_at_its_end() -> None:
    decode = Decoder()
    answer = answering(decode)
    for token in TEXT.encode():
        answer.feed([token])
    assert decode.asked == 0
    response = answer.finish(FinishReason.LENGTH, USED, "m-1").response
    assert (response.content, response.finish_reason, response.usage) == (TEXT, "length", USED)


@pytest.mark.parametrize(
    "asked",
    [{"shown": []}, {"logprobs": Logprobs()}, {"tools": [TOOL]}, {"stop_sequences": ["never said"]}],
    ids=lambda asked: next(iter(asked)),
)
def test_what_could_end_it_or_is_shown_is_decoded_at_once(asked: dict[str, Any]) -> None:
    decode = Decoder()
    answer = answering(decode, **asked)
    answer.feed([*b"Hi"])
    assert decode.asked == 1
    assert answer.finish(FinishReason.STOP, USED, "m-1").response.content == "Hi"


def test_events_are_shown_as_they_come() -> None:
    shown: list[Event] = []
    answer = answering(Decoder(), shown=shown)
    answer.feed([*b"One "])
    assert shown == [TextDelta("One ")]
    answer.feed([*b"two."])
    assert shown == [TextDelta("One "), TextDelta("two.")]


def test_a_stop_ends_it_and_nothing_is_heard_after() -> None:
    answer = answering(Decoder(), stop_sequences=["이"])
    answer.feed([*"사과 이".encode()])
    assert answer.ended
    answer.feed([*b"more"])
    response = answer.finish(FinishReason.LENGTH, USED, "m-1").response
    assert (response.content, response.stopped_by, response.finish_reason) == ("사과 ", "이", "stop")


def test_what_was_shown_before_it_broke_off_is_kept() -> None:
    answer = answering(Decoder(), shown=[])
    answer.feed([*b"So far"])
    failed = answer.fail(ModelError("server", "the device is gone"))
    assert failed.partial is not None
    assert failed.partial.content == "So far"
