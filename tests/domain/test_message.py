"""Messages and their parts."""

import copy
import pickle
from typing import Any

import attrs
import pytest

from modelport.domain.message import (
    Audio,
    Document,
    Image,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
    as_json,
    keep_written,
)


def test_text_and_tool_calls_are_gathered_from_the_parts() -> None:
    """A message's text is that of its text parts; its tool calls are in their order."""
    call = ToolCall("1", "f", {"x": "이"})
    message = Message("assistant", [Reasoning("hm"), Text("a"), call, Text("b")])
    assert message.role is Role.ASSISTANT
    assert (message.text, message.tool_calls) == ("ab", (call,))


@pytest.mark.parametrize(
    ("content", "parts"), [("hi", (Text("hi"),)), ("", ()), (Text("hi"), (Text("hi"),)), ([], ()), (iter(()), ())]
)
def test_content_is_read(content: Any, parts: tuple[Any, ...]) -> None:
    """Content is text, one part, or several."""
    assert Message("user", content).content == parts
    assert ToolResult("1", content).content == parts


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Message("boss", ""), ValueError, "unknown role 'boss'; a role is one of system, user"),
        (lambda: Message("user", ["hi"]), TypeError, r"content\[0\]: str is not a part; see as_messages"),
        (lambda: Message("user", 3), TypeError, "content: int is no text"),
        (lambda: Message("user", b"abc"), TypeError, "content: bytes is no text"),
        (lambda: ToolResult("1", ["x"]), TypeError, r"content\[0\]: str is not a part"),
        (lambda: ToolResult("1", {"a": 1}), TypeError, "content: dict is no text"),
        (lambda: Text(3), TypeError, "text"),
        (Image, ValueError, "Image takes exactly one of data= and url="),
        (lambda: Audio(b"", url="x"), ValueError, "Audio takes exactly one of data= and url="),
        (lambda: Document("text"), TypeError, "data= takes bytes, not str; an address goes into url="),
        (lambda: ToolCall("1", "f", {"x": float("nan")}), ValueError, "JSON"),
    ],
)
def test_bad_values(make: Any, error: type[Exception], words: str) -> None:
    """What can't be a message or a part is refused at once."""
    with pytest.raises(error, match=words):
        make()


def test_bytes_are_shown_by_their_number() -> None:
    """A picture's repr doesn't print the picture; what can be changed is copied."""
    data = bytearray(b"12345")
    image = Image(data)
    data[0] = 0
    assert image.data == b"12345"
    assert repr(image) == "Image(data=<5 bytes>)"
    assert repr(Image(url="u")) == "Image(url='u')"


@pytest.mark.parametrize(
    ("arguments", "given"), [("", {}), ("{}", {}), ('{"a": [1]}', {"a": (1,)}), ({"a": 1}, {"a": 1})]
)
def test_a_call_reads_its_arguments(arguments: Any, given: dict[str, Any]) -> None:
    """Arguments are JSON text, read when asked for."""
    assert ToolCall("1", "f", arguments).input == given


@pytest.mark.parametrize(("arguments", "words"), [('{"a": ', "are not JSON: '{\"a\": '"), ("[1]", "not a JSON object")])
def test_a_call_with_bad_arguments_keeps_them(arguments: str, words: str) -> None:
    """Broken arguments are kept as text; reading them is an error that shows them."""
    call = ToolCall("1", "f", arguments)
    assert call.arguments == arguments
    with pytest.raises(
        ValueError, match="tool call 'f': arguments " + words.replace("{", r"\{") if words[0] == "a" else words
    ):
        _ = call.input


def test_a_result_has_text() -> None:
    """A tool result's text is that of its text parts."""
    assert ToolResult("1", [Text("a"), Image(b"x"), Text("b")]).text == "ab"


def test_json_text_can_always_be_encoded() -> None:
    """Characters are written as they are, half a character as its escape."""
    assert as_json({"a": "이"}) == '{"a":"이"}'
    assert as_json("\ud800이") == '"\\ud800\\uc774"'


def test_what_is_written_of_a_message_is_no_part_of_it() -> None:
    message, other = Message("user", "Hi"), Message("user", "Hi")
    keep_written(message, "here", b"one")
    keep_written(message, "there", b"two")
    assert message.written == {"here": b"one", "there": b"two"}
    assert (message, hash(message), repr(message)) == (other, hash(other), repr(other))
    again = [pickle.loads(pickle.dumps(message)), copy.copy(message), copy.deepcopy(message), attrs.evolve(message)]
    assert [hasattr(each, "written") for each in again] == [False] * 4
