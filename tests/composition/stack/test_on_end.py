"""composition/opened: whoever asked hears once how a call ended, whole or streamed, whatever happened."""

import asyncio
from contextlib import aclosing

import attrs
import pytest
from laws import LAWS
from subjects import Scripted

from modelport import Break, Failed, ModelError, Response, ScriptedModel, Stall, as_request, compose, with_retry
from modelport.composition.stack.opened import OnEnd, heard
from modelport.composition.stack.policy import Decorated, Direct

REQUEST = as_request("Hello!")
SERVER = ModelError("server", "it broke")


@attrs.frozen
class Listening:
    """A policy that writes down how its calls end."""

    heard: list = attrs.field(factory=list)

    async def __call__(self, call, model, request, /):
        return await heard(call(model, request), OnEnd(self.heard.append))


def listening(*answers):
    policy = Listening()
    return Decorated(ScriptedModel(*answers), policy), policy.heard


async def read(model):
    return [event async for event in model.stream(REQUEST)]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("policy", [Direct(), Listening()])
def test_the_law_is_kept(law, policy):
    law(Scripted(lambda _: lambda model: Decorated(model, policy)))


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_is_heard_with_its_ledger(streamed):
    model, heard = listening("Hi")
    asyncio.run(read(model) if streamed else model.generate(REQUEST))
    (response,) = heard
    assert isinstance(response, Response)
    assert (response.content, [attempt.outcome for attempt in response.attempts]) == ("Hi", ["answered"])


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("answer", [SERVER, Break("one two three", 1, SERVER), ""])
def test_what_it_came_to_is_heard_once(answer, streamed):
    model, heard = listening(answer)
    asyncio.run(read(model) if streamed else model.generate(REQUEST))
    assert [getattr(end, "kind", "answered") for end in heard] == ["answered" if answer == "" else "server"]


def test_a_stream_that_is_left_is_heard_as_none():
    model, heard = listening("one two three")

    async def leave():
        async with aclosing(model.stream(REQUEST)) as stream:
            await anext(stream)
            assert heard == []

    asyncio.run(leave())
    assert heard == [None]


def test_a_cancelled_call_is_heard_as_none():
    model, heard = listening(Stall("never"))

    async def cancel():
        task = asyncio.create_task(model.generate(REQUEST))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancel())
    assert heard == [None]


def test_the_ledger_of_a_layer_outside_is_added_after_it():
    policy = Listening()
    stack = compose(ScriptedModel(SERVER, "Hi"), lambda model: Decorated(model, policy), with_retry(base=0))
    events = asyncio.run(read(stack))
    assert not isinstance(events[-1], Failed)
    assert [a.outcome for a in events[-1].response.attempts] == ["server", "answered"]
    assert [len(end.attempts) for end in policy.heard] == [1, 1]
