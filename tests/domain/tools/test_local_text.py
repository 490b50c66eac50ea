"""What a local model says: thoughts, words and calls are told apart, however the text arrives."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import FinishReason, Message, Reasoning, Text, ToolCall
from modelport.domain.answer_builder import AnswerBuilder
from modelport.domain.tools.local_text import LocalText, opened_thought

CALL = '<tool_call>{"name": "f", "arguments": {"x": "a\\n\\nb"}}</tool_call>'
F = ToolCall("call_0", "f", '{"x":"a\\n\\nb"}')


def heard(
    pieces: Sequence[str],
    stops: tuple[str, ...] = (),
    *,
    tools: bool = False,
    thought: str | None = None,
    first_call: int = 0,
) -> tuple[Message, str, str | None]:
    """The message, the finish reason and the stop of an answer that arrives in these pieces."""
    builder = AnswerBuilder(stops)
    spoken = LocalText(builder, stops, tools=tools, thought=thought, first_call=first_call)
    for piece in pieces:
        spoken.feed(piece)
        if spoken.ended:
            break
    spoken.close()
    builder.close()
    reason = spoken.finish_reason(FinishReason.STOP)
    last = builder.finish(reason, stopped_by=spoken.stopped_by).response
    return last.message, last.finish_reason.value, last.stopped_by


def said(*parts: object) -> Message:
    return Message("assistant", parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Hello!", said(Text("Hello!"))),
        ("", said()),
        ("  \n", said(Text("  \n"))),
        ("<think>\nWell.</think>\n\nFour.", said(Reasoning("Well."), Text("Four."))),
        ("\n<think>Well.</think>Four.", said(Reasoning("Well."), Text("Four."))),
        ("[THINK]Well.[/THINK]Four.", said(Reasoning("Well."), Text("Four."))),
        ("<think></think>Four.", said(Text("Four."))),
        ("<think>\nOne.\n\nTwo.\n</think>\n\nFour.", said(Reasoning("One.\n\nTwo."), Text("Four."))),
        ("<think>One.\n", said(Reasoning("One.\n"))),
        ("<think>\n\n</think>\n\nFour.", said(Text("Four."))),
        ("<think>Well.", said(Reasoning("Well."))),
        ("<think>Well.</thi", said(Reasoning("Well.</thi"))),
        ("<think>", said()),
        ("<thinking>", said(Text("<thinking>"))),
        ("<thi", said(Text("<thi"))),
        ("I <think> so.</think>", said(Text("I <think> so.</think>"))),
        (CALL, said(Text(CALL))),
    ],
)
def test_without_tools_there_are_thoughts_and_words(text: str, message: Message) -> None:
    assert heard([text]) == (message, "stop", None)


@pytest.mark.parametrize(
    ("text", "message", "reason"),
    [
        (CALL, said(F), "tool_calls"),
        (f"Let me see.\n{CALL}", said(Text("Let me see.\n"), F), "tool_calls"),
        (f"<think>Hm.</think>\n{CALL}", said(Reasoning("Hm."), F), "tool_calls"),
        (f"{CALL}\n{CALL}", said(F, ToolCall("call_1", "f", F.arguments)), "tool_calls"),
        ('```json\n{"name": "f", "arguments": {}}\n```', said(ToolCall("call_0", "f", "{}")), "tool_calls"),
        ("[f(x=1)]", said(ToolCall("call_0", "f", '{"x":1}')), "tool_calls"),
        ("A set is {1, 2}.", said(Text("A set is {1, 2}.")), "stop"),
        ("A tag <tool", said(Text("A tag <tool")), "stop"),
        ("No tool is needed.", said(Text("No tool is needed.")), "stop"),
    ],
)
def test_with_tools_there_are_calls_and_what_is_none_is_text(text: str, message: Message, reason: str) -> None:
    assert heard([text], tools=True) == (message, reason, None)


def test_a_thought_that_the_prompt_opened_is_one() -> None:
    assert heard(["\nWell.</think>\n\nFour."], thought="<think>")[0] == said(Reasoning("Well."), Text("Four."))


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>"),
        ("[THINK]", "[THINK]"),
        ("<think></think>\n", None),
        ("Hello!", None),
    ],
)
def test_a_prompt_says_whether_it_opened_one(prompt: str, tag: str | None) -> None:
    assert opened_thought(prompt) == tag


def test_a_stop_ends_words_and_no_thoughts() -> None:
    assert heard(["<think>One. Two.</think>One. Two."], (". ",)) == (
        said(Reasoning("One. Two."), Text("One")),
        "stop",
        ". ",
    )


def test_a_stop_inside_a_call_is_a_part_of_it() -> None:
    call = '<tool_call>{"name": "f", "arguments": {"x": "a. b"}}</tool_call>'
    assert heard([call], (". ",), tools=True)[0] == said(ToolCall("call_0", "f", '{"x":"a. b"}'))


def test_a_stop_after_calls_ends_the_answer() -> None:
    spoken = f"{CALL}\nObservation: it rains.{CALL}"
    assert heard([spoken], ("Observation:",), tools=True) == (said(F), "tool_calls", "Observation:")


def test_a_stop_in_what_looked_like_a_call_ends_the_text() -> None:
    assert heard(["{1, 2}. So {3}"], (". ",), tools=True) == (said(Text("{1, 2}")), "stop", ". ")


def test_a_conversation_has_no_two_calls_of_one_id() -> None:
    assert heard([CALL], tools=True, first_call=2)[0].tool_calls[0].id == "call_2"


def test_words_are_shown_as_they_come_and_what_may_be_a_call_is_not() -> None:
    spoken = LocalText(AnswerBuilder(), tools=True)
    assert [delta.text for delta in spoken.feed("So <tool")] == ["So "]  # type: ignore[union-attr]
    assert [delta.text for delta in spoken.feed("box is")] == ["<toolbox is"]  # type: ignore[union-attr]
    assert [delta.text for delta in spoken.feed(' {"name"')] == [" "]  # type: ignore[union-attr]
    assert spoken.feed(": ") == []


PIECES = ["<think>", "</think>", "\n", " ", "a", "b.", ". ", "{", "}", CALL, "<tool_call>", "[", "```", "가", "</thi"]


@given(
    text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    stops=st.lists(st.sampled_from(["b.", ". ", "}\n", "가", "\n\n"]), max_size=2, unique=True).map(tuple),
    tools=st.booleans(),
    thought=st.sampled_from([None, "<think>"]),
)
def test_it_is_the_same_however_it_arrives(
    text: str, cuts: list[int], stops: tuple[str, ...], tools: bool, thought: str | None
) -> None:
    pieces, at = [], 0
    while at < len(text):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(text[at : at + size])
        at += size
    whole = heard([text], stops, tools=tools, thought=thought)
    assert heard(pieces, stops, tools=tools, thought=thought) == whole
    assert not any(stop in whole[0].text for stop in stops)


@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_without_tools_and_stops_no_word_is_lost(text: str) -> None:
    message = heard(list(text))[0]
    thought = "".join(part.text for part in message.content if isinstance(part, Reasoning))
    if not thought and not text.lstrip().startswith("<think>"):
        assert message.text == text
    else:
        assert thought in text
        assert text.endswith(message.text)
