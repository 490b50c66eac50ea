"""Pictures, sounds and files on Gemini's wire: bytes in base64, or the address of a file that Google reads itself."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ...domain.message import Audio, Document, Image
from ...domain.reading.media import data_in_url

# A file of the Files API, whose media type was told when it was uploaded.
_UPLOADED: Final = re.compile(r"https://[a-z0-9.-]*generativelanguage[a-z.]*\.googleapis\.com/\w+/files/")

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
            kind = mimetypes.guess_type(urlsplit(url).path)[0] or media_type
            return {"fileData": {"mimeType": kind, "fileUri": url}}
        data, said = known
        media_type = said or media_type
    return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode()}}


def read_inline(blob: Mapping[str, Any]) -> Image | Audio | None:
    """What the model made: a picture or a sound; None for another kind. Raises ValueError where it isn't base64."""
    media_type, data = blob.get("mimeType"), blob.get("data")
    if not isinstance(media_type, str) or not isinstance(data, str):
        return None
    match media_type.partition("/")[0]:
        case "image":
            return Image(base64.b64decode(data), media_type=media_type)
        case "audio":
            return Audio(base64.b64decode(data), media_type=media_type)
    return None
