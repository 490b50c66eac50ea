"""with_fallback: the next model answers when one fails, each at most once, and nothing is lost on the way."""

import asyncio

import attrs
import pytest
from laws import LAWS
from returns.result import Success
from subjects import Scripted

from modelport import (
    OMIT,
    Decorated,
    Message,
    ModelError,
    ScriptedModel,
    Tool,
    ToolCall,
    as_request,
    blocking,
    compose,
    with_fallback,
)
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


def test_so_does_that_of_the_last_candidate():
    filtered = ModelError("content_filter", "refused")
    error = ask(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(filtered)))).failure()
    assert (error.kind, [cause.kind for cause in error.causes]) == ("content_filter", ["server", "content_filter"])


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


# Bad answers


def said(text, **fields):
    return Response.of(text, **fields)


JSON_REQUEST = as_request("As JSON, please.", response_format={"type": "json_object"})
TOOL_CALL = Response(Message("assistant", [ToolCall("1", "look", '{"at": ')]), "tool_calls")


@pytest.mark.parametrize(
    ("bad", "answer"),
    [
        ("empty", said("  \n")),
        ("cut_off", said("and then", finish_reason="length")),
        ("filtered", said("I", finish_reason="content_filter")),
        ("unparseable", said("no JSON")),
        ("unparseable", said("[1, 2]")),
        ("unparseable", said("[" * 100_000)),
        ("unparseable", TOOL_CALL),
        (lambda response: "sorry" in response.content, said("sorry, no")),
    ],
)
def test_a_bad_answer_is_replaced_and_its_attempt_thrown_away(bad, answer):
    model = compose(ScriptedModel(answer), with_fallback(ScriptedModel('{"good": true}'), on_response=bad))
    response = blocking(model).generate(JSON_REQUEST).unwrap()
    assert response.content == '{"good": true}'
    assert [(a.outcome, a.discarded) for a in response.attempts] == [("answered", True), ("answered", False)]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (REQUEST, said("no JSON, and none was asked for")),
        (as_request("Hi", response_format={"type": "json_schema", "json_schema": {"schema": {}}}), said("[1, 2]")),
        (JSON_REQUEST, Response(Message("assistant", [ToolCall("1", "look", "{}")]), "tool_calls")),
    ],
)
def test_a_good_answer_is_given_back(request_, answer):
    spare = ScriptedModel("spare")
    bad = ["empty", "cut_off", "filtered", "unparseable"]
    tools = [Tool("look", "What is there?", {"type": "object", "properties": {}})]
    asked = attrs.evolve(request_, tools=tools)
    model = compose(ScriptedModel(answer), with_fallback(spare, on_response=bad))
    assert blocking(model).generate(asked).unwrap().message == answer.message
    assert spare.requests == ()


def test_what_is_not_named_is_not_bad():
    model = compose(ScriptedModel(""), with_fallback(ScriptedModel("spare"), on_response="filtered"))
    assert ask(model).unwrap().content == ""


def test_an_answer_of_which_the_function_says_nothing_is_good():
    model = compose(ScriptedModel("Hi"), with_fallback(ScriptedModel("spare"), on_response=lambda response: False))
    assert ask(model).unwrap().content == "Hi"


def test_when_every_answer_is_bad_the_error_says_what_each_lacks():
    filtered = said("", finish_reason="content_filter", model_id="second")
    model = compose(ScriptedModel(""), with_fallback(ScriptedModel(filtered), on_response={"empty", "filtered"}))
    error = ask(model).failure()
    assert [(cause.kind, cause.code) for cause in error.causes] == [
        ("malformed_response", "empty"),
        ("malformed_response", "empty"),
    ]
    assert [(a.discarded, a.message) for a in error.attempts] == [(True, "the answer is empty")] * 2


def test_a_bad_answer_that_cost_nothing_has_no_attempt():
    @attrs.frozen
    class Cached:
        inner: object

        async def __call__(self, call, model, request):
            return Success(said(""))

    cached = compose(ScriptedModel("never"), lambda model: Decorated(model, Cached(model)))
    response = ask(compose(cached, with_fallback(ScriptedModel("spare"), on_response="empty"))).unwrap()
    assert [a.outcome for a in response.attempts] == ["answered"]


def test_a_stream_that_ends_without_content_is_judged_and_one_that_has_begun_is_not():
    def texts(model):
        return "".join(event.text for event in blocking(model).stream(REQUEST) if isinstance(event, TextDelta))

    empty = ScriptedModel("")
    assert texts(compose(empty, with_fallback(ScriptedModel("spare"), on_response="empty"))) == "spare"
    assert empty.open == 0
    assert texts(compose(ScriptedModel(""), with_fallback(ScriptedModel("spare"), on_response="cut_off"))) == ""
    cut = said("and then", finish_reason="length")
    assert texts(compose(ScriptedModel(cut), with_fallback(ScriptedModel("no"), on_response="cut_off"))) == "and then"


def test_a_stream_is_closed_whatever_the_judge_does():
    def judge(response):
        raise RuntimeError("no judge today")

    empty = ScriptedModel("")
    stream = compose(empty, with_fallback(ScriptedModel("spare"), on_response=judge)).stream(REQUEST)

    async def main():
        with pytest.raises(RuntimeError, match="no judge today"):
            await anext(stream)
        return empty.open

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept_with_bad_answers(law):
    def layer(model):
        spare = ScriptedModel(*model.answers, repeat=True, chunk=model.chunk)
        return with_fallback(spare, on_response=lambda response: False, options={"seed": 7})

    law(Scripted(layer))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            "ugly",
            ValueError,
            "on_response: 'ugly' is not a valid BadAnswer; they are empty, cut_off, filtered, unparse",
        ),
        ([], TypeError, r"on_response: takes empty, .* or a function of the response, not \[\]"),
        (5, TypeError, "on_response: takes .* not 5"),
    ],
)
def test_what_is_no_shortcoming_is_an_error(wrong, error, message):
    with pytest.raises(error, match=message):
        with_fallback(ScriptedModel("Hi"), on_response=wrong)


# Options of candidates


def test_each_candidate_may_have_options_which_beat_the_call_s():
    first, second, third = ScriptedModel(SERVER), ScriptedModel(SERVER), ScriptedModel("Hi")
    model = compose(first, with_fallback(second, third, options=[{"max_new_tokens": 50, "seed": OMIT}, {}]))
    model("Hi", max_tokens=500, seed=7)
    asked = [dict(each.requests[0].options) for each in (first, second, third)]
    assert asked == [
        {"max_tokens": 500, "seed": 7},
        {"max_tokens": 50, "seed": OMIT},
        {"max_tokens": 500, "seed": 7},
    ]


def test_one_dict_is_for_all_candidates():
    second, third = ScriptedModel(SERVER), ScriptedModel("Hi")
    compose(ScriptedModel(SERVER), with_fallback(second, third, options={"seed": 7}))("Hi")
    assert [each.requests[0].options for each in (second, third)] == [{"seed": 7}] * 2


@pytest.mark.parametrize("wrong", [[{}], ["seed", "seed"], 5])
def test_options_are_a_dict_for_all_or_one_for_each(wrong):
    with pytest.raises(ValueError, match="options must be a dict, or one for each of the 2 candidates"):
        with_fallback(ScriptedModel("a"), ScriptedModel("b"), options=wrong)


def test_an_option_that_is_none_is_an_error_with_its_place():
    with pytest.raises(ValueError, match=r"with_fallback: options\[1\]: 'stop' is not an option"):
        with_fallback(ScriptedModel("a"), ScriptedModel("b"), options=[{}, {"stop": "."}])


# The first error


def test_the_primary_s_error_is_kept_whatever_ends_the_search():
    wrong = ModelError("invalid_request", "no such option")
    mended = ask(compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(wrong), ScriptedModel("no")))).failure()
    branch = compose(ScriptedModel(SERVER), with_fallback(ScriptedModel(wrong, wrong), on="server"))
    tree = ask(compose(branch, with_fallback(ScriptedModel(wrong), on="invalid_request"))).failure()
    assert [(error.kind, error.primary.kind) for error in (mended, tree, SERVER)] == [
        ("invalid_request", "server"),
        ("exhausted", "server"),
        ("server", "server"),
    ]


def test_the_repr_shows_what_is_bad_and_the_options():
    policy = compose(
        ScriptedModel("Hi"), with_fallback(ScriptedModel("Hi"), on_response={"filtered", "empty"}, options={"seed": 7})
    ).policy
    assert repr(policy) == "Fallback(on_response=['empty', 'filtered'], options=[{'seed': 7}])"
