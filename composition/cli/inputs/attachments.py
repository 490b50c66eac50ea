"""What `--attach` names: a picture, a sound or a document is a part of the message; a file of text is read into it."""

from __future__ import annotations

import mimetypes
import sys
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from ....adapters.process.calling import read_file
from ....domain.message import Audio, Document, Image, Part, Text
from ....domain.reading.media import read_media
from ....domain.reading.signatures import sniff


def attached(place: str) -> Part:
    """The part that a path, an address, or standard input ('-') gives. Raises ValueError for what can't be sent."""
    if place == "-":
        return _part(sys.stdin.buffer.read() if sys.stdin is not None else b"", "standard input")
    if place.startswith(("https://", "http://")):
        return _of_address(place)
    return _part(read_file(place), Path(place).name)


def _part(data: bytes, name: str) -> Part:
    where = f"--attach {name}"
    if not data:
        raise ValueError(f"{where}: it is empty")
    if sniff(data) is None and (text := _as_text(data)) is not None:
        return Text(f"{name}:\n\n{text.strip()}")
    part = read_media(data, where, None)
    return attrs.evolve(part, name=name) if isinstance(part, Document) else part


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _of_address(url: str) -> Part:
    media_type = mimetypes.guess_type(urlsplit(url).path)[0] or ""
    kind = media_type.partition("/")[0]
    if kind == "image":
        return Image(url=url, media_type=media_type)
    if kind == "audio":
        return Audio(url=url, media_type=media_type)
    if media_type:
        return Document(url=url, media_type=media_type)
    raise ValueError(f"--attach {url}: its ending doesn't say what it is; fetch it and attach the file")
