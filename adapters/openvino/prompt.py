"""What OpenVINO reads of a request: its chat template filled in, as text."""

from __future__ import annotations

from typing import Any

from ...domain.request import Request
from ..local.prompt import check_template, check_tools, encode
from .loading import Loaded


def read(loaded: Loaded, request: Request, kwargs: dict[str, Any]) -> str:
    """The prompt; `kwargs` go to the template. Raises ModelFailure or `Unsupported` for what it has no word for."""
    template = kwargs.pop("chat_template", None) or loaded.tokenizer.chat_template
    check_template(template, request, "OpenVINOModel")
    history, begins = encode(request), kwargs.pop("add_generation_prompt", True)
    prompt: str = loaded.tokenizer.apply_chat_template(
        history["conversation"], begins, chat_template=template, tools=history["tools"], extra_context=kwargs
    )
    check_tools(request, prompt)
    return prompt
