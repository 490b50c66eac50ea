"""Pictures, sounds and files on Gemini's wire: bytes in base64, or the address of a file that Google reads itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from ...domain.frozen import FrozenDict
from ...domain.message import Audio, Document, Image
from ...domain.reading.media import data_in_url
from ...domain.reading.signatures import by_name
from ..http.http_errors import Malformed

_ENDINGS: Final[Mapping[str, str]] = FrozenDict(
    {
        # ai.google.dev/gemini-api/docs: image-understanding, audio, video-understanding, document-processing
        **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
        **{name: f"image/{name}" for name in ("gif", "heic", "heif", "png", "webp")},
        **{name: f"audio/{name}" for name in ("aac", "aiff", "flac", "ogg", "wav")},
        **{name: f"video/{name}" for name in ("mp4", "mpeg", "mpg", "webm", "wmv")},
        "3gp": "video/3gpp",
        "avi": "video/x-msvideo",
        "flv": "video/x-flv",
        "mov": "video/quicktime",
        "m4a": "audio/mp4",
        "pdf": "application/pdf",
        "rtf": "text/rtf",
    }
)
"""What an address promises by its ending, beside what `by_name` knows."""

# A file of the Files API, whose media type was told when it was uploaded.
_UPLOADED: Final = re.compile(r"https://[a-z0-9.-]*generativelanguage[a-z.]*\.googleapis\.com/\w+/files/")

_MADE: Final[Mapping[str, type[Image | Audio]]] = MappingProxyType({"image": Image, "audio": Audio})

Media = Image | Audio | Document


def media_part(part: Media, where: str) -> dict[str, Any]:
    """The part of a content. A file on Google's side (`gs://`, the Files API), or anywhere, is named by its address."""
    data, media_type = part.data, part.media_type
    if data is None:
        url = part.url or ""
        known = data_in_url(url, where)
        if known is None:
            if _UPLOADED.match(url):
                return {"fileData": {"fileUri": url}}
            path = urlsplit(url).path
            kind = _ENDINGS.get(path.rpartition(".")[2].lower()) or by_name(path) or media_type
            return {"fileData": {"mimeType": kind, "fileUri": url}}
        data, said = known
        media_type = said or media_type
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def read_inline(blob: Mapping[str, Any]) -> Image | Audio | None:
    """What the model made: a picture or a sound; None for another kind. Raises `Malformed`."""
    media_type, data = blob.get("mimeType"), blob.get("data")
    if not isinstance(media_type, str) or not isinstance(data, str):
        return None
    kind = _MADE.get(media_type.partition("/")[0])
    try:
        return None if kind is None else kind(base64.b64decode(data, validate=True), media_type=media_type)
    except ValueError:
        raise Malformed(f"a part of the answer isn't base64, and says that it is {media_type}") from None
