"""What chunks say besides the answer: gathered in the form of a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.chat.answer import Arriving, decode_answer, decode_event
from modelport.adapters.chat.raw import Raw, filtered_by
from modelport.domain.event import Finished
from modelport.domain.response import Response


def finished(*chunks: Any) -> Response:
    arriving = Arriving()
    for chunk in chunks:
        decode_event(chunk, arriving)
    *_, last = arriving.finish()
    assert isinstance(last, Finished)
    return last.response


def said(text: str = "", finish: str | None = None, **choice: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish, **choice}]}


def test_nothing_said_is_none() -> None:
    assert Raw().answer is None
    assert Arriving().raw.answer is None


def test_fields_are_the_last_that_were_said_and_words_are_left_out() -> None:
    first = {**said("Hi"), "created": 1, "system_fingerprint": "a", "service_tier": None}
    last = {**said("", "stop", stop_reason=7), "created": 1, "system_fingerprint": "b"}
    assert finished(first, said(" there"), last, {"id": "c1", "choices": [], "usage": {"prompt_tokens": 1}}).raw == {
        "id": "c1",
        "created": 1,
        "system_fingerprint": "b",
        "usage": {"prompt_tokens": 1},
        "choices": [{"index": 0, "finish_reason": "stop", "stop_reason": 7}],
    }


def test_log_probabilities_go_on_and_none_takes_nothing_away() -> None:
    chunks = [
        said("a", logprobs={"content": [1], "refusal": None}),
        said("b", logprobs=None),
        said("c", logprobs={"content": [2, 3], "refusal": [4]}),
        said("", "stop", logprobs={"content": None, "refusal": None}),
    ]
    assert finished(*chunks).raw["choices"][0]["logprobs"] == {"content": [1, 2, 3], "refusal": [4]}


def test_what_a_message_has_besides_words_is_kept() -> None:
    def delta(**fields: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": fields}]}

    chunks = (
        delta(role="assistant", content="a", annotations=[{"url": 1}]),
        delta(annotations=[{"url": 2}], audio=None),
        delta(tool_calls=[], reasoning="r", mood="glad"),
    )
    assert finished(*chunks, said("", "stop")).raw["choices"][0]["message"] == {
        "annotations": [{"url": 1}, {"url": 2}],
        "mood": "glad",
    }


def test_nothing_that_was_passed_in_is_changed() -> None:
    logprobs = {"content": [1]}
    finished(said("a", logprobs=logprobs), said("b", logprobs={"content": [2]}), said("", "stop"))
    assert logprobs == {"content": [1]}


def test_annotations_are_the_last_unless_something_was_filtered() -> None:
    safe, bad = {"hate": {"filtered": False}}, {"hate": {"filtered": True}}
    later = {"violence": {"filtered": False}}
    kept = "content_filter_results"
    assert finished(said("a", **{kept: safe}), said("", "stop", **{kept: later})).raw["choices"][0][kept] == later
    found = finished(said("a", **{kept: bad}), said("", "stop", **{kept: safe}))
    assert (found.raw["choices"][0][kept], found.finish_reason) == (bad, "content_filter")


@pytest.mark.parametrize(
    ("results", "names"),
    [
        ({"hate": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False}}, ("hate",)),
        ({"custom_blocklists": [{"filtered": False}, {"filtered": True}]}, ("custom_blocklists",)),
        ({"custom_blocklists": {"filtered": True, "details": []}}, ("custom_blocklists",)),
        ({"error": {"code": "content_filter_error"}}, ()),
        ({"hate": {"filtered": "no"}, "x": None, "y": "filtered"}, ()),
        ([], ()),
        (None, ()),
        ("hate", ()),
    ],
)
def test_only_what_was_taken_away_is_filtered(results: Any, names: tuple[str, ...]) -> None:
    assert filtered_by(results) == names


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "refusal", "hate", "filtered", "error"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, JSON, JSON, JSON)
def test_no_json_breaks_it_and_whole_and_streamed_agree(one: Any, two: Any, three: Any, four: Any) -> None:
    def chunks() -> Iterator[dict[str, Any]]:
        yield said("a", logprobs=one, content_filter_results=two)
        yield said("", "stop", logprobs=three, content_filter_results=four)

    streamed = finished(*chunks())
    results = two if filtered_by(two) else four
    choice = {"message": {"content": "a"}, "finish_reason": "stop", "content_filter_results": results}
    assert streamed == decode_answer({"id": "c1", "choices": [choice]})
