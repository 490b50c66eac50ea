"""What the value of each option must be: the table, and the types that a checker sees, say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from modelport import OMIT, Options, as_request
from modelport.adapters import OpenAIModel
from modelport.domain.checks import Number
from modelport.domain.options.option import ALIASES, Omit
from modelport.domain.options.option_values import VALUES, Kind

# Checked where they are sent, or whatever a library takes.
UNCHECKED = {"extra_body", "extra_headers", "extra_query"}
ELSEWHERE = {Mapping: (Mapping,), Sequence: (tuple,), Literal: (str,)}


def typed(annotation: Any) -> Any:
    """The type of an option beside OMIT and None."""
    (only,) = [each for each in get_args(annotation) if each not in (Omit, type(None))]
    return only


TYPED = {
    name: typed(annotation)
    for name, annotation in get_type_hints(Options).items()
    if annotation is not Any and name not in ALIASES and name not in UNCHECKED
}


@pytest.mark.parametrize("name", TYPED)
def test_each_option_with_a_type_has_a_row_that_says_the_same(name: str) -> None:
    row, of_type = VALUES[name], TYPED[name]
    if of_type in (int, float):
        assert isinstance(row, Number)
        assert row.whole is (of_type is int)
    else:
        assert isinstance(row, Kind)
        assert row.types == ELSEWHERE.get(get_origin(of_type), (of_type,))


def test_no_row_is_of_an_option_without_a_type() -> None:
    assert VALUES.keys() == TYPED.keys()


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ({"seed": "x"}, TypeError, "seed must be a whole number, not 'x'"),
        ({"seed": True}, TypeError, "seed must be a whole number, not True"),
        ({"seed": 2**64}, ValueError, "seed must have at most 64 bits, not 18446744073709551616"),
        ({"random_seed": 1.5}, TypeError, "random_seed must be a whole number, not 1.5"),
        ({"top_p": 7}, ValueError, "top_p must be a share from 0 to 1, not 7"),
        ({"min_p": -0.1}, ValueError, "min_p must be a share from 0 to 1, not -0.1"),
        ({"presence_penalty": "x"}, TypeError, "presence_penalty must be a number, not 'x'"),
        ({"frequency_penalty": [1]}, TypeError, "frequency_penalty must be a number, not (1,)"),
        ({"repeat_penalty": -1}, ValueError, "repeat_penalty must not be negative, not -1"),
        ({"logit_bias": 5}, TypeError, "logit_bias must be a dict of numbers by token, not 5"),
        ({"logit_bias": {"1": "x"}}, TypeError, "logit_bias must be a dict of numbers by token, not {'1': 'x'}"),
        ({"logprobs": 1}, TypeError, "logprobs must be True or False, not 1"),
        ({"top_logprobs": -2}, ValueError, "top_logprobs must be at least -1, not -2"),
        ({"reasoning_effort": 3}, TypeError, "reasoning_effort must be text, not 3"),
        ({"metadata": "x"}, TypeError, "metadata must be a dict, not 'x'"),
        ({"bad_words": "x"}, TypeError, "bad_words must be a list of texts, not 'x'"),
        ({"stop_token_ids": [True]}, TypeError, "stop_token_ids must be a list of whole numbers, not (True,)"),
    ],
)
def test_a_value_that_nobody_takes_is_refused_by_name_in_a_call_and_in_a_constructor(
    option: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as of_call:
        as_request("Hi", **option)
    assert str(of_call.value) == f"options: {words}"
    with pytest.raises(error) as of_constructor:
        OpenAIModel("m", **option)
    assert str(of_constructor.value) == f"OpenAIModel: {words}"


@pytest.mark.parametrize("name", TYPED)
def test_each_option_may_be_null_or_taken_away(name: str) -> None:
    options: dict[str, Any] = {name: None}
    assert as_request("Hi", **options).options == {name: None}
    options = {name: OMIT}
    assert as_request("Hi", **options).options == {name: OMIT}


def test_what_some_server_takes_is_taken() -> None:
    options: dict[str, Any] = {
        "seed": -1, "top_k": -1, "top_p": 1, "min_p": 0, "temperature": 9.5, "presence_penalty": -7,
        "repetition_penalty": 0, "logit_bias": {"5": -100, 6: 0.5}, "stop_token_ids": [1, 2], "bad_words": ("a",),
    }  # fmt: skip
    assert as_request("Hi", **options).options.keys() == options.keys()
