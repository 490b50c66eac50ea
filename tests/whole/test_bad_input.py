"""Bad input: each a clear error that names the value and the place, before anything is sent."""

import math

import pytest

from modelport import (
    OMIT,
    ScriptedModel,
    as_request,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import OpenAIModel, TransformersModel

HELLO = [{"role": "user", "content": "Hello!"}]


@pytest.mark.parametrize(
    ("messages", "how", "said"),
    [
        ([{"role": "sytem", "content": "x"}], {}, r"messages\[0\].*'sytem'"),
        ([{"content": "x"}], {}, r"messages\[0\].*role"),
        ([{"role": "user", "content": [{"type": "smell"}]}], {}, r"messages\[0\]\.content\[0\].*smell"),
        ([{"role": "user", "content": 7}], {}, r"messages\[0\]\.content.*(7|int)"),
        ([], {}, "messages"),
        (HELLO, {"stop_sequences": [""]}, r"stop_sequences\[0\]: an empty stop"),
        (HELLO, {"stop_sequences": ["a", 3]}, r"stop_sequences\[1\]: 3 is not a string"),
        (HELLO, {"temperature": math.nan}, "temperature must be a finite number, not nan"),
        (HELLO, {"temperature": -1}, "temperature must not be negative, not -1"),
        (HELLO, {"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
        (HELLO, {"max_tokens": 5, "max_new_tokens": 6}, "'max_tokens' and 'max_new_tokens' are two spellings"),
        (HELLO, {"stop": ["x"]}, "'stop' is not an option; use stop_sequences"),
        (HELLO, {"tool_choice": "hammer"}, "tool_choice: 'hammer'"),
        (HELLO, {"response_format": "xml"}, "response_format: can't read 'xml'"),
        (
            [{"role": "user", "content": [{"type": "image", "image": "/no/such/picture.png"}]}],
            {},
            r"messages\[0\]\.content\[0\].*/no/such/picture\.png",
        ),
    ],
)
def test_a_request_that_no_model_could_answer_is_refused_before_it_is_sent(messages, how, said):
    model = ScriptedModel("never")
    with pytest.raises((ValueError, TypeError), match=said):
        compose(model)(messages, **how)
    assert model.requests == ()


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: with_rate_limit(-60), "above 0, not -60"),
        (lambda: with_retry(attempts=0), "attempts must be at least 1"),
        (with_fallback, "fall back to which model"),
    ],
)
def test_a_layer_that_makes_no_sense_is_refused_at_construction(layer, said):
    with pytest.raises((ValueError, TypeError), match=said):
        layer()


@pytest.mark.parametrize("make", [OpenAIModel, TransformersModel])
def test_an_option_that_makes_no_sense_is_refused_at_construction(make):
    with pytest.raises(ValueError, match="temperature must be a finite number, not nan"):
        make("some-model", temperature=math.nan)


def test_a_model_folder_without_weights_is_a_clear_error(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    model = TransformersModel(str(tmp_path))
    with pytest.raises(Exception, match=str(tmp_path)):
        model(HELLO)


def test_omit_is_not_a_bad_value():
    assert as_request(HELLO, temperature=OMIT).options == {"temperature": OMIT}
