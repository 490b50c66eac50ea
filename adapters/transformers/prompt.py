"""What transformers reads of a request: its chat template filled in, as tokens, and where a processor sees, pictures.

A picture is given to the processor as it came, turned as its camera says. What neither the template nor the model has
a word for is refused here, before anything is generated.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.frozen import thaw
from ...domain.message import Image, Message, ToolResult
from ...domain.preparation import inline
from ...domain.request import Request
from ..local.template import offered, template_messages, template_tools
from .loading import Loaded


def encode(request: Request, *, with_images: bool = False) -> dict[str, Any]:
    """The conversation and the tools as a chat template takes them."""
    if not with_images:
        conversation, _ = template_messages(request.messages)
    else:
        conversation, pictures = template_messages(_held(request.messages), with_images=True)
        _show(conversation, pictures)
    return {"conversation": conversation, "tools": template_tools(offered(request))}


def read(loaded: Loaded, request: Request, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that `generate` takes; `kwargs` go to the template.

    Raises ModelFailure or `Unsupported` for what the model can't read, and what the template raises.
    """
    if getattr(loaded.model.config, "is_encoder_decoder", False):
        raise _refused("it is an encoder with a decoder, and goes on with no conversation")
    processor = loaded.processor
    template = (
        kwargs.get("chat_template") or getattr(processor, "chat_template", None) or loaded.tokenizer.chat_template
    )
    if not template:
        message = "its tokenizer has no chat template: use a model that was trained to chat, or give a template: "
        raise _refused(message + "TransformersModel(..., apply_chat_template_kwargs={'chat_template': ...})")
    if offered(request) and "tools" not in str(template):
        raise _refused("its chat template knows no tools, so the model would never hear of them")
    if _pictured(request):
        if processor is None:
            if loaded.blind is not None:
                raise ModelFailure(loaded.blind)
            raise _refused("this model has no images: it reads text only")
        if "image" not in str(template):
            raise _refused("its chat template has no place for images; give another in apply_chat_template_kwargs")
    given = {"add_generation_prompt": True, **thaw(kwargs)}
    given |= {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    device = loaded.model.device
    if processor is None:
        prompt = loaded.tokenizer.apply_chat_template(**encode(request), **given)
        tensors = {name: prompt[name].to(device) for name in ("input_ids", "attention_mask")}
    else:
        if not getattr(processor, "chat_template", None):  # a few keep it with the tokenizer
            given.setdefault("chat_template", template)
        prompt = processor.apply_chat_template(**encode(request, with_images="image" in str(template)), **given)
        tensors = {name: _on(value, device, loaded.model.dtype) for name, value in prompt.items()}
    if tensors["input_ids"].shape[1] == 0:
        raise ValueError("the chat template makes nothing of these messages")
    return tensors


def _on(value: Any, device: Any, dtype: Any) -> Any:
    """A tensor, or lists of them, on the device; what isn't whole numbers in the precision of the model."""
    if isinstance(value, (list, tuple)):
        return type(value)(_on(item, device, dtype) for item in value)
    if not hasattr(value, "is_floating_point"):
        return value
    return value.to(device, dtype=dtype if value.is_floating_point() else None)


def _refused(message: str) -> ModelFailure:
    return ModelFailure(ModelError(ErrorKind.UNSUPPORTED, message, sent=Sent.NO))


def _pictured(request: Request) -> bool:
    parts = [part for message in request.messages for part in message.content]
    parts += [inner for part in parts if isinstance(part, ToolResult) for inner in part.content]
    return any(isinstance(part, Image) for part in parts)


def _held(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages with the bytes of pictures instead of `data:` addresses. Raises `Unsupported` for any other."""

    def held(part: Any, where: str) -> Any:
        match part:
            case Image(data=None):
                data, media_type = inline(part, where)
                return attrs.evolve(part, data=data, url=None, media_type=media_type)
            case ToolResult():
                inner = (held(each, f"{where}.content[{at}]") for at, each in enumerate(part.content))
                return attrs.evolve(part, content=tuple(inner))
        return part

    return tuple(
        attrs.evolve(
            message, content=[held(part, f"messages[{n}].content[{at}]") for at, part in enumerate(message.content)]
        )
        for n, message in enumerate(messages)
    )


def _show(conversation: list[dict[str, Any]], pictures: list[bytes]) -> None:
    """Puts each picture into its place in the conversation."""
    rest = iter(pictures)
    for message in conversation:
        for part in message["content"]:
            if part["type"] == "image":
                part["image"] = _opened(next(rest))


def _opened(data: bytes) -> Any:
    import PIL.Image
    import PIL.ImageOps

    try:
        return PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data))).convert("RGB")
    except PIL.UnidentifiedImageError:
        raise ValueError(f"an image of {len(data)} bytes, in no format that Pillow knows") from None
    except (OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"an image of {len(data)} bytes can't be read: {error}") from error
