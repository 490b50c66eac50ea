"""What people pass as messages."""

import base64
import contextlib
import copy
import enum
import io
import pathlib
from types import SimpleNamespace
from typing import Any

import pytest
from domain_values import messages
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.message import (
    PARTS,
    Audio,
    Document,
    Image,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from modelport.domain.reading.messages import as_messages
from modelport.domain.response import Response

PNG = b"\x89PNG\r\n\x1a\n...."
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "
PDF = b"%PDF-1.7"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def content(value: Any, **read: Any) -> tuple[Any, ...]:
    return as_messages({"role": "user", "content": value}, **read)[0].content


@given(st.lists(messages, min_size=1, max_size=3))
def test_messages_are_left_as_they_are(given_: list[Message]) -> None:
    """Messages that are values already come back as they are."""
    assert as_messages(given_) == tuple(given_)
    assert as_messages(given_[0]) == (given_[0],)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hi", Message("user", "hi")),
        (Response.of("hi"), Message("assistant", "hi")),
        ({"role": "developer", "content": "x"}, Message("system", "x")),
        ({"role": "assistant", "content": None, "refusal": None, "audio": None}, Message("assistant", ())),
        ({"role": "assistant"}, Message("assistant", ())),
        ({"role": "assistant", "content": None, "refusal": "no"}, Message("assistant", "no")),
        ({"role": "user", "content": "", "name": "Ann"}, Message("user", "", "Ann")),
        ({"role": Role.USER, "content": "x"}, Message("user", "x")),
        ({"role": "user", "content": ["a", Text("b")]}, Message("user", [Text("a"), Text("b")])),
        ({"role": "user", "content": Image(PNG)}, Message("user", [Image(PNG)])),
        ({"role": "user", "content": "x", "metadata": {"p": {"a": 1}}}, Message("user", "x", metadata={"p": {"a": 1}})),
        ({"role": "tool-call", "content": "x"}, Message("assistant", "x")),
        ({"role": "tool-response", "content": [{"type": "text", "text": "x"}]}, Message("user", "x")),
        ({"role": "tool-response", "content": "x", "tool_call_id": "1"}, Message("tool", [ToolResult("1", "x")])),
        ({"role": "tool-response", "content": [ToolResult("1", "x")]}, Message("tool", [ToolResult("1", "x")])),
        (
            {"role": "tool", "tool_call_id": "1", "name": "f", "content": "x"},
            Message("tool", [ToolResult("1", "x", "f")]),
        ),
        ({"role": "tool", "content": [ToolResult("1", "x")]}, Message("tool", [ToolResult("1", "x")])),
        ({"role": "tool", "tool_call_id": "1", "content": ""}, Message("tool", [ToolResult("1")])),
        (
            {"role": "assistant", "reasoning_content": "h", "content": "x"},
            Message("assistant", [Reasoning("h"), Text("x")]),
        ),
        ({"role": "assistant", "reasoning": "h", "content": "x"}, Message("assistant", [Reasoning("h"), Text("x")])),
        ({"role": "user", "content": [ToolResult("1", "x")]}, Message("user", [ToolResult("1", "x")])),
    ],
)
def test_messages_are_read(value: Any, expected: Message) -> None:
    """Strings, answers, and the dicts of the wire and of smolagents."""
    before = copy.deepcopy(value)
    assert as_messages(value) == (expected,)
    assert as_messages([value] if not isinstance(value, str) else value) == (expected,)
    assert value == before


CALL = Message("assistant", [ToolCall("1", "f", '{"x":1}')])


@pytest.mark.parametrize(
    "call",
    [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "1", "function": {"name": "f", "arguments": {"x": 1}}},
        {"id": "1", "name": "f", "arguments": {"x": 1}},
        SimpleNamespace(id="1", function=SimpleNamespace(name="f", arguments={"x": 1})),
        ToolCall("1", "f", '{"x":1}'),
    ],
)
def test_tool_calls_are_read(call: Any) -> None:
    """A call is a dict, an SDK's object, or a value, its arguments text or a dict."""
    assert as_messages({"role": "assistant", "content": None, "tool_calls": [call]}) == (CALL,)
    assert as_messages([SimpleNamespace(role="assistant", content=None, tool_calls=[call])]) == (CALL,)


@pytest.mark.parametrize("arguments", [None, ""])
def test_a_call_without_arguments(arguments: Any) -> None:
    """No arguments are an empty object."""
    call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
    assert as_messages({"role": "assistant", "tool_calls": [call]})[0].tool_calls == (ToolCall("1", "f", "{}"),)


def test_an_object_with_a_role_of_its_own_kind() -> None:
    """The messages of smolagents are objects whose role is an enum's member."""
    kind = enum.Enum("kind", {"USER": "user"})
    assert as_messages([SimpleNamespace(role=kind.USER, content="x")]) == (Message("user", "x"),)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "x"}, Text("x")),
        ({"type": "refusal", "refusal": "no"}, Text("no")),
        ({"type": "text", "text": "x", "metadata": {"p": 1}}, Text("x", metadata={"p": 1})),
        (
            {"type": "image_url", "image_url": {"url": "https://e.org/a.png", "detail": "low"}},
            Image(url="https://e.org/a.png", detail="low"),
        ),
        ({"type": "image_url", "image_url": "https://e.org/a.png"}, Image(url="https://e.org/a.png")),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{b64(PNG)}"}},
            Image(PNG, media_type="image/jpeg"),
        ),
        ({"type": "image_url", "image_url": {"url": f"data:;base64,{b64(PNG)}"}}, Image(PNG)),
        (
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml,%3Csvg/%3E"}},
            Image(b"<svg/>", media_type="image/svg+xml"),
        ),
        ({"type": "image", "image": PNG, "detail": "high"}, Image(PNG, detail="high")),
        ({"type": "image", "image": bytearray(PNG)}, Image(PNG)),
        ({"type": "image", "image": "https://e.org/a.png"}, Image(url="https://e.org/a.png")),
        ({"type": "image", "url": "https://e.org/a.png"}, Image(url="https://e.org/a.png")),
        ({"type": "image", "path": pathlib.PurePosixPath("dir/a.png")}, Image(PNG)),
        ({"type": "image", "image": Image(PNG, detail="low")}, Image(PNG, detail="low")),
        (
            {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "mp3"}},
            Audio(WAV, media_type="audio/mpeg"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "flac"}},
            Audio(WAV, media_type="audio/flac"),
        ),
        ({"type": "input_audio", "input_audio": {"data": b64(WAV).rstrip("=")}}, Audio(WAV)),
        ({"type": "audio", "audio": {"data": WAV, "format": "opus"}}, Audio(WAV, media_type="audio/opus")),
        ({"type": "audio", "audio": WAV}, Audio(WAV)),
        ({"type": "audio", "audio": "https://e.org/a.wav"}, Audio(url="https://e.org/a.wav")),
        ({"type": "audio", "audio": f"data:audio/ogg;base64,{b64(WAV)}"}, Audio(WAV, media_type="audio/ogg")),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{b64(PDF)}", "filename": "a.pdf"}},
            Document(PDF, name="a.pdf"),
        ),
        (
            {"type": "file", "file": {"file_data": b64(b"hello"), "filename": "a.txt"}},
            Document(b"hello", media_type="text/plain", name="a.txt"),
        ),
        ({"type": "file", "file": {"file_data": b64(b"hello")}}, Document(b"hello")),
        ({"type": "file", "file": "https://e.org/a.pdf"}, Document(url="https://e.org/a.pdf")),
        ({"type": "file", "file": b"hello"}, Document(b"hello", media_type="application/octet-stream")),
        (
            {"type": "file", "file": {"file_data": b"hello", "filename": "a.md"}},
            Document(b"hello", media_type="text/markdown", name="a.md"),
        ),
        ({"type": "file", "file": pathlib.PurePosixPath("dir/a.pdf")}, Document(PDF, name="a.pdf")),
        (
            {"type": "file", "file": {"url": pathlib.PurePosixPath("dir/a.png"), "filename": "x"}},
            Document(PNG, media_type="image/png", name="x"),
        ),
        (pathlib.PurePosixPath("dir/a.wav"), Audio(WAV)),
        (pathlib.PurePosixPath("dir/a.csv"), Document(b"a,b", media_type="text/csv", name="a.csv")),
        (pathlib.PureWindowsPath("dir\\a.pdf"), Document(PDF, name="a.pdf")),
        (PNG, Image(PNG)),
        (memoryview(WAV), Audio(WAV)),
        (PDF, Document(PDF)),
    ],
)
def test_parts_are_read(part: Any, expected: Any) -> None:
    """Every part of the wire, of smolagents, and bytes and paths as they are."""

    def read(path: str) -> bytes:
        return {"png": PNG, "wav": WAV, "csv": b"a,b", "pdf": PDF}[path[-3:]]

    before = copy.deepcopy(part) if not isinstance(part, memoryview) else part
    assert content([part], read=read) == (expected,)
    assert content(part, read=read) == (expected,)
    assert part == before


class Picture:
    """What reading needs of a PIL image."""

    size = (1, 1)

    def __init__(self, mode: str = "RGB", broken: bool = False) -> None:
        self.mode, self.broken = mode, broken

    def save(self, file: Any, format: str) -> None:
        if self.broken:
            raise OSError("truncated")
        assert file.write(PNG) == len(PNG)
        file.write(format.encode() + self.mode.encode())

    def convert(self, mode: str) -> "Picture":
        return Picture(mode)


@pytest.mark.parametrize(("mode", "written"), [("RGBA", b"PNGRGBA"), ("CMYK", b"PNGRGB")])
def test_pictures_are_written_as_png(mode: str, written: bytes) -> None:
    """A picture object is encoded in memory; a mode that PNG lacks is converted."""
    assert content([Picture(mode)]) == (Image(PNG + written),)
    assert content({"type": "image", "image": Picture(mode)}) == (Image(PNG + written),)


def test_a_real_picture() -> None:
    """Pillow's own images are read, and left as they are."""
    pil = pytest.importorskip("PIL.Image")
    picture = pil.new("CMYK", (2, 3))
    (part,) = content([picture])
    assert pil.open(io.BytesIO(part.data)).size == (2, 3)
    assert picture.mode == "CMYK"


def no_file(path: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory")


def refuse(path: str) -> bytes:
    raise ValueError(f"can't read {path!r}: outside of the folder")


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([], ValueError, "messages: there are none"),
        (None, TypeError, "messages: can't read NoneType None; pass a string"),
        (3, TypeError, "messages: can't read int 3"),
        (b"abc", TypeError, "messages: can't read bytes"),
        ({"content": "x"}, TypeError, "messages: can't read dict"),
        (Text("x"), TypeError, "messages: can't read Text"),
        ("a\ud800", ValueError, r"messages: '\\ud800' at 1 is half a character"),
        (["hi"], TypeError, r"messages\[0\]: can't read str 'hi' as a message; give it a role"),
        (
            [{"role": "user", "content": "x"}, {"content": "x" * 99}],
            TypeError,
            r"messages\[1\]: can't read dict .*\.\.\.",
        ),
        (
            [{"role": "boss", "content": "x"}],
            ValueError,
            r"messages\[0\].role: unknown role 'boss'; a role is one of system",
        ),
        ([{"role": 3, "content": "x"}], ValueError, r"messages\[0\].role: unknown role 3"),
        ([{"role": "user", "content": 3}], TypeError, r"messages\[0\].content: can't read int 3 as a part"),
        ([{"role": "user", "content": [["x"]]}], TypeError, r"messages\[0\].content\[0\]: can't read list"),
        (
            [{"role": "user", "text": "x"}],
            ValueError,
            r"messages\[0\]: unknown key 'text'; a message has role, content",
        ),
        ([{"role": "user", "content": "x", "name": 3}], TypeError, r"messages\[0\].name: expected text, found int 3"),
        ([{"role": "user", "content": "x", "metadata": 3}], TypeError, r"messages\[0\].metadata: a dict by provider"),
        (
            [{"role": "user", "content": "x", "tool_call_id": "1"}],
            ValueError,
            r"tool_call_id: '1' belongs to .* role tool",
        ),
        (
            [{"role": "tool", "content": "x"}],
            ValueError,
            r"messages\[0\].tool_call_id: a tool's message names the call",
        ),
        (
            [{"role": "tool", "content": [Reasoning("x")], "tool_call_id": "1"}],
            TypeError,
            r"content\[0\]: a tool can't give",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"id": "1"}]}],
            ValueError,
            r"tool_calls\[0\]: a tool call needs a name",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"name": "f"}]}],
            ValueError,
            r"tool_calls\[0\]: the call of 'f' needs an id",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"name": "f", "id": "1", "arguments": 3}]}],
            TypeError,
            "JSON text or a dict",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"name": "f", "id": "1", "arguments": {"x": len}}]}],
            TypeError,
            r"tool_calls\[0\].arguments: .*JSON",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"name": "f", "id": "1", "arguments": "\ud800"}]}],
            ValueError,
            "arguments: .*half",
        ),
        ([Message("user", [Text("a"), Text("\ud800")])], ValueError, r"messages\[0\].content\[1\]: .*half a character"),
        ([Message("assistant", [Reasoning("\ud800")])], ValueError, r"content\[0\]: .*half"),
        ([Message("assistant", [ToolCall("1", "f", "\ud800")])], ValueError, r"content\[0\]: .*half"),
        (
            [Message("tool", [ToolResult("1", [Image(b""), Text("\ud800")])])],
            ValueError,
            r"content\[0\].content\[1\]: .*half",
        ),
    ],
)
def test_bad_messages(value: Any, error: type[Exception], words: str) -> None:
    """What can't be read is an error that says what was found, and where."""
    with pytest.raises(error, match=words):
        as_messages(value)


@pytest.mark.parametrize(
    ("part", "error", "words"),
    [
        ({"type": "video"}, ValueError, "can't read a part of type 'video'; it is one of text, "),
        ({"text": "x"}, ValueError, "can't read a part of type None"),
        ({"type": ["text"]}, ValueError, r"can't read a part of type \['text'\]"),
        ({"type": "text"}, ValueError, r"needs 'text' or 'refusal', found \['type'\]"),
        ({"type": "text", "text": 3}, TypeError, "expected text, found int 3"),
        ({"type": "image_url", "image_url": {}}, ValueError, "image_url: needs 'url'"),
        ({"type": "image", "image": "/nope.png"}, ValueError, r"'/nope.png' is no URL; .* pass pathlib.Path"),
        ({"type": "image", "image": "x" * 99}, ValueError, r"'x+\.\.\.' is no URL"),
        ({"type": "image", "image": WAV}, ValueError, "an image was promised, but this is Audio of audio/wav"),
        ({"type": "image", "image": 3}, TypeError, "can't read int 3 as a part"),
        ({"type": "image_url", "image_url": "data:image/png;base64"}, ValueError, "a data: URL has a comma"),
        ({"type": "image_url", "image_url": "data:image/png;base64,a"}, ValueError, "not base64"),
        ({"type": "input_audio", "input_audio": {"data": "?!"}}, ValueError, r"not base64 .*: '\?!'"),
        ({"type": "audio", "audio": PNG}, ValueError, "a sound was promised, but this is Image of image/png"),
        (
            {"type": "file", "file": {"file_id": "file-1"}},
            ValueError,
            r"file: needs 'file_data' or 'url', found \['file_id'\]",
        ),
        (b"what is it", ValueError, "unknown kind of media: 10 bytes that begin with b'what is '"),
        (pathlib.PurePosixPath("/nope.png"), ValueError, "can't read '/nope.png': No such file or directory"),
        (SimpleNamespace(__fspath__=lambda: b"/x"), TypeError, "a path of text, not b'/x'"),
        (Picture(broken=True), ValueError, "can't write Picture .* as PNG: truncated"),
        (3, TypeError, "can't read int 3 as a part"),
        (None, TypeError, "can't read NoneType None as a part"),
    ],
)
def test_bad_parts(part: Any, error: type[Exception], words: str) -> None:
    """A part that can't be read is an error that says what was found, and where."""
    with pytest.raises(error, match=r"messages\[1\].content\[0\].*" + words):
        as_messages([Message("user", "x"), {"role": "user", "content": [part]}], read=no_file)


def test_paths_need_a_reader() -> None:
    """Without a reader nothing is read; a reader's own refusal is placed."""
    path = pathlib.PurePosixPath("dir/a.bin")
    with pytest.raises(ValueError, match=r"'dir/a.bin' is a path, and nothing here reads files; pass its bytes"):
        content(path)
    with pytest.raises(ValueError, match=r"messages.content: can't read 'dir/a.bin': outside of the folder"):
        content(path, read=refuse)
    with pytest.raises(ValueError, match=r"unknown kind of media: 'dir/a.bin' begins with b'1234'"):
        content(path, read=lambda path: b"1234")


@given(st.text() | st.lists(st.text() | st.dictionaries(st.sampled_from(["role", "content", "type"]), st.text())))
def test_nothing_else_is_raised(value: Any) -> None:
    """Whatever is passed gives messages, or one of two errors."""
    read: tuple[Message, ...] = ()
    with contextlib.suppress(ValueError, TypeError):
        read = as_messages(value)
    assert all(isinstance(part, PARTS) for message in read for part in message.content)
