"""with_log: one line for each call, with what came of it, and without what nobody asked for."""

from __future__ import annotations

import asyncio
import json
import logging

import laws
import pytest
from subjects import Scripted

from modelport import (
    Image,
    Message,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    Text,
    ToolCall,
    Usage,
    VirtualClock,
    as_request,
    compose,
    with_rate_limit,
    with_retry,
)
from modelport.composition.layers.log import with_log

REQUEST = as_request("Hello!")
SECRET = "sk-secret-0123456789abcdef"


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: with_log()))


def logged(caplog, *answers, request=REQUEST, streamed=False, level=logging.INFO, layers=(), **how):
    """The records of one call."""
    clock = VirtualClock()
    model = ScriptedModel(*answers, provider="p", model_id="m", sleep=clock.sleep, chunk=1)
    stack = compose(model, *(layer(clock) for layer in layers), with_log(**how, clock=clock))
    with caplog.at_level(level, "modelport"):
        clock.run(laws.listen(stack, request) if streamed else stack.generate(request))
    return caplog.records


def test_an_answer_is_one_line_of_json(caplog):
    said = Response.of("Hi", usage=Usage(3, 1), model_id="m-1", response_id="r")
    (record,) = logged(caplog, Stall(said, seconds=0.5))
    assert (record.name, record.levelname) == ("modelport", "INFO")
    assert json.loads(record.getMessage()) == record.modelport
    assert record.modelport == {
        "outcome": "answered",
        "provider": "p",
        "model": "m-1",
        "streamed": False,
        "seconds": 0.5,
        "attempts": 1,
        "waited": 0,
        "finish_reason": "stop",
        "response_id": "r",
        "input_tokens": 3,
        "output_tokens": 1,
    }


def test_a_failure_is_a_warning_with_what_the_provider_said(caplog):
    error = ModelError("server", "it broke", status=500, code="oops", request_id="r-1")
    (record,) = logged(caplog, error)
    assert record.levelname == "WARNING"
    assert record.modelport == {
        "outcome": "server",
        "provider": "p",
        "model": "m",
        "streamed": False,
        "seconds": 0.0,
        "attempts": 1,
        "waited": 0,
        "error": "it broke",
        "status": 500,
        "code": "oops",
        "request_id": "r-1",
    }


def test_a_stream_says_when_its_first_event_came(caplog):
    (record,) = logged(caplog, Stall("Hi", seconds=0.5), streamed=True)
    assert (record.modelport["streamed"], record.modelport["first_event"]) == (True, 0.5)


def test_the_line_counts_what_is_in_the_ledger(caplog):
    layers = (lambda clock: with_rate_limit(60, clock=clock), lambda clock: with_retry(base=0, clock=clock))
    (record,) = logged(caplog, ModelError("server", "it broke"), "Hi", layers=layers)
    assert (record.modelport["attempts"], record.modelport["waited"], record.modelport["seconds"]) == (2, 1.0, 1.0)


def test_a_refusal_without_an_attempt_is_a_line_too(caplog):
    clock = VirtualClock()
    stack = compose(ScriptedModel("Hi"), with_rate_limit(1, max_wait=0, clock=clock), with_log(clock=clock))

    async def two():
        await stack.generate(REQUEST)
        await stack.generate(REQUEST)

    with caplog.at_level(logging.INFO):
        clock.run(two())
    assert [record.modelport["outcome"] for record in caplog.records] == ["answered", "limiter_full"]
    assert caplog.records[1].modelport["attempts"] == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_cut_short_is_a_line_too(streamed, caplog):
    stack = compose(ScriptedModel(Stall("Hi", after=1), model_id="m", chunk=1), with_log())

    async def leaves():
        if streamed:
            stream = stack.stream(REQUEST)
            await anext(stream)
            await stream.aclose()
        else:
            task = asyncio.create_task(stack.generate(REQUEST))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.INFO):
        asyncio.run(leaves())
    (record,) = caplog.records
    assert (record.levelname, record.modelport["outcome"], record.modelport["model"]) == ("WARNING", "cut_short", "m")


def test_nothing_that_was_said_is_in_it(caplog):
    (record,) = logged(caplog, "the answer", request=as_request("the question", seed=7))
    assert "the answer" not in record.getMessage()
    assert "the question" not in record.getMessage()


def test_what_was_said_is_in_it_on_request_without_secrets(caplog):
    request = as_request([Message("user", [Text(f"my key is {SECRET}")])])
    (record,) = logged(caplog, f"you said {SECRET}", request=request, content=True)
    assert '"messages":[{"role":"user","text":"my key is ***"}]' in record.getMessage()
    assert record.modelport["answer"] == {"role": "assistant", "text": "you said ***"}


def test_no_secret_of_a_failure_is_in_it(caplog):
    (record,) = logged(caplog, ModelError("authentication", f"no such key: {SECRET}"))
    assert record.modelport["error"] == "no such key: ***"


def test_a_failure_has_no_answer_to_show(caplog):
    (record,) = logged(caplog, ModelError("server", "it broke"), content=True)
    assert ("messages" in record.modelport, "answer" in record.modelport) == (True, False)


def test_calls_of_tools_are_shown_and_other_parts_are_counted(caplog):
    said = Response(
        Message("assistant", [ToolCall("1", "look", {"at": "sky"}), Image(b"abc", metadata={"x": {"y": print}})])
    )
    (record,) = logged(caplog, said, content=True)
    assert record.modelport["answer"] == {
        "role": "assistant",
        "text": "",
        "tool_calls": [{"name": "look", "arguments": '{"at":"sky"}'}],
        "other_parts": 1,
    }


@pytest.mark.parametrize(("level", "count"), [(logging.INFO, 2), (logging.WARNING, 1), (logging.ERROR, 0)])
def test_a_level_that_is_off_writes_nothing(level, count, caplog):
    logged(caplog, "Hi", level=level)
    logged(caplog, ModelError("server", "it broke"), level=level)
    assert len(caplog.records) == count


def test_a_failure_is_written_at_a_higher_level_of_one_s_own():
    records = []
    logger = logging.getLogger("modelport.of_a_test")
    logger.addHandler(handler := logging.Handler())
    handler.emit = records.append
    stack = compose(ScriptedModel("Hi", ModelError("server", "it broke")), with_log(logger.name, level=logging.ERROR))

    async def two():
        await stack.generate(REQUEST)
        await stack.generate(REQUEST)

    asyncio.run(two())
    logger.removeHandler(handler)
    assert [record.levelname for record in records] == ["ERROR", "ERROR"]


def test_the_repr_shows_what_differs_from_the_defaults():
    layers = [with_log(), with_log("app.models", level=logging.DEBUG, content=True)]
    shown = [repr(layer(ScriptedModel("Hi")).policy) for layer in layers]
    assert shown == ["Log()", "Log(logger='app.models', level=10, content=True)"]


@pytest.mark.parametrize("how", [{"logger": 5}, {"level": "INFO"}, {"level": True}])
def test_what_is_no_logger_is_an_error_at_once(how):
    with pytest.raises(TypeError, match=f"with_log: {next(iter(how))} is"):
        with_log(**how)
