"""Synchronous calls: from a script, inside a running loop, from many threads, after a fork."""

import asyncio
import os
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from modelport import ModelError, ModelFailure, ScriptedModel, as_request, blocking, compose, from_function, with_retry
from modelport.domain.capability import Capabilities
from modelport.domain.event import Finished, TextDelta

REQUEST = as_request("Hello!")


def test_the_twin_gives_results():
    twin = blocking(ScriptedModel("Hi", ModelError("server", "it broke")))
    assert twin.generate(REQUEST).unwrap().content == "Hi"
    assert twin.generate(REQUEST).failure().kind == "server"


def test_the_twin_gives_streams():
    *deltas, last = blocking(compose(ScriptedModel("Hello!"))).stream(REQUEST)
    assert "".join(delta.text for delta in deltas) == "Hello!"
    assert isinstance(last, Finished)


def test_the_twin_declares_the_same_capabilities():
    assert blocking(ScriptedModel("Hi", capabilities=Capabilities(tools=True))).capabilities.tools


@pytest.mark.parametrize("made", [compose, blocking], ids=["stack", "twin"])
def test_a_call_inside_a_running_loop_works_and_says_what_it_holds_up(made):
    async def handler():
        return made(ScriptedModel("Hi"))("Hello!").text

    with pytest.warns(RuntimeWarning, match=r"holds up the event loop .*: await model\.ask") as told:
        assert asyncio.run(handler()) == "Hi"
    assert [warning.filename for warning in told] == [__file__]


def test_a_line_that_holds_up_a_loop_says_so_once():
    model = compose(ScriptedModel("Hi", repeat=True))

    async def handler():
        model("Hello!")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(3):
            asyncio.run(handler())
    assert len(told) == 1


def test_a_call_in_a_notebooks_cell_has_nothing_to_hold_up(monkeypatch):
    monkeypatch.setattr(sys, "ps1", "In : ", raising=False)

    async def cell():
        return compose(ScriptedModel("Hi"))("Hello!").text

    assert asyncio.run(cell()) == "Hi"


def test_the_twin_takes_what_people_pass():
    model = ScriptedModel("One", "Two", "Three", "Four", "Five")
    twin = blocking(model)
    assert twin("Hi", temperature=0.5).text == "One"
    assert twin.ask([{"role": "user", "content": "Hi"}], ["."]).text == "Two"
    assert twin.generate("Hi", max_tokens=5).unwrap().text == "Three"
    *_, last = twin.stream("Hi", seed=7)
    assert last.response.text == "Four"
    assert twin(REQUEST).text == "Five"
    assert [dict(request.options) for request in model.requests] == [
        {"temperature": 0.5}, {}, {"max_tokens": 5}, {"seed": 7}, {}
    ]  # fmt: skip
    assert model.requests[1].stop_sequences == (".",)
    assert model.requests[4] is REQUEST


def test_the_twin_raises_where_there_is_no_answer():
    with pytest.raises(ModelFailure, match="it broke"):
        blocking(ScriptedModel(ModelError("server", "it broke")))("Hi")


def test_fifty_threads_may_call_at_once():
    model = compose(ScriptedModel(lambda request: request.messages[0].text, repeat=True), with_retry())
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda n: model(f"number {n}").content, range(50)))
    assert answers == [f"number {n}" for n in range(50)]


def test_a_call_works_after_a_fork():
    script = """
import os
from modelport import ScriptedModel, compose
model = compose(ScriptedModel("before", "after", "parent"))
assert model("Hi").content == "before"
child = os.fork()
if child == 0:
    os._exit(0 if model("Hi").content == "after" else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert model("Hi").content == "after"
print("both answered")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("both answered\n", 0), done.stderr


def test_a_stream_that_was_begun_before_a_fork_is_refused_in_the_child():
    script = """
import os
from modelport import ScriptedModel, blocking
stream = blocking(ScriptedModel("one two three", chunk=4)).stream("Hi")
first = next(stream).text
child = os.fork()
if child == 0:
    try:
        next(stream)
    except RuntimeError as error:
        stream.close()
        os._exit(7 if "begun before a fork" in str(error) else 1)
    os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
*rest, last = stream
assert first + "".join(event.text for event in rest) == last.response.text == "one two three"
print("told")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("told\n", 0), done.stderr


class Endless:
    """A custom model that never stops talking by itself."""

    capabilities = Capabilities()

    def __init__(self):
        self.closed = threading.Event()

    async def generate(self, request):
        try:
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def stream(self, request):
        try:
            while True:
                yield TextDelta("and ")
                await asyncio.sleep(0)
        finally:
            self.closed.set()


def test_closing_the_generator_ends_the_call_before_it_returns():
    model = Endless()
    stream = blocking(model).stream(REQUEST)
    assert next(stream) == TextDelta("and ")
    stream.close()
    assert model.closed.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals go to the main thread in another way there")
def test_ctrl_c_cancels_a_waiting_call():
    script = """
import asyncio, os, signal, sys, threading
from modelport import Capabilities, compose

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a program in the background wouldn't have

def waiting():
    return sys._current_frames()[threading.main_thread().ident].f_code.co_name == "wait"

class Endless:
    capabilities = Capabilities()
    async def generate(self, request):
        try:
            while not waiting():
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            closed.set()
            raise
    async def stream(self, request):
        yield

closed = threading.Event()
try:
    compose(Endless())("Hi")
except KeyboardInterrupt:
    closed.wait(10)
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "cancelled\ninterrupted\n", done.stderr


def test_a_blocking_call_inside_a_model_is_an_error_instead_of_a_deadlock():
    inner = compose(ScriptedModel("Hi"))

    async def asks_again(messages, **_):
        return inner("Hello!").content

    with pytest.raises(Exception, match=r"await model\.generate"):
        compose(from_function(asks_again))("Hi")


def test_a_stream_that_raises_raises_here():
    class Wrong(Endless):
        async def stream(self, request):
            raise TypeError("a programmer's mistake")
            yield

    with pytest.raises(TypeError, match="a programmer's mistake"):
        list(blocking(Wrong()).stream(REQUEST))
