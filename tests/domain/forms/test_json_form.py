"""domain/json_form: every value goes through JSON text and comes back equal, and nothing but values comes out."""

from __future__ import annotations

import json
from typing import Any, get_args, get_type_hints

import attrs
import pytest
from domain_values import attempts, errors, one_tool, requests, responses, usages
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.attempt import Attempt, Skipped, Wait
from modelport.domain.error import ModelError
from modelport.domain.event import Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta
from modelport.domain.forms import json_form
from modelport.domain.forms.json_form import from_json, to_json
from modelport.domain.frozen import FrozenDict
from modelport.domain.message import Image, Message, Text
from modelport.domain.message import as_json as text_of
from modelport.domain.options.option import OMIT, canonical
from modelport.domain.request import Request
from modelport.domain.response import Response
from modelport.domain.usage import Usage

events = st.one_of(
    st.builds(TextDelta, st.text(min_size=1)),
    st.builds(ReasoningDelta, st.text(min_size=1)),
    st.builds(ToolCallDelta, st.integers(0, 3), st.none() | st.text(), st.none() | st.text(), st.text()),
    st.builds(Finished, responses),
    st.builds(Failed, errors, st.none() | responses),
)


def through_text(value: Any, *, whole: bool = False) -> Any:
    """The value that comes out of the text of its JSON."""
    written = text_of(to_json(value, whole=whole))
    return from_json(json.loads(written.encode().decode()))


@pytest.mark.parametrize("kind", [responses, errors, requests, events, attempts, usages, one_tool], ids=range(7))
def test_every_value_comes_back_equal(kind: st.SearchStrategy[Any]) -> None:
    @given(value=kind)
    def check(value: Any) -> None:
        assert through_text(value) == value
        assert through_text(value, whole=True) == value

    check()


@given(value=requests)
def test_a_request_comes_back_hashable_and_frozen(value: Request) -> None:
    assert type(through_text(value).options) in (type(value.options), FrozenDict)
    hash(through_text(attrs.evolve(value, options={})))


def test_fields_at_their_defaults_are_left_out() -> None:
    assert to_json(Response.of("Hi", usage=Usage(3, 1))) == {
        "type": "response",
        "message": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
        "usage": {"type": "usage", "input_tokens": 3, "output_tokens": 1},
    }


def test_what_a_provider_sent_raw_is_left_out() -> None:
    assert "raw" not in to_json(Response.of("Hi", raw=object()), whole=True)


def test_a_ledger_keeps_who_was_passed_over() -> None:
    attempt = Attempt("p", "m", "answered", waits=(Skipped("circuit_open", model_id="n"), Wait("retry", 1.0)))
    assert through_text(Response.of("Hi", attempts=(attempt,))).attempts == (attempt,)


def test_an_error_keeps_its_causes() -> None:
    error = ModelError("exhausted", "all failed", causes=(ModelError("server", "a", retry_after=float("inf")),))
    assert through_text(error) == error


@pytest.mark.parametrize(
    "options",
    [
        {"a": OMIT},
        {"a": {"$omit": True}},
        {"a": {"$map": []}},
        {"a": {"$": 1, "$omit": 2}},
        {"logit_bias": {50256: -100}, "a": {"x": {1: 2}}},
        {"a": b"\x00\xff"},
        {"a": {"type": "text", "text": "not a part"}},
        {"a": [1, [2.5, None, True]]},
    ],
    ids=repr,
)
def test_options_of_every_kind_come_back(options: dict[str, Any]) -> None:
    request = Request([Message("user", "Hi")], options=canonical(options))
    assert through_text(request) == request


def test_metadata_may_hold_what_no_number_is() -> None:
    (read,) = through_text(Message("user", [Text("Hi", metadata={"x": {"score": float("nan")}})])).content
    assert repr(read.metadata["x"]["score"]) == "nan"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (
            Request([Message("user", "Hi")], options=canonical({"a": {"b": [print]}})),
            "request.options['a']['b'][0]: <built-in",
        ),
        (Message("user", [Text("Hi", metadata={"x": {1, 2}})]), "message.content[0].metadata['x']: {1, 2}"),
    ],
)
def test_what_has_no_form_in_json_is_named_by_its_place(value: Any, place: str) -> None:
    with pytest.raises(ValueError, match="has no form in JSON") as caught:
        to_json(value)
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "from_json: takes a mapping with a type, not None"),
        ({"text": "Hi"}, "from_json: takes a mapping with a type"),
        ({"type": "Popen"}, "from_json: 'Popen' is none of request, message, text"),
        ({"type": ["text"]}, "from_json: ['text'] is none of"),
        ({"type": "text", "txt": "Hi"}, "from_json.txt: Text has no such field"),
        ({"type": "text"}, "from_json: "),
        ({"type": "text", "text": 1}, "from_json: "),
        ({"type": "image", "data": "no base64!"}, "from_json: "),
        ({"type": "finished", "response": {"type": "response", "message": {"type": "x"}}}, "from_json.response.mess"),
        ({"type": "text", "text": "a", "metadata": {"$bytes": "?"}}, "from_json.metadata: "),
        ({"type": "text", "text": "a", "metadata": {"a": {"$map": 1}}}, "from_json.metadata['a']: "),
        ({"type": "model_error", "kind": "slowness", "message": "x"}, "from_json: 'slowness' is not a valid ErrorKind"),
    ],
)
def test_what_was_not_written_so_is_named_by_its_place(data: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^from_json") as caught:
        from_json(data)
    assert str(caught.value).startswith(said)


def test_bytes_stand_as_base64() -> None:
    assert to_json(Image(b"abc")) == {"type": "image", "data": "YWJj"}


def classes_in(hint: Any) -> set[type]:
    """The attrs classes that a type hint names."""
    found = {hint, *hint.__subclasses__()} if isinstance(hint, type) and attrs.has(hint) else set()
    return found.union(*(classes_in(inner) for inner in get_args(hint)))


def test_every_class_that_a_value_can_hold_has_its_word() -> None:
    """A field of a new kind can't be forgotten here."""
    for cls in json_form._CLASS.values():
        for name, hint in get_type_hints(cls).items():
            assert classes_in(hint) <= set(json_form._CLASS.values()), f"{cls.__name__}.{name}"
