"""What Converse calls the media types of pictures, sounds and documents, and how a document may be named there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ...domain.capability import Unsupported
from ...domain.frozen import FrozenDict

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

_SOUNDS: Final[Mapping[str, str]] = FrozenDict(
    {"x-wav": "wav", "wave": "wav", "x-flac": "flac", "mp4a-latm": "m4a", "x-m4a": "m4a", "mpeg": "mp3"}
)


def image_format(media_type: str, where: str) -> str:
    """What Converse calls a picture of this kind. Raises `Unsupported`, naming the place."""
    known: str | None = IMAGES.get(_bare(media_type))
    if known is None:
        takes = ", ".join(dict.fromkeys(IMAGES.values()))
        raise Unsupported(f"{where}: Converse takes {takes} images, and no {media_type}")
    return known


def document_format(media_type: str, name: str | None, where: str) -> str:
    """What Converse calls a document of this kind, or else of this name. Raises `Unsupported`, naming the place."""
    known: str = DOCUMENTS.get(_bare(media_type)) or ending(name)
    if known not in DOCUMENTS.values():
        raise Unsupported(f"{where}: Converse takes {', '.join(DOCUMENTS.values())} files, and no {media_type}")
    return known


def sound_format(media_type: str) -> str:
    """What Converse calls a sound of this kind."""
    kind = _bare(media_type).rpartition("/")[2]
    known: str = _SOUNDS.get(kind, kind)
    return known


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def ending(name: str | None) -> str:
    """What stands after the last dot of a name."""
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
