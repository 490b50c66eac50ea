"""domain/when: questions of an error, combined as their truth values are."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import ModelError
from modelport.domain.error import MEANING, ErrorKind, Sent
from modelport.domain.when import when

ERRORS = st.builds(
    ModelError,
    st.sampled_from(ErrorKind),
    st.just("no"),
    sent=st.sampled_from(Sent),
    status=st.sampled_from([None, 429, 500, 503]),
    code=st.sampled_from([None, "busy"]),
    provider=st.sampled_from([None, "openai"]),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from([*ErrorKind, ("server", "timeout")]),
        "sent": st.sampled_from([*Sent, ["no", "perhaps"]]),
        "status": st.sampled_from([429, (500, 503)]),
        "code": st.just("busy"),
        "retry": st.booleans(),
    },
).filter(bool)


@given(ERRORS, ASKED, ASKED)
def test_questions_combine_as_truth_does(error, one, other):
    a, b = when(**one), when(**other)
    assert (a | b)(error) is (a(error) or b(error))
    assert (a & b)(error) is (a(error) and b(error))
    assert (~a)(error) is (not a(error))
    assert a(error) is all(when(**{name: value})(error) for name, value in one.items())


@pytest.mark.parametrize("kind", ErrorKind)
def test_what_a_kind_means_can_be_asked(kind):
    error = ModelError(kind, "no")
    meaning = MEANING[kind]
    assert when(retry=True)(error) is meaning.retry
    assert when(fall_back=False)(error) is not meaning.fall_back
    assert when(fault=["caller", "local"])(error) is (meaning.fault in ("caller", "local"))


def test_a_question_is_a_value_that_prints_as_it_is_written():
    question = (when(kind=["timeout", "server"]) | when(status=503, provider="openai")) & ~when(sent="yes")
    text = "((when(kind=['server', 'timeout']) | when(status=503, provider='openai')) & ~when(sent='yes'))"
    assert repr(question) == text
    assert eval(text, {"when": when}) == question
    assert pickle.loads(pickle.dumps(question)) == question


def test_what_no_error_has_is_an_error_at_once():
    with pytest.raises(ValueError, match="when: kind: 'slowness' is not a valid ErrorKind; there are authentication"):
        when(kind="slowness")
    with pytest.raises(ValueError, match="when: status: there are no values to compare with"):
        when(status=[])
    with pytest.raises(ValueError, match="when: status: '500' is no int, as every status of an error is"):
        when(status=[502, "500"])
    with pytest.raises(TypeError, match="when: ask something"):
        when()
    with pytest.raises(TypeError):
        when(kind="server") | {"timeout"}
    with pytest.raises(TypeError):
        when(kind="server") & 5
