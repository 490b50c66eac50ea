"""Pictures and documents as the Messages API takes them: base64, text, or an address that it fetches."""

from __future__ import annotations

import base64
from typing import Any, Final

from ...domain.capability import Unsupported
from ...domain.message import Document, Image
from ...domain.reading.preparation import inline

IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
"""The pictures that are taken; none is written anew in another format."""

_PDF: Final = "application/pdf"
_FETCHED: Final = ("http://", "https://")


def image_source(part: Image, where: str) -> dict[str, Any]:
    """Where a picture comes from. Raises `Unsupported`, naming the place."""
    if _is_fetched(part):
        return {"type": "url", "url": part.url}
    data, media_type = inline(part, where)
    media_type = "image/jpeg" if _bare(media_type) == "image/jpg" else _bare(media_type)
    if media_type not in IMAGES:
        raise Unsupported(f"{where}: the Messages API takes {', '.join(IMAGES)}, and no {media_type}")
    return _base64(data, media_type)


def document_source(part: Document, where: str) -> dict[str, Any]:
    """Where a document comes from: a PDF, or text of any kind. Raises `Unsupported`, naming the place."""
    if _is_fetched(part):
        if _bare(part.media_type) != _PDF:
            raise Unsupported(f"{where}: the Messages API fetches PDFs alone; pass the bytes of {part.media_type}")
        return {"type": "url", "url": part.url}
    data, media_type = inline(part, where)
    if _bare(media_type) == _PDF:
        return _base64(data, _PDF)
    if not _bare(media_type).startswith("text/"):
        raise Unsupported(f"{where}: the Messages API takes PDFs and text, and no {media_type}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Unsupported(f"{where}: the Messages API takes text in UTF-8, which this isn't") from None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _is_fetched(part: Image | Document) -> bool:
    return part.url is not None and part.url.lower().startswith(_FETCHED)


def _base64(data: bytes, media_type: str) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
