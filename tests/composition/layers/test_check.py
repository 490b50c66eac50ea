"""with_check: an answer is given when it is what it must be; else the model is told why, and asked again."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import attrs
import laws
import pytest
from pydantic import BaseModel
from referencing.exceptions import Unresolvable
from subjects import Scripted

from modelport import (
    Break,
    Failed,
    Finished,
    Message,
    ModelError,
    Response,
    ScriptedModel,
    Text,
    TextDelta,
    ToolCall,
    Usage,
    VirtualClock,
    as_request,
    compose,
)
from modelport.adapters.process import deadline
from modelport.composition.layers.check import with_check

REQUEST = as_request("How old is she?", max_tokens=9)
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    if law is laws.closing_a_stream_frees_everything:
        law = laws.cancelling_frees_everything  # nothing of an answer is shown before its end
    law(Scripted(lambda _: with_check(lambda response: True)))


def checked(check, *answers, **how):
    """The result of a scripted model under with_check, and the model."""
    model = ScriptedModel(*answers, model_id="m")
    return asyncio.run(compose(model, with_check(check, **how)).generate(REQUEST)), model


def test_an_answer_that_passes_is_given_as_it_is():
    result, model = checked(SCHEMA, '{"age": 7}')
    assert (result.unwrap().content, len(model.requests)) == ('{"age": 7}', 1)


def test_the_model_is_asked_again_with_what_was_wrong():
    result, model = checked(SCHEMA, '{"age": "seven"}', '{"age": 7}')
    assert result.unwrap().content == '{"age": 7}'
    again = model.requests[1]
    told = "That answer was refused: at $.age: 'seven' is not of type 'integer'\n"
    assert [(message.role.value, message.text) for message in again.messages] == [
        ("user", "How old is she?"),
        ("assistant", '{"age": "seven"}'),
        ("user", told + "Answer again, with the mended answer and nothing else."),
    ]
    assert again.options == {"max_tokens": 9}


def test_each_refused_answer_stays_in_the_conversation():
    _, model = checked(SCHEMA, "seven", "8 years", '{"age": 7}', repair=2)
    assert [message.role.value for message in model.requests[2].messages] == [
        "user",
        *("assistant", "user") * 2,
    ]


def test_refused_answers_are_in_the_ledger_as_discarded():
    result, _ = checked(SCHEMA, Response.of("seven", usage=Usage(3, 1)), '{"age": 7}')
    ledger = [(attempt.outcome, attempt.discarded, attempt.usage) for attempt in result.unwrap().attempts]
    assert ledger == [("answered", True, Usage(3, 1)), ("answered", False, None)]


def test_when_none_was_good_the_error_says_why():
    result, model = checked(SCHEMA, "seven", "{}", repair=1)
    error = result.failure()
    assert (error.kind, error.sent, len(model.requests)) == ("malformed_response", "yes", 2)
    assert error.message == "the answer was refused: at $: 'age' is a required property"
    assert [attempt.discarded for attempt in error.attempts] == [True, True]


def test_an_error_on_the_way_comes_back_with_what_was_tried():
    error = checked(SCHEMA, "seven", ModelError("invalid_request", "too long"))[0].failure()
    assert [attempt.outcome for attempt in error.attempts] == ["answered", "invalid_request"]


def test_no_one_is_asked_again_after_the_deadline():
    clock = VirtualClock()
    model = ScriptedModel(lambda _: clock.advance(5) or "seven", repeat=True)

    async def main():
        with deadline.within(4, clock):
            return await compose(model, with_check(SCHEMA, repair=9, clock=clock)).generate(REQUEST)

    assert clock.run(main()).failure().kind == "malformed_response"
    assert len(model.requests) == 1


def test_an_empty_answer_is_no_message_of_the_conversation():
    _, model = checked(lambda response: bool(response.content), "", "Hi")
    assert [message.role.value for message in model.requests[1].messages] == ["user", "user"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("seven", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "it is not JSON: maximum recursion depth exceeded"),
        ("7", "at $: 7 is not of type 'object'"),
        ('{"age": NaN}', "it is not JSON: NaN is no number"),
    ],
    ids=["words", "depth", "kind", "nan"],
)
def test_what_no_schema_can_read_is_refused(text, reason):
    assert checked(SCHEMA, text, repair=0)[0].failure().message.startswith(f"the answer was refused: {reason}")


@pytest.mark.parametrize(
    ("schema", "text"),
    [({"type": "array", "items": {"$ref": "#"}}, "[" * 900 + "]" * 900), ({"multipleOf": 0.1}, "1e400")],
    ids=["depth", "size"],
)
def test_an_answer_that_is_too_much_for_the_schema_is_refused(schema, text):
    message = checked(schema, text, repair=0)[0].failure().message
    assert message.startswith("the answer was refused: it can't be checked: ")


def test_a_long_reason_is_cut():
    assert len(checked(SCHEMA, f'"{"x" * 9000}"', repair=0)[0].failure().message) < 600


def test_a_call_of_a_tool_is_no_answer_yet():
    call = Response(Message("assistant", [Text("Let me see."), ToolCall("1", "look")]), "tool_calls")
    assert checked(SCHEMA, call)[0].unwrap().message == call.message


def test_a_schema_of_another_draft_is_read_as_it_says():
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 5, "exclusiveMaximum": True}
    assert "5 is greater than or equal to the maximum of 5" in checked(old, "5", repair=0)[0].failure().message


def test_a_schema_elsewhere_is_never_fetched():
    with pytest.raises(Unresolvable):
        checked({"$ref": "http://127.0.0.1:1/schema.json"}, "5")


class Person(BaseModel):
    """What an application reads answers with."""

    age: int


def test_a_pydantic_model_reads_the_answer():
    result, model = checked(Person, '{"age": "seven"}', '{"age": 7}')
    assert result.unwrap().content == '{"age": 7}'
    assert "valid integer" in model.requests[1].messages[-1].text


def refuse(response):
    assert "7" in response.content, "give a number"


def insist(response):
    if "7" not in response.content:
        raise ValueError("give a number")


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (lambda response: "7" in response.content, "it is not what was asked for"),
        (lambda response: None if "7" in response.content else "give a number", "give a number"),
        (refuse, "give a number"),
        (insist, "give a number"),
        (lambda response: int(response.content) and None, "invalid literal for int() with base 10: 'seven'"),
    ],
)
def test_a_function_says_what_is_good_and_why_not(check, reason):
    result, model = checked(check, "seven", "7")
    assert result.unwrap().content == "7"
    assert model.requests[1].messages[-1].text.startswith(f"That answer was refused: {reason}\n")


def test_an_assertion_without_words_is_a_reason_too():
    def refuse(response):
        assert response.content.isdigit()

    assert "refused: " in checked(refuse, "seven", repair=0)[0].failure().message


@pytest.mark.parametrize("check", [lambda response: response, lambda response: 0], ids=["response", "number"])
def test_a_function_that_says_neither_is_a_mistake(check):
    with pytest.raises(TypeError, match="it gives None or True, False, or the reason as text"):
        checked(check, "seven")


def streamed(check, *answers, **how):
    model = ScriptedModel(*answers, chunk=4)
    return asyncio.run(laws.listen(compose(model, with_check(check, **how)), REQUEST)), model


def test_a_stream_shows_only_what_has_passed():
    (*deltas, last), model = streamed(SCHEMA, "seven", '{"age": 7}')
    assert [delta.text for delta in deltas] == ['{"ag', 'e": ', "7}"]
    assert [attempt.discarded for attempt in last.response.attempts] == [True, False]
    assert len(model.requests) == 2


def test_a_stream_of_which_nothing_has_passed_shows_nothing():
    (last,), _ = streamed(SCHEMA, "seven", "eight")
    assert isinstance(last, Failed)
    assert (last.error.kind, last.partial, len(last.error.attempts)) == ("malformed_response", None, 2)


def test_a_stream_that_breaks_shows_how_far_it_came():
    (*deltas, last), _ = streamed(SCHEMA, "seven", Break('{"age": 7}', after=1))
    assert (deltas, last.partial.content) == ([TextDelta('{"ag')], '{"ag')
    assert [attempt.outcome for attempt in last.error.attempts] == ["answered", "interrupted"]


def test_a_good_answer_of_a_stream_is_the_whole_one():
    (*_, last), _ = streamed(SCHEMA, '{"age": 7}')
    assert isinstance(last, Finished)
    assert last.response.content == '{"age": 7}'


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (with_check(refuse), "Check(refuse)"),
        (with_check(Person, repair=3), "Check(Person, repair=3)"),
        (with_check(SCHEMA), "Check(schema 01234567)"),
    ],
)
def test_the_repr_shows_what_is_checked(layer, shown):
    said = repr(layer(ScriptedModel("Hi")).policy)
    assert said == shown or (said.startswith("Check(schema ") and len(said) == len(shown))


@attrs.frozen
class Callable:
    """A check with a state of its own."""

    def __call__(self, response):
        return True


def test_a_callable_without_a_name_is_shown_as_it_shows_itself():
    assert repr(with_check(Callable())(ScriptedModel("Hi")).policy) == "Check(Callable())"


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((5,), TypeError, "takes a JSON schema, a type that pydantic reads or a function of the response, not 5"),
        ((ScriptedModel,), TypeError, "takes a JSON schema, a type that pydantic reads or a function"),
        ((SCHEMA, 1.5), TypeError, "repair must be a whole number, not 1.5"),
        ((SCHEMA, True), TypeError, "repair must be a whole number, not True"),
        ((SCHEMA, -1), ValueError, "repair must be at least 0"),
        (({"type": "integre"},), ValueError, "this is no JSON schema: at "),
    ],
)
def test_a_check_that_can_t_be_one_is_an_error_at_once(arguments, error, said):
    check, *repair = arguments
    with pytest.raises(error, match=said):
        with_check(check, **({"repair": repair[0]} if repair else {}))


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(list[int], "list[int]"), (list, "list"), (dict[str, int] | list[int], "dict[str, int] | list[int]")],
)
def test_a_type_is_read_as_pydantic_reads_it(kind, shown):
    stack = compose(ScriptedModel("no list", "[1, 2]"), with_check(kind))
    assert (stack("Hi").content, repr(stack.policy)) == ("[1, 2]", f"Check({shown})")


def test_a_type_without_pydantic_names_it():
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from modelport.composition.layers.check import with_check\n"
        "try: with_check(list[int])\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("with_check: list[int] is read by pydantic: pip install pydantic (")


def test_a_schema_without_jsonschema_names_the_extra():
    code = (
        "import sys; sys.modules['jsonschema'] = None\n"
        "from modelport.composition.layers.check import with_check\n"
        "with_check(lambda response: True)\n"
        "try: with_check({})\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("with_check: a JSON schema needs jsonschema: pip install 'modelport[check]'")
