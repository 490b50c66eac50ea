"""What mlx-lm reads of a request: its chat template filled in, as tokens."""

from __future__ import annotations

from typing import Any

from ...domain.request import Request
from ..local.prompt import check_template, check_tools, encode
from .loading import Loaded


def read(loaded: Loaded, request: Request, kwargs: dict[str, Any]) -> list[int]:
    """The prompt; `kwargs` go to the template. Raises ModelFailure or `Unsupported` for what it has no word for."""
    tokenizer, arguments = loaded.tokenizer, {"add_generation_prompt": True, **kwargs}
    template = arguments.get("chat_template") or tokenizer.chat_template
    check_template(template or tokenizer.has_chat_template, request, "MLXModel")  # a few are functions
    conversation = encode(request)
    if conversation["tools"]:
        check_tools(request, tokenizer.apply_chat_template(**{**conversation, **arguments, "tokenize": False}))
    return [*tokenizer.apply_chat_template(**{**conversation, **arguments, "tokenize": True})]
