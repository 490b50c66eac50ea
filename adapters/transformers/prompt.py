"""What transformers reads of a request: its chat template filled in, as tokens, and where a processor sees, pictures.

What neither the template nor the model has a word for is refused here, before anything is generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...domain.error import ModelFailure
from ...domain.frozen import thaw
from ...domain.request import Request
from ..local.prompt import check_template, check_tools, encode, pictured, shows, unsupported
from .loading import Loaded


def read(loaded: Loaded, request: Request, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that `generate` takes; `kwargs` go to the template.

    Raises ModelFailure or `Unsupported` for what the model can't read, and what the template raises.
    """
    if getattr(loaded.model.config, "is_encoder_decoder", False):
        raise unsupported("it is an encoder with a decoder, and goes on with no conversation")
    processor = loaded.processor
    template = (
        kwargs.get("chat_template") or getattr(processor, "chat_template", None) or loaded.tokenizer.chat_template
    )
    if processor is None and pictured(request):
        raise ModelFailure(loaded.blind) if loaded.blind else unsupported("it has no images: it reads text only")
    check_template(template, request, "TransformersModel")
    reader = loaded.tokenizer if processor is None else processor
    arguments = {"add_generation_prompt": True, **thaw(kwargs)}
    if processor is not None and not getattr(processor, "chat_template", None):  # a few keep it with the tokenizer
        arguments.setdefault("chat_template", template)
    conversation = encode(request, with_images=processor is not None and shows(template))
    if conversation["tools"]:
        check_tools(request, reader.apply_chat_template(**conversation, **{**arguments, "tokenize": False}))
    arguments |= {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
    prompt = reader.apply_chat_template(**conversation, **arguments)
    names = prompt if processor is not None else ("input_ids", "attention_mask")
    return {name: _on(prompt[name], loaded.model.device, loaded.model.dtype) for name in names}


def _on(value: Any, device: Any, dtype: Any) -> Any:
    """A tensor, or lists of them, on the device; what isn't whole numbers in the precision of the model."""
    if isinstance(value, (list, tuple)):
        return type(value)(_on(item, device, dtype) for item in value)
    if not hasattr(value, "is_floating_point"):
        return value
    return value.to(device, dtype=dtype if value.is_floating_point() else None)
