"""with_defaults: options under every call, whole and streamed; the call is stronger, the model is weaker."""

import asyncio
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import LAWS
from subjects import Scripted

from modelport import OMIT, ScriptedModel, as_request, compose, describe
from modelport.composition.layers.defaults import Defaults, with_defaults
from modelport.domain.options.option import merge

OPTIONS = st.dictionaries(st.sampled_from(["seed", "think", "documents"]), st.none() | st.integers() | st.just(OMIT))


def asked(*layers, **options):
    """The options that reach the model."""
    model = ScriptedModel("Hi")
    asyncio.run(compose(model, *layers).generate(as_request("Hello!", **options)))
    return model.requests[0].options


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_defaults(temperature=0.5)))


def test_options_go_under_a_call_that_names_none():
    assert asked(with_defaults(temperature=0.5, seed=7)) == {"temperature": 0.5, "seed": 7}


def test_what_the_call_says_stands():
    assert asked(with_defaults(temperature=0.5, seed=7), temperature=None) == {"temperature": None, "seed": 7}


def test_a_call_that_omits_an_option_takes_the_default_away():
    assert asked(with_defaults(temperature=0.5), temperature=OMIT) == {"temperature": OMIT}


def test_a_default_that_omits_an_option_takes_it_from_the_model_and_not_from_the_call():
    assert asked(with_defaults(temperature=OMIT)) == {"temperature": OMIT}
    assert asked(with_defaults(temperature=OMIT), temperature=1) == {"temperature": 1}


def test_another_spelling_of_an_option_is_that_option():
    assert asked(with_defaults(max_new_tokens=5), max_completion_tokens=9) == {"max_tokens": 9}


@given(OPTIONS, OPTIONS, OPTIONS)
def test_the_layer_nearer_to_the_call_is_the_stronger(inner, outer, call):
    assert asked(with_defaults(**inner), with_defaults(**outer), **call) == merge(inner, merge(outer, call))


def test_the_rest_of_the_request_is_as_it_was():
    model = ScriptedModel("Hi")
    request = as_request("Hello!", ["stop"], response_format={"type": "json_object"}, seed=7)
    asyncio.run(compose(model, with_defaults(seed=1, top_p=0.5)).generate(request))
    expected = as_request("Hello!", ["stop"], response_format={"type": "json_object"}, seed=7, top_p=0.5)
    assert model.requests == (expected,)
    assert hash(model.requests[0]) == hash(expected)
    assert request.options == {"seed": 7}


def test_a_stream_has_them_too():
    model = ScriptedModel("Hi")

    async def main():
        return [event async for event in compose(model, with_defaults(seed=7)).stream(as_request("Hello!"))]

    asyncio.run(main())
    assert model.requests[0].options == {"seed": 7}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stop_sequences": ["x"]}, r"with_defaults: 'stop_sequences' is not an option; use stop_sequences="),
        ({"max_tokens": 1, "max_new_tokens": 2}, "with_defaults: 'max_tokens' and 'max_new_tokens' are two spellings"),
        ({"temperature": -1}, "with_defaults: temperature must not be negative, not -1"),
    ],
)
def test_what_no_call_could_have_is_an_error_at_once(options, said):
    with pytest.raises(ValueError, match=said):
        with_defaults(**options)


def test_it_is_described_without_its_secrets():
    model = compose(ScriptedModel("Hi"), with_defaults(seed=7, aws_session_token="sk-secret"))
    assert describe(model) == "Defaults({'seed': 7, 'aws_session_token': '***'})\n└─ ScriptedModel"


def test_the_policy_is_a_value():
    policy = with_defaults(seed=7)(ScriptedModel("Hi")).policy
    assert policy == pickle.loads(pickle.dumps(policy)) == Defaults({"seed": 7})
