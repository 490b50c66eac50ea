"""What kind of thing some bytes are, by the signature that they begin with."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),  # after RIFF and a length, like WAVE
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (4, b"ftypM4A", "audio/mp4"),
    (0, b"%PDF-", "application/pdf"),
)

_ENDINGS = {
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "mp3": "audio/mpeg",
    "svg": "image/svg+xml",
}


def sniff(data: bytes) -> str | None:
    """The media type of these bytes, or None where no signature is known.

    >>> sniff(b"%PDF-1.7 ...")
    'application/pdf'
    """
    for at, signature, media_type in _SIGNATURES:
        if data.startswith(signature, at) and (at != 8 or data.startswith(b"RIFF")):
            return media_type
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:  # a bare MPEG frame, layer III
        return "audio/mpeg"
    return None


def by_name(name: str) -> str | None:
    """The media type that a file's name promises, where its bytes don't say."""
    return _ENDINGS.get(name.rpartition(".")[2].lower())
