"""What a prompt must have, whatever runtime reads it: a template that says all that is asked, and room to answer."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.message import Image, ToolResult
from ...domain.request import Request
from .template import offered, template_messages, template_tools


def encode(request: Request, *, with_images: bool = False) -> dict[str, Any]:
    """The conversation and the tools as a chat template takes them, with each picture in its place."""
    messages, images = template_messages(request.messages, with_images=with_images)
    if images:
        for part, data in zip(_image_parts(messages), images, strict=True):
            part["image"] = picture(data)
    return {"conversation": messages, "tools": template_tools(offered(request))}


def pictures(conversation: Mapping[str, Any]) -> list[Any]:
    """The pictures of what `encode` gave, in their order."""
    return [part["image"] for part in _image_parts(conversation["conversation"])]


def _image_parts(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    contents = [message["content"] for message in messages if isinstance(message["content"], list)]
    return [part for content in contents for part in content if part["type"] == "image"]


def check_template(template: Any, request: Request, model: str) -> None:
    """Raises ModelFailure where there is no template, or none that has a place for the pictures of this request."""
    if not template:
        message = "it has no chat template: use a model that was trained to chat, or give a template: "
        raise unsupported(f"{message}{model}(..., apply_chat_template_kwargs={{'chat_template': ...}})")
    if pictured(request) and not shows(template):
        raise unsupported("its chat template has no place for images; give another in apply_chat_template_kwargs")


def check_tools(request: Request, text: str) -> None:
    """Raises ModelFailure where a template made a text that leaves out a tool which was offered."""
    if any(tool.name not in text for tool in offered(request)):
        raise unsupported("its chat template knows no tools, so the model would never hear of them")


def shows(template: Any) -> bool:
    """Whether a template has a place for pictures, and so reads content as a list of parts."""
    return "image" in str(template)


def pictured(request: Request) -> bool:
    """Whether there are pictures in it, in results of tools, too."""
    parts = [part for message in request.messages for part in message.content]
    parts += [inner for part in parts if isinstance(part, ToolResult) for inner in part.content]
    return any(isinstance(part, Image) for part in parts)


def picture(data: bytes) -> Any:
    """A picture in colour, turned as its camera says, for Pillow. Raises ValueError where it can't be read."""
    import PIL.Image
    import PIL.ImageOps

    try:
        return PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB")
    except PIL.UnidentifiedImageError:
        raise ValueError(f"an image can't be read: {len(data)} bytes, in no format that Pillow knows") from None
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"an image of {len(data)} bytes can't be read: {error}") from error


def room(size: int, context: int | None) -> int | None:
    """How many tokens may follow a prompt of this size; None where there is no telling.

    Raises ModelFailure where none may, and ValueError for a prompt of none.
    """
    if not size:
        raise ValueError("the chat template makes nothing of these messages")
    if context is not None and size >= context:
        message = f"the prompt has at least {size} tokens, and the context holds {context}"
        raise ModelFailure(ModelError(ErrorKind.CONTEXT_WINDOW, message, sent=Sent.NO))
    return None if context is None else context - size


def unsupported(message: str) -> ModelFailure:
    """What the model can't do, before anything was generated."""
    return ModelFailure(ModelError(ErrorKind.UNSUPPORTED, message, sent=Sent.NO))
