"""The parts of a message on Bedrock's wire: media, thoughts, guarded text, and what it can't say."""

from __future__ import annotations

import base64

import pytest
from bedrock_checks import sent
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.bedrock.media import document_name
from modelport.adapters.bedrock.request import Unwritable
from modelport.domain.capability import Unsupported
from modelport.domain.message import Audio, Document, Image, Message, Reasoning, Text, ToolResult

PNG, PDF = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (Message("user", Image(url="https://example.org/a.png")), "messages[0].content[0]: this provider fetches no"),
        (Message("user", Image(b"BM", media_type="image/bmp")), "takes png, jpeg, gif, webp images, and no image/bmp"),
        (Message("user", Document(b"x", media_type="application/zip")), "files, and no application/zip"),
        (Message("tool", ToolResult("c1", Audio(b"x"))), "messages[0].content[0].content[0]: a tool's result holds no"),
        (Message("system", Image(PNG)), "messages[0].content[0]: Converse's system field takes text, and no Image"),
    ],
)
def test_what_converse_cant_say_is_unsupported_and_names_the_place(message: Message, says: str) -> None:
    with pytest.raises(Unsupported) as raised:
        sent(message)
    assert says in str(raised.value)


def test_media_go_as_bytes_or_from_a_bucket() -> None:
    body = sent(
        Message(
            "user",
            [
                Image(url="data:image/webp;base64,UklGRg=="),
                Image(url="s3://bucket/a.jpg", metadata={"bedrock": {"bucketOwner": "123456789012"}}),
                Document(PDF, name="Q3 report_final.pdf", metadata={"bedrock": {"citations": {"enabled": True}}}),
                Document(b"a,b", media_type="text/csv; charset=utf-8", name="Q3 report_final.csv"),
                Audio(b"ID3", media_type="audio/mpeg"),
            ],
        )
    )
    assert body["messages"][0]["content"] == [
        {"image": {"format": "webp", "source": {"bytes": "UklGRg=="}}},
        {
            "image": {
                "format": "jpeg",
                "source": {"s3Location": {"uri": "s3://bucket/a.jpg", "bucketOwner": "123456789012"}},
            }
        },
        {
            "document": {
                "format": "pdf",
                "name": "Q3 report-final",
                "source": {"bytes": base64.b64encode(PDF).decode()},
                "citations": {"enabled": True},
            }
        },
        {"document": {"format": "csv", "name": "Q3 report-final (2)", "source": {"bytes": "YSxi"}}},
        {"audio": {"format": "mp3", "source": {"bytes": "SUQz"}}},
    ]


def test_a_number_never_makes_a_documents_name_that_of_another() -> None:
    names = ["a.pdf", "a.pdf", "a (2).pdf", "a.pdf"]
    body = sent(Message("user", [Document(PDF, name=name) for name in names]))
    assert [block["document"]["name"] for block in body["messages"][0]["content"]] == [
        "a",
        "a (2)",
        "a (2) (2)",
        "a (3)",
    ]


@given(st.text(max_size=300))
def test_a_documents_name_has_only_what_converse_admits(name: str) -> None:
    made = document_name(name)
    assert 1 <= len(made) <= 200
    assert all(char.isascii() and (char.isalnum() or char in "-()[] ") for char in made)
    assert "  " not in made


@pytest.mark.parametrize("name", ["extra_body", "inferenceConfig", "toolConfig", "guardrailConfig"])
def test_an_option_that_is_no_dict_where_one_belongs_is_named(name: str) -> None:
    with pytest.raises(Unwritable, match=f"options: {name} is a dict, not 'x'"):
        sent(Message("user", "Hi"), options={name: "x"})


def test_the_extra_body_overrules_nothing() -> None:
    with pytest.raises(Unwritable, match="options: 'seed' stands in extra_body too; say it in one place"):
        sent(Message("user", "Hi"), options={"seed": 7, "extra_body": {"seed": 8}})


def test_thoughts_go_back_with_their_signature_and_not_without() -> None:
    body = sent(
        Message("user", "Hi"),
        Message(
            "assistant",
            [
                Reasoning("Hm.", metadata={"bedrock": {"signature": "c2ln"}}),
                Reasoning("", metadata={"bedrock": {"redactedContent": "c2VjcmV0"}}),
                Reasoning("Another's thought.", metadata={"openai": {"signature": "x"}}),
                Text("Hello."),
            ],
        ),
    )
    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2VjcmV0"}},
        {"text": "Hello."},
    ]


def test_a_redacted_thought_that_was_tampered_with_is_a_bad_request() -> None:
    with pytest.raises(Unwritable, match="base64"):
        sent(Message("assistant", Reasoning("", metadata={"bedrock": {"redactedContent": "no base64!"}})))


def test_headers_of_a_call_are_unsupported_rather_than_told_to_the_model() -> None:
    with pytest.raises(Unsupported, match="client.meta.events"):
        sent(Message("user", "Hi"), options={"extra_headers": {"x-key": "secret"}})


def test_text_to_be_guarded_is_marked() -> None:
    guarded = Text("Is it so?", metadata={"bedrock": {"guardContent": {"qualifiers": ["query"]}}})
    body = sent(Message("user", [guarded, Text("Yes.", metadata={"bedrock": {"guardContent": True}})]))
    assert body["messages"][0]["content"] == [
        {"guardContent": {"text": {"text": "Is it so?", "qualifiers": ["query"]}}},
        {"guardContent": {"text": {"text": "Yes."}}},
    ]
