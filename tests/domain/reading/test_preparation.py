"""A conversation is made ready for a model, and nothing of it gets lost."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import attrs
import pytest
from domain_values import messages as any_messages
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.chat.request import wire_messages
from modelport.domain.capability import Unsupported
from modelport.domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from modelport.domain.reading.messages import as_messages
from modelport.domain.reading.preparation import as_role_conversions, cache_marker, inline, prepare
from modelport.domain.tools.calls_in_text import parse_tool_calls

MARK = {"type": "ephemeral"}
MARKED = {"cache_control": MARK}
PICTURE = Image(b"\xff\xd8\xff", media_type="image/jpeg")
CALLS = (ToolCall("c1", "weather", '{"city":"서울"}'), ToolCall("c2", "clock", "{}"))
RESULTS = (
    Message("tool", ToolResult("c1", (Text("sunny"), PICTURE), "weather")),
    Message("tool", ToolResult("c2", "broken", is_error=True)),
)
ASKED = (Message("user", "Weather?"), Message("assistant", [Reasoning("Hm."), Text("Wait."), *CALLS]), *RESULTS)


# Roles


def test_a_conversation_that_needs_no_change_is_the_same_object() -> None:
    assert prepare(ASKED) is ASKED
    assert prepare(ASKED, role_conversions={"system": "user", "tool": "tool"}) is ASKED
    plain = (Message("user", "Hello!"), Message("assistant", "Hi!"))
    assert prepare(plain, flatten=True, alternate=True, role_conversions={"system": "user"}) is plain


def test_a_role_is_sent_for_another_and_the_other_messages_stay_the_same() -> None:
    said = (Message("system", "Be kind.", metadata=MARKED), Message("assistant", "I am."), Message("user", "Hi!"))
    prepared = prepare(said, role_conversions={"system": "user"})
    assert prepared == (Message("user", "Be kind.", metadata=MARKED), *said[1:])
    assert prepared[1] is said[1]


def test_a_converted_message_is_joined_with_those_that_it_now_stands_beside() -> None:
    """Servers without a role for the system want turns that alternate."""
    said = (Message("system", "Be kind."), Message("user", "Hi!"))
    assert prepare(said, role_conversions={"system": "user"}) == (Message("user", [Text("Be kind."), Text("Hi!")]),)


@pytest.mark.parametrize("conversions", [{"tool": "user"}, {"tool-call": "assistant", "tool-response": "user"}])
def test_a_server_without_tools_reads_calls_and_results_as_text(conversions: dict[str, str]) -> None:
    question, calls, results = prepare(ASKED, role_conversions=as_role_conversions(conversions, "here"))
    assert question is ASKED[0]
    assert calls == Message(
        "assistant",
        [
            Reasoning("Hm."),
            Text("Wait."),
            Text('<tool_call>\n{"id":"c1","name":"weather","arguments":{"city":"서울"}}\n</tool_call>'),
            Text('<tool_call>\n{"id":"c2","name":"clock","arguments":{}}\n</tool_call>'),
        ],
    )
    assert results == Message(
        "user",
        [
            Text('<tool_response>\n{"id":"c1","name":"weather","content":"sunny"}\n</tool_response>'),
            PICTURE,
            Text('<tool_response>\n{"id":"c2","is_error":true,"content":"broken"}\n</tool_response>'),
        ],
    )


def test_calls_that_became_text_are_read_as_the_calls_that_they_were() -> None:
    written = prepare(ASKED, role_conversions={"tool": "user"})[1].text
    assert [(call.name, call.input) for call in parse_tool_calls(written)] == [
        (call.name, call.input) for call in CALLS
    ]


def test_arguments_that_are_no_object_stay_as_the_model_wrote_them() -> None:
    message = Message("assistant", ToolCall("c1", "weather", '{"city":'))
    (prepared,) = prepare((message,), role_conversions={"tool": "user"})
    assert json.loads(prepared.text.splitlines()[1])["arguments"] == '{"city":'


def test_what_the_assistant_thought_is_marked_as_a_thought_in_another_role() -> None:
    message = Message("assistant", [Reasoning("Hm.", metadata=MARKED), Text("Yes.")])
    (prepared,) = prepare((message,), role_conversions={"assistant": "user"})
    assert prepared == Message("user", [Text("<think>\nHm.\n</think>", metadata=MARKED), Text("Yes.")])


def test_calls_alone_may_get_a_role_of_their_own() -> None:
    told = (Message("assistant", "No."), Message("assistant", CALLS[1]), RESULTS[1])
    prepared = prepare(told, role_conversions={"tool-call": "system"})
    assert [message.role for message in prepared] == [Role.ASSISTANT, Role.SYSTEM, Role.USER]


@pytest.mark.parametrize(
    ("conversions", "said"),
    [
        ({"robot": "user"}, "unknown role 'robot'"),
        ({"system": "developer"}, "['system']: one of system, user, assistant, not 'developer'"),
        ({"user": "tool"}, "['user']: one of system, user, assistant, not 'tool'"),
        ({"tool": "user", "tool-response": "assistant"}, "tool and tool-response are one role"),
    ],
)
def test_a_conversion_that_can_not_be_meant_is_refused(conversions: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match="OpenAIModel: custom_role_conversions") as refused:
        as_role_conversions(conversions, "OpenAIModel")
    assert said in str(refused.value)


def test_conversions_are_a_dict_of_words_or_of_roles_or_nothing() -> None:
    assert as_role_conversions({Role.SYSTEM: Role.USER}, "here") == {"system": "user"}
    assert as_role_conversions({"tool-response": "tool", "tool": "tool"}, "here")["tool"] == "tool"
    assert as_role_conversions(None, "here") == {}
    with pytest.raises(TypeError, match=r"here: custom_role_conversions is a dict such as \{'system': 'user'\}"):
        as_role_conversions([("system", "user")], "here")  # type: ignore[arg-type]


# Turns


def test_messages_of_one_role_are_joined_with_all_of_their_parts() -> None:
    said = (Message("user", "Look."), Message("user", [PICTURE, Text("And?")]), Message("assistant", "Nice."))
    prepared = prepare(said, alternate=True)
    assert prepared == (Message("user", [Text("Look."), PICTURE, Text("And?")]), Message("assistant", "Nice."))
    assert prepared[1] is said[2]


def test_a_message_that_says_nothing_is_left_out() -> None:
    said = (Message("user", "Hi"), Message("assistant", [Text("")]), Message("assistant", "Hello!"))
    assert prepare(said, alternate=True) == (said[0], said[2])
    marked = Message("assistant", "", metadata=MARKED)
    assert prepare((said[0], marked), alternate=True) == (said[0], marked)
    assert prepare((said[1],), alternate=True) == (said[1],)


def test_results_and_the_question_after_them_are_one_turn_of_the_user() -> None:
    prepared = prepare((*ASKED, Message("user", "So?")), alternate=True)
    assert [message.role for message in prepared] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert prepared[2].content == (*RESULTS[0].content, *RESULTS[1].content, Text("So?"))
    assert prepare(ASKED, alternate=True)[2].role is Role.TOOL


def test_a_messages_own_cache_marker_goes_to_its_last_part() -> None:
    said = (Message("user", "Long.", metadata=MARKED), Message("user", [Text("Short."), Text("Shorter.")]))
    (prepared,) = prepare(said, alternate=True)
    assert [cache_marker(part) for part in prepared.content] == [MARK, None, None]
    assert cache_marker(prepared) is None


def test_a_parts_own_cache_marker_outdoes_that_of_its_message() -> None:
    own = Text("Long.", metadata={"cache_control": {"type": "ephemeral", "ttl": "1h"}})
    (prepared,) = prepare((Message("user", own, metadata=MARKED), Message("user", "Short.")), alternate=True)
    assert prepared.content[0] is own


def test_what_messages_bring_for_their_providers_is_joined_too() -> None:
    said = (
        Message("assistant", "a", "Ann", metadata={"openai": {"details": [1], "of": "a"}, "bedrock": {"x": 1}}),
        Message("assistant", "b", "Ann", metadata={"openai": {"details": [2], "of": "b"}}),
    )
    (prepared,) = prepare(said, alternate=True)
    assert prepared.metadata == {"openai": {"details": (1, 2), "of": "b"}, "bedrock": {"x": 1}}
    assert prepared.name == "Ann"


def test_a_turn_of_two_people_has_no_name() -> None:
    (prepared,) = prepare((Message("user", "Hi!", "Ann"), Message("user", "Hi!", "Ben")), alternate=True)
    assert prepared.name is None


# Plain text


def test_flattened_content_is_one_text_with_every_text_part() -> None:
    call = ToolCall("c1", "clock")
    said = (Message("assistant", [Reasoning("Hm."), Text("One."), call, Text(""), Text("Two.")]),)
    assert prepare(said, flatten=True) == (Message("assistant", [Reasoning("Hm."), Text("One.\nTwo."), call]),)


def test_a_result_that_is_one_text_stays_the_same() -> None:
    message = Message("tool", [ToolResult("c1", "a"), ToolResult("c2", [Text("b"), Text("c")]), ToolResult("c3")])
    (prepared,) = prepare((message,), flatten=True)
    assert prepared == Message("tool", [ToolResult("c1", "a"), ToolResult("c2", "b\nc"), ToolResult("c3")])
    assert prepared.content[0] is message.content[0]


def test_flattening_moves_the_last_cache_marker_to_the_message() -> None:
    said = (
        Message("user", [Text("a", metadata=MARKED), Text("b")]),
        Message("tool", ToolResult("c1", [Text("c"), Text("d", metadata=MARKED)])),
    )
    question, result = prepare(said, flatten=True)
    assert question == Message("user", "a\nb", metadata=MARKED)
    assert result == Message("tool", ToolResult("c1", "c\nd", metadata=MARKED))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message("user", [Text("Look."), PICTURE]), "messages[1].content[1]: an Image can't be flattened to text"),
        (Message("user", Audio(b"RIFF")), "messages[1].content[0]: an Audio can't be flattened"),
        (
            Message("tool", ToolResult("c1", [Text("a"), Document(b"%PDF-")])),
            "messages[1].content[0].content[1]: a Document can't be flattened",
        ),
    ],
)
def test_a_part_that_is_no_text_is_unsupported_at_its_place(message: Message, said: str) -> None:
    with pytest.raises(Unsupported) as refused:
        prepare((Message("user", "Hi!"), message), flatten=True, alternate=True)
    assert str(refused.value).startswith(said)


# Media


def test_the_bytes_of_a_picture_stay_as_they_are_with_their_own_media_type() -> None:
    assert inline(PICTURE, "here") == (b"\xff\xd8\xff", "image/jpeg")
    assert inline(Image(url="data:image/webp;base64,UklGRg=="), "here") == (b"RIFF", "image/webp")
    assert inline(Image(url="data:,plain"), "here") == (b"plain", "image/png")


def test_what_lies_elsewhere_is_unsupported_where_nothing_is_fetched() -> None:
    with pytest.raises(Unsupported, match=r"here: this provider fetches no 'https://a.org/b.png'; pass the bytes"):
        inline(Image(url="https://a.org/b.png"), "here")


@given(st.binary(max_size=200), st.sampled_from(["image/png", "image/jpeg", "image/webp", "image/svg+xml"]))
def test_a_picture_goes_through_the_wire_as_it_was_given(data: bytes, media_type: str) -> None:
    """Its bytes and its media type, whatever they are: nothing is encoded anew."""
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    for given_as in ({"type": "image_url", "image_url": {"url": url}}, Image(data, media_type=media_type)):
        messages = as_messages([{"role": "user", "content": [given_as]}])
        assert messages[0].content == (Image(data, media_type=media_type),)
        (sent,) = wire_messages(messages)
        assert sent["content"] == [{"type": "image_url", "image_url": {"url": url}}]


# Cache markers, as people write them


def test_cache_control_is_read_on_a_part_a_message_a_call_and_a_result() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": "{}"}, "cache_control": MARK}
    system, user, assistant, tool = as_messages(
        [
            {"role": "system", "content": "Long.", "cache_control": MARK},
            {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": MARK}, "b"]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "c", "cache_control": MARK}]},
        ]
    )
    assert system == Message("system", "Long.", metadata=MARKED)
    assert user == Message("user", [Text("a", metadata=MARKED), Text("b")])
    assert assistant == Message("assistant", ToolCall("c1", "clock", metadata=MARKED))
    assert tool == Message("tool", ToolResult("c1", "c", metadata=MARKED))


def test_cache_control_that_is_no_dict_is_refused_at_its_place() -> None:
    part = {"type": "text", "text": "a", "cache_control": True}
    with pytest.raises(TypeError, match=r"messages\[0\].content\[0\].cache_control: a dict such as"):
        as_messages([{"role": "user", "content": [part]}])


# Any conversation


def marked(message: Message, of: bool, on: bool) -> Message:
    """The same with a cache marker of its own, and one on its last part."""
    content = list(message.content)
    if on and content:
        content[-1] = attrs.evolve(content[-1], metadata={**content[-1].metadata, **MARKED})
    metadata = {**message.metadata, **(MARKED if of and content else {})}
    return Message(message.role, content, message.name, metadata=metadata)


CONVERSATIONS = st.lists(st.builds(marked, any_messages, st.booleans(), st.booleans()), max_size=6).map(tuple)
CONVERSIONS = st.sampled_from(
    [
        {},
        {"system": "user"},
        {"tool": "user"},
        {"tool-call": "assistant", "tool-response": "user"},
        {"tool-call": "user"},
    ]
)
WAYS = st.fixed_dictionaries({"role_conversions": CONVERSIONS, "flatten": st.booleans(), "alternate": st.booleans()})


def prepared_or_none(said: tuple[Message, ...], **ways: Any) -> tuple[Message, ...] | None:
    try:
        return prepare(said, **ways)
    except Unsupported:
        return None


def parts_of(said: tuple[Message, ...]) -> Iterator[Part]:
    for message in said:
        yield from message.content


@given(CONVERSATIONS, WAYS)
def test_preparing_twice_is_preparing_once(said: tuple[Message, ...], ways: dict[str, Any]) -> None:
    once = prepared_or_none(said, **ways)
    if once is not None:
        assert prepare(once, **ways) == once


@given(CONVERSATIONS, WAYS)
def test_nothing_passed_in_is_changed(said: tuple[Message, ...], ways: dict[str, Any]) -> None:
    before = copy.deepcopy((said, ways))
    prepared_or_none(said, **ways)
    assert (said, ways) == before


@given(CONVERSATIONS)
def test_joining_loses_no_part_and_changes_no_order(said: tuple[Message, ...]) -> None:
    def bare(part: Part) -> Part:
        return attrs.evolve(part, metadata={})

    def parts(of: tuple[Message, ...]) -> list[Part]:
        return [part for part in map(bare, parts_of(of)) if part != Text("")]

    joined = prepare(said, alternate=True)
    assert parts(joined) == parts(said)
    assert sum(map(marks, joined)) == sum(map(marks, said))


def marks(message: Message) -> int:
    """How many places it marks: its own marker and one on its last part mark the same."""
    on_parts = [cache_marker(part) is not None for part in message.content]
    return sum(on_parts) + (cache_marker(message) is not None and not on_parts[-1])


@given(CONVERSATIONS, WAYS)
def test_turns_alternate(said: tuple[Message, ...], ways: dict[str, Any]) -> None:
    prepared = prepared_or_none(said, **{**ways, "alternate": True})
    sides = [Role.USER if message.role is Role.TOOL else message.role for message in prepared or ()]
    assert all(one is not next_one for one, next_one in pairwise(sides))


@given(CONVERSATIONS)
def test_flat_content_is_plain_and_has_every_word_in_order(said: tuple[Message, ...]) -> None:
    flat = prepared_or_none(said, flatten=True)
    if flat is None:
        assert any(
            isinstance(inner, (Image, Audio, Document))
            for part in parts_of(said)
            for inner in (part.content if isinstance(part, ToolResult) else (part,))
        )
        return
    assert len(flat) == len(said)
    for message, before in zip(flat, said, strict=True):
        assert len([part for part in message.content if isinstance(part, Text)]) <= 1
        texts = [part.text for part in before.content if isinstance(part, Text)]
        assert message.text == (texts[0] if len(texts) == 1 else "\n".join(filter(None, texts)))
        assert all(not part.metadata for part in message.content if isinstance(part, Text))


@given(CONVERSATIONS)
def test_a_conversion_of_tools_leaves_no_call_and_no_result_and_every_word(said: tuple[Message, ...]) -> None:
    prepared = prepare(said, role_conversions={"tool": "user"})
    calls = [part for message in prepared if message.role is Role.ASSISTANT for part in message.tool_calls]
    results = [part for part in parts_of(prepared) if isinstance(part, ToolResult)]
    assert (calls, results) == ([], [])
    media = [part for part in parts_of(prepared) if isinstance(part, (Image, Audio, Document))]
    before = [
        inner
        for part in parts_of(said)
        for inner in (part.content if isinstance(part, ToolResult) else (part,))
        if isinstance(inner, (Image, Audio, Document))
    ]
    assert len(media) == len(before)
