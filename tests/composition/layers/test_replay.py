"""with_replay: what was recorded comes back, whole and streamed, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path

import laws
import pytest
from domain_values import requests
from hypothesis import given, settings
from returns.pipeline import is_successful

from modelport import (
    Break,
    Decorated,
    Event,
    Failed,
    Finished,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    TextDelta,
    Usage,
    VirtualClock,
    as_request,
    bounds,
    compose,
    with_retry,
)
from modelport.composition.layers.recording import with_recording
from modelport.composition.layers.replay import with_replay
from modelport.domain import Bounds

REQUEST, OTHER = as_request("Hello!"), as_request("Good bye!")


def record(path: Path, *calls: tuple) -> None:
    """Makes these calls, (request, answer) or (request, answer, "streamed"), on a tape."""
    clock = VirtualClock()
    model = ScriptedModel(*(call[1] for call in calls), chunk=4, sleep=clock.sleep)
    stack = compose(model, with_recording(path, clock=clock))

    async def main() -> None:
        for request, _, *streamed in calls:
            await (laws.listen(stack, request) if streamed else stack.generate(request))

    clock.run(main())


def player(path: Path, **how) -> tuple[Decorated, ScriptedModel]:
    """A stack that plays the tape, and the model that it must not ask."""
    model = ScriptedModel("never asked", provider="p", model_id="m")
    return compose(model, with_replay(path, **how)), model


class Taped:
    """What ScriptedModel does in each situation, from a tape; where it can't be recorded, ScriptedModel itself."""

    def __init__(self, folder: Path) -> None:
        self.path, self.folder = folder / "tape.jsonl", folder

    def answering(self, text, sizes=(8,)):
        return self._case(ScriptedModel(text, repeat=True, chunk=sizes))

    def failing(self):
        return self._case(ScriptedModel(ModelError("invalid_request", "broken", sent="yes"), repeat=True))

    def breaking(self, after):
        return self._case(ScriptedModel(Break(laws.TEXT, after), repeat=True))

    def _case(self, model):
        recorder = compose(model, with_recording(self.path))
        asked = []

        class Recorded:
            capabilities = model.capabilities

            async def generate(self, request):
                await recorder.generate(request)
                asked.append(request)
                return await compose(model, with_replay(path)).generate(request)

            async def stream(self, request):
                await laws.listen(recorder, request)
                asked.append(request)
                async for event in compose(model, with_replay(path)).stream(request):
                    yield event

        path = self.path
        path.unlink(missing_ok=True)
        return laws.Case(Recorded(), lambda: 0, lambda: len(asked))


STALLING = (laws.closing_a_stream_frees_everything, laws.cancelling_frees_everything)
ONE_BY_ONE = (laws.one_model_serves_many,)


@pytest.mark.parametrize(
    "law", [law for law in laws.LAWS if law not in STALLING + ONE_BY_ONE], ids=lambda law: law.__name__
)
def test_the_law_is_kept(law, tmp_path):
    law(Taped(tmp_path))


def test_one_tape_serves_many(tmp_path):
    class Played(Taped):
        def answering(self, text, sizes=(8,)):
            stop = text[len(text) // 2 :][:3]  # what the law asks besides
            asked = as_request("What is there to say?"), as_request("What is there to say?", [stop])
            record(self.path, *((request, text) for request in asked))
            return laws.Case(player(self.path)[0], lambda: 0, lambda: 0)

    laws.one_model_serves_many(Played(tmp_path))


def test_a_timed_one_is_cancelled(tmp_path):
    """Law 5; between its pieces a stream from a tape holds nothing."""
    record(tmp_path / "t", (as_request("What is there to say?"), Stall("Hello there", 1, 9999.0), "streamed"))

    class Played(Taped):
        def stalling(self):
            clock = Counting()
            return laws.Case(player(tmp_path / "t", timed=True, clock=clock)[0], lambda: clock.open, lambda: 0)

    laws.cancelling_frees_everything(Played(tmp_path))


class Counting:
    """A clock that counts who waits, which is without end."""

    open = 0

    def now(self):
        return 0.0

    async def sleep(self, seconds):
        self.open += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.open -= 1


def test_what_was_recorded_comes_back_and_the_model_is_not_asked(tmp_path):
    said = Response.of("Hi", usage=Usage(3, 1), response_id="r", model_id="m-1")
    record(tmp_path / "t", (REQUEST, said), (OTHER, ModelError("server", "it broke", status=500)))
    stack, model = player(tmp_path / "t")

    async def main():
        return (await stack.generate(REQUEST)).unwrap(), (await stack.generate(OTHER)).failure()

    answer, error = asyncio.run(main())
    assert (answer.content, answer.usage, answer.response_id, answer.model_id) == ("Hi", Usage(3, 1), "r", "m-1")
    assert (error.kind, error.status, error.message) == ("server", 500, "it broke")
    assert [(a.provider, a.model_id, a.outcome) for a in (*answer.attempts, *error.attempts)] == [
        ("p", "m", "answered"),
        ("p", "m", "server"),
    ]
    assert model.requests == ()


def test_a_stream_comes_back_in_its_pieces(tmp_path):
    record(tmp_path / "t", (REQUEST, "Hello there", "streamed"), (OTHER, Break("Hello there", after=2), "streamed"))
    stack, _ = player(tmp_path / "t")

    async def main():
        return await laws.listen(stack, REQUEST), await laws.listen(stack, OTHER), await stack.generate(REQUEST)

    (*deltas, last), (*some, broken), whole = asyncio.run(main())
    assert deltas == [TextDelta("Hell"), TextDelta("o th"), TextDelta("ere")]
    assert (type(last), last.response.content, whole.unwrap().content) == (Finished, "Hello there", "Hello there")
    assert (len(some), broken.error.kind, broken.partial.content) == (2, "interrupted", "Hello th")


def test_a_whole_call_comes_back_as_a_stream(tmp_path):
    record(tmp_path / "t", (REQUEST, "Hello there"), (OTHER, ModelError("server", "it broke")))
    stack, _ = player(tmp_path / "t")

    async def main():
        return await laws.listen(stack, REQUEST), await laws.listen(stack, OTHER)

    (delta, _), (failed,) = asyncio.run(main())
    assert (delta, type(failed), failed.error.kind) == (TextDelta("Hello there"), Failed, "server")


def test_the_same_request_gets_its_answers_in_order_and_the_last_again(tmp_path):
    server = ModelError("server", "it broke")
    record(tmp_path / "t", (REQUEST, server), (REQUEST, "one"), (OTHER, "other"), (REQUEST, "two"))
    stack, _ = player(tmp_path / "t")

    async def main():
        return [await stack.generate(REQUEST) for _ in range(4)]

    assert [r.unwrap().content if is_successful(r) else "failed" for r in asyncio.run(main())] == [
        "failed",
        "one",
        "two",
        "two",
    ]


def test_a_retry_above_it_goes_as_it_went(tmp_path):
    record(tmp_path / "t", (REQUEST, ModelError("server", "it broke")), (REQUEST, "Hi"))
    clock = VirtualClock()
    stack = compose(player(tmp_path / "t")[0], with_retry(clock=clock))
    assert [a.outcome for a in clock.run(stack.generate(REQUEST)).unwrap().attempts] == ["server", "answered"]


@pytest.mark.parametrize(("timed", "expected"), [(False, [0.0, 0.0, 0.0]), (True, [0.0, 2.0, 2.0])])
def test_a_stream_takes_its_time_when_asked_to(tmp_path, timed, expected):
    record(tmp_path / "t", (REQUEST, Stall("Hello", after=1, seconds=2.0), "streamed"))
    clock = VirtualClock()
    stack, _ = player(tmp_path / "t", timed=timed, clock=clock)

    async def main():
        return [clock.now() async for _ in stack.stream(REQUEST)]

    assert clock.run(main()) == expected


def test_a_whole_call_takes_its_time_too(tmp_path):
    record(tmp_path / "t", (REQUEST, Stall("Hello", seconds=2.0)))
    for call in ("generate", "stream"):
        clock = VirtualClock()
        stack, _ = player(tmp_path / "t", timed=True, clock=clock)
        clock.run(stack.generate(REQUEST) if call == "generate" else laws.listen(stack, REQUEST))
        assert clock.now() == 2.0


def missed(path, request):
    """The error for a request that isn't on the tape, whole; it is the same streamed."""
    stack, model = player(path)

    async def main():
        return (await stack.generate(request)).failure(), (await laws.listen(stack, request))[-1].error

    whole, streamed = asyncio.run(main())
    assert (whole, model.requests) == (streamed, ())
    return whole


def test_a_request_that_is_not_on_the_tape_is_an_error_that_shows_the_nearest(tmp_path):
    path = tmp_path / "t"
    record(path, (as_request("Count to ten."), "1"), (as_request("Why is the sky blue?", seed=7), "2"))
    error = missed(path, as_request("Why is the sky red?", seed=7))
    assert (error.kind, error.code, error.sent, error.attempts) == ("invalid_request", "not_on_tape", "no", ())
    assert error.message == (
        f"this request isn't on {os.fspath(path)!r}; the nearest is line 2, which differs in "
        "messages[0].content[0].text: 'Why is the sky blue?' on the tape, 'Why is the sky red?' here"
    )


def test_many_differences_are_counted_and_long_ones_cut(tmp_path):
    record(tmp_path / "t", (as_request("x" * 200, seed=1, top_k=2, top_p=0.3, user="4"), "1"))
    message = missed(tmp_path / "t", as_request("Hello!")).message
    assert "messages[0].content[0].text: 'xxx" in message
    assert "xxx... on the tape" in message
    assert "options.seed: 1 on the tape, nothing here" in message
    assert message.endswith("; and 2 more")


def test_an_empty_tape_has_no_nearest(tmp_path):
    (tmp_path / "t").write_text("\n")
    assert missed(tmp_path / "t", REQUEST).message.endswith("; nothing is on it")


def test_a_request_that_differs_in_nothing_that_is_shown_is_told_so(tmp_path):
    record(tmp_path / "t", (as_request("the key is sk-secret-0123456789abcdef"), "1"))
    assert missed(tmp_path / "t", as_request("the key is sk-secret-0123456789abcdeg")).message.endswith(
        "; line 1 looks the same"
    )


def test_a_request_without_a_fingerprint_is_on_no_tape(tmp_path):
    (tmp_path / "t").write_text("")
    assert "can be on no tape: options[" in missed(tmp_path / "t", as_request("Hi", logits_processor=print)).message


@settings(max_examples=25, deadline=None)
@given(request=requests)
def test_whatever_is_asked_is_found_again(request):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        record(path, (request, "Hi", "streamed"))
        events: list[Event] = asyncio.run(laws.listen(player(path)[0], request))
    assert isinstance(events[-1], Finished)
    assert events[-1].response.content == "Hi"


LINE = {
    "key": "k",
    "request": {},
    "said": {"type": "response", "message": {"type": "message", "role": "user", "content": []}},
}


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        json.dumps({**LINE, "seconds": "soon"}),
        json.dumps({**LINE, "seconds": 0, "said": {"type": "text", "text": "a"}}),
        json.dumps({**LINE, "seconds": 0, "pieces": [[0, {"type": "text", "text": "a"}]]}),
        json.dumps({**LINE, "seconds": 0, "pieces": 5}),
    ],
)
def test_a_line_that_can_t_be_read_is_named(tmp_path, line):
    record(tmp_path / "t", (REQUEST, "Hi"))
    with (tmp_path / "t").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"with_replay: .*, line 2: "):
        with_replay(tmp_path / "t")


def test_a_tape_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ValueError, match=r"with_replay: can't read .*; record it first: with_recording"):
        with_replay(tmp_path / "none")
    with pytest.raises(TypeError, match="with_replay: path is where the tape is"):
        with_replay(5)


def test_the_repr_shows_the_tape(tmp_path, monkeypatch):
    (tmp_path / "t").write_text("")
    monkeypatch.chdir(tmp_path)
    layers = [with_replay("t"), with_replay("t", timed=True)]
    assert [repr(layer(ScriptedModel("Hi")).policy) for layer in layers] == ["Replay('t')", "Replay('t', timed=True)"]


@pytest.mark.parametrize(("timed", "longest"), [(False, 0.0), (True, float("inf"))])
def test_it_makes_no_call_in_the_time_that_the_tape_takes(tmp_path, timed, longest):
    record(tmp_path / "t", (as_request("Hi"), "Hello"))
    assert bounds(compose(ScriptedModel("no"), with_replay(tmp_path / "t", timed=timed))) == Bounds(0, 0.0, longest)
