"""What kind of thing some bytes are."""

import pytest

from modelport.domain.reading.messages import as_messages
from modelport.domain.reading.signatures import by_name, sniff

PNG = b"\x89PNG\r\n\x1a\n...."
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt "
PDF = b"%PDF-1.7"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (WAV, "audio/wav"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"........WEBP", None),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xfe", None),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"....ftypM4A ", "audio/mp4"),
        (PDF, "application/pdf"),
        (b"", None),
        (b"plain", None),
    ],
)
def test_sniff(data: bytes, media_type: str | None) -> None:
    """The kind of media is told by its first bytes."""
    assert sniff(data) == media_type


def test_by_name() -> None:
    """A name's ending says what bytes don't."""
    assert (by_name("A.TXT"), by_name("noending")) == ("text/plain", None)


@pytest.mark.parametrize("path", ["/etc/passwd", "report.pdf", "file:///etc/passwd", "aGVsbG8=", "C:/a.png"])
@pytest.mark.parametrize("kind", ["document", "file", "image", "image_url", "input_image", "audio", "input_audio"])
def test_a_path_that_is_text_is_refused_and_pathlib_named(kind, path):
    with pytest.raises(ValueError, match=r"content\[0\]\.path: .* is text, which opens no file; pass pathlib\.Path"):
        as_messages([{"role": "user", "content": [{"type": kind, "path": path}]}])


@pytest.mark.parametrize("text", ["/etc/passwd", "report.pdf", "aGVsbG8=", "notes/a+b"])
@pytest.mark.parametrize("member", ["file", "document", "url"])
def test_a_document_that_is_text_and_no_document_is_refused_and_pathlib_named(member, text):
    with pytest.raises(ValueError, match=r"neither a URL nor the base64 of a known kind .* pass pathlib\.Path"):
        as_messages([{"role": "user", "content": [{"type": "document", member: text}]}])


@pytest.mark.parametrize("member", ["image", "image_url", "url", "audio", "input_audio"])
def test_a_picture_or_a_sound_that_is_the_text_of_a_path_is_refused_and_pathlib_named(member):
    kind = "audio" if "audio" in member else "image"
    with pytest.raises(ValueError, match=r"is no URL; for a file on this machine pass pathlib\.Path"):
        as_messages([{"role": "user", "content": [{"type": kind, member: "/etc/passwd"}]}])


def test_a_path_within_a_file_is_refused_too():
    with pytest.raises(ValueError, match=r"content\[0\]\.file\.path: '/etc/passwd' is text"):
        as_messages([{"role": "user", "content": [{"type": "file", "file": {"path": "/etc/passwd"}}]}])


@pytest.mark.parametrize("member", ["file", "document", "url"])
def test_the_base64_of_a_known_document_is_one(member):
    text = "JVBERi0xLjc="
    (message,) = as_messages([{"role": "user", "content": [{"type": "document", member: text}]}])
    assert (message.content[0].data, message.content[0].media_type) == (PDF, "application/pdf")
