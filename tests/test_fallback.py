"""with_fallback: the next model answers when one fails, each at most once, and nothing is lost on the way."""

import pytest

from modelport import ModelError, ScriptedModel, as_request, blocking, compose, with_fallback
from modelport.domain.capability import Capabilities
from modelport.domain.error import MEANING, ErrorKind
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.response import Response

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke", model_id="first")


def ask(model):
    return blocking(model).generate(REQUEST)


def test_the_first_model_that_answers_is_enough():
    spare = ScriptedModel("spare")
    assert ask(compose(ScriptedModel("Hi"), with_fallback(spare))).unwrap().content == "Hi"
    assert spare.requests == ()


def test_the_next_model_answers_and_the_ledger_shows_both():
    response = ask(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel("spare")))).unwrap()
    assert (response.content, [a.outcome for a in response.attempts]) == ("spare", ["server", "answered"])


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not MEANING[kind].fall_back])
def test_an_error_that_no_model_could_mend_is_given_back(kind):
    spare = ScriptedModel("spare")
    assert ask(compose(ScriptedModel(ModelError(kind, "no")), with_fallback(spare))).failure().kind == kind
    assert spare.requests == ()


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if MEANING[kind].fall_back])
def test_an_error_that_another_model_may_mend_goes_to_it(kind):
    model = compose(ScriptedModel(ModelError(kind, "no")), with_fallback(ScriptedModel("spare")))
    assert ask(model).unwrap().content == "spare"


def test_when_all_fail_the_error_carries_them_all():
    late = ModelError("overloaded", "busy", model_id="second", retry_after=4.0)
    error = ask(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(late)))).failure()
    assert (error.kind, error.retry_after, [cause.kind for cause in error.causes]) == (
        "exhausted",
        4.0,
        ["server", "overloaded"],
    )
    assert [a.outcome for a in error.attempts] == ["server", "overloaded"]
    assert error.message == "first: server: it broke; second: overloaded: busy"


def test_nothing_sent_anywhere_is_nothing_sent():
    refused = ModelError("connection", "refused", sent="no")
    assert ask(compose(ScriptedModel(refused), with_fallback(ScriptedModel(refused)))).failure().sent == "no"


def test_a_candidate_s_error_that_nobody_could_mend_ends_it():
    last = ScriptedModel("last")
    wrong = ModelError("invalid_request", "no such option")
    error = ask(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(wrong), last))).failure()
    assert (error.kind, len(error.attempts), last.requests) == ("invalid_request", 2, ())


def test_on_chooses_the_candidate_by_kind_in_a_tree():
    long = ScriptedModel("long context")
    other = ScriptedModel("other provider")
    model = compose(
        ScriptedModel(ModelError("context_window", "too long")),
        with_fallback(other, on="server"),
        with_fallback(long, on=[ErrorKind.CONTEXT_WINDOW]),
    )
    assert ask(model).unwrap().content == "long context"
    assert other.requests == ()


def test_on_may_be_a_question():
    model = compose(ScriptedModel(SERVER), with_fallback(ScriptedModel("spare"), on=lambda error: error.status == 500))
    assert ask(model).failure().kind == "server"


def test_a_candidate_may_have_fallbacks_of_its_own():
    branch = compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(SERVER)))
    model = compose(ScriptedModel(SERVER), with_fallback(branch, ScriptedModel("last")))
    response = ask(model).unwrap()
    assert (response.content, len(response.attempts)) == ("last", 4)


def test_a_stream_is_replaced_before_its_first_content():
    events = list(blocking(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel("Hi")))).stream(REQUEST))
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hi"
    assert [a.outcome for a in events[-1].response.attempts] == ["server", "answered"]


def test_a_stream_is_never_replaced_after_its_first_content():
    broken = ScriptedModel([TextDelta("Hel"), Failed(SERVER, Response.of("Hel"))])
    events = list(blocking(compose(broken, with_fallback(ScriptedModel("Hello")))).stream(REQUEST))
    assert [type(event) for event in events] == [TextDelta, Failed]
    assert events[-1].partial == Response.of("Hel")


def test_a_stack_can_do_what_any_of_its_models_can():
    blind = ScriptedModel("a", capabilities=Capabilities(context_window=100))
    seeing = ScriptedModel("b", capabilities=Capabilities(images=True, context_window=50))
    assert compose(blind, with_fallback(seeing)).capabilities == Capabilities(images=True, context_window=100)


def test_fall_back_to_whom_is_never_guessed():
    with pytest.raises(TypeError, match="fall back to which model"):
        with_fallback()


def test_a_candidate_must_be_a_model():
    with pytest.raises(TypeError, match="candidate 2, 'gpt-4o', is not a model"):
        with_fallback(ScriptedModel("Hi"), "gpt-4o")


def test_one_model_twice_is_an_error():
    model = ScriptedModel("Hi")
    with pytest.raises(ValueError, match=r"candidate 2, .* stands there twice"):
        with_fallback(model, model)


def test_a_model_is_not_its_own_fallback():
    model = ScriptedModel("Hi")
    with pytest.raises(ValueError, match="its own fallback"):
        compose(model, with_fallback(model))


def test_the_repr_names_the_kinds_that_were_chosen():
    shown = [
        repr(compose(ScriptedModel("Hi"), with_fallback(ScriptedModel("Hi"), **how)).policy)
        for how in ({}, {"on": "server"})
    ]
    assert shown == ["Fallback()", "Fallback(on=['server'])"]
    assert "lambda" in repr(compose(ScriptedModel("Hi"), with_fallback(ScriptedModel("Hi"), on=lambda e: True)).policy)


def test_a_finished_stream_without_content_is_an_answer():
    (event,) = blocking(compose(ScriptedModel(""), with_fallback(ScriptedModel("no")))).stream(REQUEST)
    assert isinstance(event, Finished)
