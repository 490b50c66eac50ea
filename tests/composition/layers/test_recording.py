"""with_recording: what was asked and what came of it is on the tape, a line each, and no secret is."""

from __future__ import annotations

import asyncio
import json
import os
import pickle

import laws
import pytest
from returns.result import Success
from subjects import Scripted

from modelport import (
    Break,
    Message,
    ModelError,
    ReasoningDelta,
    Response,
    ScriptedModel,
    Stall,
    Text,
    TextDelta,
    ToolCallDelta,
    VirtualClock,
    as_request,
    compose,
    fingerprint,
)
from modelport.adapters import OpenAIModel
from modelport.composition.layers.recording import _replace, with_recording
from modelport.composition.layers.replay import with_replay

REQUEST, OTHER = as_request("Hello!"), as_request("Good bye!")
SECRET = "sk-secret-0123456789abcdef"


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law, tmp_path):
    law(Scripted(lambda _: with_recording(tmp_path / "tape.jsonl")))


def record(path, *calls, clock=None):
    """Makes these calls, (request, answer) or (request, answer, "streamed"), and gives the lines of the tape."""
    clock = clock or VirtualClock()
    model = ScriptedModel(*(call[1] for call in calls), chunk=4, sleep=clock.sleep)
    stack = compose(model, with_recording(path, clock=clock))

    async def main():
        for request, _, *streamed in calls:
            await (laws.listen(stack, request) if streamed else stack.generate(request))

    clock.run(main())
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def test_a_call_is_one_line(tmp_path):
    (line,) = record(tmp_path / "new" / "tape.jsonl", (REQUEST, Stall("Hi \u2028 there", seconds=0.25)))
    assert json.loads(line) == {
        "key": fingerprint(REQUEST),
        "request": {
            "type": "request",
            "messages": [{"type": "message", "role": "user", "content": [{"type": "text", "text": "Hello!"}]}],
        },
        "said": {
            "type": "response",
            "message": {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "text", "text": "Hi \u2028 there"}],
            },
        },
        "seconds": 0.25,
    }


def test_a_stream_is_on_it_with_its_times(tmp_path):
    (line,) = record(tmp_path / "t", (REQUEST, Stall("Hello there", after=1, seconds=0.5), "streamed"))
    pieces = [(at, piece["text"]) for at, piece in json.loads(line)["pieces"]]
    assert (pieces, json.loads(line)["seconds"]) == ([(0.0, "Hell"), (0.5, "o th"), (0.5, "ere")], 0.5)


def test_a_failure_is_on_it_too(tmp_path):
    whole, cut = record(
        tmp_path / "t", (REQUEST, ModelError("server", "it broke")), (OTHER, Break("Hello", after=1), "streamed")
    )
    assert json.loads(whole)["said"] == {"type": "model_error", "kind": "server", "message": "it broke"}
    assert json.loads(cut)["said"]["kind"] == "interrupted"
    assert [piece["text"] for _, piece in json.loads(cut)["pieces"]] == ["Hell"]


def test_a_call_that_is_cut_short_is_not_on_it(tmp_path):
    stack = compose(ScriptedModel("Hello there", chunk=1), with_recording(tmp_path / "t"))

    async def leaves():
        stream = stack.stream(REQUEST)
        await anext(stream)
        await stream.aclose()

    asyncio.run(leaves())
    assert not (tmp_path / "t").exists()


def test_recording_again_changes_only_what_has_changed(tmp_path):
    path = tmp_path / "t"
    first = record(path, (REQUEST, Response.of("one", response_id="r-1")), (OTHER, "two", "streamed"), (REQUEST, "3"))
    late = Stall(Response.of("one", response_id="r-2"), seconds=9)
    assert record(path, (REQUEST, late), (OTHER, Stall("two", after=1, seconds=1), "streamed"), (REQUEST, "3")) == first
    changed = record(path, (REQUEST, "one"), (OTHER, "another", "streamed"), (as_request("More"), "four"))
    assert (changed[0], changed[2], len(changed)) == (first[0], first[2], 4)
    assert "anot" in changed[1]


SECRETIVE = as_request(
    [{"role": "user", "content": f"my key is {SECRET}"}],
    extra_headers={"Authorization": "Bearer red-0123456789", "x-team": "red-team"},
    aws_session_token="plain words",
)


def test_no_secret_is_on_it(tmp_path, monkeypatch):
    monkeypatch.setenv("A_TEAM_KEY", "from the environment")
    path = tmp_path / "t"
    calls = (
        (SECRETIVE, f"you said {SECRET}"),
        (OTHER, f"you said {SECRET} and from the environment", "streamed"),
        (REQUEST, ModelError("authentication", f"no such key: {SECRET}", request_id="r")),
        (
            as_request("once"),
            [ToolCallDelta(0, "1", "look", f'{{"a": "{SECRET[:9]}'), ToolCallDelta(0, arguments=SECRET[9:])],
            "streamed",
        ),
        (as_request("twice"), [ReasoningDelta(SECRET[:9]), ReasoningDelta(SECRET[9:]), TextDelta("Hi")], "streamed"),
    )
    text = "\n".join(record(path, *calls))
    for secret in (SECRET, "sk-secre", "red-0123456789", "red-team", "plain words", "from the environment"):
        assert secret not in text
    pieces = [piece.get("text") for _, piece in json.loads(text.split("\n")[1])["pieces"]]
    assert pieces == ["you said *** and ***"]


def test_the_models_own_key_is_not_on_it(tmp_path):
    inner = OpenAIModel("m", api_key="my own, 0 words", base_url="http://127.0.0.1:1/v1")
    stack = compose(inner, with_recording(tmp_path / "t"))

    async def answer(model, request, /):
        return Success(Response.of("it is my own, 0 words"))

    asyncio.run(stack.policy(answer, inner, REQUEST))
    assert "it is ***" in (tmp_path / "t").read_text()


def test_a_request_with_a_secret_is_found_again(tmp_path):
    record(tmp_path / "t", (SECRETIVE, "Hi"))
    assert (
        asyncio.run(compose(ScriptedModel("no"), with_replay(tmp_path / "t")).generate(SECRETIVE)).unwrap().content
        == "Hi"
    )


def test_a_request_that_no_tape_can_hold_is_left_out_and_said_so(tmp_path, caplog):
    model = ScriptedModel("one", Response(Message("assistant", [Text("two", metadata={"x": {"y": print}})])))
    stack = compose(model, with_recording(tmp_path / "t"))

    async def main():
        return [
            (await stack.generate(request)).unwrap().content
            for request in (as_request("Hi", logits_processor=print), OTHER)
        ]

    assert asyncio.run(main()) == ["one", "two"]
    assert not (tmp_path / "t").exists()
    assert [record.message.partition(": ")[2][:20] for record in caplog.records] == ["a call is left out: "] * 2


@pytest.mark.parametrize("blocked", ["folder", "text"])
def test_a_tape_that_can_t_be_written_is_said_so_and_the_answer_given(tmp_path, blocked, caplog):
    path = tmp_path / "t"
    if blocked == "folder":
        path.mkdir()
    else:
        path.write_text(f'{{"key":"{fingerprint(REQUEST)}",no line}}\n')
    stack = compose(ScriptedModel("Hi"), with_recording(path))
    assert asyncio.run(stack.generate(REQUEST)).unwrap().content == "Hi"
    assert "a call can't be recorded" in caplog.text


def test_a_copy_counts_anew(tmp_path):
    policy = with_recording(os.fspath(tmp_path / "t"))(ScriptedModel("Hi")).policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert repr(policy) == f"Recording({os.fspath(tmp_path / 't')!r})"


@pytest.mark.parametrize("path", [5, "", None])
def test_what_is_no_path_is_an_error_at_once(path):
    with pytest.raises(TypeError, match="with_recording: path is where the tape is"):
        with_recording(path)


# The file


@pytest.mark.skipif(os.name == "nt", reason="this platform has other permissions")
def test_the_mode_of_a_tape_stays(tmp_path):
    tape = tmp_path / "tape.jsonl"
    record(tape, (REQUEST, "one"))
    tape.chmod(0o600)
    record(tape, (OTHER, "two"))
    assert (tape.stat().st_mode & 0o777, len(tape.read_text().splitlines())) == (0o600, 2)


@pytest.mark.skipif(os.name == "nt", reason="this platform asks for rights to make links")
def test_a_linked_tape_stays_a_link_and_is_written_where_it_is(tmp_path):
    link, tape = tmp_path / "link.jsonl", tmp_path / "elsewhere" / "tape.jsonl"
    tape.parent.mkdir()
    link.symlink_to(tape)
    record(link, (REQUEST, "one"))
    record(link, (OTHER, "two"))
    assert (link.readlink(), len(tape.read_text().splitlines())) == (tape, 2)


@pytest.mark.skipif(os.name == "nt", reason="this platform asks for rights to make links")
def test_what_stands_beside_a_tape_is_neither_followed_nor_written(tmp_path):
    tape, victim = tmp_path / "tape.jsonl", tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "tape.jsonl.part").symlink_to(victim)
    record(tape, (REQUEST, "one"))
    assert victim.read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tape.jsonl", "tape.jsonl.part", "victim"]


def test_a_tape_that_can_t_be_replaced_leaves_nothing_beside_it(tmp_path, caplog):
    (tmp_path / "tape.jsonl").mkdir()
    asyncio.run(compose(ScriptedModel("one"), with_recording(tmp_path / "tape.jsonl")).generate(REQUEST))
    assert "a call can't be recorded" in caplog.text
    with pytest.raises(OSError, match="directory"):
        _replace(tmp_path / "tape.jsonl", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["tape.jsonl"]
