"""What Converse calls the media types of pictures, sounds and documents, and how a document may be named there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..domain.capability import Unsupported
from ..domain.frozen import FrozenDict
from ..domain.message import Audio, Document, Image

IMAGES: Final[Mapping[str, str]] = FrozenDict(
    {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
)
"""The pictures that Converse takes; none is written anew in another format."""

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCUMENTS: Final[Mapping[str, str]] = FrozenDict(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        f"{_OFFICE}.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
    }
)
"""The documents that Converse takes."""

_SOUNDS: Final = FrozenDict({"x-wav": "wav", "wave": "wav", "x-flac": "flac", "mp4a-latm": "m4a", "x-m4a": "m4a"})


def image_format(part: Image, where: str) -> str:
    """What Converse calls a picture of this kind. Raises `Unsupported`, naming the place."""
    known: str | None = IMAGES.get(_media_type(part))
    if known is None:
        raise Unsupported(f"{where}: Converse takes {', '.join(IMAGES.values())} images, and no {part.media_type}")
    return known


def document_format(part: Document, where: str) -> str:
    """What Converse calls a document of this kind. Raises `Unsupported`, naming the place."""
    known: str = DOCUMENTS.get(_media_type(part)) or _ending(part.name or part.url)
    if known not in DOCUMENTS.values():
        raise Unsupported(f"{where}: Converse takes {', '.join(DOCUMENTS.values())} files, and no {part.media_type}")
    return known


def sound_format(part: Audio) -> str:
    """What Converse calls a sound of this kind."""
    kind = _media_type(part).rpartition("/")[2]
    known: str = _SOUNDS.get(kind, kind)
    return known


def _media_type(part: Image | Audio | Document) -> str:
    return part.media_type.partition(";")[0].strip().lower()


def _ending(name: str | None) -> str:
    return (name or "").rpartition(".")[2].lower()


def document_name(name: str | None) -> str:
    """The name with the characters that Converse admits: letters, digits, single blanks, hyphens and brackets.

    >>> document_name("Q3 report_final.pdf")
    'Q3 report-final'
    """
    stem = re.sub(r"\.\w{1,5}$", "", name or "")
    return re.sub(r"[^A-Za-z0-9()\[\] -]+", "-", re.sub(r"\s+", " ", stem)).strip(" -")[:200] or "document"


def block_text(block: Mapping[str, Any]) -> str:
    """The words of a block that is kept whole: those of an answer with citations."""
    cited = block.get("citationsContent")
    content = cited.get("content") if isinstance(cited, Mapping) else None
    return "".join(str(piece.get("text", "")) for piece in content or () if isinstance(piece, Mapping))
