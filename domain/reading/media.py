"""Pictures, sounds and files as people pass them: wire dicts, bytes, picture objects, path objects, addresses."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..message import Audio, Document, Image
from ..unicode import well_formed
from .signatures import by_name, sniff

Read = Callable[[str], bytes]


def read_image(value: Mapping[str, Any], where: str, read: Read | None) -> Image | Audio | Document:
    """A picture: `image_url`, `image`, and what they hold."""
    _refuse_path(value, where)
    source, detail = need(value, ("image_url", "image", "url", "path"), where), value.get("detail")
    if isinstance(source, Mapping):
        source, detail = need(source, ("url",), f"{where}.image_url"), source.get("detail", detail)
    if isinstance(source, str):
        url, data, media_type = _address(source, where)
        return Image(data, url, media_type or "image/png", detail)
    part = read_media(source, where, read)
    if not isinstance(part, Image):
        raise ValueError(f"{where}: an image was promised, but this is {_kind(part)}")
    return attrs.evolve(part, detail=detail) if detail is not None else part


def read_audio(value: Mapping[str, Any], where: str, read: Read | None) -> Image | Audio | Document:
    """A sound: `input_audio`, `audio`, and what they hold."""
    _refuse_path(value, where)
    source = need(value, ("input_audio", "audio", "url", "path"), where)
    media_type = None
    if isinstance(source, Mapping):
        form = source.get("format")
        media_type = None if form is None else "audio/mpeg" if form == "mp3" else f"audio/{form}"
        source = need(source, ("data", "url"), f"{where}.input_audio")
        if isinstance(source, str) and ":" not in source:
            data = _base64(source, where)
            return Audio(data, media_type=media_type or sniff(data) or "audio/wav")
    if isinstance(source, str):
        url, held, declared = _address(source, where)
        return Audio(held, url, media_type or declared or "audio/wav")
    if isinstance(source, (bytes, bytearray, memoryview)) and media_type is not None:
        return Audio(bytes(source), media_type=media_type)
    part = read_media(source, where, read)
    if not isinstance(part, Audio):
        raise ValueError(f"{where}: a sound was promised, but this is {_kind(part)}")
    return part


def read_file(value: Mapping[str, Any], where: str, read: Read | None) -> Image | Audio | Document:
    """A document: `file`, and what it holds."""
    _refuse_path(value, where)
    source = need(value, ("file", "document", "url", "path"), where)
    name, alone = None, isinstance(source, str)
    if isinstance(source, Mapping):
        _refuse_path(source, f"{where}.file")
        name = source.get("filename")
        source = need(source, ("file_data", "url"), f"{where}.file")
    promised = by_name(name) if isinstance(name, str) else None
    if isinstance(source, str):
        if ":" not in source:
            plain = _document(source, where) if alone else _base64(source, where)
            return Document(plain, media_type=sniff(plain) or promised or "application/pdf", name=name)
        url, held, media_type = _address(source, where)
        return Document(held, url, media_type or promised or "application/pdf", name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
        return Document(data, media_type=sniff(data) or promised or "application/octet-stream", name=name)
    part = read_media(source, where, read)
    if not isinstance(part, Document):
        return Document(part.data, part.url, part.media_type, name)
    return attrs.evolve(part, name=name or part.name)


def _refuse_path(value: Mapping[str, Any], where: str) -> None:
    """Raises ValueError for the path of a file that is given as text: text from outside must open no file."""
    path = value.get("path")
    if isinstance(path, str):
        raise ValueError(f"{where}.path: {_short(path)!r} is text, which opens no file; pass pathlib.Path(...)")


def _document(text: str, where: str) -> bytes:
    """The bytes of a document that stands there as text. A path may be base64, too, but is then no known document."""
    try:
        data = _base64(text, where)
    except ValueError:
        data = b""
    if sniff(data) is None:
        known = "neither a URL nor the base64 of a known kind of document"
        raise ValueError(f"{where}: {_short(text)!r} is {known}; for a file on this machine pass pathlib.Path(...)")
    return data


def _kind(part: Image | Audio | Document) -> str:
    """What a part of media is, for an error message."""
    return f"{type(part).__name__} of {part.media_type}"


def read_media(value: Any, where: str, read: Read | None) -> Image | Audio | Document:
    """A picture, a sound or a document, from bytes, a picture object or a path object."""
    if isinstance(value, (Image, Audio, Document)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _from_bytes(bytes(value), None, where)
    if hasattr(value, "__fspath__"):
        path = value.__fspath__()
        if not isinstance(path, str):
            raise TypeError(f"{where}: a path of text, not {path!r}")
        return _from_bytes(_read(path, where, read), path, where)
    if all(hasattr(value, member) for member in ("save", "mode", "size")):
        return Image(_png(value, where))
    raise TypeError(f"{where}: can't read {described(value)} as a part")


def _from_bytes(data: bytes, path: str | None, where: str) -> Image | Audio | Document:
    media_type = sniff(data) or (by_name(path) if path else None)
    if media_type is None:
        what = f"{path!r} begins with" if path else f"{len(data)} bytes that begin with"
        raise ValueError(
            f"{where}: unknown kind of media: {what} {data[:8]!r}; use Image(data, media_type=...) or the like"
        )
    if media_type.startswith("image/"):
        return Image(data, media_type=media_type)
    if media_type.startswith("audio/"):
        return Audio(data, media_type=media_type)
    name = path.replace("\\", "/").rpartition("/")[2] if path else None
    return Document(data, media_type=media_type, name=name)


def _read(path: str, where: str, read: Read | None) -> bytes:
    if read is None:
        raise ValueError(f"{where}: {path!r} is a path, and nothing here reads files; pass its bytes")
    try:
        return read(path)
    except OSError as error:
        raise ValueError(f"{where}: can't read {path!r}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


class _Sink(bytearray):
    """As much of a file as a picture needs to be written."""

    __slots__ = ()

    def write(self, data: bytes) -> int:
        self.extend(data)
        return len(data)


def _png(picture: Any, where: str) -> bytes:
    out = _Sink()
    try:
        if picture.mode not in ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"):
            picture = picture.convert("RGB")  # PNG has no CMYK, YCbCr, HSV or floats
        picture.save(out, format="PNG")
    except Exception as error:
        raise ValueError(f"{where}: can't write {described(picture)} as PNG: {error}") from error
    return bytes(out)


def _address(url: str, where: str) -> tuple[str | None, bytes | None, str | None]:
    """The address, or the bytes and the media type that it holds itself."""
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() == "data":
        head, comma, body = rest.partition(",")
        if not comma:
            raise ValueError(f"{where}: a data: URL has a comma before its data, found {_short(url)!r}")
        media_type, *flags = head.split(";")
        data = _base64(body, where) if "base64" in map(str.strip, flags) else _unescaped(body)
        declared = media_type.strip().lower()
        known = declared if declared not in ("", "application/octet-stream") else sniff(data)
        return None, data, "image/jpeg" if known == "image/jpg" else known
    if "://" not in url:
        raise ValueError(f"{where}: {_short(url)!r} is no URL; for a file on this machine pass pathlib.Path(...)")
    return read_text(url, where), None, None


def data_in_url(url: str, where: str) -> tuple[bytes, str | None] | None:
    """The bytes that a `data:` URL holds, and their media type; None for any other address."""
    if url[:5].lower() != "data:":
        return None
    _, data, media_type = _address(url, where)
    return data or b"", media_type


def _unescaped(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes.fromhex(code[1].decode()), text.encode())


def _base64(text: str, where: str) -> bytes:
    plain = _unescaped(text).translate(None, b" \t\r\n").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"{where}: not base64 ({error}): {_short(text)!r}") from None


def need(value: Mapping[str, Any], names: tuple[str, ...], where: str) -> Any:
    """The first of these members that is there."""
    for name in names:
        if value.get(name) is not None:
            return value[name]
    raise ValueError(f"{where}: needs {' or '.join(map(repr, names))}, found {sorted(map(str, value))}")


def read_text(value: Any, where: str) -> str:
    """The text, checked."""
    if not isinstance(value, str):
        raise TypeError(f"{where}: expected text, found {described(value)}")
    return str(well_formed(value, where))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def described(value: Any) -> str:
    """What was found, for an error message."""
    return f"{type(value).__name__} {_short(repr(value))}"
