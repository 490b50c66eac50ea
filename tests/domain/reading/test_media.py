"""What kind of thing some bytes are."""

import pytest

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
