"""What people type and attach is read into values: prompts, files, schemas, options."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import command, scripted

from modelport import Audio, Document, Image, Part, Text
from modelport.composition.cli.files.log_store import last_conversation
from modelport.composition.cli.inputs.attachments import attached
from modelport.composition.cli.inputs.schemas import read_schema

PNG = b"\x89PNG\r\n\x1a\n0123"
STRING = {"type": "string"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model that answers, and a log of what it was asked."""
    monkeypatch.chdir(tmp_path)
    scripted(tmp_path, "Yes.", repeat=True)
    command("log", "on")
    return tmp_path


def asked(*typed: str, input: str | bytes | None = None) -> tuple[Part, ...]:
    """The parts of the question that these words make."""
    assert command("ask", *typed, "-m", "main", input=input).output == "Yes.\n"
    return last_conversation().request.messages[-1].content


def test_what_is_piped_goes_before_the_prompt() -> None:
    assert asked("Summarise this", input="A long story.\n") == (Text("A long story.\n\nSummarise this"),)


def test_either_may_be_alone() -> None:
    assert asked("Hi", input="") == (Text("Hi"),)
    assert asked(input="\ufeff왜?\n") == (Text("왜?"),)
    assert asked("-", input="Hi\n") == (Text("Hi\n"),)


def test_bytes_that_are_no_text_are_to_be_attached() -> None:
    done = command("ask", "What is it?", "-m", "main", input=PNG)
    assert done.exit_code == 2
    assert "a picture or a document goes with --attach -" in done.stderr
    assert asked("What is it?", "-a", "-", input=PNG) == (Image(PNG), Text("What is it?"))


def test_a_picture_needs_no_prompt(here: Path) -> None:
    (here / "a.png").write_bytes(PNG)
    assert asked("-a", "a.png", input="") == (Image(PNG),)


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("a", PNG, Image(PNG)),
        ("a.mp3", b"ID3\x00\xff", Audio(b"ID3\x00\xff", media_type="audio/mpeg")),
        ("a.pdf", b"%PDF-1.7", Document(b"%PDF-1.7", name="a.pdf")),
        ("a.py", b"print(1)\n", Text("a.py:\n\nprint(1)")),
    ],
)
def test_a_file_is_told_by_its_bytes(here: Path, name: str, data: bytes, part: Part) -> None:
    (here / name).write_bytes(data)
    assert attached(name) == part


@pytest.mark.parametrize("data", [b"\x00\x01\xff\xfe", b"a\x00b"])
def test_bytes_of_an_unknown_kind_are_told(here: Path, data: bytes) -> None:
    (here / "a.bin").write_bytes(data)
    with pytest.raises(ValueError, match="--attach a.bin: unknown kind of media"):
        attached("a.bin")


def test_an_empty_file_is_told(here: Path) -> None:
    (here / "a").touch()
    with pytest.raises(ValueError, match="--attach a: it is empty"):
        attached("a")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("https://a.b/c.jpg?d=e", Image(url="https://a.b/c.jpg?d=e", media_type="image/jpeg")),
        ("http://a.b/c.mp3", Audio(url="http://a.b/c.mp3", media_type="audio/mpeg")),
        ("https://a.b/c.pdf", Document(url="https://a.b/c.pdf")),
    ],
)
def test_an_address_is_told_by_its_ending(url: str, part: Part) -> None:
    assert attached(url) == part


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("name", {"name": STRING}),
        ("name, age int", {"name": STRING, "age": {"type": "integer"}}),
        ("name: " + "long " * 60, {"name": {**STRING, "description": ("long " * 60).strip()}}),
        ("\nname: who, and why\n\nheight float : in m\nis_dog bool\n", {
            "name": {**STRING, "description": "who, and why"},
            "height": {"type": "number", "description": "in m"},
            "is_dog": {"type": "boolean"},
        }),
    ],
)  # fmt: skip
def test_a_schema_may_be_fields(text: str, properties: object) -> None:
    schema = read_schema(text)
    assert schema["properties"] == properties
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


def test_a_schema_may_be_json_or_a_file_of_it(here: Path) -> None:
    (here / "dog").write_text('{"type": "object"}', "utf-8")
    assert read_schema(' {"type": "object"}') == read_schema("dog") == {"type": "object"}


@pytest.mark.parametrize(("text", "why"), [("a b c", "'a b c' isn't a field"), (" , ", "there are no fields in it")])
def test_fields_that_can_not_be_read_are_told(text: str, why: str) -> None:
    with pytest.raises(ValueError, match="--schema: ") as caught:
        read_schema(text)
    assert why in str(caught.value)


def test_a_schema_that_is_nested_without_end_is_told() -> None:
    with pytest.raises(ValueError, match="--schema: it is no JSON: maximum recursion depth exceeded"):
        read_schema('{"a":' * 100_000)


def test_a_file_that_is_no_schema_is_told(here: Path) -> None:
    (here / "a.json").write_text("[1]", "utf-8")
    with pytest.raises(ValueError, match=r"--schema a.json: a schema is a JSON object, not \[1\]"):
        read_schema("a.json")


def test_options_are_read_as_json_where_they_are() -> None:
    asked("Hi", "-o", "top_p", "0.5", "-o", "user", "ada", "-o", "logit_bias", '{"5": -1}', "--seed", "7", input="")
    assert dict(last_conversation().request.options) == {
        "top_p": 0.5,
        "user": "ada",
        "logit_bias": {"5": -1},
        "seed": 7,
    }
